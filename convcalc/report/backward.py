"""`apply --backward`: the gradients, each beside the convolution that gives it; its steps; the JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from convcalc.layer.backward import DELTA, IN_TRAINING, Backward, Pass
from convcalc.layer.symbols import Notation
from convcalc.ops import Gradient, Tensor
from convcalc.render import blocks
from convcalc.render.layout import Line, TextSpan, wrap
from convcalc.render.table import Column, Table
from convcalc.report import words
from convcalc.report.apply import (
    _kernels,
    _nested,
    _plain,
    _planes,
    _tensor_value,
    application_value,
    mode_words,
    plane_rows,
    title,
)
from convcalc.report.backward_blocks import (
    delta_blocks,
    drawn,
    kernel_blocks,
    name,
    source_blocks,
    tensor_blocks,
)
from convcalc.report.backward_steps import backward_animations
from convcalc.shapes import Axis, compact, elements


def backward_summary(backward: Backward) -> str:
    """`Backward pass of conv K1 F2: 3×4 → 2×3`."""
    return f"Backward pass of {title(backward.passes[0].application)}"


# -- for people ------------------------------------------------------------------------------------------------


def backward_lines(backward: Backward, width: int | None, *, steps: bool = True) -> Iterator[Line]:
    """The steps, where they were asked for; then every pass, its gradients one under another.

    steps: False where they have been shown.
    """
    for frames in backward_animations(backward, width) if steps else ():
        for frame in frames:
            yield from frame
    for number, done in enumerate(backward.passes):
        if number:
            yield []
        yield from _pass_lines(done, backward, width)


def _pass_lines(done: Pass, backward: Backward, width: int | None) -> Iterator[Line]:
    application, notation = done.application, backward.notation
    yield [TextSpan(f"{title(application)}, backward", "bold")]
    if backward.mode_shown:
        yield from ([TextSpan(part)] for text in mode_words(application) for part in wrap(text, width))
    if done.training:
        yield [TextSpan(IN_TRAINING)]
    yield []
    known = [
        *_planes("input", application.source, notation),
        *_kernels(application, notation),
        *_planes("output", application.output, notation),
        *delta_blocks(done.gradient, notation),
    ]
    yield from drawn(known, [application.source, application.output], width)
    for key, gradient in done.gradients.items():
        yield []
        heading = f"gradient of the {name(done, key)}: {gradient.how}"
        yield from ([TextSpan(part, "bold")] for part in wrap(heading, width))
        yield from ([TextSpan(part)] for part in wrap(_detail(key, gradient), width) if part)
        by = done.convolutions.get(key)
        shown = [gradient.tensor]
        parts: list[blocks.TextBlock] = []
        if by is not None:
            parts = [*source_blocks(key, by, notation), *kernel_blocks(done, key, by, notation)]
            shown.append(by.source)
        parts += tensor_blocks(f"gradient of the {name(done, key)}", key, gradient.tensor, notation)
        if len(parts) == 1 and (width is None or parts[0].width <= width):  # the heading has said it
            yield from parts[0].lines
        else:
            yield from drawn(parts, shown, width)
    for key, tensor in done.updated.items():
        yield []
        what = name(done, key)
        rate = notation(backward.rate)
        factor = f"({rate})" if rate.startswith("−") else rate
        yield [TextSpan(f"new {what} at rate {rate}: {what} − {factor} · its gradient", "bold")]
        yield from drawn(tensor_blocks(f"new {what}", key, tensor, notation), [tensor], width)


def _detail(key: str, gradient: Gradient) -> str:
    """`δ padded by 1 on every side, 1 zero between its values`."""
    if gradient.by is None:
        return ""
    axes = gradient.by.axes
    what = DELTA if key == "input" else "the input"
    parts = [f"{what} padded by {_padding(axes)}"] if any(axis.before or axis.after for axis in axes) else []
    if any(gradient.by.between):
        zeros = _each([words.plural(count, "zero") for count in gradient.by.between])
        parts.append(f"{zeros} between its values, for the stride")
    if any(axis.stride > 1 for axis in axes):
        parts.append(f"moved by {_each([str(axis.stride) for axis in axes])}, for the dilation")
    if any(axis.dilation > 1 for axis in axes):
        spread = _each([str(axis.dilation) for axis in axes])
        parts.append(
            f"the kernel's values {spread} apart"
            if key == "input"
            else f"δ's values {spread} apart, for the stride"
        )
    return ", ".join(parts)


def _padding(axes: Sequence[Axis]) -> str:
    pairs = {(axis.before, axis.after) for axis in axes}
    before, after = next(iter(pairs))
    if len(pairs) == 1 and before == after:
        return f"{before} on every side"
    return " and ".join(f"{axis.before} + {axis.after}" for axis in axes)


def _each(texts: Sequence[str]) -> str:
    return texts[0] if len(set(texts)) == 1 else "×".join(texts)


# -- for programs and documents --------------------------------------------------------------------------------


def backward_tables(backward: Backward) -> list[Table]:
    """A table for each gradient and each new parameter: a row per row, a column per column."""
    tables = []
    for done in backward.passes:
        mode = f"{done.application.mode}: " if backward.mode_shown else ""
        for key, gradient in done.gradients.items():
            text = f"{mode}gradient of the {name(done, key)}: {gradient.how}"
            tables.append(tensor_table(text, gradient.tensor, backward.notation))
        for key, tensor in done.updated.items():
            text = f"{mode}new {name(done, key)} at rate {backward.notation(backward.rate)}"
            tables.append(tensor_table(text, tensor, backward.notation))
    return tables


def tensor_table(text: str, tensor: Tensor, notation: Notation) -> Table:
    """A row per row of a gradient; of several planes, each row with the number of its plane."""
    lead = tensor.shape[: max(0, len(tensor.shape) - 2)]
    flat = Tensor((1, *tensor.shape), tensor.values) if len(tensor.shape) == 2 else tensor
    if len(tensor.shape) > 3:
        flat = Tensor((elements(tensor.shape[:-2]), *tensor.shape[-2:]), tensor.values)
    planes = plane_rows(flat)
    rows = [(index, values) for index, plane in enumerate(planes, 1) for values in plane]
    columns = [Column("map", "map", lambda row: row[0])] if elements(lead) > 1 else []

    def column(place: int) -> Column:
        return Column(str(place), str(place + 1), lambda row: notation(row[1][place]), right=True)

    columns += map(column, range(len(planes[0][0])))
    return Table(columns=columns, rows=rows, title=text)


def backward_csv(backward: Backward) -> str:
    """A line per number: what it is, its place counted from 1, its value."""
    lines = ["mode,gradient,place,value" if backward.mode_shown else "gradient,place,value"]
    for done in backward.passes:
        mode = f"{done.application.mode}," if backward.mode_shown else ""
        tensors = {key: gradient.tensor for key, gradient in done.gradients.items()}
        tensors |= {f"new {key}": tensor for key, tensor in done.updated.items()}
        for key, tensor in tensors.items():
            lines += [mode + line for line in tensor_csv(key, tensor, backward.notation)]
    return "\n".join(lines) + "\n"


def tensor_csv(key: str, tensor: Tensor, notation: Notation) -> Iterator[str]:
    """`weight,1.1.2.1,3/2`: a line per number."""
    for number, value in enumerate(tensor.values):
        yield f"{key},{_index(tensor.shape, number)},{notation.typed(value)}"


def _index(shape: Sequence[int], number: int) -> str:
    """`1.2.3` of a flat number: the place on each axis, counted from 1."""
    places = []
    for size in reversed(shape):
        number, place = divmod(number, size)
        places.append(str(place + 1))
    return ".".join(reversed(places))


def backward_value(backward: Backward) -> dict[str, Any]:
    """`apply --backward --format json`: of one mode, or of all three."""
    values = [_pass_value(done, backward) for done in backward.passes]
    return values[0] if len(values) == 1 else {"modes": values}


def _pass_value(done: Pass, backward: Backward) -> dict[str, Any]:
    notation = backward.notation
    value = {
        **application_value(done.application, notation),
        "training": done.training,
        "gradient": _tensor_value(done.gradient, notation),
        "gradients": {
            key: {**_tensor_value(gradient.tensor, notation), "as": as_value(gradient)}
            for key, gradient in done.gradients.items()
        },
        "rate": None if backward.rate is None else _plain(backward.rate),
        "updated": {key: _tensor_value(tensor, notation) for key, tensor in done.updated.items()} or None,
    }
    if done.steps:
        value["steps"] = [
            {
                "gradient": key,
                "channel": step.channel,
                "position": list(step.position),
                "covered": [list(cell) for cell in step.covered],
                "working": step.working or notation(step.value),
                "value": _plain(step.value),
            }
            for key, placements in done.steps.items()
            for step in placements
        ]
    if done.moves:
        value["steps"] = [
            {
                "gradient": "input",
                "channel": move.placement.channel,
                "position": list(move.placement.position),
                "covered": [list(cell) for cell in move.placement.covered],
                "working": notation(move.delta),
                "value": _nested(move.share.shape, [_plain(number) for number in move.share.values]),
            }
            for move in done.moves
        ]
    return value


def as_value(gradient: Gradient) -> dict[str, Any] | None:
    """The convolution that a gradient is; None where it is none. padding: pixels before and after each axis."""
    by = gradient.by
    if by is None:
        return None
    axes = by.axes
    return {
        "operation": gradient.how,
        "turned": "turned" in gradient.how,
        "stride": compact(tuple(axis.stride for axis in axes)),
        "padding": [[axis.before, axis.after] for axis in axes],
        "dilation": compact(tuple(axis.dilation for axis in axes)),
        "zeros_between": compact(by.between) if by.between else 0,
    }


def backward_file(backward: Backward, path: str) -> bytes:
    """`-o FILE.csv`: a line per number. Raises UsageError for another name."""
    from convcalc.errors import UsageError

    if not path.lower().endswith(".csv"):
        raise UsageError(f"-o {path}: gradients are written as .csv", hint="or print them with --format json")
    return backward_csv(backward).encode()
