"""Spec files: finding and reading them, and merging `extends` into one set of keys.

A `Spec` holds YAML nodes rather than values, so that later errors can point to their place.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from typing import NamedTuple

from convcalc import language, ops
from convcalc.errors import Problems, SpecError
from convcalc.graph import MAX_LAYERS
from convcalc.language import bundled, reader
from convcalc.language.reader import ReadFile
from convcalc.language.words import canonical, circle, name_problem
from convcalc.ops import describe

# The keys of a spec with their descriptions in the JSON Schema; schema.py defines their types.
KEYS = {
    "name": "the network's name; default is the file's",
    "title": "what tables show instead of the name",
    "source": "the paper or page it follows",
    "notes": "remarks shown under its tables",
    "extends": "a bundled name, or a path that ends in .yaml",
    "vars": "values for $name, which --set changes",
    "input": "the input's shape, channels first: [3, 224, 224] or a mapping",
    "inputs": "several inputs: each name with its shape",
    "defaults": "fields of an operator wherever they are not written",
    "blocks": "the file's own layers, with parameters",
    "layers": "the entries, one after another",
    "outputs": "the layers whose outputs are the network's, where it is not the last: paths, or names with paths",
    "preprocess": "how an image becomes the input",
    "labels": "the classes' names: imagenet1k, kinetics400, cifar10, digits or a list; of one of several outputs, "
    "under its name",
    "task": "what the network is for",
    "published": "figures that its authors publish, and their source: {top1: 76.13, source: ...}",
    "weights": "a weights file beside the spec, or the address of published ones",
    "budget": "the largest figures that convcalc check allows: {params: 3M, macs: 300M}",
    "lint": "lints that convcalc check does not report: {ignore: [...]}",
}
NOT_INHERITED = ("name", "title", "notes", "labels", "weights", "task", "published", "budget")
MERGED = ("vars", "blocks", "defaults")
MAX_CHAIN = 20
MODEL_FILES = (".onnx", ".pt", ".pth", ".safetensors", ".h5", ".tflite", ".pb")
MAX_VARIABLES = 1_000


class File(NamedTuple):
    """A spec's text, the base directory of its relative paths, and an identity that differs between files."""

    source: reader.YamlSource
    directory: str | None
    identity: str


@dataclass
class Spec:
    """The keys of a spec after `extends`, as nodes. Nodes keep their place in the file they come from.

    own_variables: the key nodes of the variables that the file itself defines, except values for variables that its
    base requires. meant: the valid keys behind misspelled keys and other tools' names, which are already reported.
    required: variables without a value, which make the spec a family. files: identity and name of the file and of
    those it extends. used_in: the same, after those of the specs that use this spec as a layer. read: names of the
    specs read as layers; one list shared by all specs of a network.
    """

    root: reader.Mapping
    directory: str | None
    keys: dict[str, reader.YamlNode] = field(default_factory=dict)
    meant: frozenset[str] = frozenset()
    variables: dict[str, reader.YamlNode] = field(default_factory=dict)
    own_variables: dict[str, reader.Scalar] = field(default_factory=dict)
    blocks: dict[str, tuple[reader.Scalar, reader.YamlNode]] = field(default_factory=dict)
    defaults: dict[str, tuple[reader.Scalar, dict[str, tuple[reader.Scalar, reader.YamlNode]]]] = field(
        default_factory=dict
    )
    problems: Problems = field(default_factory=Problems)
    files: tuple[tuple[str, str], ...] = ()
    used_in: tuple[tuple[str, str], ...] = ()
    read: list[str] = field(default_factory=list)

    @property
    def required(self) -> list[str]:
        """The names of the variables whose value is `required`."""
        return [name for name, node in self.variables.items() if reader.is_required(node)]

    @property
    def name(self) -> str:
        """The value of `name`, or the file's name without its suffix."""
        stem = os.path.splitext(os.path.basename(self.root.source.name.replace("\\", "/")))[0]
        return self.text("name") or stem.strip("<>")

    def text(self, key: str) -> str | None:
        """A key's text as written, or None if it is absent or null. A list or mapping is collected as a problem."""
        node = self.keys.get(key)
        if node is None or (isinstance(node, reader.Scalar) and node.value is None and key != "name"):
            return None
        if not isinstance(node, reader.Scalar):
            self.problems.append(
                node.error(f"{key} needs a text", "quote a text that holds ': ' or brackets")
            )
            return None
        return node.text


