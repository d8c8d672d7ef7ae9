"""`convert`: the weights that a conversion takes, and the files it writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from convcalc.errors import UsageError
from convcalc.formats.convert import (
    NO_WEIGHTS,
    Conversion,
    Request,
    WeightsOrigin,
    Writing,
    check_target,
    convert,
    format_of,
    matched_tensors,
    random_tensors,
)
from convcalc.graph import Graph
from convcalc.weights.tensors import StoredTensor

if TYPE_CHECKING:
    from convcalc.formats.model import Model
    from convcalc.inference.runner import Downloading

RANDOM = "random"


def convert_network(
    graph: Graph,
    arch: str,
    target: str,
    *,
    weights: str | None,
    with_weights: bool,
    seed: int,
    force: bool,
    options: Mapping[str, Any],
    model: Model | None,
    downloading: Downloading | None,
    writing: Writing | None,
) -> Conversion:
    """Write a network to a file by its suffix, and its weights beside it. model: what the graph was read from, if it is
    no spec. See `Network.convert`."""
    check_target(target, force, arch)
    if not with_weights and weights is not None:
        raise UsageError(
            f"--weights {weights} and --no-weights contradict each other", hint="give one of them"
        )
    given = {name: value for name, value in options.items() if value not in (None, False)}
    foreign = sorted(given.keys() - format_of(target).options)
    if foreign:
        raise UsageError(f"{target}: --{foreign[0]} is not for a file of this kind")
    origin, tensors = NO_WEIGHTS, None
    if with_weights:
        origin, tensors = _weights(graph, target, weights, seed, model, downloading)
    request = Request(
        graph, target, tensors, origin, model.classes if model else {}, given, model is not None
    )
    return convert(request, arch, notes=model.notes if model else (), force=force, writing=writing)


def _weights(
    graph: Graph,
    target: str,
    weights: str | None,
    seed: int,
    model: Model | None,
    downloading: Downloading | None,
) -> tuple[WeightsOrigin, Mapping[str, StoredTensor] | None]:
    """The weights asked for, else those that come with the network; random ones if there are none and the file needs
    some."""
    from convcalc.inference.runner import stored_tensors

    stored = None if weights == RANDOM else stored_tensors(graph, weights, downloading, model)
    if stored is not None:
        own = model is not None and weights is None
        return WeightsOrigin("model" if own else "file", stored.name), matched_tensors(graph, stored)
    if weights is None and not format_of(target).needs_weights:
        return NO_WEIGHTS, None
    return WeightsOrigin("random", seed=seed), random_tensors(graph, seed)
