"""Groups laid side by side: entry by entry, the parts of all instances in one column.

Two patterns merge if their entries align: same operators and names in the same order. Entries that only some instances
have become optional, up to an allowance.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from convcalc.formats.spec.finish import Paths, is_indexed
from convcalc.formats.spec.parts import Body, Part, Reference

MAX_ALIGNED = 60  # entries of a list that is aligned with an unequal one


@dataclass(slots=True, eq=False)
class Column:
    """An entry of a pattern. parts: that of each instance, None where it has none.

    bodies: of its branches or of its group. starts: for each instance, the index that the entry reads, even where a
    join has a single branch. present: for each instance, whether it has the entry; such a join counts as present.
    """

    kind: str
    label: str | None
    wiring: object
    parts: list[Part | None]
    starts: list[int | None]
    present: list[bool]
    bodies: list[Row] = field(default_factory=list)

    @property
    def part(self) -> Part:
        """The part of the first instance that has one."""
        return next(part for part in self.parts if part is not None)


@dataclass(slots=True, eq=False)
class Row:
    """A list of entries of a pattern: of the group itself, of a branch, or of a group within.

    present: for each instance, whether it has the list: a branch may be missing. counted: whether entries are numbered
    without gaps, so that one may be missing.
    """

    columns: list[Column]
    present: list[bool]
    counted: bool
    body: Body

    def inner(self) -> Iterator[Column]:
        """All entries in order, outer ones first."""
        for column in self.columns:
            yield column
            for row in column.bodies:
                yield from row.inner()

    def optional(self) -> int:
        """The number of entries and branches within that an instance lacks, though it has what they are in."""
        count = 0
        for column in self.columns:
            count += lacks(column.present, self.present)
            for row in column.bodies:
                count += lacks(row.present, column.present) + row.optional()
        return count


def lacks(present: Sequence[bool], around: Sequence[bool]) -> bool:
    """Whether an instance lacks an entry or branch, though it has what that is in."""
    return any(outer and not inner for inner, outer in zip(present, around, strict=True))


@dataclass(slots=True, eq=False)
class Pattern:
    """Instances of a group with their entries aligned. missing: the number of optional entries and branches."""

    instances: list[Part]
    row: Row
    missing: int = 0

    def in_order(self) -> Pattern:
        """The pattern with its instances in the order of the network."""
        order = sorted(range(len(self.instances)), key=lambda place: self.instances[place].order)
        return Pattern([self.instances[place] for place in order], _permuted(self.row, order), self.missing)


class Patterns:
    """Makes patterns of groups. paths: of the layers, for references within a group."""

    def __init__(self, paths: Paths) -> None:
        self.paths = paths

    def stacked(self, groups: Sequence[Part]) -> Pattern:
        """The pattern of groups of the same structure."""
        bodies = [group.body for group in groups if group.body is not None]
        return Pattern(list(groups), self._row(bodies, groups))

    def _row(self, bodies: Sequence[Body], roots: Sequence[Part]) -> Row:
        first = bodies[0]
        counted = is_indexed(first) and [part.segment for part in first.parts] == [
            str(number) for number in range(len(first.parts))
        ]
        lists = zip(*(body.parts for body in bodies), strict=True)
        return Row(
            [self._column(parts, counted, roots) for parts in lists], [True] * len(bodies), counted, first
        )

    def _column(self, parts: Sequence[Part], counted: bool, roots: Sequence[Part]) -> Column:
        part = parts[0]
        label = part.segment if part.fixed and not counted else None
        if part.branches is not None and not part.named_join:
            label = None
        rows = (
            []
            if part.is_use
            else [self._row(bodies, roots) for bodies in zip(*(p.bodies() for p in parts), strict=True)]
        )
        return Column(
            part.kind,
            label,
            self.wiring(part, roots[0]),
            list(parts),
            [p.main for p in parts],
            [True] * len(parts),
            rows,
        )

    # -- structure ----------------------------------------------------------------------------------------------

    def structure(self, group: Part) -> object:
        """A value that is equal for groups whose entries, names and wiring are the same; fields may differ."""
        assert group.body is not None
        return self._body_structure(group.body, group)

    def _body_structure(self, body: Body, root: Part) -> object:
        indexed = is_indexed(body)
        return (indexed, tuple([self._part_structure(part, root, indexed) for part in body.parts]))

    def _part_structure(self, part: Part, root: Part, indexed: bool) -> object:
        label = part.segment if part.fixed else None
        if part.branches is not None and not part.named_join:
            label = None
        inner = () if part.is_use else tuple([self._body_structure(body, root) for body in part.bodies()])
        return (part.kind, label, self.wiring(part, root), inner)

    def wiring(self, part: Part, root: Part) -> object:
        """What must be equal of an entry besides its kind and name: references within the group, keys, copies."""
        origin = tuple(
            [self._token(source.index, root) for source in part.origin if isinstance(source, Reference)]
        )
        named = tuple(
            [
                (name, self._token(value.index, root))
                for name, value in part.fields.items()
                if isinstance(value, Reference)
            ]
        )
        share = None if part.share is None and part.twin is None else self._share(part, root)
        first = tuple(sorted(part.first))
        return (
            origin, named, share, tuple(part.keys.items()), part.repeat is not None, part.copies, first,
            part.branches is None, part.named_join,
        )  # fmt: skip

    def _token(self, index: int, root: Part) -> str:
        """A layer as seen from within a group: its path there, or `outside`."""
        if index not in root.inner:
            return "outside"
        assert root.body is not None
        return self.paths.of[index].removeprefix(root.body.path)

    def _share(self, part: Part, root: Part) -> object:
        """The layer whose weights an entry shares. One outside makes the group unlike any other."""
        if part.share is not None and part.share in root.inner:
            return self._token(part.share, root)
        if part.twin is not None and root.body is not None and part.twin.startswith(f"{root.body.path}."):
            return part.twin.removeprefix(root.body.path)
        return id(part)

    # -- merging ------------------------------------------------------------------------------------------------

    def merge(self, pattern: Pattern, other: Pattern, allowance: int) -> Pattern | None:
        """A pattern of the instances of both, with at most so many optional entries; None if they do not fit."""
        merged = _merged(pattern.row, other.row, allowance)
        if merged is None:
            return None
        missing = merged.optional()
        if missing > allowance:
            return None
        return Pattern([*pattern.instances, *other.instances], merged, missing)


def _merged(row: Row, other: Row, allowance: int) -> Row | None:
    """Two lists aligned; None if they do not fit."""
    if row.counted != other.counted and row.columns and other.columns:
        return None
    pairs = _aligned(row.columns, other.columns, allowance)
    if pairs is None and allowance:
        pairs = _as_join(row, other, allowance)
    if pairs is None:
        return None
    count, others = len(row.present), len(other.present)
    columns = [_joined(first, second, merged, count, others) for first, second, merged in pairs]
    longer = row if len(row.columns) >= len(other.columns) else other
    return Row(columns, [*row.present, *other.present], longer.counted, longer.body)


def _aligned(columns: Sequence[Column], others: Sequence[Column], allowance: int) -> list[Pair] | None:
    """The best alignment of two lists of entries."""
    if len(columns) == len(others):
        straight: list[Pair] = []
        for first, second in zip(columns, others, strict=True):
            found = _pair(first, second, allowance)
            if found is None:
                break
            straight.append((first, second, found))
        if len(straight) == len(columns):
            return straight
    if not allowance or abs(len(columns) - len(others)) > allowance:
        return None
    return _longest(columns, others, allowance) if max(len(columns), len(others)) <= MAX_ALIGNED else None


def _longest(columns: Sequence[Column], others: Sequence[Column], allowance: int) -> list[Pair] | None:
    """Alignment by the heaviest common subsequence: a pair weighs 1, and its share of equal fields."""
    fits: dict[tuple[int, int], tuple[list[Row], float]] = {}
    for i, first in enumerate(columns):
        for j, second in enumerate(others):
            if abs(i - j) <= allowance and (found := _pair(first, second, allowance)) is not None:
                fits[i, j] = (found, 1 + _likeness(first.part, second.part))
    rows, width = len(columns), len(others)
    best = [[0.0] * (width + 1) for _ in range(rows + 1)]
    for i in range(rows - 1, -1, -1):
        for j in range(width - 1, -1, -1):
            best[i][j] = max(best[i + 1][j], best[i][j + 1])
            if (i, j) in fits:
                best[i][j] = max(best[i][j], best[i + 1][j + 1] + fits[i, j][1])
    pairs: list[Pair] = []
    i = j = 0
    while i < rows or j < width:
        taken = fits.get((i, j))
        if taken is not None and best[i][j] == best[i + 1][j + 1] + taken[1]:
            pairs.append((columns[i], others[j], taken[0]))
            i, j = i + 1, j + 1
        elif j == width or (i < rows and best[i][j] == best[i + 1][j]):
            pairs.append((columns[i], None, []))
            i += 1
        else:
            pairs.append((None, others[j], []))
            j += 1
    shared = sum(first is not None and second is not None for first, second, _ in pairs)
    alone = len(pairs) - shared
    # an empty list is the identity branch beside a projection; otherwise half of the entries are common
    if alone > allowance or (alone > shared and rows and width):
        return None
    return pairs


def _pair(column: Column, other: Column, allowance: int) -> list[Row] | None:
    """The merged bodies of two entries; None if the entries differ."""
    if (column.kind, column.label, column.wiring) != (other.kind, other.label, other.wiring):
        return None
    if len(column.bodies) != len(other.bodies):
        return None
    rows = []
    for body, other_body in zip(column.bodies, other.bodies, strict=True):
        merged = _merged(body, other_body, allowance)
        if merged is None:
            return None
        rows.append(merged)
    return rows


def _as_join(row: Row, other: Row, allowance: int) -> list[Pair] | None:
    """A list with a join that has an identity branch, aligned with one that lacks join and identity."""
    found = _beside_join(row, other, allowance)
    if found is not None:
        return found
    found = _beside_join(other, row, allowance)
    if found is None:
        return None
    count, others = len(row.present), len(other.present)
    order = [*range(others, others + count), *range(others)]
    return [(second, first, [_permuted(inner, order) for inner in rows]) for first, second, rows in found]


def _beside_join(row: Row, other: Row, allowance: int) -> list[Pair] | None:
    """The alignment of a list that has the join with one that lacks it: the other's entries become its branch."""
    places = [place for place, column in enumerate(row.columns) if _has_identity(column)]
    if len(places) != 1:
        return None
    place = places[0]
    join = row.columns[place]
    after = len(row.columns) - place - 1
    middle = other.columns[place : len(other.columns) - after]
    if not middle or any(column.kind == join.kind for column in middle):
        return None
    count = len(other.present)
    own = Row(middle, list(other.present), False, other.body)
    absent = Row([], [False] * count, False, other.body)
    bodies = [own if body.columns else absent for body in join.bodies]
    stand_in = Column(
        join.kind, None, join.wiring, [None] * count, list(middle[0].starts), list(other.present), bodies
    )
    columns = [*other.columns[:place], stand_in, *other.columns[len(other.columns) - after :]]
    pairs: list[Pair] = []
    for first, second in zip(row.columns, columns, strict=True):
        rows = _pair(first, second, allowance)
        if rows is None:
            return None
        pairs.append((first, second, rows))
    return pairs


