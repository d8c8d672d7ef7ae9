"""The same network with the same weights in convcalc and in other engines, side by side.

    pip install -e ".[dev]" onnx onnxruntime openvino ncnn pnnx torch
    python tests/benchmarks/forward.py [NETWORK ...] [--threads 1,2] [--rounds 9] [--engines …] [--markdown]
                                       [--json FILE] [--cpu-features avx2]
    python tests/benchmarks/forward.py --read FILE [--markdown]

Peers: ONNX Runtime, OpenVINO told to stay in float32 and as it comes (bfloat16 where the processor has it), ncnn in
float32, converted by pnnx, and, only if named by --engines, PyTorch with batch norm folded, traced and frozen, in the
faster of its two memory formats. Ours runs in float32 and in bfloat16. Peers that are not installed are left out.

Each engine runs in a process of its own that does nothing while another is at work; the process answers when its
threads rest, as some spin after a run. Single runs go from engine to engine, so that what else the machine does hits
all alike; a turn begins with a run that is not counted, a round when the processors are idle.

Printed are median, lower quartile and minimum of each engine in ms, the largest difference of its output from our
float32 one, relative to the largest value, the process's memory, and how long its threads spin after a run. Ratios are
a peer's time to ours: the best float32 peer's to our float32, OpenVINO's as it comes to our bfloat16, and the best of
all to the better of ours. An engine in float32 whose output is wrong is left out of them. At the end stands a table,
in Markdown, with the geometric means.

--json keeps every run's time in a file, network by network; --read prints the tables of such a file again.

--cpu-features avx2: what processors without AVX-512 get: our kernels are compiled for AVX2, and peers that can be told
(OpenVINO in float32, PyTorch) are told; ONNX Runtime and ncnn cannot be, and OpenVINO as it comes fails then: they are
left out.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from engines import AVX2, ENGINES
from results import Result, block, tables

NETWORKS = [
    "resnet50", "vgg16", "torchvision/mobilenet_v2", "torchvision/alexnet", "googlenet", "resnet18", "resnet152",
    "torchvision/densenet121", "torchvision/squeezenet1_1", "torchvision/shufflenet_v2_x1_0",
    "torchvision/efficientnet_b0", "torchvision/mnasnet1_0", "torchvision/regnet_y_400mf", "torchvision/convnext_tiny",
    "torchvision/inception_v3", "torchvision/mobilenet_v3_large", "torchvision/resnext50_32x4d",
    "torchvision/wide_resnet50_2", "torchvision/densenet201", "torchvision/vit_b_16",
]  # fmt: skip
DEFAULT = [name for name in ENGINES if name != "torch"]
PROGRAM = str(Path(__file__).parent / "engines.py")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--engines", default=",".join(DEFAULT), help=f"of {', '.join(ENGINES)}")
    parser.add_argument(
        "--markdown", action="store_true", help="the tables alone; the rest to standard error"
    )
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--read", metavar="FILE")
    parser.add_argument("--cpu-features", choices=["avx2"])
    parser.add_argument(
        "--wait", type=float, default=2, help="at most so many seconds for idle processors before each round"
    )
    options = parser.parse_args()
    log = sys.stderr if options.markdown else sys.stdout
    if options.read:
        machine, results = _read_file(options.read)
    else:
        machine, results = _machine(options), []
        print(machine, file=log, flush=True)
        threads = [int(count) for count in options.threads.split(",")]
        for network in options.networks:
            for result in measure(network, threads, _installed(options), options.rounds, options.wait):
                results.append(result)
                print(f"\n{block(result)}", file=log, flush=True)
            if options.json:
                _write_file(options.json, machine, results)
    print(f"{'' if options.markdown else chr(10)}{machine}\n\n{tables(results)}")


def _installed(options: argparse.Namespace) -> list[str]:
    """The engines that were asked for and can run."""
    names = []
    for name in options.engines.split(","):
        missing = [module for module in ENGINES[name].modules if importlib.util.find_spec(module) is None]
        if missing:
            print(f"{name} is left out: pip install {' '.join(missing)}", file=sys.stderr)
        elif options.cpu_features and not ENGINES[name].avx2:
            print(f"{name} is left out: it cannot be told to use {options.cpu_features}", file=sys.stderr)
        else:
            names.append(name)
    return names


def measure(network: str, threads: list[int], names: list[str], rounds: int, wait: float) -> list[Result]:
    """One result per number of threads. The converted files live in a temporary folder until then."""
    with tempfile.TemporaryDirectory(prefix="convcalc-forward-") as folder:
        subprocess.run([sys.executable, PROGRAM, "write", network, folder, *names], check=True)
        return [compare(network, folder, count, names, rounds, wait) for count in threads]


def compare(network: str, folder: str, threads: int, names: list[str], rounds: int, wait: float) -> Result:
    """The seconds of all counted runs of each engine, and what it says of itself."""
    result = Result(network, threads)
    workers = {}
    together = max(1, (os.cpu_count() or 1))  # started at the same time
    for first in range(0, len(names), together):
        started = {name: _start(name, network, folder, threads) for name in names[first : first + together]}
        for name, worker in started.items():
            state = _read(worker)
            if "failed" in state:
                result.failed[name] = state["failed"]
            else:
                result.outputs[name] = state["output"]
                workers[name] = worker
    for name in workers:
        result.seconds[name], result.spun[name] = [], []
    for _ in range(rounds):
        wait_for_idle(wait)
        for name, worker in workers.items():
            answer = _ask(worker, "run")
            result.seconds[name].append(answer["seconds"])
            result.spun[name].append(answer["spun"])
    for name, worker in workers.items():
        result.memory[name] = _ask(worker, "memory")
        assert worker.stdin
        worker.stdin.close()
        worker.wait()
    result.compare_outputs()
    return result


def wait_for_idle(seconds: float) -> None:
    """Until the processors have nothing to do; at most so long."""
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


def _start(name: str, network: str, folder: str, threads: int) -> subprocess.Popen[str]:
    command = [sys.executable, PROGRAM, "work", name, network, folder, str(threads)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _ask(worker: subprocess.Popen[str], what: str) -> Any:
    assert worker.stdin
    worker.stdin.write(what + "\n")
    worker.stdin.flush()
    answer = _read(worker)
    if isinstance(answer, dict) and "failed" in answer:
        raise SystemExit(f"{' '.join(map(str, worker.args))}: {answer['failed']}")  # type: ignore[arg-type]
    return answer


def _read(worker: subprocess.Popen[str]) -> Any:
    assert worker.stdout
    line = worker.stdout.readline()
    return json.loads(line) if line else {"failed": f"the process ended with {worker.wait()}"}


def _machine(options: argparse.Namespace) -> str:
    """The processor's name and what is told to the engines."""
    if options.cpu_features:
        os.environ.update(AVX2)
    features = f", {options.cpu_features} only" if options.cpu_features else ""
    return f"{processor()}{features}, {os.cpu_count()} processors, Python {platform.python_version()}"


def processor() -> str:
    """The processor's name."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            lines = file.read().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _write_file(path: str, machine: str, results: list[Result]) -> None:
    text = json.dumps({"machine": machine, "results": [result.values() for result in results]}, indent=1)
    Path(path).write_text(text, encoding="utf-8")


def _read_file(path: str) -> tuple[str, list[Result]]:
    values = json.loads(Path(path).read_text(encoding="utf-8"))
    return values["machine"], [Result(**entry) for entry in values["results"]]


if __name__ == "__main__":
    main()
