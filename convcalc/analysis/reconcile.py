"""Explains a published figure: which convention, input size or variant of a network gives it.

Searches in stages, the likeliest first, and stops at the first stage with results:

1. a convention, ours or a tool's, for this network;
2. the same for its namesakes (`X`, `X-paper`, `torchvision/X`) and with its own switches flipped;
3. our conventions with the total truncated instead of rounded; then with the zero of `60k` as an unknown digit;
4. other ways to count this network, and simple ones to count its namesakes;
5. for figures of two digits (operations) or three (others), conventions at other input sizes and for the family;
6. for four digits or more, other ways to count the namesakes; for an exact figure, also those of stage 5;
7. a sum of terms that were truncated before they were added.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from itertools import chain, combinations, product
from math import inf
from typing import Literal, NamedTuple

from convcalc.analysis.analyse import DTYPES, Analysis
from convcalc.analysis.counting.conventions import CONVENTIONS, MEBI, MEGA, Convention, Option
from convcalc.analysis.counting.items import Modules, Tally, Term
from convcalc.analysis.counting.rules import PARAMS, WEIGHTS
from convcalc.analysis.counting.variations import (
    NUMBER_TYPES,
    Alternative,
    Part,
    memory,
    operations,
    parameters,
)
from convcalc.analysis.related import Source, namesakes, relatives, resized, switched
from convcalc.language.quantities import Figure, figures_in

MAX_EXPLANATIONS = 6
TOOL = 0.75  # departure of a tool's convention
USUAL = 2.0  # ways to count with at most this departure are tried before other networks and sizes
SIMPLE = 1.0  # the same limit for namesakes

# How a total gives the figure: rounded, truncated, or as a sum of truncated terms.
Match = Literal["total", "cut", "terms cut"]


class Explanation(NamedTuple):
    """A way to count that gives the figure or comes near it.

    network: the one counted; changes: how it differs from the requested network ("input 3×256×256"); convention: in
    words; terms: what is counted; departures: distance from our own conventions, smaller is likelier; reading: the
    figure as read (megabytes of 10⁶ or 2²⁰); tool, version, label: the tool and its figure, "" if it is no tool's;
    match: how the total gives the figure; also: other tools with the same total.
    """

    network: str
    changes: str
    convention: str
    terms: tuple[Term, ...]
    departures: float
    reading: Figure
    tool: str = ""
    version: str = ""
    label: str = ""
    match: Match = "total"
    also: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """The sum of the terms."""
        return sum(term.sum for term in self.terms)

    @property
    def cut(self) -> bool:
        """Whether the figure is the total truncated, not rounded."""
        return self.match == "cut"

    @property
    def left_over(self) -> Fraction:
        """The figure minus the total."""
        return self.reading.value - self.total


class FigureNote(NamedTuple):
    """A note in a network's spec that mentions the figure."""

    network: str
    text: str


class Reconciliation(NamedTuple):
    """The explanations of a figure, likeliest first, or the nearest count if none gives it; and the notes that mention
    it."""

    analysis: Analysis
    figure: Figure
    found: tuple[Explanation, ...]
    nearest: Explanation | None
    notes: tuple[FigureNote, ...] = ()


def reconcile(
    analysis: Analysis, figure: Figure, arch: str, settings: Mapping[str, str] | None = None
) -> Reconciliation:
    """The explanations of a figure for a network; arch and settings: how the network was loaded."""
    own = Source(Tally(analysis.graph), "", 0.0)
    near = [own]
    found: list[Explanation] = []
    for stage in _stages(own, near, figure, arch, settings or {}):
        found = sorted(stage, key=_likelihood)
        if found:
            break
    nearest = None
    if not found:
        candidates = chain(_by_conventions(own, figure), _by_variations(own, figure, USUAL, matching=False))
        nearest = min(candidates, key=_distance, default=None)
    return Reconciliation(analysis, figure, tuple(_distinct(found)), nearest, _notes(near, figure))


def _likelihood(explanation: Explanation) -> tuple[float, Fraction]:
    return explanation.departures, abs(explanation.left_over)


def _distance(explanation: Explanation) -> float:
    """The ratio of the larger to the smaller of figure and total, plus 2 % per point of departure."""
    value, total = explanation.reading.value, explanation.total
    return float(max(value / total, total / value)) + explanation.departures / 50 if total > 0 else inf


