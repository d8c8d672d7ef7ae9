"""Compiling kernels, and keeping them on disk."""
