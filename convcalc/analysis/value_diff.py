"""Differences between the weights of two networks whose layers have been paired by `diff`: what fine-tuning changed.

Values are read one tensor at a time, so that memory is bounded by the largest pair of tensors.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from math import inf, isfinite, sqrt
from operator import mul, sub
from typing import Literal, NamedTuple

from convcalc.graph import Graph, Node
from convcalc.ops import Parameter
from convcalc.shapes import Shape
from convcalc.weights.load import MatchedTensors
from convcalc.weights.tensors import DTYPES, StoredTensor

CHUNK = 1 << 14  # numbers compared at a time, few enough to stay in the processor's cache

# Progress callback: numbers compared so far, numbers in total, current layer.
Comparing = Callable[[int, int, str], None]
Stored = Mapping[str, StoredTensor]


class TensorDifference(NamedTuple):
    """A tensor that both networks have, B's compared with A's.

    name: the parameter's name; key, key_b: its full names in A and in B; shapes: A's and B's. equal: whether all
    numbers are; NaN equals NaN. largest_difference: the largest |b − a|; relative_rms: the root mean square of b − a
    over that of a; both over the numbers that are finite in A and B, and None if the shapes differ. relative_rms is
    None, too, if a is 0 everywhere. not_finite: how many numbers are NaN or infinite in one network and not the same
    in the other.
    """

    name: str
    key: str
    key_b: str
    shapes: tuple[Shape, Shape]
    role: Literal["weight", "bias", "buffer"]
    equal: bool = False
    largest_difference: float | None = None
    relative_rms: float | None = None
    not_finite: int = 0


class LayerDifference(NamedTuple):
    """The tensors that both layers of a pair have; none for a layer that only one network has."""

    tensors: tuple[TensorDifference, ...]

    @property
    def differing(self) -> tuple[TensorDifference, ...]:
        """The tensors that are not equal."""
        return tuple(tensor for tensor in self.tensors if not tensor.equal)

    @property
    def equal(self) -> bool:
        """Whether all tensors are equal."""
        return not self.differing

    @property
    def learned_equal(self) -> bool:
        """Whether all tensors but buffers are equal."""
        return all(tensor.role == "buffer" for tensor in self.differing)

    @property
    def relative_rms(self) -> float | None:
        """The largest of its weights' figures; of its biases' or else its buffers' if the weights are equal."""
        if self.equal:
            return 0.0
        first = min(self.differing, key=lambda tensor: ROLES.index(tensor.role)).role
        known = [t.relative_rms for t in self.differing if t.role == first and t.relative_rms is not None]
        return max(known, default=None)

    @property
    def largest_difference(self) -> float | None:
        """The largest of its tensors'; None if no shapes agree."""
        known = [t.largest_difference for t in self.tensors if t.largest_difference is not None]
        return max(known, default=None)


ROLES = ("weight", "bias", "buffer")


