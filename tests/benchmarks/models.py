"""How long `show` of an ONNX file takes, against `show` of the spec of the same network and against what others need to
load the file.

    python tests/benchmarks/models.py [FILE.onnx] [ARCH] [RUNS] [--cpu]

Without a file, torchvision/resnet152 is converted to one of 240 MB first. `show FILE` is to take at most twice the time
of `show ARCH`, and under 80 MB. onnx and onnx-tool run where they are installed. --cpu: processor time instead, for a
machine with other work.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from timing import command, paired, peak_memory, processor_seconds, row, seconds

ARCH = "torchvision/resnet152"
WIDTHS = (34, 10, 10, 10, 8)
# What others do with a file: its name comes behind.
PEERS = {
    "onnx": "import onnx, sys; onnx.load(sys.argv[1])",
    "onnx_tool": "import onnx_tool, sys; onnx_tool.model_profile(sys.argv[1])",
}


def compare(file: str, arch: str, runs: int, clock: Callable[[Callable[[], object]], float]) -> None:
    ours = ["-m", "convcalc", "show", file]
    others = [("show " + arch, ["-m", "convcalc", "show", arch])]
    others += [(name, ["-c", code, file]) for name, code in PEERS.items() if find_spec(name) is not None]
    memory = peak_memory(ours)
    for name, arguments in others:
        try:
            own, theirs, ratio = paired(command(ours), command(arguments), runs, clock)
        except subprocess.CalledProcessError:  # onnx-tool wants every size fixed, the batch too
            print(f"against {name}: it does not open the file")
            continue
        row(
            f"against {name}", own, theirs, ratio, f"{memory:.1f}", f"{peak_memory(arguments):.1f}",
            widths=(*WIDTHS, 8),
        )  # fmt: skip


def main() -> None:
    arguments = [argument for argument in sys.argv[1:] if argument != "--cpu"]
    clock = processor_seconds if "--cpu" in sys.argv else seconds
    runs = next((int(argument) for argument in arguments if argument.isdigit()), 11)
    file = next((argument for argument in arguments if argument.endswith(".onnx")), None)
    arch = next((name for name in arguments if not name.endswith(".onnx") and not name.isdigit()), ARCH)
    row("show of the file", "seconds", "peer's", "ratio", "MB", "peer's", widths=(*WIDTHS, 8))
    if file is not None:
        compare(file, arch, runs, clock)
        return
    with tempfile.TemporaryDirectory() as folder:
        made = str(Path(folder) / "made.onnx")
        subprocess.run(
            [sys.executable, "-m", "convcalc", "convert", arch, "-o", made], check=True, stdout=sys.stderr
        )
        compare(made, arch, runs, clock)


if __name__ == "__main__":
    main()
