"""A network as a chain of volumes: what the styles volumes and maps draw from left to right.

A chain is one input and boxes that each read the box before. What changes no size (an activation, a normalisation,
dropout) belongs to the volume before it; equal neighbours are one part, drawn as so many slabs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

from convcalc.analysis.boxes import Box, Boxes, Frame
from convcalc.errors import UsageError
from convcalc.ops import Operator
from convcalc.shapes import PerAxis, Shape, per_axis

Form = Literal["solid", "bar", "arrow"]
MIN_EQUAL_BARS = 4  # fewer equal dense layers stay bars of their own
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


class Chain(NamedTuple):
    """The parts of a network from left to right, and which of them repeat."""

    name: str
    title: str
    parts: tuple[Part, ...]
    spans: tuple[Span, ...] = ()

    @property
    def largest_side(self) -> int:
        """The longest side of any map, in pixels; 1 if there are only vectors."""
        return max(
            (size for part in self.parts if part.form == "solid" for size in part.shape[1:]), default=1
        )

    @property
    def largest_bar(self) -> int:
        """The units of the longest vector that is drawn; 0 without one."""
        return max((part.shape[0] for part in self.parts if part.form == "bar"), default=0)

    @property
    def has_maps(self) -> bool:
        """Whether anything is more than a vector."""
        return any(part.form == "solid" for part in self.parts)


def chain(boxes: Boxes, style: str, marks: Mapping[int, str] | None = None) -> Chain:
    """The chain of a network whose modules with branches are folded.

    style: the style asked for, for messages. marks: what is said of boxes, by key; boxes marked differently stay
    apart. Raises UsageError if the network is no chain, or its values are no maps.
    """
    _require_chain(boxes, style)
    parts: list[Part] = []
    homes: list[int] = []  # the part of each box
    told = marks or {}
    frames = {frame.first: frame for frame in boxes.frames if frame.first == frame.last}
    for box in boxes.boxes:
        source = boxes.boxes[box.key - 1].shape if box.key else box.shape
        if parts and _is_hidden(box):
            last = parts[-1]
            notes = (*last.notes, *_hidden_words(box)) if last.times == 1 else last.notes
            parts[-1] = last._replace(hidden=(*last.hidden, box), notes=notes)
        else:
            parts.append(_part(box, source, frames.get(box.key), told.get(box.key, "")))
            if len(parts) > 1 and _equal(parts[-2], parts[-1]):
                parts[-2:] = [_joined(*parts[-2:])]
        homes.append(len(parts) - 1)
    _require_maps(parts, boxes, style)
    parts, homes = _few_bars_apart(parts, homes)
    spans = [
        Span(homes[frame.first], homes[frame.last], frame.times)
        for frame in boxes.frames
        if frame.first != frame.last
    ]
    return Chain(boxes.name, boxes.title or boxes.name, tuple(parts), tuple(spans))


def is_chain(boxes: Boxes) -> bool:
    """Whether the boxes follow one another, from one input to one output."""
    return _why_no_chain(boxes) is None


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


def _part(box: Box, source: Shape, frame: Frame | None, mark: str) -> Part:
    op = box.op
    form: Form = "solid" if len(box.shape) > 1 else "bar"
    if form == "bar" and op is not None and op.regroups and len(source) > 1:
        form = "arrow"
    first, *rest = box.words
    if box.kind in ("block", "input"):
        title, fields = first, tuple([word for line in rest[:1] for word in line.split(" · ")])
        fields = tuple([f"{word} ·" for word in fields[:-1]] + list(fields[-1:]))
    else:
        title, *words = first.split(" ")
        fields = tuple(words)
        if form == "bar" and fields == (str(box.shape[0]),):
            fields = ()  # the units stand above
    notes: tuple[str, ...] = ()
    if box.kind == "block":
        title = _short_path(frame.name if frame is not None else title)
        notes = (frame.note,) if frame is not None and frame.note else ()
    if mark and mark != "same":
        notes = (*notes, mark)
    times = frame.times if frame is not None else 1
    return Part(form, (box,), title, fields, notes, box.shape, source, times)


def _short_path(path: str) -> str:
    """The end of a long path: `denselayer1–6` of denseblock1.denselayer1–6."""
    while len(path) > MAX_TITLE and "." in path:
        path = path.partition(".")[2]
    return path


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


def _few_bars_apart(parts: Sequence[Part], homes: Sequence[int]) -> tuple[list[Part], list[int]]:
    """Runs of only two or three dense layers as bars of their own: AlexNet's figure has both of its 4096."""
    result: list[Part] = []
    starts: list[int] = []
    for part in parts:
        starts.append(len(result))
        if part.form == "bar" and 1 < part.times < MIN_EQUAL_BARS and len(part.boxes) == part.times:
            for place, box in enumerate(part.boxes):
                hidden = tuple(
                    [
                        other
                        for other in part.hidden
                        if other.key > box.key
                        and (place + 1 == len(part.boxes) or other.key < part.boxes[place + 1].key)
                    ]
                )
                source = part.source if place == 0 else part.shape
                result.append(part._replace(boxes=(box,), times=1, hidden=hidden, source=source))
        else:
            result.append(part)
    where = {box.key: index for index, part in enumerate(result) for box in (*part.boxes, *part.hidden)}
    return result, [where.get(key, starts[home]) for key, home in enumerate(homes)]


def _require_chain(boxes: Boxes, style: str) -> None:
    why = _why_no_chain(boxes)
    if why is not None:
        raise UsageError(f"--style {style} needs a chain of layers: {why}", hint=HINT)


def _why_no_chain(boxes: Boxes) -> str | None:
    """The reason why boxes are no chain, as a sentence; None if they are one."""
    inputs = [box for box in boxes.boxes if box.kind == "input"]
    if len(inputs) != 1:
        return f"{boxes.name} has {len(inputs)} inputs"
    names = [box.name for box in boxes.boxes]
    for box in boxes.boxes[1:]:
        if box.inputs != (box.key - 1,):
            read = " and ".join([names[key] for key in box.inputs]) or "no layer"
            return f"{box.name} reads {read}, not {names[box.key - 1]} alone"
    ends = sorted({key for _, key in boxes.outputs})
    if ends and ends != [len(boxes.boxes) - 1]:
        return f"{boxes.name} gives more than its last layer"
    drawn = [box for box in boxes.boxes[1:] if not _is_hidden(box)]
    if any(box.kind == "block" for box in drawn) and len(drawn) < 3:
        return f"folded until nothing branches, {boxes.name} is a single block"
    return None


def _require_maps(parts: Sequence[Part], boxes: Boxes, style: str) -> None:
    """Tokens are vectors in a row, no map: what the two sides of their matrix mean differs."""
    for before, part in pairwise(parts):
        mixing = part.op is not None and part.op.role in ("dense", "attention")
        tokens = (len(part.shape) == 2 and len(before.shape) > 2) or (len(part.shape) > 1 and mixing)
        if tokens or len(part.shape) > 4:
            raise UsageError(
                f"--style {style} draws channels of maps: from {part.name} on, {boxes.name} computes on "
                + ("tokens" if tokens else f"{len(part.shape)} dimensions"),
                hint=HINT,
            )
