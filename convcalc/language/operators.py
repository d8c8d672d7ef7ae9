"""Operators built from fields as written in a spec: aliases, defaults, missing and unknown fields."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import islice
from typing import Any

from convcalc import language, ops
from convcalc.errors import Problems, SpecError
from convcalc.language import reader
from convcalc.language.documents import Spec
from convcalc.language.entries import Layer
from convcalc.language.expressions import LayerReference, Names
from convcalc.language.values import NONE, Value, compile_value, is_cut, open_brackets
from convcalc.language.words import canonical, listed
from convcalc.ops import FieldError, Operator, describe

Fields = dict[str, tuple[reader.Scalar, reader.YamlNode]]
Known = frozenset[str]
MAX_UNKNOWN = 20  # unknown fields for which a meaning is looked up


class Operators:
    """Compiles fields and creates operators; equal operators are created once. defaults: by kind and field."""

    def __init__(self, spec: Spec, variables: Names) -> None:
        self.problems: Problems = spec.problems
        self.defaults: dict[str, dict[str, Value]] = {}
        self.reads_shape = False  # whether any expression of a layer reads $shape
        self.shares = True  # whether layers with equal fields share one operator
        self._made: dict[tuple[Any, ...], Operator] = {}
        known = frozenset(spec.variables)
        for kind, (key, fields) in spec.defaults.items():
            if kind not in ops.names():
                self.problems.append(_unknown_operator(kind, key, kind in spec.blocks))
                continue
            compiled = self.fields(ops.get(kind), fields, f"defaults of {kind}: ", known)
            self.defaults[kind] = self._settled(ops.get(kind), compiled, variables)

    def _settled(
        self, operator: type[Operator], fields: dict[str, Value], variables: Names
    ) -> dict[str, Value]:
        """The evaluated defaults, without those that depend on a variable without a value."""
        result = {}
        for name, value in fields.items():
            if not all(other in variables for other in value.names()):
                continue
            try:
                plain = value.evaluate(variables)
                if plain is not None:
                    operator.fields()[name].kind.check(plain)
                result[name] = Value(value.node, plain, True)
            except FieldError as error:
                self.problems.append(value.node.error(f"defaults of {operator.kind}: {name} {error}"))
            except SpecError as error:
                self.problems.append(error)
        return result

    def fields(
        self,
        operator: type[Operator],
        fields: Fields,
        label: str,
        known: Known,
        allowed: tuple[str, ...] = (),
    ) -> dict[str, Value]:
        """Compiled values by field name, aliases resolved; unknown, repeated and invalid fields are collected.

        label: prefix of the messages, such as "conv2: ". allowed: keys that are valid next to the fields.
        """
        infos = operator.fields()
        result: dict[str, Value] = {}
        unknown: list[str] = []
        for written, (key, node) in fields.items():
            if written in allowed:
                continue
            name = written if written in infos else canonical(operator.kind, written)
            info = infos.get(name)
            if info is None:
                unknown.append(written)
                continue
            if name in result:
                self.problems.append(
                    key.error(f"{label}{name} is given twice, as {name} and {info.alias}", "keep one of them")
                )
                continue
            value = self.value(node, known)
            if value is None:
                continue
            if value.constant:
                plain = value.evaluate(NONE)
                try:
                    if plain is not None:
                        info.kind.check(plain)
                except FieldError as error:
                    where = label or f"{operator.kind}: "
                    hint = _wrong_value(operator.kind, name, plain)
                    self.problems.append(node.error(f"{where}{name} {error}", hint))
                    continue
            result[name] = value
        if unknown:
            debris = cut_off(fields)
            unknown = [written for written in unknown if written not in debris]
            for problem in language.foreign.unknown_fields(operator, fields, unknown, label, allowed):
                self.problems.append(problem)
        return result

    def missing(
        self, operator: type[Operator], fields: Collection[str], allowed: tuple[str, ...] = ()
    ) -> list[str]:
        """The required fields given neither in the entry nor in the defaults. A field that is misspelled or has
        another tool's name already has an error, so it is not reported as missing too."""
        infos = operator.fields()
        given = {canonical(operator.kind, name) for name in fields} | self.defaults.get(
            operator.kind, {}
        ).keys()
        missing = [name for name, info in infos.items() if info.required and name not in given]
        if missing:
            unknown = list(
                islice((name for name in given if name not in infos and name not in allowed), MAX_UNKNOWN)
            )
            meant = {language.foreign.stands_for(operator, name, allowed) for name in unknown}
            missing = [name for name in missing if name not in meant]
        return missing

    def make(self, layer: Layer, names: Names, label: str) -> Operator:
        """The layer's operator; values in the entry override the spec's defaults. Raises SpecError."""
        defaults = self.defaults.get(layer.kind)
        written = layer.fields
        values: dict[str, Any] = {}
        for name, info in layer.operator.fields().items():
            value = written.get(name)
            if value is None and defaults:
                value = defaults.get(name)
            if value is None:
                continue
            plain = value.evaluate(names)
            if plain is None:  # null: the operator's own default
                if info.required:
                    raise value.node.error(f"{label}: {name} is null, and it has no default")
                continue
            is_layer = info.kind.names_layer or name == layer.operator.shape_field
            if is_layer and isinstance(plain, LayerReference):
                plain = plain.path
            try:
                values[name] = info.kind.check(plain)
            except FieldError as error:
                hint = _wrong_value(layer.kind, name, plain)
                raise value.node.error(f"{label}: {name} {error}", hint) from None
        if not self.shares:
            return layer.operator(**values)
        memo = (layer.operator, *values.items())
        operator = self._made.get(memo)
        if operator is None:
            operator = self._made[memo] = layer.operator(**values)
        return operator

    def value(self, node: reader.YamlNode, known: Known) -> Value | None:
        """The compiled value; None if it is invalid, with the problem collected."""
        try:
            value = compile_value(node)
            value.check_names(known)
            self.reads_shape = self.reads_shape or (not value.constant and "shape" in value.names())
        except SpecError as error:
            self.problems.append(error)
            return None
        return value

    def only(self, fields: Fields, allowed: tuple[str, ...], what: str, hints: Mapping[str, str]) -> None:
        """Collect a problem for every key that is not allowed."""
        unknown = [name for name in fields if name not in allowed]
        debris = cut_off(fields) if unknown else ()
        for name in unknown:
            if name not in debris:
                self.problems.append(
                    fields[name][0].error(
                        f"no field {describe(name)} for {what}{language.synonyms.suggest(name, allowed, 'field')}",
                        hints.get(name, f"fields: {listed(allowed)}"),
                    )
                )


