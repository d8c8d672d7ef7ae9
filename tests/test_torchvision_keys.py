"""The keys and shapes of torchvision's state dicts and what its modules give, against architectures/torchvision/*.

No torch is needed. The fixture is written by tests/torchvision/compare.py --dump from torchvision 0.29.1.
"""

from __future__ import annotations

import gzip
import json
import re
from functools import cache
from math import prod
from pathlib import Path
from typing import Any

import pytest

from convcalc.graph import Graph
from convcalc.language import bundled
from convcalc.language.load import load_graph

FIXTURE = Path(__file__).parent / "data" / "torchvision_keys.json.gz"


@cache
def fixture() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(gzip.decompress(FIXTURE.read_bytes()))
    return content


MODELS = sorted(fixture()["models"])
# What a file holds besides: heads that only training uses, and how often a normalisation was trained.
IGNORED = re.compile(r"(AuxLogits|aux1|aux2|aux_classifier)\..*|.*\.num_batches_tracked")


def keys(graph: Graph) -> dict[str, tuple[int, ...]]:
    """Every tensor's key, and its shape without dimensions of 1; what a rule makes flat."""
    found: dict[str, tuple[int, ...]] = {}
    for node in graph:
        for parameter in node.parameters if node.shares is None else ():
            key = node.keys.get(parameter.name, parameter.key(node.name))
            assert key not in found
            found[key] = squeezed(parameter.shape) if parameter.rule is None else (prod(parameter.shape),)
    return found


def published_keys(name: str, graph: Graph) -> dict[str, tuple[int, ...]]:
    """A state dict's keys and shapes as `keys` has them, without what IGNORED names."""
    ruled = {
        node.keys.get(parameter.name, parameter.key(node.name))
        for node in graph
        for parameter in node.parameters
        if parameter.rule is not None
    }
    return {
        key: (prod(shape),) if key in ruled else squeezed(shape)
        for key, shape in fixture()["models"][name].items()
        if not IGNORED.fullmatch(key)
    }


def squeezed(shape: Any) -> tuple[int, ...]:
    return tuple(size for size in shape if size != 1)


def test_fixture_and_folder_hold_the_same_models() -> None:
    names = [name for name in bundled.members() if name.startswith("torchvision/")]
    assert names == [f"torchvision/{name}" for name in MODELS]


@pytest.mark.parametrize(
    "name",
    [
        "fcn_resnet50",
        "fcn_resnet101",
        "deeplabv3_resnet50",
        "deeplabv3_resnet101",
        "deeplabv3_mobilenet_v3_large",
    ],
)
def test_an_auxiliary_head_has_its_keys_too(name: str) -> None:
    graph = load_graph(f"torchvision/{name}", settings={"auxiliary": "true"})
    published = fixture()["models"][name]
    counters = {key for key in published if key.endswith(".num_batches_tracked")}
    assert keys(graph) == {key: squeezed(shape) for key, shape in published.items() if key not in counters}


@pytest.mark.parametrize("name", MODELS)
def test_keys_and_shapes(name: str) -> None:
    graph = load_graph(f"torchvision/{name}")
    assert keys(graph) == published_keys(name, graph)


@pytest.mark.parametrize("name", MODELS)
def test_every_module_with_tensors_gives_its_shape(name: str) -> None:
    """By path, at the network's own input size: a layer's output, or that of the last layer in a block."""
    wanted = {path: tuple(shape) for path, shape in fixture()["outputs"][name].items()}
    auxiliary = any(path.startswith("aux_classifier.") for path in wanted)
    found: dict[str, tuple[int, ...]] = {}
    for node in load_graph(f"torchvision/{name}", settings={"auxiliary": "true"} if auxiliary else {}):
        path = node.name if node.shares is None else ""
        while path:
            found[path] = node.output_shape
            path = path.rpartition(".")[0]
    assert {path: found.get(path) for path in wanted} == wanted
    assert len(wanted) >= 8


@pytest.mark.parametrize("name", ["densenet121", "densenet161", "densenet169", "densenet201"])
def test_densenet_also_takes_the_names_of_its_published_files(name: str) -> None:
    """denselayer1.norm.1.weight, where today's module is denselayer1.norm1."""
    renamed = {node.name: node.keys[""] for node in load_graph(f"torchvision/{name}") if "" in node.keys}
    expected = {
        path: re.sub(r"([12])$", r".\1", path)
        for path in {key.rpartition(".")[0] for key in fixture()["models"][name]}
        if re.search(r"\.denselayer\d+\.(norm|conv)[12]$", path)
    }
    assert renamed == expected


@pytest.mark.parametrize("name", ["resnet50_fpn", "retinanet_resnet50_fpn", "fcos_resnet50_fpn"])
def test_detectors_also_take_the_names_of_their_published_files(name: str) -> None:
    """inner_blocks.1.weight for today's inner_blocks.1.0, and in RetinaNet's heads conv.2.weight for conv.1.0."""
    graph = load_graph(f"torchvision/{name}")
    renamed = {node.name: node.keys[""] for node in graph if "" in node.keys and node.shares is None}
    expected = {}
    for path in {key.rpartition(".")[0] for key in fixture()["models"][name]}:
        if found := re.fullmatch(r"(.*fpn\.(?:inner|layer)_blocks\.\d)\.0", path):
            expected[path] = found[1]
        elif name.startswith("retina") and (found := re.fullmatch(r"(.*head\.conv)\.(\d)\.0", path)):
            expected[path] = f"{found[1]}.{2 * int(found[2])}"
    assert renamed == expected
    assert len(expected) >= 6
