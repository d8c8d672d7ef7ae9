"""Reading filled-in worksheets: the rows of a CSV or JSON file, and the exercise that each row answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from convcalc.analysis.analyse import Analysis
from convcalc.errors import ConvcalcError, clean, did_you_mean
from convcalc.exercises.question import Question
from convcalc.exercises.question_sheets import TOPICS, find_question
from convcalc.exercises.worksheet import ASKS, Exercise, find
from convcalc.files import with_folders
from convcalc.language.synonyms import suggest

MAX_BYTES = 2_000_000  # of a file
MAX_ENTRIES = 20_000  # of a file; a sheet of all that can be asked of DenseNet-201 has 4,242


class FilledRow(NamedTuple):
    """One row of a filled-in file. line: its line number, for errors; person: the sheet's author."""

    line: int
    name: str
    network: str
    layer: str
    given_input: str
    asks: str
    answer: str
    person: str = ""


def read_entries(path: str, text: str | None = None) -> list[FilledRow]:
    """The answers in a CSV or JSON file made by `convcalc worksheet`, or in such a text. Raises ConvcalcError."""
    data = _read(path) if text is None else text.encode()
    if len(data) > MAX_BYTES:
        raise ConvcalcError(f"{path}: more than {MAX_BYTES:,} bytes are too many for a worksheet")
    try:
        written = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConvcalcError(
            f"{path}: not a text in UTF-8", hint="save it as CSV UTF-8 (or JSON) and try again"
        ) from None
    rows = _json_rows(path, written) if written.lstrip().startswith(("{", "[")) else _csv_rows(path, written)
    if not rows:
        raise ConvcalcError(f"{path}: holds no exercises", hint=_HOW)
    if len(rows) > MAX_ENTRIES:
        raise ConvcalcError(f"{path}: more than {MAX_ENTRIES:,} exercises are too many for a worksheet")
    return rows


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConvcalcError(f"{path}: cannot be read: {error.strerror or error}") from None


_HOW = "make the sheet with: convcalc worksheet ... --format csv (or json), and fill in its answers"
KEYS = ("exercise", "network", "layer", "input", "asks", "answer", "name")
SUFFIXES = (".csv", ".json")


def _csv_rows(path: str, text: str) -> list[FilledRow]:
    import csv

    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    try:
        reader = csv.reader(text.splitlines(), delimiter=delimiter, strict=True)
        header = [cell.strip().lower() for cell in next(reader, [])]
        rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise ConvcalcError(f"{path}: cannot be read as CSV: {error}", hint=_HOW) from None
    _check_keys(path, header)
    places = {key: header.index(key) for key in KEYS if key in header}
    return [
        _entry(line, {key: row[place] if place < len(row) else "" for key, place in places.items()})
        for line, row in rows
    ]


def _json_rows(path: str, text: str) -> list[FilledRow]:
    import json

    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConvcalcError(f"{path}: cannot be read as JSON: {error}", hint=_HOW) from None
    items = value.get("exercises") if isinstance(value, dict) else value
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ConvcalcError(f"{path}: needs a list of exercises", hint=_HOW)
    for item in items:
        _check_keys(path, list(item))
    if isinstance(value, dict) and value.get("name"):
        items = [{"name": value["name"], **item} for item in items]
    return [_entry(number, item) for number, item in enumerate(items, 1)]


def _check_keys(path: str, keys: Sequence[str]) -> None:
    missing = [key for key in ("exercise", "asks", "answer") if key not in keys]
    if missing:
        raise ConvcalcError(f"{path}: has no column '{missing[0]}'", hint=_HOW)


def _entry(line: int, item: Mapping[str, Any]) -> FilledRow:
    def text(key: str) -> str:
        value = item.get(key)
        if value is None:
            return ""
        return clean("x".join(map(_written, value)) if isinstance(value, list) else _written(value))

    return FilledRow(
        line,
        text("exercise"),
        text("network"),
        text("layer"),
        text("input"),
        text("asks").lower(),
        text("answer").lstrip("="),
        text("name"),
    )


def _written(value: object) -> str:
    """A JSON value as text; whole floats without `.0`."""
    return str(int(value) if isinstance(value, float) and value.is_integer() else value).strip()


def sheet_files(paths: Sequence[str]) -> list[str]:
    """The paths with each folder replaced by the CSV and JSON files in it. Raises ConvcalcError for a folder
    without any."""
    return with_folders(
        paths,
        SUFFIXES,
        lambda folder: ConvcalcError(
            f"{folder}: no worksheets in this folder", hint=f"looked for {' and '.join(SUFFIXES)}"
        ),
    )


def exercises(
    path: str, entries: Sequence[FilledRow], network: Callable[[str], Analysis]
) -> Iterator[tuple[Exercise | Question, str]]:
    """The exercise that each entry answers, and the answer. network: returns a network's analysis for the name in
    the file.

    Raises ConvcalcError for an entry that matches no exercise.
    """
    for entry in entries:
        where = f"{path}: row {entry.line}"
        question = None if entry.network else find_question(entry.name)
        if question is not None:
            yield question, entry.answer
            continue
        known = tuple(ASKS) if entry.network else tuple(dict.fromkeys((*ASKS, *TOPICS)))
        if entry.asks not in known:
            raise ConvcalcError(
                f"{where}: asks for '{entry.asks}', which is nothing a worksheet asks"
                f"{suggest(entry.asks, known, 'column')}",
                hint=f"one of {', '.join(known)}",
            )
        if entry.network:
            exercise: Exercise | None = _of_network(where, entry, network)
        else:
            exercise = find(entry.name, entry.asks) if entry.asks in ASKS else None
        if exercise is None:
            raise ConvcalcError(
                f"{where}: there is no exercise '{entry.name}'",
                hint="layers are named like 2.7.3 (level.seed.number), questions like field.2.7.3",
            )
        yield exercise, entry.answer


def _of_network(where: str, entry: FilledRow, network: Callable[[str], Analysis]) -> Exercise:
    analysis = network(entry.network)
    names = {node.name: node for node in analysis.graph}
    node = names.get(entry.layer)
    if node is None:
        raise ConvcalcError(
            f"{where}: {analysis.graph.name} has no layer '{entry.layer}'{did_you_mean(entry.layer, names)}",
            hint="was the sheet made from another network, or with another --set?",
        )
    shape = "x".join(map(str, node.input_shapes[0]))
    if entry.given_input and entry.given_input != shape:
        raise ConvcalcError(
            f"{where}: the sheet's {entry.layer} reads {entry.given_input}, here it reads {shape}",
            hint="give the --input and --set that the sheet was made with",
        )
    if entry.asks == "field" and analysis.layers[node.index].receptive_field is None:
        raise ConvcalcError(f"{where}: {entry.layer} has no receptive field to ask for")
    return Exercise(entry.name, analysis.graph.name, analysis, node, entry.asks)
