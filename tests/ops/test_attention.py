"""Multi-head attention. What PyTorch gives was computed by torch 2.14.1 and torchvision 0.29.1 in float64."""

from __future__ import annotations

from math import e, log, prod, sin, sqrt

import pytest

from convcalc.errors import Misfit
from convcalc.ops._base import SCATTERED, WHOLE, Reach, Tensor


def nest(shape, values):
    """Values in row-major order as nested lists."""
    if not shape:
        return values[0]
    step = prod(shape[1:])
    return [nest(shape[1:], values[i * step : (i + 1) * step]) for i in range(shape[0])]


def flat(nested):
    return [value for item in nested for value in flat(item)] if isinstance(nested, list) else [nested]


def wave(shape, step, factor=1.0):
    """factor·sin(step·i) for i from 1, as nested lists."""
    return nest(shape, [factor * sin(step * (i + 1)) for i in range(prod(shape))])


WEIGHTS = {
    "in_proj_weight": wave((12, 4), 0.7),
    "in_proj_bias": wave((12,), 0.3),
    "out_proj.weight": wave((4, 4), 0.9),
    "out_proj.bias": wave((4,), 0.5),
}


def near(nested):
    if isinstance(nested[0], list):
        return [near(item) for item in nested]
    return pytest.approx(nested, abs=2e-6)


def test_by_hand(run):
    """One head of one feature that is projected by 1: x = (ln 3, 0). ln 3·(ln 3, 0) are the scores of the first
    position, 0 those of the second, which takes the mean."""
    weights = {"in_proj_weight": [[1], [1], [1]], "out_proj.weight": [[2]]}
    output = run("attention", [[log(3)], [0]], weights=weights, heads=1, in_bias=False, out_bias=False)
    share = e ** (log(3) ** 2) / (e ** (log(3) ** 2) + 1)
    assert output == [[pytest.approx(2 * share * log(3))], [pytest.approx(log(3))]]


def test_as_multihead_attention(run):
    """torch.nn.MultiheadAttention(4, 2) on three positions."""
    x = wave((3, 4), 1.1, 2)
    assert run("attention", x, weights=WEIGHTS, heads=2) == near(
        [
            [2.162692, -1.323762, 3.197611, -0.871415],
            [3.912339, -1.931037, 2.537121, 0.920459],
            [0.563742, 0.946769, 0.724325, 1.293935],
        ]
    )


def test_as_multihead_attention_with_a_mask(run):
    """attn_mask of a number for each head and pair of positions: our bias."""
    x, bias = wave((3, 4), 1.1, 2), wave((2, 3, 3), 0.4, 3)
    assert run("attention", x, bias, weights=WEIGHTS, heads=2, bias="b") == near(
        [
            [2.122415, -1.327469, 3.244535, -0.951868],
            [3.922192, -1.93156, 2.528207, 0.936971],
            [0.539795, 0.984045, 0.681417, 1.333615],
        ]
    )


def test_features_first_is_the_same(run):
    x = wave((3, 4), 1.1, 2)
    turned = [list(column) for column in zip(*x, strict=True)]
    output = run("attention", turned, weights=WEIGHTS, heads=2, axis="channels")
    assert [list(row) for row in zip(*output, strict=True)] == near(
        run("attention", x, weights=WEIGHTS, heads=2)
    )


