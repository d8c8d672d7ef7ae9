"""Views: records that can show themselves. The functions of `convcalc` return them, its commands print them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from convcalc.render.formats import FORMATS, SUFFIXES
from convcalc.render.layout import Line, table_lines
from convcalc.render.table import Table, data, data_columns, plain, value_of

Record = TypeVar("Record", covariant=True)
Item = TypeVar("Item")


class Look(NamedTuple):
    """How a record is shown. Everything is computed on demand.

    summary: one line. value: the JSON value. tables: for CSV, Markdown, LaTeX, HTML and rows. lines: the terminal
    output at a width in columns, None for a file or a pipe; by default the tables. texts: formats that have their
    own text instead of the tables'. file: the bytes of a file of a given name, if the record can be saved as more
    than text; raises UsageError for other names.
    """

    summary: Callable[[], str]
    value: Callable[[], Any]
    tables: Callable[[], Sequence[Table]] = tuple
    lines: Callable[[int | None], Iterable[Line]] | None = None
    texts: Mapping[str, Callable[[], str]] = {}
    file: Callable[[str], bytes] | None = None


class View(Generic[Record]):
    """A record that can show itself.

    It has the record's attributes and methods. `print` shows the command's output, a notebook its tables;
    `to_dict()` is the command's JSON, `rows()` its CSV.
    """

    __slots__ = ("_look", "record")

    def __init__(self, record: Record, look: Look) -> None:
        self.record = record
        self._look = look

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in View.__slots__:  # during construction, and while being copied
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
        """The command's `--format json` as dicts, lists, numbers and text."""
        return self._look.value()

    def rows(self) -> list[dict[str, Any]]:
        """One dict per row of the command's CSV, with numbers and texts as `pandas.DataFrame` takes them; None for
        unknown values."""
        return [
            {column.key: plain(value_of(column, item)) for column in data_columns(table)}
            for table in self._look.tables()
            for item in data(table)
        ]

    def to_text(self, form: str = "table") -> str:
        """The command's output in a format of `render.formats`, or one of the record's own.

        Raises UsageError for any other format, and lists them.
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
        text = FORMATS[form].text if form in FORMATS else None
        if text is None:
            from convcalc.errors import UsageError

            raise UsageError(
                f"there is no format '{form}'", hint=f"formats: {', '.join({**FORMATS, **self._look.texts})}"
            )
        return "".join(map(text, self._look.tables()))

    def lines(self, width: int | None = None) -> Iterator[Line]:
        """The terminal output at a width in columns. None: nothing is wrapped or dropped."""
        if self._look.lines is not None:
            yield from self._look.lines(width)
            return
        for table in self._look.tables():
            yield from table_lines(table, width)

    def save(self, path: str | os.PathLike[str], form: str | None = None) -> None:
        """Write the view to a file atomically, in the format of the file's suffix, or as text in the given format.

        Raises UsageError for an unknown suffix, ConvcalcError if the file cannot be written.
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


class FolderView(View[Record]):
    """Records that are saved as the files of a folder. files: for a format, bytes by their path in the folder."""

    __slots__ = ("_files",)

    def __init__(self, record: Record, look: Look, files: Callable[[str], Mapping[str, bytes]]) -> None:
        super().__init__(record, look)
        self._files = files

    def save(self, path: str | os.PathLike[str], form: str | None = None) -> None:
        """Write the files into a folder that is made if it is missing.

        form: of the files, csv by default. Raises ConvcalcError where the folder holds anything or cannot be written.
        """
        from convcalc.files import check_folder, write_folder

        check_folder(os.fspath(path))
        write_folder(os.fspath(path), self._files(form or "csv"))


class Several(View[Sequence[Item]]):
    """A sequence of records: iterable, with length and index."""

    __slots__ = ()

    def __iter__(self) -> Iterator[Item]:
        return iter(self.record)

    def __len__(self) -> int:
        return len(self.record)

    def __getitem__(self, place: Any) -> Any:
        return self.record[place]
