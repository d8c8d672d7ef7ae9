"""Lowering: from the layers of a graph to steps of kernels."""
