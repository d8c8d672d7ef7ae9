"""Figures from the lecture, from papers and from torchvision, each with its place, against what we compute."""

from __future__ import annotations

import csv
import itertools
from functools import cache
from math import prod
from pathlib import Path

import pytest

import convcalc
from convcalc.analysis.analyse import analyse
from convcalc.graph import Graph, Node
from convcalc.language.load import load_graph

PUBLISHED = Path(__file__).parent / "torchvision" / "published.csv"


@cache
def load(arch: str) -> Graph:
    return load_graph(arch)


def count(nodes: Graph | list[Node], *roles: str) -> int:
    """Numbers in tensors of these roles, shared ones once."""
    return sum(
        prod(parameter.shape)
        for node in nodes
        if node.shares is None
        for parameter in node.parameters
        if parameter.role in roles
    )


def weights(nodes: Graph | list[Node]) -> int:
    return count(nodes, "weight")


def parameters(nodes: Graph | list[Node]) -> int:
    return count(nodes, "weight", "bias")


def macs(nodes: Graph | list[Node]) -> int:
    return sum(node.op.macs(node.input_shapes) for node in nodes)


def weighted(graph: Graph) -> list[tuple[str, tuple[int, ...], int]]:
    """Name, output and weights of every pool and every layer that has weights."""
    return [
        (node.name, node.output_shape, weights([node]))
        for node in graph
        if node.parameters or node.kind in ("maxpool", "global_avgpool")
    ]


# --- the lecture --------------------------------------------------------------------------------------------


def test_lenet5_layer_by_layer() -> None:
    """Lecture, LeNet-5: sizes, and weights without biases."""
    assert weighted(load("lenet5")) == [
        ("conv1", (6, 28, 28), 150),
        ("maxpool1", (6, 14, 14), 0),
        ("conv2", (16, 10, 10), 2_400),
        ("maxpool2", (16, 5, 5), 0),
        ("dense1", (120,), 48_000),
        ("dense2", (84,), 10_080),
        ("dense3", (10,), 840),
    ]


def test_alexnet_layer_by_layer() -> None:
    """Lecture, AlexNet: its sizes; weights exact where it prints 34K, 0.6M, 0.8M, 1.327M, 0.8M, 4M, 16M, 4M."""
    assert weighted(load("alexnet")) == [
        ("conv1", (96, 55, 55), 34_848),
        ("maxpool1", (96, 27, 27), 0),
        ("conv2", (256, 23, 23), 614_400),
        ("maxpool2", (256, 11, 11), 0),
        ("conv3", (384, 9, 9), 884_736),
        ("conv4", (384, 7, 7), 1_327_104),
        ("conv5", (256, 5, 5), 884_736),
        ("maxpool3", (256, 2, 2), 0),
        ("fc1", (4096,), 4_194_304),
        ("fc2", (4096,), 16_777_216),
        ("fc3", (1000,), 4_096_000),
    ]


def test_zfnet_layer_by_layer() -> None:
    """Lecture, ZFNet: AlexNet with F 7 in layer 1 and K 512, 1024, 512 in layers 5 to 7; stride 4 kept."""
    assert weighted(load("zfnet")) == [
        ("conv1", (96, 56, 56), 14_112),
        ("maxpool1", (96, 27, 27), 0),
        ("conv2", (256, 23, 23), 614_400),
        ("maxpool2", (256, 11, 11), 0),
        ("conv3", (512, 9, 9), 1_179_648),
        ("conv4", (1024, 7, 7), 4_718_592),
        ("conv5", (512, 5, 5), 4_718_592),
        ("maxpool3", (512, 2, 2), 0),
        ("fc1", (4096,), 8_388_608),
        ("fc2", (4096,), 16_777_216),
        ("fc3", (1000,), 4_096_000),
    ]


@pytest.mark.parametrize(
    ("layer", "difference"),
    [
        ("conv1", -20_736),  # ((7² − 11²)·3)·96
        ("conv2", 0),
        ("conv3", 294_912),  # (3·3·256)·(512 − 384)
        ("conv4", 3_391_488),  # 3·3·(512·1024 − 384·384); the lecture prints 0.8M
        ("conv5", 3_833_856),  # 3·3·(1024·512 − 384·256); the lecture prints 0.36M
        ("fc1", 4_194_304),  # (2·2·(512 − 256))·4096; the lecture prints no difference
        ("fc2", 0),
        ("fc3", 0),
    ],
)
def test_zfnet_less_alexnet(layer: str, difference: int) -> None:
    ours, theirs = (
        sum(weights([node]) for node in load(arch) if node.name == layer) for arch in ("zfnet", "alexnet")
    )
    assert ours - theirs == difference


