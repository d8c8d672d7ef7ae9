"""Single layers: their output size, their matrix, and operators applied to given numbers."""
