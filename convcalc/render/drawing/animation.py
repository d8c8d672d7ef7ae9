"""A drawing that moves: what stays, what is seen in some frames only, and how long each frame is shown."""

from __future__ import annotations

from collections.abc import Hashable
from math import ceil, log
from typing import NamedTuple

from convcalc.render.drawing.scene import Circle, Item, Picture, Placed, Rectangle, Scene, Text, moved

STEP, FAST_STEP, LAST = 1.2, 0.6, 3.0  # seconds of a frame, of a frame of many, and of the last one
MANY = 30  # frames
APART = 18.0  # between the frames of a strip


class Timed(NamedTuple):
    """An item that is seen from one frame to another, both included. spot: the place it takes, None if no other takes
    it; of several coats on one spot only the last that is seen is painted."""

    item: Item
    first: int
    last: int
    spot: Hashable = None
    coat: int = 0


class Animation(NamedTuple):
    """A drawing in frames. items: in the order in which they are painted; seconds: of each frame; the last is held
    before the drawing begins again. head: how far down the title reaches, which all frames share."""

    width: float
    height: float
    title: str
    description: str
    items: tuple[Timed, ...]
    seconds: tuple[float, ...]
    boxes: tuple[Placed, ...] = ()
    head: float = 0.0

    def frame(self, number: int) -> Scene:
        """One frame as a scene of its own."""
        seen = [timed for timed in self.items if timed.first <= number <= timed.last]
        top = {timed.spot: timed.coat for timed in seen}
        items = tuple([timed.item for timed in seen if timed.spot is None or timed.coat == top[timed.spot]])
        return Scene(self.width, self.height, self.title, self.description, items, self.boxes)


def durations(frames: int, delay: float | None = None) -> tuple[float, ...]:
    """The seconds of each frame. delay: of all but the last, which is held for at least LAST."""
    step = delay if delay is not None else STEP if frames <= MANY else FAST_STEP
    step = max(step, 0.05)
    return (*[step] * (frames - 1), max(LAST, step))


def chosen(frames: int, most: int) -> list[int]:
    """The numbers of at most `most` frames at equal distances, the last one among them."""
    every = ceil(frames / most)
    return list(range(frames - 1, -1, -every))[::-1]


def columns_of(count: int, width: float, height: float, ratio: float = 1.5) -> int:
    """The number of columns that brings a page of so many frames nearest to a ratio of width to height."""
    return min(
        range(1, count + 1),
        key=lambda columns: (
            abs(log(columns * (width + APART) / (ceil(count / columns) * (height + APART)) / ratio)),
            columns,
        ),
    )


def strip(animation: Animation) -> Scene:
    """All frames in one still drawing, row by row, below the title that they share."""
    frames, head = len(animation.seconds), animation.head
    down_by = animation.height - head + APART
    columns = columns_of(frames, animation.width, animation.height - head)
    items = [item for item in animation.frame(0).items if _bottom(item) <= head]
    boxes: list[Placed] = []
    for number in range(frames):
        right = number % columns * (animation.width + APART)
        down = number // columns * down_by
        items += [moved(item, right, down) for item in animation.frame(number).items if _bottom(item) > head]
        boxes += [
            box._replace(
                name=f"{box.name}, step {number + 1}",
                left=box.left + right,
                right=box.right + right,
                top=box.top + down,
                bottom=box.bottom + down,
            )
            for box in animation.boxes
        ]
    return Scene(
        columns * (animation.width + APART) - APART,
        head + ceil(frames / columns) * down_by - APART,
        animation.title,
        animation.description,
        tuple(items),
        tuple(boxes),
    )


def _bottom(item: Item) -> float:
    """The lowest line of an item; of a text its baseline."""
    if isinstance(item, Rectangle | Picture):
        return item.top + item.height
    if isinstance(item, Text | Circle):
        return item.y
    return max(y for _, y in item.points)