def locate(arch: str, relative_to: str | None = None, read: ReadFile | None = None) -> File:
    """Read the file for ARCH or `extends`: `-`, a path ending in .yaml or .yml, or a bundled name. Raises SpecError.

    read: instead of the disk, for files that are not bundled.
    """
    if arch == "-" and relative_to is None:
        data = sys.stdin.buffer.read(reader.MAX_BYTES + 1)
        return File(reader.YamlSource("<stdin>", _decode("<stdin>", data)), None, "-")
    if arch.endswith(bundled.SUFFIXES):
        path = os.path.normpath(os.path.join(relative_to, arch)) if relative_to else arch
        return _read(path, path, read)
    found = bundled.path(arch)
    if found is None:
        hint = _lying_here(arch, relative_to)
        meant = "" if hint else language.synonyms.suggest_network(arch, bundled.names())
        raise SpecError(
            f"no architecture {describe(arch)}{meant}",
            hint=hint
            or "'convcalc list' shows the bundled ones; a spec of your own is a path that ends in .yaml",
        )
    return _read(found, arch + ".yaml")


def _lying_here(arch: str, directory: str | None) -> str | None:
    for name in (arch, *(arch + suffix for suffix in bundled.SUFFIXES)):
        if os.path.isfile(os.path.join(directory or ".", name)):
            if name.endswith(bundled.SUFFIXES):
                return f"there is a file {name} here: to mean it, write {name}"
            said = f"there is a file {name} here, but a spec's file name ends in .yaml"
            if directory is None:  # a command takes models, too
                said += ", a model's in .onnx"
                if name.endswith(".py"):
                    return f"there is a file {name} here: to mean a PyTorch module in it, write {name}:NAME"
            return said
    return None


def read_file(path: str) -> bytes:
    """The bytes of a spec's file, at most one more than it may have. Raises OSError."""
    with open(path, "rb") as file:
        return file.read(reader.MAX_BYTES + 1)


def _read(path: str, shown: str, read: ReadFile | None = None) -> File:
    try:
        data = (read or read_file)(path)
    except FileNotFoundError:
        bare = os.path.splitext(path)[0]
        hint = f"the bundled one is called {bare}, without .yaml" if bundled.path(bare) else "check the path"
        raise SpecError(f"{shown}: no such file", hint=hint) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SpecError(f"{shown}: cannot be read: {reason}") from None
    directory = os.path.dirname(path) or "."
    source = reader.YamlSource(shown, _decode(shown, data), directory, read)
    return File(source, directory, os.path.realpath(path))


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


def read_spec(
    arch: str,
    max_layers: int = MAX_LAYERS,
    *,
    relative_to: str | None = None,
    read: ReadFile | None = None,
) -> Spec:
    """The merged keys of a spec and those it extends. relative_to: base folder of relative paths. read: reads files
    that are not bundled; by default from the disk. Raises SpecError."""
    return _merged(locate(arch, relative_to, read), max_layers)


def read_text(text: str, name: str, max_layers: int = MAX_LAYERS) -> Spec:
    """The merged keys of a spec given as text. name: for errors. Raises SpecError."""
    return _merged(File(reader.YamlSource(name, text), None, name), max_layers)


def _merged(file: File, max_layers: int) -> Spec:
    chain: list[tuple[File, reader.Mapping]] = []
    unknown: list[str] = []
    problems = Problems()
    while True:
        root = reader.read(file.source, max(max_layers, MAX_LAYERS))
        if not isinstance(root, reader.Mapping):
            raise root.error("a spec is a mapping of keys", "start with name:, input: and layers:")
        chain.append((file, root))
        unknown += [key for key in root.entries if key not in KEYS]
        problems += _unknown_keys(root)
        base = root.entries.get("extends")
        if base is None:
            break
        file = _base(base, chain)
    meant = frozenset(
        language.synonyms.suggestion(key, KEYS, "key") or key for key in unknown[: Problems.MAX]
    )
    spec = Spec(chain[0][1], chain[0][0].directory, problems=problems, meant=meant)
    spec.files = spec.used_in = tuple([(file.identity, file.source.name) for file, _ in chain])
    for depth, (_, root) in reversed(list(enumerate(chain))):  # bases first
        _merge(spec, root, inherited=depth > 0)
    if "name" in spec.keys and not spec.text("name"):
        spec.problems.append(spec.keys["name"].error("name is empty"))
    return spec


