"""Checks of one network: its budget, its growth, lints. checks.py goes through several specs."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

from convcalc.api import choices
from convcalc.api.arguments import check_choice, check_whole
from convcalc.errors import ConvcalcError, UsageError, did_you_mean
from convcalc.graph import Graph
from convcalc.render.view import Look, View

if TYPE_CHECKING:
    from convcalc.analysis.analyse import Analysis
    from convcalc.analysis.check import Check, SpecCheck
    from convcalc.language.input import Given
    from convcalc.language.revision import Revision

Limits = Mapping[str, int | float | str]
# The network of a spec at an input: the spec's own where it is None.
Load = Callable[[Any], "Analysis"]


class Demands(NamedTuple):
    """What all specs are checked for, besides their own budgets."""

    limits: Mapping[str, int]
    against: str | None
    max_growth: Fraction | None
    strict: bool
    ignore: tuple[str, ...]


def demands(
    limits: Limits | None = None,
    against: str | os.PathLike[str] | None = None,
    max_growth: str | float | Fraction | None = None,
    strict: bool = False,
    ignore: str | Sequence[str] = (),
) -> Demands:
    """The checked arguments. Raises UsageError."""
    from convcalc.analysis.check import percentage
    from convcalc.language.budget import QUANTITIES, check_lints, limit

    checked = {}
    for name, value in (limits or {}).items():
        if name not in QUANTITIES:
            raise UsageError(
                f"no quantity {name!r} in a budget{did_you_mean(name, QUANTITIES)}",
                hint=f"one of {', '.join(QUANTITIES)}",
            )
        try:
            checked[name] = limit(name, value)
        except UsageError as error:
            option = f"--max-{name.replace('_', '-')}"
            raise UsageError(f"{option} {error.message}", hint=error.hint) from None
    if max_growth is not None and against is None:
        raise UsageError("--max-growth needs --against", hint="such as --against main, or --against old.yaml")
    growth = percentage(max_growth) if isinstance(max_growth, str) else max_growth
    if growth is not None and growth < 0:
        raise UsageError(f"max_growth={max_growth!r}: needs a share from 0 on", hint="0.05 is 5%")
    return Demands(
        checked,
        None if against is None else os.fspath(against),
        None if growth is None else Fraction(str(growth)),  # 0.05 is 1/20, and not the nearest binary number
        strict,
        check_lints((ignore,) if isinstance(ignore, str) else ignore),
    )


def check_network(
    analysis: Analysis,
    arch: str,
    load: Load | None,
    settings: Mapping[str, str],
    asked: Demands,
    changed_input: bool,
) -> View[Check]:
    """A network that is loaded: with the batch, type and input of its budget where it was loaded without others."""
    from convcalc.analysis.check import Check

    check_whole("batch", analysis.batch)
    result = checked(
        analysis,
        arch,
        asked,
        load,
        settings,
        given=_inputs(analysis.graph) if changed_input else None,
        batch=None if analysis.batch == 1 else analysis.batch,
        dtype=None if analysis.dtype == "float32" else analysis.dtype,
    )
    return check_view(Check(result.passed, (result,)))


def _inputs(graph: Graph) -> Given:
    """The network's input, or with several the shapes by name."""
    if len(graph.inputs) == 1:
        return graph.input_shape
    return {entry.name: entry.shape for entry in graph.inputs}


def checked(
    network: Analysis,
    arch: str,
    asked: Demands,
    load: Load | None,
    settings: Mapping[str, str] | None,
    *,
    given: Given | None,
    batch: int | None,
    dtype: str | None,
) -> SpecCheck:
    """A loaded network's results. load: the network at another input; None if it cannot be loaded again. given: the
    input it was loaded with, in place of the budget's."""
    from convcalc.analysis.analyse import analyse
    from convcalc.analysis.check import check_analysis

    budget = network.graph.budget
    notes: list[str] = []
    if budget is not None and budget.input is not None and given is None:
        if load is None:
            notes.append("not at the input of the budget: the spec was read from standard input, and is gone")
        else:
            given = budget.input
            network = load(given)
    images = batch or (budget.batch if budget else 1)
    number_type = dtype or (budget.dtype if budget else "float32")
    check_choice("dtype", number_type, choices.number_types())

    def counted(graph: Graph) -> Analysis:
        return analyse(graph, batch=images, dtype=number_type)

    before = None if asked.against is None else _before(arch, asked.against, settings, given, notes)
    return check_analysis(
        counted(network.graph),
        shown(arch),
        limits=asked.limits,
        before=None if before is None else counted(before),
        max_growth=asked.max_growth,
        strict=asked.strict,
        ignore=asked.ignore,
        reload=None if load is None else lambda shape: counted(load(shape).graph),
        notes=notes,
    )


def shown(arch: str) -> str:
    """The file's name as places in it have it."""
    return "<stdin>" if arch == "-" else arch


def is_file(against: str) -> bool:
    """Whether it names a file and no revision. A PyTorch module is neither: comparing runs nobody's code."""
    return choices.is_spec(against) or (choices.is_model(against) and not choices.is_module(against))


def _before(
    arch: str, against: str, settings: Mapping[str, str] | None, given: Given | None, notes: list[str]
) -> Graph | None:
    """The network to compare with; None with a note if there is none. Raises UsageError, and SpecError of a file."""
    if is_file(against):
        from convcalc.formats.open import open_graph

        return open_graph(against, settings=settings or {}, input_shape=given)
    revision = _revision(arch, against)
    if not revision.has(arch):
        notes.append(f"not in {against}: nothing to compare with")
        return None
    from convcalc.language.load import load_graph

    try:
        return load_graph(arch, settings=settings, input_shape=given, read=revision.read)
    except ConvcalcError as error:
        place = f"{error.mark}: " if error.mark else ""
        notes.append(f"not compared with {against}, where it is in error: {place}{error.message}")
        return None


def _revision(arch: str, against: str) -> Revision:
    from convcalc.language.revision import Revision

    if not choices.is_spec(arch):
        raise UsageError(
            f"--against {against}: {shown(arch)} is no file of a spec in a repository",
            hint="a revision is for paths that end in .yaml",
        )
    return Revision(against, os.path.dirname(arch) or ".")


def check_view(found: Check) -> View[Check]:
    """The view of checks, which has the formats junit and github besides those of tables."""
    from convcalc.report import check as report
    from convcalc.report import check_reports as reports

    return View(
        found,
        Look(
            summary=lambda: report.check_summary(found),
            value=lambda: report.check_value(found),
            tables=lambda: [report.check_table(found)],
            lines=lambda width: report.check_lines(found, width),
            texts={"junit": lambda: reports.junit(found), "github": lambda: reports.github(found)},
        ),
    )
