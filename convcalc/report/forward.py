"""`forward`: the network's output, and the time of each layer."""

from __future__ import annotations

import os
from collections.abc import Sequence
from math import isfinite
from typing import Any, NamedTuple

from convcalc.backends import Run
from convcalc.graph import Node
from convcalc.inference.classes import Prediction
from convcalc.inference.runner import Batch, Failure, Forward, Statistics
from convcalc.render.table import Column, Table, Total, drop, records, shorten
from convcalc.report import forward_precision, words
from convcalc.report.values import CONVENTIONS
from convcalc.shapes import Shape

BAR = 24  # columns of the whole
MAX_SHOWN = 16  # numbers of a vector shown in full
RANDOM = (
    "random weights predict nothing: these are shapes and numbers only; --weights FILE loads trained ones"
)
NO_CLASSES = (
    "numbers, not classes: classes are shown where the spec has labels or its last layer is a softmax; "
    "--like ARCH takes another spec's labels"
)


class OutputFigure(NamedTuple):
    """One figure about the output, as a value and as text."""

    what: str
    value: str
    text: str


class OutputRow(NamedTuple):
    """One of several outputs: the layer that gives it, its shape, and statistics of its numbers."""

    name: str
    layer: str
    shape: Shape
    statistics: Statistics


class LayerTime(NamedTuple):
    """One layer's time, and its share of the total."""

    node: Node
    seconds: float
    share: float

    @property
    def macs(self) -> int:
        """The layer's multiply-accumulates."""
        return self.node.op.macs(self.node.input_shapes)

    @property
    def gflops(self) -> float:
        """Speed in GFLOP/s; 0 if the layer has no MACs or its time was too short to measure."""
        return 2e-9 * self.macs / self.seconds if self.seconds else 0.0


def _figure_column(header: str, field: str) -> Column:
    """One of an output's statistics, with six digits."""

    def number(row: OutputRow) -> float:
        return float(getattr(row.statistics, field))

    return Column(
        header, header, lambda row: f"{number(row):.6g}", lambda row: _row([number(row)]), right=True
    )


TOP = (
    Column("label", "class", lambda guess: guess.label or "", style="bold"),
    Column("index", "index", text=lambda guess: str(guess.index), right=True),
    Column("probability", "probability", lambda guess: repr(guess.probability),
           lambda guess: f"{100 * guess.probability:.2f} %", right=True),
    Column("bar", "", text=lambda guess: "█" * round(BAR * guess.probability)),
)  # fmt: skip
STATISTICS = (
    Column("what", "output", style="cyan"),
    Column("value", "value", text=lambda fact: fact.text, right=True, wrap=True),
)
OUTPUTS = (
    Column("output", "output", lambda row: row.name, wrap=True, style="cyan"),
    Column("layer", "layer", lambda row: row.layer, wrap=True),
    Column("shape", "shape", lambda row: row.shape, right=True),
    *map(_figure_column, ("smallest", "largest", "mean", "deviation"), Statistics._fields),
)  # fmt: skip
LAYERS = (
    Column("layer", "layer", lambda time: time.node.name, wrap=True, style="cyan"),
    Column("operator", "operator", lambda time: words.operator(time.node.op), wrap=True,
           short=(lambda time: words.short_operator(time.node.op),)),
    Column("output", "output", lambda time: time.node.output_shape, right=True),
    Column("ms", "ms", lambda time: 1000 * time.seconds, lambda time: f"{1000 * time.seconds:.2f}", right=True),
    Column("share", "share", text=lambda time: f"{100 * time.share:.1f} %", right=True),
    Column("gflops", "GFLOP/s", text=lambda time: f"{time.gflops:.3g}" if time.gflops else "", right=True),
)  # fmt: skip
LAYER_DATA = (
    LAYERS[0],
    Column("kind", "", lambda time: time.node.kind),
    LAYERS[3],
    Column("macs", ""),
    LAYERS[5],
)