def test_zfnet_less_alexnet_in_total() -> None:
    """Lecture prints 1.45M."""
    assert weights(load("zfnet")) == 40_507_168
    assert weights(load("zfnet")) - weights(load("alexnet")) == 11_693_824


def test_alexnet_totals() -> None:
    """Lecture prints 27.55M, the sum of its rounded terms."""
    assert weights(load("alexnet")) == 28_813_344
    assert parameters(load("alexnet")) == 28_823_912
    assert macs(load("alexnet")) == 614_310_432


def test_vgg16_layer_by_layer() -> None:
    """Lecture, VGG-16, and Simonyan & Zisserman 2014, table 1, column D."""
    conv = [(64, 3), (64, 64), (128, 64), (128, 128), (256, 128), (256, 256), (256, 256)]
    conv += [(512, 256), *[(512, 512)] * 5]
    sizes = [224, 224, 112, 112, 56, 56, 56, 28, 28, 28, 14, 14, 14]
    rows = [row for row in weighted(load("vgg16")) if row[2]]
    assert [row[1:] for row in rows[:13]] == [
        ((filters, size, size), 3 * 3 * depth * filters)
        for (filters, depth), size in zip(conv, sizes, strict=True)
    ]
    assert rows[13:] == [
        ("fc1", (4096,), 102_760_448),  # the lecture prints ~102M
        ("fc2", (4096,), 16_777_216),
        ("fc3", (1000,), 4_096_000),  # printed with 1024 units
    ]
    assert sum(row[2] for row in rows[:13]) == 14_710_464  # printed ~16M
    assert sum(row[2] for row in rows[13:]) == 123_633_664  # printed ~122M


def test_googlenet_with_a_dense_head() -> None:
    """Lecture prints 49M weights for 7·7·1024·1000."""
    graph = load_graph("googlenet", settings={"head": "dense"})
    assert graph.nodes[-2].name == "fc1"
    assert weights([graph.nodes[-2]]) == 50_176_000
    assert graph.output_shape == load("googlenet").output_shape


def test_reductions_make_inception_cheaper() -> None:
    """28·28·(192·64 + 9·192·128 + 25·192·32) against the same with 1×1 reductions to 96 and 16 and a projection."""
    naive = 192 * 64 + 9 * 192 * 128 + 25 * 192 * 32
    module = 192 * 64 + 192 * 96 + 9 * 96 * 128 + 192 * 16 + 25 * 16 * 32 + 192 * 32
    assert macs(load("inception-naive")) == 28 * 28 * naive == 303_464_448
    assert macs(load("inception-module")) == 28 * 28 * module == 128_049_152
    assert load("inception-naive").output_shape == (64 + 128 + 32 + 192, 28, 28)
    assert load("inception-module").output_shape == (256, 28, 28)  # table 1, inception (3a)


# --- papers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arch", "expected"),
    [
        ("lenet5", 61_706),  # lecture, with biases
        ("alexnet-paper", 60_965_224),  # "60 million", Krizhevsky et al. 2012, abstract
        ("zfnet-paper", 62_357_608),  # Zeiler & Fergus 2013, figure 3: the sum of its layers
        ("vgg11", 132_863_336),  # 133M in Simonyan & Zisserman 2014, table 2, column A
        ("vgg13", 133_047_848),  # 133M, column B
        ("vgg16", 138_357_544),  # 138M, column D
        ("vgg19", 143_667_240),  # 144M, column E
        ("googlenet", 6_998_552),  # Szegedy et al. 2014, table 1, with biases
        ("inception-module", 163_696),  # 159K in table 1, inception (3a)
        ("resnet18", 11_689_512),  # He et al. 2015, table 1, and the four below
        ("resnet34", 21_797_672),
        ("resnet50", 25_557_032),
        ("resnet101", 44_549_160),
        ("resnet152", 60_192_808),
        # 59M in Tolstikhin et al. 2021, table 1: 16²·3·768 + 768, in each of 12 blocks 2·(2·768) +
        # 2·196·384 + 384 + 196 + 2·768·3072 + 3072 + 768, then 2·768 and 768·1000 + 1000
        ("mlp-mixer-b16", 59_880_472),
        ("lenet5-paper", 60_000),  # LeCun et al. 1998, section II.B, "trainable free parameters"
        ("xception", 22_855_952),  # Chollet 2017, table 3
    ],
)
def test_parameters(arch: str, expected: int) -> None:
    assert parameters(load(arch)) == expected


