"""The output size of a window in the lecture's three steps, and the cost of a convolution with it; the same for a
transposed convolution.

>>> size(227, kernel=11, stride=4).output_shape
(55,)
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

from convcalc.errors import ConvcalcError, Misfit, UsageError
from convcalc.layer import solve as convolution
from convcalc.layer import spread as transposition
from convcalc.layer.solutions import AxisSolutions, Solutions
from convcalc.layer.spread import backwards
from convcalc.layer.windows import (
    Extents,
    InputSizes,
    KnownSpread,
    KnownWindow,
    Sides,
    check_choice,
    check_count,
    complete,
    extents,
    joined,
    last_pixels,
    numbers,
    paddings,
    read_sizes,
    typed,
    usage,
    worked,
)
from convcalc.ops import Working, axis_paddings, pixels
from convcalc.ops.conv import Conv
from convcalc.ops.deconv import Deconv, Spread
from convcalc.shapes import AXIS_NAMES, ROUNDINGS, Axis, Shape

LETTERS = {"height": "H", "width": "W", "depth": "Z", "length": "W"}
MAX_COUNT = 10**6  # of filters and channels


class SizeStep(NamedTuple):
    """One step of the working: its name, the formula in the lecture's letters, and the formula with numbers."""

    what: str
    formula: str
    text: str


def steps(axis: Axis, letter: str = "W") -> tuple[SizeStep, ...]:
    """The output size step by step: the kernel alone, then padding, then stride; finally the remainder.

    letter: the lecture's letter for the axis. Raises Misfit if the window does not fit.
    """
    before, after = f"{letter}1", f"{letter}2"
    kernel, extent = "F", axis.extent
    lines = []
    if axis.dilation > 1:
        kernel = "F′"
        lines.append(
            SizeStep("dilated", "F′ = D(F − 1) + 1", f"{axis.dilation}·({axis.kernel} − 1) + 1 = {extent}")
        )
    pad = "2P" if axis.before == axis.after else "P + P′"
    filled = axis_paddings(axis)
    opening, closing = {"ceil": ("⌈", "⌉"), "exact": ("", "")}.get(axis.rounding, ("⌊", "⌋"))
    dropped = " − 1" if axis.drops_last else ""
    return (
        *lines,
        SizeStep(
            "kernel",
            f"{before} − {kernel} + 1",
            f"{axis.size} − {extent} + 1 = {_signed(axis.size - extent + 1)}",
        ),
        SizeStep(
            "padding",
            f"{before} − {kernel} + {pad} + 1",
            f"{axis.size} − {extent} + {filled} + 1 = {_signed(axis.span + 1)}",
        ),
        SizeStep(
            "stride",
            f"{after} = {opening}({before} − {kernel} + {pad})/S{closing} + 1{dropped}",
            worked(axis),
        ),
        SizeStep("remainder", f"({before} − {kernel} + {pad}) mod S", remainder(axis)),
        SizeStep("never covered", "", uncovered(axis)),
    )


def remainder(axis: Axis) -> str:
    """`216 = 54·4 + 0`, and the effect of the remainder."""
    if axis.span < 0:
        return f"the window stands out of the axis by {pixels(-axis.span)}"
    whole, rest = divmod(axis.span, axis.stride)
    text = f"{axis.span} = {whole}·{axis.stride} + {rest}"
    if not rest:
        return text
    if axis.drops_last:
        return f"{text}: one more window would start in the padding, so it is dropped"
    if axis.rounding == "ceil":
        return f"{text}: one more window, standing out by {pixels(axis.stride - rest)}"
    return f"{text}: {last_pixels(rest)} make{'s' * (rest == 1)} no whole step"


def uncovered(axis: Axis) -> str:
    """The input pixels that no window reads."""
    between, trailing = axis.uncovered()
    parts = []
    if trailing:
        parts.append(last_pixels(trailing))
    if between:
        parts.append(f"{pixels(between)} between windows")
    return " and ".join(parts) or "no pixel"


def _signed(number: int) -> str:
    return f"−{-number}" if number < 0 else str(number)


class WindowCost(NamedTuple):
    """The cost of a convolution with this window: worked lines, and counts (biases excluded from MACs)."""

    filters: int
    working: tuple[Working, ...]
    weights: int
    biases: int
    macs: int


