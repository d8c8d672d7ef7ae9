"""`apply -o FILE`: the numbers as CSV, as a figure of numbered cells, step by step if asked for, or as grey levels."""

from __future__ import annotations

from collections.abc import Callable

from convcalc.errors import UsageError
from convcalc.layer.symbols import Expression
from convcalc.layer.typed_input import Applied
from convcalc.ops import Tensor
from convcalc.render.drawing import files
from convcalc.report.apply import applied_csv

SUFFIXES = (*files.SUFFIXES, ".gif", ".csv")


def suffix_of(path: str) -> str:
    """The suffix of a file's name. Raises UsageError if `apply` cannot write such a file."""
    return files.suffix_of(path, SUFFIXES)


def applied_file(
    applied: Applied,
    path: str,
    delay: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> bytes:
    """The bytes of the file, as its suffix says. delay: seconds of a step of an animation; progress: told how many of
    how many frames are painted. Raises UsageError for any other suffix, and if the numbers make no figure."""
    suffix = suffix_of(path)
    if suffix == ".csv":
        return applied_csv(applied).encode()
    if applied.steps:
        return _steps_file(applied, suffix, delay, progress)
    if suffix == ".gif":
        raise UsageError(f"-o {path}: a .gif shows steps", hint="add --steps, or use .png, .svg or .pdf")
    if applied.tone is not None and suffix == ".png":
        return _levels(applied, path)
    from convcalc.report.apply_figure import applied_scene

    return files.encoded(applied_scene(applied), suffix)


def _steps_file(
    applied: Applied, suffix: str, delay: float | None, progress: Callable[[int, int], None] | None
) -> bytes:
    """The steps, moving in .gif and .svg, else as a strip."""
    from convcalc.report.apply_figure import MAX_FRAMES, MAX_STRIP, applied_animation

    most = MAX_FRAMES if suffix in files.MOVING else MAX_STRIP
    return files.encoded_animation(applied_animation(applied, most, delay), suffix, progress)


def _levels(applied: Applied, path: str) -> bytes:
    """A pixel per number."""
    from convcalc.images.rasters import beside, png, rasters

    maps = []
    for application in applied.applications:
        tensor = application.output
        if len(tensor.shape) > 3 or any(isinstance(value, Expression) for value in tensor.values):
            raise UsageError(
                f"-o {path}: letters and volumes have no grey levels", hint="leave --tone out, or use .csv"
            )
        assert applied.tone is not None
        maps += rasters(Tensor(_image_shape(tensor.shape), tensor.values), applied.tone, colour=False)
    return png(beside(maps, gap=1))


def _image_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A tensor's shape as an image (C, H, W): a vector is one row, signals are one row each."""
    if len(shape) == 1:
        return (1, 1, shape[0])
    return (shape[0], 1, shape[1]) if len(shape) == 2 else shape
