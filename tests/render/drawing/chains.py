"""Networks for the tests of volumes and maps: bundled ones as boxes, and small ones written here."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import convcalc
from convcalc.analysis.analyse import analyse
from convcalc.analysis.boxes import Boxes, boxes
from convcalc.errors import UsageError
from convcalc.render.drawing.chain import chain

ARCHITECTURES = Path(__file__).parents[3] / "architectures"


@cache
def bundled(name: str, *, branches: bool = False) -> Boxes:
    """The boxes of a bundled network."""
    return boxes(analyse(convcalc.load(name).graph), branches=branches)


def written(spec: str, folder: Path, *, branches: bool = False) -> Boxes:
    """The boxes of a network given as YAML."""
    path = folder / "net.yaml"
    path.write_text(spec, encoding="utf-8")
    return boxes(analyse(convcalc.load(str(path)).graph), branches=branches)


def names() -> list[str]:
    """All bundled networks."""
    return [entry.name for entry in convcalc.list()]


def is_drawn(name: str, style: str = "volumes") -> bool:
    """Whether a bundled network is a chain of maps."""
    try:
        chain(bundled(name), style)
    except UsageError:
        return False
    return True
