"""Numbers near 0, far from it, infinite and none: both backends give what PyTorch gives (tests/data/pytorch)."""

from __future__ import annotations

import csv
import json
import sys
from array import array
from collections.abc import Sequence
from math import copysign, inf, isnan, nan
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from numba_support import Network, any_values, any_weights

from convcalc.backends import reference
from convcalc.backends.numba.plan import prepare
from convcalc.graph import INPUT, Graph
from convcalc.weights.load import Weights

DATA = Path(__file__).parent.parent / "data" / "pytorch"
LARGEST = 3.4028234e38  # of float32
NOTHING = 1e-36  # what is smaller may have been rounded to 0, but keeps its sign
BACKENDS = ("numba", "reference")


def run(backend: str, graph: Graph, weights: Weights, values: Sequence[float]) -> list[float]:
    if backend == "numba":
        return list(prepare(graph, weights, 1).run(array("f", values)).values)
    return list(reference.run(graph, weights, array("f", values).tolist(), threads=1).values)


def same(got: float, wanted: float, scale: float = 0.0) -> bool:
    """Equal but for rounding to float32; scale: of the function, near which an approximation may be off."""
    if isnan(got) or isnan(wanted):
        return isnan(got) and isnan(wanted)
    if abs(wanted) > LARGEST and abs(got) == inf:  # the reference's numbers are of 64 bits
        return copysign(1, got) == copysign(1, wanted)
    if inf in (abs(got), abs(wanted)):
        return got == wanted
    if abs(wanted) < NOTHING and copysign(1, got) != copysign(1, wanted):
        return False
    return abs(got - wanted) <= max(2e-6 * max(abs(wanted), scale), NOTHING)


with open(DATA / "activations.csv", newline="") as file:
    (VERSION, *FUNCTIONS), *ROWS = csv.reader(file)
INPUTS = [float(row[0]) for row in ROWS]
WANTED = {name: [float(row[place]) for row in ROWS] for place, name in enumerate(FUNCTIONS, 1)}


def fields_of(name: str) -> tuple[str, dict[str, Any]]:
    return {
        "gelu_tanh": ("gelu", {"approximate": "tanh"}),
        "softplus_steep": ("softplus", {"beta": 2.0, "threshold": 3.0}),
        "elu_half": ("elu", {"alpha": 0.5}),
        "celu_two": ("celu", {"alpha": 2.0}),
        "clip": ("clip", {"min": -0.3, "max": 2.0}),
        "clip_above": ("clip", {"max": 2.0}),
        "clip_crossed": ("clip", {"min": 1.0, "max": -1.0}),
    }.get(name, (name, {}))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_activations(name: str, backend: str) -> None:
    kind, fields = fields_of(name)
    network = Network(1, len(INPUTS))
    network.add(kind, **fields)
    graph = network.graph()
    weights = Weights(({"weight": array("f", [0.25])} if name == "prelu" else {},), "random", seed=1)
    got = run(backend, graph, weights, INPUTS)
    wrong = [
        (x, wanted, value)
        for x, wanted, value in zip(INPUTS, WANTED[name], got, strict=True)
        if not same(value, wanted, min(1.0, abs(x)))
    ]
    assert wrong == [], "(input, PyTorch, here)"


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name != "prelu"])
def test_activations_within_a_convolution(name: str) -> None:
    """Done while the result is in cache, by the same functions. A convolution by 1 keeps what is finite."""
    kind, fields = fields_of(name)
    places = [place for place, x in enumerate(INPUTS) if abs(x) <= LARGEST]
    network = Network(1, len(places))
    network.add("conv", filters=1, kernel=1, bias=False)
    network.add(kind, **fields)
    weights = Weights(({"weight": array("f", [1.0])}, {}), "random", seed=1)
    got = run("numba", network.graph(), weights, [INPUTS[place] for place in places])
    for place, value in zip(places, got, strict=True):
        x, wanted = INPUTS[place], WANTED[name][place]
        # 0 + −0 is 0, so the sums of a convolution have no −0
        without_sign = x == 0 and abs(value) == abs(wanted)
        assert same(value, wanted, min(1.0, abs(x))) or without_sign, (x, wanted, value)


with open(DATA / "joins.csv", newline="") as file:
    (_, _, *JOINS), *PAIRS = csv.reader(file)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", JOINS)
def test_joins(kind: str, backend: str) -> None:
    """Of two vectors, the halves of the input."""
    count = len(PAIRS)
    firsts, seconds = ([float(pair[place]) for pair in PAIRS] for place in (0, 1))
    network = Network(2 * count)
    first = network.add("slice", INPUT, start=0, stop=count)
    network.add(kind, first, network.add("slice", INPUT, start=count, stop=2 * count))
    graph = network.graph()
    got = run(backend, graph, any_weights(graph, 1), [*firsts, *seconds])
    wanted = [float(pair[2 + JOINS.index(kind)]) for pair in PAIRS]
    for pair in zip(firsts, seconds, wanted, got, strict=True):
        # Which of 0 and −0 is the larger is left open by PyTorch and by IEEE 754-2008.
        assert same(pair[3], pair[2]) or (kind in ("maximum", "minimum") and pair[2] == pair[3] == 0), pair


