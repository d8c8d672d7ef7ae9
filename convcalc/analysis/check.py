"""Budgets, growth and lints of a network: what `convcalc check` decides."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from math import ceil
from typing import Literal, NamedTuple

from convcalc.analysis.analyse import Analysis, peak_elements
from convcalc.analysis.lints import findings
from convcalc.analysis.remedies import Reload, Remedy, remedies
from convcalc.errors import Mark, SpecError, SpecErrors, UsageError
from convcalc.graph import Node
from convcalc.language import bundled
from convcalc.language.budget import QUANTITIES
from convcalc.shapes import elements

# Quantities whose growth is limited; the others are proportional to these, or no cost.
GROWING = ("params", "macs", "activation_bytes", "peak_activation_bytes")
MAX_COSTLY = 3  # layers named for a breach
MAX_FINDINGS = 1_000  # lints shown of one network


class Costly(NamedTuple):
    """A layer's part of a figure. mark: where it is written, if that is a file of the user's."""

    layer: str
    value: int
    mark: Mark | None


class Verdict(NamedTuple):
    """A figure against its limit. value: None if the network has none (a field without an image). mark: of the limit
    in the spec; None for one of the command's. largest, remedies: of a breach."""

    quantity: str
    limit: int
    value: int | None
    passed: bool
    mark: Mark | None
    largest: tuple[Costly, ...] = ()
    remedies: tuple[Remedy, ...] = ()


class Growth(NamedTuple):
    """A figure before and after. limit: the largest value allowed, None without one. largest: the layers that grew
    most, with the differences."""

    quantity: str
    before: int
    after: int
    limit: int | None
    passed: bool
    largest: tuple[Costly, ...] = ()


class Lint(NamedTuple):
    """A finding. silenced: the spec or the command ignores lints of its name."""

    lint: str
    layer: str
    message: str
    mark: Mark | None
    severity: Literal["warning", "error"]
    silenced: bool


class SpecCheck(NamedTuple):
    """One network's results. file: as given. figures: by quantity. error: the spec is wrong, and nothing was checked.
    notes: remarks for people. batch, dtype, input: what the figures are of; input "" with an error."""

    name: str
    file: str
    passed: bool
    figures: Mapping[str, int | None]
    budget: tuple[Verdict, ...] = ()
    growth: tuple[Growth, ...] = ()
    lints: tuple[Lint, ...] = ()
    error: Exception | None = None
    notes: tuple[str, ...] = ()
    batch: int = 1
    dtype: str = "float32"
    inputs: tuple[tuple[int, ...], ...] = ()
    more_lints: int = 0

    @property
    def errors(self) -> tuple[Exception, ...]:
        """The errors of the spec, one by one."""
        return (
            self.error.errors if isinstance(self.error, SpecErrors) else (self.error,) if self.error else ()
        )


class Check(NamedTuple):
    """The results of all specs, in the order given."""

    passed: bool
    specs: tuple[SpecCheck, ...]