@pytest.mark.parametrize(
    ("arch", "billions"),
    [("resnet18", 1.8), ("resnet34", 3.6), ("resnet50", 3.8), ("resnet101", 7.6), ("resnet152", 11.3)],
)
def test_resnet_macs(arch: str, billions: float) -> None:
    """He et al. 2015, table 1, last row. With the stride in the 3×3, ResNet-50 would have 4.1."""
    assert macs(load(arch)) / 1e9 == pytest.approx(billions, rel=0.02)


@pytest.mark.parametrize("arch", ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"])
def test_resnet_sizes(arch: str) -> None:
    """He et al. 2015, table 1: conv1, conv2_x … conv5_x; one weighted layer per layer of the name."""
    graph = load(arch)
    last = {
        node.name.partition(".")[0]: node.output_shape[1:] for node in graph if node.name.startswith("conv")
    }
    assert [last[f"conv{stage}"] for stage in range(1, 6)] == [(n, n) for n in (112, 56, 28, 14, 7)]
    counted = [node for node in graph if node.kind in ("conv", "dense") and "project" not in node.name]
    assert len(counted) == int(arch.removeprefix("resnet"))
    strided = {
        node.name.rpartition(".")[2]: node.op.shown_fields()["kernel"]
        for node in counted
        if node.name.startswith("conv3") and node.op.shown_fields()["stride"] == 2
    }
    assert strided == {"conv1": 1 if int(arch.removeprefix("resnet")) >= 50 else 3}


def test_alexnet_paper_neurons() -> None:
    """Krizhevsky et al. 2012, section 3.5. Its first figure, 253,440, belongs to no input it names."""
    neurons = [prod(node.output_shape) for node in load("alexnet-paper") if node.parameters]
    assert neurons == [55 * 55 * 96, 186_624, 64_896, 64_896, 43_264, 4096, 4096, 1000]


def test_alexnet_paper_normalisation() -> None:
    """Krizhevsky et al. 2012, section 3.3: n = 5, α = 10⁻⁴, β = 0.75, k = 2, α applied to the sum."""
    fields = [node.op.shown_fields() for node in load("alexnet-paper") if node.kind == "lrn"]
    assert fields == [{"size": 5, "alpha": pytest.approx(5 * 1e-4), "beta": 0.75, "k": 2}] * 2


def test_zfnet_paper_sizes() -> None:
    """Zeiler & Fergus 2013, figure 3."""
    shapes = [shape for _, shape, _ in weighted(load("zfnet-paper"))]
    expected = [(96, 110), (96, 55), (256, 26), (256, 13), (384, 13), (384, 13), (256, 13), (256, 6)]
    assert shapes == [*((depth, size, size) for depth, size in expected), (4096,), (4096,), (1000,)]


@pytest.mark.parametrize(
    ("arch", "weighted_layers"), [("vgg11", 11), ("vgg13", 13), ("vgg16", 16), ("vgg19", 19)]
)
def test_vgg_depth(arch: str, weighted_layers: int) -> None:
    """Simonyan & Zisserman 2014, table 1, first row."""
    assert sum(node.kind in ("conv", "dense") for node in load(arch)) == weighted_layers


def test_googlenet_modules() -> None:
    """Szegedy et al. 2014, table 1: output sizes, and operations in millions.

    The 54 it prints for (5a) do not follow from its own filters, which give 51.
    """
    modules = [node for node in load("googlenet") if node.kind == "concat"]
    assert [node.output_shape for node in modules] == [
        (256, 28, 28),
        (480, 28, 28),
        *[(512, 14, 14)] * 3,
        (528, 14, 14),
        (832, 14, 14),
        (832, 7, 7),
        (1024, 7, 7),
    ]
    printed = [128, 304, 73, 88, 100, 119, 170, 51, 71]
    for node, millions in zip(modules, printed, strict=True):
        inside = [other for other in load("googlenet") if other.scope == node.scope]
        assert macs(inside) / 1e6 == pytest.approx(millions, abs=0.7), node.scope


def test_mixer_shapes() -> None:
    """Tolstikhin et al. 2021, table 1, B/16: a sequence of 196 patches and 768 channels through 12 blocks."""
    blocks = [node for node in load("mlp-mixer-b16") if node.name.startswith("blocks.")]
    assert {node.scope.split(".")[1] for node in blocks} == set(map(str, range(12)))
    assert {node.output_shape for node in blocks if node.kind == "add"} == {(196, 768)}
    hidden = [node.output_shape for node in blocks if node.name.endswith("fc1")]
    assert hidden == [(768, 384), (196, 3072)] * 12


def test_googlenet_against_alexnet() -> None:
    """Lecture: 12 times fewer parameters (8.7 by exact counts), 2 times more computation."""
    assert parameters(load("alexnet-paper")) / parameters(load("googlenet")) == pytest.approx(8.7, abs=0.05)
    assert macs(load("googlenet")) / macs(load("alexnet-paper")) == pytest.approx(2, rel=0.1)


# --- segmentation -------------------------------------------------------------------------------------------


def test_u_net() -> None:
    """Ronneberger et al. 2015, figure 1: the sizes along the U. By hand, the weights: 9·(a + b)·b in two 3×3
    convolutions from a channels to b, 4·a·b in an up-convolution; PyTorch counts 31,030,658 and 150,428,424,448 too."""
    graph = load("unet")
    assert graph.input_shape == (1, 572, 572)
    assert graph.output_shape == (2, 388, 388)
    sizes = {node.name: node.output_shape[1] for node in graph}
    down = [
        sizes[f"{name}.conv{k}"] for name in ("down0", "down1", "down2", "down3", "bottom") for k in (1, 2)
    ]
    assert down == [570, 568, 282, 280, 138, 136, 66, 64, 30, 28]
    parts = ("copy", "up", "merge.conv1", "merge.conv2")
    up = [sizes[f"level{level}.{part}"] for level in (3, 2, 1, 0) for part in parts]
    assert up == [56, 56, 54, 52, 104, 104, 102, 100, 200, 200, 198, 196, 392, 392, 390, 388]
    widths = [1, 64, 128, 256, 512, 1024]
    weights = sum(9 * (a + b) * b for a, b in itertools.pairwise(widths)) + 64 * 2
    weights += sum(4 * a * b + 9 * (a + b) * b for b, a in itertools.pairwise(widths[1:]))
    biases = 2 * sum(widths[1:]) + 3 * sum(widths[1:-1]) + 2
    assert parameters(graph) == weights + biases == 31_030_658
    assert macs(graph) == 150_428_424_448


@pytest.mark.parametrize(
    ("auxiliary", "params", "multiplied", "shapes"),
    [
        ("false", 39_638_869, 168_731_205_888, {"out": (21, 520, 520)}),
        ("true", 42_004_074, 178_721_945_088, {"out": (21, 520, 520), "aux": (21, 520, 520)}),
    ],
)
def test_deeplab(auxiliary: str, params: int, multiplied: int, shapes: dict[str, tuple[int, ...]]) -> None:
    """torchvision 0.29.1's own parameters, and MACs as PyTorch's counter counts them at 520×520."""
    graph = load_graph("torchvision/deeplabv3_resnet50", settings={"auxiliary": auxiliary})
    assert parameters(graph) == params
    assert macs(graph) == multiplied
    assert {output.name: graph.shape(output.node) for output in graph.outputs} == shapes
    assert graph.warnings == ()


# --- torchvision --------------------------------------------------------------------------------------------

with PUBLISHED.open(encoding="utf-8") as file:
    TORCHVISION = {row["name"]: row for row in csv.DictReader(file)}


def auxiliary(name: str) -> dict[str, str]:
    """Settings with which a network is counted as torchvision counts it."""
    return {"auxiliary": "true"} if TORCHVISION[name]["note"] == "with its auxiliary head" else {}


@pytest.mark.parametrize("name", TORCHVISION)
def test_torchvision_parameters(name: str) -> None:
    """The integers in the published weights' metadata. Inception v3's count its auxiliary head."""
    published = int(TORCHVISION[name]["num_params"])
    graph = load_graph(f"torchvision/{name}", settings=auxiliary(name))
    assert parameters(graph) == (23_834_568 if name == "inception_v3" else published)
    assert graph.published.get("params", published) == published
    assert graph.published or "not published" in TORCHVISION[name]["note"]


@pytest.mark.parametrize("name", TORCHVISION)
def test_torchvision_macs(name: str) -> None:
    """Billions with three decimals, at the size of the table."""
    row = TORCHVISION[name]
    shape = tuple(map(int, row["input"].split("x")))
    graph = load_graph(f"torchvision/{name}", settings=auxiliary(name), input_shape=shape)
    assert round(macs(graph) / 1e9, 3) == float(row["gmacs_at_input"])


@pytest.mark.parametrize(
    ("name", "size", "billions"),
    [
        ("efficientnet_b1", 240, 0.687),
        ("efficientnet_b2", 288, 1.088),
        ("efficientnet_b3", 300, 1.827),
        ("efficientnet_b4", 380, 4.394),
        ("efficientnet_b5", 456, 10.266),
        ("efficientnet_b6", 528, 19.068),
        ("efficientnet_b7", 600, 37.746),
        ("efficientnet_v2_s", 384, 8.366),
        ("efficientnet_v2_m", 480, 24.582),
        ("efficientnet_v2_l", 480, 56.08),
        ("regnet_y_128gf", 384, 374.57),
    ],
)
def test_torchvision_macs_at_the_weights_own_size(name: str, size: int, billions: float) -> None:
    """The metadata of the published weights that were trained at another size than 224."""
    graph = load(f"torchvision/{name}")
    assert graph.input_shape == (3, size, size)
    assert round(macs(graph) / 1e9, 3) == billions


# --- several inputs, several outputs ------------------------------------------------------------------------


def test_siamese() -> None:
    """Koch et al. 2015, figure 4: 96, 48, 42, 21, 18, 9 and 6 pixels a side, 9,216 and 4,096 features. By hand, one
    set of weights: 64·(10·10·1 + 1) + 128·(7·7·64 + 1) + 128·(4·4·128 + 1) + 256·(4·4·128 + 1) + 4096·(9216 + 1)
    + 4096 + 1."""
    graph = load("siamese")
    assert [(entry.name, entry.shape) for entry in graph.inputs] == [
        ("left", (1, 105, 105)),
        ("right", (1, 105, 105)),
    ]
    assert graph.warnings == ()
    sizes = {node.name: node.output_shape for node in graph}
    for branch in ("left_branch", "right_branch"):
        sides = [
            sizes[f"{branch}.{name}"][1]
            for name in ("conv1", "maxpool1", "conv2", "maxpool2", "conv3", "maxpool3", "conv4")
        ]
        assert sides == [96, 48, 42, 21, 18, 9, 6]
        assert (sizes[f"{branch}.flatten1"], sizes[f"{branch}.dense1"]) == ((9216,), (4096,))
    assert graph.output_shape == (1,)
    by_hand = 64 * 101 + 128 * 3137 + 128 * 2049 + 256 * 2049 + 4096 * 9217 + 4097
    assert parameters(graph) == by_hand == 38_951_745
    once = 6400 * 96**2 + 401_408 * 42**2 + 262_144 * 18**2 + 524_288 * 6**2 + 9216 * 4096
    assert macs(graph) == 2 * once + 4096


def test_ssd300() -> None:
    """torchvision 0.29.1's ssd300_vgg16: its own parameters; MACs of backbone and head as PyTorch's counter has them;
    figure 2 of Liu et al. 2016: 38, 19, 10, 5, 3 and 1 positions a side, 8,732 default boxes."""
    graph = load("ssd300_vgg16")
    assert parameters(graph) == 35_641_826
    assert macs(graph) == 34_858_153_472
    assert graph.warnings == ()
    shapes = {name: graph.shape(node) for name, node in graph.outputs}
    sides, anchors = [38, 19, 10, 5, 3, 1], [4, 6, 6, 6, 4, 4]
    assert shapes == {
        **{f"boxes{i}": (4 * n, side, side) for i, (n, side) in enumerate(zip(anchors, sides, strict=True))},
        **{
            f"scores{i}": (91 * n, side, side) for i, (n, side) in enumerate(zip(anchors, sides, strict=True))
        },
    }
    assert sum(n * side**2 for n, side in zip(anchors, sides, strict=True)) == 8732
    analysis = analyse(graph)
    # a map of 64×300×300 and the one that its ReLU makes of it, the largest pair
    assert analysis.totals.peak_activation_bytes == 2 * 64 * 300 * 300 * 4
    assert analysis.warnings == ()


# --- networks under names of their own ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arch", "settings", "printed", "multiplied"),
    [
        # millions of parameters and of multiply-accumulates, as the papers print them; None: not printed
        ("mobilenet-v1", {}, 4.2, 569),  # Howard et al. 2017, table 4
        ("ghostnet", {}, 5.2, 141),  # Han et al. 2020, table 7
        ("repvgg-a0", {"deploy": "true"}, 8.3, 1400),  # Ding et al. 2021, table 4: 8.30 and 1.4 billion
        (
            "hrnet-w18-small",
            {},
            13.2,
            None,
        ),  # HRNet-Image-Classification; its 1.49 billion leave something out
        ("se-resnet50", {}, 28.1, 3860),  # Hu et al. 2018, section 6.1; table 2 prints 3.87 billion
        ("resnet20-cifar", {}, 0.27, None),  # He et al. 2015, table 6, and the four below
        ("resnet20-cifar", {"depth": "5"}, 0.46, None),
        ("resnet20-cifar", {"depth": "7"}, 0.66, None),
        ("resnet20-cifar", {"depth": "9"}, 0.85, None),
        ("resnet20-cifar", {"depth": "18"}, 1.7, None),
        ("wrn-28-10", {}, 36.5, None),  # Zagoruyko & Komodakis 2016, table 5
        ("densenet-bc-100-12", {}, 0.8, None),  # Huang et al. 2016, table 2
        ("fcn8s", {}, 134, None),  # Long et al. 2015, table 1
        ("yolov3", {}, None, 65_860 / 2),  # Darknet's page on YOLOv3: 65.86 Bn operations
        ("yolov3-tiny", {}, None, 5_560 / 2),  # the same: 5.56
    ],
)
def test_rounded_counts(
    arch: str, settings: dict[str, str], printed: float | None, multiplied: float | None
) -> None:
    graph = load_graph(arch, settings=settings)
    if printed is not None:
        digits = len(str(printed).partition(".")[2])
        assert round(parameters(graph) / 1e6, digits) == pytest.approx(printed)
    if multiplied is not None:
        assert macs(graph) / 1e6 == pytest.approx(multiplied, rel=0.03 if multiplied == 1400 else 0.002)


