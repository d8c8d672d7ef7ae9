"""`forward`: what came out, and how long each layer took."""

from __future__ import annotations

import os
from collections.abc import Sequence
from math import isfinite
from typing import Any

from convcalc.backends import Run
from convcalc.inference.runner import Failure, Forward, Statistics
from convcalc.render.table import Column, Table
from convcalc.report import words
from convcalc.report.values import CONVENTIONS

TOP = (
    Column("label", "class", style="bold"),
    Column("index", "index", right=True),
    Column("probability", "probability", right=True),
    Column("bar", ""),
)
STATISTICS = (
    Column("what", "output", style="cyan"),
    Column("value", "value", right=True, wrap=True),
)
LAYERS = (
    Column("layer", "layer", wrap=True, style="cyan"),
    Column("operator", "operator", wrap=True, drop=1),
    Column("output", "output", right=True),
    Column("ms", "ms", right=True),
    Column("share", "share", right=True),
    Column("gflops", "GFLOP/s", right=True),
)
ROOFLINE_KEYS = (
    "layer", "kind", "kernels", "seconds", "macs", "bytes", "flops_per_second", "of_roof", "intensity",
)  # fmt: skip
BAR = 24
MAX_SHOWN = 16  # numbers of a vector that are shown one by one
RANDOM = (
    "random weights predict nothing: these are shapes and numbers only; --weights FILE loads trained ones"
)
NO_CLASSES = (
    "numbers, not classes: classes are shown where the spec has labels or its last layer is a softmax"
)


def forward_table(result: Forward) -> Table:
    """The most probable classes, or the output's statistics where the weights are random."""
    run, weights = result.run, result.weights
    source = {
        "bundled": f"trained weights that come with it ({weights.path})",
        "file": f"weights from {weights.path}",
        "random": f"random weights (He initialisation, seed {weights.seed})",
    }[weights.source]
    lines = [f"{source}; {run.backend} backend, {_seconds(run.seconds)}"]
    if weights.ignored:
        lines.append(f"left out of the file, not part of the network: {_some(weights.ignored)}")
    lines += result.notes
    if weights.note:
        lines.append(f"weights file: {weights.note}")
    if result.picture.note:
        lines.append(f"image: {result.picture.note}")
    title = f"{result.graph.title or result.graph.name} on {os.path.basename(result.image)}"
    width, height = result.picture.size
    subtitle = f"{width}×{height} pixels → {words.shape(run.shape)}"
    if result.top:
        named = result.top[0].label is not None
        return Table(
            columns=TOP,
            rows=[
                (
                    guess.label if named and guess.label is not None else f"class {guess.index}",
                    str(guess.index),
                    f"{100 * guess.probability:.2f} %",
                    "█" * round(BAR * guess.probability),
                )
                for guess in result.top
            ],
            title=title,
            subtitle=subtitle,
            lines=lines,
            data_keys=("index", "label", "probability"),
            data=[(guess.index, guess.label or "", repr(guess.probability)) for guess in result.top],
            styles=["bold", *("" for _ in result.top[1:])],
        )
    if weights.source == "random":
        lines.append(RANDOM)
    elif _vector(run):
        lines.append(NO_CLASSES)
    shape, short = ("shape", words.shape(run.shape)), _short(run)
    facts = _statistics(result.statistics)
    rows = [(what, _row([value])) for what, value in facts]
    data = [(what, f"{value:.6g}") for what, value in facts]
    if short:
        rows = [("values", _row(short))]
        data.append(("values", " ".join(map(repr, map(float, short)))))
    else:
        lines.append(f"--save FILE.npy, .csv, .json or .safetensors keeps all {len(run.values):,} values")
    return Table(
        columns=STATISTICS,
        rows=[shape, *rows],
        title=title,
        subtitle=subtitle,
        lines=lines,
        data_keys=("what", "value"),
        data=[shape, *data],
    )


def _short(run: Run) -> Sequence[float]:
    """The numbers of a vector that is short enough to be shown; none of any other output."""
    return run.values if _vector(run) and len(run.values) <= MAX_SHOWN else ()