def forward_summary(result: Forward) -> str:
    """`lenet5 on seven.png: 7, 98.96 %`; `alexnet on cat.jpg: 4096, random weights`."""
    about = f"Forward of {result.graph.name} on {_sample(result)}"
    if result.top:
        best = result.top[0]
        return f"{about}: {_label(best)}, {100 * best.probability:.2f} %"
    return f"{about}: {words.shape(result.run.shape)}, {result.weights.source} weights"


def forward_table(result: Forward) -> Table:
    """The most probable classes, or statistics of the output if the weights are random."""
    run, weights = result.run, result.weights
    source = {
        "bundled": f"trained weights that come with it ({weights.path})",
        "file": f"weights from {weights.path}",
        "model": f"weights of the model ({weights.path})",
        "random": f"random weights (He initialisation, seed {weights.seed})",
    }[weights.source]
    lines = [f"{source}; {_backend(run)}, {_seconds(run.seconds)}"]
    if weights.ignored:
        lines.append(f"left out of the file, not part of the network: {_some(weights.ignored)}")
    lines += result.notes
    for given in result.inputs:
        if given.note:
            lines.append(f"{given.name if len(result.inputs) > 1 else 'image'}: {given.note}")
    title = f"{result.graph.title or result.graph.name} on {_sample(result)}"
    several = len(run.outputs) > 1
    subtitle = f"{_given(result)} → {f'{len(run.outputs)} outputs' if several else words.shape(run.shape)}"
    if result.top:
        lines += _others(result)
        return Table(
            columns=(TOP[0]._replace(text=_label), *TOP[1:]),
            rows=result.top,
            title=title,
            subtitle=subtitle,
            lines=lines,
            data_columns=(TOP[1], TOP[0], TOP[2]),
            styles=["bold", *("" for _ in result.top[1:])],
        )
    if weights.source == "random":
        lines.append(RANDOM)
    elif _vector(run):
        lines.append(NO_CLASSES)
    if several:
        lines.append("--save FILE.npz, .json or .safetensors keeps all outputs")
        return Table(columns=OUTPUTS, rows=_outputs(result), title=title, subtitle=subtitle, lines=lines)
    shape = words.shape(run.shape)
    rows = [OutputFigure("shape", shape, shape)]
    short = _short(run)
    if short:
        rows.append(OutputFigure("values", _exact(short), _row(short)))
    else:
        rows += _statistics(result.statistics)
        lines.append(
            f"--save FILE.npy, .npz, .csv, .json or .safetensors keeps all {len(run.values):,} values"
        )
    return Table(
        columns=STATISTICS,
        rows=rows,
        title=title,
        subtitle=subtitle,
        lines=lines,
    )


def _backend(run: Run) -> str:
    """`numba backend`, `numba backend in bfloat16`, `numba backend, dense weights in bfloat16`."""
    kept = {"maps and weights": " in bfloat16", "dense weights": ", dense weights in bfloat16", "nothing": ""}
    return f"{run.backend} backend{kept[run.in_bfloat16]}"


def _sample(outcome: Forward | Failure) -> str:
    """`cat.jpg`, `left=a.png right=b.npy[3]`: where a sample comes from, without the folders."""
    if isinstance(outcome, Failure):
        return os.path.basename(outcome.image)
    names = [os.path.basename(given.label) for given in outcome.inputs]
    if len(names) == 1:
        return names[0]
    return " ".join(f"{given.name}={name}" for given, name in zip(outcome.inputs, names, strict=True))


def _given(result: Forward) -> str:
    """`320×200 pixels`; `3×105×105` for an array; each by name where there are several."""
    texts = [
        f"{given.size[0]}×{given.size[1]} pixels" if given.size else words.shape(given.shape)
        for given in result.inputs
    ]
    if len(texts) == 1:
        return texts[0]
    return ", ".join(f"{given.name} {text}" for given, text in zip(result.inputs, texts, strict=True))


