"""A forward pass from a picture to classes."""
