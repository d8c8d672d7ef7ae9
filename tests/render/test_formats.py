"""Formats: every record has every format, on the screen, in files and in folders of files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import convcalc
from convcalc.render.formats import FORMATS, SUFFIXES, Format
from convcalc.render.table import Table


def test_no_two_formats_share_a_suffix() -> None:
    assert len(SUFFIXES) == sum(len(form.suffixes) for form in FORMATS.values())


@pytest.mark.parametrize("form", FORMATS)
def test_a_folder_of_worksheets_in_every_format(tmp_path: Path, form: str) -> None:
    convcalc.worksheet(amount=2, versions=2).save(tmp_path / "class", form)
    for folder in (tmp_path / "class", tmp_path / "class/keys"):
        suffixes = {path.suffix for path in folder.iterdir() if path.is_file()}
        assert suffixes == {FORMATS[form].suffixes[0]}


def test_a_new_format_needs_no_more_than_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def headers(table: Table) -> str:
        return ";".join(column.header for column in table.columns)

    monkeypatch.setitem(FORMATS, "headers", Format((".heads",), headers))
    assert convcalc.size("7", kernel="3").to_text("headers") == "step;formula;filled in"
    convcalc.worksheet(amount=2, versions=2).save(tmp_path / "class", "headers")
    assert {path.suffix for path in (tmp_path / "class/keys").iterdir()} == {".heads"}


def test_an_unknown_format_lists_those_there_are() -> None:
    with pytest.raises(convcalc.UsageError, match="there is no format 'docx'") as caught:
        convcalc.load("lenet5").to_text("docx")
    assert caught.value.hint == f"formats: {', '.join(FORMATS)}"
    with pytest.raises(convcalc.UsageError) as caught:
        convcalc.worksheet(amount=2).to_text("docx")
    assert set(re.findall(r"\w+", caught.value.hint or "")) == {"formats", *FORMATS, "moodle", "qti"}


def test_the_manual_describes_every_format() -> None:
    manual = Path(convcalc.__file__).parent / "docs" / "formats.md"
    described = re.findall(
        r"^\| `(\w+)` \|", manual.read_text(encoding="utf-8").partition("## JSON")[0], re.M
    )
    assert described == [*FORMATS]
