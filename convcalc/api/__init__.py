"""convcalc from Python: a function for each command. Each returns a view of the record that the command prints."""

from convcalc.api.functions import apply, check_sheet, docs, list, matrix, schema, size, worksheet
from convcalc.api.net import Network, load, partial
from convcalc.graph import MAX_LAYERS

__all__ = [
    "MAX_LAYERS",
    "Network",
    "apply",
    "check_sheet",
    "docs",
    "list",
    "load",
    "matrix",
    "partial",
    "schema",
    "size",
    "worksheet",
]
