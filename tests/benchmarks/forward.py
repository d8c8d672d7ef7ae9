"""The same network with the same weights in convcalc, ONNX Runtime and PyTorch, side by side.

    pip install -e ".[dev]" onnx onnxruntime torch
    python tests/benchmarks/forward.py [NETWORK ...] [--threads 2,1] [--rounds 9] [--wait 2] [--markdown]

Each engine runs in a process of its own, that does nothing while another is at work; rounds go from engine to
engine, so that what else the machine does hits all alike, and a turn begins when the processors are idle, as ONNX
Runtime's threads spin for tens of milliseconds after a run. A round is a few runs, of which the first, with cold
caches, is not counted. Printed are medians over all counted runs, the ratio of the faster peer's to ours, the same
ratio of each engine's fastest run (what a busy machine disturbs least), the worst difference between the outputs, and
each process's memory. PyTorch runs with batch norm folded, traced and frozen, in
the faster of its two memory formats. Peers that are not installed are left out.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from math import exp, log
from statistics import median
from typing import Any

NETWORKS = ["vgg16", "googlenet", "resnet50", "resnet152", "torchvision/alexnet"]
ENGINES = {"convcalc": "numba", "onnxruntime": "onnxruntime", "torch": "torch"}
RUNS = 4  # of a round, after one that is not counted


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    parser.add_argument("--threads", default="2,1")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--engines", default=",".join(ENGINES))
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument(
        "--wait", type=float, default=2, help="at most so many seconds for idle processors before each turn"
    )
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(*options.worker)
        return
    engines = []
    for engine in options.engines.split(","):
        modules = [ENGINES[engine]] + (["onnx"] if engine == "onnxruntime" else [])
        missing = [module for module in modules if importlib.util.find_spec(module) is None]
        if missing:
            print(f"{engine} is left out: pip install {' '.join(missing)}", file=sys.stderr)
        else:
            engines.append(engine)
    print(f"{processor()}, {os.cpu_count()} processors, Python {platform.python_version()}")
    table(options, engines)


def table(options: argparse.Namespace, engines: list[str]) -> None:
    """One row per network and number of threads; at the end the geometric means of the ratios."""
    peers = [engine for engine in engines if engine != "convcalc"]
    columns = [
        "network",
        "threads",
        *(f"{e} ms" for e in engines),
        "ratio",
        "of fastest",
        "difference",
        *(f"{e} MB" for e in engines),
    ]
    if options.markdown:
        print("| " + " | ".join(columns) + " |\n|" + " --- |" * len(columns))
    else:
        print("  ".join(f"{name:>14}" for name in columns))
    for threads in options.threads.split(","):
        ratios = []
        for network in options.networks:
            times, states = compare(network, threads, engines, options.rounds, options.wait)
            medians = {engine: median(values) for engine, values in times.items()}
            ratio = min((medians[peer] for peer in peers), default=0.0) / medians["convcalc"]
            ratios.append(ratio)
            fastest = {engine: min(values) for engine, values in times.items()}
            of_fastest = min((fastest[peer] for peer in peers), default=0.0) / fastest["convcalc"]
            ours = states["convcalc"]["output"]
            largest = max(map(abs, ours))
            worst = max(
                (
                    max(abs(a - b) for a, b in zip(ours, states[peer]["output"], strict=True))
                    for peer in peers
                ),
                default=0.0,
            )
            cells = [
                network, threads, *(f"{medians[e] * 1e3:.2f}" for e in engines), f"{ratio:.2f}",
                f"{of_fastest:.2f}", f"{worst / largest:.1e}", *(f"{states[e]['memory']:.0f}" for e in engines),
            ]  # fmt: skip
            print(
                "| " + " | ".join(cells) + " |"
                if options.markdown
                else "  ".join(f"{cell:>14}" for cell in cells),
                flush=True,
            )
        if peers and len(ratios) > 1:
            mean = exp(sum(map(log, ratios)) / len(ratios))
            print(f"geometric mean of the ratios with {threads} threads: {mean:.2f}")


def compare(
    network: str, threads: str, engines: list[str], rounds: int, wait: float
) -> tuple[dict[str, list[float]], dict[str, Any]]:
    """Seconds of all counted runs, and what each worker says of itself."""
    workers = {}
    states = {}
    for engine in engines:  # one after the other: preparing takes all processors too
        command = [sys.executable, __file__, "--worker", engine, network, threads]
        workers[engine] = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        _read(workers[engine])
    times: dict[str, list[float]] = {engine: [] for engine in engines}
    for _ in range(rounds):
        for engine in engines:
            wait_for_idle(wait)
            times[engine] += _ask(workers[engine], "run")
    for engine, worker in workers.items():
        states[engine] = _ask(worker, "state")
        assert worker.stdin
        worker.stdin.close()
        worker.wait()
    return times, states


def wait_for_idle(seconds: float) -> None:
    """Until the processors have nothing to do, as engines' threads spin for a while after a run; at most so long."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        before = _busy()
        time.sleep(0.1)
        if _busy() - before < 2:  # hundredths of a second, of all processors
            return


