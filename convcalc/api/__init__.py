"""convcalc from Python: a function for each command. Each returns a view of the record that the command prints."""