def check_analysis(
    analysis: Analysis,
    file: str,
    *,
    limits: Mapping[str, int] | None = None,
    before: Analysis | None = None,
    max_growth: Fraction | None = None,
    strict: bool = False,
    ignore: Sequence[str] = (),
    reload: Reload | None = None,
    notes: Sequence[str] = (),
) -> SpecCheck:
    """The results of one network.

    file: the spec as given. limits: by quantity, in place of those of its budget. before: the network whose figures
    may grow by max_growth, such as 1/20. strict: lints are errors. ignore: lints silenced besides the spec's own.
    reload: the network at another input, for remedies.
    """
    own = analysis.graph.budget
    allowed = {**(own.limits if own else {}), **(limits or {})}
    marks = {name: mark for name, mark in (own.marks if own else {}).items() if name not in (limits or {})}
    verdicts = tuple(
        [
            _verdict(analysis, name, allowed[name], marks.get(name), file, reload)
            for name in QUANTITIES
            if name in allowed
        ]
    )
    growth = () if before is None else _growth(before, analysis, max_growth, file)
    silenced = {*analysis.graph.ignored_lints, *ignore}
    found = findings(analysis)
    lints = tuple(
        [
            Lint(
                finding.lint,
                finding.node.name,
                finding.message,
                place(finding.node, file),
                "error" if strict else "warning",
                finding.lint in silenced,
            )
            for finding in found[:MAX_FINDINGS]
        ]
    )
    active = any(finding.lint not in silenced for finding in found)
    return SpecCheck(
        name=analysis.graph.name,
        file=file,
        passed=all(verdict.passed for verdict in verdicts)
        and all(change.passed for change in growth)
        and not (strict and active),
        figures={name: figure(analysis, name) for name in QUANTITIES},
        budget=verdicts,
        growth=growth,
        lints=lints,
        notes=tuple(notes),
        batch=analysis.batch,
        dtype=analysis.dtype,
        inputs=tuple([entry.shape for entry in analysis.graph.inputs]),
        more_lints=len(found) - len(lints),
    )


def failed(file: str, error: SpecError | Exception) -> SpecCheck:
    """The result of a spec that is wrong."""
    return SpecCheck(file, file, False, dict.fromkeys(QUANTITIES), error=error)


def percentage(text: str) -> Fraction:
    """A share such as 5% or 0.5% as a fraction. Raises UsageError."""
    digits = text.strip().removesuffix("%").strip()
    try:
        if not text.strip().endswith("%") or len(text) > 20 or "/" in digits or "_" in digits:
            raise ValueError
        share = Fraction(digits) / 100
        if share < 0:
            raise ValueError
    except (ValueError, ZeroDivisionError):
        raise UsageError(f"--max-growth {text}: needs a percentage", hint="such as 5% or 0.5%") from None
    return share


# -- figures --------------------------------------------------------------------------------------------------


def figure(analysis: Analysis, quantity: str) -> int | None:
    """A figure by its name in a budget. field: pixels, the largest of any layer on any axis; None without one."""
    if quantity == "flops":
        return 2 * analysis.totals.macs
    if quantity == "field":
        return max(_fields(analysis), default=0) or None
    return int(getattr(analysis.totals, quantity))


def _fields(analysis: Analysis) -> list[int]:
    """Each layer's largest receptive field on any axis of any input; 0 without one."""
    return [
        max(
            (ceil(size) for field in layer.receptive_fields.values() if field for size in field.size),
            default=0,
        )
        for layer in analysis.layers
    ]


def parts(analysis: Analysis, quantity: str) -> Iterable[tuple[Node, int]]:
    """The layers with their parts of a figure, `layers` apart. Of the peak: what is alive at it; of the field: what
    each adds."""
    graph = analysis.graph
    if quantity == "peak_activation_bytes":
        unit = analysis.totals.peak_activation_bytes // max(1, peak_elements(graph))
        return [(node, elements(node.output_shape) * unit) for node in _alive_at_peak(analysis)]
    if quantity == "field":
        seen = _fields(analysis)
        return [
            (node, seen[node.index] - max((seen[s] if s >= 0 else 1 for s in node.inputs), default=1))
            for node in graph
            if seen[node.index]
        ]
    value: Mapping[str, Callable[[int], int]] = {
        "params": lambda index: analysis.layers[index].params,
        "param_bytes": lambda index: analysis.layers[index].params * per_param,
        "macs": lambda index: analysis.layers[index].macs,
        "flops": lambda index: 2 * analysis.layers[index].macs,
        "activation_bytes": lambda index: analysis.layers[index].activation_bytes,
    }
    per_param = analysis.totals.param_bytes // max(1, analysis.totals.params)
    return [(node, value[quantity](node.index)) for node in graph]


