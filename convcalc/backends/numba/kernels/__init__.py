"""The kernels: what runs in a loop over numbers."""
