"""Exports of PyTorch converted to specs, and read again. Not a test; needs files exported beforehand.

    python tests/torchvision/converted.py ts/*.onnx dy/*.onnx                   # lines, time, wiring
    python tests/torchvision/converted.py --outputs io dy/resnet18.onnx         # and what comes out

Each model is written as a spec with its weights beside it in a temporary folder, and opened from there. A row tells the
layers, the lines of the spec, the seconds of folding it, and whether both graphs are the same network. With --outputs,
`io/NAME.npz` holds an input x and PyTorch's output y: `error` is the largest difference from y of the spec's output,
relative to the largest number of y. The last line is the median of the lines. Exit 1 if a network differs.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

import convcalc  # noqa: E402
from convcalc.formats.spec.fold import folded  # noqa: E402
from convcalc.formats.spec.write import plainly_named  # noqa: E402
from tests.formats.spec.networks import described  # noqa: E402


def error_of(net: convcalc.Network, file: Path) -> float:
    """The largest difference of the network's output from PyTorch's, relative to its largest number."""
    import numpy as np

    with np.load(file) as arrays:
        x, y = arrays["x"], arrays["y"]
    found = np.asarray(net.forward(x[0]).run.values).reshape(y.shape)
    return float(np.abs(found - y).max() / np.abs(y).max())


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--outputs", type=Path, help="folder of NAME.npz with x and y")
    arguments = parser.parse_args()
    lines, differing = [], 0
    for path in arguments.models:
        net = convcalc.load(path)
        started = time.perf_counter()
        text = folded(plainly_named(net.graph), net._model.classes if net._model else None)[1]
        seconds = time.perf_counter() - started
        lines.append(text.count("\n"))
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "net.yaml"
            net.convert(target, with_weights=arguments.outputs is not None)
            again = convcalc.load(target)
            same = described(again.graph) == described(plainly_named(net.graph))
            error = ""
            if arguments.outputs is not None:
                error = f"  error {error_of(again, arguments.outputs / f'{path.stem}.npz'):.1e}"
        differing += not same
        state = "same" if same else "DIFFERS"
        print(
            f"{path!s:44} {len(net.graph):5} layers {lines[-1]:5} lines {seconds:6.2f} s  {state}{error}",
            flush=True,
        )
    print(f"median of {len(lines)}: {median(lines):g} lines")
    return int(differing > 0)


if __name__ == "__main__":
    sys.exit(main())
