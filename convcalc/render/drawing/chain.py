"""A network as a chain of volumes: what the styles volumes and maps draw from left to right.

A chain is one input and boxes that each read the box before, perhaps with skips past some of them. What changes no
size (an activation, a normalisation, dropout) belongs to the volume before it; equal neighbours are one part, drawn as
so many slabs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

from convcalc.analysis.boxes import Box, Boxes, Frame
from convcalc.errors import UsageError
from convcalc.ops import Operator
from convcalc.render.drawing.spine import Skip, Spine, spine
from convcalc.shapes import PerAxis, Shape, per_axis

Form = Literal["solid", "bar", "arrow"]
MIN_EQUAL_BARS = 4  # fewer equal dense layers stay bars of their own
MAX_BOXES = 400
MAX_TITLE = 16  # characters of a block's path
HINT = "use --style graph"


class Part(NamedTuple):
    """One item of the chain.

    form: `solid` for maps, `bar` for a vector, `arrow` for what turns maps into a vector. boxes: those drawn, one for
    each slab; hidden: those that belong to them. title: `conv`, or a block's name; fields: `K96`, `F11`, `S4`; notes:
    what else is written. source: the shape it reads. times: how many equal ones it stands for.
    """

    form: Form
    boxes: tuple[Box, ...]
    title: str
    fields: tuple[str, ...]
    notes: tuple[str, ...]
    shape: Shape
    source: Shape
    times: int = 1
    hidden: tuple[Box, ...] = ()

    @property
    def kind(self) -> str:
        """The fill: a role of the palette."""
        return self.boxes[0].kind

    @property
    def op(self) -> Operator | None:
        """The operator; None for an input or a folded block."""
        return self.boxes[0].op

    @property
    def name(self) -> str:
        """The name of the first box."""
        return self.boxes[0].name

    @property
    def layers(self) -> tuple[int, ...]:
        """The indices of all layers that it stands for."""
        boxes = (*self.boxes, *self.hidden)
        return tuple(sorted({layer for box in boxes for copy in (box.layers, *box.copies) for layer in copy}))

    @property
    def heading(self) -> str:
        """`conv`, `3 × conv`; of blocks `layer1.1–2 ×2`."""
        if self.times == 1:
            return self.title
        return f"{self.title} ×{self.times:,}" if self.kind == "block" else f"{self.times:,} × {self.title}"


class Span(NamedTuple):
    """Parts that follow one another `times` times, of which only the first copy is drawn: places in the chain, both
    inside."""

    first: int
    last: int
    times: int


class Arc(NamedTuple):
    """A skip from one part to another, by their places in the chain, through the layers between them. words: of these,
    `crop`."""

    first: int
    last: int
    through: tuple[Box, ...]
    words: str


class Chain(NamedTuple):
    """The parts of a network from left to right, which of them repeat, and the skips past others.

    largest_side: the longest side of any map, in pixels; 1 if there are only vectors. largest_bar: the units of the
    longest vector that is drawn; 0 without one. turned: whether layers that store channels last are among them; their
    shapes are channels first here.
    """

    name: str
    title: str
    parts: tuple[Part, ...]
    spans: tuple[Span, ...] = ()
    arcs: tuple[Arc, ...] = ()
    largest_side: int = 1
    largest_bar: int = 0
    turned: bool = False

    @property
    def undrawn(self) -> tuple[str, ...]:
        """The kinds of layers that change no size and so are not drawn: `relu`, `bn`."""
        words = [
            word
            for part in self.parts
            for box in (*part.boxes, *part.hidden)
            if box.kind not in ("block", "input")
            for line in (box.words if box in part.hidden else box.words[1:])
            for word in line.split(" · ")
        ]
        noted = {note for part in self.parts for note in part.notes}
        return tuple(dict.fromkeys([word.split(" ")[0] for word in words if word not in noted]))

    @property
    def has_maps(self) -> bool:
        """Whether anything is more than a vector."""
        return any(part.form == "solid" for part in self.parts)


def chain(boxes: Boxes, style: str, marks: Mapping[int, str] | None = None) -> Chain:
    """The chain of a network whose modules with branches are folded.

    style: the style asked for, for messages. marks: what is said of boxes, by key; boxes marked differently stay
    apart. Raises UsageError if the network is no chain, or its values are no maps.
    """
    path = _path(boxes, style)
    parts: list[Part] = []
    homes: dict[int, int] = {}  # the part of each box
    told = marks or {}
    frames = {frame.first: frame for frame in boxes.frames if frame.first == frame.last}
    closed = {skip.source for skip in path.skips}  # a run ends where a skip begins
    shapes = _channels_first(path.boxes, boxes, style)
    for before, source, box, shape in zip(
        (path.boxes[0], *path.boxes), (shapes[0], *shapes), path.boxes, shapes, strict=False
    ):
        if parts and (_is_hidden(box) or _order(box) is not None):
            last = parts[-1]
            notes = (*last.notes, *_hidden_words(box)) if last.times == 1 else last.notes
            parts[-1] = last._replace(hidden=(*last.hidden, box), notes=notes)
        else:
            parts.append(_part(box, shape, source, frames.get(box.key), told.get(box.key, "")))
            if len(parts) > 1 and before.key not in closed and _equal(parts[-2], parts[-1]):
                parts[-2:] = [_joined(*parts[-2:])]
        homes[box.key] = len(parts) - 1
    _require_maps(parts, boxes, style)
    parts, homes = _few_bars_apart(parts, homes)
    spans = [
        Span(homes[frame.first], homes[frame.last], frame.times)
        for frame in boxes.frames
        if frame.first != frame.last and frame.first in homes and frame.last in homes
    ]
    arcs = [
        Arc(homes[skip.source], homes[skip.target], skip.through, _arc_words(skip)) for skip in path.skips
    ]
    return Chain(
        boxes.name,
        boxes.title or boxes.name,
        tuple(parts),
        tuple(spans),
        tuple(arcs),
        max((size for part in parts if part.form == "solid" for size in part.shape[1:]), default=1),
        max((part.shape[0] for part in parts if part.form == "bar"), default=0),
        any(shape != box.shape for shape, box in zip(shapes, path.boxes, strict=True)),
    )


def is_chain(boxes: Boxes) -> bool:
    """Whether the boxes follow one another, from one input to one output, and nothing skips."""
    found = spine(boxes)
    return not isinstance(found, str) and not found.skips


def window(part: Part) -> tuple[float, ...] | None:
    """The share of its input, along each spatial axis, that the window of a layer takes: (11/227, 11/227); None for
    what has no window. Of a deconvolution, the share of its output that one input pixel makes."""
    kernel: PerAxis | None = getattr(part.op, "kernel", None)
    if kernel is None or part.kind not in ("conv", "pool", "deconv"):
        return None
    spatial = part.shape[1:] if part.kind == "deconv" else part.source[1:]
    kernels = per_axis(kernel, len(spatial), "kernel")
    gaps = per_axis(getattr(part.op, "dilation", 1), len(spatial), "dilation")
    extents = [(size - 1) * gap + 1 for size, gap in zip(kernels, gaps, strict=True)]
    return tuple([extent / size for extent, size in zip(extents, spatial, strict=True)])


def _part(box: Box, shape: Shape, source: Shape, frame: Frame | None, mark: str) -> Part:
    op = box.op
    form: Form = "solid" if len(shape) > 1 else "bar"
    if form == "bar" and op is not None and op.regroups and len(source) > 1:
        form = "arrow"
    first, *rest = box.words
    if box.kind in ("block", "input"):
        title, fields = first, tuple([word for line in rest[:1] for word in line.split(" · ")])
        fields = tuple([f"{word} ·" for word in fields[:-1]] + list(fields[-1:]))
    else:
        title, *words = first.split(" ")
        fields = tuple(words)
        if form == "bar" and fields == (str(shape[0]),):
            fields = ()  # the units stand above
    notes: tuple[str, ...] = ()
    if box.kind == "block":
        title = _short_path(frame.name if frame is not None else title)
        notes = (frame.note,) if frame is not None and frame.note else ()
    if mark and mark != "same" and form != "arrow":
        notes = (*notes, mark)
    times = frame.times if frame is not None else 1
    return Part(form, (box,), title, fields, notes, shape, source, times)


def _short_path(path: str) -> str:
    """The end of a long path: `denselayer1–6` of denseblock1.denselayer1–6."""
    while len(path) > MAX_TITLE and "." in path:
        path = path.partition(".")[2]
    return path


def _channels_first(path: Sequence[Box], boxes: Boxes, style: str) -> list[Shape]:
    """The shape of each box, channels first, also between two transposes that store channels last. Raises UsageError
    for any other transpose of maps."""
    shapes: list[Shape] = []
    last = False
    for box in path:
        order, rank = _order(box), len(box.shape)
        if order is not None and rank > 2:
            if order == ((rank - 1, *range(rank - 1)) if last else (*range(1, rank), 0)):
                last = not last
            else:
                raise _no_maps(style, box, boxes, "other dimensions than channels and maps")
        shapes.append((box.shape[-1], *box.shape[:-1]) if last and rank > 2 else box.shape)
    return shapes


def _order(box: Box) -> tuple[int, ...] | None:
    """How a box permutes the dimensions of maps; None if it does not."""
    order: tuple[int, ...] | None = getattr(box.op, "order", None)
    return order if order is not None and len(box.shape) > 2 else None


def _is_hidden(box: Box) -> bool:
    """Whether a box changes no size, so that it belongs to the volume before it."""
    return box.op is not None and (box.op.pointwise or box.kind in ("norm", "activation"))


def _hidden_words(box: Box) -> tuple[str, ...]:
    """What of it is worth a word: normalisation across channels, not an activation."""
    assert box.op is not None
    return (box.words[0].split(" ")[0],) if box.kind == "norm" and not box.op.is_channel_affine else ()


def _equal(a: Part, b: Part) -> bool:
    """Whether two neighbours are drawn as slabs under one label."""
    if a.form != b.form or a.form == "arrow" or (a.shape, a.kind, a.notes) != (b.shape, b.kind, b.notes):
        return False
    last, box = a.boxes[-1], b.boxes[0]
    if a.kind == "block":
        return (a.fields, last.params, last.macs) == (b.fields, box.params, box.macs)
    return a.kind != "input" and last.words[0] == box.words[0]


def _joined(a: Part, b: Part) -> Part:
    boxes = (*a.boxes, *b.boxes)
    title = a.title
    if a.kind == "block":
        title = _short_path(_range(boxes[0].words[0], boxes[-1].words[0]))
    return a._replace(boxes=boxes, title=title, times=a.times + b.times, hidden=(*a.hidden, *b.hidden))


def _range(first: str, last: str) -> str:
    """`layer1.1–2` for layer1.1 and layer1.2; without a common beginning, `a – b`."""
    head, _, number = last.rpartition(".")
    if number.isdigit() and head and first.startswith(f"{head}."):
        return f"{first}–{number}"
    return f"{first} – {last}"


def _few_bars_apart(parts: Sequence[Part], homes: Mapping[int, int]) -> tuple[list[Part], dict[int, int]]:
    """Runs of only two or three dense layers as bars of their own: AlexNet's figure has both of its 4096."""
    result: list[Part] = []
    starts: list[int] = []
    for part in parts:
        starts.append(len(result))
        if part.form == "bar" and 1 < part.times < MIN_EQUAL_BARS and len(part.boxes) == part.times:
            ends = [*[box.key for box in part.boxes[1:]], max(homes) + 1]
            for place, (box, end) in enumerate(zip(part.boxes, ends, strict=True)):
                hidden = tuple([other for other in part.hidden if box.key < other.key < end])
                source = part.source if place == 0 else part.shape
                result.append(part._replace(boxes=(box,), times=1, hidden=hidden, source=source))
        else:
            result.append(part)
    where = {box.key: index for index, part in enumerate(result) for box in (*part.boxes, *part.hidden)}
    return result, {key: where.get(key, starts[home]) for key, home in homes.items()}


