"""The width of a terminal: what COLUMNS says where that can be true, else its own, else 80."""

from __future__ import annotations

import io
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from convcalc.render import terminal
from tests.conftest import environment, on_terminal

WRONG = ["0", "", "abc", "-5", "00", "0x50", "1e2", "²", "99999999999", "9" * 5000, "100001"]
SHOW = ["show", "lenet5"]
COLOURED = {"NO_COLOR": ""}  # rich, which prints then, reads COLUMNS too


def plain(screen: str) -> str:
    """Without styles, and without blanks at the ends of lines that stood in a style."""
    return re.sub(r" +$", "", re.sub(r"\x1b\[[0-9;]*m", "", screen), flags=re.MULTILINE)


@pytest.mark.parametrize("columns", WRONG, ids=lambda columns: columns[:12] or "empty")
@pytest.mark.parametrize("extra", [{}, COLOURED], ids=["plain", "coloured"])
def test_columns_that_no_terminal_has_leave_the_terminals_own(columns: str, extra: dict[str, str]) -> None:
    expected = on_terminal(SHOW, 60)
    assert plain(on_terminal(SHOW, 60, COLUMNS=columns, LINES=columns, **extra)) == expected
    assert max(map(len, expected.splitlines())) <= 60
    assert expected != on_terminal(SHOW, 100)


@pytest.mark.parametrize("extra", [{}, COLOURED], ids=["plain", "coloured"])
def test_columns_that_a_terminal_may_have_are_believed(extra: dict[str, str]) -> None:
    assert plain(on_terminal(SHOW, 60, COLUMNS="100", **extra)) == on_terminal(SHOW, 100)
    assert plain(on_terminal(SHOW, 100, COLUMNS="1", **extra)) == on_terminal(SHOW, 40)


@pytest.mark.parametrize("extra", [{}, {"COLUMNS": "0"}, {"COLUMNS": "0", **COLOURED}], ids=str)
def test_a_terminal_that_does_not_know_its_width_has_80(extra: dict[str, str]) -> None:
    assert plain(on_terminal(SHOW, 0, **extra)) == on_terminal(SHOW, 80)


@pytest.mark.parametrize("columns", ["0", "9" * 5000])
@pytest.mark.parametrize(
    "arguments",
    [
        ["show", "alxnet"],
        ["docs", "relu", "--no-pager"],
        ["apply", "maxpool: 2", "1 2; 3 4", "--steps", "--delay", "0.01"],
        ["matrix", "--input", "4x4", "-F", "2"],
        ["size", "227", "-F", "11"],
        ["--help"],
    ],
    ids=" ".join,
)
def test_every_screen_is_as_without_columns(arguments: list[str], columns: str) -> None:
    expected = on_terminal(arguments, 80)
    assert expected
    assert plain(on_terminal(arguments, 80, COLUMNS=columns, **COLOURED)) == plain(
        on_terminal(arguments, 80, **COLOURED)
    )


def test_each_stream_has_its_own_terminal(monkeypatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.delenv("LINES", raising=False)
    assert terminal.size(io.StringIO()) == (80, 24)
    master, slave = pty.openpty()
    try:
        subprocess.run(["stty", "cols", "123", "rows", "45"], stdin=slave, check=True)
        with open(slave, "w", closefd=False) as stream:
            assert terminal.size(stream) == (123, 45)
            monkeypatch.setenv("COLUMNS", "77")
            assert terminal.size(stream) == (77, 45)
    finally:
        os.close(master)
        os.close(slave)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_pager_answers_ctrl_c_itself_and_ends_with_us(number: signal.Signals, tmp_path: Path) -> None:
    script = tmp_path / "pager"
    script.write_text("#!/bin/sh\ntrap '' INT\ncat > /dev/null\ntouch read\nsleep 2\ntouch left\n")
    script.chmod(0o755)
    master, slave = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "convcalc", "docs", "language"],
        stdin=subprocess.DEVNULL,
        stdout=slave,
        stderr=slave,
        cwd=tmp_path,
        env={**environment(), "PAGER": str(script)},
        process_group=0,
    ) as process:
        for _ in range(400):
            if (tmp_path / "read").exists():
                break
            time.sleep(0.05)
        os.killpg(process.pid, number)
        assert process.wait(20) == (0 if number == signal.SIGINT else 128 + number)
    assert (tmp_path / "left").exists() == (number == signal.SIGINT)
    os.close(master)
    os.close(slave)