def _outputs(result: Forward) -> list[OutputRow]:
    return [
        OutputRow(output.name, result.graph.input_name(output.node), result.graph.shape(output.node),
                  result.output_statistics[output.name])
        for output in result.graph.outputs
    ]  # fmt: skip


def _others(result: Forward) -> list[str]:
    """A line with the outputs that are no classes."""
    others = [row for row in _outputs(result) if row.name != result.classes]
    if not others:
        return []
    shown = ", ".join(f"{row.name} {words.shape(row.shape)}" for row in others[:8])
    return [f"classes are of the output {result.classes}; there are also {shown}{' …' * (len(others) > 8)}"]


def _short(run: Run) -> Sequence[float]:
    """The numbers of a vector short enough to show in full; () for any other output."""
    return run.values if _vector(run) and len(run.values) <= MAX_SHOWN else ()


def _vector(run: Run) -> bool:
    """Whether the output is a vector: at most one dimension exceeds 1."""
    return len([size for size in run.shape if size != 1]) <= 1


def _row(values: Sequence[float]) -> str:
    """`0.25  −3  12.5`."""
    return "  ".join(f"{value:.6g}".replace("-", "−") for value in values)


def _exact(values: Sequence[float]) -> str:
    """All digits of the numbers, separated by blanks."""
    return " ".join(map(repr, map(float, values)))


def _statistics(facts: Statistics) -> list[OutputFigure]:
    figures = {
        "smallest": facts.minimum,
        "largest": facts.maximum,
        "mean": facts.mean,
        "standard deviation": facts.deviation,
    }
    return [OutputFigure(what, f"{value:.6g}", _row([value])) for what, value in figures.items()]


def _label(guess: Prediction) -> str:
    return guess.label if guess.label is not None else f"class {guess.index}"


def profile_table(result: Forward) -> Table:
    """Time per layer: the roofline analysis of the fast backend if there is one, else milliseconds and GFLOP/s."""
    run = result.run
    if result.profile is not None:
        return _roofline_table(result.profile, _backend(run))
    total = sum(run.node_seconds) or 1.0
    rows = [
        LayerTime(node, seconds, seconds / total)
        for node, seconds in zip(result.graph, run.node_seconds, strict=True)
    ]
    return Table(
        columns=LAYERS,
        rows=rows,
        title="time per layer",
        subtitle=_backend(run),
        footer=[Total(None, {"layer": ("total",), "ms": (f"{1000 * sum(run.node_seconds):.2f}",)})],
        data_columns=LAYER_DATA,
        narrowing=[*shorten("operator"), *drop("operator")],
    )


def _roofline_table(profile: Any, backend: str = "numba backend") -> Table:
    """Time, speed, and the share of what the machine could do at the layer's arithmetic intensity."""
    layer = Column("layer", "layer", lambda row: row.name, wrap=True, style="cyan")
    kind = Column("kind", "kind")
    kernels = Column(
        "kernels", "kernels", lambda row: " ".join(row.kernels), lambda row: " ".join(dict.fromkeys(row.kernels)),
        wrap=True,
    )  # fmt: skip
    seconds = Column("seconds", "ms", text=lambda row: f"{1e3 * row.seconds:.3f}", right=True)
    speed = Column(
        "flops_per_second", "GFLOP/s", right=True,
        text=lambda row: f"{row.flops_per_second / 1e9:.1f}" if row.macs else "",
    )  # fmt: skip
    roof = Column(
        "of_roof", "of roof", profile.share, right=True,
        text=lambda row: _share(profile.share(row)) if row.macs else "",
    )  # fmt: skip
    moved = Column("bytes", "moved", text=lambda row: words.size(row.bytes), right=True)
    intensity = Column(
        "intensity", "FLOP/byte", text=lambda row: f"{row.intensity:.1f}" if row.macs else "", right=True
    )
    return Table(
        columns=(layer, kind, kernels, seconds, speed, roof, moved, intensity),
        rows=profile.rows,
        title="time per layer",
        subtitle=f"{backend}, {words.plural(profile.threads, 'thread')}, each layer after the one before",
        footer=[Total(None, {"layer": ("total",), "seconds": (f"{1e3 * profile.seconds:.3f}",)})],
        lines=[
            f"measured peaks: {profile.peaks.flops / 1e9:.0f} GFLOP/s; {_rates(profile.peaks)}",
            "the roof is the lower of the two at a layer's FLOP/byte; bytes come from the cache that they fit into",
            "FLOPs are two per MAC as counted; Winograd's layers multiply less often and have no share",
            "layers that were fused into others have no row",
        ],
        data_columns=(layer, kind, kernels, seconds, Column("macs", ""), moved, speed, roof, intensity),
        narrowing=drop("kernels", "kind", "bytes", "intensity"),
    )


