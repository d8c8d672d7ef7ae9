"""Small networks made by hand or by chance, and what Numba and the reference make of them."""

from __future__ import annotations

import subprocess
import sys
from array import array
from collections.abc import Callable, Mapping, Sequence
from math import prod
from pathlib import Path
from random import Random
from typing import Any

from convcalc.backends import reference
from convcalc.backends.numba.plan import Plan, prepare
from convcalc.errors import SpecError
from convcalc.graph import INPUT, Builder, Graph, Input, Output, single_input
from convcalc.ops import get
from convcalc.weights.load import Weights

GUARD = 1024
CLOSE = 1e-5  # of the largest output


class Network:
    """Adds one layer after the other; a layer's input is the one before unless `at` names others."""

    def __init__(self, *shape: int, others: Sequence[tuple[int, ...]] = ()) -> None:
        """others: the shapes of further inputs, which are called -2, -3, …"""
        further = [Input(f"input{place}", other) for place, other in enumerate(others, 2)]
        self.builder = Builder([*single_input(shape), *further], 10_000)
        self.last = INPUT

    def add(self, kind: str, *at: int, shares: int | None = None, **fields: Any) -> int:
        """A layer's index. shares: the layer whose weights it uses."""
        name = f"{kind}{len(self.builder.nodes)}"
        sources = at if at or get(kind).inputs == (0, 0) else (self.last,)
        self.last = self.builder.add(name, get(kind)(**fields), sources, shares=shares)
        return self.last

    def graph(self) -> Graph:
        """The network so far; its output is the last layer's."""
        return self.graph_of(self.last)

    def graph_of(self, *outputs: int) -> Graph:
        """The network so far with these outputs, called out0, out1, …"""
        named = tuple(Output(f"out{place}", value) for place, value in enumerate(outputs))
        return Graph("test", self.builder.inputs, tuple(self.builder.nodes), named)


def any_weights(graph: Graph, seed: int) -> Weights:
    """Random numbers for every parameter, running statistics too; sizes that keep the signal's."""
    source = Random(seed)
    nodes = []
    for node in graph:
        if node.shares is not None:
            nodes.append(nodes[node.shares])
            continue
        values = {}
        for parameter in node.parameters:
            count = prod(parameter.shape)
            scale = (2 / parameter.fan_in) ** 0.5 if parameter.fan_in else 0.5
            numbers = [source.uniform(-1, 1) * 1.7 * scale for _ in range(count)]
            if parameter.name == "running_var":
                numbers = [0.5 + abs(number) for number in numbers]
            values[parameter.name] = array("f", numbers)
        nodes.append(values)
    return Weights(tuple(nodes), "random", seed=seed)


def any_values(graph: Graph, seed: int) -> array[float]:
    """An input."""
    source = Random(seed)
    return array("f", [source.gauss(0, 1) for _ in range(prod(graph.input_shape))])


def any_inputs(graph: Graph, seed: int) -> dict[str, array[float]]:
    """All inputs by name."""
    source = Random(seed)
    return {
        entry.name: array("f", [source.gauss(0, 1) for _ in range(prod(entry.shape))])
        for entry in graph.inputs
    }


def assert_close(got: Any, wanted: Any, close: float = CLOSE) -> None:
    """Each number within a part of the largest; one that is not a number only where the other is none too."""
    assert len(got) == len(wanted)
    largest = max((abs(number) for number in wanted), default=0.0)
    worst = max(
        (
            abs(a - b) if a == a and b == b else float(a == a or b == b) * 1e30
            for a, b in zip(got, wanted, strict=True)
        ),
        default=0.0,
    )  # fmt: skip
    assert worst <= close * largest + 1e-30, f"off by {worst:.3g} of {largest:.3g}"


def compare(
    graph: Graph,
    seed: int = 0,
    threads: int = 2,
    close: float = CLOSE,
    weights: Weights | None = None,
    **how: Any,
) -> Plan:
    """Run a graph both ways, twice here, with canaries around every buffer, and expect the same numbers."""
    weights = weights or any_weights(graph, seed)
    values = any_inputs(graph, seed + 1)
    lists = {name: numbers.tolist() for name, numbers in values.items()}
    wanted = reference.run(graph, weights, lists, threads=1)
    plan = prepare(graph, weights, threads, guard=GUARD, **how)
    for _ in range(2):
        got = plan.run(values)
        assert list(got.outputs) == list(wanted.outputs)
        for name, (shape, numbers) in got.outputs.items():
            assert shape == wanted.outputs[name].shape
            assert_close(numbers, wanted.outputs[name].values, close)
    assert plan.overrun_buffers() == []
    return plan


def by_chance(make: Callable[[Random], Graph | None], seed: int, most: int = 2_500_000) -> Graph:
    """The first network made from the seed that fits together and that the reference can run in a moment."""
    source = Random(seed)
    while True:
        try:
            graph = make(source)
        except SpecError:
            continue
        if graph is not None and sum(node.op.macs(node.input_shapes) for node in graph) < most:
            return graph


def sizes(source: Random, rank: int) -> list[int]:
    """A map's spatial size: each dimension different in kind, the last up to 40."""
    limits = {1: [40], 2: [14, 40], 3: [5, 7, 12]}[rank]
    return [source.randint(1, limit) for limit in limits]


def per_axis(source: Random, rank: int, low: int, high: int) -> Any:
    """One number for all axes or one for each."""
    if source.random() < 0.4:
        return source.randint(low, high)
    return tuple(source.randint(low, high) for _ in range(rank))


def margin(source: Random, rank: int, high: int) -> Any:
    """Padding of every form."""
    form = source.randrange(5)
    if form == 0:
        return source.randint(0, high)
    if form == 1:
        return "same"
    if form == 2:
        return "valid"
    return tuple((source.randint(0, high), source.randint(0, high)) for _ in range(rank))


def groups_of(source: Random, channels: int, filters: int) -> int:
    """A number that divides both."""
    return source.choice([n for n in range(1, channels + 1) if channels % n == 0 and filters % n == 0])


def run_script(script: str, environment: Mapping[str, str], timeout: int = 600) -> None:
    """Runs a script, whose argument is the folder of these tests, in a process of its own, and expects that it
    succeeds."""
    done = subprocess.run(
        [sys.executable, "-c", script, str(Path(__file__).parent)],
        capture_output=True, text=True, env=environment, timeout=timeout, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