def _vector(run: Run) -> bool:
    """Whether the output is no map: of more than one number along one dimension at most."""
    return len([size for size in run.shape if size != 1]) <= 1


def _row(values: Sequence[float]) -> str:
    """`0.25  −3  12.5`."""
    return "  ".join(f"{value:.6g}".replace("-", "−") for value in values)


def _statistics(facts: Statistics) -> list[tuple[str, float]]:
    return [
        ("smallest", facts.minimum),
        ("largest", facts.maximum),
        ("mean", facts.mean),
        ("standard deviation", facts.deviation),
    ]


def profile_table(result: Forward) -> Table:
    """Milliseconds and GFLOP/s of every layer that took any time."""
    run = result.run
    total = sum(run.node_seconds) or 1.0
    rows, data = [], []
    for node, seconds in zip(result.graph, run.node_seconds, strict=True):
        macs = node.op.macs(node.input_shapes)
        rate = 2e-9 * macs / seconds if seconds and macs else 0.0
        rows.append(
            (
                node.name,
                words.operator(node.op),
                words.shape(node.output_shape),
                f"{1000 * seconds:.2f}",
                f"{100 * seconds / total:.1f} %",
                f"{rate:.3g}" if rate else "",
            )
        )
        data.append((node.name, node.kind, 1000 * seconds, macs, rate))
    return Table(
        columns=LAYERS,
        rows=rows,
        title="time per layer",
        subtitle=f"{run.backend} backend",
        footer=[("total", "", "", f"{1000 * sum(run.node_seconds):.2f}", "", "")],
        data_keys=("layer", "kind", "ms", "macs", "gflops"),
        data=data,
    )


def roofline_table(profile: Any) -> Table:
    """The fast backend's account: time, speed, its share of what the machine can do at that layer's intensity."""
    rows, data = [], []
    for row in profile.rows:
        rows.append(
            (
                row.name,
                row.kind,
                " ".join(dict.fromkeys(row.kernels)),
                f"{1e3 * row.seconds:.3f}",
                f"{row.flops_per_second / 1e9:.1f}" if row.macs else "",
                f"{100 * profile.share(row):.0f} %" if row.macs else "",
                words.size(row.bytes),
                f"{row.intensity:.1f}" if row.macs else "",
            )
        )
        data.append(
            (row.name, row.kind, " ".join(row.kernels), row.seconds, row.macs, row.bytes, row.flops_per_second,
             profile.share(row), row.intensity)
        )  # fmt: skip
    return Table(
        columns=(
            Column("layer", "layer", wrap=True, style="cyan"),
            Column("kind", "kind", drop=2),
            Column("kernels", "kernels", wrap=True, drop=1),
            Column("ms", "ms", right=True),
            Column("gflops", "GFLOP/s", right=True),
            Column("roof", "of roof", right=True),
            Column("bytes", "moved", right=True, drop=3),
            Column("intensity", "FLOP/byte", right=True, drop=4),
        ),
        rows=rows,
        title="time per layer",
        subtitle=f"numba backend, {words.plural(profile.threads, 'thread')}, each layer after the one before",
        footer=[("total", "", "", f"{1e3 * profile.seconds:.3f}", "", "", "", "")],
        lines=[
            f"measured peaks: {profile.peak_flops / 1e9:.0f} GFLOP/s, {profile.peak_bytes / 1e9:.0f} GB/s from memory; "
            "the roof is the lower of the two at a layer's FLOP/byte",
            "FLOPs are two per MAC as counted, so Winograd's layers may exceed the peak",
            "layers that were fused into others have no row",
        ],
        data_keys=ROOFLINE_KEYS,
        data=data,
    )


def roofline_value(profile: Any) -> dict[str, Any]:
    """The same for JSON."""
    return {
        "threads": profile.threads,
        "seconds": profile.seconds,
        "peak_flops": profile.peak_flops,
        "peak_bytes": profile.peak_bytes,
        "layers": [dict(zip(ROOFLINE_KEYS, row, strict=True)) for row in roofline_table(profile).data],
    }


