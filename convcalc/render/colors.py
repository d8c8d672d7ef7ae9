"""Whether output is coloured: what the command line says, set once when it is parsed."""

from __future__ import annotations

import os
from typing import IO, Any

choice = "auto"  # auto, always or never


def wanted(stream: IO[Any]) -> bool:
    """auto: a terminal that is not asked to go without (NO_COLOR, TERM=dumb)."""
    if choice != "auto":
        return choice == "always"
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
