"""Backpropagation by hand through one small layer: the gradient of a kernel, a bias, an input."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from convcalc.exercises.question import Chance, Mistake, Numbers, distinct
from convcalc.ops import Tensor
from convcalc.ops.conv import Conv
from convcalc.ops.maxpool import Maxpool


def draw(level: int, chance: Chance) -> dict[str, Any]:
    """A gradient of a convolution. Level 1: of the bias or the kernel; 2: of the kernel; 3: of the input; 4: of the
    kernel with a stride, or of a max pool's input."""
    if level == 4 and chance.pick((True, False)):
        return _pool(chance)
    stride = 2 if level == 4 else 1
    height, width = (3, 4) if level > 1 else (3, 3)
    if level == 4:
        height, width = 4, 5
    source = _matrix(chance, height, width, -2, 4)
    kernel = _matrix(chance, 2, 2, -2, 3)
    conv = Conv(filters=1, kernel=2, stride=stride)
    output = conv.output_shape(((1, height, width),))
    delta = _matrix(chance, output[1], output[2], -2, 3)
    asked = {1: chance.pick(("bias", "weight")), 2: "weight", 3: "input", 4: "weight"}[level]
    found = conv.backward([_tensor(source)], {"weight": _tensor(kernel).values, "bias": [0]}, _tensor(delta))
    what = {"bias": "the bias", "weight": "the kernel", "input": "the input"}[asked]
    strided = f" with stride {stride}" if stride > 1 else ""
    text = (
        f"The kernel {_typed(kernel)} runs over the input {_typed(source)}{strided}, as a correlation. The gradient of "
        f"the output is δ = {_typed(delta)}. What is the gradient of {what}?"
    )
    if asked == "bias":
        total = int(sum(value for row in delta for value in row))
        terms = " + ".join(_written(value) for row in delta for value in row).replace("+ −", "− ")
        count = Mistake(_count(delta), "this is the number of positions; δ is summed")
        return {
            "text": text,
            "answer": total,
            "working": f"the sum of δ: {terms} = {_written(total)}",
            "hint": "the bias is added at every position: its gradient is the sum of δ",
            "mistakes": distinct(total, iter([count])),
        }
    answer = _rows(found[asked].tensor)
    how = {
        "weight": "the correlation of the input with δ: "
        + ("each weight sums δ times what it read, " if stride > 1 else "δ laid on the input as a kernel, "),
        "input": "δ padded by 1 on every side, and the kernel turned by 180° run over it, ",
    }[asked]
    return {
        "text": text,
        "answer": answer,
        "working": f"{how}= {_typed(answer)}",
        "hint": {
            "weight": "a weight's gradient sums, over all positions, δ times the pixel that the weight read there",
            "input": "a pixel's gradient sums, over the positions that read it, δ times the weight it met there",
        }[asked],
        "mistakes": distinct(answer, _mistakes(asked, source, kernel, delta, answer)),
    }


def _pool(chance: Chance) -> dict[str, Any]:
    numbers = [*range(1, 10), 11, 12, 15]
    values = [numbers.pop(chance.between(0, len(numbers) - 1)) for _ in range(8)]
    source: Numbers = (tuple(values[:4]), tuple(values[4:]))
    delta = _matrix(chance, 1, 2, 1, 9)
    pool = Maxpool(kernel=2, stride=2)
    answer = _rows(pool.backward([_tensor(source)], {}, _tensor(delta))["input"].tensor)
    spread = tuple(tuple(delta[0][place // 2] for place in range(4)) for _ in range(2))
    return {
        "text": f"A max pool of 2×2 with stride 2 reads {_typed(source)}. The gradient of its output is "
        f"δ = {_typed(delta)}. What is the gradient of the input?",
        "answer": answer,
        "working": f"each δ goes to the largest value of its window, = {_typed(answer)}",
        "hint": "only the largest value of a window changes the output",
        "mistakes": distinct(
            answer, iter([Mistake(spread, "only the largest value of a window gets δ, the others get 0")])
        ),
    }


def _mistakes(
    asked: str, source: Numbers, kernel: Numbers, delta: Numbers, answer: Numbers
) -> Iterator[Mistake]:
    if asked == "input":
        wrong = Conv(filters=1, kernel=2, padding=1, bias=False).forward(
            [_tensor(delta)], {"weight": _tensor(kernel).values}
        )
        yield Mistake(
            _rows(wrong), "the kernel is not turned: δ passes each weight on to the pixel that it read"
        )
        kept = Conv(filters=1, kernel=2, bias=False).forward
        turned = _tensor(kernel).values[::-1]
        if len(delta) > 1 and len(delta[0]) > 1:
            yield Mistake(
                _rows(kept([_tensor(delta)], {"weight": turned})),
                "δ is not padded: the input is the larger one",
            )
    else:
        yield Mistake(_turned(answer), "this is turned by 180°: a correlation's kernel is not")
        yield Mistake(_turned_gradient(source, delta), "δ is not turned for the kernel's gradient")
    yield Mistake(tuple(tuple(-value for value in row) for row in answer), "the sign is the other way round")


def _turned_gradient(source: Numbers, delta: Numbers) -> Numbers:
    conv = Conv(filters=1, kernel=(len(delta), len(delta[0])), bias=False)
    if len(delta) > len(source) or len(delta[0]) > len(source[0]):
        return ()
    return _rows(conv.forward([_tensor(source)], {"weight": _tensor(delta).values[::-1]}))


def _turned(rows: Numbers) -> Numbers:
    return tuple(row[::-1] for row in rows[::-1])


def _matrix(chance: Chance, height: int, width: int, low: int, high: int) -> Numbers:
    return tuple(tuple(chance.between(low, high) for _ in range(width)) for _ in range(height))


def _tensor(rows: Numbers) -> Tensor:
    return Tensor((1, len(rows), len(rows[0])), [value for row in rows for value in row])


def _rows(tensor: Tensor) -> Numbers:
    width = tensor.shape[-1]
    return tuple(tuple(tensor.values[i : i + width]) for i in range(0, len(tensor.values), width))


def _typed(rows: Sequence[Sequence[Any]]) -> str:
    """`1 −2; 3 4`, with its size in front where it is a single row."""
    return "[" + "; ".join(" ".join(map(_written, row)) for row in rows) + "]"


def _written(value: Any) -> str:
    return str(value).replace("-", "−")


def _count(rows: Numbers) -> int:
    return len(rows) * len(rows[0])
