"""One operator on something one can see: numbers, letters or a picture, run by the operator's own forward.

The lecture's three ways to index a convolution, for a kernel K of m×n and S its result:

    correlation   S[i,j] = Σ I[i+a, j+b]·K[a,b]                 the pixel and its successors; what networks use
    convolution   S[i,j] = Σ I[i−a, j−b]·K[a,b]                 the pixel and its predecessors
    centred       S[i,j] = Σ I[i−a, j−b]·K[⌊m/2⌋+a, ⌊n/2⌋+b]    the kernel is centred on the pixel

In the first two, a counts the kernel's rows from 0. In the third it runs from −⌊m/2⌋ to m − 1 − ⌊m/2⌋, so that each
row of the kernel is read once. The lecture prints K[m/2 + a, n/2 + b] with a from ⌊−m/2⌋ to ⌊m/2⌋: of an odd m the
half is no row, and the lower bound is one too low; of an even m the upper bound is one too high.

The image's index falls while the kernel's rises in convolution and centred: both turn the kernel by 180°, so that an
image of a single 1 gives the kernel itself. They give the same numbers for different pixels; correlation gives those
of the kernel as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import Any

from convcalc import ops
from convcalc.errors import ConvcalcError, UsageError
from convcalc.graph import Node
from convcalc.language import planned
from convcalc.language.load import entry_fields, entry_kind, load_entry
from convcalc.language.synonyms import meaning, suggest
from convcalc.layer.filters import FILTERS
from convcalc.layer.matrices import Matrix
from convcalc.layer.symbols import has_letters
from convcalc.layer.weights import no_weights, weights_of
from convcalc.ops import Operator, Reach, Tensor
from convcalc.ops.conv import Conv
from convcalc.ops.dense import Dense
from convcalc.shapes import Axis, Shape, elements, show

MODES = ("correlation", "convolution", "centred")
TURNING = ("convolution", "centred")  # the modes that turn the kernel by 180°
MAX_WORK = 400_000_000  # multiplications of floats: about ten seconds in the reference forward
MAX_EXACT_WORK = 20_000_000  # of fractions or letters: about a minute
MAX_OUTPUT = 4_000_000  # numbers
MAX_EXACT = 20_000  # integers: with more, means become floats instead of fractions


@dataclass(frozen=True)
class Application:
    """An operator with its input, weights and output.

    filters: the planes of each filter as typed, before a mode turns them. names: the names of named filters.
    """

    op: Operator
    source: Tensor
    weights: Mapping[str, Sequence[Any]]
    output: Tensor
    filters: tuple[Matrix, ...] = ()
    names: tuple[str, ...] = ()
    mode: str = MODES[0]

    @property
    def axes(self) -> tuple[Axis, ...]:
        """The window on each axis; () for an operator without one."""
        return self.op.windows((self.source.shape,))

    @property
    def has_modes(self) -> bool:
        """Whether the indexing modes apply: the operator is a convolution."""
        return isinstance(self.op, Conv)

    @property
    def formula(self) -> str:
        """The sum that a convolution computes in this mode."""
        return formula(self.mode, len(self.source.shape) - 1)

    @property
    def turned(self) -> bool:
        """Whether the mode turns the kernel by 180°."""
        return self.mode in TURNING

    @property
    def along_one_channel(self) -> bool:
        """Whether an operator over channels, such as softmax, was applied to a single channel."""
        shape = self.source.shape
        return len(shape) > 1 and shape[0] == 1 and over_features(self.op, shape)

    def first_pixel(self) -> tuple[int, ...] | None:
        """The pixel that the first output stands for in this mode."""
        if not self.axes:
            return None
        return tuple(_shift(self.mode, axis) - axis.before for axis in self.axes)


def formula(mode: str, rank: int) -> str:
    """The sum over one to three dimensions: `S[i,j] = Σ I[i+a, j+b]·K[a,b]`."""
    places, offsets, sides = (letters[:rank] for letters in ("ijk", "abc", "mno"))
    sign = "−" if mode in TURNING else "+"
    image = ", ".join(f"{place}{sign}{offset}" for place, offset in zip(places, offsets, strict=True))
    kernel = ",".join(offsets)
    if mode == "centred":
        kernel = ", ".join(f"⌊{side}/2⌋+{offset}" for offset, side in zip(offsets, sides, strict=True))
    return f"S[{','.join(places)}] = Σ I[{image}]·K[{kernel}]"


def _shift(mode: str, axis: Axis) -> int:
    """The offset from a window's first pixel to the pixel its result stands for: the place of K[0], or of K[⌊m/2⌋]
    in centred mode."""
    if mode not in TURNING:
        return 0
    return axis.extent - 1 - (axis.dilation * (axis.kernel // 2) if mode == "centred" else 0)


def named_filters(entry: str) -> tuple[str, ...]:
    """The filters that an entry such as `blur` or `blur,sharpen` names; () if it is a spec entry."""
    names = tuple(part.strip() for part in entry.split(","))
    return names if all(name in FILTERS for name in names) else ()


def filter_matrix(name: str) -> Matrix:
    """The kernel of a named filter."""
    return Matrix((FILTERS[name].values,), decimal=False)


def is_operator(text: str) -> bool:
    """Whether a text names an operator or filters, with or without fields."""
    try:
        return bool(named_filters(text)) or entry_kind(text) in ops.names()
    except ConvcalcError:
        return False


def apply(
    entry: str,
    source: Tensor,
    filters: Sequence[Matrix] = (),
    *,
    bias: Sequence[Any] = (),
    mode: str | None = None,
    names: tuple[str, ...] = (),
    fields: Mapping[str, str] | None = None,
    line: bool = False,
    floats: bool = False,
    learned_bias: bool = False,
) -> Application:
    """Run one operator, given as a spec entry, on an input `(C, *spatial)`.

    filters: one per output channel of a convolution, as deep as the input. A single plane serves all channels; that
    of a named filter is divided by their number, to keep the brightness. fields: further fields of the entry, as
    YAML by name. line: the input is one row or column, which operators over features take as a vector. floats:
    compute without fractions. learned_bias: a bias of 0 if none is given. Raises SpecError or UsageError.
    """
    _check_kind(entry)
    if names and len(source.shape) == 2:
        raise UsageError(
            f"{names[0]} is a filter of 3×3, and the input is a single row",
            hint="--weights '1/3 1/3 1/3' filters a row; a ; at its end makes it a matrix",
        )
    if floats and has_letters([*bias, *(value for matrix in filters for value in matrix.values)]):
        raise UsageError(
            "letters go with a matrix; an image needs numbers",
            hint="for example --weights '1/4 1/4; 1/4 1/4'",
        )
    if not floats and len(source.values) <= MAX_EXACT:
        exact = [Fraction(value) if isinstance(value, int) else value for value in source.values]
        source = Tensor(source.shape, exact)
    node, source = _load(entry, source, filters, bool(bias) or learned_bias, fields or {}, line)
    _check_work(node.op, source.shape, node.output_shape, MAX_WORK if floats else MAX_EXACT_WORK)
    if mode is not None and not isinstance(node.op, Conv):
        raise UsageError(f"--mode is for convolutions, not for {node.kind}")
    weights = weights_of(node.op, source.shape, filters, bias, turned=mode in TURNING, shared=bool(names))
    if bias and "bias" not in weights:
        raise UsageError(f"{node.kind} takes no --bias")
    if floats:
        weights = {name: [float(value) for value in values] for name, values in weights.items()}
    try:
        output = node.op.forward([source], weights)
    except TypeError:
        if not has_letters([*source.values, *(value for values in weights.values() for value in values)]):
            raise
        raise UsageError(
            f"{node.kind} cannot work on letters: it must know the numbers themselves",
            hint="conv, avgpool and whatever only adds and multiplies can; give numbers to the others",
        ) from None
    except (OverflowError, ValueError, ZeroDivisionError) as error:
        raise ConvcalcError(f"{node.kind} cannot be computed on these numbers: {error}") from None
    return Application(node.op, source, weights, output, tuple(filters), names, mode or MODES[0])


def _load(
    entry: str, source: Tensor, filters: Sequence[Matrix], bias: bool, fields: Mapping[str, str], line: bool
) -> tuple[Node, Tensor]:
    """The entry's only node, and the input as that node takes it: a line becomes a vector if the operator works
    over features."""
    written, kind = entry_fields(entry), entry_kind(entry)
    operator = ops.get(kind) if kind in ops.names() else None
    if operator is not None and operator.inputs[1] == 0:
        raise UsageError(
            f"{kind} reads no input: there is nothing to apply it to", hint=f"convcalc docs {kind}"
        )
    if not filters and operator is not None and operator.channels_field is not None:
        needed = {field.name for field in operator.fields().values() if field.required}
        if not written >= needed or not written & {operator.channels_field, "depthwise"}:
            raise no_weights(operator.kind)
    for name in fields:
        if name in written:
            raise UsageError(
                f"{name} is written in '{entry}' and given as {_option(name)}", hint="keep one of them"
            )

    def node(shape: Shape) -> Node:
        defaults = _defaults(entry, shape, filters, bias, fields)
        graph = load_entry(entry, shape, defaults)
        if len(graph) != 1:
            raise UsageError(
                "apply takes one operator, not several", hint="convcalc forward runs whole networks"
            )
        return graph.nodes[0]

    vector = Tensor((len(source.values),), source.values)
    try:
        found = node(vector.shape) if line else None
    except ConvcalcError:
        found = None
    if found is not None and over_features(found.op, vector.shape):
        return found, vector
    try:
        return node(source.shape), source
    except ConvcalcError:
        if found is None:
            raise
        return found, vector


def over_features(op: Operator, shape: Shape) -> bool:
    """Whether a result depends on other features, or on other channels at its position: true of softmax."""
    if op.windows((shape,)) or op.regroups:
        return False
    features, *positions = op.reach((shape,))
    return features != Reach(0) and all(reach == Reach(place) for place, reach in enumerate(positions, 1))


def _option(field: str) -> str:
    """The command line option that sets a field."""
    return {"groups": "--per-channel"}.get(field, f"--{field}")


def _check_kind(entry: str) -> None:
    kind = entry_kind(entry)
    if kind is None or kind in ops.names():
        return
    name, _, rest = re.sub(r"[\s:]+", " ", kind.replace("−", "-")).partition(" ")
    hint = f"filters: {', '.join(FILTERS)}; or an entry such as 'maxpool: {{kernel: 2, stride: 2}}'"
    if name in ops.names() and rest:
        hint = f"fields follow a colon: '{name}: {rest}'"
        if rest.startswith("-"):
            hint = f"options stand outside the quotes: convcalc apply {name} {rest} …"
    known = [*FILTERS, *ops.names()]
    absence = planned.layer(kind)
    if absence is not None and meaning(kind, known, "filter", "layer") is None:
        raise UsageError(f"'{kind[:60]}' {absence.message}", hint=absence.hint)
    raise UsageError(
        f"no operator or filter '{kind[:60]}'{suggest(kind, known, 'filter', 'layer')}", hint=hint
    )


def _defaults(
    entry: str, shape: Shape, filters: Sequence[Matrix], bias: bool, fields: Mapping[str, str]
) -> str:
    """The fields that options and weights determine, as `defaults` of a spec."""
    kind = entry_kind(entry)
    if kind in ops.names():
        known = ops.get(kind).fields()
        for name in fields:
            if name not in known:
                hint = f"{kind} has {', '.join(known) or 'no fields of its own'}"
                if name == "groups":
                    hint = "it goes with conv and named filters"
                raise UsageError(f"{_option(name)}: {kind} has no {name}", hint=hint)
    written = {**_fields_of_weights(kind, shape, filters, bias), **fields}
    return (
        f"{kind}: {{{', '.join(f'{name}: {value}' for name, value in written.items())}}}" if written else ""
    )


def _fields_of_weights(
    kind: str | None, shape: Shape, filters: Sequence[Matrix], bias: bool
) -> dict[str, str]:
    """The fields that the weights determine, as YAML by name."""
    if not filters:
        return {}
    operator = ops.get(kind) if kind in ops.names() else None
    if operator is None or operator.channels_field is None:
        raise UsageError(f"{kind} takes no --weights", hint="weights are for conv, deconv and dense")
    if issubclass(operator, Dense):
        return {"units": str(sum(matrix.height for matrix in filters)), "bias": str(bias).lower()}
    sizes = {matrix.spatial for matrix in filters}
    if len(sizes) > 1:
        listed = " and ".join(show(size) for size in sorted(sizes))
        raise UsageError(f"the filters differ in size: {listed}", hint="all filters of a layer have one size")
    kernel = list(sizes.pop())
    if len(kernel) < len(shape) - 1:
        kernel = [1] * (len(shape) - 1 - len(kernel)) + kernel
    return {"filters": str(len(filters)), "kernel": str(kernel), "bias": str(bias).lower()}


def _check_work(op: Operator, shape: Shape, output: Shape, most: int) -> None:
    """Raises UsageError for more than `most` multiplications, or for maps that exhaust memory."""
    axes = op.windows((shape,))
    taps = prod(axis.kernel for axis in axes) or 1
    work = max(op.macs((shape,)), elements(output) * taps)
    around = prod(axis.padded + axis.extent + axis.stride for axis in axes)
    if work > most:
        raise UsageError(
            f"{work:,} multiplications are more than apply does ({most:,})",
            hint="take a smaller input, or --max-size for a picture; convcalc forward runs whole networks",
        )
    if elements(output) > MAX_OUTPUT or around > 16 * MAX_OUTPUT:
        raise UsageError(f"the output {show(output)} or its padding is too large to show")


def per_channel(application: Application, filters: int) -> list[Tensor]:
    """The maps of several filters applied to each channel separately, grouped by filter: one tensor per filter."""
    shape = application.output.shape
    size = elements(shape[1:])
    channels = shape[0] // filters
    values = application.output.values
    maps = [values[index * size : (index + 1) * size] for index in range(shape[0])]
    return [
        Tensor(
            (channels, *shape[1:]),
            [value for channel in range(channels) for value in maps[channel * filters + number]],
        )
        for number in range(filters)
    ]
