"""The kernels: compiled loops over numbers."""
