"""Counts, keys and shapes of networks under names of their own, against other implementations (no torch needed).

The fixtures are written by tests/torchvision/timm_networks.py --dump from timm 1.0.31, and by papers.py --dump from
implementations there that follow the papers. Shapes are without dimensions of 1.
"""

from __future__ import annotations

import gzip
import json
from functools import cache
from math import prod
from pathlib import Path
from typing import Any

import pytest

from convcalc.graph import Graph
from convcalc.language.load import load_graph

DATA = Path(__file__).parent / "data"
FILES = ("timm_networks.json.gz", "papers.json.gz")
NETWORKS = {
    "mobilenet-v1", "xception", "ghostnet", "se-resnet50", "repvgg-a0", "hrnet-w18-small", "lenet5-paper", "nin",
    "resnet20-cifar", "wrn-28-10", "densenet-bc-100-12", "dcgan-generator", "srcnn", "espcn", "fcn8s", "attention-unet",
    "yolov3", "yolov3-tiny", "m5", "wavenet",
}  # fmt: skip
CASES = {
    label: figures
    for name in FILES
    for label, figures in json.loads(gzip.decompress((DATA / name).read_bytes())).items()
}


@cache
def load(label: str) -> Graph:
    return load_graph(CASES[label]["arch"], settings=CASES[label]["settings"])


def squeezed(shape: tuple[int, ...]) -> list[int]:
    return [size for size in shape if size != 1]


def tensors(graph: Graph) -> dict[str, Any]:
    """The layer and the parameter of every key."""
    return {
        node.keys.get(parameter.name, parameter.key(node.name)): (node, parameter)
        for node in graph
        for parameter in node.parameters
    }


def test_every_network_has_a_peer() -> None:
    assert {figures["arch"] for figures in CASES.values()} == NETWORKS


@pytest.mark.parametrize("label", CASES)
def test_counts(label: str) -> None:
    graph, figures = load(label), CASES[label]
    counted = (parameter for _, parameter in tensors(graph).values() if parameter.role != "buffer")
    assert sum(prod(parameter.shape) for parameter in counted) == figures["params"]
    assert sum(node.op.macs(node.input_shapes) for node in graph) == figures["macs"]


@pytest.mark.parametrize("label", CASES)
def test_keys_and_shapes(label: str) -> None:
    found = {key: squeezed(parameter.shape) for key, (_, parameter) in tensors(load(label)).items()}
    assert found == CASES[label]["keys"]


@pytest.mark.parametrize("label", CASES)
def test_output_shapes(label: str) -> None:
    """Of every layer whose path is a module's; every module with weights among them."""
    graph, theirs = load(label), CASES[label]["shapes"]
    ours = {node.name: squeezed(node.output_shape) for node in graph}
    assert {path: ours[path] for path in theirs if path in ours} == {
        path: shape for path, shape in theirs.items() if path in ours
    }
    learned = {key.rpartition(".")[0] for key in CASES[label]["keys"] if key.endswith("weight")}
    assert [path for path in learned & set(theirs) if path not in ours] == []


@pytest.mark.parametrize("label", CASES)
def test_nothing_is_left_unread(label: str) -> None:
    assert load(label).warnings == ()
