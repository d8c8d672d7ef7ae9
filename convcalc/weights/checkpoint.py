"""Finding the weights in a checkpoint: the right mapping of tensors, and the prefix of its keys.

Training scripts store weights under names of their own beside other things: optimiser state, a running average of
the weights, numbers, arguments. The mapping whose keys fit the network best is chosen.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

from convcalc.weights.pickled import ONLY_WEIGHTS, InvalidFile, PickledTensor, key_name, kind_of

Fit = Callable[[Collection[str]], int]  # the number of the network's parameters that the keys name

MAX_DEPTH = 8  # of nested mappings
MAX_SEGMENTS = 8  # of a prefix
SHOWN = 5
# Preferred names among mappings that fit equally well, in this order.
USUAL = ("state_dict", "model_state_dict", "model", "net", "network", "module", "weights")


class TensorMapping(NamedTuple):
    """A mapping with tensors. where: the dotted keys that lead to it; others: its remaining contents by key."""

    where: str
    tensors: dict[str, PickledTensor]
    others: dict[str, str]


def choose(value: object, fit: Fit | None) -> tuple[TensorMapping, str]:
    """The mapping of tensors that fits best, and a note on its place unless it is at the top. Without `fit`, the
    one with the most tensors. Raises InvalidFile if there is none."""
    found = list(_mappings(value))
    if not found:
        raise _contents(value)
    scores = [(fit or len)(mapping.tensors) for mapping in found]

    def order_of(number: int) -> tuple[int, int, int, int]:
        """Sort key: best fit first; among equals, fewer other contents; among mappings that do not fit, the larger."""
        size = len(found[number].tensors)
        return -scores[number], size if scores[number] else -size, _rank(found[number].where), number

    order = sorted(range(len(found)), key=order_of)
    best = found[order[0]]
    equals = [found[number].where for number in order[1:] if scores[number] == scores[order[0]] > 0]
    if not best.where:
        return best, ""
    note = f"the weights are those under {best.where!r}"
    if fit and equals:
        also = ", ".join(repr(where) for where in equals[:SHOWN])
        note += f"; those under {also} would fit as well"
    return best, note


def _rank(where: str) -> int:
    """The place of a mapping among equals: at the top of the file first, then under a usual name, then the rest."""
    last = where.rpartition(".")[2]
    return -1 if not where else USUAL.index(last) if last in USUAL else len(USUAL)


def _mappings(value: object) -> Iterator[TensorMapping]:
    """Every dictionary with tensors by name, outer ones first, each once."""
    queue: deque[tuple[str, object, int]] = deque([("", value, 0)])
    seen = {id(value)}
    while queue:
        where, container, depth = queue.popleft()
        children: list[tuple[object, object]] = []
        if isinstance(container, dict):
            children = list(container.items())
            tensors = {
                key: child
                for key, child in children
                if isinstance(key, str) and isinstance(child, PickledTensor)
            }
            if tensors:
                others = {
                    key: kind_of(child)
                    for key, child in children
                    if isinstance(key, str) and key not in tensors
                }
                yield TensorMapping(where, tensors, others)
        elif isinstance(container, (list, tuple)):
            children = list(enumerate(container))
        for key, child in children if depth < MAX_DEPTH else ():
            if isinstance(child, (dict, list, tuple)) and id(child) not in seen:
                seen.add(id(child))
                queue.append((f"{where}.{key!s:.80}" if where else f"{key!s:.80}", child, depth + 1))


def _contents(value: object) -> InvalidFile:
    """The contents of a file without named tensors, for an error."""
    place = ""
    if isinstance(value, dict):
        for name in USUAL:
            if isinstance(value.get(name), dict):
                place, value = f" under {name!r}", value[name]
                break
    held = kind_of(value)
    if isinstance(value, dict) and value:
        entries = [f"{key_name(key)} ({kind_of(entry)})" for key, entry in list(value.items())[:SHOWN]]
        held = ", ".join(entries) + (f" and {len(value) - SHOWN} more" if len(value) > SHOWN else "")
    return InvalidFile(f"it holds no tensors by name{place}, but {held}", ONLY_WEIGHTS)


def common_prefixes(keys: Collection[str]) -> list[str]:
    """The empty prefix, and each prefix of all keys that ends in a dot, such as `module.`."""
    if not keys:
        return [""]
    first, last = min(keys), max(keys)  # a common prefix of the first and last key is common to all
    prefixes, end = [""], first.find(".")
    while end >= 0 and last.startswith(first[: end + 1]) and len(prefixes) <= MAX_SEGMENTS:
        prefixes.append(first[: end + 1])
        end = first.find(".", end + 1)
    return prefixes
