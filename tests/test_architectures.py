"""What every file under architectures/ must be: named after its path, sourced, readable, and unlike the others."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from convcalc.errors import SpecError
from convcalc.graph import Graph
from convcalc.language import bundled
from convcalc.language.documents import read_spec
from convcalc.language.load import load_graph
from convcalc.weights.load import load_weights

ROOT = Path(bundled.directory())
FAMILIES = [name for name in bundled.names() if read_spec(name).required]
NETWORKS = [name for name in bundled.names() if name not in FAMILIES]


def test_the_quick_look_finds_the_families_too():
    """`bundled.members` reads no bases: a file's own vars must say whether it is a family."""
    assert bundled.members() == NETWORKS


LECTURE = {
    "lenet5", "alexnet", "zfnet", "alexnet-paper", "zfnet-paper", "vgg11", "vgg13", "vgg16", "vgg19",
    "inception-naive", "inception-module", "googlenet", "resnet18", "resnet34", "resnet50", "resnet101", "resnet152",
}  # fmt: skip


@cache
def load(arch: str) -> Graph:
    return load_graph(arch)


def text(arch: str) -> str:
    return (ROOT / f"{arch}.yaml").read_text(encoding="utf-8")


def test_everything_is_there() -> None:
    assert {name for name in NETWORKS if "/" not in name} >= LECTURE
    assert {name for name in FAMILIES if "/" not in name} >= {"vgg", "resnet"}
    tasks = Counter(load(name).task for name in NETWORKS if name.startswith("torchvision/"))
    readme = " ".join((Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8").split())
    assert f"{len(NETWORKS)} bundled networks, {tasks.total()} of them torchvision's" in readme
    assert tasks == {"classification": 80, "segmentation": 6, "video": 4, "detection": 3}


@pytest.mark.parametrize("arch", NETWORKS)
def test_a_network_says_what_it_is(arch: str) -> None:
    graph = load(arch)
    assert graph.name == arch
    assert graph.title
    assert graph.source
    assert re.search(r"\b(19|20)\d\d\b|release", graph.source), "the source names a year"
    assert graph.nodes
    assert all(note == note.strip() and note.endswith(".") for note in graph.notes)


@pytest.mark.parametrize("arch", FAMILIES)
def test_a_family_has_members_and_cannot_be_shown(arch: str) -> None:
    assert f"name: {arch}\n" in text(arch)
    members = [name for name in bundled.names() if f"extends: {arch}\n" in text(name)]
    assert len(members) > 1
    with pytest.raises(SpecError, match="is a family"):
        load_graph(arch)


def test_no_two_networks_are_the_same() -> None:
    seen: dict[object, str] = {}
    for arch in NETWORKS:
        graph = load(arch)
        layers = (graph.input_shape, *((node.name, node.op, node.inputs) for node in graph))
        assert layers not in seen, f"{arch} is {seen.get(layers)}"
        seen[layers] = arch


def test_titles_tell_networks_apart() -> None:
    titles = [load(arch).title for arch in NETWORKS]
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("arch", NETWORKS)
def test_pictures_fit_the_input(arch: str) -> None:
    """A network that classifies says how a picture becomes its input and what its outputs are called."""
    graph = load(arch)
    if arch.startswith("inception-") or graph.task in ("audio", "generation", "video"):
        assert (
            graph.preprocess is None
        )  # a module of a network reads no pictures; sound, noise and clips are none
        return
    assert graph.preprocess is not None
    if len(graph.output_shape) == 3 or graph.task == "matching":
        assert graph.labels is None  # a class for each pixel, or one number
    elif graph.output_shape == (1000,):
        assert graph.labels == "imagenet1k"
        crop = graph.preprocess["crop"]
        assert graph.input_shape == (3, crop, crop)
        assert graph.preprocess["resize"] >= crop
    elif graph.input_shape[0] == 3:
        assert (graph.labels, graph.input_shape, graph.output_shape) == ("cifar10", (3, 32, 32), (10,))
    else:
        assert (graph.labels, graph.output_shape) == ("digits", (10,))


@pytest.mark.parametrize(
    "arch",
    [name for name in NETWORKS if name.startswith("torchvision/") and name != "torchvision/resnet50_fpn"],
)
def test_published_weights_have_an_address_and_a_hash(arch: str) -> None:
    """The file's name carries the first digits of its hash."""
    weights = load(arch).weights
    assert isinstance(weights, dict)
    assert weights["url"].startswith("https://")
    assert re.fullmatch(r"[0-9a-f]{8,64}", weights["sha256"])
    assert weights["url"].endswith(f"-{weights['sha256']}.pth")
    last = load(arch).nodes[-1].kind
    assert last != "softmax", "published networks give logits"


def test_lenet5_brings_its_weights() -> None:
    """They fit, and were trained on what preprocess makes of a picture."""
    graph = load("lenet5")
    assert graph.weights == "lenet5.safetensors"
    file = ROOT / "lenet5.safetensors"
    assert load_weights(graph, str(file), "bundled").ignored == ()
    header = file.read_bytes()[: 1 << 16].decode("latin-1")
    assert graph.preprocess is not None
    mean, std = graph.preprocess["mean"], graph.preprocess["std"]
    assert f"fit {graph.preprocess['fit']}, mean {mean[0]}, std {std[0]}" in header


@pytest.mark.parametrize("arch", ["googlenet", "inception_v3"])
def test_the_inception_networks_saw_values_from_minus_one_to_one(arch: str) -> None:
    preprocess = load(f"torchvision/{arch}").preprocess
    assert preprocess is not None
    assert (preprocess["mean"], preprocess["std"]) == ((0.5,), (0.5,))


@pytest.mark.parametrize(
    ("arch", "figures"),
    [
        ("lenet5", ["stride 1", "28 → 14"]),
        ("alexnet", ["27.55M", "28,813,344", "60,965,224"]),
        ("zfnet", ["0.8M", "3,391,488", "0.36M", "3,833,856", "4,194,304", "1.45M", "11,693,824"]),
        ("vgg16", ["16M", "14,710,464", "102M", "102,760,448", "4,096,000", "122M", "123,633,664"]),
        ("googlenet", ["49M", "50,176,000", "6,998,552"]),
        ("resnet152", ["1e-5", "1e-4"]),
        ("torchvision/inception_v3", ["23,834,568", "27,161,264"]),
    ],
)
def test_errata_are_told(arch: str, figures: list[str]) -> None:
    notes = " ".join(load(arch).notes)
    assert [figure for figure in figures if figure not in notes] == []


@pytest.mark.parametrize("arch", bundled.names())
def test_files_are_pleasant_to_read(arch: str) -> None:
    lines = text(arch).splitlines()
    assert text(arch).endswith("\n")
    assert [line for line in lines if len(line) > 112 or line != line.rstrip() or "\t" in line] == []


def test_zfnet_is_alexnet_with_four_numbers_changed() -> None:
    changed = {"F1": 7, "K3": 512, "K4": 1024, "K5": 512}
    again = load_graph("alexnet", settings={name: str(value) for name, value in changed.items()})
    assert [node.op for node in again] == [node.op for node in load("zfnet")]


def test_an_unknown_head_is_refused() -> None:
    with pytest.raises(SpecError, match="did you mean 'dense_head'"):
        load_graph("googlenet", settings={"head": "dens"})


@pytest.mark.parametrize(
    ("arch", "last", "branches"),
    [
        ("swin_t", 0.2, 2),
        ("swin_s", 0.3, 2),
        ("swin_b", 0.5, 2),
        ("swin_v2_t", 0.2, 2),
        ("swin_v2_s", 0.3, 2),
        ("swin_v2_b", 0.5, 2),
        ("maxvit_t", 0.2, 5),
    ],
)
def test_branches_are_skipped_more_often_the_deeper_they_are(arch: str, last: float, branches: int) -> None:
    """torchvision's rates rise in even steps from 0 to the last, the same for all branches of a block."""
    graph = load_graph(f"torchvision/{arch}")
    drops = [node.op.shown_fields() for node in graph.nodes if node.kind == "dropout"]
    rates = [fields["rate"] for fields in drops if fields["per"] == "sample"]
    blocks = len(rates) // branches
    assert rates == pytest.approx([last * (k // branches) / (blocks - 1) for k in range(len(rates))])


@pytest.mark.parametrize("arch", ["convnext_tiny", "swin_t", "swin_v2_t", "maxvit_t"])
def test_a_network_of_a_single_block_is_counted(arch: str) -> None:
    """Its rate of skipping is 0, the first block's."""
    graph = load_graph(f"torchvision/{arch}", settings={"depths": "[1, 0, 0, 0]"})
    drops = [node.op.shown_fields() for node in graph.nodes if node.kind == "dropout"]
    assert {fields["rate"] for fields in drops if fields["per"] == "sample"} == {0}


def test_every_comparison_with_another_implementation_is_on_the_map() -> None:
    """Scripts that are run by hand are found in CONTRIBUTING.md, or nobody runs them."""
    tests = Path(__file__).parent
    scripts = [
        path.name
        for path in sorted((tests / "torchvision").glob("*.py"))
        if "__main__" in path.read_text(encoding="utf-8")
    ]
    told = (tests.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert [name for name in scripts if f"{name}`" not in told and f"{name} " not in told] == []