def test_lenet5_paper_layer_by_layer() -> None:
    """LeCun et al. 1998, section II.B: trainable parameters and connections of each layer, 340,908 in all."""
    graph = load("lenet5-paper")
    trained = {
        layer: parameters([node for node in graph if node.name.split(".")[0] == layer])
        for layer in ("C1", "S2", "C3", "S4", "C5", "F6")
    }
    assert trained == {"C1": 156, "S2": 12, "C3": 1516, "S4": 32, "C5": 48_120, "F6": 10_164}
    assert sum(trained.values()) == parameters(graph) == 60_000
    assert count(graph, "buffer") == 840

    def connections(layer: str) -> int:
        """Inputs and bias of each unit, at every position."""
        total = 0
        for node in graph:
            if node.name.split(".")[0] == layer and node.parameters:
                positions = prod(node.output_shape[1:])
                total += positions * parameters([node])
                if layer in ("S2", "S4"):  # four inputs behind one coefficient
                    total += positions * node.output_shape[0] * 3
        return total

    found = {layer: connections(layer) for layer in trained}
    assert found == {"C1": 122_304, "S2": 5880, "C3": 151_600, "S4": 2000, "C5": 48_120, "F6": 10_164}
    assert sum(found.values()) + 84 * 10 == 340_908
    sizes = {node.name: node.output_shape for node in graph}
    assert [sizes[name] for name in ("C1", "S2.trainable", "C3.concat1", "S4.trainable", "C5", "F6")] == [
        (6, 28, 28),
        (6, 14, 14),
        (16, 10, 10),
        (16, 5, 5),
        (120, 1, 1),
        (84,),
    ]


