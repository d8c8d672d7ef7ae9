"""Preparation of pictures and names of classes taken from another spec, as model files say neither."""

from __future__ import annotations

from dataclasses import replace

from convcalc.errors import UsageError
from convcalc.graph import Graph
from convcalc.inference.classes import class_output
from convcalc.inference.labels import labels
from convcalc.language.load import load_graph


def prepared_like(graph: Graph, arch: str) -> tuple[Graph, tuple[str, ...]]:
    """The network with `preprocess` and `labels` of the spec `arch`, and notes on what was left out: labels for
    another number of classes. Raises UsageError if the spec has neither, SpecError if it is not valid."""
    like = load_graph(arch)
    if like.preprocess is None and like.labels is None:
        raise UsageError(
            f"--like {arch}: the spec has neither preprocess nor labels", hint="name one that has"
        )
    changed = graph if like.preprocess is None else replace(graph, preprocess=like.preprocess)
    if like.labels is None:
        return changed, ()
    changed = replace(changed, labels=like.labels, labelled=None)
    own, theirs = (found.shape(class_output(found).node)[0] for found in (changed, like))
    if own != theirs:
        note = f"the labels of {arch} are left out: they are for {theirs:,} classes, the output has {own:,}"
        return replace(changed, labels=graph.labels, labelled=graph.labelled), (note,)
    labels(like.labels, own)
    return changed, ()
