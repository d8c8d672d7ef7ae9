"""Paths of modules in exported models.

PyTorch's older exporter (`dynamo=False`) writes them into the names of nodes: `/layer1/layer1.0/conv1/Conv`. The newer
one (`dynamo=True`) writes notes to each node, with the path and the class of every module around it. Other files have
at most the names of initialisers, such as `layer1.0.conv1.weight`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from convcalc.formats.onnx.records import OnnxModel, OnnxNode

SCOPES = "pkg.torch.onnx.name_scopes"
CLASSES = "pkg.torch.onnx.class_hierarchy"
_QUOTED = re.compile(r"'([^']*)'|\"([^\"]*)\"")
_CALL = re.compile(r"(.+)_(\d+)\Z")
_MADE_UP = re.compile(r"onnx::|val_?\d+\Z|_|\d+\Z|/|[^.]*const", re.IGNORECASE)


class Paths:
    """The module of each node of a model."""

    def __init__(self, model: OnnxModel) -> None:
        self._own = model.producer == "convcalc"
        nodes = model.graph.nodes
        self._noted = any(SCOPES in node.metadata for node in nodes)
        self._found: dict[int, str] = {}
        self._kept = nodes  # keeps their ids
        if self._noted:
            self._from_readers(nodes)
        else:
            self._from_names(nodes)

    def of(self, node: OnnxNode) -> str:
        """The path of the innermost module that computes a node; "" if it is the network itself, or not known."""
        found = self._found.get(id(node))
        if found is not None:
            return found
        return _noted_path(node) or "" if self._noted else ".".join(_segments(node.name))

    def classes(self, node: OnnxNode) -> list[tuple[str, str]]:
        """The paths of the modules around a node with their classes' names, as far as the file has them."""
        scopes = node.metadata.get(SCOPES)
        if scopes is None:
            return []
        kinds = _texts(node.metadata.get(CLASSES, ""))
        return [
            (path, kind.rpartition(".")[2])
            for path, kind in list(zip(_texts(scopes), kinds, strict=False))[:-1]
        ]

    def of_kernel(self, node: OnnxNode, kernel: str) -> str:
        """The path of a convolution or dense layer. kernel: the name of its weights' initialiser, which is preferred
        where the node's path has the same parent: an exporter that folds batch normalisation puts the norm's path
        there."""
        path = self.of(node)
        own = parameter_path(kernel)
        if not own.endswith(".weight"):
            return path
        own = own.removesuffix(".weight")
        if not path or own.rpartition(".")[0] == path.rpartition(".")[0] or own.startswith(f"{path}."):
            return own
        return path

    def _from_names(self, nodes: Sequence[OnnxNode]) -> None:
        """Paths by nodes' names. A module that is called again has `_1`, `_2` … after its name, if there is one
        without it beside it."""
        if self._own:
            self._found = {id(node): node.name.partition("/")[0] for node in nodes}
            return
        raw = [_segments(node.name) for node in nodes]
        known = {tuple(path[: depth + 1]) for path in raw for depth in range(len(path))}
        for node, path in zip(nodes, raw, strict=True):
            plain = list(path)
            for depth, segment in enumerate(path):
                call = _CALL.match(segment)
                if call and (*path[:depth], call[1]) in known:
                    plain[depth] = call[1]
            self._found[id(node)] = ".".join(plain)

    def _from_readers(self, nodes: Sequence[OnnxNode]) -> None:
        """Nodes without notes were added by the optimiser: they lie in the deepest scope that all their readers do."""
        wanted: dict[str, list[str]] = {}  # the paths of the readers of each value
        for node in reversed(nodes):
            path = _noted_path(node)
            if path is None:
                path = _common([found for name in node.outputs for found in wanted.get(name, ())])
            self._found[id(node)] = path
            for name in node.inputs:
                wanted.setdefault(name, []).append(path)


def parameter_path(name: str) -> str:
    """An initialiser's name if it is a parameter's of a module, else "" (`onnx::Conv_633`, `val_4`)."""
    if _MADE_UP.match(name) or not re.search(r"[A-Za-z]", name):
        return ""
    return name


def _noted_path(node: OnnxNode) -> str | None:
    scopes = node.metadata.get(SCOPES)
    if scopes is None:
        return None
    paths = _texts(scopes)[:-1]
    return paths[-1] if paths else ""


def _texts(literal: str) -> list[str]:
    """The texts in a Python list, as the exporter writes it."""
    return [single or double for single, double in _QUOTED.findall(literal)]


def _common(paths: Sequence[str]) -> str:
    """The deepest path that all lie in."""
    if not paths:
        return ""
    common = paths[0].split(".")
    for path in paths[1:]:
        segments = path.split(".")
        while common != segments[: len(common)]:
            common.pop()
    return ".".join(common)


def _segments(name: str) -> list[str]:
    """The segments of a node's name `/a/a.0/conv/Conv`: a.0.conv is ["a", "0", "conv"]. A segment that repeats the
    previous one with a dot is a child of a Sequential; other dots belong to the name."""
    if not name.startswith("/"):
        return []
    found = []
    before = ""
    for segment in name.split("/")[1:-1]:
        found.append(segment[len(before) + 1 :] if before and segment.startswith(f"{before}.") else segment)
        before = segment
    return found
