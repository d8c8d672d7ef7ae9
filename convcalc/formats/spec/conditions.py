"""Conditions of a pattern's entries: the `if` of what some instances lack."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from convcalc.formats.spec.patterns import Column, Row, lacks
from convcalc.formats.spec.slots import FIRST, MISSING, Parameter, Text


class Conditions:
    """Finds the conditions of all entries. params: the parameters so far, to which booleans are added. channels: the
    channel count of a layer by its index, MISSING for None. found: the texts by column or row."""

    def __init__(self, params: list[Parameter], channels: Callable[[int | None], Any]) -> None:
        self.params = params
        self.channels = channels
        self.found: dict[int, Text] = {}

    def settle(self, row: Row, join: Column | None = None) -> None:
        """Give an `if` to what some instances lack. join: the join that the list is a branch of."""
        if join is not None and lacks(row.present, join.present):
            self.found[id(row)] = self._condition(row.present, join.present, join, "shortcut")
        for place, column in enumerate(row.columns):
            if lacks(column.present, row.present):
                own = column.part.node is None or column.part.node.named
                label = column.label if column.label and own and not column.label.isdecimal() else column.kind
                if column.kind == "group" or (not place and join is None and len(row.columns) > 2):
                    label = column.label or "expand"
                alone = join if join is not None and not place else None
                self.found[id(column)] = self._condition(column.present, row.present, alone, label)
            for inner in column.bodies:
                self.settle(inner, column if column.part.branches is not None else None)

    def _condition(
        self,
        present: Sequence[bool],
        around: Sequence[bool],
        join: Column | None,
        label: str,
    ) -> Text:
        """The expression that is true for the instances that have an entry, among those that have what it is in."""
        cases = [(instance, has) for instance, has in enumerate(present) if around[instance]]
        if join is not None and (text := self._by_shape(cases, join)) is not None:
            return text
        for parameter in self.params:
            if parameter.key.startswith("if ") and all(parameter.values[i] is has for i, has in cases):
                return [parameter]
            if parameter.key.startswith("if ") and all(parameter.values[i] is not has for i, has in cases):
                return ["not ", parameter]
        parameter = Parameter(f"if {label}", [bool(has) for has in present], label=label)
        self.params.append(parameter)
        return [parameter]

    def _by_shape(self, cases: Sequence[tuple[int, bool]], join: Column) -> Text | None:
        """A projection is there where stride or channels change, an identity where they do not."""
        channels = [self.channels(start) for start in join.starts]
        strides = [parameter for parameter in self.params if parameter.key in ("stride", FIRST + "stride")]
        widths = [parameter for parameter in self.params if parameter.channel]
        for factor in (1, 2, 4):
            for width in widths:
                wide = [
                    MISSING if value is MISSING or value is None else factor * value for value in width.values
                ]
                if any(channels[i] is MISSING or wide[i] is MISSING for i, _ in cases):
                    continue
                product: Text = [width] if factor == 1 else [f"{factor} * ", width]
                for stride in strides:
                    changes = {i: stride.values[i] != 1 or channels[i] != wide[i] for i, _ in cases}
                    if all(changes[i] is has for i, has in cases):
                        return [stride, " != 1 or channels != ", *product]
                    if all(changes[i] is not has for i, has in cases):
                        return [stride, " == 1 and channels == ", *product]
                differs = {i: channels[i] != wide[i] for i, _ in cases}
                if all(differs[i] is has for i, has in cases):
                    return ["channels != ", *product]
                if all(differs[i] is not has for i, has in cases):
                    return ["channels == ", *product]
        for stride in strides:
            if all((stride.values[i] != 1) is has for i, has in cases):
                return [stride, " != 1"]
            if all((stride.values[i] == 1) is has for i, has in cases):
                return [stride, " == 1"]
        return None