# torchvision's shifted_window_attention on 5×4 positions of 4 features, 2 heads, windows of 2×3: one row and two
# columns are added.
SHIFTED = {
    (0, 0): [
    1.160268, 0.006169, 1.814781, 0.278783, 1.322899, -0.145778, 1.924668, 0.233645,
    3.144019, -1.359277, 2.279981, 0.809886, 0.259181, 1.385988, 0.24114, 1.721317,
    0.724746, 0.517679, 1.332902, 0.631532, 1.028814, 0.204079, 1.591279, 0.481727,
    1.821137, -0.910959, 2.798796, -0.568936, 1.059455, -0.277819, 2.424931, -0.531543,
    1.405841, -0.280473, 2.083306, 0.083822, 0.076126, 2.243554, -1.113864, 3.293973,
    0.720213, 0.689161, 1.029878, 1.003528, 2.0005, -1.171788, 3.087235, -0.825428,
    2.213262, -1.846938, 4.085365, -1.94044, 1.170464, -0.104675, 2.003386, 0.051362,
    1.428331, -0.249249, 2.004814, 0.193374, 0.009573, 1.447636, 0.38018, 1.410297,
    0.160176, 0.705811, 1.560053, 0.036001, 0.192399, 0.813443, 1.33479, 0.33238,
    0.919305, -0.546128, 3.046297, -1.377665, 1.365723, 0.061478, 1.510128, 0.769874,
    ],
    (1, 1): [
    1.334418, -0.147014, 1.915367, 0.251564, 0.439651, 0.004354, 2.538652, -1.017677,
    0.956501, -0.107103, 2.221703, -0.337766, 0.625242, 1.344884, -0.051201, 2.286739,
    -0.062273, 0.297271, 2.515226, -1.268579, 1.012871, 0.153085, 1.698682, 0.340094,
    1.740225, -1.100147, 3.21902, -1.133427, 1.387005, -0.675474, 2.810583, -0.825561,
    3.188699, -1.537972, 2.555792, 0.493908, -0.229119, 2.045978, -0.454263, 2.308544,
    0.842374, 0.366591, 1.486252, 0.507584, 0.997993, 0.117843, 1.776767, 0.235288,
    0.764023, -0.683302, 3.447604, -1.960242, 1.581858, -0.484115, 2.272524, -0.051902,
    1.758653, -0.665094, 2.420318, -0.135995, 0.068904, 1.807652, -0.324846, 2.314757,
    0.816015, 0.585362, 1.120242, 0.945259, 0.189455, 0.816918, 1.331501, 0.334805,
    1.766659, -1.528255, 3.960404, -2.035005, 1.714685, -0.61203, 2.369114, -0.097224,
    ],
    (1, 0): [
    1.275708, 0.051447, 1.618134, 0.586195, 0.639775, 0.596862, 1.275855, 0.654662,
    -0.041828, 1.450293, 0.426815, 1.323999, 0.299376, 1.058281, 0.788692, 1.066979,
    1.149306, 0.263398, 1.364398, 0.829324, 1.069871, 0.210594, 1.538538, 0.569805,
    2.033689, -1.71451, 4.027427, -1.968955, 1.061275, -0.028824, 1.976534, 0.02367,
    1.271353, -0.402062, 2.435866, -0.426911, -0.157828, 2.092799, -0.609529, 2.540194,
    1.094607, 0.201983, 1.529246, 0.595081, -1.042726, 1.616833, 1.129021, -0.10196,
    2.125691, -1.560184, 3.658637, -1.461852, 0.387387, 0.813133, 1.140358, 0.681408,
    0.270266, 0.927965, 1.051527, 0.725896, 1.073294, 0.531749, 0.959117, 1.28785,
    0.457292, 0.695925, 1.280668, 0.546968, 0.432183, 0.733441, 1.238491, 0.585097,
    2.166494, -1.631371, 3.74551, -1.546472, 1.469761, -0.833409, 3.011085, -1.02723,
    ],
}  # fmt: skip


@pytest.mark.parametrize("shift", SHIFTED)
def test_as_swins_windows(run, shift):
    """Its mask of −100 is what parts of a wrapped window are kept apart by."""
    x, bias = wave((5, 4, 4), 1.3, 2), wave((2, 6, 6), 0.2)
    output = run("attention", x, bias, weights=WEIGHTS, heads=2, window=[2, 3], shift=list(shift), bias="b")
    assert flat(output) == near(SHIFTED[shift])


