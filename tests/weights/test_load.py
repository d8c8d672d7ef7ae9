"""Weights fitted to a graph: keys, sharing, what is ignored and what refused."""

from __future__ import annotations

from array import array
from pathlib import Path

import pytest

from convcalc.errors import WeightsError
from convcalc.graph import Graph
from convcalc.language.load import load_entry, load_graph
from convcalc.weights.load import load_weights, own_weights, random_weights
from convcalc.weights.safetensors import write
from convcalc.weights.tensors import StoredTensor, Tensors

SPEC = """
name: net
input: [2, 7, 6]
layers:
  - group:
      name: body
      layers:
        - conv: {name: one, filters: 3, kernel: 2, keys: first.conv}
        - batchnorm: {name: norm}
        - scale: {name: gain, keys: {weight: gamma}}
        - conv: {name: two, filters: 3, kernel: 3, padding: 1}
        - conv: {name: three, filters: 3, kernel: 3, padding: 1, share: two}
"""
SHAPES = {
    "body.one.weight": (3, 2, 2, 2),
    "body.one.bias": (3,),
    "body.norm.weight": (3,),
    "body.norm.bias": (3,),
    "body.norm.running_mean": (3,),
    "body.norm.running_var": (3,),
    "body.gain.weight": (3,),
    "body.two.weight": (3, 3, 3, 3),
    "body.two.bias": (3,),
}


@pytest.fixture
def graph(tmp_path: Path) -> Graph:
    path = tmp_path / "net.yaml"
    path.write_text(SPEC)
    return load_graph(str(path))


def save(tmp_path: Path, changes: dict[str, tuple[int, ...] | None] | None = None) -> str:
    shapes = {**SHAPES, **(changes or {})}
    tensors = {}
    for number, (key, shape) in enumerate(shapes.items(), 1):
        if shape is not None:
            count = 1
            for size in shape:
                count *= size
            tensors[key] = (shape, array("f", [number] * count))
    path = tmp_path / "weights.safetensors"
    write(path, tensors)
    return str(path)


def test_every_parameter_finds_its_values(graph: Graph, tmp_path: Path) -> None:
    weights = load_weights(graph, save(tmp_path))
    assert list(weights.nodes[0]["weight"]) == [1.0] * 24
    assert list(weights.nodes[1]["running_var"]) == [6.0] * 3
    assert weights.nodes[4] is weights.nodes[3]


def test_other_keys_are_accepted_besides_the_default(graph: Graph, tmp_path: Path) -> None:
    renamed = {
        "body.one.weight": None, "body.first.conv.weight": (3, 2, 2, 2),
        "body.one.bias": None, "body.first.conv.bias": (3,),
        "body.gain.weight": None, "body.gamma": (3, 1, 1),
    }  # fmt: skip
    weights = load_weights(graph, save(tmp_path, renamed))
    assert len(weights.nodes[0]["weight"]) == 24
    assert len(weights.nodes[2]["weight"]) == 3


def test_training_leftovers_are_named_and_ignored(graph: Graph, tmp_path: Path) -> None:
    weights = load_weights(
        graph, save(tmp_path, {"body.norm.num_batches_tracked": (), "aux1.conv.weight": (4,)})
    )
    assert set(weights.ignored) == {"body.norm.num_batches_tracked", "aux1.conv.weight"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"body.two.bias": None}, "missing (1): body.two.bias"),
        ({"body.two.bias": (4,)}, "wrong shape (1): body.two.bias is 4, net needs 3"),
        ({"body.four.weight": (2,)}, "not part of the network (1): body.four.weight"),
        ({"body.two.bias": None, "body.two.bais": (3,)}, "perhaps 'body.two.bais'?"),
    ],
)
def test_what_does_not_fit_is_refused(
    graph: Graph, tmp_path: Path, changes: dict[str, tuple[int, ...] | None], message: str
) -> None:
    with pytest.raises(WeightsError) as caught:
        load_weights(graph, save(tmp_path, changes))
    assert message in str(caught.value)


def test_random_weights_start_norms_neutral(graph: Graph) -> None:
    weights = random_weights(graph, 1)
    assert list(weights.nodes[1]["weight"]) == [1.0] * 3
    assert list(weights.nodes[1]["running_var"]) == [1.0] * 3
    assert list(weights.nodes[1]["running_mean"]) == [0.0] * 3
    assert list(weights.nodes[0]["bias"]) == [0.0] * 3
    assert weights.nodes[4] is weights.nodes[3]
    assert weights.source == "random"


def test_many_spare_keys_are_sorted_out_in_one_pass(graph: Graph, tmp_path: Path) -> None:
    """40,000 keys of auxiliary heads: looking each up in the others would take a minute."""
    spare: dict[str, tuple[int, ...] | None] = {f"aux.{number}": (1,) for number in range(40_000)}
    assert len(load_weights(graph, save(tmp_path, spare)).ignored) == 40_000


def test_a_models_weights_are_read_layer_by_layer_and_not_kept() -> None:
    """Two layers of 4 numbers: each is read once while it is asked for, and again when it comes back."""
    layer = "{conv: {filters: 2, kernel: 1, bias: false}}"
    graph = load_entry(f"[{layer}, {layer}]", (2, 3, 5))
    reads: list[str] = []

    def tensor(key: str, first: int) -> StoredTensor:
        def read() -> bytes:
            reads.append(key)
            return array("f", range(first, first + 4)).tobytes()

        return StoredTensor(key, (2, 2, 1, 1), "F32", read)

    keys = [f"{node.name}.weight" for node in graph]
    weights = own_weights(
        graph, Tensors({key: tensor(key, 4 * place) for place, key in enumerate(keys)}), "net.onnx"
    )
    assert (weights.source, weights.path, reads) == ("model", "net.onnx", [])
    first, second = weights.nodes
    found = [list(node["weight"]) for node in (first, first, second)]
    assert found == [[0, 1, 2, 3], [0, 1, 2, 3], [4, 5, 6, 7]]
    assert reads == keys
    assert list(first) == ["weight"]
    assert list(first["weight"]) == [0, 1, 2, 3]
    assert reads == [*keys, keys[0]]