def _stages(
    own: Source, near: list[Source], figure: Figure, arch: str, settings: Mapping[str, str]
) -> Iterator[list[Explanation]]:
    """The explanations of each stage. Appends the namesakes to `near`, which holds only this network at first."""
    yield _matching(_by_conventions(own, figure))
    near += [*namesakes(own.graph), *switched(own.graph, arch, settings)]
    counted = list(_each(near, _by_conventions, figure))
    yield _matching(counted)
    yield _cut_off(counted)
    unknown_digit = figure.without_zero()
    if unknown_digit is not None:
        yield _cut_off(_each(near, _by_conventions, unknown_digit))
    yield [*_matching(_by_other_code(own, figure)), *_by_variations(own, figure, USUAL)]
    yield [found for source in near[1:] for found in _by_variations(source, figure, SIMPLE)]
    far: list[Source] = []
    if figure.digits >= (2 if figure.unit in ("macs", "flops") else 3):
        far += [*resized(own.graph, figure, arch, settings), *relatives(own.graph)]
        yield _matching(_each(far, _by_conventions, figure))
    if figure.digits >= 4:
        yield list(_each([*near, *(far if figure.exact else ())], _by_variations, figure))
    yield list(_each(near, _by_cut_terms, figure))


def _each(
    sources: Iterable[Source], count: Callable[[Source, Figure], Iterable[Explanation]], figure: Figure
) -> Iterator[Explanation]:
    for source in sources:
        yield from count(source, figure)


def _matching(explanations: Iterable[Explanation]) -> list[Explanation]:
    """The explanations whose total rounds to the figure."""
    return [found for found in explanations if found.reading.matches(found.total)]


def _cut_off(explanations: Iterable[Explanation]) -> list[Explanation]:
    """Our own explanations, not tools', whose total gives the figure, rounded or truncated."""
    result = []
    for found in explanations:
        if not found.tool and found.reading.matches(found.total):
            result.append(found)
        elif not found.tool and found.reading.cut(found.total):
            result.append(found._replace(match="cut"))
    return result


def _distinct(found: Iterable[Explanation]) -> list[Explanation]:
    """The likely explanations: drops those that depart much further than the best and repeats of a convention, and
    merges tools with the same total into one explanation."""
    kept: list[Explanation] = []
    figures: set[tuple[str, ...]] = set()
    for explanation in found:
        if kept and explanation.departures > kept[0].departures + 1.5:
            break
        if explanation.tool:
            figure = (explanation.network, explanation.tool, explanation.version, explanation.label)
            if figure in figures:
                continue
            figures.add(figure)
        same = next((place for place, other in enumerate(kept) if other.total == explanation.total), None)
        if same is None:
            if len(kept) < MAX_EXPLANATIONS:
                kept.append(explanation)
        elif explanation.tool and explanation.tool not in (kept[same].tool, *kept[same].also):
            kept[same] = kept[same]._replace(also=(*kept[same].also, explanation.tool))
    return kept


# -- ways to count -----------------------------------------------------------------------------------------

OTHER_CODE: dict[Modules, str] = {
    "": "activations and pools as the spec names them",
    "all": "activations and pools as modules",
    "none": "activations and pools as function calls",
}


def _by_conventions(source: Source, figure: Figure) -> Iterator[Explanation]:
    """Every figure of ours and of the tools that this figure may be."""
    yield from _by_rows(source, figure, source.tally.readings[0], "")


def _by_other_code(source: Source, figure: Figure) -> Iterator[Explanation]:
    """Every figure of the tools, assuming other layers to be modules or function calls than the spec does."""
    for modules in source.tally.readings[1:]:
        for explanation in _by_rows(source, figure, modules, OTHER_CODE[modules]):
            if explanation.tool:
                yield explanation._replace(departures=explanation.departures + 0.25)


def _by_rows(source: Source, figure: Figure, modules: Modules, code: str) -> Iterator[Explanation]:
    """Every row of CONVENTIONS with every subset of its options. code: `modules` in words."""
    for convention in CONVENTIONS:
        unusual = _unusual(figure, convention)
        if unusual is None:
            continue
        label = convention.label
        if convention.tool:
            label = f'"{label}" of {convention.tool} {convention.version}'
        base = source.tally.terms(convention.rules, modules)
        for options in _subsets(convention.options):
            added = source.tally.terms([rule for option in options for rule in option.rules], modules)
            if not base or len(added) < len(options):
                continue
            unlike = sum(
                [option.holds(source.graph.name) != (option in options) for option in convention.options]
            )
            said = (label, *(option.words for option in options), code)
            for reading, words, units in _readings(figure, convention.unit):
                yield Explanation(
                    network=source.graph.name,
                    changes=source.changes,
                    convention=", ".join(filter(None, (*said, words))),
                    terms=(*base, *added),
                    departures=source.departures + unusual + 0.25 * unlike + units,
                    reading=reading,
                    tool=convention.tool,
                    version=convention.version,
                    label=convention.label if convention.tool else "",
                )