# The same with logit_scale (1.2, 5): the factors e^1.2 and 100.
COSINE = {
    (0, 0): [
    -0.404721, 1.530558, 0.645752, 0.851067, -0.433071, 1.375859, 0.951557, 0.4573,
    -0.470011, 1.309632, 1.107277, 0.244241, 0.271803, 1.502265, 0.019972, 2.001707,
    -0.551289, 1.647006, 0.583469, 0.846325, -0.474809, 1.546456, 0.687326, 0.760605,
    0.065279, 0.85201, 1.392739, 0.189881, 0.857686, 0.058782, 2.023001, -0.147275,
    0.010098, 0.888028, 1.383322, 0.170753, -0.583506, 2.766147, -1.391513, 3.269347,
    -1.002246, 2.551701, -0.58816, 2.042966, 2.299751, -1.448172, 3.283683, -0.901377,
    0.155351, 0.661109, 1.645052, -0.071745, -0.135565, 1.024167, 1.284817, 0.211284,
    0.150712, 0.784448, 1.428479, 0.193343, 0.092181, 1.372622, 0.432111, 1.392172,
    0.318409, 0.69088, 1.428598, 0.286697, 0.320818, 0.716783, 1.379733, 0.348435,
    0.834691, -0.272263, 2.63973, -0.922344, 1.597314, 0.012274, 1.366785, 1.076166,
    ],
    (1, 1): [
    1.334418, -0.147014, 1.915367, 0.251564, -0.11433, 1.053424, 1.21111, 0.314223,
    0.542378, 0.573289, 1.415532, 0.427724, 0.335199, 2.020558, -0.97299, 3.264309,
    -0.723404, 1.238812, 1.487687, -0.367211, -0.833529, 1.837582, 0.523908, 0.762574,
    -0.330843, 1.241321, 1.090627, 0.342414, 0.974381, -0.266524, 2.489747, -0.659087,
    -0.313367, 1.194511, 1.157105, 0.269994, -0.090721, 1.795627, -0.143653, 2.00181,
    -0.973588, 1.865808, 0.613343, 0.573944, -0.810374, 1.831569, 0.511537, 0.790773,
    0.810902, 0.46091, 1.348561, 0.660216, -0.068799, 1.370003, 0.597789, 1.097644,
    0.322627, 0.71145, 1.387489, 0.339858, -0.982251, 2.791613, -1.038441, 2.610641,
    0.803764, 0.28668, 1.668183, 0.261198, -0.872089, 2.381228, -0.412571, 1.898517,
    -0.12102, 1.313121, 0.752028, 0.877896, -0.069746, 1.365389, 0.60701, 1.085721,
    ],
}  # fmt: skip


@pytest.mark.parametrize("shift", COSINE)
def test_as_swin_v2s_cosines(run, shift):
    """Its keys have no bias, whatever the file holds for them."""
    x, bias = wave((5, 4, 4), 1.3, 2), wave((2, 6, 6), 0.2)
    fields = {"heads": 2, "window": [2, 3], "shift": list(shift), "bias": "b", "similarity": "cosine"}
    for other in (WEIGHTS["in_proj_bias"][4:8], [7.0, -8.0, 9.0, 5.0]):
        in_proj_bias = [*WEIGHTS["in_proj_bias"][:4], *other, *WEIGHTS["in_proj_bias"][8:]]
        weights = WEIGHTS | {"in_proj_bias": in_proj_bias, "logit_scale": [[[1.2]], [[5.0]]]}
        assert flat(run("attention", x, bias, weights=weights, **fields)) == near(COSINE[shift])


def test_a_scale_of_its_own(run):
    """½ instead of 1/√2 is queries times 1/√2: MaxViT scales by the number of all features, not by that of a head."""
    x = wave((3, 4), 1.1, 2)
    rows, biases = WEIGHTS["in_proj_weight"], WEIGHTS["in_proj_bias"]
    less = {
        "in_proj_weight": [[value / sqrt(2) for value in row] for row in rows[:4]] + rows[4:],
        "in_proj_bias": [value / sqrt(2) for value in biases[:4]] + biases[4:],
    }
    output = run("attention", x, weights=WEIGHTS, heads=2, scale=0.5)
    assert output == near(run("attention", x, weights=WEIGHTS | less, heads=2))


