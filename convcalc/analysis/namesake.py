"""The bundled network that a model file holds, if its figures tell: exporters fold batch normalisation into the
convolutions before it, so the file has fewer parameters than are published, and the same MACs."""

from __future__ import annotations

import os

from convcalc.analysis.catalogue import FILE, CatalogueEntry, read
from convcalc.graph import Graph
from convcalc.language import bundled

MOST_MISSING = 0.05  # of a network's parameters, those of batch normalisation


def folded_from(graph: Graph) -> tuple[CatalogueEntry, int] | None:
    """The bundled network with the same input and MACs and a few more parameters, and how many more; torchvision's
    before others. None if there is none, or if the graph has batch normalisation."""
    kinds = {node.kind for node in graph}
    if "batchnorm" in kinds or "conv" not in kinds or len(graph.inputs) != 1:
        return None
    macs, params = graph.macs, graph.params
    alike = [
        entry
        for entry in read(os.path.join(bundled.directory(), FILE)).values()
        if entry is not None and (entry.input, entry.macs) == (graph.input_shape, macs)
    ]
    found = [entry for entry in alike if 0 < entry.params - params < MOST_MISSING * entry.params]
    if not found or any(entry.params == params for entry in alike):  # VGG-16 is not VGG-16 with normalisation
        return None
    entry = min(found, key=lambda entry: (not entry.name.startswith("torchvision/"), entry.params))
    return entry, entry.params - params


def folded_note(graph: Graph) -> str | None:
    """The note on the published number of parameters; None if no network is known, or if a note names it already."""
    found = folded_from(graph)
    if found is None or any(found[0].name in note for note in graph.notes):
        return None
    entry, more = found
    return (
        f"the MACs are those of {entry.name}, which has {entry.params:,} params, {more:,} more, with its batch "
        "normalisation"
    )