def _unusual(figure: Figure, convention: Convention) -> float | None:
    """How unusual it is to quote the convention's figure with this unit; None if it is never meant."""
    tool = TOOL if convention.tool else 0.0
    unit, quantity = figure.unit, convention.quantity
    if unit == quantity:
        return convention.departure + tool
    if unit == "any" and quantity != "bytes":
        return convention.departure + (tool or (1.0 if quantity == "flops" else 0.0))
    if unit == "flops" and quantity == "macs":
        return 0.5 + tool
    if unit == "macs" and quantity == "flops":
        return 1.0 + tool if tool else 3.0
    return None


def _readings(figure: Figure, unit: int) -> list[tuple[Figure, str, float]]:
    """The possible readings of a figure in bytes: figure, words, departure. unit: the tool's; 1 if unknown."""
    if figure.unit != "bytes" or figure.binary or figure.scale == 1:
        return [(figure, "", 0.0)]
    decimal = (figure, "", 0.0)
    binary = (figure.in_powers_of_1024(), "in units of 1,024", 0.25)
    return {MEGA: [decimal], MEBI: [(binary[0], "", 0.0)]}.get(unit, [decimal, binary])


def _subsets(options: tuple[Option, ...]) -> Iterator[tuple[Option, ...]]:
    for count in range(len(options) + 1):
        yield from combinations(options, count)


def _by_variations(
    source: Source, figure: Figure, limit: float = inf, *, matching: bool = True
) -> Iterator[Explanation]:
    """The combinations of ways to count the parts of a network with a departure of at most `limit`; matching: only
    those that give the figure."""
    readings = _readings(figure, 1)
    for parts, unusual in _ways(figure):
        for choices in product(*(_present(source.tally, part) for part in parts)):
            departures = unusual + sum([choice.departure for choice, _ in choices])
            total = sum([number for _, number in choices])
            if departures > limit or not total:
                continue
            for reading, words, units in readings:
                if matching and not reading.matches(total):
                    continue
                yield Explanation(
                    network=source.graph.name,
                    changes=source.changes,
                    convention=", ".join(filter(None, (*(choice.words for choice, _ in choices), words))),
                    terms=source.tally.terms([rule for choice, _ in choices for rule in choice.rules]),
                    departures=source.departures + departures + units,
                    reading=reading,
                )


def _ways(figure: Figure) -> list[tuple[tuple[Part, ...], float]]:
    """The counts that a figure with this unit may refer to, each with its departure."""
    ways: list[tuple[tuple[Part, ...], float]] = []
    if figure.unit in ("params", "any"):
        ways.append((parameters(), 0.0))
    if figure.unit in ("macs", "flops", "any"):
        ways.append((operations(1), 0.5 if figure.unit == "flops" else 0.0))
        ways.append((operations(2), {"flops": 0.0, "any": 1.0}.get(figure.unit, 3.0)))
    if figure.unit == "bytes":
        ways += [
            (parts, 0.0) for name, far in NUMBER_TYPES.items() for parts in memory(DTYPES[name], name, far)
        ]
    return ways


def _present(tally: Tally, part: Part) -> list[tuple[Alternative, int]]:
    """The alternatives of a part with their sums, without those that give the same sum as the usual one."""
    usual, *others = [(choice, sum(term.sum for term in tally.terms(choice.rules))) for choice in part]
    return [usual, *(other for other in others if other[1] != usual[1])]


def _by_cut_terms(source: Source, figure: Figure) -> Iterator[Explanation]:
    """Parameter counts whose sum is above the figure, but not with terms truncated to whole thousands or millions."""
    if figure.exact or figure.unit not in ("params", "any"):
        return
    for words, rules in (("weights", WEIGHTS), ("params", PARAMS)):
        numbers = [
            sum([rule.measure(item) for rule in rules if rule.takes(item)]) for item in source.tally.items()
        ]
        least = sum(map(_cut_to_units, numbers))
        if least <= figure.value < sum(numbers) and sum(number > 0 for number in numbers) > 1:
            yield Explanation(
                network=source.graph.name,
                changes=source.changes,
                convention=f"{words}, each layer's cut off before they were added",
                terms=source.tally.terms(rules),
                departures=source.departures + 1.0,
                reading=figure,
                match="terms cut",
            )
            return


def _cut_to_units(number: int) -> int:
    """The number truncated to its largest unit: 34,848 to 34,000, and 4,194,304 to 4,000,000."""
    unit = 1
    while number >= 1000 * unit:
        unit *= 1000
    return number // unit * unit


def _notes(sources: Iterable[Source], figure: Figure) -> tuple[FigureNote, ...]:
    """The notes of the networks that mention a figure."""
    return tuple(
        [
            FigureNote(source.graph.name, text)
            for source in sources
            if not source.changes
            for text in source.graph.notes
            if any(value == figure.value for value in figures_in(text))
        ]
    )