def spread_steps(axis: Spread, letter: str = "W") -> tuple[SizeStep, ...]:
    """The output size of a transposed convolution: zeros between the pixels, a kernel at each, the edges cropped,
    pixels added at the end; and the convolution that goes back."""
    before, after = f"{letter}1", f"{letter}2"
    kernel, extent = "F", axis.extent
    lines = []
    if axis.dilation > 1:
        kernel = "F′"
        lines.append(
            SizeStep("dilated", "F′ = D(F − 1) + 1", f"{axis.dilation}·({axis.kernel} − 1) + 1 = {extent}")
        )
    apart = (axis.size - 1) * axis.stride
    pad = "2P" if axis.before == axis.after else "(P + P′)"
    cut = f"2·{axis.before}" if axis.before == axis.after else f"({axis.before} + {axis.after})"
    extra, added = (" + O", f" + {axis.extra}") if axis.extra else ("", "")
    back = backwards(axis)
    same = "=" if back.output == axis.size else ">"  # more if the output padding reaches the stride
    return (
        *lines,
        SizeStep("stride", f"({before} − 1)·S + 1", f"({axis.size} − 1)·{axis.stride} + 1 = {apart + 1}"),
        SizeStep("kernel", f"({before} − 1)·S + {kernel}", f"{apart} + {extent} = {apart + extent}"),
        SizeStep(
            "size",
            f"{after} = ({before} − 1)·S + {kernel} − {pad}{extra}",
            f"{apart} + {extent} − {cut}{added} = {axis.output}",
        ),
        SizeStep("back", f"⌊({after} − {kernel} + {pad})/S⌋ + 1 {same} {before}", worked(back)),
    )


def cost(window: Sequence[Axis | Spread], channels: int, filters: int) -> WindowCost:
    """Weights and MACs of `filters` kernels, each as deep as the input's `channels`."""
    shape = (channels, *(axis.size for axis in window))
    fields: dict[str, Any] = {
        "filters": filters,
        "kernel": tuple(axis.kernel for axis in window),
        "stride": tuple(axis.stride for axis in window),
        "dilation": tuple(axis.dilation for axis in window),
        "padding": tuple((axis.before, axis.after) for axis in window),
    }
    extras = tuple(axis.extra for axis in window if isinstance(axis, Spread))
    roundings = [axis.rounding for axis in window if isinstance(axis, Axis)]
    conv: Conv | Deconv = (
        Conv(**fields, rounding=roundings[0]) if roundings else Deconv(**fields, output_padding=extras)
    )
    lines = tuple(line for line in conv.working((shape,)) if not line.what.startswith("output"))
    return WindowCost(filters, lines, prod(conv.weight_factors((shape,))), filters, conv.macs((shape,)))


class SizedAxis(NamedTuple):
    """A window on one axis of the input, named `height`, `width`, `depth` or `length`; a Spread if transposed."""

    name: str
    window: Axis | Spread

    @property
    def letter(self) -> str:
        """The lecture's letter for the axis: H and W for height and width."""
        return LETTERS[self.name]

    @property
    def drawn(self) -> Axis:
        """The window that a drawing shows: of a transposed convolution, the one over its output."""
        return self.window if isinstance(self.window, Axis) else backwards(self.window)

    def steps(self, letter: str = "") -> tuple[SizeStep, ...]:
        """The working; letter: by default the axis's own."""
        if isinstance(self.window, Axis):
            return steps(self.window, letter or self.letter)
        return spread_steps(self.window, letter or self.letter)


class Sizing(NamedTuple):
    """A worked output size.

    input: as typed; cost: of a convolution, if filters were given; wanted: the expected output size, one number for
    all axes or one per axis.
    """

    axes: tuple[SizedAxis, ...]
    input: InputSizes
    cost: WindowCost | None = None
    wanted: Shape | None = None

    @property
    def transposed(self) -> bool:
        """Whether it is a transposed convolution."""
        return not isinstance(self.axes[0].window, Axis)

    @property
    def input_shape(self) -> Shape:
        """Channels first; no channels if none were given."""
        channels = self.input.channels
        depth = () if channels is None and self.cost is None else (channels or 1,)
        return (*depth, *(axis.window.size for axis in self.axes))

    @property
    def output_shape(self) -> Shape:
        """Channels first; no channels if none were given."""
        channels = self.input_shape[: len(self.input_shape) - len(self.axes)]
        maps = channels if self.cost is None else (self.cost.filters,)
        return (*maps, *(axis.window.output for axis in self.axes))

    @property
    def solved(self) -> bool:
        """Whether the output has the expected size, if one was given."""
        return self.mismatch is None

    @property
    def mismatch(self) -> ConvcalcError | None:
        """The error if the output does not have the expected size."""
        found = tuple(axis.window.output for axis in self.axes)
        if self.wanted is None or found in (self.wanted, self.wanted * len(found)):
            return None
        return ConvcalcError(
            f"the output is {joined(found)}, not {joined(self.wanted)}",
            hint="leave out what may change, such as --padding, and size solves for it",
        )


