"""A scene as the bytes of a file, by the file's suffix. Each writer is imported when it is used."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import PurePath
from typing import TYPE_CHECKING

from convcalc.errors import UsageError
from convcalc.render.drawing.scene import Scene

if TYPE_CHECKING:
    from convcalc.render.drawing.animation import Animation

SUFFIXES = {
    ".svg": "vectors for the web and slides, light and dark",
    ".png": "pixels",
    ".pdf": "vectors for print",
    ".tex": "TikZ, to compile with pdflatex",
}
MOVING = (".gif", ".svg")  # of animations; other files have all frames in a strip
SHARP = 2  # pixels of a PNG per pixel of the scene, where no width is given
SLIDE = 1_600  # pixels: no wider than this without being asked
COLUMN = 180.0  # millimetres: as wide as the text of an A4 page
MM_PER_PIXEL = 25.4 / 96


def suffix_of(path: str | PurePath, suffixes: Iterable[str] = tuple(SUFFIXES)) -> str:
    """The suffix of a path in small letters. Raises UsageError if it is not among those given."""
    suffix = PurePath(path).suffix.lower()
    known = list(suffixes)
    if suffix not in known:
        listed = ", ".join(known[:-1]) + f" or {known[-1]}" if len(known) > 1 else known[0]
        given = f"not as {suffix}" if suffix else "the name has no suffix"
        raise UsageError(
            f"-o {path}: a drawing is written as {listed}; {given}", hint=f"-o drawing{known[0]}"
        )
    return suffix


def encoded(scene: Scene, suffix: str, width: float | None = None) -> bytes:
    """A scene as a file of a suffix of SUFFIXES.

    width: pixels of a PNG, millimetres of PDF and TikZ, none for an SVG, which has the size it is shown at. Without
    one a PNG has twice the scene's pixels up to SLIDE wide, PDF and TikZ 96 of them an inch up to COLUMN. Raises
    UsageError for another suffix, and for a width that the file cannot have.
    """
    if suffix == ".svg":
        from convcalc.render.drawing import svg

        if width is not None:
            raise UsageError("an SVG has no width of its own", hint="--width is for .png, .pdf and .tex")
        return svg.document(scene).encode()
    if suffix == ".png":
        from convcalc.render.drawing import png

        return png.image(scene, default_pixels(scene, png.MAX_PIXELS) if width is None else round(width))
    size = min(COLUMN, scene.width * MM_PER_PIXEL) if width is None else width
    if suffix == ".pdf":
        from convcalc.render.drawing import pdf

        return pdf.document(scene, size)
    suffix_of(f"drawing{suffix}")
    from convcalc.render.drawing import tikz

    return tikz.document(scene, size).encode()


def encoded_animation(
    animation: Animation, suffix: str, progress: Callable[[int, int], None] | None = None
) -> bytes:
    """An animation as a file of a suffix of MOVING, or its frames in a strip as one of SUFFIXES. progress: told how
    many of how many frames of a GIF are done."""
    if suffix == ".gif":
        from convcalc.render.drawing import gif

        return gif.document(animation, progress)
    if suffix == ".svg":
        from convcalc.render.drawing import moving

        return moving.document(animation).encode()
    from convcalc.render.drawing.animation import strip

    return encoded(strip(animation), suffix)


def default_pixels(scene: Scene, most: int) -> int:
    """The width of a PNG that is not told its own; most: pixels in all."""
    sharp = min(SHARP * scene.width, max(SLIDE, scene.width))
    return max(16, int(min(sharp, (most * scene.width / scene.height) ** 0.5)))