def _unknown_operator(kind: str, key: reader.Scalar, is_block: bool) -> SpecError:
    """The error for `defaults` under a name that is not an operator."""
    absence = language.planned.layer(kind)
    if is_block:
        return key.error(
            f"no operator {describe(kind)}", "defaults are for operators; a block's are in its params"
        )
    if absence is not None and language.synonyms.meaning(kind, ops.names(), "layer") is None:
        return key.error(f"{describe(kind)} {absence.message}", absence.hint)
    return key.error(f"no operator {describe(kind)}{language.synonyms.suggest(kind, ops.names(), 'layer')}")


def _wrong_value(kind: str, name: str, value: object) -> str | None:
    """A hint for a quoted value that would be a number or boolean without quotes, else None."""
    if isinstance(value, str) and (reader.type_of(value) if value else value) != value:
        return "numbers, true and false are written without quotes"
    return None


def cut_off(fields: Fields) -> set[str]:
    """Keys that are really the rest of an expression that YAML split at a comma: {filters: $(max(a, b))}."""
    found = set()
    depth = 0
    for name, (_, node) in fields.items():
        if depth > 0:
            found.add(name)
            depth += open_brackets(name)
        elif is_cut(node):
            assert isinstance(node, reader.Scalar)
            depth = open_brackets(node.text)
    return found