def test_lenet5_paper_connections() -> None:
    """LeCun et al. 1998, table I: the maps of S2 that each map of C3 reads, its columns from top to bottom."""
    table = """
        X . . . X X X . . X X X X . X X
        X X . . . X X X . . X X X X . X
        X X X . . . X X X . . X . X X X
        . X X X . . X X X X . . X . X X
        . . X X X . . X X X X . X X . X
        . . . X X X . . X X X X . X X X"""
    columns = zip(*(line.split() for line in table.strip().splitlines()), strict=True)
    expected = [[m for m, mark in enumerate(column) if mark == "X"] for column in columns]
    read: list[list[int]] = []
    for node in load("lenet5-paper"):
        if node.kind == "select":
            chosen = list(node.op.shown_fields()["indices"])
        elif node.name.startswith("C3.") and node.kind == "conv":
            filters, groups = node.output_shape[0], node.op.shown_fields()["groups"]
            maps = chosen if groups > 1 else list(range(6))
            share = len(maps) // groups
            assert filters == groups
            read += [maps[n * share : (n + 1) * share] for n in range(groups)]
    assert read == expected


def test_dcgan_sizes() -> None:
    """Radford et al. 2015, figure 1: 1024×4×4, 512×8×8, 256×16×16, 128×32×32, 3×64×64."""
    maps = [node.output_shape for node in load("dcgan-generator") if node.kind == "deconv"]
    assert maps == [(1024, 4, 4), (512, 8, 8), (256, 16, 16), (128, 32, 32), (3, 64, 64)]