def _has_identity(column: Column) -> bool:
    """Whether an entry is a join of an identity branch and another one."""
    return (
        column.part.branches is not None
        and not column.part.named_join
        and len(column.bodies) == 2
        and sum(not body.columns for body in column.bodies) == 1
    )


# An entry of one list, its counterpart in the other, and the merged bodies of both.
Pair = tuple[Column | None, Column | None, list[Row]]


def _permuted(row: Row, order: Sequence[int]) -> Row:
    """A list with its instances in another order."""
    columns = [
        replace(
            column,
            parts=[column.parts[place] for place in order],
            starts=[column.starts[place] for place in order],
            present=[column.present[place] for place in order],
            bodies=[_permuted(inner, order) for inner in column.bodies],
        )
        for column in row.columns
    ]
    return replace(row, columns=columns, present=[row.present[place] for place in order])


def _joined(
    first: Column | None, second: Column | None, bodies: list[Row], count: int, others: int
) -> Column:
    """Two aligned entries as one; one of them may be None, and then the entry is optional."""
    if first is None or second is None:
        only = first or second
        assert only is not None
        before, after = (0, others) if second is None else (count, 0)
        return Column(
            only.kind,
            only.label,
            only.wiring,
            [None] * before + only.parts + [None] * after,
            [None] * before + only.starts + [None] * after,
            [False] * before + only.present + [False] * after,
            [_padded(row, before, after) for row in only.bodies],
        )
    return Column(
        first.kind,
        first.label,
        first.wiring,
        first.parts + second.parts,
        first.starts + second.starts,
        first.present + second.present,
        bodies,
    )


def _padded(row: Row, before: int, after: int) -> Row:
    """A list with instances before and after that do not have it."""
    columns = [
        Column(
            column.kind,
            column.label,
            column.wiring,
            [None] * before + column.parts + [None] * after,
            [None] * before + column.starts + [None] * after,
            [False] * before + column.present + [False] * after,
            [_padded(inner, before, after) for inner in column.bodies],
        )
        for column in row.columns
    ]
    return Row(columns, [False] * before + row.present + [False] * after, row.counted, row.body)


def _likeness(part: Part, other: Part) -> float:
    """The share of fields that two parts, and the parts in them, have in common with equal values."""
    alike, count = _alike(part, other)
    return alike / (count or 1)


def _alike(part: Part, other: Part) -> tuple[int, int]:
    """The number of fields with equal values, and of all fields."""
    names = part.fields.keys() | other.fields.keys()
    alike = sum(bool(part.fields.get(name) == other.fields.get(name)) for name in names)
    count = len(names)
    for body, other_body in zip(part.lists(), other.lists(), strict=False):
        for inner, other_inner in zip(body.parts, other_body.parts, strict=False):
            more = _alike(inner, other_inner)
            alike, count = alike + more[0], count + more[1]
    return alike, count
