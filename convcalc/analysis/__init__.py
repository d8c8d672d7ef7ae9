"""Figures of a network, and what can be asked of them."""