def forward_value(result: Forward) -> dict[str, Any]:
    """`forward --format json`."""
    run, weights = result.run, result.weights
    return {
        "name": result.graph.name,
        "conventions": CONVENTIONS,
        "backend": run.backend,
        "weights": {
            "source": weights.source,
            "path": weights.path,
            "seed": weights.seed,
            "ignored": list(weights.ignored),
        },
        "image": result.image,
        "input_shape": list(result.graph.input_shape),
        "output": {"shape": list(run.shape), "values": [_finite(value) for value in run.values]},
        "top": [
            {"index": guess.index, "label": guess.label, "probability": _finite(guess.probability)}
            for guess in result.top
        ],
        "seconds": run.seconds,
        "layers": [
            {
                "name": node.name,
                "kind": node.kind,
                "output_shape": list(node.output_shape),
                "seconds": seconds,
            }
            for node, seconds in zip(result.graph, run.node_seconds, strict=True)
        ],
    }


def batch_table(outcomes: Sequence[Forward | Failure]) -> Table:
    """A row per image: its class where trained weights ran a classifier, else the output's statistics."""
    done = [outcome for outcome in outcomes if isinstance(outcome, Forward)]
    classes = any(outcome.top for outcome in done)
    weights = done[0].weights if done else None
    rows: list[Sequence[str]] = []
    data: list[Sequence[object]] = []
    for outcome in outcomes:
        name = os.path.basename(outcome.image)
        if isinstance(outcome, Failure):
            rows.append((name, "not read", "", ""))
            data.append((outcome.image, "", "", "", "", outcome.error.message, ""))
            continue
        facts, time = outcome.statistics, f"{1000 * outcome.run.seconds:.1f}"
        best = outcome.top[0] if outcome.top else None
        if best is not None:
            label = best.label if best.label is not None else f"class {best.index}"
            rows.append((name, label, f"{100 * best.probability:.2f} %", time))
        else:
            shown = _row(_short(outcome.run)) or f"{facts.minimum:.6g} … {facts.maximum:.6g}"
            rows.append((name, shown, f"{facts.mean:.6g}", time))
        data.append(
            (
                outcome.image,
                best.index if best else "",
                (best.label or "") if best else "",
                repr(best.probability) if best else "",
                outcome.run.seconds,
                "",
                "" if best else " ".join(map(repr, map(float, _short(outcome.run)))),
            )
        )
    lines = [f"{words.plural(len(done), 'image')}, {len(outcomes) - len(done)} not read"]
    if weights is not None and weights.source == "random":
        lines.append(RANDOM)
    elif done and not classes and _vector(done[0].run):
        lines.append(NO_CLASSES)
    return Table(
        columns=(
            Column("image", "image", wrap=True, style="cyan"),
            Column("class", "class" if classes else "output", wrap=True),
            Column("probability", "probability" if classes else "mean", right=True),
            Column("ms", "ms", right=True),
        ),
        rows=rows,
        title=done[0].graph.title or done[0].graph.name if done else "",
        lines=lines,
        data_keys=("image", "index", "label", "probability", "seconds", "error", "output"),
        data=data,
    )


def batch_value(outcomes: Sequence[Forward | Failure]) -> list[dict[str, Any]]:
    """`forward --format json` for several images: what one gives, without its layers; or the image and an error."""
    values = []
    for outcome in outcomes:
        if isinstance(outcome, Failure):
            values.append({"image": outcome.image, "error": str(outcome.error)})
        else:
            value = forward_value(outcome)
            del value["layers"]
            values.append(value)
    return values


def _finite(value: float) -> float | None:
    """JSON has no infinity: null where numbers overflowed."""
    return float(value) if isfinite(value) else None


def _seconds(value: float) -> str:
    return f"{1000 * value:.1f} ms" if value < 1 else f"{value:.1f} s"


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
