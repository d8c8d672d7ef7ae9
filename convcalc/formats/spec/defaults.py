"""`defaults` of a document: fields that most layers of an operator write with the same value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from convcalc import ops
from convcalc.formats.spec.records import Document, Entry, Expression, Group, Layer

FIELDS = ("bias", "eps", "rounding", "count_padding")
NORMALISATIONS = ("layernorm", "rmsnorm")  # whose axis is the same all over a network
MIN_ENTRIES = 2


def with_defaults(document: Document) -> Document:
    """The document with fields moved to `defaults` where more than half of an operator's entries have the same value,
    and at least two. The others then write the operator's own default."""
    written: dict[tuple[str, str], Counter[Any]] = {}
    for entry in document.entries():
        if isinstance(entry, Layer):
            infos = ops.get(entry.kind).fields()
            for name in (*FIELDS, "axis") if entry.kind in NORMALISATIONS else FIELDS:
                if name in infos and not infos[name].required:
                    value = entry.fields.get(name, infos[name].default)
                    written.setdefault((entry.kind, name), Counter())[_hashable(value)] += 1
    defaults: dict[str, dict[str, Any]] = {}
    for (kind, name), counts in written.items():
        value, count = counts.most_common(1)[0]
        own = ops.get(kind).fields()[name].default
        common = count >= MIN_ENTRIES and 2 * count > counts.total()
        if common and value != own and not isinstance(value, Expression):
            defaults.setdefault(kind, {})[name] = value
    if not defaults:
        return document
    return replace(
        document,
        layers=_moved(document.layers, defaults),
        blocks={
            name: replace(block, layers=_moved(block.layers, defaults))
            for name, block in document.blocks.items()
        },
        defaults=defaults,
    )


def _hashable(value: Any) -> Any:
    return tuple(map(_hashable, value)) if isinstance(value, (list, tuple)) else value


def _moved(layers: tuple[Entry, ...], defaults: Mapping[str, Mapping[str, Any]]) -> tuple[Entry, ...]:
    """Entries without the fields that the defaults give, and with those that they would change."""
    result: list[Entry] = []
    for entry in layers:
        if isinstance(entry, Group):
            entry = replace(entry, layers=_moved(entry.layers, defaults))
        elif isinstance(entry, Layer):
            branches = entry.branches
            if branches is not None:
                branches = tuple(
                    [replace(branch, layers=_moved(branch.layers, defaults)) for branch in branches]
                )
            entry = replace(entry, fields=_fields(entry, defaults.get(entry.kind, {})), branches=branches)
        result.append(entry)
    return tuple(result)


def _fields(entry: Layer, given: Mapping[str, Any]) -> Mapping[str, Any]:
    if not given:
        return entry.fields
    infos = ops.get(entry.kind).fields()
    fields = {
        name: value for name, value in entry.fields.items() if name not in given or value != given[name]
    }
    fields |= {name: infos[name].default for name in given if name not in entry.fields}
    return fields