class ValueDiff(NamedTuple):
    """The differences in weights. layers: one entry per pair of layers; only_a, only_b: the keys of tensors without a
    counterpart; sources: the files of A and of B."""

    layers: tuple[LayerDifference, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    sources: tuple[str, str]

    @property
    def same(self) -> bool:
        """Whether both have the same tensors with equal values."""
        return not self.only_a and not self.only_b and all(layer.equal for layer in self.layers)


Paired = Sequence[tuple[Node | None, Node | None]]


def compare_values(
    graphs: tuple[Graph, Graph],
    tensors: tuple[MatchedTensors, MatchedTensors],
    pairs: Paired,
    advance: Comparing | None = None,
) -> ValueDiff:
    """The differences between the tensors of A and B, paired by layers as in `pairs`, then by parameter name."""
    stored = [_tensors_of(graphs, tensors, pair) for pair in pairs]
    total = sum(found.count for first, second in stored for name, found in first.items() if name in second)
    layers: list[LayerDifference] = []
    only_a: list[str] = []
    only_b: list[str] = []
    done = 0
    for (a, b), (first, second) in zip(pairs, stored, strict=True):
        only_a += [_parameter(a, name)[1] for name in first if name not in second]
        only_b += [_parameter(b, name)[1] for name in second if name not in first]
        found = []
        for name in first:
            if name in second:
                (parameter, key), (_, key_b) = _parameter(a, name), _parameter(b, name)
                if advance:
                    advance(done, total, key)
                shapes = first[name].shape, second[name].shape
                tensor = TensorDifference(name, key, key_b, shapes, parameter.role)
                found.append(_with_figures(tensor, first[name], second[name]))
                done += first[name].count
        layers.append(LayerDifference(tuple(found)))
    return ValueDiff(tuple(layers), tuple(only_a), tuple(only_b), (tensors[0].name, tensors[1].name))


def _tensors_of(
    graphs: tuple[Graph, Graph],
    tensors: tuple[MatchedTensors, MatchedTensors],
    pair: tuple[Node | None, Node | None],
) -> tuple[Stored, Stored]:
    """The tensors of both layers of a pair; none if both reuse those of other layers, where they are compared."""
    a, b = pair
    if a and b and a.shares is not None and b.shares is not None:
        return {}, {}
    paired = a is not None and b is not None
    return _used(graphs[0], a, tensors[0], paired), _used(graphs[1], b, tensors[1], paired)


def _used(graph: Graph, node: Node | None, tensors: MatchedTensors, paired: bool) -> Stored:
    """The tensors of a node; if it is paired, also those that it takes from another."""
    if node is None or (node.shares is not None and not paired):
        return {}
    return tensors.nodes[node.index if node.shares is None else node.shares]


def _parameter(node: Node | None, name: str) -> tuple[Parameter, str]:
    """A parameter of a layer, and its full name."""
    assert node is not None
    found = next(parameter for parameter in node.parameters if parameter.name == name)
    return found, found.key(node.name)


def _with_figures(tensor: TensorDifference, first: StoredTensor, second: StoredTensor) -> TensorDifference:
    """The record with its figures, computed over a few numbers at a time."""
    bare = [[size for size in shape if size != 1] for shape in tensor.shapes]
    if bare[0] != bare[1]:
        return tensor
    data = memoryview(first.read()), memoryview(second.read())
    largest = squares = size = 0.0
    not_finite = 0
    for start in range(0, first.count, CHUNK):
        stop = min(start + CHUNK, first.count)
        x, y = _numbers(first, data[0], start, stop), _numbers(second, data[1], start, stop)
        differences = [*map(sub, y, x)] if x != y else []
        part = sum(map(mul, differences, differences))
        if not isfinite(part):
            x, y, broken = _finite(x, y)
            not_finite += broken
            differences = [*map(sub, y, x)]
            part = sum(map(mul, differences, differences))
        largest = max(largest, max(map(abs, differences), default=0.0))
        squares += part
        size += sum(map(mul, x, x))
    relative = squares / size if size else inf
    return tensor._replace(
        equal=not largest and not not_finite,
        largest_difference=largest,
        relative_rms=0.0 if not largest else sqrt(relative) if isfinite(relative) else None,
        not_finite=not_finite,
    )


def _numbers(tensor: StoredTensor, data: memoryview, start: int, stop: int) -> array[float]:
    """Some of a tensor's numbers, from all its bytes."""
    width = DTYPES[tensor.dtype][0]
    part = data[start * width : stop * width]
    return StoredTensor(tensor.name, (stop - start,), tensor.dtype, lambda: part).values()


def _finite(first: array[float], second: array[float]) -> tuple[array[float], array[float], int]:
    """The numbers that are finite in both, and how many of the others are not the same."""
    kept: tuple[array[float], array[float]] = array("d"), array("d")
    broken = 0
    for a, b in zip(first, second, strict=True):
        if isfinite(a) and isfinite(b):
            kept[0].append(a)
            kept[1].append(b)
        elif a != b and (a == a or b == b):
            broken += 1
    return *kept, broken