def check_no_model(node: reader.Scalar, key: str) -> None:
    """Raise SpecError if a key that takes a spec is given a model file such as .onnx."""
    if node.text.lower().endswith(MODEL_FILES):
        raise node.error(
            f"{node.text} is a model file, and {key} takes specs",
            f"convcalc convert {node.text} -o net.yaml makes one",
        )


def _base(node: reader.YamlNode, chain: list[tuple[File, reader.Mapping]]) -> File:
    """Read the file that `extends` names. Raises SpecError at its place, also for circular `extends`."""
    if not isinstance(node, reader.Scalar) or not node.text:
        hint = "one spec extends one other" if isinstance(node, reader.Sequence) else None
        raise node.error("extends needs the name of a spec, or a path that ends in .yaml", hint)
    check_no_model(node, "extends")
    try:
        file = locate(node.text, chain[-1][0].directory or ".", node.source.read)
    except SpecError as error:
        raise node.error(error.message, error.hint) from None
    for start, (earlier, _) in enumerate(chain):
        if earlier.identity == file.identity:
            way = circle([each.source.name for each, _ in chain[start:]])
            raise node.error("extends leads back to where it started", way)
    if len(chain) >= MAX_CHAIN:
        raise node.error(f"more than {MAX_CHAIN} files extend one another")
    return file


def _unknown_keys(root: reader.Mapping) -> list[SpecError]:
    unknown = [key for key in root.entries if key not in KEYS]
    return [_unknown_key(key, root.keys[key]) for key in unknown[: Problems.MAX]]


def _unknown_key(key: str, node: reader.Scalar) -> SpecError:
    if key in ops.names():
        return node.error(f"no key {describe(key)} in a spec", f"a layer belongs under layers: - {key}")
    return node.error(
        f"no key {describe(key)} in a spec{language.synonyms.suggest(key, KEYS, 'key')}",
        "keys: " + ", ".join(KEYS),
    )


def _merge(spec: Spec, root: reader.Mapping, inherited: bool) -> None:
    """Merge one file's keys into the spec, overriding those of its bases."""
    if "input" in root.entries and "inputs" in root.entries:
        spec.problems.append(
            root.keys["inputs"].error("input and inputs say the same thing", "keep one of them")
        )
    for key, other in (("input", "inputs"), ("inputs", "input")):
        if key in root.entries:
            spec.keys.pop(other, None)  # either key replaces the inherited inputs
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
            _merge_variables(spec, node, inherited)
        elif key == "blocks":
            for name, value in node.entries.items():
                spec.blocks[name] = (node.keys[name], value)
        else:
            merge_defaults(spec, node)


def _merge_variables(spec: Spec, node: reader.Mapping, inherited: bool) -> None:
    for name, value in node.entries.items():
        problem = name_problem(name, node.keys[name], "variable")
        if problem:
            spec.problems.append(problem)
        elif not inherited and not (name in spec.variables and reader.is_required(spec.variables[name])):
            spec.own_variables[name] = node.keys[name]
        spec.variables[name] = value
    if len(spec.variables) > MAX_VARIABLES:
        raise node.error(f"more than {MAX_VARIABLES:,} variables", "a list holds many values under one name")


def merge_defaults(spec: Spec, node: reader.Mapping) -> None:
    """Merge `defaults` field by field. A field replaces the inherited one even if either is written as an alias."""
    for kind, fields in node.entries.items():
        if isinstance(fields, reader.Scalar) and fields.plain and not fields.text:
            continue
        if not isinstance(fields, reader.Mapping):
            spec.problems.append(
                fields.error(
                    f"defaults of {describe(kind)} need a mapping of its fields",
                    f"write {kind}: {{bias: false}}",
                )
            )
            continue
        replaced = {canonical(kind, name) for name in fields.entries}
        _, inherited = spec.defaults.get(kind, (None, {}))
        kept = {name: pair for name, pair in inherited.items() if canonical(kind, name) not in replaced}
        written = {name: (fields.keys[name], value) for name, value in fields.entries.items()}
        spec.defaults[kind] = (node.keys[kind], {**kept, **written})
