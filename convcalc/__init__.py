"""convcalc: a calculator for convolutional networks."""
