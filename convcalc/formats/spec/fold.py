"""A graph as a Document: the readable spec of a network.

The text is loaded again and compared with the graph, so that what is written is the network. If a form does not hold,
a plainer one is taken: without blocks, without branches, and in the end a plain list of layers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from convcalc.errors import ConvcalcError, SpecError
from convcalc.formats.spec.arrange import Arranger, Unarranged
from convcalc.formats.spec.blocks import Folding
from convcalc.formats.spec.check import same_network
from convcalc.formats.spec.defaults import with_defaults
from convcalc.formats.spec.finish import (
    Finisher,
    Paths,
    Unaddressed,
    fix_names,
    referenced,
    settle_names,
    unaddressed,
)
from convcalc.formats.spec.parameters import DraftBlock
from convcalc.formats.spec.parts import Body
from convcalc.formats.spec.records import Block, Document
from convcalc.formats.spec.sharing import share_groups
from convcalc.formats.spec.text import document_text
from convcalc.formats.spec.tree import Scope, build_tree, dissolve
from convcalc.graph import Graph, is_input, uncollected
from convcalc.language.load import load_text

# The forms of a spec, the most readable first: scopes as groups, joins with branches, blocks.
FORMS = ((True, True, True), (True, True, False), (True, False, False), (False, False, False))
MAX_REPAIRS = 12  # attempts to find names for layers that cannot be told apart
MAX_FOLDED = 50_000  # layers; larger networks are written as a plain list


def fold(graph: Graph, classes: Mapping[str, str] | None = None) -> Document:
    """The graph as a readable spec. classes: the class of the module behind each scope in the original source, by path.

    Raises ConvcalcError if the language cannot express the network.
    """
    return folded(graph, classes)[0]


def folded(graph: Graph, classes: Mapping[str, str] | None = None) -> tuple[Document, str]:
    """The graph as a readable spec, and its text."""
    with uncollected():
        for scopes, branches, blocks in FORMS if len(graph) <= MAX_FOLDED else FORMS[-1:]:
            try:
                document = _document(graph, classes or {}, scopes, branches, blocks)
            except Unaddressed:
                continue
            text = document_text(document)
            if _loads_as(text, graph):
                return document, text
    raise ConvcalcError(f"{graph.name} cannot be written as a spec")


def _document(
    graph: Graph, classes: Mapping[str, str], scopes: bool, branches: bool, blocks: bool
) -> Document:
    body, paths = _layout(graph, build_tree(graph, flat=not scopes), branches)
    finisher = Finisher(graph, paths)
    drafts: dict[str, Block] = {}
    if blocks:
        folding = Folding(graph, paths, classes)
        folding.fold(body)
        drafts = {name: _block(draft, finisher) for name, draft in folding.blocks.items()}
    entries = finisher.entries(body)
    document = Document(
        name=graph.name,
        inputs=graph.inputs,
        layers=entries,
        blocks=drafts,
        outputs=_outputs(graph, body, paths),
        head=_head(graph),
    )
    return with_defaults(document)


def _outputs(graph: Graph, body: Body, paths: Paths) -> dict[str, str]:
    """The outputs' paths by name; none if the last layer is the only one. One that is called as its layer stays so."""
    found = {}
    for name, node in graph.outputs:
        named_after = not is_input(node) and name == graph.nodes[node].name
        if named_after and len(graph.outputs) == 1 and node == body.parts[-1].exit:
            return {}
        found[paths.of[node] if named_after else name] = paths.of[node]
    return found


def _layout(graph: Graph, tree: Scope, branches: bool) -> tuple[Body, Paths]:
    """The network's entries with their final paths. Where a layer cannot be named from where it is read, because
    another one of that name is nearer, it gets a name of its own, or the scope of its reader is dissolved."""
    names: dict[int, str] = {}
    for _ in range(MAX_REPAIRS):
        body = _body(graph, tree, branches, names)
        paths = Paths(graph, tree)
        paths.add_exits(body)
        settle_names(body, paths)
        fix_names([body], referenced([body]))
        share_groups(body, paths, graph)
        wrong = unaddressed(body, paths)
        if not wrong:
            return body, paths
        for index, scope in wrong:
            node = None if is_input(index) else graph.nodes[index]
            if node is not None and not node.named and not node.parameters and index not in names:
                names[index] = f"{node.kind}_{index}"
            elif scope:
                dissolve(tree, scope, graph)
    raise Unaddressed


def _block(draft: DraftBlock, finisher: Finisher) -> Block:
    layers, naming = finisher.group(draft.body, draft.indexed)
    return Block(
        name=draft.name,
        layers=layers,
        params=draft.params,
        refs=draft.refs,
        naming=naming,
        class_name=draft.class_name,
    )


def _body(graph: Graph, tree: Scope, branches: bool, names: Mapping[int, str]) -> Body:
    """The network's entries; scopes around a named join that cannot be its branches are dissolved."""
    while True:
        try:
            return Arranger(graph, branches=branches, names=names).top(tree)
        except Unarranged as unarranged:
            dissolve(tree, unarranged.scope.path, graph)


def _head(graph: Graph) -> dict[str, Any]:
    """The keys of the spec about the network as a whole."""
    head: dict[str, Any] = {}
    for key in ("title", "source", "task", "notes", "published", "preprocess", "labels", "weights"):
        value = getattr(graph, key)
        # of a network that settings changed, published figures and weights no longer hold
        if value and not (
            graph.changes and (key == "published" or (key == "weights" and not isinstance(value, str)))
        ):
            head[key] = value
    if "preprocess" in head:
        head["preprocess"] = {name: _single(value) for name, value in head["preprocess"].items()}
    if graph.labelled is not None and "labels" in head:
        head["labels"] = {graph.labelled: head["labels"]}
    return head


def _single(value: Any) -> Any:
    return value[0] if isinstance(value, tuple) and len(value) == 1 else value


def _loads_as(text: str, graph: Graph) -> bool:
    """Whether a spec's text gives the graph."""
    try:
        return same_network(load_text(text, max_layers=len(graph) + 1), graph)
    except SpecError:
        return False
