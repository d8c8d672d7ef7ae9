"""Weights: where a network's numbers come from, and the files they are kept in."""
