"""The README and the manual tell the truth: their commands are run and the output compared, their Python and YAML too.

A `console` block holds commands after `$ ` and what they print; `… ms` stands for any time. After a change that
is meant: python -m pytest tests/test_docs.py --update-docs, and read the diff.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import NamedTuple

import pytest

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


@pytest.mark.parametrize(("page", "number"), CASES)
def test_shown_output_is_what_is_printed(
    page: Path, number: int, convcalc, request: pytest.FixtureRequest
) -> None:
    shown = shown_commands(page)[number]
    output = run(shown.command, convcalc)
    if request.config.getoption("--update-docs"):
        if ANY_TIME in shown.output:
            output = TIME.sub(ANY_TIME, output)
        if output != shown.output:
            text = page.read_text(encoding="utf-8")
            page.write_text(text[: shown.start] + output + text[shown.end :], encoding="utf-8")
        return
    pattern = re.escape(shown.output).replace(re.escape(ANY_TIME), r"[0-9.]+ m?s")
    assert re.fullmatch(pattern, output), f"$ {shown.command}\n{output}"


def fenced(language: str) -> list[pytest.ParameterSet]:
    """The blocks of a language in all pages."""
    return [
        pytest.param(text, id=f"{name_of(page)}:{number}")
        for page in PAGES
        for number, text in enumerate(
            re.findall(rf"^```{language}\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
        )
    ]


@pytest.mark.parametrize("text", fenced("yaml"))
def test_the_specs_are_specs(text: str, tmp_path: Path) -> None:
    """Each piece of YAML, with a head and the layer that it takes for granted where it is only a part."""
    from convcalc.language.load import load_graph

    if text.startswith("  - add"):
        text = f"layers:\n  - conv: {{filters: 64, kernel: 1}}\n{text}"
    if not re.search(r"^name:", text, re.MULTILINE):
        text = f"name: part\ninput: [3, 32, 32]\n{text}"
    path = tmp_path / "part.yaml"
    path.write_text(text, encoding="utf-8")
    assert len(load_graph(str(path))) > 1


@pytest.mark.parametrize("code", fenced("python"))
def test_the_python_example_runs(code: str) -> None:
    code = code.replace("seven.png", str(ROOT / "tests/data/digits/7_0.png"))
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
