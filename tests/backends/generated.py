"""Small networks made by chance out of every operator, with the operators of one kind in the majority.

    network(Random(seed), "transpositions") -> Graph

Dimensions are small, mostly different from one another, and on both sides of a block of 16 channels; the reference
computes a network in some milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from math import prod
from random import Random
from unittest.mock import patch

from numba_support import (
    CLOSE,
    GUARD,
    Network,
    any_inputs,
    any_weights,
    assert_close,
    groups_of,
    margin,
    per_axis,
)

from convcalc.backends import reference
from convcalc.backends.numba.lower import dense as dense_lowering
from convcalc.backends.numba.lower import depthwise, direct, lowering, winograd
from convcalc.backends.numba.passes import algorithm, channel_moves
from convcalc.backends.numba.plan import prepare
from convcalc.errors import SpecError
from convcalc.graph import Graph
from convcalc.ops._base import Operator, Tensor
from convcalc.weights.load import Weights

MAX_ELEMENTS = 900
MAX_MACS = 60_000
CHANNELS = (1, 2, 3, 5, 7, 12, 15, 16, 17, 20, 32, 33)
FUNCTIONS = (
    "leaky_relu",
    "elu",
    "sigmoid",
    "tanh",
    "gelu",
    "silu",
    "mish",
    "hardsigmoid",
    "hardswish",
    "softplus",
)
MORE_FUNCTIONS = ("selu", "celu", "clip", "clip", "exp", "log", "sqrt", "abs", "negate", "reciprocal", "erf")
JOINS = ("subtract", "divide", "maximum", "minimum")

Shape = tuple[int, ...]


class Maker:
    """A network in the making, and the values that further layers may read."""

    def __init__(self, source: Random, several: bool) -> None:
        self.source = source
        rank = source.choice([1, 2, 2, 3, 3, 3, 4])
        shape = self._sizes(rank)
        others = []
        if several:  # as many are alike, as in a Siamese network, as not
            for _ in range(source.choice([0, 1, 1, 2])):
                others.append(shape if source.random() < 0.5 else self._sizes(source.choice([1, 2, 3, 4])))
        self.network = Network(*shape, others=others)
        self.values = [-1 - place for place in range(1 + len(others))]

    def _sizes(self, rank: int) -> Shape:
        limit = {1: 40, 2: 23, 3: 9, 4: 5}[rank]
        while True:
            channels = self.source.choice(CHANNELS)
            spatial = self.source.sample(range(1, limit + 1), rank - 1)
            if channels * prod(spatial) <= MAX_ELEMENTS // 2:
                return (channels, *spatial)

    def shape(self, value: int) -> Shape:
        """A value's shape."""
        return self.network.builder.shape(value)

    def add(self, kind: str, *at: int, **fields: object) -> int:
        """A further value. Raises SpecError where it does not fit or is too large."""
        nodes = self.network.builder.nodes
        value = self.network.add(kind, *at, **fields)
        node = nodes[value]
        if prod(node.output_shape) > MAX_ELEMENTS or node.op.macs(node.input_shapes) > MAX_MACS:
            nodes.pop()
            raise SpecError("too large")
        self.values.append(value)
        return value

    def pick(self) -> int:
        """A value to read: often the last, else any, so that values have several readers."""
        return self.values[-1] if self.source.random() < 0.6 else self.source.choice(self.values)

    def fellows(self, fits: Callable[[Shape], bool]) -> list[int]:
        """The values whose shape fits."""
        return [value for value in self.values if fits(self.shape(value))]


def transpose(maker: Maker) -> None:
    """One, or a few that follow one another with or without something pointwise between them."""
    value = maker.pick()
    rank = len(maker.shape(value))
    turns = [(*range(1, rank), 0), (rank - 1, *range(rank - 1))]
    for _ in range(maker.source.choice([1, 1, 2, 3])):
        order = tuple(maker.source.sample(range(rank), rank))
        value = maker.add("transpose", value, order=maker.source.choice([*turns, order]))
        if maker.source.random() < 0.3:
            value = maker.add(maker.source.choice(["relu", "tanh", "scale"]), value)


