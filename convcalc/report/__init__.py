"""Records → what a person or a program reads. Text and layout only: no arithmetic here.

Each report builds a `Table` (table.py) or a JSON value (json.py); the formats turn those into text.
"""
