"""Operators that no kernel is worth, computed by NumPy on whole arrays: `registry` lists them."""
