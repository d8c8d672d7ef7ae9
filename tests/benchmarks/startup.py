"""How long whole commands take, against the imports that no such program can do without.

    python tests/benchmarks/startup.py [RUNS] [--cpu]

`show alexnet` is to stay within 1.15 times importing click, rich and PyYAML, and under 40 MB; `--help` within
what importing click takes and a little; `forward lenet5` under half a second. --cpu: processor time instead, for a
machine with other work.
"""

from __future__ import annotations

import sys
from pathlib import Path

from timing import command, paired, peak_memory, processor_seconds, row, seconds

IMPORTS = ["-c", "import click, rich.console, rich.table, yaml"]
CLICK = ["-c", "import click"]
DIGIT = str(Path(__file__).parent.parent / "data" / "digits" / "7_0.png")
CASES = [
    (["-m", "convcalc", "show", "alexnet"], IMPORTS),
    (["-m", "convcalc", "show", "alexnet", "--explain"], IMPORTS),
    (["-m", "convcalc", "show", "resnet152"], IMPORTS),
    (["-m", "convcalc", "diff", "alexnet", "zfnet"], IMPORTS),
    (["-m", "convcalc", "forward", "lenet5", DIGIT, "--backend", "reference"], IMPORTS),
    (["-m", "convcalc", "--help"], CLICK),
]


def main() -> None:
    arguments = [argument for argument in sys.argv[1:] if argument != "--cpu"]
    clock = processor_seconds if "--cpu" in sys.argv else seconds
    runs = int(arguments[0]) if arguments else 21
    row("command", "seconds", "peer", "ratio", "MB", widths=(44, 10, 10, 8, 8))
    for arguments, peer in CASES:
        ours, theirs, ratio = paired(command(arguments), command(peer), runs, clock)
        name = " ".join(arguments[1:]).replace(DIGIT, "7_0.png")
        row(name, ours, theirs, ratio, f"{peak_memory(arguments):.1f}", widths=(44, 10, 10, 8, 8))
    print("peer: import click, rich.console, rich.table, yaml; for --help: import click")


if __name__ == "__main__":
    main()
