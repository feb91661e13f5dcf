"""Training: recipes, one epoch forth, one epoch of testing, and the run around them."""
