"""The engines of `forward.py`, ours and its peers: what each needs, how its model is made and how it is started.

A network's weights are drawn and converted once, into files of one folder (`write_models`); each engine then runs in a
process of its own (`work`), that is told line by line what to do.
"""

from __future__ import annotations

import json
import os
import random
import resource
import subprocess
import sys
import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parent))

from convcalc.graph import Graph, Output
from convcalc.language.load import load_graph
from convcalc.weights.load import Weights, random_weights

OURS, OURS_BF16, THEIRS_BF16 = "convcalc", "convcalc-bf16", "openvino-bf16"
ONNX, PARAM, BIN = "model.onnx", "model.ncnn.param", "model.ncnn.bin"
SEED = 1
# An engine's threads are taken to rest when the process uses less than this share of a nap's time.
NAP, RESTING, LONGEST = 0.004, 0.1, 3.0

Run = Callable[[], Any]


class Engine(NamedTuple):
    """title: in tables; modules: what must be installed; file: the model it reads, if any; bf16: whether it may compute
    in bfloat16; avx2: whether it can be told to use AVX2 only."""

    title: str
    modules: tuple[str, ...]
    file: str | None = None
    bf16: bool = False
    avx2: bool = True


ENGINES = {
    OURS: Engine("convcalc", ("numba",)),
    "onnxruntime": Engine("ONNX Runtime", ("onnxruntime", "onnx"), ONNX, avx2=False),
    "openvino": Engine("OpenVINO", ("openvino", "onnx"), ONNX),
    "ncnn": Engine("ncnn", ("ncnn", "pnnx", "onnx"), PARAM, avx2=False),
    "torch": Engine("PyTorch", ("torch",)),
    OURS_BF16: Engine("convcalc bf16", ("numba",), bf16=True),
    THEIRS_BF16: Engine("OpenVINO auto", ("openvino", "onnx"), ONNX, bf16=True, avx2=False),
}
AVX2 = {"CONVCALC_VECTOR": "8", "ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}


@dataclass(frozen=True)
class Model:
    """A network with an input, and the folder that holds its converted files, if there are any."""

    graph: Graph
    values: array[float]
    folder: Path

    @property
    def weights(self) -> Weights:
        """The same in every process."""
        return random_weights(self.graph, SEED)

    def batch(self) -> Any:
        """The input with a batch axis, as NumPy's array."""
        import numpy as np

        return np.frombuffer(self.values, np.float32).reshape(1, *self.graph.input_shape)


def load_model(network: str, folder: str | Path = "", side: int | None = None) -> Model:
    """The network up to its scores, since random weights' probabilities are 0 and 1. side: of its input, in pixels."""
    graph = load_graph(network, input_shape=None if side is None else (3, side, side))
    if graph.nodes[-1].kind == "softmax":
        outputs = (Output("scores", graph.nodes[-1].inputs[0]),)
        graph = replace(graph, nodes=graph.nodes[:-1], outputs=outputs)
    return model_of(graph, folder)


def model_of(graph: Graph, folder: str | Path = "") -> Model:
    """The network with a random input."""
    source = random.Random(SEED)
    values = array("f", [source.gauss(0, 1) for _ in range(prod(graph.input_shape))])
    return Model(graph, values, Path(folder))


def write_models(network: str, folder: str, names: Sequence[str]) -> None:
    """Writes the files that these engines read. What cannot be converted leaves its reason in a file `NAME.failed`."""
    files = {ENGINES[name].file for name in names}
    model = load_model(network, folder)
    for wanted, write in ((ONNX, write_onnx), (PARAM, write_ncnn)):
        if wanted in files or (wanted == ONNX and PARAM in files):
            try:
                write(model)
            except Exception as error:
                (model.folder / f"{wanted}.failed").write_text(_reason(error), encoding="utf-8")


def write_onnx(model: Model) -> None:
    """The network with its weights as ONNX."""
    from onnx_export import export

    (model.folder / ONNX).write_bytes(export(model.graph, model.weights).SerializeToString())


def write_ncnn(model: Model) -> None:
    """The ONNX file converted by pnnx, in float32."""
    shape = ",".join(map(str, (1, *model.graph.input_shape)))
    pnnx = os.path.join(os.path.dirname(sys.executable), "pnnx")
    done = subprocess.run(
        [pnnx, ONNX, f"inputshape=[{shape}]", "fp16=0"],
        cwd=model.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False,
    )  # fmt: skip
    for path in model.folder.glob("model*"):  # pnnx writes the weights four times
        if path.name not in (ONNX, PARAM, BIN):
            path.unlink()
    if done.returncode or not (model.folder / PARAM).exists():
        said = done.stdout.strip().splitlines() or ["nothing said"]
        raise RuntimeError(f"pnnx ended with {done.returncode}: {said[-1]}")


def work(name: str, network: str, folder: str, threads: str) -> None:
    """A worker: says when it is ready, or why it cannot, then runs or reports as it is told, line by line."""
    try:
        model = load_model(network, folder)
        run = STARTERS[name](model, int(threads))
        output = array("f", run())
    except Exception as error:
        _say({"failed": _reason(error)})
        return
    _say({"output": list(output)})
    for line in sys.stdin:
        if line.strip() == "memory":
            unit = 1 if sys.platform == "darwin" else 1024
            _say(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit)
            continue
        run()
        began = time.perf_counter()
        run()
        ended = time.perf_counter()
        _say({"seconds": ended - began, "spun": _rest() - ended})


def _rest() -> float:
    """Waits until this process's threads do nothing, since some engines' spin after a run; when they stopped."""
    until = time.perf_counter() + LONGEST
    while (now := time.perf_counter()) < until:
        used = time.process_time()
        time.sleep(NAP)
        if time.process_time() - used < RESTING * NAP:
            break
    return now


def _say(what: Any) -> None:
    print(json.dumps(what), flush=True)


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split()):.400}"


