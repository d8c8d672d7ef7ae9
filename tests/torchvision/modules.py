"""Compares a bundled network with a PyTorch module that has its keys: what timm_networks.py and papers.py share.

For each network: parameters; every key of the state dict and its shape, but for batch counters and dimensions of 1;
multiply-accumulates by PyTorch's own counter; the output shape of every module that stands under a layer's path or key,
at the spec's own input size; and all outputs on random input with the same random weights, at a smaller size where the
network is large, within 1e-4 of the largest.
"""

from __future__ import annotations

import argparse
import gzip
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
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


@dataclass(frozen=True)
class Figures:
    """What is compared without running a network. Shapes are without dimensions of 1.

    keys: the shapes of the tensors in a weights file. shapes: the output shapes of layers or modules, by path.
    """

    params: int
    macs: int
    keys: dict[str, tuple[int, ...]]
    shapes: dict[str, tuple[int, ...]]


def squeezed(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(size for size in shape if size != 1)


def our_figures(graph: Graph) -> Figures:
    """Of a spec; shapes also by the module path that a layer's keys tell."""
    tensors = [
        (node, parameter, node.keys.get(parameter.name, parameter.key(node.keys.get("", node.name))))
        for node in graph
        for parameter in node.parameters
        if node.shares is None
    ]
    shapes = {node.name: squeezed(node.output_shape) for node in graph}
    for node, _, key in tensors:
        shapes.setdefault(key.rpartition(".")[0], squeezed(node.output_shape))
    return Figures(
        params=sum(prod(parameter.shape) for _, parameter, _ in tensors if parameter.role != "buffer"),
        macs=sum(node.op.macs(node.input_shapes) for node in graph),
        keys={key: squeezed(parameter.shape) for _, parameter, key in tensors},
        shapes=shapes,
    )


def their_figures(peer: Peer, shape: Sequence[int]) -> Figures:
    """Of the module, on PyTorch's meta device: of every module in it that has parameters or no children."""
    shapes: dict[str, tuple[int, ...]] = {}

    def note(path: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(_: nn.Module, __: Any, output: Any) -> None:
            if isinstance(output, torch.Tensor):
                found = squeezed(output.shape[1:])
                if shapes.setdefault(path, found) != found:  # called at several places
                    shapes[path] = ()

        return hook

    with torch.device("meta"):
        model = peer.build().eval()
        for path, module in model.named_modules():
            if (module._parameters or not list(module.children())) and not isinstance(module, nn.Identity):
                module.register_forward_hook(note(peer.rename(path)))
        with FlopCounterMode(display=False) as counter:
            model(torch.empty(1, *shape))
    state = {key: value for key, value in model.state_dict().items() if not key.endswith(COUNTER)}
    return Figures(
        params=sum(parameter.numel() for parameter in model.parameters()),
        macs=counter.get_total_flops() // 2,
        keys={peer.rename(key): squeezed(value.shape) for key, value in state.items()},
        shapes={path: found for path, found in shapes.items() if found},
    )


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
        options = [
            f"--{name}={folder / file}"
            for name, file in (("weights", "weights.safetensors"), ("save", "y.npz"))
        ]
        options += [f"--backend={backend}", f"--input={'x'.join(map(str, shape))}"]
        options += [f"--set={name}={value}" for name, value in peer.settings.items()]
        command = [python, "-m", "convcalc", "forward", peer.arch, str(folder / "x.npy"), *options]
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


def compare(peer: Peer, backend: str | None, python: str) -> tuple[Figures, list[str]]:
    """Prints one line. The module's figures, and what differs, in words."""
    graph = load_graph(peer.arch, settings=dict(peer.settings))
    ours, theirs = our_figures(graph), their_figures(peer, graph.input_shape)
    wrong = [
        f"{name}: {mine:,}, theirs {other:,}"
        for name, mine, other in (("params", ours.params, theirs.params), ("MACs", ours.macs, theirs.macs))
        if mine != other
    ]
    wrong += [
        f"{key}: {ours.keys.get(key)}, theirs {theirs.keys.get(key)}"
        for key in sorted({*ours.keys, *theirs.keys})
        if ours.keys.get(key) != theirs.keys.get(key)
    ]
    both = [path for path in theirs.shapes if path in ours.shapes]
    wrong += [
        f"{path}: {ours.shapes[path]}, theirs {theirs.shapes[path]}"
        for path in both
        if ours.shapes[path] != theirs.shapes[path]
    ]
    text = ""
    if backend and peer.outputs and not wrong:
        apart = difference(peer, graph, backend, python)
        text = f"outputs {apart:.0e} apart on {backend}  "
        if apart > TOLERANCE:
            wrong.append(text)
    counts = (
        f"{theirs.params:>13,} params {theirs.macs:>17,} MACs {len(theirs.keys):4} keys {len(both):4} modules"
    )
    print(f"{peer.label:35} {counts}  {text}{'DIFFERENT' if wrong else 'same'}", flush=True)
    for fact in wrong[:8]:
        print("   ", fact, flush=True)
    return theirs, wrong


def main(peers: Sequence[Peer], doc: str) -> None:
    """Compares the networks that are named, or all."""
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=doc.split("\n")[0])
    parser.add_argument("names", nargs="*", help="bundled names; default all")
    parser.add_argument("--backend", choices=("reference", "numba"), help="also compare outputs")
    parser.add_argument("--python", default=sys.executable, help="an interpreter that has convcalc[fast]")
    parser.add_argument("--dump", type=Path, metavar="FILE", help="write the modules' figures, gzipped JSON")
    arguments = parser.parse_args()
    found: dict[str, dict[str, Any]] = {}
    wrong = []
    for peer in peers:
        if arguments.names and peer.arch not in arguments.names:
            continue
        figures, differences = compare(peer, arguments.backend, arguments.python)
        found.setdefault(peer.label, asdict(figures) | {"arch": peer.arch, "settings": dict(peer.settings)})
        wrong += [peer.label] if differences else []
    if arguments.dump:
        text = json.dumps(found, separators=(",", ":"), sort_keys=True)
        arguments.dump.write_bytes(gzip.compress(text.encode(), mtime=0))
    sys.exit(f"different: {', '.join(wrong)}" if wrong else 0)
