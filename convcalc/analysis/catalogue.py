"""The bundled networks with their figures, read from a file beside the specs: counting all of them takes seconds.

`python -m pytest tests/analysis/test_catalogue.py --update-golden` regenerates the file; without the option, the
same test checks it against the specs. A spec that is missing from the file is counted on the spot.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from convcalc.errors import UsageError, did_you_mean
from convcalc.language import bundled
from convcalc.language.tasks import TASKS
from convcalc.shapes import Shape

if TYPE_CHECKING:
    from convcalc.graph import Graph

FILE = "catalogue.csv"
ORDERS = ("lecture", "name", "params", "macs", "layers", "memory")
# In the lecture's order, each next to the published network that it is a version of.
LECTURE = (
    "lenet5", "lenet5-paper", "alexnet", "alexnet-paper", "zfnet", "zfnet-paper", "vgg11", "vgg13", "vgg16", "vgg19",
    "inception-naive", "inception-module", "googlenet", "resnet18", "resnet34", "resnet50", "resnet101", "resnet152",
)  # fmt: skip


class CatalogueEntry(NamedTuple):
    """A bundled network: its spec's metadata, and its figures for one image as float32.

    extends: the specs it extends, nearest first. input: (C, *spatial). peak_activation_bytes: the most bytes of
    activations alive at once. task: what the network is for; classes: how many, None if it is not a classifier.
    """

    name: str
    extends: tuple[str, ...]
    title: str | None
    source: str | None
    input: Shape
    layers: int
    params: int
    macs: int
    peak_activation_bytes: int
    task: str | None
    classes: int | None


def entries() -> list[CatalogueEntry]:
    """Every bundled network: the lecture's first, then the others by task, family and size."""
    known = read(os.path.join(bundled.directory(), FILE))
    names = [name for name in bundled.names() if name in known or not bundled.is_family(name)]
    found = [known[name] if name in known else counted(name) for name in names]
    return in_order([entry for entry in found if entry is not None])


def find(
    pattern: str | None = None,
    *,
    sort: str = "lecture",
    reverse: bool = False,
    max_params: int | None = None,
    max_macs: int | None = None,
    family: str | None = None,
    task: str | None = None,
) -> list[CatalogueEntry]:
    """The bundled networks whose name contains `pattern`, or matches it if it has * or ?, sorted by one of ORDERS.

    max_params, max_macs: upper limits; family: only networks that extend this one; task: only networks for it.
    Raises UsageError if no network is left, and for an unknown order, family or task.
    """
    if task is not None and task not in TASKS:
        raise UsageError(f"no task '{task}'{did_you_mean(task, TASKS)}", hint=f"tasks: {', '.join(TASKS)}")
    if sort not in ORDERS:
        raise UsageError(
            f"no order '{sort}'{did_you_mean(sort, ORDERS)}", hint=f"orders: {', '.join(ORDERS)}"
        )
    from convcalc.language.synonyms import suggest_network

    every = entries()
    found = [entry for entry in every if pattern is None or _matches(entry.name, pattern)]
    if not found:
        raise UsageError(
            f"no architecture matches '{pattern}'{suggest_network(pattern or '', [entry.name for entry in every])}",
            hint="'convcalc list' shows all of them",
        )
    if family is not None:
        wanted = _family(every, family)
        found = [entry for entry in found if wanted & {entry.name, *entry.extends}]
    if task is not None:
        found = [entry for entry in found if entry.task == task]
        if not found:
            raise UsageError(
                f"none of these networks is for {task}",
                hint=f"'convcalc list --task {task}' shows those that are",
            )
    found = [
        entry
        for entry in found
        if (max_params is None or entry.params <= max_params) and (max_macs is None or entry.macs <= max_macs)
    ]
    if not found:
        raise UsageError("no architecture is that small", hint="raise --max-params or --max-macs")
    if sort != "lecture":
        found.sort(key=attrgetter("peak_activation_bytes" if sort == "memory" else sort))
    return found[::-1] if reverse else found


