"""What runs a member's backbone: pixels in, features out."""
