"""The network's outputs: reading `outputs` from a spec and resolving its paths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from convcalc.errors import SpecError, did_you_mean
from convcalc.graph import Output, is_input
from convcalc.language import reader
from convcalc.language.documents import Spec
from convcalc.language.expressions import Names
from convcalc.language.header import SaidBefore, is_absent, plain_value
from convcalc.language.scopes import Scope, Unfound, look_up
from convcalc.language.words import listed, output_problem
from convcalc.ops import describe

MAX_OUTPUTS = 1_000


class WrittenOutput(NamedTuple):
    """An output as written in a spec: its name and the path of its layer."""

    name: str
    path: str
    node: reader.YamlNode


def written_outputs(spec: Spec, values: Names) -> list[WrittenOutput]:
    """The outputs listed under `outputs`; empty if the key is absent. Problems are collected.

    In a mapping, an expression that evaluates to null omits its output.
    """
    node = spec.keys.get("outputs")
    if node is None or is_absent(node):
        return []
    found: list[WrittenOutput] = []
    items: Sequence[tuple[str | None, reader.YamlNode]]
    if isinstance(node, reader.Mapping):
        items = list(node.entries.items())
    else:
        items = [(None, item) for item in (node.items if isinstance(node, reader.Sequence) else [node])]
    if len(items) > MAX_OUTPUTS:
        raise node.error(f"more than {MAX_OUTPUTS:,} outputs")
    for name, item in items:
        try:
            value = {} if isinstance(item, reader.Mapping) else plain_value(spec, item, values)
            # `outputs: $list`: a single expression may evaluate to a list of paths
            paths = value if item is node and isinstance(value, list) else [value]
            found += [_written(name, item, path) for path in paths if not _is_left_out(name, item, path)]
        except SpecError as error:
            spec.problems.append(error)
        except SaidBefore:
            continue
    seen: set[str] = set()
    for output in found:
        if output.name in seen:
            spec.problems.append(output.node.error(f"there is already an output {describe(output.name)}"))
        elif reason := output_problem(output.name):
            spec.problems.append(output.node.error(f"{describe(output.name)} cannot name an output", reason))
        seen.add(output.name)
    if not found and not spec.problems:
        spec.problems.append(
            node.error("outputs names no layer", "leave it out: the last layer is the output")
        )
    return found


def _is_left_out(name: str | None, node: reader.YamlNode, path: object) -> bool:
    return path is None and name is not None and not _is_plain(node)


def _written(name: str | None, node: reader.YamlNode, path: object) -> WrittenOutput:
    if isinstance(path, (list, dict, bool)) or path is None or path == "":
        raise node.error(
            f"outputs needs the paths of layers, not {describe(path)}",
            "write outputs: [p3, head.boxes], or outputs: {boxes: head.boxes}",
        )
    text = node.text if isinstance(node, reader.Scalar) and _is_plain(node) else str(path)
    return WrittenOutput(name or text, text, node)


def _is_plain(node: reader.YamlNode) -> bool:
    return isinstance(node, reader.Scalar) and "$" not in node.text


def found_outputs(written: list[WrittenOutput], top: Scope) -> tuple[Output, ...]:
    """The outputs with their paths resolved to nodes. Raises SpecError for an unknown path or the path of an input."""
    result = []
    for output in written:
        try:
            index = look_up(output.path, top)
        except Unfound as unfound:
            if unfound.inside is None:
                known = [name for name, member in top.members.items() if not _is_input(member)]
                raise output.node.error(
                    f"no layer {describe(output.path)} to be an output{did_you_mean(output.path, known)}",
                    f"outputs takes names and paths from the top: {listed(known)}",
                ) from None
            raise output.node.error(*unfound.inside) from None
        assert index is not None  # all scopes are complete after the expansion
        if is_input(index):
            what = "is an input" if isinstance(top.members.get(output.path), int) else "holds no layer"
            raise output.node.error(
                f"{describe(output.path)} {what}: an output is a layer's", "identity copies an input"
            )
        result.append(Output(output.name, index))
    return tuple(result)


def check_labelled(spec: Spec, labelled: str | None, outputs: Sequence[Output]) -> None:
    """Raise SpecError if `labels` names an output that does not exist."""
    names = [output.name for output in outputs]
    if labelled is not None and labelled not in names:
        node = spec.keys["labels"]
        assert isinstance(node, reader.Mapping)
        raise node.keys[labelled].error(
            f"no output {describe(labelled)} to have labels{did_you_mean(labelled, names)}",
            f"outputs: {listed(names)}",
        )


def _is_input(member: Scope | int) -> bool:
    return isinstance(member, int) and is_input(member)
