"""Runs the PyTorch source of every bundled architecture and compares it with our own forward pass. Not a test.

    python3 -m venv /tmp/source && /tmp/source/bin/pip install torch==2.14.1 -e ".[fast]"
    /tmp/source/bin/python tests/torchvision/source.py                  # all, one at a time
    /tmp/source/bin/python tests/torchvision/source.py resnet50 torchvision/vit_b_16 mine.yaml
    /tmp/source/bin/python tests/torchvision/source.py --forms          # one small network for each operator's forms

For each network the source is made in memory and executed; its class is built without arguments, takes random tensors
of our keys and shapes with load_state_dict(strict=True), and computes one random input in eval mode. The table gives
the lines of the source, its parameters against ours, and the largest difference of an output from ours (the fast
backend's; with --forms the reference backend's) relative to its largest value. Anything above TOLERANCE is a failure.

Networks that need more than --gigabytes for two copies of their weights are named and left out; --input makes large
ones small where they allow it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from math import prod, sqrt
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

try:
    import numpy as np
    import torch
except ImportError as missing:
    sys.exit(f"source.py needs torch and numpy ({missing}); its docstring says how to install them")

from convcalc.backends import numba, reference  # noqa: E402
from convcalc.formats.torch.source.site import InexpressibleError  # noqa: E402
from convcalc.formats.torch.source.text import class_source, network_name, source  # noqa: E402
from convcalc.graph import Graph  # noqa: E402
from convcalc.language import bundled  # noqa: E402
from convcalc.language.load import load_graph, load_text  # noqa: E402
from convcalc.weights.load import Weights  # noqa: E402

TOLERANCE = 1e-5


def drawn(graph: Graph, seed: int = 0) -> tuple[Weights, dict[str, torch.Tensor]]:
    """Random weights for both sides: by node, and by key. Statistics and scales are not the identity."""
    random = np.random.default_rng(seed)
    nodes: list[dict[str, Any]] = []
    state: dict[str, torch.Tensor] = {}
    for node in graph:
        if node.shares is not None:
            nodes.append(nodes[node.shares])
            continue
        values: dict[str, Any] = {}
        for parameter in node.parameters:
            count = prod(parameter.shape)
            if parameter.rule is not None:
                numbers = np.array(parameter.rule(), np.float32)
            elif parameter.fan_in is not None:
                numbers = random.standard_normal(count, np.float32) * np.float32(sqrt(1 / parameter.fan_in))
            elif parameter.name == "running_var" or parameter.name == "weight":
                numbers = random.uniform(0.6, 1.4, count).astype(np.float32)
            else:
                numbers = random.uniform(-0.3, 0.3, count).astype(np.float32)
            values[parameter.name] = numbers
            if parameter.rule is None:  # what a rule computes is not in a state_dict
                state[parameter.key(node.name)] = torch.from_numpy(numbers.reshape(parameter.shape))
        nodes.append(values)
    return Weights(tuple(nodes), "random"), state


def outputs_of(result: Any, graph: Graph) -> dict[str, Any]:
    """The outputs by name, without the batch."""
    found = result if isinstance(result, dict) else {graph.outputs[0].name: result}
    return {name: tensor[0].detach().numpy() for name, tensor in found.items()}


def compare(name: str, graph: Graph, fast: bool) -> tuple[str, float]:
    """The table's row of a network, and the largest relative difference."""
    start = time.perf_counter()
    reason = ""
    text = source(graph)
    try:
        if text != class_source(graph):
            reason = "  flat is shorter"
    except InexpressibleError as error:
        reason = f"  flat: {error}"
    made = time.perf_counter() - start
    weights, state = drawn(graph)
    random = np.random.default_rng(1)
    inputs = {entry.name: random.standard_normal(entry.shape, np.float32) for entry in graph.inputs}
    space: dict[str, Any] = {}
    exec(compile(text, f"{name}.py", "exec"), space)
    module = space[network_name(graph)]().eval()
    module.load_state_dict(state, strict=True)
    ours = sum(prod(p.shape) for n in graph if n.shares is None for p in n.parameters if p.role != "buffer")
    theirs = sum(parameter.numel() for parameter in module.parameters())
    with torch.no_grad():
        given = outputs_of(module(*(torch.from_numpy(value)[None] for value in inputs.values())), graph)
    del module, state
    flat = {key: value.reshape(-1) for key, value in inputs.items()}
    if fast:
        wanted = numba.run(graph, weights, flat).outputs
    else:
        lists = tuple([{key: values.tolist() for key, values in node.items()} for node in weights.nodes])
        plain = {key: value.tolist() for key, value in flat.items()}
        wanted = reference.run(graph, Weights(lists, "random"), plain).outputs
    largest = 0.0
    if set(wanted) != set(given):
        raise SystemExit(f"{name}: outputs {sorted(given)}, wanted {sorted(wanted)}")
    for key, tensor in wanted.items():
        expected = np.array(tensor.values, np.float64).reshape(tensor.shape)
        if expected.shape != given[key].shape:
            raise SystemExit(f"{name}: {key} is {given[key].shape}, wanted {expected.shape}")
        scale = float(np.abs(expected).max()) or 1.0
        difference = float(np.abs(expected - given[key]).max()) / scale
        largest = max(largest, difference if difference == difference else float("inf"))
    row = f"{name:40} {len(text.splitlines()):6} {made:7.2f} {theirs:12,} {theirs - ours:6} {largest:10.1e}{reason}"
    return row, largest if theirs == ours else float("inf")


def networks(names: list[str], settings: list[str], shape: str | None) -> Iterator[tuple[str, Graph]]:
    given = dict(setting.partition("=")[::2] for setting in settings)
    for name in names or [name for name in bundled.names() if not bundled.is_family(name)]:
        yield name, load_graph(name, settings=given or None, input_shape=shape)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="bundled names or spec files; default: all")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="settings")
    parser.add_argument("--input", help="input shape for all, such as 3x96x96")
    parser.add_argument(
        "--gigabytes", type=float, default=6.0, help="largest size of two copies of the weights"
    )
    parser.add_argument("--forms", action="store_true", help="the operators' forms instead of networks")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{'network':40} {'lines':>6} {'seconds':>7} {'parameters':>12} {'differ':>6} {'difference':>10}")
    failed: list[str] = []
    skipped: list[str] = []
    if options.forms:
        texts = (ROOT / "tests" / "data" / "pytorch_forms.yaml").read_text(encoding="utf-8").split("---\n")
        chosen = ((f"form {place}", load_text(text)) for place, text in enumerate(texts))
    else:
        chosen = networks(options.names, options.settings, options.input)
    for name, graph in chosen:
        size = 4 * sum(prod(p.shape) for node in graph for p in node.parameters if node.shares is None)
        if 2 * size > options.gigabytes * 1e9:
            skipped.append(f"{name} ({size / 1e9:.1f} GB of weights)")
            continue
        try:
            row, difference = compare(name, graph, fast=not options.forms)
        except Exception as error:  # each network's failure is a row of the table
            print(f"{name:40} {type(error).__name__}: {str(error)[:300]}", flush=True)
            failed.append(name)
            continue
        print(row, flush=True)
        if not difference <= TOLERANCE:
            failed.append(name)
    if skipped:
        print(f"left out for want of memory: {', '.join(skipped)}")
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
