"""`sweep`: figures over a grid, the largest setting within limits, and formulas."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from convcalc.analysis.formula import Formula
from convcalc.analysis.sweep import Point, Solution
from convcalc.render.layout import Line, TextSpan
from convcalc.render.table import Column, Table, drop, shorten
from convcalc.report import words
from convcalc.report.values import CONVENTIONS

SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
NUMBER = 16  # columns of a count in rows that are printed as they are done
MEMORY = 9


class Sweep(NamedTuple):
    """What was asked of a network: its points, a solution or formulas. widths: of the columns of the settings."""

    name: str
    variables: tuple[str, ...]
    points: tuple[Point, ...]
    solution: Solution | None = None
    formulas: tuple[Formula, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether there are points and all of them are errors."""
        return bool(self.points) and all(point.figures is None for point in self.points)


def _figure(key: str) -> Column:
    header = "MACs" if key == "macs" else key

    def value(point: Point) -> int | None:
        return None if point.figures is None else int(getattr(point.figures, key))

    return Column(
        key, header, value, lambda point: "–" if (n := value(point)) is None else words.count(n),
        short=(lambda point: "–" if (n := value(point)) is None else words.rounded(n),), right=True,
    )  # fmt: skip


PEAK = Column(
    "peak_activation_bytes", "memory",
    lambda point: None if point.figures is None else point.figures.peak_activation_bytes,
    lambda point: "–" if point.figures is None else words.size(point.figures.peak_activation_bytes), right=True,
)  # fmt: skip
INPUT = Column("input", "input", lambda point: point.input, lambda point: shown_input(point), right=True)
ERROR = Column("error", "", lambda point: point.error, lambda point: point.error or "", wrap=True)


def sweep_summary(result: Sweep) -> str:
    """`Sweep of mobilenet_v2: 9 points, 1 of them an error`."""
    if result.formulas:
        return f"Formulas of {result.name} in {result.formulas[0].variable}"
    wrong = sum(point.figures is None for point in result.points)
    return f"Sweep of {result.name}: {words.plural(len(result.points), 'point')}" + (
        f", {wrong} of them errors" if wrong else ""
    )


def sweep_table(result: Sweep) -> Table:
    """A row per point; the answer below."""
    if result.formulas:
        return formulas_table(result)
    settings = tuple([_setting(name) for name in result.variables if name != "input"])
    wrong = any(point.error for point in result.points)
    return Table(
        columns=(*settings, INPUT, _figure("params"), _figure("macs"), PEAK, *([ERROR] if wrong else [])),
        rows=_nearest(result),
        data=lambda: result.points,
        title=result.name,
        subtitle="each setting, one image, activations as float32",
        lines=solution_lines(result.solution) if result.solution else (),
        data_columns=(*settings, INPUT, _figure("params"), _figure("macs"), PEAK, ERROR),
        narrowing=(*shorten("macs"), *shorten("params"), *drop("peak_activation_bytes")),
    )


def _nearest(result: Sweep) -> Sequence[Point]:
    """All points; of a search the solution and its neighbours, the smallest two if nothing fits."""
    if result.solution is None:
        return result.points
    figures = result.solution.figures
    if result.solution.value is None or figures is None:
        return result.points[:2]
    place = max(place for place, point in enumerate(result.points) if _is(point, result.solution))
    return result.points[max(0, place - 1) : place + 2]


def _is(point: Point, solution: Solution) -> bool:
    if solution.variable == "input":
        return point.figures == solution.figures
    return point.settings.get(solution.variable) == solution.value


def _setting(name: str) -> Column:
    return Column(name, name, lambda point: point.settings.get(name), right=True, style="cyan")


def shown_input(point: Point) -> str:
    """`3×224×224`; what was given, if it could not be read."""
    return point.input if isinstance(point.input, str) else words.shape(point.input)


def solution_lines(solution: Solution) -> list[str]:
    """The answer to --solve."""
    condition = solution.condition.replace("peak_activation_bytes", "memory").replace("macs", "MACs")
    if solution.value is None or solution.figures is None:
        return [f"no {solution.variable} of the range keeps {condition}"]
    figures = solution.figures
    return [
        f"{solution.variable} {solution.value} is the largest that keeps {condition}",
        f"  {figures.params:,} params, {figures.macs:,} MACs, {words.size(figures.peak_activation_bytes)} of memory",
    ]