def test_counts_of_cosines(bound, lines):
    """Swin V2's first stage: a scale for each of three heads besides the four matrices; no other products."""
    shape = (64, 64, 96)
    operator = bound("attention", shape, heads=3, window=8, similarity="cosine")
    (scale,) = [p for p in operator.parameters((shape,)) if p.name == "logit_scale"]
    assert (scale.shape, scale.role, scale.initial) == ((3, 1, 1), "weight", pytest.approx(log(10)))
    assert (
        lines("attention", shape, heads=3, window=8, similarity="cosine")["weights"] == "4·96·96 + 3 = 36,867"
    )
    assert operator.macs((shape,)) == bound("attention", shape, heads=3, window=8).macs((shape,))
    assert operator.module_name((shape,)) == ""


@pytest.mark.parametrize("shift", [(1, 1), (1, 0)])
def test_a_mask_in_its_place(run, bound, shift):
    """Swin's buffer of −100, as a constant makes it, gives the same."""
    x, bias = wave((5, 4, 4), 1.3, 2), wave((2, 6, 6), 0.2)
    mask = bound("constant", rule="window_mask", size=[5, 4], window=[2, 3], shift=list(shift))
    output = run(
        "attention", x, bias, nest(mask.output_shape(()), mask.values()), weights=WEIGHTS, heads=2, window=[2, 3],
        shift=list(shift), bias="b", mask="m",
    )  # fmt: skip
    assert flat(output) == near(SHIFTED[shift])


def test_a_shift_of_one_window_is_none(bound):
    """torchvision leaves it out where a window holds the whole axis: Swin-T's last stage, 7×7."""
    shape = (7, 7, 768)
    operator = bound("attention", shape, heads=24, window=7, shift=3)
    assert not operator.masks_itself(shape)
    assert operator.reach((shape,)) == (WHOLE, WHOLE, WHOLE)


def test_counts_of_vit(bound, lines):
    """ViT-B/16 (Dosovitskiy et al. 2020, table 1): 197 positions of 768 features, 12 heads."""
    shape = (197, 768)
    operator = bound("attention", shape, heads=12)
    assert [(p.name, p.shape, p.role, p.fan_in) for p in operator.parameters((shape,))] == [
        ("in_proj_weight", (2304, 768), "weight", 768),
        ("in_proj_bias", (2304,), "bias", None),
        ("out_proj.weight", (768, 768), "weight", 768),
        ("out_proj.bias", (768,), "bias", None),
    ]
    assert operator.macs((shape,)) == 197 * 768 * 2304 + 197 * 768 * 768 + 2 * 197 * 197 * 768
    assert lines("attention", shape, heads=12) == {
        "weights": "4·768·768 = 2,359,296",
        "biases": "3·768 + 768 = 3,072",
        "projections": "197·4·768·768 = 464,781,312",
        "queries·keys": "12·197·197·64 = 29,805,312",
        "scores·values": "12·197·197·64 = 29,805,312",
        "MACs": "464,781,312 + 2·29,805,312 = 524,391,936",
    }


def test_counts_of_swin(bound, lines):
    """Swin-T's first stage: 56×56 positions of 96 features in 64 windows of 49, 3 heads. Places that fill up windows
    count like others."""
    shape = (56, 56, 96)
    operator = bound("attention", shape, heads=3, window=7, shift=3)
    assert operator.macs((shape,)) == 3136 * 4 * 96 * 96 + 2 * 3136 * 49 * 96
    assert lines("attention", shape, heads=3, window=7)["windows"] == "56/7·56/7 = 64 of 7·7"
    shape = (50, 54, 96)
    operator = bound("attention", shape, heads=3, window=7)
    assert operator.macs((shape,)) == 3136 * 4 * 96 * 96 + 2 * 3136 * 49 * 96
    assert lines("attention", shape, heads=3, window=7)["windows"] == "(50 + 6)/7·(54 + 2)/7 = 64 of 7·7"


