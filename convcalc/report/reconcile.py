"""`show --reconcile`: explanations of a figure, term by term."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

from convcalc.analysis.counting.items import Term
from convcalc.analysis.reconcile import Explanation, Reconciliation
from convcalc.render.table import Column, Table, Total
from convcalc.report import words
from convcalc.report.values import CONVENTIONS

COLUMNS = (
    Column("what", "what is counted", wrap=True, style="cyan"),
    Column("number", "how many", right=True),
    Column("each", "each", right=True),
    Column("sum", "sum", right=True),
)


class CsvLine(NamedTuple):
    """One row of the CSV: a numbered explanation and one of its terms."""

    explanation: int
    counted: Explanation
    term: Term


def _counted(key: str) -> Column:
    return Column(key, "", lambda line: getattr(line.counted, key))


def _term(key: str) -> Column:
    return Column(key, "", lambda line: getattr(line.term, key))


DATA = (
    Column("explanation", ""),
    *map(_counted, ("network", "changes", "convention", "tool", "version", "label")),
    *map(_term, ("what", "number", "each", "sum")),
)
KINDS = {
    "params": "parameters", "macs": "MACs", "flops": "operations", "bytes": "bytes",
    "any": "parameters or operations",
}  # fmt: skip


def reconciliation_summary(result: Reconciliation) -> str:
    """`Reconciliation of 4.11G with torchvision/resnet50: torchvision/resnet50, MACs …`."""
    about = f"Reconciliation of {result.figure.text} with {result.analysis.graph.name}"
    return f"{about}: {_describe(result.found[0]) if result.found else 'no way of counting gives it'}"


def reconciliation_table(result: Reconciliation) -> Table:
    """The terms and sum of the likeliest explanation; the others on one line each."""
    graph, figure = result.analysis.graph, result.figure
    best = result.found[0] if result.found else result.nearest
    terms = best.terms if best else ()
    every = result.found or ((result.nearest,) if result.nearest else ())
    return Table(
        columns=COLUMNS,
        rows=terms,
        title=f"{figure.text} and {graph.title or graph.name}",
        subtitle=words.network(graph),
        footer=[Total(None, {"what": ("total",), "sum": (words.count(best.total),)})] if best else [],
        lines=_lines(result, best),
        data_columns=DATA,
        data=lambda: [
            CsvLine(number, explanation, term)
            for number, explanation in enumerate(every, 1)
            for term in explanation.terms
        ],
    )


FOUND = {
    "total": "the total gives it",
    "cut": "the total gives it, cut off, not rounded",
    "terms cut": "it may be a sum of terms that were cut off",
}


def _lines(result: Reconciliation, best: Explanation | None) -> list[str]:
    figure = result.figure
    if best is None:
        return [f"this network has nothing that counts as {KINDS[figure.unit]}"]
    reading = best.reading
    if reading.exact:
        asked = f"{figure.text} is exact"
    elif best.cut:
        asked = (
            f"{figure.text} stands for {_count(reading.value)} to {_count(reading.value + reading.step - 1)}"
        )
    else:
        asked = f"{figure.text} stands for {_count(reading.low)} to {_count(reading.high)}"
    if not result.found:
        share = abs(best.left_over) / reading.value
        return [
            f"{asked}: no way of counting known here gives it",
            f"the nearest is {_describe(best)}: {best.total:,}",
            f"left over: {_signed(best.left_over)}, {words.percent(share)} of it",
            *_notes(result),
        ]
    lines = [f"{asked}: {FOUND[best.match]}", f"counted: {_describe(best)}"]
    if best.also:
        lines.append(f"the same in {', '.join(best.also)}")
    if best.match == "terms cut":
        lines.append(f"left over: {_signed(best.left_over)}")
    others = result.found[1:]
    if others:
        lines.append("less likely:")
        lines += [f"  {explanation.total:,}: {_describe(explanation)}" for explanation in others]
    if best.departures or best.reading != figure or best.match != "total":
        lines += _notes(result)
    return lines


def _notes(result: Reconciliation) -> list[str]:
    return [f"a note of {note.network} has it: {note.text}" for note in result.notes]


def _describe(explanation: Explanation) -> str:
    where = explanation.network
    if explanation.changes:
        where = f"{where} with {explanation.changes}"
    return f"{where}, {explanation.convention}"


def _count(value: Fraction | int) -> str:
    return f"{round(value):,}".replace("-", "−")


def _signed(value: Fraction) -> str:
    return words.signed(round(value))


def reconciliation_value(result: Reconciliation) -> dict[str, Any]:
    """JSON of `show ARCH --reconcile FIGURE`."""
    figure = result.figure
    return {
        "name": result.analysis.graph.name,
        "conventions": CONVENTIONS,
        "input": list(result.analysis.graph.input_shape),
        "figure": {
            "text": figure.text,
            "unit": None if figure.unit == "any" else figure.unit,
            "value": _number(figure.value),
            "low": _number(figure.low),
            "high": _number(figure.high),
            "exact": figure.exact,
        },
        "explanations": [_value(found) for found in result.found],
        "nearest": _value(result.nearest) if result.nearest else None,
        "notes": [{"network": note.network, "text": note.text} for note in result.notes],
    }


def _value(explanation: Explanation) -> dict[str, Any]:
    return {
        "network": explanation.network,
        "changes": explanation.changes or None,
        "convention": explanation.convention,
        "tool": explanation.tool or None,
        "version": explanation.version or None,
        "label": explanation.label or None,
        "terms": [
            {"what": term.what, "number": term.number, "each": term.each, "sum": term.sum}
            for term in explanation.terms
        ],
        "total": explanation.total,
        "left_over": _number(explanation.left_over),
        "cut_off": explanation.cut,
        "match": explanation.match,
        "also": list(explanation.also),
    }


def _number(value: Fraction) -> int | float:
    return value.numerator if value.denominator == 1 else float(value)
