"""The README and the manual tell the truth: what they show is run and compared.

- A `console` block holds commands after `$ ` and what they print; `… ms` stands for any time, and `> FILE` writes one.
- A `yaml` block is a spec or a part of one. One that begins with `# name.yaml` is a file that commands may name;
  `# wrong….yaml` must be refused.
- A `python` block with `>>>` is a doctest; a page's blocks follow one another. Without, it is run.
- A `sh` block holds commands that would take long or need the network: they are only parsed.

Commands run in a folder of their own with these files, the repository's `tests/`, a digit (`seven.png`) and a
photograph (`cat.png`).

After a change that is meant: python -m pytest tests/test_docs.py --update-docs, and read the diff. It writes the
outputs shown anew in place, the pages of operators and the lists made from them.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from convcalc import ops
from convcalc.errors import SpecError
from convcalc.manual.operator_page import contents, field_index, operator_page
from tests.conftest import environment
from tests.documents import screen
from tests.documents.findings import findings_table

ROOT = Path(__file__).parent.parent
MANUAL = ROOT / "convcalc" / "docs"
PAGES = [ROOT / "README.md", *sorted(MANUAL.rglob("*.md"))]
ANY_TIME = "… ms"
TIME = re.compile(r"[0-9.]+ m?s$", re.MULTILINE)
CONSOLE = re.compile(r"^```console\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^\$ (?P<command>.*)\n(?P<output>(?:(?!\$ ).*\n)*)", re.MULTILINE)
NAMED = re.compile(r"^# (\S+\.yaml)\n")


class Shown(NamedTuple):
    """A command in a page: what it is, what should follow, and where in the page that stands."""

    command: str
    output: str
    start: int
    end: int


def shown_commands(page: Path) -> list[Shown]:
    """The commands that a page shows with their output, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Shown(found["command"], found["output"], *found.span("output"))
        for block in CONSOLE.finditer(text)
        for found in COMMAND.finditer(text, *block.span("text"))
    ]


def blocks(page: Path, language: str) -> list[str]:
    """The blocks of a language in a page."""
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def name_of(page: Path) -> str:
    return page.relative_to(MANUAL).as_posix() if MANUAL in page.parents else page.name


