"""`check`: budgets, growth and lints of several specs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from convcalc.analysis.check import Check, Costly, Growth, Lint, SpecCheck, Verdict
from convcalc.errors import ConvcalcError, Mark
from convcalc.render.layout import Line, TextSpan, table_lines, wrap
from convcalc.render.table import Column, Table
from convcalc.report import words
from convcalc.report.values import CONVENTIONS

BYTES = ("param_bytes", "activation_bytes", "peak_activation_bytes")
NAMES = {
    "macs": "MACs", "flops": "FLOPs", "param_bytes": "bytes of params", "activation_bytes": "activations",
    "peak_activation_bytes": "peak of activations", "field": "receptive field",
}  # fmt: skip
GOOD, BAD, DOUBTFUL = "green", "red", "yellow"


def check_summary(result: Check) -> str:
    """`Check of 2 specs: 1 passed, 1 failed`."""
    failed = sum(not spec.passed for spec in result.specs)
    passed = len(result.specs) - failed
    counts = [f"{passed} passed"] * bool(passed) + [f"{failed} failed"] * bool(failed)
    return f"Check of {words.plural(len(result.specs), 'spec')}: {', '.join(counts)}"


def name_of(quantity: str) -> str:
    """A quantity as tables name it."""
    return NAMES.get(quantity, quantity)


def amount(quantity: str, value: int | None) -> str:
    """A figure with all digits; bytes with their size."""
    if value is None:
        return "–"
    text = words.count(value)
    if quantity == "field":
        return f"{text} pixels"
    return f"{text} ({words.size(value)})" if quantity in BYTES else text


def over(value: int, limit: int) -> str:
    """`12,345 (3%)`: how much a figure is over its limit."""
    share = f" ({words.percent((value - limit) / limit)})" if limit else ""
    return f"{words.count(value - limit)}{share}"


def breach_text(verdict: Verdict) -> str:
    """One sentence about a breach."""
    assert verdict.value is not None
    name = name_of(verdict.quantity)
    return (
        f"{name} {amount(verdict.quantity, verdict.value)} over the budget of "
        f"{amount(verdict.quantity, verdict.limit)} by {over(verdict.value, verdict.limit)}"
    )


def growth_text(growth: Growth) -> str:
    """One sentence about a growth beyond its limit."""
    assert growth.limit is not None
    return (
        f"{name_of(growth.quantity)} grew from {amount(growth.quantity, growth.before)} to "
        f"{amount(growth.quantity, growth.after)}, by {_growth(growth)}; at most "
        f"{amount(growth.quantity, growth.limit)} allowed"
    )


def costly_text(quantity: str, costly: Costly) -> str:
    """`conv5: 1,179,648 (net.yaml:31)`."""
    where = f" ({costly.mark.file}:{costly.mark.line})" if costly.mark else ""
    return f"{costly.layer}: {amount(quantity, costly.value)}{where}"


def remedy_texts(verdict: Verdict) -> list[str]:
    """Each remedy with the figure it leads to."""
    return [
        f"{remedy.change}: {amount(verdict.quantity, remedy.value)}"
        + (", within the budget" if remedy.value <= verdict.limit else "")
        for remedy in verdict.remedies
    ]


def _growth(growth: Growth) -> str:
    change = growth.after - growth.before
    if not growth.before:
        return words.signed(change)
    return f"{100 * change / growth.before:+.2f}%".replace("-", "−")


# -- the terminal ---------------------------------------------------------------------------------------------


def check_lines(result: Check, width: int | None) -> Iterator[Line]:
    """Each spec with its figures, breaches and lints, then the summary."""
    for spec in result.specs:
        yield from _spec_lines(spec, width)
        yield []
    yield [TextSpan(check_summary(result), GOOD if result.passed else BAD)]


def _spec_lines(spec: SpecCheck, width: int | None) -> Iterator[Line]:
    state = TextSpan("passed", GOOD) if spec.passed else TextSpan("failed", BAD)
    yield [TextSpan(spec.file, "bold"), TextSpan("  "), state]
    if spec.error is not None:
        for error in spec.errors:
            yield from _indented(str(error), width, 2, quoted=True)
        return
    shapes = ", ".join(words.shape(shape) for shape in spec.inputs)
    images = "one image" if spec.batch == 1 else f"batch {spec.batch:,}"
    yield from _indented(f"{spec.name}: {shapes}, {images}, {spec.dtype}", width, 2, "dim")
    if spec.budget:
        yield from _rows(
            [_verdict_row(verdict) for verdict in spec.budget], ("figure", "value", "budget", ""), width
        )
    elif not spec.growth:
        params, macs = (words.count(spec.figures[name] or 0) for name in ("params", "macs"))
        figures = f"{params} params, {macs} MACs, {words.plural(spec.figures['layers'] or 0, 'layer')}"
        yield from _indented(f"no budget; {figures}", width, 2)
    if spec.growth:
        rows = [_growth_row(growth) for growth in spec.growth]
        yield from _rows(rows, ("growth", "before", "after", ""), width)
    for verdict in spec.budget:
        if not verdict.passed:
            yield from _breach_lines(verdict, width)
    for growth in spec.growth:
        if growth.largest:
            yield from _indented(
                f"{name_of(growth.quantity)} grew most in {_costly(growth.quantity, growth.largest)}",
                width,
                2,
            )
    yield from _lint_lines(spec, width)
    for note in spec.notes:
        yield from _indented(f"note: {note}", width, 2, "italic")


class Row(NamedTuple):
    """A row of the small tables of a spec."""

    name: str
    value: str
    limit: str
    state: str
    style: str


def _rows(rows: list[Row], headers: tuple[str, str, str, str], width: int | None) -> Iterator[Line]:
    columns = (
        Column("name", headers[0]),
        Column("value", headers[1], right=True),
        Column("limit", headers[2], right=True),
        Column("state", headers[3], wrap=True),
    )
    table = Table(columns=columns, rows=rows, styles=[row.style for row in rows])
    for line in table_lines(table, None if width is None else width - 2):
        yield [TextSpan("  "), *line]


def _verdict_row(verdict: Verdict) -> Row:
    name, value, limit = verdict.quantity, verdict.value, verdict.limit
    state = "ok" if verdict.passed or value is None else f"over by {over(value, limit)}"
    shown = [
        words.size(number) if name in BYTES and number is not None else _count(number)
        for number in (value, limit)
    ]
    if name in BYTES and shown[0] == shown[1]:  # a difference that rounding hides
        shown = [_count(number) for number in (value, limit)]
    return Row(name_of(name), shown[0], shown[1], state, "" if verdict.passed else BAD)


def _growth_row(growth: Growth) -> Row:
    show = words.size if growth.quantity in BYTES else words.count
    state = _growth(growth) if growth.after != growth.before else "same"
    if not growth.passed:
        state += f", at most {show(growth.limit or 0)}"
    style = "" if growth.passed else BAD
    return Row(name_of(growth.quantity), show(growth.before), show(growth.after), state, style)


def _count(value: int | None) -> str:
    return "–" if value is None else words.count(value)


def _breach_lines(verdict: Verdict, width: int | None) -> Iterator[Line]:
    where = f"{verdict.mark.file}:{verdict.mark.line}: " if verdict.mark else ""
    yield from _indented(f"{where}{breach_text(verdict)}", width, 2, BAD)
    if verdict.largest:
        what = "added most by" if verdict.quantity == "field" else "most in"
        yield from _indented(f"{what} {_costly(verdict.quantity, verdict.largest)}", width, 4)
    for text in remedy_texts(verdict):
        yield from _indented(f"with {text}", width, 4)


def _costly(quantity: str, largest: tuple[Costly, ...]) -> str:
    return "; ".join(costly_text(quantity, costly) for costly in largest)


def _lint_lines(spec: SpecCheck, width: int | None) -> Iterator[Line]:
    for lint in spec.lints:
        if not lint.silenced:
            yield from _indented(
                f"{place_text(lint.mark)}{lint.severity}: {lint.layer}: {lint.message} [{lint.lint}]",
                width, 2, BAD if lint.severity == "error" else DOUBTFUL,
            )  # fmt: skip
    if spec.more_lints:
        yield from _indented(f"and {spec.more_lints:,} more findings", width, 2)
    silenced = sum(lint.silenced for lint in spec.lints)
    if silenced:
        yield from _indented(f"{words.plural(silenced, 'finding')} silenced", width, 2, "dim")


def place_text(mark: Mark | None) -> str:
    """`net.yaml:12: `, or nothing."""
    return f"{mark.file}:{mark.line}: " if mark else ""


def _indented(
    text: str, width: int | None, indent: int, style: str = "", *, quoted: bool = False
) -> Iterator[Line]:
    room = None if width is None else max(20, width - indent)
    lines = text.splitlines()
    carets = {number for number, line in enumerate(lines) if "^" in line and not line.strip(" ^")}
    for number, line in enumerate(lines):
        is_excerpt = quoted and (number in carets or number + 1 in carets)
        parts = [line] if is_excerpt else wrap(line, room, hanging=2 + len(line) - len(line.lstrip()))
        for part in parts:
            yield [TextSpan(" " * indent + part, style)]


# -- data -----------------------------------------------------------------------------------------------------


class Result(NamedTuple):
    """A row of CSV, Markdown and the like: one result of one spec."""

    spec: str
    check: str
    what: str
    layer: str | None
    file: str | None
    line: int | None
    value: int | None
    limit: int | None
    result: str
    message: str


def check_table(result: Check) -> Table:
    """A row per limit, growth, lint and error."""
    columns = (
        Column("spec", "spec", wrap=True), Column("check", "check"), Column("what", "what", wrap=True),
        Column("layer", "layer", wrap=True), Column("file", "file", wrap=True), Column("line", "line", right=True),
        Column("value", "value", right=True), Column("limit", "limit", right=True), Column("result", "result"),
        Column("message", "message", lambda row: row.message.replace("\n", "; "), wrap=True),
    )  # fmt: skip
    return Table(columns=columns, rows=[row for spec in result.specs for row in results(spec)])


def results(spec: SpecCheck) -> Iterator[Result]:
    """All results of a spec; silenced lints are left out."""
    for error in spec.errors:
        mark = error.mark if isinstance(error, ConvcalcError) else None
        message = error.message if isinstance(error, ConvcalcError) else str(error)
        yield Result(spec.file, "spec", "error", None, *_where(mark), None, None, "failed", message)
    for verdict in spec.budget:
        text = "" if verdict.passed else breach_message(verdict)
        layer = verdict.largest[0].layer if verdict.largest else None
        state = "passed" if verdict.passed else "failed"
        yield Result(
            spec.file, "budget", verdict.quantity, layer, *_where(verdict.mark), verdict.value, verdict.limit,
            state, text,
        )  # fmt: skip
    for growth in spec.growth:
        layer, mark = (growth.largest[0].layer, growth.largest[0].mark) if growth.largest else (None, None)
        state = "passed" if growth.passed else "failed"
        text = "" if growth.passed else growth_message(growth)
        yield Result(
            spec.file,
            "growth",
            growth.quantity,
            layer,
            *_where(mark),
            growth.after,
            growth.limit,
            state,
            text,
        )
    for lint in spec.lints:
        if not lint.silenced:
            yield Result(
                spec.file, "lint", lint.lint, lint.layer, *_where(lint.mark), None, None, lint.severity,
                lint.message,
            )  # fmt: skip


def breach_message(verdict: Verdict) -> str:
    """A breach with the layers that cost most and its remedies, in one text."""
    parts = [breach_text(verdict)]
    if verdict.largest:
        parts.append(f"most in {_costly(verdict.quantity, verdict.largest)}")
    return "\n".join([*parts, *[f"with {text}" for text in remedy_texts(verdict)]])


def growth_message(growth: Growth) -> str:
    """A growth with the layers that grew most, in one text."""
    most = [f"most in {_costly(growth.quantity, growth.largest)}"] if growth.largest else []
    return "\n".join([growth_text(growth), *most])


def _where(mark: Mark | None) -> tuple[str | None, int | None]:
    return (mark.file, mark.line) if mark else (None, None)


def check_value(result: Check) -> dict[str, Any]:
    """JSON of `check`."""
    return {
        "conventions": CONVENTIONS,
        "passed": result.passed,
        "specs": [_spec_value(spec) for spec in result.specs],
    }


def _spec_value(spec: SpecCheck) -> dict[str, Any]:
    return {
        "name": spec.name,
        "file": spec.file,
        "passed": spec.passed,
        "batch": spec.batch,
        "dtype": spec.dtype,
        "inputs": [list(shape) for shape in spec.inputs],
        "figures": dict(spec.figures),
        "budget": [
            {
                "quantity": verdict.quantity,
                "limit": verdict.limit,
                "value": verdict.value,
                "passed": verdict.passed,
                "line": verdict.mark.line if verdict.mark else None,
                "largest": [_costly_value(costly) for costly in verdict.largest],
                "remedies": remedy_texts(verdict),
            }
            for verdict in spec.budget
        ],
        "growth": [
            {
                "quantity": growth.quantity,
                "before": growth.before,
                "after": growth.after,
                "limit": growth.limit,
                "passed": growth.passed,
                "largest": [_costly_value(costly) for costly in growth.largest],
            }
            for growth in spec.growth
        ],
        "lints": [_lint_value(lint) for lint in spec.lints],
        "more_lints": spec.more_lints,
        "notes": list(spec.notes),
        "error": _error_value(spec.errors[0]) if spec.errors else None,
        "errors": [_error_value(error) for error in spec.errors],
    }


def _costly_value(costly: Costly) -> dict[str, Any]:
    file, line = _where(costly.mark)
    return {"layer": costly.layer, "value": costly.value, "line": line, "file": file}


def _lint_value(lint: Lint) -> dict[str, Any]:
    file, line = _where(lint.mark)
    return {
        "lint": lint.lint,
        "layer": lint.layer,
        "line": line,
        "file": file,
        "severity": lint.severity,
        "message": lint.message,
        "silenced": lint.silenced,
    }


def _error_value(error: Exception) -> dict[str, Any]:
    mark = error.mark if isinstance(error, ConvcalcError) else None
    return {
        "file": mark.file if mark else None,
        "line": mark.line if mark else None,
        "column": mark.column if mark else None,
        "message": error.message if isinstance(error, ConvcalcError) else str(error),
        "hint": error.hint if isinstance(error, ConvcalcError) else None,
    }
