"""Compares a bundled network with a PyTorch module that has its keys: what timm_networks.py and papers.py share.

For each network: parameters; every key of the state dict and its shape, but for batch counters and dimensions of 1;
multiply-accumulates by PyTorch's own counter; the output shape of every module that stands under a layer's path or key,
at the spec's own input size; and all outputs on random input with the same random weights, at a smaller size where the
network is large, within 1e-4 of the largest.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import torch  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from torch import nn  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from convcalc.graph import Graph  # noqa: E402
from convcalc.language.load import load_graph  # noqa: E402

TOLERANCE = 1e-4
COUNTER = "num_batches_tracked"


@dataclass(frozen=True)
class Peer:
    """A network and the module that it has to equal. input: the shape that outputs are compared at, if not the spec's.
    rename: from the module's keys to ours. outputs: whether they have to be equal too."""

    arch: str
    build: Callable[[], nn.Module]
    settings: Mapping[str, str] = field(default_factory=dict)
    input: tuple[int, ...] | None = None
    rename: Callable[[str], str] = str
    outputs: bool = True

    @property
    def label(self) -> str:
        return " ".join([self.arch, *(f"{name}={value}" for name, value in self.settings.items())])


def squeezed(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(size for size in shape if size != 1)


def our_tensors(graph: Graph) -> dict[str, tuple[int, ...]]:
    """Every key of a weights file with its shape, without dimensions of 1."""
    return {
        node.keys.get(parameter.name, parameter.key(node.keys.get("", node.name))): squeezed(parameter.shape)
        for node in graph
        for parameter in node.parameters
        if node.shares is None
    }


def our_shapes(graph: Graph) -> dict[str, tuple[int, ...]]:
    """The output shape of each layer, by its path and by the module path that its keys tell."""
    shapes = {node.name: node.output_shape for node in graph}
    for node in graph:
        for parameter in node.parameters:
            key = node.keys.get(parameter.name, parameter.key(node.keys.get("", node.name)))
            shapes.setdefault(key.rpartition(".")[0], node.output_shape)
    return shapes


def their_shapes(model: nn.Module, given: torch.Tensor) -> tuple[dict[str, list[tuple[int, ...]]], int]:
    """The output shapes of every module that has parameters or no children, one for each call, and the
    multiply-accumulates of the whole model."""
    shapes: dict[str, list[tuple[int, ...]]] = {}

    def note(path: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(_: nn.Module, __: Any, output: Any) -> None:
            if isinstance(output, torch.Tensor):
                shapes.setdefault(path, []).append(tuple(output.shape[1:]))

        return hook

    handles = [
        module.register_forward_hook(note(path))
        for path, module in model.named_modules()
        if (module._parameters or not list(module.children())) and not isinstance(module, nn.Identity)
    ]
    with FlopCounterMode(display=False) as counter:
        model(given)
    for handle in handles:
        handle.remove()
    return shapes, counter.get_total_flops() // 2


def randomised(model: nn.Module) -> nn.Module:
    """The model with weights and running statistics that keep its numbers in bounds."""
    torch.manual_seed(16)
    for name, tensor in model.state_dict().items():
        if name.endswith(COUNTER):
            continue
        if name.endswith("running_var"):
            nn.init.uniform_(tensor, 0.8, 1.2)
        elif tensor.dim() > 1:
            nn.init.kaiming_uniform_(tensor.view(tensor.shape[0], -1), nonlinearity="linear")
        elif name.endswith("weight"):
            nn.init.uniform_(tensor, 0.8, 1.2)
        else:
            nn.init.uniform_(tensor, -0.2, 0.2)
    return model


def outputs(model: nn.Module, given: torch.Tensor) -> list[np.ndarray[Any, Any]]:
    """The model's outputs in their order, without the batch."""
    with torch.inference_mode():
        result = model(given)
    return [part[0].double().numpy() for part in ([result] if isinstance(result, torch.Tensor) else result)]


def difference(peer: Peer, graph: Graph, backend: str, python: str) -> float:
    """The largest difference between outputs with the same weights, relative to each output's largest value."""
    model = randomised(peer.build().eval())
    shape = peer.input or graph.input_shape
    torch.manual_seed(17)
    given = torch.rand(1, *shape)
    expected = outputs(model, given)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        state = {
            peer.rename(key): value.contiguous()
            for key, value in model.state_dict().items()
            if not key.endswith(COUNTER)
        }
        save_file(state, folder / "weights.safetensors")
        np.save(folder / "x.npy", given[0].numpy())
        settings = [part for pair in peer.settings.items() for part in ("--set", "=".join(pair))]
        command = [
            python,
            "-m",
            "convcalc",
            "forward",
            peer.arch,
            str(folder / "x.npy"),
            "--backend",
            backend,
        ]
        command += [
            "--weights",
            str(folder / "weights.safetensors"),
            "--save",
            str(folder / "y.npz"),
            *settings,
        ]
        command += ["--input", "x".join(map(str, shape))]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{peer.label}: {done.stderr}")
        with np.load(folder / "y.npz") as file:
            found = [file[key].astype(float) for key in file.files]
    assert [part.shape for part in found] == [part.shape for part in expected], peer.label
    return max(
        float(np.abs(ours - theirs).max() / np.abs(theirs).max())
        for ours, theirs in zip(found, expected, strict=True)
    )


def compare(peer: Peer, backend: str | None, python: str) -> list[str]:
    """Prints one line; what differs, in words."""
    graph = load_graph(peer.arch, settings=dict(peer.settings))
    with torch.device("meta"):
        model = peer.build().eval()
        shapes, macs = their_shapes(model, torch.empty(1, *graph.input_shape))
    wrong = []
    tensors = our_tensors(graph)
    learned = {p.name for node in graph for p in node.parameters if p.role in ("weight", "bias")}
    assert learned  # a network without parameters has nothing to compare
    count = sum(
        prod(parameter.shape)
        for node in graph
        if node.shares is None
        for parameter in node.parameters
        if parameter.role in ("weight", "bias")
    )
    their_count = sum(parameter.numel() for parameter in model.parameters())
    if count != their_count:
        wrong.append(f"{count:,} parameters, theirs {their_count:,}")
    theirs = {
        peer.rename(key): squeezed(value.shape)
        for key, value in model.state_dict().items()
        if not key.endswith(COUNTER)
    }
    if tensors != theirs:
        odd = sorted(key for key in {*tensors, *theirs} if tensors.get(key) != theirs.get(key))
        wrong.append(
            f"{len(odd)} keys: " + ", ".join(f"{k} {tensors.get(k)} {theirs.get(k)}" for k in odd[:6])
        )
    our_macs = sum(node.op.macs(node.input_shapes) for node in graph)
    if our_macs != macs:
        wrong.append(f"{our_macs:,} MACs, theirs {macs:,}")
    ours = our_shapes(graph)
    compared = {path: calls for path, calls in shapes.items() if peer.rename(path) in ours}
    for path, calls in compared.items():
        if any(squeezed(call) != squeezed(ours[peer.rename(path)]) for call in calls):
            wrong.append(f"{path}: {ours[peer.rename(path)]}, theirs {calls}")
    text = ""
    if backend and peer.outputs and not wrong:
        apart = difference(peer, graph, backend, python)
        text = f"outputs {apart:.0e} apart on {backend}"
        if apart > TOLERANCE:
            wrong.append(text)
    line = f"{count:>13,} params {len(theirs):4} keys {our_macs:>17,} MACs {len(compared):4} of {len(shapes)} modules"
    print(f"{peer.label:40} {line}  {text}  {'DIFFERENT' if wrong else 'same'}", flush=True)
    for fact in wrong[:8]:
        print("   ", fact, flush=True)
    return wrong


def main(peers: Sequence[Peer], doc: str) -> None:
    """Compares the networks that are named, or all."""
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=doc.split("\n")[0])
    parser.add_argument("names", nargs="*", help="bundled names; default all")
    parser.add_argument("--backend", choices=("reference", "numba"), help="also compare outputs")
    parser.add_argument(
        "--python", default=sys.executable, help="an interpreter that convcalc[fast] is installed in"
    )
    arguments = parser.parse_args()
    chosen = [peer for peer in peers if not arguments.names or peer.arch in arguments.names]
    wrong = [peer.label for peer in chosen if compare(peer, arguments.backend, arguments.python)]
    sys.exit(f"different: {', '.join(wrong)}" if wrong else 0)