def _family(every: Sequence[CatalogueEntry], family: str) -> set[str]:
    """The specs that a family's name, with or without its folder, refers to. Raises UsageError if there are none."""
    from convcalc.language.synonyms import suggest_network

    known = bundled.names()
    wanted = {name for name in known if name == family or name.rsplit("/", 1)[-1] == family}
    if not wanted:
        families = sorted(set(known) - {entry.name for entry in every})
        raise UsageError(
            f"no family '{family}'{suggest_network(family, known)}", hint=f"families: {', '.join(families)}"
        )
    return wanted


def _matches(name: str, pattern: str) -> bool:
    if any(sign in pattern for sign in "*?["):
        from fnmatch import fnmatchcase

        return fnmatchcase(name, pattern)
    return pattern.lower() in name.lower()


def in_order(entries: Sequence[CatalogueEntry]) -> list[CatalogueEntry]:
    """Sorted: the lecture's networks in its order, then by task; in each those outside folders first, members of a
    family next to each other, the smallest first."""
    lecture = {name: place for place, name in enumerate(LECTURE)}
    tasks = {task: place for place, task in enumerate(TASKS)}

    def place(entry: CatalogueEntry) -> tuple[int, int, bool, str, int]:
        family = entry.extends[0] if entry.extends else entry.name
        task = len(TASKS) if entry.task is None else tasks[entry.task]
        if entry.name in lecture:
            return (lecture[entry.name], 0, False, "", 0)
        return (len(lecture), task, "/" in entry.name, family, entry.params)

    return sorted(entries, key=place)


def groups(entries: Sequence[CatalogueEntry]) -> list[tuple[str | None, Sequence[CatalogueEntry]]]:
    """Runs of entries in the order of `in_order` that belong together, each with its task; None: of the lecture."""
    found: list[tuple[str | None, list[CatalogueEntry]]] = []
    for entry in entries:
        task = None if entry.name in LECTURE else entry.task or ""
        if not found or found[-1][0] != task:
            found.append((task, []))
        found[-1][1].append(entry)
    return [(task, members) for task, members in found]


def counted(name: str) -> CatalogueEntry:
    """The entry of a bundled network, computed from its spec."""
    from convcalc.analysis.analyse import analyse
    from convcalc.language.load import load_graph

    graph: Graph = load_graph(name)
    totals = analyse(graph).totals
    return CatalogueEntry(
        name=name,
        extends=tuple(bundled.ancestry(name)[1:]),
        title=graph.title,
        source=graph.source,
        input=graph.input_shape,
        layers=totals.layers,
        params=totals.params,
        macs=totals.macs,
        peak_activation_bytes=totals.peak_activation_bytes,
        task=graph.task,
        classes=graph.variables.get("classes"),
    )


def read(path: str) -> dict[str, CatalogueEntry | None]:
    """The entries of a catalogue file by name, None for a family; empty if the file does not exist."""
    import csv

    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8", newline="") as stream:
        return {row["name"]: _entry(row) for row in csv.DictReader(stream)}


def _entry(row: dict[str, str]) -> CatalogueEntry | None:
    if not row["layers"]:
        return None
    return CatalogueEntry(
        name=row["name"],
        extends=tuple(row["extends"].split()),
        title=row["title"] or None,
        source=row["source"] or None,
        input=tuple(map(int, row["input"].split("x"))),
        layers=int(row["layers"]),
        params=int(row["params"]),
        macs=int(row["macs"]),
        peak_activation_bytes=int(row["peak_activation_bytes"]),
        task=row["task"] or None,
        classes=int(row["classes"]) if row["classes"] else None,
    )


def to_csv(entries: Sequence[CatalogueEntry], families: Sequence[str]) -> str:
    """The text of the catalogue file: a line per network, then a line with only the name per family."""
    import csv
    import io

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CatalogueEntry._fields)
    for entry in sorted(entries):
        cells = {"extends": " ".join(entry.extends), "input": "x".join(map(str, entry.input))}
        writer.writerow([cells.get(key, value) for key, value in entry._asdict().items()])
    writer.writerows([family, *[""] * (len(CatalogueEntry._fields) - 1)] for family in families)
    return out.getvalue()
