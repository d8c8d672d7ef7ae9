"""How things look on a terminal, in text and in files; knows no report."""