def start_convcalc(model: Model, threads: int, **settings: Any) -> Run:
    """Our own fast backend."""
    from convcalc.backends.numba import prepare

    plan = prepare(model.graph, model.weights, threads, **settings)
    return lambda: plan.run(model.values).values


def start_convcalc_bf16(model: Model, threads: int) -> Run:
    """Our own fast backend with maps and weights in bfloat16."""
    return start_convcalc(model, threads, precision="bf16")


def _file(model: Model, name: str) -> str:
    failed = model.folder / f"{name}.failed"
    if failed.exists():
        raise RuntimeError(failed.read_text(encoding="utf-8"))
    return str(model.folder / name)


def start_onnxruntime(model: Model, threads: int) -> Run:
    """ONNX Runtime with the settings that it comes with."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    providers = ["CPUExecutionProvider"]
    session = onnxruntime.InferenceSession(_file(model, ONNX), options, providers=providers)
    x = model.batch()
    return lambda: session.run(None, {"x": x})[0].ravel()


def start_openvino(model: Model, threads: int, precision: str | None = "f32") -> Run:
    """OpenVINO for the least latency. precision: None leaves it to choose."""
    import openvino

    core = openvino.Core()
    settings: dict[str, Any] = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
    if precision:
        settings["INFERENCE_PRECISION_HINT"] = precision
    compiled = core.compile_model(core.read_model(_file(model, ONNX)), "CPU", settings)
    request = compiled.create_infer_request()
    request.set_input_tensor(openvino.Tensor(model.batch(), shared_memory=True))

    def run() -> Any:
        request.infer()
        return request.get_output_tensor().data.ravel()

    return run


def start_openvino_as_it_comes(model: Model, threads: int) -> Run:
    """OpenVINO in the number type that it chooses by itself: bfloat16 where the processor has it."""
    return start_openvino(model, threads, precision=None)


def start_ncnn(model: Model, threads: int) -> Run:
    """ncnn in float32."""
    import ncnn
    import numpy as np

    network = ncnn.Net()
    network.opt.num_threads = threads
    for name in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage"):
        setattr(network.opt, name, False)
    if network.load_param(_file(model, PARAM)) or network.load_model(_file(model, BIN)):
        raise RuntimeError("ncnn does not load what pnnx wrote")
    x = ncnn.Mat(model.batch()[0])

    def run() -> Any:
        extractor = network.create_extractor()
        extractor.input("in0", x)
        return np.array(extractor.extract("out0")[1]).ravel()

    return run


def start_torch(model: Model, threads: int) -> Run:
    """PyTorch with batch norm folded, traced and frozen, in the faster of its two memory formats."""
    import warnings

    import torch
    from torch_network import TorchNetwork

    warnings.simplefilter("ignore")
    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    x, weights = torch.from_numpy(model.batch().copy()), model.weights
    best: tuple[float, Run] | None = None
    for form in (torch.contiguous_format, torch.channels_last):
        module = TorchNetwork(model.graph, weights).eval()
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


STARTERS: dict[str, Callable[[Model, int], Run]] = {
    OURS: start_convcalc,
    OURS_BF16: start_convcalc_bf16,
    "onnxruntime": start_onnxruntime,
    "openvino": start_openvino,
    THEIRS_BF16: start_openvino_as_it_comes,
    "ncnn": start_ncnn,
    "torch": start_torch,
}


if __name__ == "__main__":
    job, *arguments = sys.argv[1:]
    if job == "write":
        write_models(*arguments[:2], arguments[2:])
    else:
        work(*arguments)  # type: ignore[call-arg]
