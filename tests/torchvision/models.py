"""Checks what convcalc reads from torchvision's classifiers, exported by both of PyTorch's exporters. Prints a table.

    python tests/torchvision/models.py make FOLDER [NAME…]     needs torch, torchvision, onnx, onnxscript
    python tests/torchvision/models.py check FOLDER [NAME…]    needs convcalc[fast]; --no-outputs leaves the runs out

FOLDER/ts and FOLDER/dy hold the exports by `dynamo=False` and `dynamo=True`, FOLDER/io an input and its output. All
one-dimensional parameters and buffers, and heads of zeros, are random, as exporters merge tensors of equal values. One
network at a time.

check compares, for each file: parameters with the floats in the file, where a thousandth may be the exporter's own
constants; MACs, and paths and kernels of all convolutions and dense layers, with the bundled spec; shapes with those
that the file claims; outputs with PyTorch's.
"""

from __future__ import annotations

import argparse
import gc
import sys
from array import array
from math import prod
from pathlib import Path
from typing import Any

SMALLER = ("efficientnet", "regnet", "vit_l")  # exported for 224 pixels, whatever they were trained with


def make(folder: Path, names: list[str]) -> None:
    """Export networks with random weights by both exporters; those that are there already are kept."""
    import numpy as np
    import torch
    from torchvision import models

    torch.set_num_threads(1)
    torch.backends.mha.set_fastpath_enabled(False)  # the older exporter has no form for it
    for part in ("ts", "dy", "io"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for name in names or models.list_models(module=models):
        if (folder / "io" / f"{name}.npz").exists():
            continue
        torch.manual_seed(3)
        plain = {"aux_logits": False, "init_weights": False} if name in ("googlenet", "inception_v3") else {}
        model = models.get_model(name, weights=None, **plain).eval()
        randomise(torch, model)
        crop = models.get_model_weights(name).DEFAULT.transforms().crop_size[0]
        size = min(crop, 224) if name.startswith(SMALLER) else crop
        image = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(5))
        with torch.no_grad():
            output = model(image)
            for part, dynamo in (("ts", False), ("dy", True)):
                try:
                    torch.onnx.export(model, (image,), folder / part / f"{name}.onnx", dynamo=dynamo)
                except Exception as error:
                    print(f"{name}: {part}: {str(error)[:200]}")
        np.savez(folder / "io" / f"{name}.npz", x=image.numpy(), y=output.numpy())
        del model
        gc.collect()


