"""Groups all of whose weights are those of another group: `share` on the group says so once."""

from __future__ import annotations

from convcalc.formats.spec.finish import Paths
from convcalc.formats.spec.parts import Body, Part
from convcalc.graph import Graph


def share_groups(body: Body, paths: Paths, graph: Graph) -> None:
    """Move the shares of layers to the outermost groups around them where the layers correspond by their paths."""
    layers = {path: index for index, path in paths.of.items() if index >= 0}
    _share(body, paths, graph, layers)


def _share(body: Body, paths: Paths, graph: Graph, layers: dict[str, int]) -> None:
    for part in body.parts:
        if part.body is not None and (twin := _twin(part, part.body.path, paths, graph, layers)) is not None:
            part.twin = twin
            _forget(part.body)
            continue
        for inner in part.bodies():
            _share(inner, paths, graph, layers)


def _twin(group: Part, path: str, paths: Paths, graph: Graph, layers: dict[str, int]) -> str | None:
    """The path of the earlier scope with whose layers all weighted layers of a group share; None if there is none."""
    twin: str | None = None
    for index in sorted(group.inner):
        node = graph.nodes[index]
        if not node.parameters:
            continue
        if node.shares is None or node.shares in group.inner:
            return None
        tail = paths.of[index].removeprefix(path)
        if twin is None:
            owner = paths.of[node.shares]
            if not owner.endswith(tail) or len(owner) == len(tail):
                return None
            twin = owner.removesuffix(tail)
        other = layers.get(twin + tail)
        if other is None or node.shares not in (other, graph.nodes[other].shares):
            return None
    if twin is None or twin not in paths.members or path.startswith(f"{twin}."):
        return None
    return twin


def _forget(body: Body) -> None:
    """Leave out the shares of the layers within."""
    for part in body.parts:
        part.share = None
        for inner in part.bodies():
            _forget(inner)
