"""Spec files: finding them, reading them, and following `extends` to one set of keys.

A `Spec` holds nodes, not yet values, so that every later error can point to its place.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from convcalc.errors import SpecError, SpecErrors, did_you_mean
from convcalc.spec import bundled, reader
from convcalc.spec.values import Value, compile_value

KEYS = (
    "name", "title", "source", "notes", "extends", "vars", "input", "defaults", "blocks", "layers", "preprocess",
    "labels", "weights",
)  # fmt: skip
NOT_INHERITED = ("name", "title", "notes", "labels", "weights")
MERGED = ("vars", "blocks", "defaults")
MAX_CHAIN = 20


class File(NamedTuple):
    """A spec's text, the directory its relative names count from, and what tells it from other files."""

    source: reader.Source
    directory: str | None
    identity: str


@dataclass
class Spec:
    """The keys of a spec after `extends`, each still a node. Nodes of other files keep their places.

    `required` are the variables without a value: such a spec is a family.
    """

    root: reader.Mapping
    directory: str | None
    keys: dict[str, reader.Node] = field(default_factory=dict)
    variables: dict[str, reader.Node] = field(default_factory=dict)
    blocks: dict[str, tuple[reader.Scalar, reader.Node]] = field(default_factory=dict)
    defaults: dict[str, tuple[reader.Scalar, dict[str, tuple[reader.Scalar, reader.Node]]]] = field(
        default_factory=dict
    )
    problems: list[SpecError] = field(default_factory=list)

    @property
    def required(self) -> list[str]:
        """The variables that say `required`."""
        return [name for name, node in self.variables.items() if is_required(node)]

    def text(self, key: str) -> str | None:
        """A key's text as written, or None."""
        node = self.keys.get(key)
        if node is None:
            return None
        if not isinstance(node, reader.Scalar):
            self.problems.append(node.error(f"{key} needs a text"))
            return None
        return node.text

    def fail(self) -> None:
        """Raise what was found so far, if anything."""
        if self.problems:
            unique = list(
                {(str(problem.mark), problem.message): problem for problem in self.problems}.values()
            )
            unique.sort(key=lambda p: (p.mark.file, p.mark.line, p.mark.column) if p.mark else ("", 0, 0))
            raise unique[0] if len(unique) == 1 else SpecErrors(unique)


def is_required(node: reader.Node) -> bool:
    """Whether a value is the word `required`."""
    return isinstance(node, reader.Scalar) and node.plain and node.text == "required"


def locate(arch: str, relative_to: str | None = None) -> File:
    """The file that ARCH or `extends` means: `-`, a path that ends in .yaml or .yml, or a bundled name."""
    if arch == "-" and relative_to is None:
        return File(
            reader.Source("<stdin>", _decode("<stdin>", sys.stdin.buffer.read(reader.MAX_BYTES + 1))),
            None,
            "-",
        )
    if arch.endswith((".yaml", ".yml")):
        path = os.path.join(relative_to, arch) if relative_to else arch
        return _read(path, path)
    found = bundled.path(arch)
    if found is None:
        raise SpecError(f"no architecture '{arch}'{did_you_mean(arch, bundled.names())}", hint=_finding(arch))
    return _read(found, arch + ".yaml")


def _finding(arch: str) -> str:
    for path in (arch, arch + ".yaml", arch + ".yml"):
        if os.path.isfile(path):
            if path.endswith((".yaml", ".yml")):
                return f"there is a file of that name here: write {path}"
            return "there is a file of that name here; a spec's file name ends in .yaml"
    return "'convcalc list' shows the bundled ones; a spec of your own is a path that ends in .yaml"


