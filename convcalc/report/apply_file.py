"""`apply -o FILE`: the numbers as CSV, or as grey levels."""

from __future__ import annotations

import os

from convcalc.errors import UsageError
from convcalc.layer.symbols import Expression
from convcalc.layer.typed_input import Applied
from convcalc.ops import Tensor
from convcalc.report.apply import applied_csv

SUFFIXES = (".png", ".csv")


def check_suffix(path: str) -> None:
    """Raises UsageError if `apply` cannot write a file of this name."""
    if os.path.splitext(path)[1].lower() not in SUFFIXES:
        raise UsageError(f"-o {path}: cannot write such a file", hint="use .png or .csv")


def applied_file(applied: Applied, path: str) -> bytes:
    """The bytes of the file, as its suffix says. Raises UsageError for any other suffix, and if the numbers make no
    picture."""
    check_suffix(path)
    if path.lower().endswith(".csv"):
        return applied_csv(applied).encode()
    from convcalc.images.rasters import beside, png, rasters

    maps = []
    for application in applied.applications:
        tensor = application.output
        if len(tensor.shape) > 3 or any(isinstance(value, Expression) for value in tensor.values):
            raise UsageError(f"-o {path}: letters and volumes make no picture", hint="use .csv")
        maps += rasters(Tensor(_image_shape(tensor.shape), tensor.values), applied.tone, colour=False)
    return png(beside(maps, gap=1))


def _image_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A tensor's shape as an image (C, H, W): a vector is one row, signals are one row each."""
    if len(shape) == 1:
        return (1, 1, shape[0])
    return (shape[0], 1, shape[1]) if len(shape) == 2 else shape
