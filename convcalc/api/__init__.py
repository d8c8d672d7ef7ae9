"""The Python interface: a function or method for each command, returning a view of the record that it prints."""
