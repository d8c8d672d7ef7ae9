"""Layout and output formats: terminal, text, HTML, pictures. Independent of any report."""
