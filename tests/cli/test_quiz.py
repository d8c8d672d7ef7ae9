"""`convcalc quiz`: piped, on a terminal, interrupted."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

import convcalc as package
from convcalc.report.questions import typed_answer
from tests.conftest import ROOT, environment

OPTIONS = ("quiz", "--seed", "7", "--amount", "4")


def right_answers() -> list[str]:
    return [typed_answer(exercise.answer) for exercise in package.quiz(amount=4, seed=7).questions]


def test_right_answers_score(convcalc) -> None:
    done = convcalc(*OPTIONS, stdin="\n".join(right_answers()) + "\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("right\n") == 5  # four answers and the score
    assert done.stdout.endswith("\n4 of 4 right\n")


def test_a_hint_then_a_wrong_answer_with_its_working(convcalc) -> None:
    """The second question is of a pool 2×2 over 16 channels: 2·2·16 is what a convolution of one filter would have."""
    done = convcalc(*OPTIONS, stdin="\n?\n64\nq\n")
    assert "hint: a filter has F·F weights for each channel" in done.stdout
    assert "skipped; it is" in done.stdout
    assert (
        "wrong: a pool takes the largest value or the mean of its window: it has no weights; it is 0"
        in done.stdout
    )
    assert "\n  maxpool has no weights: 0\n" in done.stdout
    assert done.stdout.endswith("0 of 2 right\n")
    assert done.returncode == 0


@pytest.mark.parametrize("stdin", ["", "q\n", "quit\n"])
def test_the_end_of_the_input_ends_it(convcalc, stdin: str) -> None:
    done = convcalc(*OPTIONS, stdin=stdin)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("no question answered\n")


def test_json_holds_what_became_of_each_question(convcalc) -> None:
    first, *_ = right_answers()
    done = convcalc(*OPTIONS, "--format", "json", stdin=f"?\n{first}\n17\n")
    value = json.loads(done.stdout)
    assert "1 of 4" in done.stderr
    assert (value["right"], value["total"], value["hinted"], len(value["questions"])) == (1, 2, 1, 4)
    assert [question["verdict"] for question in value["questions"]] == ["right", "wrong", None, None]


def test_an_answer_that_is_much_too_long_is_one_answer(convcalc) -> None:
    done = convcalc(*OPTIONS, stdin="9" * 5_000 + "\n\n\n\n")
    assert done.returncode == 0
    assert done.stdout.endswith("0 of 4 right\n")


def test_it_keeps_nothing(convcalc, tmp_path: Path) -> None:
    convcalc(*OPTIONS, stdin="1\n", HOME=str(tmp_path), XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert list(tmp_path.iterdir()) == []


def read_until(master: int, text: str) -> str:
    seen = ""
    while text not in seen:
        ready, _, _ = select.select([master], [], [], 30)
        assert ready, f"{text!r} did not come: {seen!r}"
        seen += os.read(master, 65536).decode()
    return seen


@pytest.mark.parametrize(
    ("keys", "code"), [(b"\x03", 130), (b"\x04", 0)], ids=["interrupted", "end of input"]
)
def test_a_key_on_a_terminal_ends_it_with_the_score(keys: bytes, code: int) -> None:
    master, slave = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "convcalc", *OPTIONS],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        cwd=ROOT,
        env=environment(),
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # so that ^C of this terminal reaches it
    ) as process:
        os.close(slave)
        read_until(master, "> ")
        os.write(master, b"1\n")
        read_until(master, "> ")
        os.write(master, keys)
        seen = read_until(master, "0 of 1 right")
        assert "Traceback" not in seen
        assert process.wait(timeout=30) == code
    os.close(master)


def test_an_interruption_of_a_pipe_ends_it_with_the_score() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "convcalc", *OPTIONS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        cwd=ROOT,
        env=environment(),
    ) as process:
        assert process.stdout is not None
        seen = b""
        while b"> " not in seen:
            seen += os.read(process.stdout.fileno(), 1000)
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (130, "")
    assert output.endswith("no question answered\n")
