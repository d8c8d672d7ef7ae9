"""Writes activations.csv, joins.csv and vectors.json beside it: what PyTorch makes of numbers near 0 and far from it.

Infinities and what is no number are among them. Activations in float64 from float32 inputs: PyTorch's vectorised
float32 code has results of its own at some of these (gelu of ∞ is nan in a vector and ∞ alone). Operators on vectors
in both, which differ where a sum of squares is too large for float32. `python tests/data/pytorch/make.py` needs torch.
"""

import csv
import json
from itertools import chain
from math import inf, nan
from pathlib import Path

import torch
from torch.nn import functional

HERE = Path(__file__).parent
SIZES = (
    0.0, 1e-45, 1e-40, 1.1754944e-38, 1e-30, 1e-7, 0.001, 0.1, 0.5, 1.0, 3.0, 6.0, 20.0, 44.0, 87.0, 88.0, 88.8, 89.0,
    104.0, 1000.0, 1e10, 2e19, 3e38, inf,
)  # fmt: skip
FUNCTIONS = {
    "relu": functional.relu,
    "relu6": functional.relu6,
    "leaky_relu": lambda x: functional.leaky_relu(x, 0.01),
    "prelu": lambda x: functional.prelu(x, torch.tensor([0.25], dtype=x.dtype)),
    "elu": functional.elu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "gelu": functional.gelu,
    "gelu_tanh": lambda x: functional.gelu(x, approximate="tanh"),
    "silu": functional.silu,
    "mish": functional.mish,
    "hardsigmoid": functional.hardsigmoid,
    "hardswish": functional.hardswish,
    "softplus": functional.softplus,
    "softplus_steep": lambda x: functional.softplus(x, 2, 3),
    "elu_half": lambda x: functional.elu(x, 0.5),
    "selu": functional.selu,
    "celu": functional.celu,
    "celu_two": lambda x: functional.celu(x, 2),
    "clip": lambda x: torch.clamp(x, -0.3, 2),
    "clip_above": lambda x: torch.clamp(x, max=2),
    "clip_crossed": lambda x: torch.clamp(x, 1, -1),
    "exp": torch.exp,
    "log": torch.log,
    "sqrt": torch.sqrt,
    "abs": torch.abs,
    "negate": torch.neg,
    "reciprocal": torch.reciprocal,
    "erf": torch.erf,
}
JOINS = {
    "add": torch.add,
    "subtract": torch.sub,
    "multiply": torch.mul,
    "divide": torch.div,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
}
JOINED = (0.0, -0.0, 0.5, -2.0, 3e38, inf, -inf, nan)
VECTORS = (
    [1.0, -2.0, 0.5], [1.0, inf, 0.5], [1.0, -inf, 0.5], [inf, -inf, 0.0], [-inf] * 3, [inf, inf, 1.0],
    [nan, 1.0, 2.0], [1.0, nan, 2.0], [1.0, 2.0, nan], [3e38, -3e38, 1.0], [1e-30, -1e-30, 0.0],
    [104.0, -104.0, 0.0], [1000.0, -1000.0, 999.0], [0.0] * 3, [1e18, -1e18, 2e18],
)  # fmt: skip


def over_three(x: torch.Tensor) -> dict[str, list[float]]:
    """Operators on three numbers: as channels of one pixel, or as pixels of one channel."""
    line, pixel = x.view(1, 1, 3), x.view(1, 3, 1, 1)
    half, four, two, one = (torch.full((3,), value, dtype=x.dtype) for value in (0.5, 4.0, 2.0, 1.0))
    results = {
        "softmax": functional.softmax(x, 0),
        "layernorm": functional.layer_norm(x, (3,)),
        "rmsnorm": functional.rms_norm(x, (3,), eps=2**-23),
        "groupnorm": functional.group_norm(pixel, 1),
        "instancenorm": functional.instance_norm(line),
        "l2norm": functional.normalize(x, dim=0),
        "batchnorm": functional.batch_norm(pixel, half, four, two, one, eps=0.01),
        "lrn": functional.local_response_norm(pixel, 3, alpha=3e-4),
        "maxpool": functional.max_pool1d(line, 2, 1),
        "maxpool_padded": functional.max_pool1d(line, 3, 1, 1),
        "avgpool": functional.avg_pool1d(line, 2, 1),
        "global_avgpool": functional.adaptive_avg_pool1d(line, 1),
        "adaptive_avgpool": functional.adaptive_avg_pool1d(line, 2),
        "upsample": functional.interpolate(line, scale_factor=2),
    }
    return {name: result.flatten().tolist() for name, result in results.items()}


def main() -> None:
    inputs = torch.tensor([*chain.from_iterable((size, -size) for size in SIZES), nan]).double()
    columns = [function(inputs).tolist() for function in FUNCTIONS.values()]
    with open(HERE / "activations.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([f"torch {torch.__version__}", *FUNCTIONS])
        writer.writerows(zip(inputs.tolist(), *columns, strict=True))
    first, second = torch.cartesian_prod(*[torch.tensor(JOINED).double()] * 2).T
    columns = [first.tolist(), second.tolist(), *(join(first, second).tolist() for join in JOINS.values())]
    with open(HERE / "joins.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([f"torch {torch.__version__}", "", *JOINS])
        writer.writerows(zip(*columns, strict=True))
    vectors = [torch.tensor(row, dtype=torch.float32) for row in VECTORS]
    rows = [
        {"input": x.tolist(), "float32": over_three(x), "float64": over_three(x.double())} for x in vectors
    ]
    text = ",\n ".join(json.dumps(row) for row in rows)
    (HERE / "vectors.json").write_text(f'{{"torch": "{torch.__version__}", "rows": [\n {text}\n]}}\n')


if __name__ == "__main__":
    main()