def _share(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f} %"


def _rates(peaks: Any) -> str:
    """`80 GB/s from data of 64 kB, …, 20 GB/s from memory`."""
    *caches, memory = peaks.rates
    texts = [f"{rate.bytes_per_second / 1e9:.0f} GB/s up from {words.size(rate.size)}" for rate in caches]
    return ", ".join([*texts, f"{memory.bytes_per_second / 1e9:.0f} from memory"])


def _roofline_value(profile: Any) -> dict[str, Any]:
    """JSON of the roofline analysis."""
    return {
        "threads": profile.threads,
        "seconds": profile.seconds,
        "peak_flops": profile.peak_flops,
        "peak_bytes": profile.peak_bytes,
        "peak_rates": [
            {"size": rate.size, "bytes_per_second": rate.bytes_per_second} for rate in profile.peaks.rates
        ],
        "layers": records(_roofline_table(profile)),
    }


def forward_value(result: Forward) -> dict[str, Any]:
    """JSON of `forward` on one image."""
    run, weights = result.run, result.weights
    return {
        "name": result.graph.name,
        "conventions": CONVENTIONS,
        "backend": run.backend,
        "precision": run.precision,
        "in_bfloat16": run.in_bfloat16,
        "precision_check": None
        if result.precision_check is None
        else forward_precision.precision_value(result.precision_check),
        "weights": {
            "source": weights.source,
            "path": weights.path,
            "seed": weights.seed,
            "ignored": list(weights.ignored),
        },
        "image": result.inputs[0].path,
        "inputs": [
            {"name": given.name, "path": given.path, "item": given.item, "shape": list(given.shape)}
            for given in result.inputs
        ],
        "input_shape": list(result.graph.input_shape),
        "output": {"shape": list(run.shape), "values": [_finite(value) for value in run.values]},
        "outputs": {
            output.name: {
                "layer": result.graph.input_name(output.node),
                "shape": list(run.outputs[output.name].shape),
                "values": [_finite(value) for value in run.outputs[output.name].values],
            }
            for output in result.graph.outputs
        },
        "finite": result.finite,
        "top": [
            {"index": guess.index, "label": guess.label, "probability": _finite(guess.probability)}
            for guess in result.top
        ],
        "seconds": run.seconds,
        "maps": [
            {"layer": drawn.layer, "shape": list(drawn.shape), "file": drawn.file} for drawn in result.maps
        ],
        "layers": [
            {
                "name": node.name,
                "kind": node.kind,
                "output_shape": list(node.output_shape),
                "seconds": seconds,
            }
            for node, seconds in zip(result.graph, run.node_seconds, strict=True)
        ],
        **({} if result.profile is None else {"profile": _roofline_value(result.profile)}),
    }


def batch_summary(batch: Batch) -> str:
    """`Forward of lenet5 on 3 images, 1 not read`."""
    done, failed = len(batch.done), len(batch.failures)
    apart = f", {failed} not read" if failed else ""
    return f"Forward of {batch.graph.name} on {words.plural(done, 'image')}{apart}"


