"""Evaluation of a spec's variables with `--set`, and the check that every variable is used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from convcalc import language
from convcalc.errors import ConvcalcError, SpecError, UsageError, closest
from convcalc.language import reader
from convcalc.language.documents import Spec
from convcalc.language.expressions import Names
from convcalc.language.order import in_order
from convcalc.language.values import Value, compile_value, names_within
from convcalc.language.words import circle, listed
from convcalc.ops import describe

_NONE_GIVEN: Mapping[str, Any] = {}
# Keys of a spec whose values may contain expressions.
READING = ("layers", "input", "inputs", "outputs", "preprocess", "budget")


def variables(spec: Spec, settings: Mapping[str, str], given: Mapping[str, Any] = _NONE_GIVEN) -> Names:
    """The values of all variables, overridden by `--set` and evaluated in dependency order.

    given: values that need no evaluation, of variables that have one without.

    Variables without a value are left out: those that are `required` and not set, and those in error, whose problems
    are collected. Raises UsageError for settings that name no variable.
    """
    nodes = {name: node for name, node in spec.variables.items() if not reader.is_required(node)}
    for name, text in settings.items():
        if name not in spec.variables:
            raise _unknown_setting(spec, name)
        nodes[name] = _setting(name, text)
    compiled: dict[str, Value] = {}
    for name, node in nodes.items():
        try:
            value = compile_value(node)
            value.check_names(spec.variables)
            compiled[name] = value
        except SpecError as error:
            spec.problems.append(error)
    order, circles = in_order({name: value.names() for name, value in compiled.items()})
    for names in circles:
        spec.problems.append(
            compiled[names[0]].node.error(
                f"variable {names[0]} depends on itself",
                circle(names) if len(names) > 1 else "give it a value",
            )
        )
    values = Names({})
    for name in order:
        if all(other in values for other in compiled[name].names()):
            try:
                values[name] = given[name] if name in given else compiled[name].evaluate(values)
            except SpecError as error:
                spec.problems.append(error)
    return values


def constants(spec: Spec, settings: Mapping[str, str]) -> frozenset[str]:
    """The variables with a value that reads no other variable. Raises UsageError for settings that name none."""
    nodes = {name: node for name, node in spec.variables.items() if not reader.is_required(node)}
    nodes |= {name: _setting(name, text) for name, text in settings.items()}
    return frozenset([name for name, node in nodes.items() if not names_within([node])])


def _setting(name: str, text: str) -> reader.YamlNode:
    source = reader.YamlSource(f"--set {name}", text)
    if not text.strip():
        return reader.Scalar(source, 0, 0, 1, text, False)
    try:
        node = reader.read(source)
    except ConvcalcError as error:
        raise UsageError(
            f"--set {name}={text}: {error.message}",
            hint="a number, a word, a list such as [1, 2], or a text in quotes",
        ) from None
    if reader.is_required(node) or isinstance(node, reader.Mapping):
        raise UsageError(
            f"--set {name}={text}: needs a value", hint="a number, a word, or a list such as [1, 2]"
        )
    return node


def _unknown_setting(spec: Spec, name: str) -> UsageError:
    near = language.synonyms.suggest(name, spec.variables, "variable")
    return UsageError(
        f"--set {name}: the spec has no variable {describe(name)}{near}",
        hint=f"its variables: {listed(spec.variables)}" if spec.variables else "it has none",
    )


def check_read(spec: Spec, settings: Mapping[str, str], values: Names) -> None:
    """Collect a problem for each variable that the file defines but no expression uses: a misspelled `clases: 10`
    would silently have no effect. Inherited variables are exempt, as the file cannot fix them.

    values: the variables without an error. Raises UsageError for an unused variable that `--set` names.
    """
    asked = {**spec.own_variables, **dict.fromkeys(settings)}
    if not asked or "layers" not in spec.keys:
        return
    read = _names_read(spec)
    for name in asked:
        # skip variables with an error of their own, and those whose misspelled use is already reported
        has_value = name in values or name in spec.required
        if name in read or not has_value or (spec.problems and closest(name, read)):
            continue
        error = _unread(spec, name, read)
        if name not in spec.own_variables:
            raise UsageError(f"--set {name}: {error.message}", hint=error.hint)
        spec.problems.append(error)


def _names_read(spec: Spec) -> frozenset[str]:
    """Every name used in an expression: in layers, blocks (used or not), defaults, other variables, input, …"""
    nodes = [spec.keys[key] for key in READING if key in spec.keys]
    nodes += [node for _, node in spec.blocks.values()]
    nodes += [node for _, fields in spec.defaults.values() for _, node in fields.values()]
    nodes += spec.variables.values()
    return names_within(nodes)


def _unread(spec: Spec, name: str, read: frozenset[str]) -> SpecError:
    others = [other for other in spec.variables if other in read]
    key = spec.own_variables.get(name)
    return SpecError(
        f"nothing reads the variable {describe(name)}{language.synonyms.suggest(name, others, 'variable')}",
        mark=key.mark if key is not None else None,
        hint=f"variables that are read: {listed(others)}"
        if others
        else f"write ${name} where its value belongs, or leave it out",
    )
