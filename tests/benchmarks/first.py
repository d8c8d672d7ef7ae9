"""The first answer of `convcalc forward torchvision/alexnet cat.jpg`: whole processes, ours and peers'.

    pip install -e ".[dev]" onnx onnxruntime openvino ncnn pnnx
    python tests/benchmarks/first.py [--runs 11] [--cold 3] [--cpu]

A process starts, imports, reads a model with its weights and a picture, runs once and prints the first class. Ours
draws its random weights, as the command does without `--weights`, or reads them from a file as the peers do. Warm: its
kernels are in the cache; cold: the cache is empty. Warm is to take at most 1.1 times as long as the soonest peer, cold
at most 5 s on two processors. Processes run in turn, each time in another order: memory that one has just given back is
there sooner for the next, on virtual machines by tenths of a second. Printed are medians, minima, processor seconds and
ratios to the soonest peer's median. Peers that are not installed are left out. --cpu: compare processor seconds, for a
machine with other work.
"""

from __future__ import annotations

import argparse
import importlib.util
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from statistics import median
from typing import NamedTuple

from engines import ENGINES, ONNX, PARAM, load_model, write_ncnn, write_onnx
from timing import ENVIRONMENT

NETWORK = "torchvision/alexnet"
PHOTOGRAPH = Path(__file__).parent.parent / "data" / "chelsea.png"
PEERS = Path(__file__).parent / "first_peers.py"


class Took(NamedTuple):
    """Of one process: seconds, and processor seconds of it and what it started."""

    seconds: float
    cpu: float


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=11)
    parser.add_argument("--cold", type=int, default=3)
    parser.add_argument("--cpu", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="convcalc-first-") as folder:
        commands = ours(folder) | peers(folder)
        for command in commands.values():  # what is read is in memory, and kernels are compiled
            run(command)
        took: dict[str, list[Took]] = {name: [] for name in commands}
        order = Random(0)
        for _ in range(options.runs):
            for name in order.sample(list(commands), len(commands)):
                took[name].append(run(commands[name]))
        cold = []
        for place in range(options.cold):
            cache = str(Path(folder) / f"cache{place}")
            cold.append(run(commands["convcalc, random weights"], {"CONVCALC_CACHE": cache}))
    place = int(options.cpu)
    soonest = min(
        (median(t[place] for t in took[n]) for n in took if not n.startswith("convcalc")), default=0.0
    )
    print(f"{'':38}{'median s':>10}{'minimum':>10}{'cpu s':>10}{'to soonest peer':>17}")
    if cold:
        took["convcalc, random weights, cold"] = cold
    for name, times in took.items():
        middle = median(time[place] for time in times)
        ratio = f"{middle / soonest:.2f}" if soonest and times is not cold else "–"
        cells = (
            median(t.seconds for t in times),
            min(t.seconds for t in times),
            median(t.cpu for t in times),
        )
        print(f"{name:38}" + "".join(f"{cell:10.2f}" for cell in cells) + f"{ratio:>17}")


def ours(folder: str) -> dict[str, list[str]]:
    """Our commands. Writes the picture and the weights."""
    from PIL import Image

    image, weights = str(Path(folder) / "cat.jpg"), str(Path(folder) / "alexnet.safetensors")
    with Image.open(PHOTOGRAPH) as picture:
        picture.convert("RGB").save(image)
    program = [sys.executable, "-m", "convcalc"]
    subprocess.run([*program, "convert", NETWORK, "-o", weights], check=True, stdout=subprocess.DEVNULL)
    forward = [*program, "forward", NETWORK, image]
    return {
        "convcalc, random weights": forward,
        "convcalc, weights from a file": [*forward, "--weights", weights],
    }


def peers(folder: str) -> dict[str, list[str]]:
    """The peers' commands. Writes their models: ONNX, and what OpenVINO and ncnn read sooner."""
    found = {name for name in ENGINES if all(map(importlib.util.find_spec, ENGINES[name].modules))}
    model = load_model(NETWORK, folder)
    commands = {}

    def add(title: str, peer: str, file: str) -> None:
        paths = [str(Path(folder) / name) for name in (file, "cat.jpg")]
        commands[title] = [sys.executable, str(PEERS), peer, *paths]

    if found & {"onnxruntime", "openvino", "ncnn"}:
        write_onnx(model)
    if "onnxruntime" in found:
        add("ONNX Runtime, ONNX", "onnxruntime", ONNX)
    if "openvino" in found:
        import openvino

        openvino.save_model(openvino.convert_model(Path(folder) / ONNX), Path(folder) / "alexnet.xml", False)
        add("OpenVINO, ONNX", "openvino", ONNX)
        add("OpenVINO, its own format", "openvino", "alexnet.xml")
    if "ncnn" in found:
        write_ncnn(model)
        add("ncnn, its own format", "ncnn", PARAM)
    return commands


def run(command: list[str], settings: dict[str, str] | None = None) -> Took:
    """How long a process takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, env=ENVIRONMENT | (settings or {}), check=True)
    seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Took(seconds, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)


if __name__ == "__main__":
    main()
