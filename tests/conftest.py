"""Settings for all tests, and ways to run the program as a person does."""

from __future__ import annotations

import fcntl
import inspect
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest
from hypothesis import settings

from convcalc.language import bundled
from tests import browser as browsers

# No test asserts a time, so a busy machine must not fail a generated case either.
# The gate tries the same cases each time, so that it tells of the change before it; by hand they are new each time.
settings.register_profile("convcalc", deadline=None, derandomize=bool(os.environ.get("CI")))
QUICK_EXAMPLES = 20  # that a quick test may draw
QUICK_CASES = 9  # of the costly cases of a file: those that a quick run takes
settings.register_profile("quick", settings.get_profile("convcalc"), max_examples=QUICK_EXAMPLES)
settings.load_profile("convcalc")

ROOT = Path(__file__).parent.parent
NETWORKS = frozenset(bundled.names())

# The fast backend checks every plan before it runs, here and in every process that a test starts; and it computes maps
# of bfloat16 on every machine, slowly where the processor has no instructions for them.
CHECKED = {"CONVCALC_CHECKED": "1", "CONVCALC_BF16": os.environ.get("CONVCALC_BF16") or "anywhere"}
os.environ.update(CHECKED)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the golden screens anew")
    parser.addoption(
        "--update-docs", action="store_true", help="write the outputs shown in the README and the manual anew"
    )


def pytest_configure(config: pytest.Config) -> None:
    # A shell starts what runs in the background with Ctrl-C ignored, nohup with SIGHUP ignored; programs started by
    # tests would inherit that.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    config.addinivalue_line(
        "markers",
        f"quick: compiles no kernels and draws at most {QUICK_EXAMPLES} examples; of the cases in a file that start "
        f"programs or go through a bundled network, {QUICK_CASES}; given to tests by rule",
    )
    config.addinivalue_line(
        "markers", "slow: takes seconds, though neither kernels nor examples tell; never quick"
    )
    if config.getoption("markexpr") == "quick":
        settings.load_profile("quick")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is quick before `-m` chooses."""
    costly: dict[Path, list[pytest.Function]] = {}  # by file
    for item in items:
        if not isinstance(item, pytest.Function) or not is_quick(item):
            continue
        if is_costly(item):
            costly.setdefault(item.path, []).append(item)
        else:
            item.add_marker("quick")
    for cases in costly.values():
        for case in evenly_spread(cases, QUICK_CASES):
            case.add_marker("quick")


def is_quick(item: pytest.Function) -> bool:
    """Whether it neither speaks of Numba nor draws more examples of its own than a quick test may."""
    spoken_of = item.module if item.path.parent.name == "backends" else item.function
    if "numba" in item.path.stem or "numba" in _source(spoken_of) or item.get_closest_marker("slow"):
        return False
    own = getattr(item.function, "_hypothesis_internal_use_settings", None)
    default = settings.default.max_examples  # of the profile: a test that says nothing itself draws so many
    return own is None or own.max_examples == default or own.max_examples <= QUICK_EXAMPLES


# Fixtures and functions of the tests that start a program.
STARTERS = {"convcalc", "run_screen", "measured", "desk", "browser"}
STARTS = re.compile(r"\b(subprocess|on_terminal|loaded)\b")


def is_costly(item: pytest.Function) -> bool:
    """Whether it starts a program, or one of its parameters is a bundled network."""
    parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
    return (
        not STARTERS.isdisjoint(item.fixturenames)
        or STARTS.search(_source(item.function)) is not None
        or any(isinstance(value, str) and value in NETWORKS for value in parameters)
    )


def evenly_spread(cases: list[pytest.Function], count: int) -> list[pytest.Function]:
    """So many of the cases, the first among them; all where there are no more."""
    return [case for number, case in enumerate(cases) if number * count % len(cases) < count]


@cache
def _source(of: Callable[..., object] | ModuleType) -> str:
    return inspect.getsource(of if isinstance(of, ModuleType) else inspect.unwrap(of))


def environment() -> dict[str, str]:
    """An environment without what would change a screen."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("COLUMNS", "LINES", "CONVCALC"))
    }
    return {
        **kept,
        **CHECKED,
        "NO_COLOR": "1",
        "TERM": "xterm-256color",
        "PYTHONWARNINGS": "error",
        "LC_ALL": "C.UTF-8",
    }


@pytest.fixture(scope="session")
def convcalc() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run `convcalc` with arguments as a process of its own, piped: `.stdout`, `.stderr`, `.returncode`."""

    def run(*arguments: str, stdin: str | None = None, **extra: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "convcalc", *map(str, arguments)],
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            encoding="utf-8",
            cwd=ROOT,
            env={**environment(), **extra},
            timeout=120,
            check=False,
        )

    return run


MEASURE = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[2:])
_, status, used = os.wait4(process.pid, 0)
with open(sys.argv[1], "w") as file:
    file.write(str(used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)))
sys.exit(os.waitstatus_to_exitcode(status))
"""


class Measured(NamedTuple):
    """A run of `convcalc` as a process of its own; memory: the most bytes that it had at once."""

    returncode: int
    stdout: str
    stderr: str
    memory: int


@pytest.fixture
def measured(tmp_path: Path) -> Callable[..., Measured]:
    """Run `convcalc` and measure its memory. A small process starts it: what pytest itself holds would count too."""

    def run(*arguments: str) -> Measured:
        report = tmp_path / "memory"
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, report, sys.executable, "-m", "convcalc", *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            env=environment(),
            timeout=120,
            check=False,
        )
        return Measured(done.returncode, done.stdout, done.stderr, int(report.read_text()))

    return run


@pytest.fixture(scope="session")
def run_screen() -> Callable[[list[str], int], str]:
    """What `convcalc` prints, stdout and stderr together, on a terminal of so many columns; 0: piped."""

    def run(arguments: list[str], columns: int) -> str:
        if not columns:
            command = [sys.executable, "-m", "convcalc", *arguments]
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env=environment(),
                timeout=120,
                check=False,
            )
            return done.stdout.decode()
        return on_terminal(arguments, columns)

    return run


def on_terminal(arguments: list[str], columns: int, **extra: str) -> str:
    """What `convcalc` prints on a terminal of so many columns and 50 lines; extra: environment variables."""
    command = [sys.executable, "-m", "convcalc", *arguments]
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=slave,
        stderr=slave,
        cwd=ROOT,
        env={**environment(), **extra},
    ):
        os.close(slave)
        output = b""
        while True:
            ready, _, _ = select.select([master], [], [], 120)
            assert ready, "nothing came for two minutes"
            try:
                part = os.read(master, 65536)
            except OSError:  # the terminal's other end is closed
                break
            if not part:
                break
            output += part
    os.close(master)
    return output.decode().replace("\r\n", "\n")


@pytest.fixture(scope="session")
def browser() -> Iterator[browsers.Browser]:
    """Chromium, started once for all tests: `tests/browser.py`. Without it those tests are left out."""
    if browsers.found() is None:
        pytest.skip(browsers.ABSENT)
    with browsers.Browser() as started:
        yield started