def test_srcnn_weights() -> None:
    """Dong et al. 2015 (the journal's version), section 4.3: 8,032 in 9-1-5, 24,416 in 9-3-5, 57,184 in 9-5-5."""
    found = [weights(load_graph("srcnn", settings={"middle": str(f)})) for f in (1, 3, 5)]
    assert found == [8032, 24_416, 57_184]
    assert load("srcnn").output_shape == (1, 21, 21)  # Dong et al. 2014, section 4.1: (33 − 9 − 1 − 5 + 3)²


def test_espcn_makes_pixels_of_channels() -> None:
    """Shi et al. 2016, section 3.3: 17r×17r pixels of 17×17; by hand 25·64 + 9·64·32 + 9·32·9 weights."""
    graph = load("espcn")
    assert (graph.input_shape, graph.output_shape) == ((1, 17, 17), (1, 51, 51))
    assert weights(graph) == 25 * 64 + 9 * 64 * 32 + 9 * 32 * 9
    assert load_graph("espcn", settings={"factor": "4"}).output_shape == (1, 68, 68)


def test_m5_sizes() -> None:
    """Dai et al. 2016, table 1, M5: what comes out of the first convolution and of each pool."""
    sizes = [node.output_shape for node in load("m5") if node.kind == "maxpool" or node.name == "unit1.conv"]
    assert sizes == [(128, 8000), (128, 2000), (128, 500), (256, 125), (512, 32)]