def _busy() -> int:
    try:
        with open("/proc/stat", encoding="ascii") as file:
            user, _, system, *_ = map(int, file.readline().split()[1:])
    except OSError:
        return 0
    return user + system


def _ask(worker: subprocess.Popen[str], what: str) -> Any:
    assert worker.stdin
    worker.stdin.write(what + "\n")
    worker.stdin.flush()
    return _read(worker)


def _read(worker: subprocess.Popen[str]) -> Any:
    assert worker.stdout
    line = worker.stdout.readline()
    if not line:
        raise SystemExit(f"a worker ended: {' '.join(map(str, worker.args))}")  # type: ignore[arg-type]
    return json.loads(line)


def work(engine: str, network: str, threads: str) -> None:
    """A worker: says when it is ready, then runs or reports as it is told, line by line."""
    import random
    from array import array
    from dataclasses import replace
    from math import prod

    from convcalc.graph import Output
    from convcalc.language.load import load_graph
    from convcalc.weights.load import random_weights

    graph = load_graph(network)
    if graph.nodes[-1].kind == "softmax":  # scores tell more than random weights' 0 and 1
        outputs = (Output("scores", graph.nodes[-1].inputs[0]),)
        graph = replace(graph, nodes=graph.nodes[:-1], outputs=outputs)
    weights = random_weights(graph, 1)
    source = random.Random(1)
    values = array("f", [source.gauss(0, 1) for _ in range(prod(graph.input_shape))])
    run = STARTERS[engine](graph, weights, values, int(threads))
    output = run()
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        if line.strip() == "state":
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
                1 if sys.platform == "darwin" else 1024
            )
            print(json.dumps({"output": list(map(float, output)), "memory": memory}), flush=True)
            continue
        times = []
        for _ in range(RUNS + 1):
            began = time.perf_counter()
            run()
            times.append(time.perf_counter() - began)
        print(json.dumps(times[1:]), flush=True)


def start_convcalc(graph: Any, weights: Any, values: Any, threads: int) -> Callable[[], Any]:
    from convcalc.backends.numba import prepare

    plan = prepare(graph, weights, threads)
    return lambda: plan.run(values).values


def start_onnxruntime(graph: Any, weights: Any, values: Any, threads: int) -> Callable[[], Any]:
    import numpy as np
    import onnxruntime

    sys.path.insert(0, os.path.dirname(__file__))
    from onnx_export import export

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    model = export(graph, weights).SerializeToString()
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    x = np.frombuffer(values, np.float32).reshape(1, *graph.input_shape)
    return lambda: session.run(None, {"x": x})[0].ravel()


def start_torch(graph: Any, weights: Any, values: Any, threads: int) -> Callable[[], Any]:
    import warnings

    import torch

    sys.path.insert(0, os.path.dirname(__file__))
    from torch_network import TorchNetwork

    warnings.simplefilter("ignore")
    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    x = torch.frombuffer(bytearray(values.tobytes()), dtype=torch.float32).reshape(1, *graph.input_shape)
    best: tuple[float, Callable[[], Any]] | None = None
    for form in (torch.contiguous_format, torch.channels_last):
        module = TorchNetwork(graph, weights).eval()
        given = x
        if x.ndim == 4:
            given = x.to(memory_format=form)
            for name, tensor in list(module.named_buffers()):
                if tensor.ndim == 4:
                    setattr(module, name, tensor.to(memory_format=form))
        traced = torch.jit.freeze(torch.jit.trace(module, given))

        def run(traced: Any = traced, given: Any = given) -> Any:
            return traced(given).contiguous().reshape(-1).numpy()

        took = []
        for _ in range(6):
            began = time.perf_counter()
            run()
            took.append(time.perf_counter() - began)
        if best is None or min(took) < best[0]:
            best = min(took), run
    assert best
    return best[1]


STARTERS = {"convcalc": start_convcalc, "onnxruntime": start_onnxruntime, "torch": start_torch}


def processor() -> str:
    """The processor's name."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            lines = file.read().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