def _read(path: str, shown: str) -> File:
    try:
        with open(path, "rb") as file:
            data = file.read(reader.MAX_BYTES + 1)
    except FileNotFoundError:
        raise SpecError(
            f"{shown}: no such file", hint="check the path; bundled names have no .yaml"
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SpecError(f"{shown}: cannot be read: {reason}") from None
    return File(
        reader.Source(shown, _decode(shown, data)), os.path.dirname(path) or ".", os.path.realpath(path)
    )


def _decode(name: str, data: bytes) -> str:
    if len(data) > reader.MAX_BYTES:
        raise SpecError(
            f"{name}: the spec is larger than {reader.MAX_BYTES // 2**20} MiB",
            hint="repeat, foreach and blocks say long networks in a few lines",
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise SpecError(
            f"{name}:{line}: not UTF-8 text (byte {error.start})", hint="save the file as UTF-8"
        ) from None
    return text


def read_spec(arch: str) -> Spec:
    """The merged keys of a spec and all it extends. Raises SpecError."""
    file = locate(arch)
    chain: list[tuple[File, reader.Mapping]] = []
    problems: list[SpecError] = []
    while True:
        root = reader.read(file.source)
        if not isinstance(root, reader.Mapping):
            raise root.error("a spec is a mapping of keys", "start with name:, input: and layers:")
        if file.identity in (earlier.identity for earlier, _ in chain):
            node = chain[-1][1].entries["extends"]
            raise node.error("extends comes back to a file it started from")
        chain.append((file, root))
        if len(chain) > MAX_CHAIN:
            raise root.error(f"more than {MAX_CHAIN} files extend one another")
        problems += _unknown_keys(root)
        base = root.entries.get("extends")
        if base is None:
            break
        if not isinstance(base, reader.Scalar) or not base.text:
            raise base.error("extends needs the name of a spec or a path that ends in .yaml")
        try:
            file = locate(base.text, file.directory or ".")
        except SpecError as error:
            raise base.error(error.message, error.hint) from None
    spec = Spec(chain[0][1], chain[0][0].directory, problems=problems)
    for depth, (_, root) in reversed(list(enumerate(chain))):
        _merge(spec, root, inherited=depth > 0)
    if "name" not in spec.keys:
        spec.problems.append(
            SpecError("the spec has no name", mark=chain[0][1].mark, hint="add a line such as 'name: mynet'")
        )
    return spec


def _unknown_keys(root: reader.Mapping) -> list[SpecError]:
    return [
        root.keys[key].error(f"no key '{key}' in a spec{did_you_mean(key, KEYS)}", "keys: " + ", ".join(KEYS))
        for key in root.entries
        if key not in KEYS
    ]


def _merge(spec: Spec, root: reader.Mapping, inherited: bool) -> None:
    """Lay one file's keys over what its bases gave."""
    for key, node in root.entries.items():
        if key in ("extends", *MERGED) or (inherited and key in NOT_INHERITED) or key not in KEYS:
            continue
        spec.keys[key] = node
    for key in MERGED:
        if key not in root.entries:
            continue
        node = root.entries[key]
        if isinstance(node, reader.Scalar) and node.plain and not node.text:
            continue
        if not isinstance(node, reader.Mapping):
            spec.problems.append(node.error(f"{key} needs a mapping of names"))
            continue
        if key == "vars":
            for name, value in node.entries.items():
                problem = name_problem(name, node.keys[name], "variable")
                if problem:
                    spec.problems.append(problem)
                spec.variables[name] = value
        elif key == "blocks":
            for name, value in node.entries.items():
                spec.blocks[name] = (node.keys[name], value)
        else:
            _merge_defaults(spec, node)


def _merge_defaults(spec: Spec, node: reader.Mapping) -> None:
    for kind, fields in node.entries.items():
        if not isinstance(fields, reader.Mapping):
            spec.problems.append(fields.error(f"defaults of {kind} need a mapping of its fields"))
            continue
        # an inherited default and its alias must not both survive; entries.py resolves the aliases
        _, known = spec.defaults.setdefault(kind, (node.keys[kind], {}))
        for name, value in fields.entries.items():
            known.pop(name, None)
            known[name] = (fields.keys[name], value)


def name_problem(name: str, node: reader.Node, what: str) -> SpecError | None:
    """Why a variable or parameter cannot have this name, if it cannot."""
    import keyword
    import re

    from convcalc.spec.entries import COMMON
    from convcalc.spec.expressions import FUNCTIONS, WORDS

    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        return node.error(
            f"'{name}' cannot name a {what}", "use letters, digits and _, not starting with a digit"
        )
    taken = (
        "a function"
        if name in FUNCTIONS
        else "a word of the language"
        if keyword.iskeyword(name) or name in WORDS
        else "the copy's index"
        if name == "i"
        else "the input's channel count"
        if name == "channels"
        else "a key of every layer"
        if name in COMMON
        else None
    )
    return (
        node.error(f"'{name}' cannot name a {what}: it is {taken}", "choose another name") if taken else None
    )


def variables(spec: Spec, overrides: Mapping[str, str]) -> dict[str, Any]:
    """The values of all variables, `--set` first, then as they depend on one another.

    Variables that are `required` and not set are left out. Raises SpecError for unknown names and cycles.
    """
    from convcalc.errors import UsageError

    nodes = dict(spec.variables)
    for name, text in overrides.items():
        if name not in nodes:
            raise UsageError(
                f"--set {name}: the spec has no variable '{name}'{did_you_mean(name, nodes)}",
                hint=f"its variables: {', '.join(nodes)}" if nodes else "it has none",
            )
        nodes[name] = _override(name, text)
    compiled: dict[str, Value] = {}
    for name, node in nodes.items():
        if is_required(node):
            continue
        try:
            compiled[name] = compile_value(node)
            compiled[name].check_names(nodes)
        except SpecError as error:
            spec.problems.append(error)
            compiled.pop(name, None)
    values: dict[str, Any] = {}
    pending: list[str] = []

    def settle(name: str) -> None:
        if name in values or name not in compiled:
            return
        if name in pending or len(pending) > 60:
            spec.problems.append(
                compiled[name].node.error(
                    f"the variables {', '.join(pending)} depend on one another in a circle"
                )
            )
            del compiled[name]
            return
        pending.append(name)
        for other in sorted(compiled[name].names()):
            settle(other)
        pending.pop()
        if name in compiled:
            missing = [n for n in compiled[name].names() if n not in values]
            if not missing:
                try:
                    values[name] = compiled[name].evaluate(values)
                except SpecError as error:
                    spec.problems.append(error)

    for name in list(compiled):
        settle(name)
    return values


def _override(name: str, text: str) -> reader.Node:
    return (
        reader.read(reader.Source(f"--set {name}", text))
        if text.strip()
        else reader.Scalar(reader.Source(f"--set {name}", text), 0, 0, 1, text, False)
    )