def randomise(torch: Any, model: Any) -> None:
    """Make all one-dimensional parameters and buffers random, variances and scales near 1, and matrices of zeros: the
    head of a vision transformer is one, and would hide every error before it."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for key, value in model.state_dict().items():
            if value.is_floating_point() and value.dim() > 1 and not value.any():
                value.copy_(torch.randn(value.shape, generator=generator) * 0.1)
            if not value.is_floating_point() or value.dim() != 1:
                continue
            if key.endswith("running_var"):
                value.copy_(torch.rand(value.shape, generator=generator) + 0.5)
            elif key.endswith("weight"):
                value.copy_(torch.rand(value.shape, generator=generator) * 0.5 + 0.75)
            else:
                value.copy_(torch.randn(value.shape, generator=generator) * 0.1)


def check(folder: Path, names: list[str], outputs: bool) -> int:
    """Print a row for each file, and return how many are not all right."""
    print(f"{'file':28} {'layers':>6} {'parameters':>12} {'MACs':>15} {'paths':7} {'shapes':7} {'output':>9}")
    wrong = 0
    for file in sorted(folder.glob("ts/*.onnx")) + sorted(folder.glob("dy/*.onnx")):
        if not names or file.stem in names:
            wrong += not checked(folder, file, outputs)
            gc.collect()
    print(f"{wrong} not all right")
    return wrong


def checked(folder: Path, file: Path, outputs: bool) -> bool:
    """Print the row of a file, and return whether all is right."""
    import convcalc
    from convcalc.errors import ConvcalcError
    from convcalc.formats.onnx.mapping import map_model
    from convcalc.formats.onnx.reader import read_model

    source = read_model(file)
    draft = map_model(source)
    built = draft.built(file.stem)
    graph = built.graph
    stored = sum(tensor.count for tensor in source.graph.initializers.values() if tensor.dtype == "F32")
    own = sum(prod(p.shape) for node in graph if node.shares is None for p in node.parameters)
    unknown = sum(not node.op.is_known for node in graph)
    try:
        bundled = convcalc.load(f"torchvision/{file.stem}", input_shape=graph.input_shape).graph
    except ConvcalcError:
        bundled = None
    macs = "" if bundled is None else "=" if bundled.macs == graph.macs else "≠"
    paths = "" if bundled is None else "=" if kernels(bundled) == kernels(graph) else "≠"
    odd = differing_shapes(source, draft)
    shapes = "–" if odd is None else "=" if not odd else f"≠ {odd[0]}"
    error = difference(folder, file.stem, built) if outputs else 0.0
    note = next((note for note in built.notes if "equal values" in note or "count as" in note), "")
    parameters = "=" if own == stored else f"≠ {stored:,}: {note}"
    name = f"{file.parent.name}/{file.stem}"
    row = f"{name:28} {len(graph):6} {own:12,} {graph.macs:14,}{macs:1} {paths:7} {shapes:7} {error:9.1e}"
    print(f"{row} {parameters}", flush=True)
    counted = bool(note) or 0 <= stored - own < stored / 1000
    return "≠" not in (macs, paths) and not odd and error < 1e-4 and not unknown and counted


def kernels(graph: Any) -> list[tuple[str, tuple[int, ...]]]:
    """Path and kernel of every convolution, dense layer and attention."""
    found = ((node.name, node.op.weight_factors(node.input_shapes)) for node in graph)
    return sorted((name, tuple(factors)) for name, factors in found if factors)


def differing_shapes(source: Any, draft: Any) -> list[str] | None:
    """The values whose shape is another than the file says, dimensions of 1 apart; None if it says none."""
    claimed = {
        layer.value: source.graph.values[layer.value].shape
        for layer in (draft.layers[index] for index in draft.needed())
        if layer.value in source.graph.values
    }
    if not claimed:
        return None
    return [
        layer.value
        for layer in (draft.layers[index] for index in draft.needed())
        if layer.value in claimed
        and [n for n in layer.shape if n > 1] != [n for n in claimed[layer.value] if n != 1]
    ]


def difference(folder: Path, name: str, built: Any) -> float:
    """The largest difference from PyTorch's output, relative to its largest value, on the fast backend."""
    import numpy as np

    from convcalc.backends import numba
    from convcalc.weights.load import Weights, match_tensors

    nodes: list[Any] = []
    for node, found in zip(built.graph, match_tensors(built.graph, built.tensors, name).nodes, strict=True):
        if node.shares is not None:
            nodes.append(nodes[node.shares])
        else:
            made = {p.name: array("f", p.rule()) for p in node.parameters if p.rule is not None}
            nodes.append({key: tensor.values() for key, tensor in found.items()} | made)
    with np.load(folder / "io" / f"{name}.npz") as stored:
        image, wanted = stored["x"], stored["y"].ravel()
    run = numba.run(
        built.graph, Weights(tuple(nodes), "file", path=name), array("f", image.ravel().tolist()), threads=1
    )
    (output,) = run.outputs.values()
    return float(np.abs(np.asarray(output.values) - wanted).max() / np.abs(wanted).max())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["make", "check"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--no-outputs", action="store_true")
    options = parser.parse_args()
    if options.what == "make":
        make(options.folder, options.names)
    else:
        sys.exit(check(options.folder, options.names, not options.no_outputs) > 0)


if __name__ == "__main__":
    main()
