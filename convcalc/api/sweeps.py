"""Sweeps: a network's figures over a grid of settings, the largest setting within limits, formulas."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from convcalc.api import choices
from convcalc.api.arguments import as_setting, check_choice
from convcalc.api.views import record_view
from convcalc.errors import UsageError
from convcalc.graph import MAX_LAYERS
from convcalc.render.view import View

if TYPE_CHECKING:
    from convcalc.analysis.sweep import Grid, Point
    from convcalc.report.sweep import Sweep

Values = Sequence[object] | str | float


def sweep(
    arch: str | os.PathLike[str],
    *,
    settings: Mapping[str, Values] | None = None,
    inputs: Sequence[Sequence[int] | int | str] = (),
    dtype: str = "float32",
    at_most: Mapping[str, int] | None = None,
    solve: str | None = None,
    formula: str | None = None,
    max_layers: int = MAX_LAYERS,
    advance: Callable[[int, int | None], None] | None = None,
) -> View[Sweep]:
    """A network's figures for every combination of settings and inputs: `convcalc sweep`.

    settings: for each variable a value or several; inputs: sizes such as `224` or shapes. A point that is an error has
    its reason as `error`. solve: a range such as `width=0.1..2:0.01`, of which the largest value is found that keeps
    `at_most`, limits by quantity (params, macs, memory). formula: a variable, or `input`, in which params and MACs are
    given as polynomials. advance(done, total) is called after each point. Raises SpecError, UsageError.

    >>> points = convcalc.sweep("torchvision/mobilenet_v2", settings={"width": [0.5, 1]}).points
    >>> [point.figures.params for point in points]
    [1968680, 3504872]
    >>> convcalc.sweep("lenet5", formula="input").formulas[0].coefficients
    (Fraction(30986, 1), Fraction(-2880, 1), Fraction(120, 1))
    """
    from convcalc.analysis import sweep as analysis
    from convcalc.report.sweep import Sweep

    name = os.fspath(arch)
    if solve is not None and formula is not None:
        raise UsageError("--solve and --formula ask different things", hint="give one of them")
    if at_most and solve is None:
        raise UsageError("--at-most needs --solve, what may change", hint="such as --solve width=0.1..2:0.01")
    asked = grid(name, settings=settings, inputs=inputs, dtype=dtype, max_layers=max_layers)
    if solve is None and formula is None:
        found = []
        for point in analysis.swept(asked):
            found.append(point)
            if advance is not None:
                advance(len(found), len(asked.points))
        return _view(Sweep(asked.loader.name, asked.variables, tuple(found)))
    if len(asked.points) > 1:
        option = "--solve" if solve is not None else "--formula"
        raise UsageError(
            f"{option} changes one variable", hint="give each other setting and the input one value"
        )
    others, size = asked.points[0]
    if solve is not None:
        span = analysis.spaced(solve)
        if span.variable in others or (span.variable == analysis.INPUT and size is not None):
            raise UsageError(f"{span.variable} is set, and solved for", hint="leave one of them out")
        limits = analysis.limits_of((at_most or {}).items())
        points, solution = analysis.solve(
            asked.loader, span, limits, others, size, dtype=dtype, max_layers=max_layers, advance=advance
        )
        return _view(Sweep(asked.loader.name, (*others, span.variable), points, solution=solution))
    from convcalc.analysis.formula import formulas

    assert formula is not None
    counted = None if advance is None else lambda done: advance(done, None)
    found_formulas = formulas(asked.loader, formula, others, size, max_layers=max_layers, advance=counted)
    return _view(Sweep(asked.loader.name, (), (), formulas=found_formulas))


def grid(
    arch: str,
    *,
    settings: Mapping[str, Values] | None = None,
    inputs: Sequence[Sequence[int] | int | str] = (),
    dtype: str = "float32",
    max_layers: int = MAX_LAYERS,
) -> Grid:
    """The points that `sweep` would compute. Raises UsageError."""
    from convcalc.analysis import sweep as analysis
    from convcalc.language.bundled import is_model

    check_choice("dtype", dtype, choices.number_types())
    if is_model(arch):
        raise UsageError(
            f"{arch} is not a spec: only a spec has variables", hint=f"convcalc convert {arch} -o FILE.yaml"
        )
    values = {name: tuple(map(as_setting, _several(given))) for name, given in (settings or {}).items()}
    empty = next((name for name, given in values.items() if not given), None)
    if empty is not None:
        raise UsageError(f"{empty} has no value to take")
    sizes = tuple([size if isinstance(size, str) else "x".join(map(str, _several(size))) for size in inputs])
    return analysis.grid(arch, values, sizes, dtype=dtype, max_layers=max_layers)


def _several(given: object) -> Sequence[object]:
    """A sequence as it is, anything else as the only one."""
    return given if isinstance(given, Sequence) and not isinstance(given, str) else (given,)


def points(asked: Grid) -> Iterator[Point]:
    """The points of a grid, each as soon as it is done."""
    from convcalc.analysis.sweep import swept

    return swept(asked)


def _view(found: Sweep) -> View[Sweep]:
    from convcalc.report import sweep as report

    return record_view(found, report.sweep_summary, report.sweep_value, report.sweep_table)