def every_block(language: str) -> list[pytest.ParameterSet]:
    """(page, number) of all pages' blocks of a language; read when the test runs, for pages may be made anew."""
    return [
        pytest.param(page, number, id=f"{name_of(page)}:{number}")
        for page in PAGES
        for number in range(len(blocks(page, language)))
    ]


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that commands run in."""
    folder = tmp_path_factory.mktemp("desk")
    (folder / "tests").symlink_to(ROOT / "tests", target_is_directory=True)
    (folder / "seven.png").symlink_to(ROOT / "tests/data/digits/7_1.png")
    (folder / "cat.png").symlink_to(ROOT / "tests/data/chelsea.png")
    for page in PAGES:
        for text in blocks(page, "yaml"):
            if named := NAMED.match(text):
                (folder / named[1]).write_text(text, encoding="utf-8")
    return folder


def run(command: str, desk: Path) -> str:
    """What the command prints; `> FILE` at its end takes its stdout."""
    words = shlex.split(command)
    assert words[0] == "convcalc", "console blocks run convcalc and nothing else"
    words, target = (words[:-2], words[-1]) if words[-2:-1] == [">"] else (words, None)
    done = subprocess.run(
        [sys.executable, "-m", "convcalc", *words[1:]],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        cwd=desk,
        env=environment(),
        timeout=120,
        check=False,
    )
    if target is not None:
        (desk / target).write_text(done.stdout, encoding="utf-8")
        return done.stderr
    return done.stdout + done.stderr


def outputs_left_out(text: str) -> str:
    """The page with its commands alone, without what they print."""
    return CONSOLE.sub(
        lambda block: (
            "```console\n"
            + "".join(f"$ {line[2:]}\n" for line in block["text"].splitlines() if line.startswith("$ "))
            + "```"
        ),
        text,
    )


def outputs_filled(text: str, desk: Path) -> str:
    """The page with what its commands print now."""
    return CONSOLE.sub(
        lambda block: (
            "```console\n"
            + "".join(
                f"$ {found['command']}\n{run(found['command'], desk)}"
                for found in COMMAND.finditer(block["text"])
            )
            + "```"
        ),
        text,
    )


@pytest.mark.parametrize("kind", ops.names())
def test_an_operators_page_is_what_its_fields_and_docstrings_say(
    kind: str, desk: Path, request: pytest.FixtureRequest
) -> None:
    page = MANUAL / "operators" / f"{kind}.md"
    made = operator_page(kind)
    if request.config.getoption("--update-docs"):
        if not page.exists() or outputs_left_out(page.read_text(encoding="utf-8")) != made:
            page.write_text(outputs_filled(made, desk), encoding="utf-8")
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
    [
        ("index.md", "## Operators", contents),
        ("language.md", "## Index of fields", field_index),
        ("budgets.md", "## Findings in the bundled networks", findings_table),
    ],
    ids=["contents", "fields", "findings"],
)
def test_the_end_of_a_page_is_made(
    file: str, heading: str, make: Callable[[], str], request: pytest.FixtureRequest
) -> None:
    """From a heading on: lists of all operators, and of all findings in bundled networks."""
    page = MANUAL / file
    text = page.read_text(encoding="utf-8")
    before, found, after = text.partition(f"\n{heading}\n\n")
    assert found, f"{file} has no '{heading}'"
    if request.config.getoption("--update-docs"):
        if after != make():
            page.write_text(before + found + make(), encoding="utf-8")
        return
    assert after == make()


@pytest.mark.parametrize(
    ("page", "number"),
    [
        pytest.param(page, number, id=f"{name_of(page)}:{shown.command}")
        for page in PAGES
        for number, shown in enumerate(shown_commands(page))
    ],
)
def test_shown_output_is_what_is_printed(
    page: Path, number: int, desk: Path, request: pytest.FixtureRequest
) -> None:
    updating = request.config.getoption("--update-docs")
    shown_now = shown_commands(page) if page.exists() else []
    if updating and number >= len(shown_now):  # the page was just made anew
        return
    shown = shown_now[number]
    output = run(shown.command, desk)
    if updating:
        if ANY_TIME in shown.output:
            output = TIME.sub(ANY_TIME, output)
        if output != shown.output:
            text = page.read_text(encoding="utf-8")
            page.write_text(text[: shown.start] + output + text[shown.end :], encoding="utf-8")
        return
    pattern = re.escape(shown.output).replace(re.escape(ANY_TIME), r"[0-9.]+ m?s")
    assert re.fullmatch(pattern, output), f"$ {shown.command}\n{output}"


@pytest.mark.parametrize(("page", "number"), every_block("yaml"))
def test_the_specs_are_specs(page: Path, number: int, tmp_path: Path) -> None:
    """Each piece of YAML, with a head and the layer that it takes for granted where it is only a part."""
    from convcalc.language.load import load_graph

    text = blocks(page, "yaml")[number]
    named = NAMED.match(text)
    if text.startswith("  - add"):
        text = f"layers:\n  - conv: {{filters: 64, kernel: 1}}\n{text}"
    if not re.search(r"^(inputs?|extends):", text, re.MULTILINE):
        text = f"input: [3, 32, 32]\n{text}"
    if not re.search(r"^name:", text, re.MULTILINE):
        text = f"name: part\n{text}"
    path = tmp_path / "part.yaml"
    path.write_text(text, encoding="utf-8")
    if named and named[1].startswith("wrong"):
        with pytest.raises(SpecError):
            load_graph(str(path))
    else:
        assert load_graph(str(path)).nodes


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=name_of)
def test_python_gives_what_is_shown(
    page: Path, desk: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """A page's blocks one after another, in one scope."""
    updating = request.config.getoption("--update-docs")
    monkeypatch.chdir(desk)
    scope: dict[str, object] = {}
    parts = re.split(
        r"(^```python\n.*?^```$)", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )
    for number in range(1, len(parts), 2):
        code = parts[number][len("```python\n") : -len("```")]
        if ">>>" not in code:
            exec(code, scope)  # our own manual
            continue
        for example in doctest.DocTestParser().get_examples(code):
            got = interactive(example.source, scope)
            if not updating:
                assert got == example.want, example.source
            elif got != example.want:
                code = replaced(code, example, got)
        parts[number] = f"```python\n{code}```"
    if updating:
        page.write_text("".join(parts), encoding="utf-8")