def _alive_at_peak(analysis: Analysis) -> list[Node]:
    """The nodes whose outputs are in memory when most is."""
    graph = analysis.graph
    last = graph.last_readers()
    freed: list[int] = [0] * (len(graph) + 1)
    reads_input = {source: node.index for node in graph for source in node.inputs if source < 0}
    alive = 0
    for index in graph.input_indices:
        alive += elements(graph.shape(index))
        if index in reads_input:
            freed[reads_input[index]] += elements(graph.shape(index))
    most, peak = 0, 0
    for node in graph:
        size = elements(node.output_shape)
        alive += size
        if alive > most:
            most, peak = alive, node.index
        freed[last[node.index]] += size
        alive -= freed[node.index]
    return [node for node in graph.nodes[: peak + 1] if last[node.index] >= peak]


# -- budgets and growth ---------------------------------------------------------------------------------------


def _verdict(
    analysis: Analysis, quantity: str, limit: int, mark: Mark | None, file: str, reload: Reload | None
) -> Verdict:
    value = figure(analysis, quantity)
    if value is None or value <= limit:
        return Verdict(quantity, limit, value, True, mark)
    if quantity == "layers":
        return Verdict(quantity, limit, value, False, mark, _blocks(analysis, file))
    costly = sorted(parts(analysis, quantity), key=lambda part: -part[1])[:MAX_COSTLY]
    nodes = [node for node, part in costly if part > 0]
    found = remedies(analysis, quantity, lambda variant: figure(variant, quantity), limit, nodes, reload)
    largest = [Costly(node.name, part, place(node, file)) for node, part in costly if part > 0]
    return Verdict(quantity, limit, value, False, mark, tuple(largest), found)


def _blocks(analysis: Analysis, file: str) -> tuple[Costly, ...]:
    """The outermost scopes with the most layers; the place is that of their first layer."""
    first: dict[str, Node] = {}
    counts: dict[str, int] = {}
    for node in analysis.graph:
        name = node.name.split(".")[0]
        first.setdefault(name, node)
        counts[name] = counts.get(name, 0) + 1
    most = sorted(counts, key=lambda name: -counts[name])[:MAX_COSTLY]
    return tuple([Costly(name, counts[name], place(first[name], file)) for name in most])


def _growth(before: Analysis, after: Analysis, max_growth: Fraction | None, file: str) -> tuple[Growth, ...]:
    results = []
    for quantity in GROWING:
        was, now = figure(before, quantity), figure(after, quantity)
        assert was is not None
        assert now is not None
        limit = None if max_growth is None else int(was * (1 + max_growth))
        passed = limit is None or now <= limit
        results.append(
            Growth(quantity, was, now, limit, passed, () if passed else _grown(before, after, quantity, file))
        )
    return tuple(results)


def _grown(before: Analysis, after: Analysis, quantity: str, file: str) -> tuple[Costly, ...]:
    """The layers whose part of a figure grew most; of the peak, those alive at it."""
    was = {node.name: part for node, part in parts(before, quantity)}
    grown = [(node, part - was.get(node.name, 0)) for node, part in parts(after, quantity)]
    grown.sort(key=lambda part: -part[1])
    return tuple(
        [Costly(node.name, part, place(node, file)) for node, part in grown[:MAX_COSTLY] if part > 0]
    )


def place(node: Node, file: str) -> Mark | None:
    """Where a layer is written: its place in the spec itself if it has one, else in another file of the user's; None
    if it comes from a bundled spec alone."""
    marks = [] if node.place is None else [node.place.mark, *(node.trail.marks() if node.trail else ())]
    own = next((mark for mark in marks if mark.file == file), None)
    return own or next((mark for mark in marks if not _is_bundled(mark.file)), None)


def _is_bundled(file: str) -> bool:
    """Whether a mark's file is a bundled spec, which is named as if it lay in the current folder."""
    stem, suffix = os.path.splitext(file)
    return suffix == ".yaml" and not os.path.isfile(file) and bundled.path(stem) is not None
