"""PyTorch modules made into networks: traced by the user's own torch.export, and mapped to layers without it."""
