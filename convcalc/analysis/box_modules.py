"""Modules with branches, each as one part: a residual block, an Inception module, a layer of a dense block. The rest is
a chain wherever possible, as a drawing of volumes needs it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from convcalc.analysis.box_units import MAX_DEPTH, last_readers
from convcalc.analysis.fold import FoldedRow

MAX_PARTS = 24  # of a module: more are a network of their own, such as the whole of a U-Net

Module = tuple[int, int, str]  # first and last part, path


def modules(
    parts: Sequence[FoldedRow], reads: Sequence[Sequence[int]], ends: set[int], inputs: int
) -> Iterator[Module]:
    """The modules, in order, none within another. inputs: how many the network has.

    A region lies between two places that all paths pass. Its module is the scope that all its parts are in, if that
    reads one value from outside and one of its parts is read outside; else the region itself. Within a region that is
    too large, as the whole of a U-Net, modules are scopes with one region of their own."""
    last = last_readers(reads, ends)
    paths = [part.name.split(".", MAX_DEPTH) for part in parts]
    done = -1
    for first, end in _regions(reads, last, inputs == 1):
        if first <= done:
            continue
        scope = common_segments(paths[first : end + 1])
        start, stop = _scope(paths, scope, first, end) if scope else (first, end)
        if start <= done or stop - start >= MAX_PARTS or not _has_one_entry(start, stop, reads, last):
            start, stop = first, end
        whole = 2 * (stop + 1 - start) > len(parts)
        if stop - start >= MAX_PARTS or (whole and not scope):
            yield from _scopes(paths, reads, last, max(first, done + 1), end)
            done = end
            continue
        yield start, stop, ".".join(scope) or parts[end].name
        done = stop


def _scopes(
    paths: Sequence[Sequence[str]],
    reads: Sequence[Sequence[int]],
    last: Sequence[int],
    first: int,
    end: int,
) -> Iterator[Module]:
    """Among parts first to end, the scopes with branches that are one region, the outermost of those that lie in one
    another."""
    place = first
    while place <= end:
        found = None
        for depth in range(1, len(paths[place])):
            scope = paths[place][:depth]
            if place > 0 and paths[place - 1][:depth] == scope:
                continue  # its beginning lies before this place
            _, stop = _scope(paths, scope, place, place)
            whole = 2 * (stop + 1 - place) > len(paths)
            if stop <= end and not whole and _is_module(place, stop, reads, last):
                found = place, stop, ".".join(scope)
                break
        if found is not None:
            yield found
        place = found[1] + 1 if found else place + 1


def _is_module(start: int, stop: int, reads: Sequence[Sequence[int]], last: Sequence[int]) -> bool:
    """Whether parts have branches that form one region, read one value and give one."""
    if not 1 < stop + 1 - start <= MAX_PARTS or not _has_one_entry(start, stop, reads, last):
        return False
    inner = [[max(-1, source - start) for source in reads[part]] for part in range(start, stop + 1)]
    ends = [min(reader, stop + 1) - start for reader in last[start : stop + 1]]
    return len(list(_regions(inner, ends, True))) == 1


def _regions(reads: Sequence[Sequence[int]], last: Sequence[int], single: bool) -> Iterator[tuple[int, int]]:
    """First and last part of each region of several parts: before and after it, one value is alive. single: whether
    there is a single input."""
    freed = [0] * (len(reads) + 2)  # values that are read for the last time, by their last reader
    for part, reader in enumerate(last):
        if reader > part:
            freed[reader] += 1
    reader_of_input = {source: part for part, sources in enumerate(reads) for source in sources if source < 0}
    for part in reader_of_input.values():
        freed[part] += 1
    alive = len(reader_of_input)
    start = 0
    for part in range(len(reads)):
        alive += (last[part] > part) - freed[part]
        if (alive == 1 and last[part] > part) or part == len(reads) - 1:
            if part > start and single:
                yield start, part
            start, single = part + 1, alive == 1


def _scope(paths: Sequence[Sequence[str]], scope: Sequence[str], first: int, last: int) -> tuple[int, int]:
    """The parts around first to last that are in the scope, at most MAX_PARTS on each side."""
    depth = len(scope)
    start, stop = first, last
    while start > 0 and first - start < MAX_PARTS and paths[start - 1][:depth] == scope:
        start -= 1
    while stop < len(paths) - 1 and stop - last < MAX_PARTS and paths[stop + 1][:depth] == scope:
        stop += 1
    return start, stop


def _has_one_entry(start: int, stop: int, reads: Sequence[Sequence[int]], last: Sequence[int]) -> bool:
    """Whether parts start to stop read one value from outside, and one of them is read outside."""
    entries = {source for part in range(start, stop + 1) for source in reads[part] if source < start}
    return len(entries) == 1 and sum(last[part] > stop for part in range(start, stop + 1)) == 1


def common_segments(paths: Sequence[Sequence[str]]) -> list[str]:
    """The segments that all paths begin with, the last of each left out."""
    shared = list(paths[0][:-1])
    for path in paths:
        length = min(len(shared), len(path) - 1)
        shared = shared[:length]
        while shared and list(path[: len(shared)]) != shared:
            shared.pop()
    return shared
