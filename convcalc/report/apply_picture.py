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
from convcalc.shapes import show

COLUMNS = (
    Column("map", "map", style="cyan"),
    Column("size", "size", right=True),
    Column("least", "least", right=True),
    Column("greatest", "greatest", right=True),
    Column("mean", "mean", right=True),
    Column("tone", "shown", wrap=True),
)
TONES = {
    "clip": "cut to 0…255",
    "magnitude": "without sign, cut to 255",
    "stretch": "least black, greatest white",
}


def filtered_table(application: Application, picture: Picture, path: str, maps: Sequence[Result]) -> Table:
    """A row per map."""
    notes = [f"image: {picture.note}"] if picture.note else []
    channels = picture.shape[0]
    if application.names and channels > 1 and not any(one.colour for one in maps):
        notes.append(
            f"each filter spans the {channels} channels, divided by {channels}; --per-channel keeps colours"
        )
    notes += warnings(maps)
    return Table(
        columns=COLUMNS,
        rows=[
            (
                one.name,
                show(one.tensor.shape),
                _round(one.least),
                _round(one.greatest),
                _round(one.mean),
                TONES[one.tone] + (f" ({words.percent(one.cut)})" if one.cut else ""),
            )
            for one in maps
        ],
        title=f"{path}  {title(application)}",
        lines=notes,
        data_keys=("map", "channels", "height", "width", "least", "greatest", "mean", "tone", "cut"),
        data=[
            (one.name, *one.tensor.shape, one.least, one.greatest, one.mean, one.tone, one.cut)
            for one in maps
        ],
    )


def warnings(maps: Sequence[Result]) -> list[str]:
    """What of the maps is cut to black or white, and what would keep it."""
    lines = []
    for found in maps:
        if found.remedy:
            name = f"{found.name}: " if len(maps) > 1 else ""
            share = words.percent(found.cut)
            lines.append(f"warning: {name}{share} of the pixels are cut to black or white; {found.remedy}")
    return lines


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
                "name": one.name,
                "shape": list(one.tensor.shape),
                "least": float(one.least),
                "greatest": float(one.greatest),
                "mean": float(one.mean),
                "tone": one.tone,
                "cut": one.cut,
            }
            for one in maps
        ],
        "note": picture.note or None,
        "warnings": [text.removeprefix("warning: ") for text in warnings(maps)],
        "file": written,
    }
