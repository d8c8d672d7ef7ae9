"""`apply` on an image: figures about each map, and the pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from convcalc.errors import UsageError
from convcalc.layer.pictures import PictureMap
from convcalc.layer.typed_input import AppliedPicture
from convcalc.ops import Tensor
from convcalc.render.layout import Line, table_lines
from convcalc.render.table import Column, Table
from convcalc.report import words
from convcalc.report.apply import title
from convcalc.report.apply_file import suffix_of
from convcalc.report.values import CONVENTIONS

if TYPE_CHECKING:
    from convcalc.images.rasters import Raster

TONES = {
    "clip": "cut to 0…255",
    "magnitude": "without sign, cut to 255",
    "stretch": "least black, greatest white",
}


def _level(key: str) -> Column:
    """A grey level to one decimal."""
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


def filtered_summary(filtered: AppliedPicture) -> str:
    """`Applied edges (conv K1 F3): 28×28 → 26×26, to seven.png`."""
    return f"Applied {title(filtered.application)}, to {filtered.path}"


def filtered_table(filtered: AppliedPicture) -> Table:
    """One row per map."""
    application, picture, path, maps = filtered
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


def warnings(maps: Sequence[PictureMap]) -> list[str]:
    """Warnings about maps that are mostly white or black, with a remedy."""
    lines = []
    for found in maps:
        if found.remedy:
            name = f"{found.name}: " if len(maps) > 1 else ""
            fault = f"{words.percent(found.cut)} of the pixels are cut to black or white"
            if not found.cut:
                fault = f"this is all but black, as no value is above {found.greatest:.3g} of 255"
            lines.append(f"warning: {name}{fault}; {found.remedy}")
    return lines


def _shown(result: PictureMap) -> str:
    return TONES[result.tone] + (f" ({words.percent(result.cut)})" if result.cut else "")


def _round(value: float) -> str:
    return f"{value + 0:.1f}".replace("-0.0", "0.0").replace("-", "−")


def filtered_lines(filtered: AppliedPicture, width: int | None) -> Iterator[Line]:
    """The table, and on a terminal the pictures before and after."""
    yield from table_lines(filtered_table(filtered), width)
    if width is not None:
        from convcalc.images.rasters import beside, rasters
        from convcalc.render import terminal
        from convcalc.render.picture import side_by_side

        picture = filtered.picture
        before = rasters(Tensor(picture.shape, picture.values), "clip", colour=True)
        yield []
        shown = [("before", beside(before)), *_pictures(filtered)[:3]]
        yield from side_by_side(shown, min(width, 160), terminal.styled())


def _pictures(filtered: AppliedPicture) -> list[tuple[str, Raster]]:
    """The pictures of all maps with their names."""
    from convcalc.images.rasters import rasters

    return [
        (result.name, raster)
        for result in filtered.maps
        for raster in rasters(result.tensor, result.tone, colour=result.colour)
    ]


def save_hint(filtered: AppliedPicture) -> str:
    """A reminder of how to write the picture to a file."""
    several = len(_pictures(filtered)) > 1
    return "not kept: -o FILE.png writes the picture" + ("s side by side" if several else "")


def filtered_file(filtered: AppliedPicture, path: str) -> bytes:
    """A PNG with all pictures side by side. Raises UsageError for any other kind of file."""
    from convcalc.images.rasters import beside, png

    if suffix_of(path) != ".png":
        raise UsageError(
            f"-o {path}: an image is written as .png", hint="a matrix is written in other formats too"
        )
    return png(beside([raster for _, raster in _pictures(filtered)]))


def filtered_value(filtered: AppliedPicture, written: str | None = None) -> dict[str, Any]:
    """JSON of `apply` on an image, without pixels. written: the file that has them."""
    application, picture, path, maps = filtered
    return {
        "operator": application.op.kind,
        "conventions": CONVENTIONS,
        "fields": application.op.shown_fields(),
        "filters": list(application.names) or None,
        "mode": application.mode if application.has_modes else None,
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
