"""What holds of every operator, on generated cases.

A case is (fields, shapes, exact): the fields as a spec would write them, the inputs' shapes, and whether
`reach` is exact for them. It is not where filters share a group of several
channels, or where a dimension is spread; there it may only say too much.
"""

from __future__ import annotations

import json
from itertools import product, repeat
from math import ceil, prod
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convcalc import ops
from convcalc.errors import Misfit
from convcalc.ops._base import SCATTERED, WHOLE, Operator, Tensor

sizes = st.integers(1, 7)
few = st.integers(1, 3)
some_channels = st.integers(1, 5)


@st.composite
def shapes_of(draw, least_rank=0, most_rank=3, channels=some_channels):
    """(C, *spatial); small volumes."""
    rank = draw(st.integers(least_rank, most_rank))
    largest = {0: 7, 1: 7, 2: 6, 3: 4}[rank]
    return (draw(channels), *(draw(st.integers(1, largest)) for _ in range(rank)))


@st.composite
def windows(draw, spatial):
    """kernel, stride, dilation, padding and rounding that fit."""
    rank = len(spatial)
    kernel = [draw(few) for _ in range(rank)]
    stride = [draw(few) for _ in range(rank)]
    dilation = [draw(st.integers(1, 2)) for _ in range(rank)]
    padding = draw(st.sampled_from(["pairs", "same", "one", "valid"]))
    if padding == "pairs":
        padding = [[draw(st.integers(0, 2)), draw(st.integers(0, 2))] for _ in range(rank)]
    elif padding == "one":
        padding = draw(st.integers(0, 2))
    spans = []
    for axis, size in enumerate(spatial):
        extent = dilation[axis] * (kernel[axis] - 1) + 1
        around = {"valid": 0, "same": max(0, (-(-size // stride[axis]) - 1) * stride[axis] + extent - size)}
        around = (
            sum(padding[axis])
            if isinstance(padding, list)
            else around[padding]
            if padding in around
            else 2 * padding
        )
        spans.append(size + around - extent)
    divides = all(span % step == 0 for span, step in zip(spans, stride, strict=True))
    rounding = draw(st.sampled_from(["floor", "ceil", "exact"] if divides else ["floor", "ceil"]))
    return {
        "kernel": kernel,
        "stride": stride,
        "dilation": dilation,
        "padding": padding,
        "rounding": rounding,
    }


@st.composite
def conv(draw):
    depthwise = draw(st.booleans())
    depth, share = 1 if depthwise else draw(st.integers(1, 2)), draw(st.integers(1, 2))
    groups = draw(few)
    shape = draw(shapes_of(1, 3, st.just(groups * depth)))
    window = draw(windows(shape[1:]))
    exact = groups == 1 or share == 1 or depth == 1
    fields = {"filters": groups * share, "bias": draw(st.booleans()), **window}
    if depthwise:
        fields["depthwise"] = True
        if share == 1 and draw(st.booleans()):
            del fields["filters"]  # as many as the input has channels
    else:
        fields["groups"] = groups
    return fields, (shape,), exact


@st.composite
def deconv(draw):
    fields, shapes, exact = draw(conv())
    del fields["rounding"]
    if fields.pop("depthwise", False):  # written as groups
        fields = {"filters": shapes[0][0], "groups": shapes[0][0], **fields}
    if fields["padding"] != "same":
        most = [max(s, d) - 1 for s, d in zip(fields["stride"], fields["dilation"], strict=True)]
        fields["output_padding"] = [draw(st.integers(0, extra)) for extra in most]
    return fields, shapes, exact


@st.composite
def maxpool(draw):
    shape = draw(shapes_of(1, 3))
    window = draw(windows(shape[1:]))
    return window, (shape,), True


@st.composite
def avgpool(draw):
    shape = draw(shapes_of(1, 3))
    window = draw(windows(shape[1:]))
    divisor = draw(st.sampled_from([None, None, 1, 5]))
    return {"count_padding": draw(st.booleans()), "divisor": divisor, **window}, (shape,), True


@st.composite
def adaptive_pool(draw):
    shape = draw(shapes_of(1, 3))
    size = [draw(sizes) for _ in shape[1:]]
    return {"size": size}, (shape,), True


@st.composite
def dense(draw):
    shape = draw(shapes_of(0, 3))
    axis = None if len(shape) == 1 and draw(st.booleans()) else "last"
    return {"units": draw(sizes), "axis": axis, "bias": draw(st.booleans())}, (shape,), True


@st.composite
def some_axis(draw, rank):
    """A dimension, and a way to write it."""
    dimension = draw(st.integers(0, rank - 1))
    ways = [dimension, dimension - rank]
    ways += ["channels"] if dimension == 0 else []
    ways += ["last"] if dimension == rank - 1 else []
    return dimension, draw(st.sampled_from(ways))


@st.composite
def over_axes(draw, **fields):
    """What normalises over one dimension or several."""
    shape = draw(shapes_of(0, 3))
    if draw(st.booleans()):
        dimension, axis = draw(some_axis(len(shape)))
        found = [dimension]
    else:
        found = draw(st.lists(st.sampled_from(range(len(shape))), min_size=1, unique=True))
        axis = [draw(st.sampled_from([dimension, dimension - len(shape)])) for dimension in found]
    written = {name: draw(strategy) for name, strategy in fields.items()}
    # One value normalised by itself is always the same.
    return {"axis": axis, **written}, (shape,), prod(shape[dimension] for dimension in found) > 1


@st.composite
def softmax(draw):
    shape = draw(shapes_of(0, 3))
    dimension, axis = draw(some_axis(len(shape)))
    return {"axis": axis}, (shape,), shape[dimension] > 1


@st.composite
def groupnorm(draw):
    groups, share = draw(few), draw(few)
    shape = draw(shapes_of(0, 3, st.just(groups * share)))
    exact = (groups == 1 or share == 1) and prod(shape) > groups
    return {"groups": groups, "affine": draw(st.booleans())}, (shape,), exact


@st.composite
def instancenorm(draw):
    shape = draw(shapes_of(1, 3))
    return {"affine": draw(st.booleans())}, (shape,), prod(shape[1:]) > 1


@st.composite
def clip(draw):
    """Bounds beyond what is poked, or one of them: a value that is cut off does not move."""
    shape = draw(shapes_of(0, 3))
    bounds = draw(st.sampled_from([{"min": -1}, {"max": 30}, {"min": -1, "max": 30}, {"min": 1}, {"max": 1}]))
    return bounds, (shape,), 1 not in bounds.values()


@st.composite
def reshape(draw):
    shape = draw(shapes_of(0, 3))
    options = [[-1], list(shape), [1, -1], [shape[0], -1], [-1, shape[-1]], list(reversed(shape))]
    return {"shape": draw(st.sampled_from(options))}, (shape,), False


@st.composite
def transpose(draw):
    shape = draw(shapes_of(0, 3))
    return {"order": draw(st.permutations(range(len(shape))))}, (shape,), True


@st.composite
def pad(draw):
    shape = draw(shapes_of(0, 3))
    mode = draw(st.sampled_from(["constant", "zeros", "reflect", "replicate", "circular"]))
    padding = [[draw(st.integers(0, 2)), draw(st.integers(0, 2))] for _ in shape[1:]]
    fields = {"mode": mode, "padding": padding} if padding else {"mode": mode}
    if not padding or draw(st.booleans()):
        fields["channels"] = draw(st.sampled_from([2, [1, 0], [0, 2], [2, 1]]))
    if mode == "constant":
        fields["value"] = draw(st.sampled_from([0, 0.5]))
    return fields, (shape,), True


@st.composite
def crop(draw):
    shape = draw(shapes_of(1, 3))
    size = [draw(st.integers(1, n)) for n in shape[1:]]
    offset = [draw(st.integers(0, n - m)) for n, m in zip(shape[1:], size, strict=True)]
    return {"size": size, "offset": draw(st.sampled_from([None, offset]))}, (shape,), True


@st.composite
def slice_(draw):
    shape = draw(shapes_of(0, 3))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    kept = slice(
        *(draw(st.one_of(st.none(), st.integers(-7, 7))) for _ in range(2)), draw(st.integers(-3, 3))
    )
    fields = {"axis": axis, "start": kept.start, "stop": kept.stop, "step": kept.step}
    return fields, (shape,), True


@st.composite
def select(draw):
    shape = draw(shapes_of(0, 3))
    axis, written = draw(some_axis(len(shape)))
    index = st.integers(-shape[axis], shape[axis] - 1)
    return {"axis": written, "indices": draw(st.lists(index, min_size=1, max_size=9))}, (shape,), False


@st.composite
def upsample(draw):
    shape = draw(shapes_of(1, 3))
    mode = draw(st.sampled_from(["nearest", "bilinear", "bicubic"]))
    fields = {"mode": mode, "align_corners": mode != "nearest" and draw(st.booleans())}
    if draw(st.booleans()):
        fields["size"] = [draw(st.integers(1, 9 if len(shape) < 4 else 5)) for _ in shape[1:]]
    else:
        whole = st.integers(1, 4 if len(shape) < 4 else 2)
        scales = st.one_of(whole, st.sampled_from([0.5, 1.5, 0.75, 2 / 3, 1.2]))
        fields["scale"] = [draw(scales) for _ in shape[1:]]
    # bicubic: a unit on a pixel's centre reads that pixel alone
    return fields, (shape,), mode != "bicubic"


@st.composite
def pixel_shuffle(draw):
    factor = draw(few)
    shape = draw(shapes_of(1, 3, st.just(1)))
    channels = factor ** (len(shape) - 1) * draw(st.integers(1, 2))
    return {"factor": factor}, ((channels, *shape[1:]),), False


@st.composite
def pixel_unshuffle(draw):
    factor = draw(few)
    shape = draw(shapes_of(1, 3))
    return {"factor": factor}, ((shape[0], *(factor * draw(st.integers(1, 2)) for _ in shape[1:])),), False


@st.composite
def some_axes(draw, rank):
    """A few dimensions, counted from either end; None for the spatial ones."""
    axes = [
        axis - rank * draw(st.integers(0, 1))
        for axis in draw(st.permutations(range(rank)))
        if draw(st.booleans())
    ]
    return axes[0] if len(axes) == 1 and draw(st.booleans()) else axes or None


@st.composite
def reduce(draw):
    shape = draw(shapes_of(0, 3))
    mode = draw(st.sampled_from(["mean", "sum", "max", "min"]))
    axes = draw(some_axes(len(shape)))
    # the least stays where another value grows
    return {"mode": mode, "axis": axes, "keep": draw(st.booleans())}, (shape,), mode != "min"


@st.composite
def roll(draw):
    shape = draw(shapes_of(0, 3))
    axes = draw(some_axes(len(shape)))
    count = len(shape) - 1 if axes is None else len(axes) if isinstance(axes, list) else 1
    shift = draw(st.one_of(st.integers(-9, 9), st.lists(st.integers(-9, 9), min_size=count, max_size=count)))
    return {"shift": shift or 1, "axis": axes}, (shape,), True


@st.composite
def channel_shuffle(draw):
    groups = draw(few)
    shape = draw(shapes_of(0, 3, st.sampled_from([groups, 2 * groups])))
    return {"groups": groups}, (shape,), False


@st.composite
def concat(draw):
    shape = draw(shapes_of(0, 3))
    dimension, axis = draw(some_axis(len(shape)))
    shapes = tuple(
        (*shape[:dimension], draw(few), *shape[dimension + 1 :]) for _ in range(draw(st.integers(2, 3)))
    )
    return {"axis": axis}, shapes, True


@st.composite
def broadcast(draw, most=3, exact=True):
    """Inputs of a join: dimensions of 1 here and there."""
    shape = draw(shapes_of(0, 3))
    count = draw(st.integers(2, most))
    return {}, tuple(tuple(draw(st.sampled_from([1, n])) for n in shape) for _ in range(count)), exact


@st.composite
def parameter(draw):
    fields = {"initial": draw(st.sampled_from([0, 0.5])), "fixed": draw(st.booleans())}
    return {"shape": list(draw(shapes_of(0, 3))), **fields}, (), True


@st.composite
def constant(draw):
    rank = draw(few)
    window = [draw(st.integers(1, 3 if rank < 3 else 2)) for _ in range(rank)]
    rule = draw(st.sampled_from(["window_mask", "relative_positions", "log_relative_positions"]))
    fields = {"rule": rule, "window": window}
    if rule == "window_mask":
        fields["size"] = [draw(st.integers(1, 5 if rank < 3 else 3)) for _ in window]
        fields["shift"] = [draw(st.integers(0, size - 1)) for size in window]
    return fields, (), True


@st.composite
def gather(draw):
    """A table long enough for an index that a test adds 20 to."""
    before, after = draw(st.sampled_from([(), (2,), (3, 2)])), draw(st.sampled_from([(), (3,)]))
    indices = tuple(draw(st.integers(1, 3)) for _ in range(draw(st.integers(1, 2))))
    return {"indices": "a", "axis": len(before)}, ((*before, 24, *after), indices), False


@st.composite
def matmul(draw):
    batch = tuple(draw(few) for _ in range(draw(st.integers(0, 2))))
    rows, inner, columns = draw(sizes), draw(sizes), draw(sizes)
    flipped = {"transpose_a": draw(st.booleans()), "transpose_b": draw(st.booleans())}
    a = (inner, rows) if flipped["transpose_a"] else (rows, inner)
    b = (columns, inner) if flipped["transpose_b"] else (inner, columns)
    return flipped, ((*batch, *a), (*batch, *b)), True


@st.composite
def attention(draw):
    """Small weights would do; these are not, so that scores lie far apart: then most shares are 0 and an element that
    is read moves nothing."""
    heads, depth, rank = draw(few), draw(few), draw(st.integers(1, 3))
    positions = [draw(st.integers(1, 6 if rank < 3 else 3)) for _ in range(rank)]
    fields = {"heads": heads, "in_bias": draw(st.booleans()), "out_bias": draw(st.booleans())}
    windows, places = 1, prod(positions)
    if draw(st.booleans()):
        window = [draw(st.integers(1, 3)) for _ in positions]
        fields |= {"window": window, "shift": [draw(st.integers(0, size - 1)) for size in window]}
        windows = prod(-(-size // wide) for size, wide in zip(positions, window, strict=True))
        places = prod(window)
    fields["axis"] = draw(st.sampled_from(["last", "channels"]))
    fields |= draw(st.sampled_from([{}, {"similarity": "cosine"}, {"scale": 0.3}]))
    features = (heads * depth,)
    shapes = [(*features, *positions) if fields["axis"] == "channels" else (*positions, *features)]
    if draw(st.booleans()):
        fields["bias"] = "b"
        shapes.append((heads, places, places))
    if draw(st.booleans()):
        fields["mask"] = "m"
        shapes.append(draw(st.sampled_from([(windows, places, places), (places, places)])))
    return fields, tuple(shapes), False


@st.composite
def anything(draw, exact=True, least_rank=0, **fields):
    """Any shape, and a value for each field from its strategy."""
    shape = draw(shapes_of(least_rank, 3))
    return {name: draw(strategy) for name, strategy in fields.items()}, (shape,), exact


CASES = {
    "abs": anything(),
    "adaptive_avgpool": adaptive_pool(),
    "adaptive_maxpool": adaptive_pool(),
    "attention": attention(),
    "add": broadcast(),
    "avgpool": avgpool(),
    "batchnorm": anything(affine=st.booleans(), eps=st.sampled_from([1e-5, 0.001]), frozen=st.booleans()),
    "celu": anything(alpha=st.floats(0.1, 2)),
    "channel_shuffle": channel_shuffle(),
    "clip": clip(),
    "concat": concat(),
    "constant": constant(),
    "conv": conv(),
    "crop": crop(),
    "deconv": deconv(),
    "dense": dense(),
    "divide": broadcast(2),
    "dropout": anything(rate=st.floats(0, 1)),
    "elu": anything(alpha=st.floats(0.1, 2)),
    "erf": anything(),
    "exp": anything(),
    "flatten": anything(exact=False),
    "gelu": anything(approximate=st.sampled_from(["none", "tanh"])),
    "gather": gather(),
    "global_avgpool": anything(least_rank=1),
    "global_maxpool": anything(least_rank=1),
    "groupnorm": groupnorm(),
    "hardsigmoid": anything() | anything(exact=False, alpha=st.floats(0.1, 1), beta=st.floats(0, 1)),
    "hardswish": anything(),
    "identity": anything(),
    "instancenorm": instancenorm(),
    "l2norm": over_axes(),
    "layernorm": over_axes(affine=st.booleans()),
    "leaky_relu": anything(slope=st.floats(0.1, 1)),
    "log": anything(),
    "lrn": anything(size=sizes, alpha=st.just(1), beta=st.floats(0.5, 1), k=st.sampled_from([1, 2])),
    "matmul": matmul(),
    "maximum": broadcast(),
    "maxpool": maxpool(),
    "minimum": broadcast(exact=False),
    "mish": anything(),
    "multiply": broadcast(),
    "negate": anything(),
    "pad": pad(),
    "parameter": parameter(),
    "pixel_shuffle": pixel_shuffle(),
    "pixel_unshuffle": pixel_unshuffle(),
    "prelu": anything(per_channel=st.booleans(), initial=st.floats(0.1, 1)),
    "reciprocal": anything(),
    "reduce": reduce(),
    "relu": anything(),
    "relu6": anything(),
    "reshape": reshape(),
    "rmsnorm": over_axes(affine=st.booleans()),
    "roll": roll(),
    "scale": anything(initial=st.floats(0, 1)) | anything(value=st.floats(0.1, 2)),
    "select": select(),
    "selu": anything(alpha=st.floats(0.1, 2), scale=st.floats(0.1, 2)),
    "sigmoid": anything(),
    "silu": anything(),
    "slice": slice_(),
    "softmax": softmax(),
    "softplus": anything(beta=st.floats(0.1, 2), threshold=st.floats(-3, 30)),
    "sqrt": anything(),
    "subtract": broadcast(2),
    "tanh": anything(),
    "transpose": transpose(),
    "upsample": upsample(),
}

every_operator = pytest.mark.parametrize("kind", sorted(CASES))


def bound_or_none(kind, fields, shapes):
    """The bound operator and its output shape; None for a case that does not fit, which must be a Misfit."""
    infos = ops.get(kind).fields()
    values = {name: infos[name].kind.check(value) for name, value in fields.items()}
    try:
        operator = ops.get(kind)(**values).bind(shapes)
        return operator, operator.output_shape(shapes)
    except Misfit:
        return None


def numbers(shape, first=1):
    """Distinct numbers between 0 and 2.5, where no activation is flat."""
    count = prod(shape)
    return [2.5 * ((first + 7 * i) % (count + 10) + 1) / (count + 12) for i in range(count)]


def tensors(operator, shapes):
    inputs = [Tensor(shape, numbers(shape, first)) for first, shape in enumerate(shapes, 1)]
    weights = {p.name: numbers(p.shape, 3) for p in operator.parameters(shapes)}
    return inputs, weights


@every_operator
@settings(max_examples=60)
@given(data=st.data())
def test_forward_agrees_with_the_shape_rule(kind, data):
    fields, shapes, _ = data.draw(CASES[kind])
    if found := bound_or_none(kind, fields, shapes):
        operator, shape = found
        inputs, weights = tensors(operator, shapes)
        output = operator.forward(inputs, weights)
        assert output.shape == shape
        assert len(output.values) == prod(shape)
        if operator.pointwise:
            assert shape == shapes[0]
            assert operator.macs(shapes) == 0


@every_operator
@settings(max_examples=60)
@given(data=st.data())
def test_bound_operators_are_values(kind, data):
    """Binding twice changes nothing; bound operators are keys; their fields are JSON; and a spec that writes
    all of them out means the same operator."""
    fields, shapes, _ = data.draw(CASES[kind])
    if found := bound_or_none(kind, fields, shapes):
        operator, _ = found
        assert operator.bind(shapes) == operator
        assert hash(operator.bind(shapes)) == hash(operator)
        shown = json.loads(json.dumps(operator.shown_fields()))
        infos = operator.fields()
        written = type(operator)(**{name: infos[name].kind.check(value) for name, value in shown.items()})
        assert written.bind(shapes).shown_fields() == operator.shown_fields()
        for line in operator.working(shapes):
            assert line.what
            assert line.text


@every_operator
@settings(max_examples=60)
@given(data=st.data())
def test_parameters_add_up(kind, data):
    fields, shapes, _ = data.draw(CASES[kind])
    if found := bound_or_none(kind, fields, shapes):
        operator, _ = found
        parameters = operator.parameters(shapes)
        assert len({p.name for p in parameters}) == len(parameters)
        factors = operator.weight_factors(shapes)
        if factors:
            assert prod(factors) == sum(prod(p.shape) for p in parameters if p.role == "weight")
        starts = [not factors or p.role != "weight" or p.initial != 0 for p in parameters]
        assert [p.fan_in is None for p in parameters] == starts


def stored(tensor, order):
    """The tensor whose dimension order[i] is the given tensor's dimension i."""
    places = [order.index(dimension) for dimension in range(len(order))]
    return ops.get("transpose")(order=places).forward([tensor], {})


@every_operator
@settings(max_examples=60)
@given(data=st.data())
def test_stored_in_another_order_means_the_same(kind, data):
    """What `reordered` gives computes the same numbers, from inputs stored in that order."""
    fields, shapes, _ = data.draw(CASES[kind])
    rank = len(shapes[0]) if shapes else 0
    order = tuple(data.draw(st.permutations(range(rank)), label="order"))
    if found := bound_or_none(kind, fields, shapes):
        operator, shape = found
        assert operator.reordered(tuple(range(rank))) is not None
        inputs, weights = tensors(operator, shapes)
        wanted = operator.forward(inputs, weights)
        if again := operator.reordered(order):
            in_sequence = tuple(range(len(shape)))
            order_after = in_sequence if again.order is None else again.order
            assert tuple(sorted(order_after)) == in_sequence
            named = operator.named_inputs(shapes).values()
            inputs = [
                tensor if place in named else stored(tensor, order) for place, tensor in enumerate(inputs)
            ]
            given_shapes, shapes = shapes, tuple(tensor.shape for tensor in inputs)
            other = again.operator.bind(shapes)
            output = other.forward(inputs, weights)
            assert output.shape == other.output_shape(shapes)
            wanted = stored(wanted, order_after)
            assert output.shape == wanted.shape
            assert output.values == pytest.approx(wanted.values)
            own = [(p.name, [n for n in p.shape if n > 1]) for p in operator.parameters(given_shapes)]
            assert [(p.name, [n for n in p.shape if n > 1]) for p in other.parameters(shapes)] == own


class Counted:
    """An integer that counts the multiplications it takes part in."""

    count = 0

    def __init__(self, value):
        self.value = value

    def __mul__(self, other):
        Counted.count += 1
        return self.value * other

    __rmul__ = __mul__


@pytest.mark.parametrize("kind", sorted(kind for kind in CASES if kind in ("conv", "deconv", "dense")))
@given(data=st.data())
def test_macs_are_the_multiplications_made(kind, data):
    fields, shapes, _ = data.draw(CASES[kind])
    if found := bound_or_none(kind, fields, shapes):
        operator, _ = found
        inputs, weights = tensors(operator, shapes)
        weights["weight"] = [Counted(value) for value in weights["weight"]]
        Counted.count = 0
        operator.forward(inputs, weights)
        assert Counted.count == operator.macs(shapes)


@every_operator
def test_only_what_multiplies_by_matrices_has_macs(kind):
    own = ops.get(kind).macs is not Operator.macs
    assert own == (kind in ("attention", "conv", "deconv", "dense", "matmul"))


def reads(walk, place, index, size):
    """Whether the output unit at `place` reads `index` of a dimension of `size`, as far as the walk says."""
    if walk in (WHOLE, SCATTERED):
        return True
    start = walk.leader(place[walk.out]) * walk.stride + walk.start
    within = range(ceil(start), ceil(start + walk.size))
    return index in [
        continued(at, size, walk.beyond) for at in within if not walk.gap or (at - start) % walk.gap == 0
    ]


def continued(at, size, beyond):
    """The number of a dimension that stands at a place within it or beyond its ends; -1: none."""
    if 0 <= at < size:
        return at
    if beyond == "reflect":
        return abs(at) if at < size else 2 * (size - 1) - at
    if beyond == "replicate":
        return min(max(at, 0), size - 1)
    return at % size if beyond == "circular" else -1


@every_operator
@settings(max_examples=80)
@given(data=st.data())
def test_a_poked_element_moves_what_reads_it(kind, data):
    """Adding to one input element moves the outputs whose reach covers it: all of them where the case is
    exact, and never another."""
    fields, shapes, exact = data.draw(CASES[kind])
    if shapes and (found := bound_or_none(kind, fields, shapes)):
        operator, shape = found
        inputs, weights = tensors(operator, shapes)
        before = operator.forward(inputs, weights).values
        number = data.draw(st.integers(0, len(shapes) - 1), label="input")
        place = tuple(data.draw(st.integers(0, size - 1)) for size in shapes[number])
        values = list(inputs[number].values)
        values[sum(p * prod(shapes[number][d + 1 :]) for d, p in enumerate(place))] += 20
        inputs[number] = Tensor(shapes[number], values)
        after = operator.forward(inputs, weights).values
        walks = operator.reach(shapes, number)
        assert len(walks) == len(shapes[number])
        covered = [
            all(map(reads, walks, repeat(unit), place, shapes[number]))
            for unit in product(*map(range, shape))
        ]
        moved = [a != b for a, b in zip(before, after, strict=True)]
        assert all(reader for reader, changed in zip(covered, moved, strict=True) if changed)
        if exact:
            assert covered == moved


def test_one_operator_and_one_test_file_per_module():
    here = Path(__file__).parent
    assert {*CASES, "unknown"} == set(ops.names())  # what is unknown computes nothing
    for kind in ops.names():
        module = __import__(f"convcalc.ops.{kind}", fromlist=["*"])
        own = [
            value
            for value in vars(module).values()
            if isinstance(value, type) and issubclass(value, Operator) and value.__module__ == module.__name__
        ]
        assert [operator.kind for operator in own] == [kind]
        assert own[0] is ops.get(kind)
        assert own[0].__doc__
        assert (here / f"test_{kind}.py").exists()


@every_operator
def test_defaults_are_what_a_spec_could_write(kind):
    for name, info in ops.get(kind).fields().items():
        assert info.doc, name
        if not info.required:
            assert info.kind.check(info.default) == info.default
    main = ops.get(kind).main
    assert main is None or main in ops.get(kind).fields()


def test_unknown_operators():
    with pytest.raises(KeyError):
        ops.get("base")
    with pytest.raises(KeyError):
        ops.get("../conv")
