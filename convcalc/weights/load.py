"""Weights for every layer of a graph: read from a file by key, or drawn at random.

A parameter's key is the layer's path and the parameter's name, `layer3.0.bn1.running_var`; a spec's `keys` give
other names that a file may use. A file fits whole or not at all.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import isclose, prod
from typing import Literal

from convcalc.errors import WeightsError, did_you_mean
from convcalc.graph import Graph, Node
from convcalc.ops import Parameter
from convcalc.shapes import Shape, show
from convcalc.weights.checkpoint import common_prefixes
from convcalc.weights.drawn import Draw, DrawnNumbers, DrawnParameters
from convcalc.weights.files import open_weights
from convcalc.weights.memory import uses_numpy
from convcalc.weights.tensors import StoredTensor, Tensors, quoted

Parameters = Mapping[str, Sequence[float]]
SHOWN = 5
RULE_TOLERANCE = 1e-5  # between a file's numbers and those made by a rule, which it holds as 32-bit floats


@dataclass(frozen=True)
class Weights:
    """For each node, a mapping of parameter name to flat row-major values; nodes that share weights hold the same
    mapping.

    source: where the values come from, `model` being a model file or module that brings them; ignored: keys of the file
    that the network does not use; note: the reader's remarks; drawn: the random ones among the values, by which weights
    are not told apart, as `nodes` has them.
    """

    nodes: tuple[Parameters, ...]
    source: Literal["bundled", "file", "random", "model"]
    path: str | None = None
    seed: int | None = None
    ignored: tuple[str, ...] = ()
    note: str = ""
    drawn: DrawnNumbers | None = field(default=None, compare=False)

    def draw(self) -> None:
        """Draws the random values now. Processes that are forked then share them."""
        if self.drawn is not None:
            self.drawn.draw()


def random_weights(graph: Graph, seed: int = 0) -> Weights:
    """He-initialised weights, drawn when one of them is asked for first; normalisations and biases start as the
    identity."""
    own = [(node, parameter) for node in graph if node.shares is None for parameter in node.parameters]
    drawn = DrawnNumbers(
        [Draw(p.key(n.name), prod(p.shape), p.fan_in, seed) for n, p in own if p.fan_in is not None]
    )
    places = iter(range(len(drawn.wanted)))
    nodes: list[Parameters] = []
    for node in graph:
        if node.shares is not None:
            nodes.append(nodes[node.shares])
            continue
        values: dict[str, Sequence[float] | int] = {}
        for parameter in node.parameters:
            if parameter.fan_in is not None:
                values[parameter.name] = next(places)
            elif parameter.rule is not None:
                values[parameter.name] = array("f", parameter.rule())
            else:
                values[parameter.name] = array("f", [parameter.initial]) * prod(parameter.shape)
        nodes.append(DrawnParameters(values, drawn))
    return Weights(tuple(nodes), "random", seed=seed, drawn=drawn)


@dataclass(frozen=True)
class MatchedTensors:
    """The stored tensors of each node by parameter name, values unread; an empty mapping for a node that shares.

    name: the file; ignored: keys that the network does not use; note: the reader's remarks.
    """

    nodes: tuple[Mapping[str, StoredTensor], ...]
    name: str
    ignored: tuple[str, ...] = ()
    note: str = ""


def load_weights(
    graph: Graph, path: str, source: Literal["bundled", "file"] = "file", shown: str | None = None
) -> Weights:
    """The weights of a file, matched to the graph by key. Raises WeightsError unless everything matches."""
    matched = match_file(graph, path, shown)
    uses_numpy(sum(tensor.count for found in matched.nodes for tensor in found.values()))
    nodes: list[Parameters] = []
    for node, found in zip(graph, matched.nodes, strict=True):
        if node.shares is not None:
            nodes.append(nodes[node.shares])
        else:
            made = {p.name: array("f", p.rule()) for p in node.parameters if p.rule is not None}
            nodes.append({name: tensor.floats() for name, tensor in found.items()} | made)
    return Weights(tuple(nodes), source, path=matched.name, ignored=matched.ignored, note=matched.note)


class LatestLayer:
    """The values of the layer that was asked for last; those of others are dropped."""

    __slots__ = ("layer", "values")

    def __init__(self) -> None:
        self.layer: object = None
        self.values: dict[str, Sequence[float]] = {}


class StoredParameters(Mapping[str, Sequence[float]]):
    """The parameters of a layer, converted when they are asked for and kept until another layer is: a network's weights
    are never in memory all at once, unless a backend keeps them."""

    __slots__ = ("_latest", "_made", "_tensors")

    def __init__(
        self,
        tensors: Mapping[str, StoredTensor],
        made: Mapping[str, Sequence[float]],
        latest: LatestLayer,
    ) -> None:
        self._tensors = tensors
        self._made = made
        self._latest = latest

    def __getitem__(self, name: str) -> Sequence[float]:
        if name in self._made:
            return self._made[name]
        latest = self._latest
        if latest.layer is not self:
            latest.layer, latest.values = self, {}
        if name not in latest.values:
            latest.values[name] = self._tensors[name].floats()
        return latest.values[name]

    def __iter__(self) -> Iterator[str]:
        yield from self._tensors
        yield from self._made

    def __len__(self) -> int:
        return len(self._tensors) + len(self._made)


def own_weights(graph: Graph, tensors: Tensors, path: str) -> Weights:
    """The weights that a model brings. tensors: by our keys; they are read layer by layer when they are computed with.
    Raises WeightsError unless there is one for every parameter."""
    matched = match_tensors(graph, tensors, path)
    nodes: list[Parameters] = []
    latest = LatestLayer()
    for node, found in zip(graph, matched.nodes, strict=True):
        made = {p.name: array("f", p.rule()) for p in node.parameters if p.rule is not None}
        nodes.append(StoredParameters(found, made, latest) if node.shares is None else nodes[node.shares])
    return Weights(tuple(nodes), "model", path=path)


def match_file(graph: Graph, path: str, shown: str | None = None) -> MatchedTensors:
    """The tensors of a file, matched to the graph by key. Raises WeightsError unless everything matches."""
    index = _index(graph)
    tensors = _without_prefix(open_weights(path, partial(_fit, index)), index)
    return match_tensors(graph, tensors, shown or path)


def match_tensors(graph: Graph, tensors: Tensors, name: str) -> MatchedTensors:
    """Tensors by key, matched to the graph. name: of their file. Raises WeightsError unless everything matches."""
    picked: list[dict[str, StoredTensor]] = []
    used: set[str] = set()
    missing: list[str] = []
    wrong: list[str] = []
    unequal: list[str] = []
    for node in graph:
        found: dict[str, StoredTensor] = {}
        for parameter in node.parameters if node.shares is None else ():
            keys = parameter_keys(node, parameter)
            key = next((key for key in keys if key in tensors), None)
            if parameter.rule is not None:
                if key is not None:
                    used.add(key)
                    unequal += _unequal(tensors[key], parameter)
                continue
            if key is None:
                missing.append(
                    keys[0] + next((f" ({tensors.others[k]})" for k in keys if k in tensors.others), "")
                )
                continue
            used.add(key)
            if _squeezed(tensors[key].shape) != _squeezed(parameter.shape):
                wrong.append(
                    f"{key} is {_shape(tensors[key].shape)}, {graph.name} needs {_shape(parameter.shape)}"
                )
            found[parameter.name] = tensors[key]
        picked.append(found)
    extra = [key for key in tensors if key not in used]
    heads = {node.name.split(".")[0] for node in graph}
    ignored = [key for key in extra if _ignored_keys(key, heads)]
    unknown = [key for key in extra if not _ignored_keys(key, heads)]
    _refuse(name, graph, missing, wrong, unequal, unknown, tensors.note)
    return MatchedTensors(tuple(picked), name, tuple(ignored), tensors.note)


Index = dict[str, tuple[str, str]]  # a key that a file may use: the layer and the parameter it means


def _index(graph: Graph) -> Index:
    return {
        key: (node.name, parameter.name)
        for node in graph
        if node.shares is None
        for parameter in node.parameters
        for key in parameter_keys(node, parameter)
    }


def _unequal(tensor: StoredTensor, parameter: Parameter) -> list[str]:
    """The difference between a file's tensor and the rule that generates it, or None; its numbers may be grouped
    differently."""
    assert parameter.rule is not None
    if tensor.count != prod(parameter.shape):
        return [f"{tensor.name} is {_shape(tensor.shape)}, the rule gives {_shape(parameter.shape)}"]
    for place, (stored, made) in enumerate(zip(tensor.values(), parameter.rule(), strict=True)):
        if not isclose(stored, made, rel_tol=RULE_TOLERANCE, abs_tol=RULE_TOLERANCE):
            return [f"{tensor.name} has {stored:g} at place {place:,}, the rule gives {made:g}"]
    return []


def _named(index: Index, keys: Collection[str], prefix: str) -> int:
    """The number of parameters that the keys name once the prefix is removed."""
    bare = (key[len(prefix) :] for key in keys)
    return len({index[key] for key in bare if key in index})


def _fit(index: Index, keys: Collection[str]) -> int:
    """The number of parameters that the keys name, as they are or without a common prefix."""
    return max(_named(index, keys, prefix) for prefix in common_prefixes(keys))


def _without_prefix(tensors: Tensors, index: Index) -> Tensors:
    """The tensors without the common prefix whose removal names the most parameters; the note mentions it."""
    prefix = max(common_prefixes(tensors), key=lambda prefix: _named(index, tensors, prefix))
    if not prefix:
        return tensors
    stripped = Tensors((key[len(prefix) :], tensor) for key, tensor in tensors.items())
    said = f"its keys are read without their prefix {quoted(prefix)}"
    stripped.note = f"{tensors.note}; {said}" if tensors.note else said
    stripped.others = {key.removeprefix(prefix): kind for key, kind in tensors.others.items()}
    return stripped


def parameter_keys(node: Node, parameter: Parameter) -> list[str]:
    """The keys for a parameter: the layer's path first, then those of the spec's `keys`."""
    keys = [parameter.key(node.name)]
    if "" in node.keys:
        keys.append(parameter.key(node.keys[""]))
    if parameter.name and parameter.name in node.keys:
        keys.append(node.keys[parameter.name])
    return keys


def _squeezed(shape: Shape) -> Shape:
    return tuple(size for size in shape if size != 1)


def _shape(shape: Shape) -> str:
    return show(shape) or "a single number"


def _ignored_keys(key: str, heads: set[str]) -> bool:
    """Keys that may be ignored: batch counters, and auxiliary heads used only in training. heads: the first
    segments of the network's own paths."""
    head = key.split(".")[0]
    return key.endswith(".num_batches_tracked") or (head.lower().startswith("aux") and head not in heads)


def _refuse(
    name: str,
    graph: Graph,
    missing: list[str],
    wrong: list[str],
    unequal: list[str],
    unknown: list[str],
    note: str,
) -> None:
    if not (missing or wrong or unequal or unknown):
        return
    lines = [note] if note else []
    if wrong:
        lines += _first("wrong shape", wrong)
    if unequal:
        lines += _first("not what the network makes by rule", unequal)
    if missing:
        suggestion = did_you_mean(missing[0], unknown[:500]).replace("; did you mean", ", perhaps")
        lines += _first("missing", missing, suggestion)
    if unknown:
        lines += _first("not part of the network", unknown)
    raise WeightsError(
        f"{name}: these weights do not fit {graph.name}",
        hint="\n".join(
            [*lines, "keys are the layers' paths, as 'convcalc show --all' prints them, and a name"]
        ),
    )


def _first(what: str, items: list[str], suggestion: str = "") -> list[str]:
    more = f" and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
    return [f"{what} ({len(items)}): {', '.join(items[:SHOWN])}{more}{suggestion}"]
