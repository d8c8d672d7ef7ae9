"""Whether output is coloured. Set once when the command line is parsed."""

from __future__ import annotations

import os
from typing import IO, Any

choice = "auto"  # auto, always or never


def enabled(stream: IO[Any]) -> bool:
    """Whether to colour. auto: on a terminal unless NO_COLOR or TERM=dumb forbids it."""
    if choice != "auto":
        return choice == "always"
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
