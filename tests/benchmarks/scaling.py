"""How reading, expanding and analysing grows with the number of layers; PyYAML's own C loader is the peer.

    python tests/benchmarks/scaling.py [LARGEST]

Each size runs in a process of its own, so that the memory shown is that size's. 100,000 layers are to take at most
10 s and 1 GB.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HEAD = "name: generated\ninput: [8, 32, 32]\nlayers:\n"
SHAPES = {
    "chain": "  - conv: {filters: 8, kernel: 3, padding: 1}\n  - relu\n",
    "residual": "  - add: [[], [{conv: {filters: 8, kernel: 3, padding: 1}}, relu]]\n  - relu\n",
    "concat": "  - concat: [[{conv: {filters: 4, kernel: 1}}], [{conv: {filters: 4, kernel: 3, padding: 1}}]]\n",
}
LAYERS = {"chain": 2, "residual": 4, "concat": 3}


def spec(shape: str, layers: int) -> str:
    return HEAD + SHAPES[shape] * (layers // LAYERS[shape])


def measure(path: str) -> None:
    """In a process of its own: seconds to load and analyse, layers, seconds of the peer, peak memory."""
    from convcalc.analysis.analyse import analyse
    from convcalc.language.load import load_graph

    start = time.perf_counter()
    analysis = analyse(load_graph(path))
    ours = time.perf_counter() - start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        1024 if sys.platform != "darwin" else 1024**2
    )
    import yaml

    text = Path(path).read_text()
    start = time.perf_counter()
    yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    print(ours, time.perf_counter() - start, analysis.totals.layers, memory)


def main() -> None:
    if len(sys.argv) > 2:
        measure(sys.argv[2])
        return
    largest = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    print(
        f"{'shape':10} {'layers':>9} {'seconds':>9} {'µs/layer':>9} {'growth':>7} "
        f"{'yaml.load':>9} {'ratio':>6} {'MB':>7}"
    )
    for shape in SHAPES:
        before = 0.0
        size = 1_000
        while size <= largest:
            with tempfile.NamedTemporaryFile("w", suffix=".yaml", delete=False) as file:
                file.write(spec(shape, size))
            command = [sys.executable, __file__, "measure", file.name]
            runs = [
                subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
                for _ in range(3)
            ]
            Path(file.name).unlink()
            ours, peer, layers, memory = sorted([float(x) for x in run] for run in runs)[1]
            growth = f"{ours / before:.1f}" if before else ""
            print(
                f"{shape:10} {layers:>9,.0f} {ours:>9.3f} {1e6 * ours / layers:>9.1f} {growth:>7} "
                f"{peer:>9.3f} {ours / peer:>6.2f} {memory:>7.1f}"
            )
            before = ours
            size *= 10


if __name__ == "__main__":
    main()
