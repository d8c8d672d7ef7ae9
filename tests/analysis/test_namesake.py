"""The published network behind a model whose batch normalisation an exporter folded."""

from __future__ import annotations

import pytest

from convcalc.analysis.namesake import folded_from
from convcalc.language.load import load_entry, load_graph


def folded(name: str) -> object:
    """The bundled network as exporters write it: convolutions with biases, no batch normalisation."""
    from dataclasses import replace

    graph = load_graph(name)
    nodes = []
    names = {}
    for node in graph:
        if node.kind == "batchnorm":
            names[node.index] = names.get(node.inputs[0], node.inputs[0])
            continue
        op = replace(node.op, bias=True) if node.kind == "conv" else node.op
        nodes.append(replace(node, op=op))
    return replace(graph, nodes=tuple(nodes))


@pytest.mark.parametrize(
    ("name", "published", "more"),
    [
        # torchvision.models, 0.21: the documented num_params; the difference is one vector a batch normalisation:
        # its factors, as its shifts became the biases
        ("torchvision/resnet18", 11_689_512, 4_800),
        ("torchvision/mobilenet_v2", 3_504_872, 17_056),
    ],
)
def test_a_folded_network_is_known_by_its_macs(name: str, published: int, more: int) -> None:
    found = folded_from(folded(name))
    assert found is not None
    assert (found[0].name, found[0].params, found[1]) == (name, published, more)


@pytest.mark.parametrize(
    "name", ["torchvision/resnet18", "torchvision/vgg16", "alexnet", "torchvision/vit_b_16"]
)
def test_a_network_as_published_is_not_folded(name: str) -> None:
    assert folded_from(load_graph(name)) is None


def test_an_unknown_network_has_no_namesake() -> None:
    assert folded_from(load_entry("conv: {filters: 5, kernel: 3}", (3, 20, 22))) is None