def test_wavenet_reads_the_past_only() -> None:
    """Van den Oord et al. 2016, section 2.1: no output reads a later sample. tensorflow-wavenet's formula for the
    field: (2 − 1)·(5·1023) + 1 + (2 − 1)."""
    network = convcalc.load("wavenet")
    graph = network.record.graph
    sight = network.field(layer="postprocess2", unit=(9000,)).record.sight
    assert (sight.seen, sight.pixels) == (((9000 - 5117 + 1, 9000),), 5117)
    assert graph.output_shape == graph.input_shape == (256, 16_000)
    dilations = [node.op.shown_fields()["dilation"] for node in graph if node.name.endswith(".gate")]
    assert dilations == [2**n for n in range(10)] * 5
    # the same formulas by hand: one second of tensorflow-wavenet less what its last layer holds unread
    each = 2 * (2 * 32 * 32 + 32) + (32 * 32 + 32) + (32 * 512 + 512)
    assert parameters(graph) == 2 * 256 * 32 + 50 * each + 513 * 512 + 513 * 256 - (32 * 32 + 32)


@pytest.mark.parametrize(
    ("arch", "sides"),
    [("yolov3", {"large": 13, "medium": 26, "small": 52}), ("yolov3-tiny", {"large": 13, "medium": 26})],
)
def test_yolo_heads(arch: str, sides: dict[str, int]) -> None:
    """Redmon & Farhadi 2018, section 2.3: N×N×[3·(4 + 1 + 80)]; at 416 pixels 10,647 boxes in yolov3."""
    graph = load(arch)
    assert {name: graph.shape(node) for name, node in graph.outputs} == {
        name: (255, side, side) for name, side in sides.items()
    }
    if arch == "yolov3":
        assert 3 * sum(side**2 for side in sides.values()) == 10_647
        # Darknet-53 of table 1: 52 convolutions before the average pool and the dense layer
        backbone = [node for node in graph if node.kind == "conv" and int(node.name.split(".")[1]) < 75]
        assert len(backbone) == 52
    four_fewer = load_graph(arch, settings={"classes": "4"})
    assert {graph.shape(node)[0] for _, node in graph.outputs} == {255}
    assert {four_fewer.shape(node)[0] for _, node in four_fewer.outputs} == {27}


