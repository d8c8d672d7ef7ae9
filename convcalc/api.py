"""The same from Python: `net = convcalc.load("alexnet")`, `net.totals.macs`, `net.diff(other)`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from convcalc.analysis.analyse import Analysis, LayerFigures, Totals, analyse
from convcalc.analysis.diff import Diff, compare
from convcalc.graph import Graph
from convcalc.language.load import load_graph
from convcalc.shapes import Shape

if TYPE_CHECKING:
    from convcalc.inference.runner import Backend, Forward


class Network:
    """A network with its figures.

    layers: one record per layer (output shape, weights, MACs, receptive field, …); totals: their sums;
    graph: the operators and how they are wired.
    """

    def __init__(self, analysis: Analysis) -> None:
        self._analysis = analysis

    @property
    def name(self) -> str:
        """The spec's name."""
        return self._analysis.graph.name

    @property
    def graph(self) -> Graph:
        """The operators and their wiring."""
        return self._analysis.graph

    @property
    def layers(self) -> tuple[LayerFigures, ...]:
        """Every layer's figures, in running order."""
        return self._analysis.layers

    @property
    def totals(self) -> Totals:
        """Weights, biases, MACs, memory of the whole."""
        return self._analysis.totals

    def diff(self, other: Network) -> Diff:
        """What differs between this network (A) and another (B)."""
        return compare(self._analysis, other._analysis)

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
            self.graph, image, weights=weights, seed=seed, backend=backend, threads=threads, top=top
        )

    def to_dict(self) -> dict[str, Any]:
        """What `convcalc show --format json` prints."""
        from convcalc.report.values import analysis_value

        return analysis_value(self._analysis)

    def __repr__(self) -> str:
        totals = self.totals
        return (
            f"<Network {self.name}: {totals.layers} layers, {totals.params:,} params, {totals.macs:,} MACs>"
        )

    def _repr_html_(self) -> str:
        from convcalc.render.html import table_fragment
        from convcalc.report.show import network_table

        return table_fragment(network_table(self._analysis))


def load(
    arch: str | os.PathLike[str],
    *,
    settings: Mapping[str, object] | None = None,
    input_shape: Shape | str | None = None,
    batch: int = 1,
    dtype: str = "float32",
) -> Network:
    """A network by bundled name or by the path of a spec.

    settings override the spec's vars; input_shape `(C, *spatial)` its input; batch and dtype (float64, float32,
    float16, bfloat16, int8) are for the memory figures. Raises SpecError, ShapeError or UsageError.
    """
    from convcalc.language.expressions import as_text

    texts = {
        name: value if isinstance(value, str) else _flow(value, as_text)
        for name, value in (settings or {}).items()
    }
    return Network(
        analyse(
            load_graph(os.fspath(arch), settings=texts, input_shape=input_shape), batch=batch, dtype=dtype
        )
    )


def _flow(value: object, as_text: Any) -> str:
    """A Python value as the spec language writes it."""
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_flow(item, as_text) for item in value) + "]"
    return str(as_text(value))
