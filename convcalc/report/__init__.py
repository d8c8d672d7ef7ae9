"""What each command shows. Turns records into tables and JSON values; no arithmetic here.

Each module builds a `Table` (render/table.py) or a JSON value (render/json.py), which the output formats turn into
text.
"""
