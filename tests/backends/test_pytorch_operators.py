"""Operators with weights and fields on small tensors: both backends give what PyTorch gives (tests/data/pytorch)."""

from __future__ import annotations

import json
import sys
from array import array
from itertools import accumulate
from math import prod
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from numba_support import Network, assert_close

from convcalc.backends import reference
from convcalc.backends.numba.plan import prepare
from convcalc.graph import INPUT, Graph
from convcalc.ops import get
from convcalc.weights.load import Weights

CASES = json.loads((Path(__file__).parent.parent / "data" / "pytorch" / "operators.json").read_text())[
    "cases"
]


def network(case: dict[str, Any]) -> tuple[Graph, Weights]:
    """The operator on parts of the network's input, which is a vector of all its inputs' numbers."""
    counts = [prod(tensor["shape"]) for tensor in case["inputs"]]
    made = Network(sum(counts))
    inputs = []
    for tensor, start, stop in zip(
        case["inputs"], [0, *accumulate(counts)], accumulate(counts), strict=False
    ):
        part = made.add("slice", INPUT, start=start, stop=stop)
        inputs.append(made.add("reshape", part, shape=tuple(tensor["shape"])))
    infos = get(case["kind"]).fields()
    made.add(
        case["kind"],
        *inputs,
        **{name: infos[name].kind.check(value) for name, value in case["fields"].items()},
    )
    node = made.builder.nodes[-1]
    assert {name: tuple(tensor["shape"]) for name, tensor in case["weights"].items()} == {
        parameter.name: parameter.shape for parameter in node.parameters
    }
    weights = {name: array("f", tensor["values"]) for name, tensor in case["weights"].items()}
    return made.graph(), Weights((*[{}] * node.index, weights), "random", seed=1)


@pytest.mark.parametrize("backend", ["numba", "reference"])
@pytest.mark.parametrize(
    "number", range(len(CASES)), ids=[f"{n}-{case['kind']}" for n, case in enumerate(CASES)]
)
def test_what_pytorch_gives(number: int, backend: str) -> None:
    case = CASES[number]
    graph, weights = network(case)
    assert graph.output_shape == tuple(case["output"]["shape"])
    values = array("f", [value for tensor in case["inputs"] for value in tensor["values"]])
    if backend == "numba":
        got = prepare(graph, weights, 1).run(values).values
    else:
        got = reference.run(graph, weights, values.tolist(), threads=1).values
    assert_close(got, case["output"]["values"], 3e-6)
