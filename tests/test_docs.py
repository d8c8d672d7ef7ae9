"""The README and the manual tell the truth: their commands are run and the output compared, their Python and YAML too.

A `console` block holds commands after `$ ` and what they print; `… ms` stands for any time. After a change that
is meant: python -m pytest tests/test_docs.py --update-docs, and read the diff.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from convcalc import ops
from convcalc.manual.operator_page import contents, field_index, operator_page

ROOT = Path(__file__).parent.parent
MANUAL = ROOT / "convcalc" / "docs"
PAGES = [ROOT / "README.md", *sorted(MANUAL.rglob("*.md"))]
ANY_TIME = "… ms"
TIME = re.compile(r"[0-9.]+ m?s$", re.MULTILINE)
BLOCK = re.compile(r"^```console\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^\$ (?P<command>.*)\n(?P<output>(?:(?!\$ ).*\n)*)", re.MULTILINE)


class Shown(NamedTuple):
    """A command in a page: what it is, what should follow, and where in the page that stands."""

    command: str
    output: str
    start: int
    end: int


def shown_commands(page: Path) -> list[Shown]:
    """The commands that a page shows, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Shown(found["command"], found["output"], *found.span("output"))
        for block in BLOCK.finditer(text)
        for found in COMMAND.finditer(text, *block.span("text"))
    ]


def name_of(page: Path) -> str:
    return page.relative_to(MANUAL).as_posix() if MANUAL in page.parents else page.name


CASES = [
    pytest.param(page, number, id=f"{name_of(page)}:{shown.command}")
    for page in PAGES
    for number, shown in enumerate(shown_commands(page))
]


def run(command: str, convcalc) -> str:
    words = shlex.split(command)
    assert words[0] == "convcalc", "console blocks run convcalc and nothing else"
    done = convcalc(*words[1:])
    return done.stdout + done.stderr


def outputs_left_out(text: str) -> str:
    """The page with its commands alone, without what they print."""
    return BLOCK.sub(
        lambda block: (
            "```console\n"
            + "".join(f"$ {line[2:]}\n" for line in block["text"].splitlines() if line.startswith("$ "))
            + "```"
        ),
        text,
    )


def outputs_filled(text: str, convcalc) -> str:
    """The page with what its commands print now."""
    return BLOCK.sub(
        lambda block: (
            "```console\n"
            + "".join(
                f"$ {found['command']}\n{run(found['command'], convcalc)}"
                for found in COMMAND.finditer(block["text"])
            )
            + "```"
        ),
        text,
    )


@pytest.mark.parametrize("kind", ops.names())
def test_an_operators_page_is_what_its_fields_and_docstrings_say(
    kind: str, convcalc, request: pytest.FixtureRequest
) -> None:
    page = MANUAL / "operators" / f"{kind}.md"
    made = operator_page(kind)
    if request.config.getoption("--update-docs"):
        if not page.exists() or outputs_left_out(page.read_text(encoding="utf-8")) != made:
            page.write_text(outputs_filled(made, convcalc), encoding="utf-8")
        return
    assert page.exists(), f"no page of {kind}: run with --update-docs"
    assert outputs_left_out(page.read_text(encoding="utf-8")) == made


def test_no_page_of_an_operator_there_is_not(request: pytest.FixtureRequest) -> None:
    orphans = {path for path in (MANUAL / "operators").glob("*.md") if path.stem not in ops.names()}
    if request.config.getoption("--update-docs"):
        for path in orphans:
            path.unlink()
    else:
        assert orphans == set()


@pytest.mark.parametrize(
    ("file", "heading", "make"),
    [("index.md", "## Operators", contents), ("language.md", "## Index of fields", field_index)],
    ids=["contents", "fields"],
)
def test_what_lists_the_operators_lists_them_all(
    file: str, heading: str, make: Callable[[], str], request: pytest.FixtureRequest
) -> None:
    """The end of a page, from a heading on, is made from the operators."""
    page = MANUAL / file
    text = page.read_text(encoding="utf-8")
    before, found, after = text.partition(f"\n{heading}\n\n")
    assert found, f"{file} has no '{heading}'"
    if request.config.getoption("--update-docs"):
        if after != make():
            page.write_text(before + found + make(), encoding="utf-8")
        return
    assert after == make()


@pytest.mark.parametrize(("page", "number"), CASES)
def test_shown_output_is_what_is_printed(
    page: Path, number: int, convcalc, request: pytest.FixtureRequest
) -> None:
    updating = request.config.getoption("--update-docs")
    shown_now = shown_commands(page) if page.exists() else []
    if updating and number >= len(shown_now):  # the page was just made anew
        return
    shown = shown_now[number]
    output = run(shown.command, convcalc)
    if updating:
        if ANY_TIME in shown.output:
            output = TIME.sub(ANY_TIME, output)
        if output != shown.output:
            text = page.read_text(encoding="utf-8")
            page.write_text(text[: shown.start] + output + text[shown.end :], encoding="utf-8")
        return
    pattern = re.escape(shown.output).replace(re.escape(ANY_TIME), r"[0-9.]+ m?s")
    assert re.fullmatch(pattern, output), f"$ {shown.command}\n{output}"


def blocks(page: Path, language: str) -> list[str]:
    """The blocks of a language in a page."""
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def every_block(language: str) -> list[pytest.ParameterSet]:
    """(page, number) of all pages' blocks of a language; read when the test runs, for pages may be made anew."""
    return [
        pytest.param(page, number, id=f"{name_of(page)}:{number}")
        for page in PAGES
        for number in range(len(blocks(page, language)))
    ]


@pytest.mark.parametrize(("page", "number"), every_block("yaml"))
def test_the_specs_are_specs(page: Path, number: int, tmp_path: Path) -> None:
    """Each piece of YAML, with a head and the layer that it takes for granted where it is only a part."""
    from convcalc.language.load import load_graph

    text = blocks(page, "yaml")[number]
    if text.startswith("  - add"):
        text = f"layers:\n  - conv: {{filters: 64, kernel: 1}}\n{text}"
    if not re.search(r"^(input|extends):", text, re.MULTILINE):
        text = f"input: [3, 32, 32]\n{text}"
    if not re.search(r"^name:", text, re.MULTILINE):
        text = f"name: part\n{text}"
    path = tmp_path / "part.yaml"
    path.write_text(text, encoding="utf-8")
    assert load_graph(str(path)).nodes


@pytest.mark.parametrize(("page", "number"), every_block("python"))
def test_the_python_example_runs(page: Path, number: int) -> None:
    code = blocks(page, "python")[number].replace("seven.png", str(ROOT / "tests/data/digits/7_0.png"))
    scope: dict[str, object] = {}
    exec(code, scope)  # our own manual
    assert scope["net"].totals.weights == 28_813_344  # type: ignore[attr-defined]


def test_every_command_is_shown() -> None:
    from convcalc.cli import COMMANDS

    text = "".join(re.sub(r"```python.*?```", "", page.read_text("utf-8"), flags=re.DOTALL) for page in PAGES)
    assert set(COMMANDS) - set(re.findall(r"convcalc (\w+)", text)) == set(), (
        "the manual leaves a command out"
    )


def test_links_lead_somewhere() -> None:
    links = [
        (page, link)
        for page in PAGES
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
    ]
    assert [(page.name, link) for page, link in links if not (page.parent / link).exists()] == []


def test_set_up_commands_are_the_gates() -> None:
    gate = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for words in ("pip install --quiet --disable-pip-version-check .\n", '-e ".[dev]"', "python -m pytest"):
        assert words in gate
