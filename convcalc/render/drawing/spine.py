"""The longest path of a network, and what leads past it: the skips of a U-Net, copied or through a layer of their
own."""

from __future__ import annotations

from typing import NamedTuple

from convcalc.analysis.boxes import Box, Boxes

MAX_SKIPS = 12  # more are a tangle in a row of volumes


class Skip(NamedTuple):
    """A connection past the longest path, from one key to another, through the boxes between them."""

    source: int
    target: int
    through: tuple[Box, ...] = ()


class Spine(NamedTuple):
    """The boxes of the longest path from the input to the output, and the skips beside it."""

    boxes: tuple[Box, ...]
    skips: tuple[Skip, ...] = ()


def spine(boxes: Boxes) -> Spine | str:
    """The longest path from the only input to the only output, if all else are skips beside it; otherwise the reason
    why not, as a sentence."""
    inputs = [box for box in boxes.boxes if box.kind == "input"]
    if len(inputs) != 1:
        return f"{boxes.name:.60} has {len(inputs)} inputs"
    last = len(boxes.boxes) - 1
    if len(boxes.outputs) > 1:
        return f"{boxes.name:.60} has {len(boxes.outputs)} outputs"
    if any(key != last for _, key in boxes.outputs):
        return f"{boxes.name:.60} does not end with its output"
    path = _longest_path(boxes)
    if isinstance(path, str):
        return path
    inside = set(path)
    readers: dict[int, list[int]] = {box.key: [] for box in boxes.boxes}
    for box in boxes.boxes:
        for source in box.inputs:
            readers[source].append(box.key)
    skips: list[Skip] = []
    for before, key in zip((-1, *path), path, strict=False):
        for source in boxes.boxes[key].inputs:
            if source == before:
                continue
            through: list[Box] = []
            while source not in inside:
                box = boxes.boxes[source]
                if len(box.inputs) != 1 or len(readers[source]) != 1:
                    return f"beside the longest path, {box.name:.60} branches or joins"
                through.insert(0, box)
                source = box.inputs[0]
            skips.append(Skip(source, key, tuple(through)))
    if len(skips) > MAX_SKIPS:
        return f"{len(skips)} connections skip layers"
    beside = sum(len(skip.through) for skip in skips)
    if len(path) + beside < len(boxes.boxes):
        return f"{boxes.name:.60} has layers that lead to no output"
    return Spine(tuple([boxes.boxes[key] for key in path]), tuple(sorted(skips, key=lambda skip: skip[:2])))


def _longest_path(boxes: Boxes) -> list[int] | str:
    """The keys from the input to the last box along the most boxes."""
    lengths: list[int] = []
    via: list[int] = []
    for box in boxes.boxes:
        best = max(box.inputs, key=lambda key: lengths[key], default=-1)
        if best < 0 and box.key:
            return f"{box.name:.60} reads no layer"
        lengths.append(lengths[best] + 1 if best >= 0 else 0)
        via.append(best)
    path = [len(boxes.boxes) - 1]
    while via[path[-1]] >= 0:
        path.append(via[path[-1]])
    return path[::-1]
