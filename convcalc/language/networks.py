"""Networks as layers: reading another spec and evaluating its variables for the file that uses it."""

from __future__ import annotations

from typing import Any, NamedTuple

from convcalc.errors import Problems, SpecError, SpecErrors, did_you_mean
from convcalc.graph import Input
from convcalc.language import reader
from convcalc.language.documents import Spec, check_no_model, read_spec
from convcalc.language.expressions import Names, as_text
from convcalc.language.input import written_inputs
from convcalc.language.operators import Fields
from convcalc.language.outputs import WrittenOutput, written_outputs
from convcalc.language.values import compile_value
from convcalc.language.variables import variables
from convcalc.language.words import circle, listed
from convcalc.ops import describe

NETWORK_FIELDS = ("arch", "until", "set")
MAX_NETWORKS = 20  # nesting depth
MAX_READ = 100  # distinct pairs of spec and settings in one network


class Included(NamedTuple):
    """A spec used as a layer of another spec, with the values of its variables."""

    arch: str
    spec: Spec
    variables: Names
    inputs: tuple[Input, ...]
    outputs: list[WrittenOutput]


def include(key: reader.Scalar, fields: Fields, user: Spec, values: Names) -> Included:
    """Read the spec that a `network` entry of `user` refers to. values: the user's variables, which `set` may read.

    Raises SpecError at the entry if the entry is wrong, and within the other file for errors in that file.
    """
    if "arch" not in fields:
        raise key.error("network needs arch: the name of a spec, or a path that ends in .yaml")
    node = fields["arch"][1]
    if not isinstance(node, reader.Scalar) or not node.text or "$" in node.text:
        raise node.error("arch needs the name of a spec, or a path that ends in .yaml, written out")
    arch = node.text
    check_no_model(node, "arch")
    if len(user.read) >= MAX_READ:
        raise node.error(
            f"more than {MAX_READ} networks as layers", "one that is used again with the same set counts once"
        )
    user.read.append(arch)
    try:
        spec = read_spec(arch, relative_to=node.source.directory or ".", read=node.source.read)
    except SpecErrors:
        raise
    except SpecError as error:
        if error.mark is not None:
            raise
        raise node.error(error.message, error.hint) from None
    _check_circle(node, spec, user)
    settings = _settings(fields, arch, spec, values)
    inner = variables(spec, settings)
    missing = [name for name in spec.required if name not in settings]
    if missing and not spec.problems:
        raise key.error(
            f"{arch} is a family: it needs {listed(missing)}",
            f"take one of its members, or set: {{{missing[0]}: ...}}",
        )
    inputs = written_inputs(spec, inner)
    outputs = written_outputs(spec, inner)
    spec.problems.fail()
    assert inputs is not None
    return Included(arch, spec, inner, inputs, outputs)


def identity(fields: Fields) -> tuple[object, ...] | None:
    """A cache key equal for `network` entries with the same spec and settings; None if a setting is not a scalar, so
    that entries cannot be compared as written."""
    if "arch" not in fields:
        return None
    parts: list[object] = []
    for key, node in _written_parts(fields):
        if not isinstance(node, reader.Scalar):
            return None
        parts.append((key, node.text, node.plain))
    return (fields["arch"][1].source.directory, *parts)


def _written_parts(fields: Fields) -> list[tuple[str, reader.YamlNode]]:
    settings = fields["set"][1] if "set" in fields else None
    values = list(settings.entries.items()) if isinstance(settings, reader.Mapping) else []
    return [("", fields["arch"][1]), *values]


def _check_circle(node: reader.YamlNode, spec: Spec, user: Spec) -> None:
    own = {identity for identity, _ in spec.files}
    for start, (identity, _) in enumerate(user.used_in):
        if identity in own:
            names = [name for _, name in user.used_in[start:]]
            raise node.error("a network cannot be a layer within itself", circle(names))
    if len(user.used_in) >= MAX_NETWORKS:
        raise node.error(f"networks nested more than {MAX_NETWORKS} deep")
    spec.used_in = (*user.used_in, *spec.files)
    spec.read = user.read  # one list for the whole network, so that MAX_READ bounds the total


def _settings(fields: Fields, arch: str, spec: Spec, values: Names) -> dict[str, str]:
    """The values of `set` by variable, in the text form that `--set` takes. Raises SpecError or SpecErrors."""
    if "set" not in fields:
        return {}
    node = fields["set"][1]
    if not isinstance(node, reader.Mapping):
        raise node.error("set needs a mapping of variables", "write set: {classes: 10}")
    problems = Problems()
    settings: dict[str, str] = {}
    for name, item in node.entries.items():
        try:
            if name not in spec.variables:
                raise node.keys[name].error(
                    f"{arch} has no variable {describe(name)}{did_you_mean(name, spec.variables)}",
                    f"its variables: {listed(spec.variables)}" if spec.variables else "it has none",
                )
            value = compile_value(item)
            value.check_names(values)
            settings[name] = _written(value.evaluate(values))
        except SpecError as error:
            problems.append(error)
    problems.fail()
    return settings


def _written(value: Any) -> str:
    """A value in the syntax of the spec language; texts are quoted, so that they are not read as numbers."""
    if isinstance(value, list):
        return "[" + ", ".join(map(_written, value)) + "]"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else as_text(value)
