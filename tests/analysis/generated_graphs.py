"""Graphs by chance: nested and repeated blocks, residual and dense connections, branches, several inputs and outputs,
layers that nobody reads, branches in an order that nobody would write, and paths that split.

    graphs() -> a strategy of Graph
"""

from __future__ import annotations

from random import Random

from hypothesis import strategies as st

from convcalc import ops
from convcalc.graph import Builder, Graph, Input, Output

CHANNELS = (2, 3, 5, 8)


class Maker:
    """A network in the making. Maps keep their size but for a few pools, so that most values fit together."""

    def __init__(self, source: Random, size: int) -> None:
        self.source = source
        self.size = size
        self.flat = source.random() < 0.2  # no scopes, as in many an ONNX file
        inputs = [Input("input", (3, 12, 10))]
        if source.random() < 0.3:
            inputs.append(Input("other", (3, 12, 10)))
        self.builder = Builder(inputs, 10_000)
        self.values = [-1 - place for place in range(len(inputs))]
        self.names: dict[str, int] = {}

    def add(self, scope: str, kind: str, *at: int, **fields: object) -> int:
        scope = "" if self.flat else scope
        number = self.names[scope + kind] = self.names.get(scope + kind, 0) + 1
        name = f"{scope}.{kind}{number}" if scope else f"{kind}{number}"
        value = self.builder.add(name, ops.get(kind)(**fields), at, scope=scope)
        self.values.append(value)
        return value

    def shape(self, value: int) -> tuple[int, ...]:
        return self.builder.shape(value)

    def conv(self, scope: str, value: int, filters: int) -> int:
        kernel = self.source.choice([1, 3])
        value = self.add(scope, "conv", value, filters=filters, kernel=kernel, padding=kernel // 2)
        for kind in ("batchnorm", "relu", "dropout"):
            if self.source.random() < 0.4:
                value = self.add(scope, kind, value)
        return value

    def block(self, scope: str, value: int, depth: int, seed: int) -> int:
        """The same seed gives the same layers, as far as shapes allow."""
        before, self.source = self.source, Random(seed)
        source = self.source
        first = value
        for _ in range(source.randint(1, 3)):
            form = source.randrange(7 if depth else 3)
            channels = self.shape(value)[0]
            if form <= 1:
                value = self.conv(scope, value, source.choice([channels, channels, *CHANNELS]))
            elif form == 2:
                value = self.add(scope, source.choice(["relu", "batchnorm", "sigmoid"]), value)
            elif form == 3:  # residual
                inner = self.block(f"{scope}.res", value, depth - 1, source.randrange(9))
                inner = self.add(scope, "conv", inner, filters=channels, kernel=1)
                value = self.add(scope, "add", inner, value)
            elif form == 4:  # dense
                value = self.add(scope, "concat", value, self.conv(scope, value, 4))
            elif form == 5:  # branches, in turn or interleaved
                ends = [value] * source.choice([2, 3])
                for place in range(len(ends)):
                    ends[place] = self.block(f"{scope}.branch{place}", value, depth - 1, source.randrange(9))
                if source.random() < 0.5:
                    for _ in range(2):
                        ends = [self.add(scope, "relu", end) for end in ends]
                value = self.add(scope, "concat", *ends)
            else:  # something that an earlier layer gave
                fits = [other for other in self.values if self.shape(other) == self.shape(value)]
                value = self.add(scope, "add", value, before.choice(fits))
        if before.random() < 0.1:
            value = self.add(scope, "add", value, value)
        self.source = before
        return value if value != first else self.conv(scope, value, 5)


def graph(source: Random, size: int) -> Graph:
    """A network of about 10 · size layers."""
    maker = Maker(source, size)
    value = source.choice(maker.values)
    for stage in range(size):
        seed = source.randrange(12)
        name = source.choice(["stage", "net.stage", f"features.{stage}"])
        for copy in range(source.choice([1, 1, 2, 3, 5])):
            place = f"{name}{stage}.{copy}" if source.random() < 0.9 else name
            value = maker.block(place, value, 2, seed)
        if source.random() < 0.3:
            value = maker.conv("", value, source.choice(CHANNELS))
    nodes = maker.builder.nodes
    outputs = [Output("result", value)]
    if source.random() < 0.3:
        outputs.append(Output("second", source.randrange(len(nodes))))
    return Graph("generated", maker.builder.inputs, tuple(nodes), tuple(outputs))


def graphs(most: int = 5) -> st.SearchStrategy[Graph]:
    """Networks of up to `most` stages."""
    return st.builds(
        lambda seed, size: graph(Random(seed), size), st.integers(0, 2**32), st.integers(1, most)
    )