def over_three(name: str) -> tuple[Graph, dict[str, Any]]:
    """The network that tests/data/pytorch/make.py has as `name`, and its parameters."""
    fields: dict[str, dict[str, Any]] = {
        "batchnorm": {"eps": 0.01},
        "lrn": {"size": 3, "alpha": 3e-4},
        "maxpool": {"kernel": 2, "stride": 1},
        "maxpool_padded": {"kernel": 3, "stride": 1, "padding": 1},
        "avgpool": {"kernel": 2, "stride": 1},
        "adaptive_avgpool": {"size": 2},
        "upsample": {"scale": 2},
        "groupnorm": {"groups": 1},
    }
    shape = {
        "softmax": (3,),
        "layernorm": (3,),
        "rmsnorm": (3,),
        "l2norm": (3,),
        "groupnorm": (3, 1, 1),
        "batchnorm": (3, 1, 1),
        "lrn": (3, 1, 1),
    }.get(name, (1, 3))
    parameters = {
        "layernorm": {"weight": [1.0] * 3, "bias": [0.0] * 3},
        "rmsnorm": {"weight": [1.0] * 3},
        "groupnorm": {"weight": [1.0] * 3, "bias": [0.0] * 3},
        "batchnorm": {
            "running_mean": [0.5] * 3, "running_var": [4.0] * 3, "weight": [2.0] * 3, "bias": [1.0] * 3,
        },
    }.get(name, {})  # fmt: skip
    network = Network(*shape)
    network.add(name.removesuffix("_padded"), **fields.get(name, {}))
    return network.graph(), {key: array("f", values) for key, values in parameters.items()}


VECTORS = json.loads((DATA / "vectors.json").read_text())


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", list(VECTORS["rows"][0]["float64"]))
def test_operators_on_three_numbers(name: str, backend: str) -> None:
    graph, parameters = over_three(name)
    weights = Weights((parameters,), "random", seed=1)
    for row in VECTORS["rows"]:
        got = run(backend, graph, weights, row["input"])
        results = [row[precision][name] for precision in ("float64", "float32")]
        assert any(alike(got, wanted) for wanted in results), (row["input"], results, got)


def alike(got: Sequence[float], wanted: Sequence[float]) -> bool:
    scale = min(1.0, max((abs(x) for x in wanted if x == x), default=0.0))
    return all(same(a, b, 2 * scale) for a, b in zip(got, wanted, strict=True))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("size", [2, 3, 4])
def test_a_pool_gives_what_is_no_number_wherever_it_stands(size: int, backend: str) -> None:
    for place in range(size * size):
        values = [float(number) for number in range(size * size)]
        values[place] = nan
        network = Network(1, size, size)
        network.add("maxpool", kernel=size)
        network.add("relu")
        assert isnan(run(backend, network.graph(), any_weights(network.graph(), 1), values)[0])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("global_maxpool", {}),
        ("adaptive_maxpool", {"size": 1}),
        ("reduce", {"mode": "max"}),
        ("reduce", {"mode": "min"}),
    ],
)
def test_a_largest_or_least_value_is_none_where_one_of_them_is_none(
    kind: str, fields: dict[str, Any], backend: str
) -> None:
    """As torch.amax and amin; infinities are numbers."""
    for place in range(6):
        values = [3.0, -inf, 1.0, inf, 2.0, 0.0] * 2
        values[place] = nan
        network = Network(2, 2, 3)
        network.add(kind, **fields)
        first, second = run(backend, network.graph(), any_weights(network.graph(), 1), values)
        assert isnan(first)
        assert second == (-inf if fields.get("mode") == "min" else inf)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("stride", "padding", "count"), [(1, 0, 30), (2, 1, 20)])
def test_a_deconvolution_with_a_weight_that_is_no_number(
    stride: int, padding: int, count: int, backend: str
) -> None:
    """6×5 pixels write by the kernel's first weight: 30 places with PyTorch, less the first row and column where
    padding cuts these off."""
    network = Network(3, 6, 5)
    network.add("deconv", filters=2, kernel=3, stride=stride, padding=padding)
    graph = network.graph()
    weights = any_weights(graph, 1)
    weights.nodes[0]["weight"][18] = nan  # of channel 1 and filter 0
    got = run(backend, graph, weights, any_values(graph, 2))
    assert sum(map(isnan, got)) == count
    assert not any(map(isnan, got[len(got) // 2 :]))


@pytest.mark.parametrize("backend", BACKENDS)
def test_interpolation_reads_neighbours_only(backend: str) -> None:
    network = Network(1, 4, 4)
    network.add("upsample", scale=2, mode="bilinear")
    values = [1.0] * 16
    values[5] = inf  # row 1, column 1: the rows and columns 1 to 4 of the result lie less than a pixel away
    got = run(backend, network.graph(), any_weights(network.graph(), 1), values)
    assert [(p // 8, p % 8) for p, value in enumerate(got) if value != 1] == [
        (y, x) for y in range(1, 5) for x in range(1, 5)
    ]