def _path(boxes: Boxes, style: str) -> Spine:
    if len(boxes.boxes) > MAX_BOXES:
        raise UsageError(
            f"--style {style} draws up to {MAX_BOXES} layers in a row, and there are {len(boxes.boxes):,}",
            hint="fold blocks with --depth, or use --style graph",
        )
    found = spine(boxes)
    if not isinstance(found, str):
        drawn = [box for box in found.boxes[1:] if not _is_hidden(box)]
        if len(drawn) > 2 or all(box.kind != "block" for box in drawn):
            return found
        found = f"folded until nothing branches, {boxes.name:.60} is a single block"
    raise UsageError(f"--style {style} needs a chain of layers: {found}", hint=HINT)


def _arc_words(skip: Skip) -> str:
    """`crop`, `conv K21 F1`: what it passes. A crop's size is that of what it is joined with."""
    words = [box.words[0] if box.kind != "other" else box.words[0].split(" ")[0] for box in skip.through]
    return " · ".join(words)


def _require_maps(parts: Sequence[Part], boxes: Boxes, style: str) -> None:
    """Tokens are vectors in a row, no map: what the two sides of their matrix mean differs."""
    for before, part in pairwise(parts):
        mixing = part.op is not None and part.op.role in ("dense", "attention")
        tokens = (len(part.shape) == 2 and len(before.shape) > 2) or (len(part.shape) > 1 and mixing)
        if tokens or len(part.shape) > 4:
            what = "tokens" if tokens else f"{len(part.shape)} dimensions"
            raise _no_maps(style, part.boxes[0], boxes, what)


def _no_maps(style: str, box: Box, boxes: Boxes, what: str) -> UsageError:
    return UsageError(
        f"--style {style} draws channels of maps: from {box.name:.60} on, {boxes.name:.60} computes on {what}",
        hint=HINT,
    )
