"""Topological sorting of names by their dependencies."""

from __future__ import annotations

from collections.abc import Collection, Mapping


def in_order(needs: Mapping[str, Collection[str]]) -> tuple[list[str], list[list[str]]]:
    """The names in dependency order, and the cycles among them.

    Members of a cycle are left out of the order; names that depend on them are ordered as if they were resolved.

    >>> in_order({"a": ["b"], "b": [], "c": ["c"]})
    (['b', 'a'], [['c']])
    """
    waiting = {name: {other for other in others if other in needs} for name, others in needs.items()}
    readers: dict[str, list[str]] = {name: [] for name in needs}
    for name, others in waiting.items():
        for other in others:
            readers[other].append(name)
    order: list[str] = []
    circles: list[list[str]] = []
    settled: set[str] = set()

    def settle(done: list[str]) -> list[str]:
        ready = []
        settled.update(done)
        for name in done:
            for reader in readers[name]:
                waiting[reader].discard(name)
                if not waiting[reader] and reader not in settled:
                    ready.append(reader)
        return ready

    ready = [name for name, others in waiting.items() if not others]
    for name in needs:
        while ready:
            order += ready
            ready = settle(ready)
        if name not in settled:
            circles.append(_circle(name, waiting))
            for member in circles[-1]:
                waiting[member].clear()  # as if resolved, so that the rest can be ordered
            ready = settle(circles[-1])
    while ready:
        order += ready
        ready = settle(ready)
    return order, circles


def _circle(start: str, waiting: Mapping[str, Collection[str]]) -> list[str]:
    """A cycle, found by following dependencies until a name repeats."""
    places: dict[str, int] = {}
    name = start
    while name not in places:
        places[name] = len(places)
        name = min(waiting[name])  # sets have no order: min makes messages reproducible
    return list(places)[places[name] :]
