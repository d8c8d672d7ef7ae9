"""Writes activations.csv and vectors.json beside it: what PyTorch makes of numbers near 0, far from it, and of none.

Activations in float64 from float32 inputs: PyTorch's vectorised float32 code has results of its own at some of these
(gelu of ∞ is nan in a vector and ∞ alone). Operators on vectors in both, which differ where a sum of squares is too
large for float32. `python tests/data/pytorch/make.py` needs torch.
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
}
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
    vectors = [torch.tensor(row, dtype=torch.float32) for row in VECTORS]
    rows = [
        {"input": x.tolist(), "float32": over_three(x), "float64": over_three(x.double())} for x in vectors
    ]
    text = ",\n ".join(json.dumps(row) for row in rows)
    (HERE / "vectors.json").write_text(f'{{"torch": "{torch.__version__}", "rows": [\n {text}\n]}}\n')


if __name__ == "__main__":
    main()