def formulas_table(result: Sweep) -> Table:
    """A row per formula."""
    variable = result.formulas[0].variable
    proved = min((formula.checked for formula in result.formulas if formula.coefficients), default=0)
    return Table(
        columns=(
            Column("quantity", "", _quantity, style="cyan"),
            Column("formula", "formula", written_formula, wrap=True),
            Column("where", "where", lambda formula: formula.where, wrap=True),
        ),
        rows=result.formulas,
        title=f"{result.name}: figures as polynomials",
        subtitle=f"n: {'the side of the input' if variable == 'input' else variable}",
        lines=[f"exact; each proved on at least {proved} more points"] if proved else [],
        data_columns=(
            Column("quantity", ""),
            Column("variable", ""),
            Column("coefficients", "", lambda formula: " ".join(map(str, formula.coefficients or ()))),
            Column("where", ""),
            Column("checked", ""),
        ),
    )  # fmt: skip


def _quantity(formula: Formula) -> str:
    return "MACs" if formula.quantity == "macs" else formula.quantity


def written_formula(formula: Formula) -> str:
    """`36,144·n² + 72,288·n + 548,144`; fractions as `1/2·n`."""
    if formula.coefficients is None:
        return "none"
    text = ""
    for power, coefficient in reversed(list(enumerate(formula.coefficients))):
        if not coefficient and len(formula.coefficients) > 1:
            continue
        sign = ("−" if coefficient < 0 else "") if not text else (" − " if coefficient < 0 else " + ")
        text += sign + _term(abs(coefficient), power)
    return text


def _term(coefficient: Fraction, power: int) -> str:
    number = f"{coefficient.numerator:,}" + (
        f"/{coefficient.denominator:,}" if coefficient.denominator > 1 else ""
    )
    if not power:
        return number
    name = "n" + (str(power).translate(SUPERSCRIPTS) if power > 1 else "")
    return name if coefficient == 1 else f"{number}·{name}"


# -- rows as they are done ---------------------------------------------------------------------------------


def streamed(
    name: str,
    variables: Sequence[str],
    grid: Sequence[Mapping[str, str]],
    points: Iterable[Point],
    sizes: Sequence[str],
) -> Iterator[Line]:
    """The table's lines, each as soon as its point is done; its columns have fixed widths. grid: all settings;
    sizes: the inputs as typed."""
    widths = {
        variable: max(len(variable), *(len(settings[variable]) for settings in grid))
        for variable in variables
    }
    wide = max(len("3×224×224"), *(len(size) + 4 for size in sizes), 0) if sizes else len("3×224×224×224")
    header = "  ".join(
        [
            *(f"{variable:>{widths[variable]}}" for variable in variables),
            f"{'input':>{wide}}", f"{'params':>{NUMBER}}", f"{'MACs':>{NUMBER}}", f"{'memory':>{MEMORY}}",
        ]
    )  # fmt: skip
    yield [TextSpan(name, "bold"), TextSpan("  each setting, one image, activations as float32", "dim")]
    yield [TextSpan(header, "bold")]
    yield [TextSpan("─" * len(header), "dim")]
    for point in points:
        settings = "  ".join(f"{point.settings[variable]:>{widths[variable]}}" for variable in variables)
        spans = [
            TextSpan(settings + ("  " if settings else ""), "cyan"),
            TextSpan(f"{shown_input(point):>{wide}}  "),
        ]
        if point.figures is None:
            spans.append(TextSpan(point.error or "", "red"))
        else:
            found = point.figures
            memory = words.size(found.peak_activation_bytes)
            spans.append(TextSpan(f"{found.params:>{NUMBER},}  {found.macs:>{NUMBER},}  {memory:>{MEMORY}}"))
        yield spans


def sweep_value(result: Sweep) -> dict[str, Any]:
    """JSON of `sweep`."""
    return {
        "name": result.name,
        "conventions": CONVENTIONS,
        "variables": list(result.variables),
        "points": [
            {
                "settings": dict(point.settings),
                "input": list(point.input) if not isinstance(point.input, str) else None,
                "figures": None if point.figures is None else point.figures._asdict(),
                "error": point.error,
            }
            for point in result.points
        ],
        "solution": None
        if result.solution is None
        else {
            "variable": result.solution.variable,
            "value": result.solution.value,
            "condition": result.solution.condition,
            "figures": None if result.solution.figures is None else result.solution.figures._asdict(),
        },
        "formulas": [
            {
                "quantity": formula.quantity,
                "variable": formula.variable,
                "coefficients": None
                if formula.coefficients is None
                else list(map(str, formula.coefficients)),
                "where": formula.where,
                "checked": formula.checked,
            }
            for formula in result.formulas
        ],
    }