def reshape(maker: Maker) -> None:
    value = maker.pick()
    shape = list(maker.shape(value))
    for _ in range(maker.source.randint(1, 2)):
        form = maker.source.randrange(4)
        place = maker.source.randrange(len(shape))
        if form == 0 and len(shape) > 1:  # two dimensions become one
            place = maker.source.randrange(len(shape) - 1)
            shape[place : place + 2] = [shape[place] * shape[place + 1]]
        elif form == 1:  # one becomes two
            divisors = [n for n in range(1, shape[place] + 1) if shape[place] % n == 0]
            part = maker.source.choice(divisors)
            shape[place : place + 1] = [part, shape[place] // part]
        elif form == 2:
            maker.source.shuffle(shape)
        else:
            shape = [-1] if maker.source.random() < 0.3 else [shape[0], -1]
            break
    if len(shape) <= 5:
        maker.add("reshape", value, shape=tuple(shape))


def flatten(maker: Maker) -> None:
    maker.add("flatten", maker.pick())


def activation(maker: Maker) -> None:
    kind = maker.source.choice(["relu", "relu6", "prelu", "dropout", "identity", *FUNCTIONS, *MORE_FUNCTIONS])
    fields: dict[str, object] = {}
    if kind == "prelu":
        fields = {"per_channel": maker.source.random() < 0.5}
    elif kind == "clip":
        fields = maker.source.choice(
            [{"min": -0.4, "max": 0.7}, {"min": 0.1}, {"max": 0.2}, {"min": 0.0, "max": 1.0}]
        )
    elif kind in ("elu", "celu") and maker.source.random() < 0.5:
        fields = {"alpha": maker.source.choice([0.3, 2.0])}
    elif kind == "hardsigmoid" and maker.source.random() < 0.5:
        fields = {"alpha": 0.2, "beta": 0.4}
    elif kind == "softplus" and maker.source.random() < 0.5:
        fields = {"beta": 2.0, "threshold": 1.0}
    value = maker.pick()
    if kind in ("exp", "log", "sqrt", "reciprocal"):  # of numbers between 0 and 1, not near 0
        value = maker.add("sigmoid", maker.add("tanh", value))
    maker.add(kind, value, **fields)


def some_axes(maker: Maker, rank: int) -> object:
    """One dimension or several, as a field holds them once bound or before."""
    count = maker.source.choice([1, 1, 2, rank])
    if count == 1 or rank == 1:
        return maker.source.choice(["channels", "last", maker.source.randrange(-rank, rank)])
    return tuple(maker.source.sample(range(rank), min(count, rank)))


def normalise(maker: Maker) -> None:
    kind = maker.source.choice(
        [
            "batchnorm",
            "scale",
            "layernorm",
            "layernorm",
            "softmax",
            "lrn",
            "groupnorm",
            "instancenorm",
            "rmsnorm",
            "l2norm",
        ]
    )
    value = maker.pick()
    shape = maker.shape(value)
    fields: dict[str, object] = {}
    if kind in (
        "layernorm",
        "rmsnorm",
        "l2norm",
    ):  # a large eps: what is nearly constant must not be magnified
        fields = {"axis": some_axes(maker, len(shape)), "eps": 0.5}
    if kind in ("layernorm", "rmsnorm", "groupnorm", "instancenorm"):
        fields["affine"] = maker.source.random() < 0.7
    if kind in ("groupnorm", "instancenorm"):
        fields["eps"] = 0.5
    if kind == "groupnorm":
        fields["groups"] = maker.source.choice([n for n in range(1, shape[0] + 1) if shape[0] % n == 0])
    if kind == "softmax":
        fields = {"axis": maker.source.randrange(-len(shape), len(shape))}
    if kind == "lrn":
        fields = {"size": maker.source.randint(1, 6), "alpha": 0.3}
    if kind == "scale" and maker.source.random() < 0.4:
        fields = {"value": -0.7}
    maker.add(kind, value, **fields)


def dense(maker: Maker) -> None:
    value = maker.pick()
    units = maker.source.choice([*CHANNELS, maker.shape(value)[-1]])
    axis = "last" if len(maker.shape(value)) > 1 or maker.source.random() < 0.3 else None
    maker.add("dense", value, units=units, axis=axis, bias=maker.source.random() < 0.7)


def conv(maker: Maker) -> None:
    value = maker.pick()
    channels, rank = maker.shape(value)[0], len(maker.shape(value)) - 1
    fields: dict[str, object] = {
        "kernel": maker.source.choice([1, 3, per_axis(maker.source, rank, 1, 3)]),
        "stride": maker.source.choice([1, 1, per_axis(maker.source, rank, 1, 2)]),
        "dilation": maker.source.choice([1, 1, per_axis(maker.source, rank, 1, 2)]),
        "padding": margin(maker.source, rank, 2),
        "bias": maker.source.random() < 0.7,
    }
    kind = maker.source.choice(["conv", "conv", "conv", "depthwise", "grouped", "deconv"])
    if kind == "deconv":
        fields["output_padding"] = maker.source.choice([0, 0, 1])
    filters = maker.source.choice([*CHANNELS, channels])
    if kind == "depthwise":
        fields |= {"depthwise": True}
        if maker.source.random() < 0.5:  # windows that overlap along a row have a kernel of their own
            fields |= {
                "kernel": maker.source.choice([3, 5, 7]),
                "stride": 1,
                "dilation": 1,
                "padding": "same",
            }
    else:
        fields |= {"filters": filters}
    if kind == "grouped" or (kind == "deconv" and maker.source.random() < 0.5):
        fields["groups"] = groups_of(maker.source, channels, filters)
    maker.add("deconv" if kind == "deconv" else "conv", value, **fields)


def pool(maker: Maker) -> None:
    value = maker.pick()
    rank = len(maker.shape(value)) - 1
    kind = maker.source.choice(
        ["maxpool", "avgpool", "adaptive_avgpool", "adaptive_maxpool", "global_avgpool", "global_maxpool",
         "upsample", "pad", "crop"]
    )  # fmt: skip
    fields: dict[str, object] = {}
    if kind in ("maxpool", "avgpool"):
        fields = {
            "kernel": per_axis(maker.source, rank, 1, 3),
            "stride": per_axis(maker.source, rank, 1, 2),
            "padding": margin(maker.source, rank, 1),
            "rounding": maker.source.choice(["floor", "ceil"]),
        }
        fields["dilation"] = maker.source.choice([1, per_axis(maker.source, rank, 1, 2)])
        if kind == "avgpool":
            fields["count_padding"] = maker.source.random() < 0.5
            fields["divisor"] = maker.source.choice([None, None, 3])
    elif kind.startswith("adaptive"):
        fields = {"size": per_axis(maker.source, rank, 1, 4)}
    elif kind == "upsample":
        fields = {"scale": maker.source.choice([per_axis(maker.source, rank, 1, 2), 1.5, 0.5])}
        fields["mode"] = maker.source.choice(["nearest", "nearest", "bilinear", "bicubic"])
        fields["align_corners"] = fields["mode"] != "nearest" and maker.source.random() < 0.5
    elif kind == "pad":
        fields = {"padding": margin(maker.source, rank, 2), "value": maker.source.choice([0.0, 0.5])}
        if maker.source.random() < 0.5:
            fields = {"padding": fields["padding"], "channels": (1, 2)}
            fields["mode"] = maker.source.choice(["zeros", "reflect", "replicate", "circular"])
    elif kind == "crop":
        fields = {"size": per_axis(maker.source, rank, 1, 4)}
    maker.add(kind, value, **fields)


def move(maker: Maker) -> None:
    """Slices and shuffles of channels."""
    value = maker.pick()
    channels = maker.shape(value)[0]
    if maker.source.random() < 0.6:
        start = maker.source.choice([0, 16, channels // 2]) % channels
        maker.add("slice", value, start=start, stop=maker.source.randint(start + 1, channels))
    else:
        groups = maker.source.choice([n for n in range(1, channels + 1) if channels % n == 0])
        maker.add("channel_shuffle", value, groups=groups)


def along(maker: Maker) -> None:
    """What works along any dimension: parts of it, one number for all of it, its ends joined; pixels and channels."""
    value = maker.pick()
    shape = maker.shape(value)
    axis = maker.source.randrange(-len(shape), len(shape))
    kind = maker.source.choice(["slice", "slice", "reduce", "roll", "pixel_shuffle", "pixel_unshuffle"])
    if kind == "slice":
        start, step = maker.source.randrange(shape[axis]), maker.source.choice([1, 2, -1, -2])
        maker.add(kind, value, axis=axis, start=start, step=step)
    elif kind == "reduce":
        axes = tuple(maker.source.sample(range(len(shape)), maker.source.randint(1, len(shape))))
        mode, keep = maker.source.choice(["mean", "sum", "max", "min"]), maker.source.random() < 0.7
        maker.add(kind, value, axis=maker.source.choice([axis, axes]), mode=mode, keep=keep)
    elif kind == "roll":
        maker.add(kind, value, axis=axis, shift=maker.source.randint(-5, 5))
    else:
        maker.add(kind, value, factor=2)


def join(maker: Maker) -> None:
    """Sums, products, … and concatenations, of values that fit or are made to."""
    value = maker.pick()
    shape = maker.shape(value)
    rank = len(shape)
    kind = maker.source.choice(["add", "add", "multiply", "concat", "concat", *JOINS])
    fields: dict[str, object] = {}
    if kind == "concat":
        place = maker.source.choice([0, 0, maker.source.randrange(rank)])
        fields = {"axis": maker.source.choice([place, place - rank])}
        others = maker.fellows(
            lambda other: (
                len(other) == rank
                and all(a == b for d, (a, b) in enumerate(zip(other, shape, strict=True)) if d != place)
            )
        )
    else:
        if maker.source.random() < 0.4 and rank > 1:
            _gate(maker, value)
        others = maker.fellows(lambda other: _broadcasts(other, shape))
    if len(others) == 1 or maker.source.random() < 0.5:
        turned = maker.fellows(lambda other: other != shape and sorted(other) == sorted(shape))
        regrouped = maker.fellows(lambda other: other != shape and prod(other) == prod(shape))
        if turned:
            others.append(_turned(maker, maker.source.choice(turned), shape))
        elif regrouped:
            others.append(maker.add("reshape", maker.source.choice(regrouped), shape=shape))
    inputs = [value, *maker.source.choices(others, k=maker.source.choice([1, 1, 1, 2, 3]))]
    if kind in ("subtract", "divide"):
        inputs = inputs[:2]
    maker.source.shuffle(inputs)
    if kind == "divide":  # by numbers that are not near 0
        inputs[1:] = [maker.add("sigmoid", maker.add("tanh", other)) for other in inputs[1:]]
    if len(inputs) > 1:
        maker.add(kind, *inputs, **fields)


def _broadcasts(shape: Shape, other: Shape) -> bool:
    return len(shape) == len(other) and all(a == b or 1 in (a, b) for a, b in zip(shape, other, strict=True))


def _turned(maker: Maker, value: int, shape: Shape) -> int:
    left = list(enumerate(maker.shape(value)))
    order = []
    for size in shape:
        found = next(entry for entry in left if entry[1] == size)
        left.remove(found)
        order.append(found[0])
    return maker.add("transpose", value, order=tuple(order))


def _gate(maker: Maker, value: int) -> None:
    """A value to multiply by that is 1 in all dimensions but one."""
    rank = len(maker.shape(value))
    place = maker.source.randrange(rank)
    order = (place, *(d for d in range(rank) if d != place))
    turned = maker.add("transpose", value, order=order)
    mean = maker.add("global_avgpool", turned)
    maker.add("transpose", mean, order=tuple(order.index(d) for d in range(rank)))


def residual(maker: Maker) -> None:
    """A convolution, what folds into it, a sum and an activation, in an order that may or may not be fused."""
    value = maker.pick()
    shape = maker.shape(value)
    if not 2 <= len(shape) <= 4:
        return
    last = maker.add("conv", value, filters=shape[0], kernel=3, padding=1)
    if maker.source.random() < 0.5:
        last = maker.add(maker.source.choice(["batchnorm", "scale", "dropout"]), last)
    if maker.source.random() < 0.7:
        fellows = maker.fellows(lambda other: other == shape)
        last = maker.add("add", *maker.source.sample([last, maker.source.choice(fellows)], 2))
    if maker.source.random() < 0.7:
        maker.add(maker.source.choice(["relu", "relu6", "identity", *FUNCTIONS]), last)


def readers(maker: Maker) -> None:
    """Several windows on one value, each with padding of its own, and all they give."""
    value = maker.pick()
    rank = len(maker.shape(value)) - 1
    parts = []
    for _ in range(maker.source.randint(2, 4)):
        depthwise = maker.source.random() < 0.3
        fields = {"depthwise": True} if depthwise else {"filters": maker.source.choice([1, 4, 17])}
        fields |= {"kernel": maker.source.choice([1, 3, 3, 5]), "padding": margin(maker.source, rank, 2)}
        kind = "conv" if depthwise or maker.source.random() < 0.8 else "deconv"
        parts.append(maker.add("flatten", maker.add(kind, value, **fields)))
    maker.add("concat", *parts)


def shared(maker: Maker) -> None:
    """A layer once more, with the same weights, on another value."""
    nodes = [
        node
        for node in maker.network.builder.nodes
        if node.parameters and node.inputs and node.shares is None
    ]
    if nodes:
        owner = maker.source.choice(nodes)
        others = maker.fellows(lambda other: len(other) == len(owner.input_shapes[0]))
        maker.add(owner.kind, maker.source.choice(others), shares=owner.index, **_fields(owner.op))


def _fields(op: Operator) -> dict[str, object]:
    return {name: getattr(op, name) for name in op.fields()}


STEPS: tuple[Callable[[Maker], None], ...] = (
    transpose, reshape, flatten, activation, normalise, dense, conv, pool, move, join, residual, shared, readers, along,
)  # fmt: skip
MIXES: dict[str, tuple[float, ...]] = {
    "transpositions": (9, 3, 0.3, 3, 3, 4, 2, 1, 1, 4, 1, 1, 0.1, 5),
    "reshapes": (3, 9, 1, 3, 2, 3, 3, 1, 2, 4, 1, 1, 0.1, 3),
    "moves": (1, 0.5, 0.1, 3, 1, 0.5, 3, 1, 9, 8, 2, 0.5, 0.2, 3),
    "fusions": (0.5, 0.3, 0.1, 6, 5, 1, 6, 1, 1, 3, 9, 1, 0.3, 1),
    "windows": (0.5, 0.3, 0.1, 2, 1, 0.5, 9, 9, 2, 3, 1, 1, 4, 2),
    "everything": (2, 2, 0.5, 2, 2, 2, 2, 2, 2, 2, 2, 2, 0.5, 2),
}


def network(source: Random, mix: str, several: bool = False) -> Graph:
    """A network of 3 to 16 layers; its output is mostly the last value, else another.

    several: of one to three inputs, sometimes a learned tensor, and one to five outputs, which may be inputs, the
    learned tensor, and the same value twice.
    """
    maker = Maker(source, several)
    if several and source.random() < 0.3:
        maker.add("parameter", shape=maker.shape(source.choice(maker.values)))
    wanted = source.randint(3, 16)
    for _ in range(200):
        if len(maker.network.builder.nodes) >= wanted:
            break
        try:
            source.choices(STEPS, MIXES[mix])[0](maker)
        except SpecError:
            continue
    maker.network.last = maker.values[-1] if source.random() < 0.8 else source.choice(maker.values)
    others = source.choices(maker.values, k=source.choice([0, 1, 2, 3, 4])) if several else []
    return maker.network.graph_of(maker.network.last, *others)


def _any_tile(plan: algorithm.ConvPlan, threads: int, element: int) -> float:
    """A cost of Winograd's method with which it is taken wherever it can be, with tiles of either size."""
    return float((plan.channels + plan.filters + plan.outputs // 2) % 2)


@contextmanager
def small_machine() -> Iterator[None]:
    """As if caches were tiny, so that small networks are cut into as many pieces as large ones are."""
    with ExitStack() as stack:
        for module, name, value in (
            (dense_lowering, "CACHE", 1 << 10),
            (depthwise, "CACHE", 1 << 12),
            (direct, "CACHE", 1 << 12),
            (direct, "REUSE", 4),
            (winograd, "CACHE", 1 << 15),
            (algorithm, "_winograd_cycles", _any_tile),
            (lowering, "ITEM_BYTES", 1 << 8),
            (channel_moves, "MAX_DEPTH", 2),
        ):
            stack.enter_context(patch.object(module, name, value))
        yield


def check(graph: Graph, seed: int, kept: Sequence[int] = ()) -> None:
    """Raise AssertionError unless the Numba backend gives the reference's numbers, those of the nodes `kept` too.

    Once with canaries around every buffer, and once with buffers that share memory, as a user runs it.
    """
    weights, values = any_weights(graph, seed), any_inputs(graph, seed + 1)
    lists = {name: numbers.tolist() for name, numbers in values.items()}
    right: dict[int, Tensor] = {}
    wanted = reference.run(graph, weights, lists, threads=1, kept=kept, take=right.__setitem__)
    right |= {node: wanted.outputs[name] for name, node in graph.outputs}
    for threads, guard in ((1, GUARD), (1 + seed % 3, 0)):
        plan = prepare(graph, weights, threads, guard=guard, kept=kept)
        for _ in range(2):
            found: dict[int, Tensor] = {}
            got = plan.run(values, found.__setitem__)
            assert list(got.outputs) == [output.name for output in graph.outputs]
            assert found.keys() == set(kept)
            every = [*found.items(), *((node, got.outputs[name]) for name, node in graph.outputs)]
            for node, (shape, numbers) in every:
                assert shape == graph.shape(node)
                try:
                    assert_close(numbers, right[node].values, CLOSE)
                except AssertionError:
                    if not _is_rounding(graph, weights, lists, node, numbers, right[node].values):
                        raise
        assert plan.overrun_buffers() == []


def _is_rounding(
    graph: Graph,
    weights: Weights,
    values: Mapping[str, Sequence[float]],
    output: int,
    got: Sequence[float],
    wanted: Sequence[float],
) -> bool:
    """Whether float32 can do no better: numbers of about 1 that cancel, or small differences that are magnified."""
    worst = max(abs(a - b) for a, b in zip(got, wanted, strict=True))
    if worst <= 1e-7:
        return True
    moved = max(
        abs(a - b)
        for seed in range(4)
        for a, b in zip(_with_noise(graph, weights, values, output, seed), wanted, strict=True)
    )
    return worst <= min(5 * moved, 1e-2 * max(map(abs, wanted)))


def _with_noise(
    graph: Graph, weights: Weights, values: Mapping[str, Sequence[float]], output: int, seed: int
) -> Sequence[float]:
    """An output when every value on the way is off by what float32 rounds off its largest number."""
    source = Random(seed)
    tensors = reference.inputs_of(graph, values)
    for node in graph:
        shape, numbers = node.op.forward([tensors[value] for value in node.inputs], weights.nodes[node.index])
        size = 3e-7 * max(map(abs, numbers))
        tensors[node.index] = Tensor(shape, [number + source.uniform(-size, size) for number in numbers])
    return tensors[output].values