def interactive(source: str, scope: dict[str, object]) -> str:
    """What the source prints at Python's prompt."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(source, "<manual>", "single"), scope)
    return out.getvalue()


def replaced(code: str, example: doctest.Example, got: str) -> str:
    """The block with what the example prints now."""
    first, *more = example.source.splitlines(keepends=True)
    shown = f">>> {first}" + "".join(f"... {line}" for line in more)
    assert code.count(shown + example.want) == 1, "an example must differ from the others of its block"
    return code.replace(shown + example.want, shown + got)


@pytest.mark.parametrize(("page", "number"), every_block("sh"))
def test_commands_that_are_only_shown_can_be_parsed(page: Path, number: int) -> None:
    from convcalc.cli import main

    for line in blocks(page, "sh")[number].splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["convcalc"]:
            words = words[1 : words.index(">")] if ">" in words else words[1:]
            command = main.get_command(main.make_context("convcalc", words[:1]), words[0])
            assert command is not None, line
            command.make_context(words[0], words[1:])


def test_no_command_is_shown_where_it_is_not_tried() -> None:
    """Commands stand in blocks of `console` or `sh`, not in indented ones."""
    loose = [
        (name_of(page), line)
        for page in PAGES
        for line in re.sub(
            r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL
        ).splitlines()
        if line.startswith("    ") and "convcalc" in line
    ]
    assert loose == []


DOCUMENTED = {
    "`show`:": ("show small.yaml", ()),
    "A layer of `show`:": ("show small.yaml --explain", ("layers", 0)),
    "`diff`:": ("diff alexnet zfnet", ()),
    "`forward`, of one image; of several it is a list:": ("forward lenet5 seven.png", ()),
    "`list` is a list of": ("list vgg", (0,)),
}


@pytest.mark.parametrize("introduction", DOCUMENTED)
def test_the_keys_of_json_are_there(introduction: str, desk: Path) -> None:
    """The names in the first column of each table, or in the sentence itself."""
    command, path = DOCUMENTED[introduction]
    text = (MANUAL / "formats.md").read_text(encoding="utf-8").partition(introduction)[2]
    rows = re.findall(r"^\| (`.*?) \|", text.partition("\n\n`")[0].partition("\n\nA ")[0], re.MULTILINE)
    keys = re.findall(r"`(\w+)`", " ".join(rows) if rows else text.partition(".")[0])
    value = json.loads(run(f"convcalc {command} --format json", desk))
    for step in path:
        value = value[step]
    assert keys
    assert set(keys) - set(value) == set()


def test_the_picture_is_the_screen(request: pytest.FixtureRequest) -> None:
    drawn = screen.screen()
    if request.config.getoption("--update-docs"):
        screen.PICTURE.write_text(drawn, encoding="utf-8")
    assert screen.PICTURE.read_text(encoding="utf-8") == drawn


PICTURES = [
    pytest.param(page, link, id=link)
    for page in PAGES
    for link in dict.fromkeys(re.findall(r"!\[[^\]]*\]\(([^)]*gallery/[^)]+)\)", page.read_text("utf-8")))
]


@pytest.mark.parametrize(("page", "link"), PICTURES)
def test_a_picture_is_what_the_command_above_it_makes(
    page: Path, link: str, desk: Path, request: pytest.FixtureRequest
) -> None:
    """An SVG byte for byte; of pixels, whose text depends on the fonts there are, the size and the frames."""
    picture = page.parent / link
    above = page.read_text(encoding="utf-8").partition(f"({link})")[0]
    command = _last_command(above)
    assert picture.name in shlex.split(command)
    run(command, desk)
    made = desk / picture.name
    if request.config.getoption("--update-docs"):
        picture.parent.mkdir(exist_ok=True)
        picture.write_bytes(made.read_bytes())
    if picture.suffix == ".svg":
        assert picture.read_bytes() == made.read_bytes()
        return
    from PIL import Image

    with Image.open(picture) as kept, Image.open(made) as drawn:
        assert (kept.size, getattr(kept, "n_frames", 1)) == (drawn.size, getattr(drawn, "n_frames", 1))


def _last_command(text: str) -> str:
    """The last command that a text shows with its output."""
    return [
        found["command"] for block in CONSOLE.finditer(text) for found in COMMAND.finditer(block["text"])
    ][-1]


def test_no_picture_that_no_page_shows() -> None:
    kept = {path.name for path in (MANUAL / "gallery").iterdir()}
    assert kept == {Path(str(parameter.values[1])).name for parameter in PICTURES}


def test_the_readme_is_short() -> None:
    assert (ROOT / "README.md").stat().st_size <= 12_000


def test_every_command_is_shown() -> None:
    from convcalc.cli import COMMANDS

    text = "".join(re.sub(r"```python.*?```", "", page.read_text("utf-8"), flags=re.DOTALL) for page in PAGES)
    assert set(COMMANDS) - set(re.findall(r"convcalc (\w+)", text)) == set(), (
        "the manual leaves a command out"
    )


def test_the_map_has_every_room() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.*?) \|", text.partition("## The rooms")[2].partition("\n## ")[0], re.MULTILINE)
    named = set(re.findall(r"`([\w./]+)`", " ".join(rows)))
    package = ROOT / "convcalc"
    folders = {f"{path.name}/" for path in package.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert named == folders | {path.name for path in package.glob("*.py")}


def test_links_lead_somewhere() -> None:
    links = [
        (page, link)
        for page in PAGES
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
    ]
    assert [(page.name, link) for page, link in links if not (page.parent / link).exists()] == []


def test_the_gate_installs_and_tests_with_the_readmes_commands() -> None:
    """.ci/run takes the README's two lines that begin with pip install: to use it, and to test it."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    install, test = re.findall(r"^pip install.*$", readme, re.MULTILINE)
    assert install == "pip install . && convcalc show alexnet"
    assert test == 'pip install -e ".[dev]" && python -m pytest'
    assert "grep '^pip install' README.md" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
