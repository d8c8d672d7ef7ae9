"""`tests/bad/*.yaml`: every mistake is reported on its line, in the words of its comment, and nothing else is.

A line's `# error: text` is part of the message; several on one line are separated by ` | `.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from convcalc.errors import SpecError, SpecErrors
from convcalc.language.load import load_graph

FOLDER = Path(__file__).parent.parent / "bad"
FILES = sorted(FOLDER.glob("*.yaml"))


def expected(path: Path) -> list[tuple[int, str]]:
    """Line and text of every error the comments announce."""
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        _, marker, texts = line.partition("# error: ")
        if marker:
            found += [(number, text) for text in texts.split(" | ")]
    return found


def test_there_are_bad_specs():
    assert len(FILES) > 50


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_bad_spec(path, monkeypatch):
    monkeypatch.chdir(FOLDER)
    with pytest.raises(SpecError) as caught:
        load_graph(path.name)
    errors = list(caught.value.errors) if isinstance(caught.value, SpecErrors) else [caught.value]
    left = expected(path)
    assert left, "the file announces no error"
    for error in errors:
        match = next((e for e in left if e[0] == error.mark.line and e[1] in error.message), None)
        assert match, f"not announced: {error}"
        left.remove(match)
        place = error.mark.text[error.mark.column - 1 :]
        assert place.strip(), f"the mark points behind the line: {error}"
        assert not place[0].isspace() or "a tab" in error.message, f"the mark points to a space: {error}"
        assert error.mark.column <= error.mark.text.find("# error:") + 1, (
            f"the mark points to the comment: {error}"
        )
        assert error.mark.length <= len(place)
        assert str(error).startswith(f"{path.name}:{error.mark.line}:{error.mark.column}: ")
    assert not left, "announced and not reported"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_hint_says_something_else(path, monkeypatch):
    monkeypatch.chdir(FOLDER)
    with pytest.raises(SpecError) as caught:
        load_graph(path.name)
    for error in getattr(caught.value, "errors", [caught.value]):
        assert (
            error.message[0].islower()
            or not error.message[0].isalpha()
            or error.message[:4] in ("True", "None")
        )
        assert not error.message.endswith(".")
        assert error.hint is None or (error.hint and error.hint not in error.message)
