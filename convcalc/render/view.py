"""A record and how it is shown: what the functions of `convcalc` return, and what its commands print."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from convcalc.render.layout import Line, table_lines
from convcalc.render.table import PLAIN, Table, data, data_columns, plain, value_of

Record = TypeVar("Record", covariant=True)
Item = TypeVar("Item")

FORMATS = ("table", "json", "csv", "markdown", "latex", "html")
# What a file's name says of its format.
SUFFIXES = {
    ".txt": "table", ".json": "json", ".csv": "csv", ".md": "markdown", ".tex": "latex", ".html": "html",
    ".markdown": "markdown", ".htm": "html",
}  # fmt: skip


class Look(NamedTuple):
    """How a record is shown; everything is made when it is asked for.

    summary: one line. value: what JSON holds. tables: for CSV, Markdown, LaTeX, HTML and rows. lines: what a terminal
    so many columns wide shows, None for a file or a pipe; by default the tables. texts: the formats that have a text
    of their own instead of the tables'. file: the bytes of a file of that name, where the record can be saved as more
    than text; it raises UsageError for a name that it cannot write.
    """

    summary: Callable[[], str]
    value: Callable[[], Any]
    tables: Callable[[], Sequence[Table]] = tuple
    lines: Callable[[int | None], Iterable[Line]] | None = None
    texts: Mapping[str, Callable[[], str]] = {}
    file: Callable[[str], bytes] | None = None


class View(Generic[Record]):
    """A record that can show itself.

    Attributes and methods are the record's. `print` shows what the command prints, a notebook its tables;
    `to_dict()` is the command's JSON, `rows()` its CSV.
    """

    __slots__ = ("_look", "record")

    def __init__(self, record: Record, look: Look) -> None:
        self.record = record
        self._look = look

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in View.__slots__:  # before it is made, and what a copy looks for
            raise AttributeError(name)
        try:
            return getattr(self.record, name)
        except AttributeError:
            kind = type(self.record).__name__
            raise AttributeError(f"neither {type(self).__name__} nor {kind} has '{name}'") from None

    def __dir__(self) -> Iterable[str]:
        own = [*object.__dir__(self), *dir(self.record)]
        return sorted({name for name in own if not name.startswith("_") or name.startswith("__")})

    def to_dict(self) -> Any:
        """What the command prints with `--format json`, as dicts, lists, numbers and text."""
        return self._look.value()

    def rows(self) -> list[dict[str, Any]]:
        """A dict of plain numbers and texts for each row of the command's CSV, as `pandas.DataFrame` takes them; None
        for what is not known."""
        return [
            {column.key: plain(value_of(column, item)) for column in data_columns(table)}
            for table in self._look.tables()
            for item in data(table)
        ]

    def to_text(self, form: str = "table") -> str:
        """What the command prints into a file with `--format`: table, json, csv, markdown, latex or html.

        Raises UsageError for another name.
        """
        if form in self._look.texts:
            return self._look.texts[form]()
        if form == "table":
            return "".join("".join(span.text for span in line).rstrip() + "\n" for line in self.lines())
        if form == "json":
            from convcalc.render.json import dumps

            return dumps(self.to_dict())
        if form == "html":
            from convcalc.render.html import table_page

            return table_page(self._look.tables())
        if form not in PLAIN:
            from convcalc.errors import UsageError

            raise UsageError(f"there is no format '{form}'", hint=f"formats: {', '.join(FORMATS)}")
        return "".join(map(PLAIN[form], self._look.tables()))

    def lines(self, width: int | None = None) -> Iterator[Line]:
        """What a terminal so many columns wide shows; None: nothing is wrapped or left out."""
        if self._look.lines is not None:
            yield from self._look.lines(width)
            return
        for table in self._look.tables():
            yield from table_lines(table, width)

    def save(self, path: str | os.PathLike[str], form: str | None = None) -> None:
        """Write it to a file, whole or not at all, as what the name's suffix says, or as the text of another format.

        Raises UsageError for another suffix, ConvcalcError where the place cannot be written.
        """
        from convcalc.files import write_whole

        file = os.fspath(path)
        if form is not None:
            write_whole(file, self.to_text(form).encode())
            return
        make = self._text_file if self._look.file is None else self._look.file
        write_whole(file, make(file))

    def _text_file(self, path: str) -> bytes:
        suffix = os.path.splitext(path)[1].lower()
        if suffix not in SUFFIXES:
            from convcalc.errors import UsageError

            raise UsageError(
                f"{path}: cannot write {suffix or 'a file without a suffix'}",
                hint=f"use one of {', '.join(SUFFIXES)}",
            )
        return self.to_text(SUFFIXES[suffix]).encode()

    def __repr__(self) -> str:
        return f"<{self._look.summary()}>"

    def __str__(self) -> str:
        return self.to_text().removesuffix("\n")

    def _repr_html_(self) -> str:
        from convcalc.render.html import fragment

        tables = self._look.tables()
        return fragment(tables) if tables else fragment((), text=self.to_text())


class Several(View[Sequence[Item]]):
    """Records one after another: to go through, count and index."""

    __slots__ = ()

    def __iter__(self) -> Iterator[Item]:
        return iter(self.record)

    def __len__(self) -> int:
        return len(self.record)

    def __getitem__(self, place: Any) -> Any:
        return self.record[place]
