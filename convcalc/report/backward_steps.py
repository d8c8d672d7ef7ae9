"""`apply --backward --steps`: the windows of each gradient's convolution, and where a pool's δ goes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from convcalc.layer.backward import Backward, Move, Pass
from convcalc.layer.steps import Placement
from convcalc.layer.symbols import Notation
from convcalc.ops import Tensor
from convcalc.render import blocks
from convcalc.render.layout import Line, TextSpan, wrap
from convcalc.report.apply import (
    PENDING,
    _letters,
    plane_rows,
)
from convcalc.report.backward_blocks import kernel_blocks, name, source_blocks


def backward_animations(backward: Backward, width: int | None) -> list[Iterator[list[Line]]]:
    """For every pass and gradient the frames of its steps, where steps were asked for."""
    found = []
    for done in backward.passes:
        for key, placements in done.steps.items():
            found.append(_frames(done, key, placements, backward.notation, width))
        if done.moves:
            found.append(_move_frames(done, done.moves, backward.notation, width))
    return found


def _frames(
    done: Pass, key: str, placements: Sequence[Placement], notation: Notation, width: int | None
) -> Iterator[list[Line]]:
    """Per step of a gradient's convolution: what it reads with the window on it, its kernel, and the output so far."""
    by = done.convolutions[key]
    total = len(placements)
    final = [notation(value) for value in by.output.values]
    made = [PENDING] * len(final)
    letters = _letters(by.output)
    widest = max(map(len, final))
    for number, step in enumerate(placements, 1):
        made[number - 1] = final[number - 1]
        rows = plane_rows(Tensor(by.output.shape, made))[step.channel]
        rows = [[cell.ljust(widest) if letters else cell.rjust(widest) for cell in row] for row in rows]
        place = (0, *step.position)[-2:]
        heading = f"gradient of the {name(done, key)}"
        heading += f", {_place(done, key, step.channel)}" if by.output.shape[0] > 1 else ""
        parts = [
            *source_blocks(key, by, notation, step),
            *kernel_blocks(done, key, by, notation, step.channel),
            blocks.matrix(heading, rows, marked={(place[0], place[1])}, left=letters),
        ]
        equation = f"{step.working} = {final[number - 1]}" if step.working else final[number - 1]
        yield _frame(f"gradient of the {name(done, key)}, step {number} of {total}  ", equation, parts, width)


def _frame(label: str, text: str, parts: Sequence[blocks.TextBlock], width: int | None) -> list[Line]:
    first, *others = wrap(text, width and max(20, width - len(label))) or [""]
    return [
        [TextSpan(label, "dim"), TextSpan(first)],
        *([TextSpan(" " * len(label) + part.lstrip())] for part in others),
        *blocks.beside(parts, width),
        [],
    ]


def _place(done: Pass, key: str, index: int) -> str:
    """Which channel of the input, or which filter and channel of the kernel, a map of a convolution's output is."""
    if key == "input":
        return f"channel {index + 1}"
    groups = getattr(done.application.op, "groups", 1)
    filters = done.application.output.shape[0] // groups
    depth = done.application.source.shape[0] // groups
    channel, place = divmod(index, filters)
    return f"filter {channel // depth * filters + place + 1}, channel {channel % depth + 1}"


def _move_frames(
    done: Pass, moves: Sequence[Move], notation: Notation, width: int | None
) -> Iterator[list[Line]]:
    """Per δ of a pool: the input with its window, and the gradient so far."""
    source = done.application.source
    gradient = done.gradients["input"].tensor
    so_far: list[Any] = [0] * len(gradient.values)
    widest = max(len(notation(value)) for value in gradient.values)
    for number, move in enumerate(moves, 1):
        so_far = [before + added for before, added in zip(so_far, move.share.values, strict=True)]
        step = move.placement
        rows = plane_rows(source)[step.channel]
        covered = {(0, *cell)[-2:] for cell in step.covered}
        inside = {(i, j) for i, j in covered if 0 <= i < len(rows) and 0 <= j < len(rows[0])}
        texts = [[notation(value) for value in row] for row in rows]
        shares = plane_rows(move.share)[step.channel]
        hit = {
            (i, j)
            for i, row in enumerate(shares)
            for j, value in enumerate(row)
            if (i, j) in inside and value != 0
        }
        grown = [
            [notation(value).rjust(widest) for value in row]
            for row in plane_rows(Tensor(source.shape, so_far))[step.channel]
        ]
        channel = f", channel {step.channel + 1}" if source.shape[0] > 1 else ""
        parts = [
            blocks.matrix(f"input{channel}", texts, marked=inside),
            blocks.matrix(f"gradient of the input{channel}", grown, marked=hit),
        ]
        text = notation(move.delta)
        if len(hit) == 1:
            i, j = next(iter(hit))
            text += f" goes to the {notation(rows[i][j])}"
        elif hit:
            i, j = min(hit)
            text = f"{notation(shares[i][j])} goes to each of {len(hit)} values"
        yield _frame(f"step {number} of {len(moves)}  ", text, parts, width)
