"""What goes to the Hugging Face Hub: checkpoints with their card, and the demo as a Space."""
