"""Pictures as input: reading, fitting, normalising."""
