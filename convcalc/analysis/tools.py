"""The figures that counting tools print for a network, and why they differ from ours.

Each is a row of CONVENTIONS, the table that `--reconcile` reads. A tool's figure is taken apart into the same terms as
ours; what only one of the two counts is a reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from convcalc.analysis.analyse import Analysis
from convcalc.analysis.counting import measures
from convcalc.analysis.counting.conventions import CONVENTIONS, SIZES, Convention, Quantity
from convcalc.analysis.counting.items import Rule, Tally, Term
from convcalc.analysis.counting.rules import (
    FLOPS,
    MACS,
    PARAMS,
    STATISTICS,
    VALUES,
    in_bytes,
    outputs_by_role,
)
from convcalc.errors import UsageError, did_you_mean

OUTDATED = "of 2021"  # tables in READMEs that are still quoted
OUTPUTS = outputs_by_role(measures.outputs)
OPERATIONS = ("macs", "flops")


class Reason(NamedTuple):
    """A part of the difference between a tool's figure and ours."""

    text: str
    amount: int


class ToolFigure(NamedTuple):
    """A figure that a tool prints: label, the words before it; value, in full; printed, as the tool rounds it; ours,
    for the same quantity. The reasons' amounts add up to value − ours. label, value: None where the tool has none."""

    quantity: Quantity
    label: str | None
    value: int | None
    printed: str | None
    ours: int
    reasons: tuple[Reason, ...]


class ToolFigures(NamedTuple):
    """All figures of a tool."""

    tool: str
    version: str
    figures: tuple[ToolFigure, ...]


class ByTools(NamedTuple):
    """A network as several tools count it: one image, float32."""

    analysis: Analysis
    tools: tuple[ToolFigures, ...]


def names() -> tuple[str, ...]:
    """The tools, in the order of the table."""
    return tuple(dict.fromkeys(row.tool for row in CONVENTIONS if row.tool))


def by_tools(analysis: Analysis, tools: Sequence[str]) -> ByTools:
    """The figures of some tools, named in any case. Raises UsageError for an unknown tool."""
    tally = Tally(analysis.graph)
    found = []
    for asked in tools:
        name = next((name for name in names() if name.lower() == asked.strip().lower()), None)
        if name is None:
            known = [name.lower() for name in names()]
            raise UsageError(
                f"{asked!r} is no tool that convcalc knows{did_you_mean(asked.lower(), known)}",
                hint=f"known are {', '.join(known)}",
            )
        rows: dict[str, list[Convention]] = {}
        for row in CONVENTIONS:
            if row.tool == name and row.version != OUTDATED:
                rows.setdefault(row.version, []).append(row)
        found += [
            ToolFigures(name, version, _figures(tally, of_version)) for version, of_version in rows.items()
        ]
        if not any(row.quantity in OPERATIONS for of_version in rows.values() for row in of_version):
            none = ToolFigure("macs", None, None, None, _sum(tally.terms(MACS)), ())
            found[-1] = found[-1]._replace(figures=(*found[-1].figures, none))
    return ByTools(analysis, tuple(found))


def _figures(tally: Tally, rows: Sequence[Convention]) -> tuple[ToolFigure, ...]:
    """A version's figures. A total of sizes differs by what its parts differ by."""
    found: list[ToolFigure] = []
    for row in rows:
        figure = _figure(tally, row)
        if row.label == SIZES[-1]:
            parts = [part for part in found if part.label in SIZES and part.value != part.ours]
            reasons = [Reason(f"{part.label}", (part.value or 0) - part.ours) for part in parts]
            figure = figure._replace(reasons=tuple(reasons))
        found.append(figure)
    return tuple(found)


def _figure(tally: Tally, row: Convention) -> ToolFigure:
    options = [option for option in row.options if option.holds(tally.graph.name)]
    theirs = tally.terms([*row.rules, *(rule for option in options for rule in option.rules)])
    ours = tally.terms(_our_rules(row))
    value = _sum(theirs)
    printed = f"{value / row.unit:.2f}" if row.unit > 1 else f"{value:,}"
    merged = row.quantity == "params" or row.label == SIZES[2]
    return ToolFigure(row.quantity, row.label, value, printed, _sum(ours), _reasons(theirs, ours, merged))


def _our_rules(row: Convention) -> tuple[Rule, ...]:
    """What we count under the same name. A tool whose "flops" are MACs is held against MACs."""
    if row.rules == (STATISTICS,):
        return row.rules
    if row.quantity == "params":
        return PARAMS
    if row.quantity != "bytes":
        single = any(rule.what == MACS[0].what and rule.each == 1 for rule in row.rules)
        return MACS if single else FLOPS
    parts = (in_bytes((VALUES,)), in_bytes(OUTPUTS), in_bytes(PARAMS))
    return dict(zip(SIZES, (*parts, sum(parts, ())), strict=True))[row.label]


def _sum(terms: Iterable[Term]) -> int:
    return sum(term.sum for term in terms)


def _reasons(theirs: Sequence[Term], ours: Sequence[Term], merged: bool) -> tuple[Reason, ...]:
    """The terms that only one side has, and the differences of those that both have.

    merged: what stands for the same thing under other names is told as one difference.
    """
    counted = _by_name(theirs)
    usual = _by_name(ours)
    if _sum(theirs) == _sum(ours):
        return ()
    reasons = []
    for what, (amount, each) in counted.items():
        own, usual_each = usual.pop(what, (0, each))
        if amount != own:
            text = what if each == usual_each else f"{what}: {each} each, not {usual_each}"
            reasons.append(Reason(text, amount - own))
    reasons += [Reason(f"{what}: not counted", -amount) for what, (amount, _) in usual.items()]
    if (
        merged
        and any(reason.amount < 0 for reason in reasons)
        and any(reason.amount > 0 for reason in reasons)
    ):
        words = ", ".join(reason.text for reason in reasons if reason.amount > 0)
        return (Reason(f"counted: {words}", sum(reason.amount for reason in reasons)),)
    return tuple(reasons)


def _by_name(terms: Iterable[Term]) -> dict[str, tuple[int, int]]:
    """By what is counted: the sum and the factor of its first term."""
    found: dict[str, tuple[int, int]] = {}
    for term in terms:
        amount, each = found.get(term.what, (0, term.each))
        found[term.what] = (amount + term.sum, each)
    return found
