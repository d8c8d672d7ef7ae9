"""Outputs of torchvision's models and of `convcalc` on random input, with the same weights file. Needs PyTorch.

    python3 -m venv /tmp/torchvision && /tmp/torchvision/bin/pip install torch==2.14.1 torchvision==0.29.1 pyyaml numba
    /tmp/torchvision/bin/python tests/torchvision/outputs.py                                    # all; hours on a CPU
    /tmp/torchvision/bin/python tests/torchvision/outputs.py maxvit_t r3d_18
    /tmp/torchvision/bin/python tests/torchvision/outputs.py --backend reference --input 3x64x64 resnet18

Each model gets seeded random weights and running statistics, saved by torch.save; convcalc reads the .pth file. Every
output of the network, auxiliary heads and raw heads included, may differ by 1e-4 of its largest value.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
import time
from array import array
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

try:
    import torch
    from networks import make, settings
    from torch import nn
    from torchvision.ops import FrozenBatchNorm2d
except ImportError as missing:
    sys.exit(f"outputs.py needs torch and torchvision ({missing}); its docstring says how to install them")

from convcalc.language.load import load_graph  # noqa: E402
from convcalc.weights.load import load_weights  # noqa: E402

PUBLISHED = Path(__file__).with_name("published.csv")
TOLERANCE = 1e-4
NORMS = (nn.modules.batchnorm._BatchNorm, FrozenBatchNorm2d, nn.LayerNorm, nn.GroupNorm)


def seeded(name: str) -> nn.Module:
    """A model with random weights, which keep its numbers in bounds; nothing is left at a value that does nothing."""
    torch.manual_seed(20)
    model = make(name, auxiliary=name not in ("googlenet", "inception_v3"))
    for module in model.modules():
        if isinstance(module, NORMS):
            for tensor in (module.weight, module.bias):
                if tensor is not None:
                    with torch.no_grad():
                        tensor.uniform_(0.8, 1.2) if tensor is module.weight else tensor.uniform_(-0.2, 0.2)
            if hasattr(module, "running_mean"):
                module.running_mean.uniform_(-0.1, 0.1)
                module.running_var.uniform_(0.8, 1.2)
    for key, parameter in model.named_parameters():
        with torch.no_grad():
            if key.endswith(("bias_table", "class_token", "pos_embedding")):
                parameter.uniform_(-0.5, 0.5)
            elif key.endswith("logit_scale"):
                parameter.uniform_(1.0, 6.0)  # some beyond the logarithm of 100
            elif key.endswith("layer_scale"):
                parameter.uniform_(0.5, 1.5)
            elif key.endswith(("qkv.bias", "in_proj_bias")):
                parameter.uniform_(-0.2, 0.2)
            elif key.endswith(("heads.head.weight", "cls_logits.weight", "bbox_reg.weight")):
                nn.init.normal_(parameter, std=0.05)  # zeros, or nearly, in a fresh model
    return model


def compare(name: str, backend: str, size: tuple[int, ...] | None) -> bool:
    """Print one line; whether the outputs agree."""
    graph = load_graph(f"torchvision/{name}", settings=settings(name), input_shape=size)
    model = seeded(name)
    x = torch.randn(1, *graph.input_shape, generator=torch.Generator().manual_seed(21))
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        path = Path(folder) / "weights.pth"
        torch.save(model.state_dict(), path)
        theirs = model(x)
        del model
        start = time.perf_counter()
        weights = load_weights(graph, str(path))
        values = array("f", x.flatten().tolist())
        if backend == "numba":
            from convcalc.backends import numba

            ours = numba.run(graph, weights, values).outputs
        else:
            from convcalc.backends import reference

            ours = reference.run(graph, weights, values).outputs
        seconds = time.perf_counter() - start
    names = [output.name for output in graph.outputs]
    if not isinstance(theirs, dict):
        theirs = {names[0]: theirs}
    elif name == "resnet50_fpn":  # whose maps are called 0 to 3, and pool
        theirs = dict(zip(names, theirs.values(), strict=True))
    worst = 0.0
    for output in names:
        wanted = theirs[output][0].double().flatten()
        found = torch.tensor(list(ours[output].values), dtype=torch.float64)
        worst = max(worst, float((found - wanted).abs().max() / wanted.abs().max()))
    same = worst <= TOLERANCE and set(names) == set(theirs)
    print(
        f"{name:30} {worst:8.1e} of the largest, {len(names)} output{'s' * (len(names) > 1)}, {backend}, "
        f"{'×'.join(map(str, graph.input_shape))}, {seconds:6.1f} s  {'same' if same else 'DIFFERENT'}",
        flush=True,
    )
    return same


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--backend", default="numba", choices=("reference", "numba"))
    parser.add_argument("--input", metavar="SHAPE", help="such as 3x64x64; the spec's own without")
    parser.add_argument("--threads", type=int, default=1, help="of PyTorch")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.backends.mha.set_fastpath_enabled(False)
    size = tuple(map(int, arguments.input.split("x"))) if arguments.input else None
    with PUBLISHED.open() as file:
        names = arguments.names or [row["name"] for row in csv.DictReader(file)]
    wrong = [name for name in names if not compare(name, arguments.backend, size)]
    sys.exit(f"different: {', '.join(wrong)}" if wrong else 0)


if __name__ == "__main__":
    main()