class Counted(float):
    """A number that counts the products it takes part in, and whose results are such numbers."""

    count = 0

    def __mul__(self, other):
        Counted.count += 1
        return Counted(float(self) * float(other))

    __rmul__ = __mul__

    def __add__(self, other):
        return Counted(float(self) + float(other))

    __radd__ = __add__


@pytest.mark.parametrize(
    ("shape", "fields"),
    [
        ((3, 6), {"heads": 2}),
        ((4, 3, 5), {"heads": 2, "axis": "channels", "in_bias": False}),
        ((3, 5, 4), {"heads": 2, "window": [2, 3], "shift": [1, 2]}),
    ],
)
def test_macs_are_the_multiplications_made(bound, shape, fields):
    operator = bound("attention", shape, **fields)

    def numbers(wanted):
        return [Counted(sin(i)) for i in range(1, prod(wanted) + 1)]

    weights = {p.name: numbers(p.shape) for p in operator.parameters((shape,))}
    Counted.count = 0
    operator.forward([Tensor(shape, numbers(shape))], weights)
    assert Counted.count == operator.macs((shape,))


def test_reach(bound):
    shapes = ((5, 4, 6), (2, 6, 6), (6, 6, 6))
    plain = bound("attention", shapes[0], heads=2)
    assert plain.reach(shapes[:1]) == (WHOLE, WHOLE, WHOLE)
    operator = bound("attention", *shapes, heads=2, window=[2, 3], shift=[1, 0], bias="b", mask="m")
    assert operator.reach(shapes, 0) == (WHOLE, Reach(1, 3, block=3), WHOLE)
    assert operator.reach(shapes, 1) == (WHOLE, SCATTERED, WHOLE)
    assert operator.reach(shapes, 2) == (SCATTERED, SCATTERED, WHOLE)
    shapes = ((6, 5), (2, 5, 5), (5, 5))
    operator = bound("attention", *shapes, heads=2, axis="channels", bias="b", mask="m")
    assert operator.reach(shapes, 0) == (WHOLE, WHOLE)
    assert operator.reach(shapes, 1) == (WHOLE, Reach(1), WHOLE)
    assert operator.reach(shapes, 2) == (Reach(1), WHOLE)


@pytest.mark.parametrize(
    ("shapes", "fields", "message", "hint"),
    [
        (
            [(768,)], {"heads": 12},
            "attention needs positions and features, the input is a vector of 768",
            "reshape: [-1, C] makes positions of C features",
        ),
        (
            [(64, 14, 15)], {"heads": 4},
            "15 features in 4 heads, the input is 64×14×15",
            "give a number of heads that divides 15, or set axis: channels, where the features are the first dimension",
        ),
        ([(197, 768)], {"heads": 7}, "768 features in 7 heads, the input is 197×768",
         "give a number of heads that divides 768"),
        ([(197, 768)], {"heads": 8, "similarity": "cosine", "scale": 0.5},
         "a scale of 0.5 for cosines, whose factors are learned", "leave out scale, or similarity: cosine"),
        ([(197, 768)], {"heads": 8, "shift": 3}, "a shift without a window", "give window too"),
        ([(197, 768)], {"heads": 8, "window": 7, "shift": 7}, "a shift of 7 in windows of 7",
         "shift by less than a window, usually by half of one"),
        ([(197, 768)], {"heads": 8, "window": [7, 7]}, "window has 2 values, the input has 1 spatial dimension",
         "give one number, or 1"),
        ([(9, 8, 6), (3, 12, 12)], {"heads": 2, "window": [3, 4], "bias": "b"},
         "bias is 3×12×12, the scores need 2×12×12", "12 positions in 6 windows, 2 heads"),
        ([(9, 8, 6), (2, 12, 12)], {"heads": 2, "window": [3, 4], "mask": "m"},
         "mask is 2×12×12, the scores need 6×12×12 or 12×12", "12 positions in 6 windows, 2 heads"),
    ],
)  # fmt: skip
def test_misfits(bound, shapes, fields, message, hint):
    with pytest.raises(Misfit) as caught:
        bound("attention", *shapes, **fields)
    assert (caught.value.message, caught.value.hint) == (message, hint)
