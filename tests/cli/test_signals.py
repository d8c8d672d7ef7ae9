"""Ctrl-C and SIGTERM: exit code 130 or 143, no traceback, no process and no file left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PICTURE = str(ROOT / "tests" / "data" / "chelsea.png")
MATRIX = "1 4 2 1; 5 8 3 4; 7 6 4 5; 1 3 1 2"

pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="processes are looked up in /proc")


def group(number: int) -> list[str]:
    """The processes of a group that still run."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                fields = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[2]) == number and fields[0] != "Z":
                found.append(entry)
    return found


def begun_to_wait(process: subprocess.Popen[bytes]) -> bool:
    """It has slept for a while: in a read or between pictures."""
    for _ in range(10):
        if Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] != "S":
            return False
        time.sleep(0.02)
    return True


def has_workers(process: subprocess.Popen[bytes]) -> bool:
    return len(group(process.pid)) > 1


def compiles(process: subprocess.Popen[bytes]) -> bool:
    assert process.stderr is not None
    return process.stderr.readline().startswith(b"compiling ")


FORWARD = ["forward", "torchvision/squeezenet1_1", PICTURE, "--backend"]
CASES = {
    "reading": (["show", "-"], begun_to_wait),
    "steps": (["apply", "maxpool: 2", MATRIX, "--steps", "--delay", "30"], begun_to_wait),
    "workers": ([*FORWARD, "reference", "--threads", "2"], has_workers),
    "images": ([*FORWARD, "reference", "--threads", "2", *[PICTURE] * 3], has_workers),
    "compiling": ([*FORWARD, "numba"], compiles),
    "grid": (["sweep", "vgg16", "--solve", "input=64..90000:1", "--at-most", "macs=3M"], has_workers),
}  # fmt: skip


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
@pytest.mark.parametrize("whole_group", [True, False], ids=["group", "alone"])
@pytest.mark.parametrize("case", CASES)
def test_a_signal_ends_it_in_order(
    case: str, whole_group: bool, number: signal.Signals, tmp_path: Path
) -> None:
    """A terminal sends Ctrl-C to the whole group, `kill` to the parent alone."""
    arguments, ready = CASES[case]
    if case == "compiling":
        pytest.importorskip("numba")
    terminal, stdout = os.openpty() if case == "steps" else (None, subprocess.PIPE)
    with subprocess.Popen(
        [sys.executable, "-m", "convcalc", *arguments],
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env={**os.environ, "CONVCALC_CACHE": str(tmp_path)},
        process_group=0,
    ) as process:
        try:
            assert process.stderr is not None
            _wait_for(process, ready)
            (os.killpg if whole_group else os.kill)(process.pid, number)
            assert process.wait(60) == 128 + number
            assert process.stderr.read() == b""
            _wait_for(process, lambda process: not group(process.pid))
        finally:
            if process.poll() is None:
                process.kill()
            if terminal is not None:
                os.close(terminal)
                os.close(stdout)
    assert [name for *_, names in os.walk(tmp_path) for name in names if name.endswith(".part")] == []


def _wait_for(process: subprocess.Popen[bytes], ready: Callable[[subprocess.Popen[bytes]], bool]) -> None:
    for _ in range(1200):
        if ready(process):
            return
        time.sleep(0.05)
    raise AssertionError("what was waited for did not come")


@pytest.mark.parametrize("case", ["workers", "images", "grid"])
def test_a_worker_killed_from_outside_ends_it_with_an_error(case: str) -> None:
    """As the system does where memory runs out."""
    arguments, ready = CASES[case]
    with subprocess.Popen(
        [sys.executable, "-m", "convcalc", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        process_group=0,
    ) as process:
        try:
            _wait_for(process, ready)
            for worker in group(process.pid):
                if int(worker) != process.pid:
                    os.kill(int(worker), signal.SIGKILL)
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 1
    assert b"a worker process was ended from outside" in errors
    assert b"Traceback" not in errors
    assert group(process.pid) == []


def test_an_ignored_signal_stays_ignored() -> None:
    """As `nohup` and a shell in the background start a program."""
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); sys.argv[1:] = ['--version']\n"
        "from convcalc.__main__ import run\n"
        "try: run()\n"
        "finally: assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN"
    )
    assert subprocess.run([sys.executable, "-c", code], check=True).returncode == 0


def test_the_program_is_what_answers_signals() -> None:
    """Both ways to start it."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["scripts"] == {"convcalc": "convcalc.__main__:run"}
