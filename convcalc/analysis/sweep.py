"""Figures of a network over a grid of settings and input sizes, and the largest setting that keeps within limits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from itertools import product
from math import prod
from typing import NamedTuple

from convcalc.analysis.analyse import DTYPES, peak_elements
from convcalc.errors import ConvcalcError, UsageError
from convcalc.graph import MAX_LAYERS, Graph
from convcalc.language.load import Loader, parse_input
from convcalc.processes import forked, processors
from convcalc.shapes import Shape

MAX_POINTS = 1_000_000
PARALLEL = 100  # points from which processes share the work
CHUNK = 25  # points that a process takes at a time
INPUT = "input"
LIMITS = ("params", "macs", "peak_activation_bytes")


class Figures(NamedTuple):
    """The figures of a point, for one image; the peak in bytes of the number type."""

    params: int
    macs: int
    peak_activation_bytes: int


class Point(NamedTuple):
    """A point of the grid: settings as text by variable; input: the shape, or the text where it could not be read.
    error: why there are no figures, or None."""

    settings: Mapping[str, str]
    input: Shape | str
    figures: Figures | None
    error: str | None


class Range(NamedTuple):
    """Evenly spaced values `low..high:step` of a variable, or of the input's size."""

    variable: str
    values: tuple[str, ...]


class Limit(NamedTuple):
    """An upper limit of a quantity, one of LIMITS."""

    quantity: str
    most: int

    def holds(self, figures: Figures) -> bool:
        """Whether the figures keep within it."""
        return int(getattr(figures, self.quantity)) <= self.most


class Solution(NamedTuple):
    """The largest value of the variable that keeps within the limits; value and figures are None if none does."""

    variable: str
    value: str | None
    condition: str
    figures: Figures | None


class Grid(NamedTuple):
    """The points asked for of a spec. variables: names in order; points: settings and input, as text, of each."""

    loader: Loader
    variables: tuple[str, ...]
    points: tuple[tuple[Mapping[str, str], str | None], ...]
    dtype: str = "float32"


def grid(
    arch: str | Loader,
    settings: Mapping[str, Sequence[str]],
    inputs: Sequence[str],
    *,
    dtype: str = "float32",
    max_layers: int = MAX_LAYERS,
) -> Grid:
    """Every combination of the settings' values and the inputs, the last varying fastest. Raises UsageError for more
    than MAX_POINTS, SpecError if the spec cannot be read."""
    count = prod(map(len, settings.values())) * max(1, len(inputs))
    if count > MAX_POINTS:
        raise UsageError(
            f"{count:,} points are more than a sweep takes ({MAX_POINTS:,})", hint="take fewer values"
        )
    points = [
        (dict(zip(settings, values, strict=True)), size)
        for values in product(*settings.values())
        for size in (inputs or (None,))
    ]
    return Grid(opened(arch, max_layers), tuple(settings), tuple(points), dtype)


def opened(arch: str | Loader, max_layers: int = MAX_LAYERS) -> Loader:
    """The spec of ARCH, read once. Raises SpecError."""
    return arch if isinstance(arch, Loader) else Loader(arch, max_layers)


def parts(text: str) -> tuple[str, ...]:
    """The values of a list such as `0.25,0.5,1`; commas inside brackets do not separate. Raises UsageError."""
    found, depth, start = [], 0, 0
    for place, letter in enumerate(text):
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and not depth:
            found.append(text[start:place].strip())
            start = place + 1
    found.append(text[start:].strip())
    if not all(found):
        raise UsageError(f"{text}: a value is empty", hint="separate values by single commas: 0.25,0.5,1")
    return tuple(found)


