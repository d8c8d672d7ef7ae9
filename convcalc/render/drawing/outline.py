"""The order in which a network's boxes and frames are written where frames enclose boxes in the text, and their labels:
for Mermaid and Graphviz."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from convcalc.analysis.boxes import Box, Boxes, Frame
from convcalc.render.drawing import lettering

MAX_LABEL = 320.0  # pixels of a line at SIZE, about 50 letters
SIZE = 12.0


class Opened(NamedTuple):
    """The beginning of a frame. number: its place in `Boxes.frames`."""

    number: int
    frame: Frame


class Closed(NamedTuple):
    """The end of the last frame that is open."""


def outline(boxes: Boxes) -> Iterator[tuple[int, Opened | Box | Closed]]:
    """Frames and boxes as they nest, each with the number of frames around it."""
    open_frames: list[Frame] = []
    frames = list(enumerate(boxes.frames))[::-1]
    for box in boxes.boxes:
        while frames and frames[-1][1].first == box.key:
            number, frame = frames.pop()
            yield len(open_frames), Opened(number, frame)
            open_frames.append(frame)
        yield len(open_frames), box
        while open_frames and open_frames[-1].last == box.key:
            open_frames.pop()
            yield len(open_frames), Closed()


def label(box: Box, sizes: Literal["chw", "hwc"], outputs: tuple[str, ...] = ()) -> list[str]:
    """The lines on a box: its words, its size, the outputs of the network that it gives."""
    if box.form != "box" and not outputs:
        return [box.symbol]
    words = (box.symbol,) if box.form != "box" else box.words
    lines = [*words, lettering.size_text(box.shape, sizes), *(f"→ {name}" for name in outputs)]
    return [lettering.cut(line, MAX_LABEL, SIZE) for line in lines]


def frame_label(frame: Frame) -> str:
    """`×3 conv2.1–3 · 96 to 256 channels`."""
    name = lettering.cut(frame.name, MAX_LABEL, SIZE)
    return f"×{frame.times} {name}" + (f" · {frame.note}" if frame.note else "")


def outputs_of(boxes: Boxes) -> dict[int, tuple[str, ...]]:
    """By key, the names of the network's outputs that a box gives; empty if the network has a single output."""
    found: dict[int, tuple[str, ...]] = {}
    if len(boxes.outputs) > 1:
        for name, key in boxes.outputs:
            found[key] = (*found.get(key, ()), name)
    return found
