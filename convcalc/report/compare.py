"""`compare`: networks side by side, and the plot of two of their quantities."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from convcalc.analysis.compare import COMPUTED, Compared, Comparison
from convcalc.errors import UsageError
from convcalc.render import plot
from convcalc.render.layout import Line, table_lines
from convcalc.render.table import Column, Table, drop, shorten
from convcalc.report import words
from convcalc.report.values import CONVENTIONS

TITLES = {
    "params": "parameters", "macs": "MACs of one image", "flops": "FLOPs of one image, 2 per MAC",
    "activation_elements": "numbers in all layers' outputs", "activation_bytes": "bytes of all layers' outputs",
    "peak_activation_bytes": "bytes of activations alive at once", "layers": "layers",
    "depth": "layers with weights on the longest path", "top1": "top-1 accuracy, %", "top5": "top-5 accuracy, %",
}  # fmt: skip
MARK = "●"


def _count(key: str, header: str = "") -> Column:
    return Column(
        key, header or key, lambda network: getattr(network, key),
        short=(lambda network: words.rounded(getattr(network, key)),), right=True,
    )  # fmt: skip


NAME = Column("name", "network", lambda network: network.name, style="cyan", wrap=True)
INPUT = Column("input", "input", lambda network: network.input, right=True)
PEAK = Column(
    "peak_activation_bytes", "memory", lambda network: network.peak_activation_bytes,
    lambda network: words.size(network.peak_activation_bytes), right=True,
)  # fmt: skip
FIELD = Column(
    "receptive_field", "field", lambda network: network.receptive_field,
    lambda network: words.axes(network.receptive_field) if network.receptive_field else "–", right=True,
)  # fmt: skip
PARETO = Column("pareto", "", lambda network: network.pareto, lambda network: MARK if network.pareto else "")
COLUMNS = (
    NAME, INPUT, _count("layers"), _count("depth"), _count("params"), _count("macs", "MACs"), PEAK, FIELD,
)  # fmt: skip


def compare_summary(result: Comparison) -> str:
    """`Comparison of alexnet, vgg16, resnet50`."""
    names = [network.name for network in result.networks]
    return "Comparison of " + ", ".join(names[:4]) + (", …" if len(names) > 4 else "")


def compare_table(result: Comparison) -> Table:
    """A row per network; published figures that any has are columns."""
    published = [
        key
        for key in ("top1", "top5")
        if any(network.quantity(key) is not None for network in result.networks)
    ]
    extra = [axis for axis in result.axes or () if axis not in COMPUTED and axis not in published]
    figures = [_published(key) for key in (*published, *extra)]
    return Table(
        columns=(*COLUMNS, *figures, *([PARETO] if result.axes else [])),
        rows=result.networks,
        lines=_lines(result),
        data_columns=(
            NAME, INPUT, _count("layers"), _count("depth"), _count("params"), _count("macs"),
            Column("activation_elements", ""), Column("activation_bytes", ""), PEAK, FIELD, *figures, PARETO,
        ),
        narrowing=(
            *drop("layers"), *shorten("macs"), *shorten("params"), *drop("receptive_field"), *drop("input"),
        ),
    )  # fmt: skip


def _published(key: str) -> Column:
    def text(network: Compared) -> str:
        value = network.quantity(key)
        return "–" if value is None else f"{value:g}"

    return Column(key, key, lambda network: network.quantity(key), text, right=True)


def _lines(result: Comparison) -> list[str]:
    lines = ["depth: layers with weights on the longest path, norms apart; memory: activations alive at once"]
    if result.axes:
        x, y = (
            axis.replace("peak_activation_bytes", "memory").replace("macs", "MACs") for axis in result.axes
        )
        lines.append(
            f"{MARK} no other network is as good in {x} and {y} and better in one (the Pareto front)"
        )
    if result.left_out:
        lacking = [axis for axis in result.axes or () if axis not in COMPUTED]  # what is computed all have
        lines.append(f"without {' or '.join(lacking)}: {', '.join(result.left_out)}")
    return lines


def compare_lines(result: Comparison, width: int | None, plotted: bool) -> Iterator[Line]:
    """The table, and the plot if it was asked for."""
    yield from table_lines(compare_table(result), width)
    if plotted and result.axes:
        yield []
        dots, x, y = _scatter(result)
        yield from plot.drawing(dots, x, y, min(width or 100, 100))


def compare_file(result: Comparison, path: str) -> bytes:
    """The plot as a file of the path's suffix. Raises UsageError for another, or if there is nothing to plot."""
    from convcalc.render.drawing import files, scatter

    suffix = files.suffix_of(path)
    if result.axes is None:
        raise UsageError(
            "nothing to plot: fewer than two of the networks publish an accuracy",
            hint="name two quantities, such as --plot macs,params",
        )
    dots, x, y = _scatter(result)
    title = f"{y.title} against {x.title}"
    return files.encoded(scatter.scene(title[:1].upper() + title[1:], dots, x, y), suffix)


def check_plot(path: str) -> None:
    """Raise UsageError if a plot cannot be written to a file of this name."""
    from convcalc.render.drawing import files

    files.suffix_of(path)


def _scatter(result: Comparison) -> tuple[list[plot.Dot], plot.Scale, plot.Scale]:
    assert result.axes is not None
    folders = {network.name.rpartition("/")[0] for network in result.networks}
    shared = f"{folders.pop()}/" if len(folders) == 1 else ""  # `torchvision/` of all names says nothing
    dots = [
        plot.Dot(network.name.removeprefix(shared), x, y, network.pareto)
        for network in result.networks
        if (x := network.quantity(result.axes[0])) is not None
        and (y := network.quantity(result.axes[1])) is not None
    ]
    across, up = (TITLES.get(axis, axis) for axis in result.axes)
    return dots, plot.scale(across, [dot.x for dot in dots]), plot.scale(up, [dot.y for dot in dots])


def compare_value(result: Comparison) -> dict[str, Any]:
    """JSON of `compare`."""
    return {
        "conventions": CONVENTIONS,
        "networks": [
            {
                **network._asdict(),
                "input": list(network.input),
                "receptive_field": None if network.receptive_field is None else list(network.receptive_field),
                "published": dict(network.published) or None,
            }
            for network in result.networks
        ],
        "axes": None if result.axes is None else list(result.axes),
    }