def size(
    input: Extents | None = None,
    *,
    kernel: Extents | None = None,
    stride: Extents | None = None,
    padding: Sides | None = None,
    dilation: Extents | None = None,
    rounding: str = "floor",
    filters: int | None = None,
    channels: int | None = None,
    output: Extents | None = None,
    solve: str | None = None,
    transposed: bool = False,
    output_padding: Extents | None = None,
) -> Sizing | Solutions:
    """The output size of a window. With `output`, the expected size, the missing quantity is solved for.

    input: 227x227x3 as in the lecture, or 3x227x227; a single number stands for every side. solve: the unknown, by
    default the first of UNKNOWNS that is not given. transposed: of a transposed convolution. Raises UsageError.
    """
    unknowns = transposition.UNKNOWNS if transposed else convolution.UNKNOWNS
    check_choice("--rounding", rounding, ROUNDINGS)
    check_choice("--solve", solve, unknowns)
    if output_padding is not None and not transposed:
        raise UsageError("--output-padding needs --transposed", hint="a convolution has no output padding")
    if rounding != "floor" and transposed:
        raise UsageError("a transposed convolution rounds nothing", hint="leave --rounding out")
    check_count("--filters", filters, MAX_COUNT)
    check_count("--channels", channels, MAX_COUNT)
    sizes = _input(input, channels)
    known = {
        "input": sizes.sides or None,
        "kernel": extents(kernel, "--kernel"),
        "padding": paddings(padding),
        "stride": extents(stride, "--stride"),
        "dilation": extents(dilation, "--dilation"),
    }
    if transposed:
        known["output_padding"] = (
            None if output_padding is None else numbers(output_padding, "--output-padding", minimum=0)
        )
    wanted = None if output is None else _wanted(output)
    if solve is None and wanted is not None:
        solve = next((name for name in unknowns if known[name] is None), None)
    if wanted is None and solve is not None:
        raise UsageError("--solve needs --output, the wanted size", hint="for example --output 55")
    if wanted is not None and filters is not None:
        raise UsageError("--filters counts weights; it does not go with --output")
    for name in ("input", "kernel"):
        if known[name] is None and name != solve:
            raise UsageError(
                f"size needs the {name}",
                hint="convcalc size 227 --kernel 11 --stride 4; or --output 55 and leave one thing out",
            )
    rank = max(len(value) for value in (*known.values(), wanted) if value is not None)
    if rank == 1 and (filters is not None or sizes.channels is not None):
        rank = 2  # the lecture's W1 stands for both sides of a square map
    values = [
        {name: _on_axis(value, axis, rank, name) for name, value in known.items()} for axis in range(rank)
    ]
    axes: list[KnownWindow | KnownSpread] = [
        KnownSpread(**value) if transposed else KnownWindow(**value, rounding=rounding) for value in values
    ]
    names = AXIS_NAMES[rank]
    if wanted is None or solve is None:
        return _sizing(names, axes, sizes, filters, wanted)
    return Solutions(
        solve,
        sizes,
        tuple(
            _answer(name, solve, size, given)
            for name, size, given in zip(names, wanted * (rank if len(wanted) == 1 else 1), axes, strict=True)
        ),
    )


def _wanted(output: Extents) -> tuple[int, ...]:
    """The wanted size. Raises UsageError; of a file name, it says the option for a drawing."""
    try:
        return numbers(output, "--output")
    except UsageError as error:
        stem, dot, suffix = typed(output).rpartition(".")
        if error.hint is None and dot and stem and suffix.isalpha():
            raise UsageError(
                str(error), hint=f"--output is the wanted size; -o {output} draws the layer"
            ) from None
        raise


def _answer(name: str, unknown: str, size: int, given: KnownWindow | KnownSpread) -> AxisSolutions:
    if isinstance(given, KnownSpread):
        return transposition.answer(name, unknown, size, given)
    return convolution.answer(name, unknown, size, given)


def _complete(given: KnownWindow | KnownSpread) -> Axis | Spread:
    return transposition.complete(given) if isinstance(given, KnownSpread) else complete(given)


def _sizing(
    names: Sequence[str],
    known: Sequence[KnownWindow | KnownSpread],
    sizes: InputSizes,
    filters: int | None,
    wanted: Shape | None,
) -> Sizing:
    try:
        windows = [_complete(given) for given in known]
        counts = None if filters is None else cost(windows, sizes.channels or 1, filters)
        for window in windows:
            assert window.output  # raises Misfit if the window does not fit
    except Misfit as misfit:
        raise usage(misfit) from None
    return Sizing(tuple(map(SizedAxis, names, windows)), sizes, counts, wanted)


def _input(given: Extents | None, channels: int | None) -> InputSizes:
    """The sides and the channels of INPUT: three or more numbers include the channels unless --channels is given."""
    if given is None:
        return InputSizes((), channels)
    text = typed(given)
    if len(text) > 1 and text[0].isalpha():
        raise UsageError(
            f"INPUT {text}: size works out one window", hint=f"convcalc show {text} --explain has a network's"
        )
    sizes = numbers(text, "INPUT", most=4)
    if len(sizes) < 3 or (len(sizes) == 3 and channels is not None):
        return InputSizes(sizes, channels)
    if channels is not None:
        raise UsageError(f"INPUT {text} holds its channels; leave --channels out")
    return read_sizes(sizes)


def _on_axis(value: tuple[Any, ...] | None, axis: int, rank: int, name: str) -> Any:
    """The value for one of `rank` axes; a single value serves all."""
    if value is None:
        return None
    if len(value) not in (1, rank):
        raise UsageError(f"{name} has {len(value)} values, but there are {rank} dimensions")
    return value[axis if len(value) > 1 else 0]
