"""convcalc from Python: a function for each command. Each returns a view of the record that the command prints.

This module alone knows how `report` shows a record. Everything else is imported inside the functions, so that each
loads no more than it needs.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from convcalc.graph import MAX_LAYERS
from convcalc.render.view import Look, View

if TYPE_CHECKING:
    from convcalc.analysis.analyse import Analysis
    from convcalc.analysis.diff import Diff
    from convcalc.inference.runner import Backend, Forward
    from convcalc.shapes import Shape

__all__ = ["MAX_LAYERS", "Network", "load"]


def load(
    arch: str | os.PathLike[str],
    *,
    settings: Mapping[str, object] | None = None,
    input_shape: Shape | str | None = None,
    batch: int = 1,
    dtype: str = "float32",
    max_layers: int = MAX_LAYERS,
) -> Network:
    """A network by bundled name or by the path of a spec; `-` is standard input.

    settings override the spec's vars; input_shape `(C, *spatial)`, or a text such as `3x224x224`, its input; batch and
    dtype (float64, float32, float16, bfloat16, int8) are for the memory figures. Raises SpecError, ShapeError or
    UsageError.

    >>> load("googlenet", settings={"head": "dense"})
    <Network googlenet: 140 layers, 56,150,552 params, 1,631,510,528 MACs>
    """
    from convcalc.analysis.analyse import analyse
    from convcalc.language.expressions import as_text
    from convcalc.language.load import load_graph

    def written(value: object) -> str:
        """A Python value as the spec language writes it."""
        if isinstance(value, (list, tuple)):
            return "[" + ", ".join(map(written, value)) + "]"
        return value if isinstance(value, str) else str(as_text(value))

    name = os.fspath(arch)
    texts = {key: written(value) for key, value in (settings or {}).items()}
    graph = load_graph(name, settings=texts, input_shape=input_shape, max_layers=max_layers)
    return Network(analyse(graph, batch=batch, dtype=dtype), name, texts)


class Network(View["Analysis"]):
    """A network with its figures.

    layers: one record per layer (output shape, weights, MACs, receptive field, …); totals: their sums; graph: the
    operators and how they are wired; warnings. Each method is a command.
    """

    __slots__ = ("_arch", "_settings")

    def __init__(
        self, analysis: Analysis, arch: str = "-", settings: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(analysis, _network_look(analysis))
        self._arch = arch
        self._settings = settings or {}

    def diff(self, other: Network, *, all: bool = False) -> View[Diff]:
        """What differs between this network, A, and another, B: `convcalc diff`. all: pairs that are the same, too.

        >>> change = load("alexnet").diff(load("zfnet"))
        >>> change.total_delta()["weights"]
        11693824
        """
        from convcalc.analysis.diff import compare
        from convcalc.report import diff as report

        found = compare(self.record, other.record)
        return View(
            found,
            Look(
                summary=lambda: report.diff_summary(found),
                value=lambda: report.diff_value(found),
                tables=lambda: [report.diff_table(found, everything=all)],
            ),
        )

    def forward(
        self,
        image: str | os.PathLike[str],
        *,
        weights: str | None = None,
        seed: int = 0,
        backend: Backend = "auto",
        threads: int | None = None,
        top: int = 5,
    ) -> Forward:
        """Push an image file through: `.run.values` is the output, `.top` the classes where weights are trained.

        Raises ImageError, WeightsError or UsageError.
        """
        from convcalc.inference.runner import forward

        return forward(
            self.record.graph, image, weights=weights, seed=seed, backend=backend, threads=threads, top=top
        )


def _network_look(analysis: Analysis) -> Look:
    def summary() -> str:
        totals = analysis.totals
        counts = f"{totals.layers:,} layers, {totals.params:,} params, {totals.macs:,} MACs"
        return f"Network {analysis.graph.name}: {counts}"

    def tables() -> Any:
        from convcalc.report.show import network_table

        return [network_table(analysis)]

    def value() -> dict[str, Any]:
        from convcalc.report.values import analysis_value

        return analysis_value(analysis)

    return Look(summary=summary, value=value, tables=tables)


def suggest_command(word: str, commands: Iterable[str]) -> str:
    """What the command line says of a command that is not there: what it is called here, or spelled like.

    >>> suggest_command("summary", ["show", "size"])
    ": convcalc calls it 'show'"
    """
    from convcalc.language.synonyms import suggest

    return suggest(word, commands, "command")
