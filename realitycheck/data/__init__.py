"""Folders of real and AI pictures as training, validation and test sets."""