def batch_table(batch: Batch) -> Table:
    """One row per image: its class if trained weights ran a classifier, else statistics of the output."""
    outcomes, done = batch.outcomes, batch.done
    classes = any(outcome.top for outcome in done)
    lines = [f"{words.plural(len(done), 'image')}, {len(batch.failures)} not read"]
    if done and done[0].run.precision != "float32":
        lines[0] += f"; {_backend(done[0].run)}"
    checks = [result.precision_check for result in done if result.precision_check is not None]
    lines += batch.notes
    if checks:
        lines += forward_precision.agreement(checks)
    if done and batch.weights.source == "random":
        lines.append(RANDOM)
    elif done and not classes and _vector(done[0].run):
        lines.append(NO_CLASSES)
    return Table(
        columns=(
            Column(
                "image",
                "image",
                text=lambda outcome: _sample(outcome),
                wrap=True,
                style="cyan",
            ),
            Column("class", "class" if classes else "output", text=_result, wrap=True),
            Column("probability", "probability" if classes else "mean", text=_certainty, right=True),
            Column("ms", "ms", text=_milliseconds, right=True),
            *(forward_precision.BATCH_COLUMNS if checks else ()),
        ),
        rows=outcomes,
        title=done[0].graph.title or done[0].graph.name if done else "",
        lines=lines,
        data_columns=(*BATCH_DATA, *(forward_precision.BATCH_DATA if checks else ())),
    )


def _best(outcome: Forward | Failure) -> Prediction | None:
    return None if isinstance(outcome, Failure) or not outcome.top else outcome.top[0]


BATCH_DATA = (
    Column("image", ""),
    Column("index", "", lambda outcome: (best := _best(outcome)) and best.index),
    Column("label", "", lambda outcome: (best := _best(outcome)) and best.label),
    Column("probability", "", lambda outcome: (best := _best(outcome)) and repr(best.probability)),
    Column("seconds", "", lambda outcome: None if isinstance(outcome, Failure) else outcome.run.seconds),
    Column("error", "", lambda outcome: outcome.error.message if isinstance(outcome, Failure) else None),
    Column("output", "", lambda outcome: _numbers(outcome)),
)


def _numbers(outcome: Forward | Failure) -> str:
    """The numbers of a short vector that is not a classification."""
    return "" if isinstance(outcome, Failure) or outcome.top else _exact(_short(outcome.run))


def _result(outcome: Forward | Failure) -> str:
    """The predicted class, or the output's numbers, or their range."""
    if isinstance(outcome, Failure):
        return "not read"
    best, facts = _best(outcome), outcome.statistics
    if best:
        return _label(best)
    return _row(_short(outcome.run)) or f"{facts.minimum:.6g} … {facts.maximum:.6g}"


def _certainty(outcome: Forward | Failure) -> str:
    """The class's probability, or the mean of the output's numbers."""
    if isinstance(outcome, Failure):
        return ""
    best = _best(outcome)
    return f"{100 * best.probability:.2f} %" if best else f"{outcome.statistics.mean:.6g}"


def _milliseconds(outcome: Forward | Failure) -> str:
    return "" if isinstance(outcome, Failure) else f"{1000 * outcome.run.seconds:.1f}"


def batch_value(batch: Batch) -> list[dict[str, Any]]:
    """JSON of `forward` on several images: as for one image but without layers; or the image and its error."""
    values = []
    for outcome in batch.outcomes:
        if isinstance(outcome, Failure):
            values.append({"image": outcome.image, "error": str(outcome.error)})
        else:
            value = forward_value(outcome)
            del value["layers"]
            values.append(value)
    return values


def _finite(value: float) -> float | None:
    """The number, or None if it is not finite, as JSON has no infinity."""
    return float(value) if isfinite(value) else None


def _seconds(value: float) -> str:
    return f"{1000 * value:.1f} ms" if value < 1 else f"{value:.1f} s"


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(f"{name:.100}" for name in names[:3]) + (
        f" and {len(names) - 3} more" if len(names) > 3 else ""
    )
