"""`diff`: two networks compared, and with `--values` the weights that both have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from convcalc.analysis.diff import compare
from convcalc.api.views import record_view
from convcalc.errors import UsageError
from convcalc.render.view import View
from convcalc.report import diff as report

if TYPE_CHECKING:
    from convcalc.analysis.analyse import Analysis
    from convcalc.analysis.diff import Diff
    from convcalc.analysis.value_diff import Comparing
    from convcalc.formats.model import Model
    from convcalc.inference.runner import Downloading
    from convcalc.weights.load import MatchedTensors


class Side(NamedTuple):
    """One of the two networks: its figures, the file that it was read from if that has weights, and the weights to
    compare instead of those that come with it: a file, or `pretrained`."""

    analysis: Analysis
    model: Model | None
    weights: str | None


def diff_view(
    a: Side,
    b: Side,
    *,
    everything: bool,
    values: bool,
    advance: Comparing | None,
    downloading: Downloading | None,
) -> View[Diff]:
    """The view of `Network.diff`. everything: includes equal pairs of layers. Raises UsageError, WeightsError."""
    found = compare(a.analysis, b.analysis)
    if values:
        from convcalc.analysis.value_diff import compare_values

        tensors = _tensors(a, "weights-a", downloading), _tensors(b, "weights-b", downloading)
        graphs = a.analysis.graph, b.analysis.graph
        layers = [(pair.a, pair.b) for pair in found.pairs]
        found = found._replace(values=compare_values(graphs, tensors, layers, advance))
    elif a.weights is not None or b.weights is not None:
        option = "--weights-a" if a.weights is not None else "--weights-b"
        raise UsageError(f"{option} is for the comparison of weights", hint="give --values too")
    return record_view(
        found,
        report.diff_summary,
        report.diff_value,
        lambda diff: report.diff_table(diff, everything=everything),
    )


def _tensors(side: Side, option: str, downloading: Downloading | None) -> MatchedTensors:
    """The stored tensors of a network. option: what gives a file. Raises UsageError if there are none."""
    from convcalc.inference.runner import stored_tensors

    graph = side.analysis.graph
    found = stored_tensors(graph, side.weights, downloading, side.model)
    if found is None:
        if side.weights == "random":
            raise UsageError(f"--{option} random: random numbers are nothing to compare", hint="name a file")
        published = " or pretrained" if isinstance(graph.weights, Mapping) else ""
        raise UsageError(
            f"{graph.name} brings no weights whose values could be compared",
            hint=f"--{option} gives them: a .safetensors, .npz or .pth file{published}",
        )
    return found
