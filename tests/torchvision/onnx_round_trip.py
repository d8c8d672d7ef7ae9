"""Every bundled network to ONNX, through ONNX Runtime, and back. Not a test; needs the development extra, no PyTorch.

    python tests/torchvision/onnx_round_trip.py                            # all below 20 GMACs, half an hour
    python tests/torchvision/onnx_round_trip.py resnet50 torchvision/swin_t
    python tests/torchvision/onnx_round_trip.py --macs 1100 --opset 21     # all, with the operators of opset 21

One network at a time is written with random numbers as weights (one-dimensional ones too). Then

* `onnx.checker` checks the file, sizes of all values included;
* ONNX Runtime runs one random input; `error` is the largest difference from our fast backend, of the largest output;
* the file is opened again, and its network compared with the one that was written: `figures` are MACs and parameters,
  `paths` those of the layers with weights, `wiring` what every layer depends on, as the tests compare it;
* `again` is the largest difference of the opened network's output, run by our fast backend with the file's weights.

Exit 1 if the check fails or an error is above 1e-4. `wiring` is told, not judged: some operators have several forms.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "formats" / "onnx")]

from onnx_runtime import drawn_inputs, onnx, session, stored  # noqa: E402
from test_writer_networks import drawn, wiring  # noqa: E402

import convcalc  # noqa: E402
from convcalc.backends import numba  # noqa: E402
from convcalc.errors import ConvcalcError  # noqa: E402
from convcalc.formats.onnx.writer import DEFAULT, onnx_files  # noqa: E402
from convcalc.graph import Graph  # noqa: E402
from convcalc.language import bundled  # noqa: E402
from convcalc.language.load import load_graph  # noqa: E402

TOLERANCE = 1e-4
HEADS = (
    "network",
    "GMACs",
    "weights",
    "nodes",
    "write",
    "check",
    "error",
    "figures",
    "paths",
    "wiring",
    "again",
)
WIDTHS = (42, 8, 9, 6, 7, 6, 8, 8, 6, 7, 8)


def line(cells: list[str]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, WIDTHS, strict=True)).rstrip()


def figures(graph: Graph) -> tuple[int, int]:
    """MACs, and the number of weights and biases."""
    tensors = [p for node in graph if node.shares is None for p in node.parameters if p.role != "buffer"]
    return graph.macs, sum(int(np.prod(parameter.shape)) for parameter in tensors)


def paths(graph: Graph) -> list[tuple[str, str]]:
    return sorted((node.name, node.kind) for node in graph if node.parameters and node.kind != "constant")


def difference(found: list[np.ndarray], wanted: list[np.ndarray]) -> float:
    """The largest, of the largest number of each output."""
    return max(
        float(np.abs(a.reshape(b.shape) - b).max() / max(np.abs(b).max(), 1e-30))
        for a, b in zip(found, wanted, strict=True)
    )


def compared(name: str, opset: int, folder: Path) -> tuple[list[str], bool]:
    """A row of the table, and whether nothing is wrong."""
    graph = load_graph(name)
    weights = drawn(graph)
    inputs = drawn_inputs(graph, samples=1)
    values = {name: batch[0].ravel() for name, batch in inputs.items()}
    plan = numba.prepare(graph, weights, 1)
    outputs = plan.run(values).outputs
    del plan
    wanted = [np.reshape(outputs[output.name].values, outputs[output.name].shape) for output in graph.outputs]
    path, start = folder / "net.onnx", time.perf_counter()
    for file in onnx_files(graph, stored(graph, weights), str(path), opset=opset):
        with open(file.path, "wb") as whole:
            whole.writelines(file.parts())
    seconds = time.perf_counter() - start
    size = sum(file.stat().st_size for file in folder.iterdir())
    try:
        onnx.checker.check_model(str(path), full_check=True)
        check = "ok"
    except Exception as error:  # whatever it finds
        check = f"{type(error).__name__}: {error}"
    runtime = session(str(path))
    error = difference(runtime.run(None, inputs), wanted)
    del runtime
    nodes = len(onnx.load(str(path), load_external_data=False).graph.node)
    row = [
        name,
        f"{graph.macs / 1e9:.2f}",
        f"{size / 1e6:.0f} MB",
        f"{nodes}",
        f"{seconds:.1f} s",
        check,
        f"{error:.1e}",
    ]
    try:
        back = convcalc.load(path, max_layers=1_000_000)
        given = {name: batch[0] for name, batch in inputs.items()}
        found = back.forward(
            given if len(given) > 1 else next(iter(given.values())), threads=1, backend="numba"
        )
        again = difference([np.asarray(array) for array in found.outputs.values()], wanted)
        same = [figures(back.graph) == figures(graph), paths(back.graph) == paths(graph)]
        same.append(wiring(back.graph) == wiring(graph))
        row += [*("same" if equal else "other" for equal in same), f"{again:.1e}"]
    except ConvcalcError as refused:
        again = 1.0
        row += ["", "", "", str(refused).splitlines()[0]]
    for file in folder.iterdir():
        file.unlink()
    return row, check == "ok" and max(error, again) <= TOLERANCE


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", help="bundled names; default: all that are small enough")
    parser.add_argument("--macs", type=float, default=20, help="GMACs of the largest network that is tried")
    parser.add_argument("--opset", type=int, default=DEFAULT)
    options = parser.parse_args()
    names = options.networks or [
        name for name in bundled.members() if load_graph(name).macs <= options.macs * 1e9
    ]
    print(line(list(HEADS)), flush=True)
    wrong = 0
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            row, right = compared(name, options.opset, Path(folder))
        print(line(row), flush=True)
        wrong += not right
    print(f"{len(names)} networks, {wrong} wrong")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
