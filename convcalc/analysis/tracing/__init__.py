"""Figures as formulas of the input's size and the variables, by running the rules on numbers that record."""
