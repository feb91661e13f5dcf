"""What runs a member's backbone: pixels in, features out. The head stays in PyTorch."""
