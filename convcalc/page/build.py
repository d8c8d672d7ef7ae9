"""The page of one or two networks, from their figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from convcalc.analysis.analyse import Analysis
from convcalc.analysis.diff import Diff
from convcalc.inference.runner import Forward
from convcalc.page import data
from convcalc.page.digits import can_run, digits
from convcalc.page.document import document
from convcalc.page.drawings import MAX_BOXES, drawings
from convcalc.page.images import with_image
from convcalc.weights.load import Weights


class Page(NamedTuple):
    """A page. names: of its networks; drawings: how many it has; html: all of it."""

    names: tuple[str, ...]
    drawings: int
    html: str


def page(
    analysis: Analysis,
    compared: Diff | None = None,
    *,
    formulas: Sequence[dict[str, Any] | None] = (),
    weights: Weights | None = None,
    result: Forward | None = None,
    picture: str | None = None,
    maps: Mapping[int, Any] | None = None,
) -> Page:
    """The page of a network, or of both networks of a comparison, whose A is `analysis`.

    formulas: of each network, what `convcalc.page.formulas` makes; without them there are no sliders. weights: with
    which the page itself runs a network that reads digits. result: of a forward pass, and picture, as a data URI, of
    what it read; maps: of its layers.
    """
    analyses = [analysis] if compared is None else [compared.a, compared.b]
    networks, pictures = [], []
    for place, each in enumerate(analyses):
        value = data.network(each)
        statuses = None if compared is None else _statuses(compared, place)
        made, shown = drawings(each, "ab"[place], statuses)
        value["drawings"] = [drawing.value for drawing in made]
        value["shown"] = shown
        if not made:
            value["warnings"].append(f"not drawn: it has more than {MAX_BOXES:,} boxes")
        value["formulas"] = formulas[place] if place < len(formulas) else None
        networks.append(value)
        pictures.append([drawing.svg for drawing in made])
    if result is not None:
        with_image(networks[0], result, picture, maps)
    runs = weights is not None and can_run(analysis.graph)
    value = {
        "networks": networks,
        "diff": None if compared is None else data.diff(compared),
        "digits": digits(analysis.graph, weights) if runs and weights is not None else None,
    }
    names = tuple(each.graph.name for each in analyses)
    return Page(names, sum(map(len, pictures)), document(value, pictures))


def _statuses(compared: Diff, place: int) -> dict[int, str]:
    """What became of each layer of A, place 0, or of B."""
    found = {}
    for pair in compared.pairs:
        node = pair.b if place else pair.a
        if node is not None:
            found[node.index] = str(pair.status)
    return found
