"""The program: `convcalc` and `python -m convcalc`. Signals end it in order, with nothing left behind.

Most commands take a tenth of a second, nearly all of it for loading modules. Loading makes tens of thousands of objects
and no cycles to free, so the garbage collector waits for more than that, and it does not go through everything once
more at the end.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from types import FrameType

COLLECTOR_THRESHOLD = (
    100_000  # objects made and not freed before cycles are looked for; Python's default is 700
)


class Interrupted(BaseException):
    """The user or the system wants an end. No KeyboardInterrupt, which click would make its own end of."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _interrupt(number: int, _: FrameType | None) -> None:
    raise Interrupted(number)


def run() -> None:
    """Run the command line. Exit code 128 + the signal's number after Ctrl-C (130), SIGTERM and SIGHUP: files that
    are not complete are removed on the way, and worker processes ended."""
    gc.set_threshold(COLLECTOR_THRESHOLD)
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    try:
        for number in numbers:
            if signal.getsignal(number) != signal.SIG_IGN:  # as nohup and shells in the background want it
                signal.signal(number, _interrupt)
        from convcalc.cli import main

        main(prog_name="convcalc")
    except Interrupted as interruption:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        _end(128 + interruption.number)
    finally:
        for number in numbers:
            if signal.getsignal(number) == _interrupt:
                signal.signal(
                    number, signal.SIG_DFL
                )  # what is left to do must not be answered by a traceback
        gc.freeze()


def _end(code: int) -> None:
    """Exit without writing what may still wait for a reader that is gone, too."""
    if sys.stderr is not None and sys.stderr.isatty():
        sys.stderr.write("\n")  # below the terminal's ^C
        sys.stderr.flush()
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


if __name__ == "__main__":
    run()