def test_fcn8s_gives_a_map_of_the_images_size() -> None:
    """Long et al. 2015, section 4.1: scores of 21 classes for every pixel, whatever the size."""
    for shape in ((3, 500, 500), (3, 333, 401)):
        graph = load_graph("fcn8s", input_shape=shape)
        assert graph.output_shape == (21, *shape[1:])


def test_attention_unet_gates_every_skip() -> None:
    """Oktay et al. 2018, figure 1: one weight for each pixel of each skipped map."""
    gates = [node for node in load("attention-unet") if node.kind == "sigmoid"]
    assert [node.output_shape for node in gates] == [(1, 28, 28), (1, 56, 56), (1, 112, 112), (1, 224, 224)]
    assert load("attention-unet").output_shape == (1, 224, 224)


def test_hrnet_keeps_four_resolutions() -> None:
    """Wang et al. 2019, figure 2: stage n has n maps, from a quarter of the image down, each half of the one before and
    twice as wide."""
    sizes = {node.name.removesuffix(".relu1"): node.output_shape for node in load("hrnet-w18-small")}
    for n in (2, 3, 4):
        assert [sizes[f"stage{n}.0.fused{b}"] for b in range(n)] == [
            (16 * 2**b, 56 // 2**b, 56 // 2**b) for b in range(n)
        ]


def test_xception_sizes() -> None:
    """Chollet 2017, figure 5: 19×19×728 maps from the entry flow through the middle flow."""
    sizes = {node.name: node.output_shape for node in load("xception")}
    assert {shape for name, shape in sizes.items() if name.startswith("block7.")} == {(728, 19, 19)}
    assert sizes["act4"] == (2048, 10, 10)


@pytest.mark.parametrize(
    ("arch", "layers"),
    [("resnet20-cifar", 20), ("wrn-28-10", 26), ("densenet-bc-100-12", 100), ("nin", 9), ("m5", 5)],
)
def test_weighted_layers(arch: str, layers: int) -> None:
    """The number in the name: convolutions and the dense layer, shortcuts apart; NIN has three times three. In WRN-28
    the shortcuts' three convolutions count and the dense layer does not."""
    found = [
        node for node in load(arch) if node.kind in ("conv", "dense") and not node.name.endswith("Shortcut")
    ]
    assert len(found) == layers


def test_deployed_repvgg_is_a_plain_stack() -> None:
    """Ding et al. 2021, section 3.3: 3×3 convolutions and ReLU; 22 layers, table 3: 1 + 2 + 4 + 14 + 1."""
    graph = load_graph("repvgg-a0", settings={"deploy": "true"})
    assert {node.kind for node in graph} == {"conv", "relu", "global_avgpool", "flatten", "dense"}
    kernels = [node.op.shown_fields()["kernel"] for node in graph if node.kind == "conv"]
    assert kernels == [3] * 22
