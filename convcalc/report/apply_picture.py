"""`apply` on an image: the facts of what came out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convcalc.images.preprocess import Picture
from convcalc.layer.apply import Application
from convcalc.layer.pictures import Result
from convcalc.render.table import Column, Table
from convcalc.report import words
from convcalc.report.apply import title
from convcalc.report.values import CONVENTIONS

TONES = {
    "clip": "cut to 0…255",
    "magnitude": "without sign, cut to 255",
    "stretch": "least black, greatest white",
}


def _level(key: str) -> Column:
    """A grey level, to one decimal."""
    return Column(key, key, text=lambda result: _round(getattr(result, key)), right=True)


COLUMNS = (
    Column("map", "map", lambda result: result.name, style="cyan"),
    Column("size", "size", lambda result: result.tensor.shape, right=True),
    *map(_level, ("least", "greatest", "mean")),
    Column("tone", "shown", text=lambda result: _shown(result), wrap=True),
)
DATA = (
    COLUMNS[0],
    Column("channels", "", lambda result: result.tensor.shape[0]),
    Column("height", "", lambda result: result.tensor.shape[1]),
    Column("width", "", lambda result: result.tensor.shape[2]),
    *COLUMNS[2:],
    Column("cut", ""),
)


def filtered_table(application: Application, picture: Picture, path: str, maps: Sequence[Result]) -> Table:
    """A row per map."""
    notes = [f"image: {picture.note}"] if picture.note else []
    channels = picture.shape[0]
    if application.names and channels > 1 and not any(result.colour for result in maps):
        notes.append(
            f"each filter spans the {channels} channels, divided by {channels}; --per-channel keeps colours"
        )
    notes += warnings(maps)
    return Table(
        columns=COLUMNS,
        rows=maps,
        title=f"{path}  {title(application)}",
        lines=notes,
        data_columns=DATA,
    )


def warnings(maps: Sequence[Result]) -> list[str]:
    """Which maps are mostly white or black, and what would do."""
    lines = []
    for found in maps:
        if found.remedy:
            name = f"{found.name}: " if len(maps) > 1 else ""
            fault = f"{words.percent(found.cut)} of the pixels are cut to black or white"
            if not found.cut:
                fault = f"this is all but black, as no value is above {found.greatest:.3g} of 255"
            lines.append(f"warning: {name}{fault}; {found.remedy}")
    return lines


def _shown(result: Result) -> str:
    return TONES[result.tone] + (f" ({words.percent(result.cut)})" if result.cut else "")


def _round(value: float) -> str:
    return f"{value + 0:.1f}".replace("-0.0", "0.0").replace("-", "−")


def filtered_value(
    application: Application, picture: Picture, path: str, maps: Sequence[Result], written: str | None
) -> dict[str, Any]:
    """`apply … IMAGE --format json`: no pixels."""
    return {
        "operator": application.op.kind,
        "conventions": CONVENTIONS,
        "fields": application.op.shown_fields(),
        "filters": list(application.names) or None,
        "mode": application.mode if application.op.kind == "conv" else None,
        "image": path,
        "input_shape": list(application.source.shape),
        "output_shape": list(application.output.shape),
        "maps": [
            {
                "name": result.name,
                "shape": list(result.tensor.shape),
                "least": float(result.least),
                "greatest": float(result.greatest),
                "mean": float(result.mean),
                "tone": result.tone,
                "cut": result.cut,
            }
            for result in maps
        ],
        "note": picture.note or None,
        "warnings": [text.removeprefix("warning: ") for text in warnings(maps)],
        "file": written,
    }
