"""The README tells the truth: its commands are run and their output compared, its Python and YAML too.

A `console` block holds commands after `$ ` and what they print; `… ms` stands for any time. After a change that
is meant: python -m pytest tests/test_readme.py --update-golden writes the outputs anew where there is no `…`.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
TIMED = re.compile("… ms$", re.MULTILINE)
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands(block: str) -> list[tuple[str, str]]:
    """The commands of a block and what should follow each."""
    parts = re.split(r"^\$ (.*)\n", block, flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2], strict=True))


CASES = [case for block in BLOCK.findall(README.read_text(encoding="utf-8")) for case in commands(block)]


def run(command: str, convcalc) -> str:
    words = shlex.split(command)
    assert words[0] == "convcalc", "the README's console blocks run convcalc"
    done = convcalc(*words[1:])
    return done.stdout + done.stderr


@pytest.mark.parametrize(("command", "expected"), CASES, ids=[command for command, _ in CASES])
def test_command(command: str, expected: str, convcalc, request: pytest.FixtureRequest) -> None:
    output = run(command, convcalc)
    if request.config.getoption("--update-golden") and not TIMED.search(expected):
        text = README.read_text(encoding="utf-8")
        old = f"$ {command}\n{expected}"
        assert text.count(old) >= 1
        README.write_text(text.replace(old, f"$ {command}\n{output}", 1), encoding="utf-8")
        return
    pattern = re.escape(expected).replace(re.escape("… ms"), r"[0-9.]+ m?s")
    assert re.fullmatch(pattern, output), f"$ {command}\n{output}"


def test_every_command_named_exists() -> None:
    from convcalc.cli import COMMANDS

    used = set(
        re.findall(
            r"convcalc (\w+)", re.sub(r"```python.*?```", "", README.read_text("utf-8"), flags=re.DOTALL)
        )
    )
    assert used & set(COMMANDS) == set(COMMANDS), "the README leaves a command out"


def test_set_up_commands_are_the_gates() -> None:
    gate = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for words in ("pip install --quiet --disable-pip-version-check .\n", '-e ".[dev]"', "python -m pytest"):
        assert words in gate


def fenced(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def test_the_python_example_runs(monkeypatch) -> None:
    (code,) = fenced("python")
    code = code.replace("seven.png", str(ROOT / "tests/data/digits/7_0.png")).replace(
        '"my-network.yaml"', '""'
    )
    scope: dict[str, object] = {}
    exec(code, scope)  # our own README
    assert scope["net"].totals.weights == 28_813_344  # type: ignore[attr-defined]


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
