"""PyTorch source of a network: forms of operators, classes from the records of a folded spec, or step by step."""
