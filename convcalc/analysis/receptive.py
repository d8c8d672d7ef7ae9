"""Receptive fields by formula: one size, stride and start per layer and axis, through branches.

regions.py computes what a single unit sees, including clipping at the borders.

Behind a deconvolution or upsampling, the windows of neighbouring units differ, in a pattern that repeats every
`period` units, `step` pixels further on. A field therefore stores the first and last pixel for each unit of one
period; everywhere else the period is 1, and these give the usual start and size.

Behind a join of branches with different strides, or with fields along different dimensions of the output, a unit
sees the hull of several fields: its `AxisField`. No single size and stride describe it, so none is reported.

A unit spans all positions of the dimensions that no field moves along, usually the channels. A concatenation stacks
branches along such a dimension. If a field moves along it later (a transposed map added to the map itself), a unit
is a single position of it and sees only what that branch saw. This case is not followed.
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
    1024  # different units before the pattern repeats; beyond it (upsampling by over a thousand), unknown
)
MAX_FIELDS = 8  # per AxisField; beyond it the receptive field is unknown


class Field(NamedTuple):
    """A receptive field on one axis of the network's input, before clipping to the image.

    Unit u = q·period + r of output dimension `output_axis` sees the pixels lows[r] + q·step … highs[r] + q·step; the
    step is negative behind a reversed slice.
    output_axis None: no output dimension moves along this axis, so every unit sees the same pixels (step 0).
    spread: units see different parts that no step describes (a flattened map); lows and highs hold their union.
    """

    lows: tuple[int, ...]
    highs: tuple[int, ...]
    step: int
    output_axis: int | None
    spread: bool = False

    @property
    def period(self) -> int:
        """The number of units after which the pattern repeats."""
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
        """The last pixel that a unit sees."""
        turn, phase = divmod(unit, self.period)
        return self.highs[phase] + turn * self.step

    def hull(self, low: int, high: int) -> tuple[int, int]:
        """The first and last pixel that the units from `low` to `high` see together."""
        if self.step < 0:
            low, high = high, low
        return self.first(low), self.last(high)


AxisField = tuple[Field, ...]  # a unit sees the hull of these fields on one axis; (): unknown
UNKNOWN: AxisField = ()
Track = tuple[AxisField, ...]  # an AxisField per spatial axis of an input; () for a vector
Parts = tuple[
    frozenset[int], ...
]  # per axis, the dimensions of an output along which branches with different fields are stacked


class ReceptiveField(NamedTuple):
    """Per spatial axis of the input: size and stride in pixels, start of output unit 0 (negative: in the padding).

    size is the most pixels that a unit sees, smallest the fewest; they differ behind a deconvolution or upsampling,
    where window sizes alternate. Strides are exact: a Fraction where several units see the same pixels.
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
    """Per node, an AxisField for each spatial axis of the network's input `origin`, None if that input does not reach
    the node; and warnings where branches disagree or a single field no longer describes the units."""
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
    """The track of an input itself: every pixel sees only itself."""
    return tuple([(Field((0,), (0,), 1, axis),) for axis in range(1, len(graph.shape(origin)))])


def _through(
    node: Node, position: int, before: tuple[AxisField, ...], *, several: bool
) -> tuple[AxisField, ...]:
    """The fields behind an operator, through input number `position`; several: whether other inputs contribute."""
    shape = node.input_shapes[position]
    walks = node.op.reach(node.input_shapes, position)
    result = []
    for track in before:
        after = []
        for field in track:
            if field.output_axis is None:
                # a flattened map: a layer that reads its whole dimension sees the union of all its units
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
            ):  # concatenation along this axis: each unit comes from one branch only
                after = []
                break
            after.append(behind)
        result.append(tuple(after) if len(after) < 2 else _combined(after))
    return tuple(result)


def _parts(
    node: Node, positions: Sequence[int], walked: Sequence[Track], parted: Mapping[int, Parts]
) -> Parts:
    """Per axis, the dimensions of a node's output whose positions have different fields; () if there are none.

    walked: the fields through the inputs at `positions`; parted: the results for the nodes before this one.
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
    """A track with UNKNOWN on axes where a field moves along a dimension whose positions have different fields."""
    moving = {field.output_axis for fields in track for field in fields}
    return tuple(
        [fields if moving.isdisjoint(axis) else UNKNOWN for fields, axis in zip(track, parts, strict=True)]
    )


def _walked(field: Field, walk: Reach) -> Field | None:
    """The field behind a window: an output unit sees the hull of the fields of the units that it reads. None if the
    period exceeds MAX_PERIOD. The new period: the fewest outputs that advance by whole old periods, in whole blocks."""
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
    """The same field, reduced to period 1 if its units are evenly spaced."""
    period = field.period
    if field.step % period:
        return field
    pace = field.step // period
    even = all(
        ends[unit] - ends[0] == unit * pace for ends in (field.lows, field.highs) for unit in range(period)
    )
    return Field(field.lows[:1], field.highs[:1], pace, field.output_axis) if even else field


def union(branches: Sequence[AxisField]) -> AxisField:
    """The AxisField of a join: fields with the same stride and dimension are merged, others are kept separately."""
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
    """The fields, without spread ones that lie inside a field that every unit sees."""
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
    """Fields of the same stride merged into one, unless their common period exceeds MAX_PERIOD."""
    period = lcm(*(field.period for field in fields))
    if len(fields) == 1 or period > MAX_PERIOD:
        return fields
    first = fields[0]
    lows = tuple([min(field.first(unit) for field in fields) for unit in range(period)])
    highs = tuple([max(field.last(unit) for field in fields) for unit in range(period)])
    field = Field(lows, highs, first.step * (period // first.period), first.output_axis, first.spread)
    return [field if field.spread else _shortest(field)]


def single(track: AxisField, size: int, shape: Shape) -> Field | None:
    """The single field that describes an output of `shape` on an axis of `size` pixels: the only field, or one that
    all units share and that covers the others within the image. None if there is no such field."""
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
    """The warning about a node's field; "" if there is none, or if its inputs had no single field to begin with."""
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
    """Why the units behind these branches share no field; apart: because branches are stacked along a moving axis."""
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
    """Whether branches whose fields move have different centres; a branch that sees the whole axis is ignored."""
    fields = [track[0] for track in branches if len(track) == 1]
    return len({field.lows[0] + field.highs[0] for field in fields if field.step and field.period == 1}) > 1


def reported(tracks: Sequence[AxisField], image: Shape, shape: Shape) -> ReceptiveField | None:
    """The receptive field reported for a layer, given the shapes of the image and the layer's output, channels first;
    None if no single field describes its units, and for a vector."""
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
    """The value as an int if it is a Fraction without a fractional part, else unchanged."""
    return value.numerator if isinstance(value, Fraction) and value.denominator == 1 else value
