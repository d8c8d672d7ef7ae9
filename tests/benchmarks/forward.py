"""The same network with the same weights in convcalc and in other engines, side by side.

    pip install -e ".[dev]" onnx onnxruntime openvino ncnn pnnx torch
    python tests/benchmarks/forward.py [NETWORK ...] [--threads 2,1] [--rounds 15] [--wait 2] [--markdown]

Peers: ONNX Runtime, OpenVINO told to stay in float32 and as it comes (bfloat16 where the processor has it), ncnn in
float32, converted by pnnx, and PyTorch with batch norm folded, traced and frozen, in the faster of its two memory
formats. Each engine runs in a process of its own, that does nothing while another is at work. Single runs go from
engine to engine, so that what else the machine does hits all alike; a turn begins when the processors are idle, as
some engines' threads spin for tens of milliseconds after a run, and with a run that is not counted. Printed are
median, lower quartile and minimum of each engine, the ratios of the best float32 peer's to ours, the worst difference
between the float32 outputs, and each process's memory; at the end the geometric means of the ratios against the best
float32 peer and against the best of all. Peers that are not installed are left out.

--cpu-features avx2: what processors without AVX-512 get: our kernels are compiled for AVX2, and peers that can be told
(OpenVINO, PyTorch) are told; ONNX Runtime and ncnn cannot be, and are left out.
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

NETWORKS = [
    "resnet50", "vgg16", "torchvision/mobilenet_v2", "torchvision/alexnet", "googlenet", "resnet18", "resnet152",
    "torchvision/densenet121", "torchvision/squeezenet1_1", "torchvision/shufflenet_v2_x1_0",
    "torchvision/efficientnet_b0", "torchvision/mnasnet1_0", "torchvision/regnet_y_400mf", "torchvision/convnext_tiny",
    "torchvision/inception_v3", "torchvision/mobilenet_v3_large", "torchvision/resnext50_32x4d",
    "torchvision/wide_resnet50_2", "torchvision/densenet201", "torchvision/vit_b_16",
]  # fmt: skip
OURS, AS_IT_COMES = "convcalc", "openvino-bf16"
ENGINES = {
    OURS: ("numba",),
    "onnxruntime": ("onnxruntime", "onnx"),
    "openvino": ("openvino", "onnx"),
    AS_IT_COMES: ("openvino", "onnx"),
    "ncnn": ("ncnn", "pnnx", "onnx"),
    "torch": ("torch",),
}
AVX2 = {"CONVCALC_VECTOR": "8", "ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
UNTOLD = ("onnxruntime", "ncnn")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    parser.add_argument("--threads", default="2,1")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--engines", default=",".join(ENGINES))
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--cpu-features", choices=["avx2"])
    parser.add_argument(
        "--wait", type=float, default=2, help="at most so many seconds for idle processors before each turn"
    )
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(*options.worker)
        return
    if options.cpu_features:
        os.environ.update(AVX2)
    engines = []
    for engine in options.engines.split(","):
        missing = [module for module in ENGINES[engine] if importlib.util.find_spec(module) is None]
        if missing:
            print(f"{engine} is left out: pip install {' '.join(missing)}", file=sys.stderr)
        elif options.cpu_features and engine in UNTOLD:
            print(f"{engine} is left out: it cannot be told to use {options.cpu_features}", file=sys.stderr)
        else:
            engines.append(engine)
    features = f", {options.cpu_features} only" if options.cpu_features else ""
    print(f"{processor()}{features}, {os.cpu_count()} processors, Python {platform.python_version()}")
    table(options, engines)


def table(options: argparse.Namespace, engines: list[str]) -> None:
    """One row per network and number of threads; at the end the geometric means of the ratios."""
    peers = [engine for engine in engines if engine != OURS]
    exact = [peer for peer in peers if peer != AS_IT_COMES]
    columns = [
        "network", "threads", *(f"{engine} ms" for engine in engines), "float32", "quartile", "minimum", "of all",
        "difference", *(f"{engine} MB" for engine in engines),
    ]  # fmt: skip
    width = max(map(len, options.networks))
    if options.markdown:
        print("| " + " | ".join(columns) + " |\n|" + " --- |" * len(columns))
    else:
        print("  ".join(f"{name:>{width if name == 'network' else 17}}" for name in columns))
    for threads in options.threads.split(","):
        ratios: dict[str, list[float]] = {"float32": [], "quartile": [], "minimum": [], "of all": []}
        for network in options.networks:
            times, states = compare(network, threads, engines, options.rounds, options.wait)
            shown = {engine: statistics_of(times[engine]) for engine in times}
            row = []
            for name, among, place in (
                ("float32", exact, 0), ("quartile", exact, 1), ("minimum", exact, 2), ("of all", peers, 0),
            ):  # fmt: skip
                best = min((shown[peer][place] for peer in among if peer in shown), default=0.0)
                row.append(f"{best / shown[OURS][place]:.2f}" if best else "–")
                ratios[name] += [best / shown[OURS][place]] if best else []
            ours = states[OURS]["output"]
            worst = max(
                (
                    max(abs(a - b) for a, b in zip(ours, states[peer]["output"], strict=True))
                    for peer in exact
                    if peer in states
                ),
                default=0.0,
            )
            cells = [
                network, threads,
                *("/".join(f"{t * 1e3:.4g}" for t in shown[e]) if e in shown else "–" for e in engines),
                *row, f"{worst / max(map(abs, ours)):.1e}",
                *(f"{states[e]['memory']:.0f}" if e in states else "–" for e in engines),
            ]  # fmt: skip
            print(
                "| " + " | ".join(cells) + " |"
                if options.markdown
                else "  ".join(f"{cell:>{17 if n else width}}" for n, cell in enumerate(cells)),
                flush=True,
            )
        if peers and len(options.networks) > 1:
            means = (
                f"{name} {exp(sum(map(log, values)) / len(values)):.2f}"
                for name, values in ratios.items()
                if values
            )
            print(f"geometric means of the ratios with {threads} threads: {', '.join(means)}", flush=True)


def statistics_of(times: list[float]) -> tuple[float, float, float]:
    """Median, lower quartile and minimum, in seconds."""
    ordered = sorted(times)
    return median(ordered), ordered[len(ordered) // 4], ordered[0]


def compare(
    network: str, threads: str, engines: list[str], rounds: int, wait: float
) -> tuple[dict[str, list[float]], dict[str, Any]]:
    """Seconds of all counted runs, and what each worker says of itself."""
    workers = {}
    states = {}
    for engine in engines:  # one after the other: preparing takes all processors too
        command = [sys.executable, __file__, "--worker", engine, network, threads]
        worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            _read(worker)
        except SystemExit as ended:  # a network that a peer does not take says so, and the others go on
            if engine == OURS:
                raise
            print(f"{network}: {ended}", file=sys.stderr)
        else:
            workers[engine] = worker
    times: dict[str, list[float]] = {engine: [] for engine in workers}
    for _ in range(rounds):
        for engine in workers:
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
    output = array("f", run())
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        if line.strip() == "state":
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
                1 if sys.platform == "darwin" else 1024
            )
            print(json.dumps({"output": list(map(float, output)), "memory": memory}), flush=True)
            continue
        run()
        began = time.perf_counter()
        run()
        print(json.dumps([time.perf_counter() - began]), flush=True)


def start_convcalc(graph: Any, weights: Any, values: Any, threads: int) -> Callable[[], Any]:
    from convcalc.backends.numba import prepare

    plan = prepare(graph, weights, threads)
    return lambda: plan.run(values).values


def start_onnxruntime(graph: Any, weights: Any, values: Any, threads: int) -> Callable[[], Any]:
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(_onnx(graph, weights), options, providers=["CPUExecutionProvider"])
    x = np.frombuffer(values, np.float32).reshape(1, *graph.input_shape)
    return lambda: session.run(None, {"x": x})[0].ravel()


def start_openvino(
    graph: Any, weights: Any, values: Any, threads: int, free: bool = False
) -> Callable[[], Any]:
    """free: in the number type that it chooses by itself."""
    import numpy as np
    import openvino

    core = openvino.Core()
    settings: dict[str, Any] = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
    if not free:
        settings["INFERENCE_PRECISION_HINT"] = "f32"
    compiled = core.compile_model(core.read_model(_onnx(graph, weights)), "CPU", settings)
    request = compiled.create_infer_request()
    x = np.frombuffer(values, np.float32).reshape(1, *graph.input_shape)
    request.set_input_tensor(openvino.Tensor(x, shared_memory=True))

    def run() -> Any:
        request.infer()
        return request.get_output_tensor().data.ravel()

    return run


def start_openvino_free(graph: Any, weights: Any, values: Any, threads: int) -> Callable[[], Any]:
    return start_openvino(graph, weights, values, threads, free=True)


def start_ncnn(graph: Any, weights: Any, values: Any, threads: int) -> Callable[[], Any]:
    import tempfile

    import ncnn
    import numpy as np

    with tempfile.TemporaryDirectory() as folder:
        model = os.path.join(folder, "model.onnx")
        with open(model, "wb") as file:
            file.write(_onnx(graph, weights))
        shape = ",".join(map(str, (1, *graph.input_shape)))
        subprocess.run(
            [os.path.join(os.path.dirname(sys.executable), "pnnx"), model, f"inputshape=[{shape}]", "fp16=0"],
            cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True,
        )  # fmt: skip
        network = ncnn.Net()
        network.opt.num_threads = threads
        for name in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage"):
            setattr(network.opt, name, False)
        network.load_param(os.path.join(folder, "model.ncnn.param"))
        network.load_model(os.path.join(folder, "model.ncnn.bin"))
    x = ncnn.Mat(np.frombuffer(values, np.float32).reshape(graph.input_shape))

    def run() -> Any:
        extractor = network.create_extractor()
        extractor.input("in0", x)
        return np.array(extractor.extract("out0")[1]).ravel()

    return run


def _onnx(graph: Any, weights: Any) -> bytes:
    sys.path.insert(0, os.path.dirname(__file__))
    from onnx_export import export

    return bytes(export(graph, weights).SerializeToString())


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


STARTERS = {
    OURS: start_convcalc,
    "onnxruntime": start_onnxruntime,
    "openvino": start_openvino,
    AS_IT_COMES: start_openvino_free,
    "ncnn": start_ncnn,
    "torch": start_torch,
}


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