def spaced(text: str) -> Range:
    """The values of `width=0.1..2:0.01`, exact decimals; without a step whole numbers. Raises UsageError."""
    name, _, interval = (part.strip() for part in text.partition("="))
    ends, _, step_text = interval.partition(":")
    try:
        low, high = (Decimal(end.strip()) for end in ends.split(".."))
        step = Decimal(step_text.strip() or "1")
        finite = all(number.is_finite() for number in (low, high, step))
    except (InvalidOperation, ValueError):
        finite = False
    if not name or not finite or step <= 0 or high < low:
        raise UsageError(
            f"{text}: needs a variable and its range", hint="such as width=0.1..2:0.01 or input=96..512:32"
        )
    count = int((high - low) / step) + 1
    if count > MAX_POINTS:
        raise UsageError(f"{text}: {count:,} values are more than a sweep takes ({MAX_POINTS:,})")
    return Range(name, tuple([_plain(low + step * place) for place in range(count)]))


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def swept(asked: Grid, *, processes: int | None = None) -> Iterator[Point]:
    """The points in order, each as soon as it and those before it are done. Errors of a point are part of it.

    The spec is read once. processes: how many share a large grid, by default as many as processors. Raises SpecError if
    the spec cannot be read, UsageError if it has no such variable.
    """
    loader = asked.loader
    loader.check(name for name in asked.variables if name != INPUT)

    def evaluate(place: int) -> Point:
        return evaluated(loader, *asked.points[place], asked.dtype)

    def evaluate_chunk(places: range) -> list[Point]:
        return [evaluate(place) for place in places]

    count = len(asked.points)
    chunks = [range(first, min(first + CHUNK, count)) for first in range(0, count, CHUNK)]
    workers = 1 if count < PARALLEL else min(processes or processors(), len(chunks))
    with forked(workers, evaluate_chunk, hint="run it again, over fewer points") as spread:
        if spread is None:
            yield from map(evaluate, range(count))
            return
        for points in spread(chunks):
            yield from points


def evaluated(loader: Loader, settings: Mapping[str, str], size: str | None, dtype: str) -> Point:
    """The figures with these settings and this input, or the error."""
    try:
        graph = loader.load(settings, size)
    except ConvcalcError as error:
        return Point(settings, size or "", None, _first_line(error))
    return Point(settings, graph.input_shape, figures(graph, DTYPES[dtype]), None)


def figures(graph: Graph, unit: int = 4) -> Figures:
    """A network's figures without its receptive fields. unit: bytes of a number."""
    return Figures(graph.params, graph.macs, peak_elements(graph) * unit)


def _first_line(error: ConvcalcError) -> str:
    return str(error).splitlines()[0]


def solve(
    arch: str | Loader,
    span: Range,
    limits: Sequence[Limit],
    settings: Mapping[str, str],
    input_text: str | None = None,
    *,
    dtype: str = "float32",
    max_layers: int = MAX_LAYERS,
    advance: Callable[[int, int], None] | None = None,
) -> tuple[tuple[Point, ...], Solution]:
    """Every value of the range, and the largest that keeps within the limits. Raises UsageError without limits."""
    if not limits:
        raise UsageError("--solve needs a limit", hint="such as --at-most macs=300M")
    points = [
        (dict(settings), value)
        if span.variable == INPUT
        else ({**settings, span.variable: value}, input_text)
        for value in span.values
    ]
    asked = Grid(opened(arch, max_layers), (*settings, span.variable), tuple(points), dtype)
    found = []
    for point in swept(asked):
        found.append(point)
        if advance is not None:
            advance(len(found), len(points))
    condition = ", ".join(f"{limit.quantity} at most {limit.most:,}" for limit in limits)
    for value, point in zip(reversed(span.values), reversed(found), strict=True):
        if point.figures is not None and all(limit.holds(point.figures) for limit in limits):
            return tuple(found), Solution(span.variable, value, condition, point.figures)
    return tuple(found), Solution(span.variable, None, condition, None)


def limits_of(texts: Iterable[tuple[str, int]]) -> tuple[Limit, ...]:
    """Limits by quantity; `memory` is the peak of activations. Raises UsageError for another quantity."""
    found = []
    for name, most in texts:
        quantity = {"memory": "peak_activation_bytes", "parameters": "params"}.get(name, name)
        if quantity not in LIMITS:
            raise UsageError(f"no quantity {name!r} to limit", hint="limits are params, macs and memory")
        found.append(Limit(quantity, most))
    return tuple(found)


def check_input(text: str) -> None:
    """Raise UsageError unless the text is a size such as 224 or 3x224x224."""
    parse_input(text, (1, 1, 1))
