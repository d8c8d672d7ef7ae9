"""Receptive fields by formula: one size, stride and start per layer and axis, through branches.

What single units see, the clipping at borders included, is in regions.py.

Behind a deconvolution or upsampling, units see windows that differ from one to the next, and repeat: every
`period` units the same again, `step` pixels further. So a field is the first and last pixel of each unit of one
period; everywhere else the period is 1 and these are the usual start and size.

Behind a join of branches that move at different strides, or along different dimensions of the output, a unit sees
what several such fields hold together: its `AxisField`. No single size and stride say that, so none is reported.

A unit is all places together of the dimensions that no field moves along, the channels as a rule. A concatenation
puts branches beside one another there; where its dimension becomes one that a field moves along (a transposed map
added to the map itself), a unit is a single place of it and sees what that branch saw. That is not followed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from math import ceil, gcd, lcm
from typing import NamedTuple

from convcalc.graph import INPUT, Graph, Node
from convcalc.ops import SCATTERED, WHOLE, Reach
from convcalc.shapes import Shape

Number = int | Fraction
MAX_PERIOD = (
    1024  # units that differ before they repeat; beyond it (upsampling by over a thousand) none are told
)
MAX_FIELDS = 8  # that a unit sees together on one axis; beyond it they are not followed


class Field(NamedTuple):
    """A receptive field on one axis of the network's input, before clipping to the image.

    Unit u = q·period + r of output dimension `output_axis` sees the pixels lows[r] + q·step … highs[r] + q·step; the
    step is negative behind a slice that goes backwards.
    output_axis None: no output dimension walks this axis, every unit sees the same (step 0).
    spread: units see different parts that no step describes (a flattened map); lows and highs then hold the union.
    """

    lows: tuple[int, ...]
    highs: tuple[int, ...]
    step: int
    output_axis: int | None
    spread: bool = False

    @property
    def period(self) -> int:
        """How many units until the pattern repeats."""
        return len(self.lows)

    @property
    def size(self) -> int:
        """The most pixels a unit sees."""
        return max(self._sizes)

    @property
    def smallest(self) -> int:
        """The fewest pixels a unit sees."""
        return min(self._sizes)

    @property
    def _sizes(self) -> list[int]:
        return [high - low + 1 for low, high in zip(self.lows, self.highs, strict=True)]

    @property
    def stride(self) -> Number:
        """Pixels from one unit to the next, on average: a Fraction where several units see the same."""
        return plain(Fraction(self.step, self.period))

    def first(self, unit: int) -> int:
        """The first pixel that a unit sees."""
        turn, phase = divmod(unit, self.period)
        return self.lows[phase] + turn * self.step

    def last(self, unit: int) -> int:
        """The last one."""
        turn, phase = divmod(unit, self.period)
        return self.highs[phase] + turn * self.step

    def hull(self, low: int, high: int) -> tuple[int, int]:
        """The first and last pixel that the units from `low` to `high` see together."""
        if self.step < 0:
            low, high = high, low
        return self.first(low), self.last(high)


AxisField = tuple[Field, ...]  # what a unit sees on one axis is the hull of these; of none: it is not known
UNKNOWN: AxisField = ()
Track = tuple[AxisField, ...]  # one per spatial axis of an input; a vector has none
Parts = tuple[
    frozenset[int], ...
]  # per axis, the dimensions of an output along which branches stand beside one another


class ReceptiveField(NamedTuple):
    """Per spatial axis of the input: size and stride in pixels, start of output unit 0 (negative: in the padding).

    A size is the most that a unit sees, smallest the least; they differ where units see windows of different sizes,
    behind a deconvolution or upsampling. Strides are exact: a Fraction where several units see the same.
    """

    size: tuple[int, ...]
    stride: tuple[Number, ...]
    start: tuple[int, ...]
    smallest: tuple[int, ...]

    @property
    def varies(self) -> bool:
        """Whether units see windows of different sizes, apart from clipping at the borders."""
        return self.smallest != self.size


def receptive_fields(graph: Graph, origin: int = INPUT) -> tuple[list[Track | None], list[str]]:
    """Per node, one AxisField per spatial axis of the network's input `origin`, None where nothing of that input
    reaches the node; and warnings where branches disagree and where no single field can be told any more."""
    source = of_input(graph, origin)
    tracks: list[Track | None] = []
    parted: dict[int, Parts] = {}
    warnings: list[str] = []
    image = graph.shape(origin)
    for node in graph:
        positions: Sequence[int] = (0,)
        if len(node.inputs) == 1:
            index = node.inputs[0]
            track = tracks[index] if index >= 0 else source if index == origin else None
            if track is None or node.op.keeps_positions(node.input_shapes):
                tracks.append(track)
                if index in parted:
                    parted[node.index] = parted[index]
                continue
            before = [track]
        else:
            reached = [
                (position, source if index == origin else tracks[index])
                for position, index in enumerate(node.inputs)
                if index >= 0 or index == origin
            ]
            positions = [position for position, track in reached if track is not None]
            before = [track for _, track in reached if track is not None]
            if not before:
                tracks.append(None)
                continue
        several = len(before) > 1
        walked = [
            _through(node, position, track, several=several)
            for position, track in zip(positions, before, strict=True)
        ]
        after = walked[0]
        if len(walked) > 1:
            after = tuple([union(branches) for branches in zip(*walked, strict=True)])
        if parts := _parts(node, positions, walked, parted):
            parted[node.index] = parts
            after = _told_apart(after, parts)
        tracks.append(after)
        if (len(before) > 1 or any(len(track) != 1 for track in after)) and (
            text := _warning(image, node, [node.input_shapes[p] for p in positions], before, walked, after)
        ):
            warnings.append(f"{node.name}: {text}")
    return tracks, warnings


def of_input(graph: Graph, origin: int = INPUT) -> Track:
    """What the pixels of an input see: themselves."""
    return tuple([(Field((0,), (0,), 1, axis),) for axis in range(1, len(graph.shape(origin)))])


def _through(
    node: Node, position: int, before: tuple[AxisField, ...], *, several: bool
) -> tuple[AxisField, ...]:
    """The fields after an operator, seen through its input number `position`; several: whether others see too."""
    shape = node.input_shapes[position]
    walks = node.op.reach(node.input_shapes, position)
    result = []
    for track in before:
        after = []
        for field in track:
            if field.output_axis is None:
                # a flattened map: what collapses its one dimension sees the union of all its units
                collapsed = field.spread and all(walk == WHOLE for walk in walks)
                after.append(field._replace(spread=False) if collapsed else field)
                continue
            walk = walks[field.output_axis]
            if not isinstance(walk, Reach):
                count = shape[field.output_axis]
                low, high = field.hull(0, count - 1)
                after.append(Field((low,), (high,), 0, None, walk == SCATTERED and count > 1))
                continue
            behind = _walked(field, walk)
            beside = several and node.output_shape[walk.out] != shape[field.output_axis]
            if (
                behind is None or beside
            ):  # one branch's units stand beside another's, they do not see together
                after = []
                break
            after.append(behind)
        result.append(tuple(after) if len(after) < 2 else _combined(after))
    return tuple(result)


def _parts(
    node: Node, positions: Sequence[int], walked: Sequence[Track], parted: Mapping[int, Parts]
) -> Parts:
    """The dimensions of a node's output whose places see different fields, per axis; () where there are none.

    walked: the fields seen through the inputs at `positions`; parted: the same of the nodes before.
    """
    several = len(walked) > 1 and any(track != walked[0] for track in walked)
    if not several and not any(node.inputs[position] in parted for position in positions):
        return ()
    parts: list[set[int]] = [set() for _ in walked[0]]
    for position in positions:
        carried = parted.get(node.inputs[position])
        shape = node.input_shapes[position]
        for dimension, walk in enumerate(node.op.reach(node.input_shapes, position)):
            if walk == WHOLE:
                continue
            places = {walk.out} if isinstance(walk, Reach) else set(range(len(node.output_shape)))
            beside = isinstance(walk, Reach) and node.output_shape[walk.out] != shape[dimension]
            for axis, found in enumerate(parts):
                if (several and beside and len({track[axis] for track in walked}) > 1) or (
                    carried and dimension in carried[axis]
                ):
                    found |= places
    return tuple(map(frozenset, parts)) if any(parts) else ()


def _told_apart(track: Track, parts: Parts) -> Track:
    """A track without the axes on which a unit is a single place of a dimension whose places see different fields."""
    moving = {field.output_axis for fields in track for field in fields}
    return tuple(
        [fields if moving.isdisjoint(axis) else UNKNOWN for fields, axis in zip(track, parts, strict=True)]
    )


def _walked(field: Field, walk: Reach) -> Field | None:
    """The field behind a window: output unit v sees what the units it reads see together. None where more units
    than MAX_PERIOD see different windows."""
    if type(walk.stride) is int and field.period == 1 and walk.block == 1:
        low, high = field.hull(ceil(walk.start), ceil(walk.start + walk.size) - 1)
        return Field((low,), (high,), walk.stride * field.step, walk.out)
    stride = Fraction(walk.stride)
    period = lcm(stride.denominator * (field.period // gcd(field.period, stride.numerator)), walk.block)
    if period > MAX_PERIOD:
        return None
    reads = [
        (ceil(leader * stride + walk.start), ceil(leader * stride + walk.start + walk.size) - 1)
        for leader in map(walk.leader, range(period))
    ]
    lows, highs = zip(*(field.hull(low, high) for low, high in reads), strict=True)
    units = int(period * stride)  # how many units of the layer before a period advances
    return _shortest(Field(lows, highs, units // field.period * field.step, walk.out))


def _shortest(field: Field) -> Field:
    """The same field with period 1 where its units follow one another evenly."""
    period = field.period
    if field.step % period:
        return field
    pace = field.step // period
    even = all(
        ends[unit] - ends[0] == unit * pace for ends in (field.lows, field.highs) for unit in range(period)
    )
    return Field(field.lows[:1], field.highs[:1], pace, field.output_axis) if even else field


def union(branches: Sequence[AxisField]) -> AxisField:
    """What units of a join see: fields that move alike are one, the others are kept beside one another."""
    first = branches[0]
    if all(track == first for track in branches):
        return first
    if not all(branches):
        return UNKNOWN
    return _combined(field for track in branches for field in track)


def _combined(fields: Iterable[Field]) -> AxisField:
    alike: dict[tuple[int | None, Number, bool], list[Field]] = {}
    for field in dict.fromkeys(fields):
        alike.setdefault((field.output_axis, field.stride, field.spread), []).append(field)
    result = _beside_whole([field for group in alike.values() for field in _merged(group)])
    return tuple(result) if len(result) <= MAX_FIELDS else UNKNOWN


def _beside_whole(fields: list[Field]) -> list[Field]:
    """Without parts that no step describes, where every unit sees more than all of them together."""
    whole = [field for field in fields if field.output_axis is None and not field.spread]
    return [
        field
        for field in fields
        if not (
            field.spread
            and any(
                other.lows[0] <= min(field.lows) and max(field.highs) <= other.highs[0] for other in whole
            )
        )
    ]


def _merged(fields: Sequence[Field]) -> Sequence[Field]:
    """Fields of one stride as one, unless their periods have nothing in common."""
    period = lcm(*(field.period for field in fields))
    if len(fields) == 1 or period > MAX_PERIOD:
        return fields
    first = fields[0]
    lows = tuple([min(field.first(unit) for field in fields) for unit in range(period)])
    highs = tuple([max(field.last(unit) for field in fields) for unit in range(period)])
    field = Field(lows, highs, first.step * (period // first.period), first.output_axis, first.spread)
    return [field if field.spread else _shortest(field)]


def single(track: AxisField, size: int, shape: Shape) -> Field | None:
    """The one field that says what units of an output of `shape` see of an axis of `size` pixels: the only one, or
    one that all units see and that holds whatever of the image the others do. None where there is none."""
    if len(track) == 1 and not track[0].spread:
        return track[0]
    fixed = [field for field in track if field.output_axis is None]
    if len(fixed) != 1 or fixed[0].spread:
        return None
    low, high = fixed[0].lows[0], fixed[0].highs[0]
    for field in track:
        count = 1 if field.output_axis is None else shape[field.output_axis]
        first, last = field.hull(0, count - 1)
        if max(0, first) < low or min(size - 1, last) > high:
            return None
    return fixed[0]


def _warning(
    image: Shape,
    node: Node,
    shapes: Sequence[Shape],
    before: Sequence[tuple[AxisField, ...]],
    walked: Sequence[tuple[AxisField, ...]],
    after: tuple[AxisField, ...],
) -> str:
    """What a person should know of a node's field; "" where its inputs' fields could not be told either."""
    for axis, size in enumerate(image[1:]):
        track = after[axis]
        if single(track, size, node.output_shape) or any(field.spread for field in track):
            continue
        if all(single(axes[axis], size, shape) for axes, shape in zip(before, shapes, strict=True)):
            branches = [axes[axis] for axes in walked]
            what = _disagreement(branches, apart=not track and len(walked) > 1 and bool(union(branches)))
            return f"{what}, so no field is shown from here on"
    if len(walked) > 1 and any(map(_off_centre, zip(*walked, strict=True))):
        return "the receptive fields of its branches differ in centre; shown is what covers them all"
    return ""


def _disagreement(branches: Sequence[AxisField], *, apart: bool) -> str:
    """Why the units behind these branches have no field in common; apart: since branches stand beside one another."""
    if len(branches) == 1:
        return f"its units see more than {MAX_PERIOD:,} different windows"
    fields = [field for track in branches for field in track]
    if apart:
        what = "stand beside one another along an axis that another branch moves on"
    elif not all(branches):
        what = "stand beside one another along the axis they move on"
    elif len({field.output_axis for field in fields if field.output_axis is not None}) > 1:
        what = "move along different axes of its output"
    elif len({field.stride for field in fields}) > 1:
        what = "differ in stride"
    else:
        what = "repeat after different numbers of units"
    return f"the receptive fields of its branches {what}: its units see windows of different sizes"


def _off_centre(branches: Iterable[AxisField]) -> bool:
    """Whether walking branches have different centres. A branch that sees all is no disagreement."""
    fields = [track[0] for track in branches if len(track) == 1]
    return len({field.lows[0] + field.highs[0] for field in fields if field.step and field.period == 1}) > 1


def reported(tracks: Sequence[AxisField], image: Shape, shape: Shape) -> ReceptiveField | None:
    """One layer's fields as they are reported, for an image and an output of these shapes, channels first; None
    where units see parts that no stride describes, and for a vector."""
    if len(image) == 1:
        return None
    fields = []
    for track, size in zip(tracks, image[1:], strict=True):
        field = single(track, size, shape)
        if field is None:
            return None
        fields.append(field)
    return ReceptiveField(
        size=tuple([field.size for field in fields]),
        stride=tuple([field.stride for field in fields]),
        start=tuple([field.lows[0] for field in fields]),
        smallest=tuple([field.smallest for field in fields]),
    )


def plain(value: Number) -> Number:
    """A whole Fraction as an int."""
    return value.numerator if isinstance(value, Fraction) and value.denominator == 1 else value
