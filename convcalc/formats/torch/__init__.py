"""PyTorch: networks read from modules, and written as source."""
