"""Activations that are made of eˣ, in registers of every width: how exact they are, and what is no number or too large.

Expected values are of float64; at the ends of the range, PyTorch's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from math import erf, inf, isnan, nan
from pathlib import Path

import numpy as np
import pytest

from convcalc.backends.numba.jit.target import WIDTH

RUN = """
import json, sys
from array import array
import numpy as np
sys.path.insert(0, sys.argv[1])
from numba_support import Network
from convcalc.backends.numba.jit.target import WIDTH
from convcalc.backends.numba.plan import prepare
from convcalc.weights.load import Weights
kinds, values = json.load(sys.stdin)
results = []
for kind in kinds:
    network = Network(1, len(values))
    network.add(*kind.split()[:1], **({"approximate": "tanh"} if "tanh" in kind[4:] else {}))
    plan = prepare(network.graph(), Weights(({},), "random", seed=1), 1)
    results.append([float(value) for value in plan.run(array("f", values)).values])
print(json.dumps([WIDTH, results]))
"""
KINDS = ("sigmoid", "silu", "gelu", "gelu tanh", "tanh", "mish", "softplus")
DENORMAL = 1e-40
ENDS = (0.0, -0.0, DENORMAL, -DENORMAL, 1e38, -1e38, 3.4e38, -3.4e38, 150.0, -150.0, inf, -inf, nan)
X = np.concatenate([np.linspace(-120, 120, 9001), np.linspace(-3, 3, 4001)]).astype(np.float32)

# The largest error, in parts of 1 + |x| where the function grows with x. GELU's is that of the series for erf.
BOUNDS = {
    "sigmoid": 2e-7, "silu": 2.5e-7, "gelu": 3e-7, "gelu tanh": 2.5e-7, "tanh": 4e-7, "mish": 5e-7, "softplus": 3e-7,
}  # fmt: skip


@cache
def outputs(width: int) -> dict[str, np.ndarray]:
    """Each function of X and then of ENDS. A process has one width, so this asks another one."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(Path(__file__).parent)],
        input=json.dumps([KINDS, [*X.tolist(), *ENDS]]), capture_output=True, text=True, timeout=600, check=False,
        env={**os.environ, "CONVCALC_VECTOR": str(width)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    used, results = json.loads(done.stdout)
    assert used == width
    return {kind: np.array(result) for kind, result in zip(KINDS, results, strict=True)}


def exact(kind: str) -> np.ndarray:
    x = X.astype(np.float64)
    normal = {"gelu": lambda: 0.5 * (1 + np.array([erf(value / 2**0.5) for value in x]))}
    factor = {
        "sigmoid": lambda: 1 / (1 + np.exp(-x)) / x,
        "silu": lambda: 1 / (1 + np.exp(-x)),
        "gelu tanh": lambda: 0.5 * (1 + np.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x**3))),
        "tanh": lambda: np.tanh(x) / x,
        "mish": lambda: np.tanh(np.logaddexp(0, x)),
        "softplus": lambda: np.logaddexp(0, x) / x,
        **normal,
    }[kind]()
    return x * factor


WIDTHS = [width for width in (4, 8, 16) if width <= WIDTH]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("kind", KINDS)
def test_against_float64(kind: str, width: int) -> None:
    with np.errstate(all="ignore"):
        wanted = exact(kind)
        at_0 = {"sigmoid": 0.5, "softplus": np.log(2)}.get(kind, 0.0)
        wanted[X == 0] = at_0
    got = outputs(width)[kind][: len(X)]
    scale = 1 + np.abs(X) * (kind not in ("sigmoid", "tanh"))
    error = np.abs(got - wanted) / scale
    worst = int(error.argmax())
    assert error[worst] <= BOUNDS[kind], (X[worst], wanted[worst], got[worst])


@pytest.mark.parametrize("width", WIDTHS)
def test_silu_where_it_is_small(width: int) -> None:
    """Near 0 and far below, the error is small against the result itself."""
    x = X.astype(np.float64)
    wanted = x / (1 + np.exp(-x))
    got = outputs(width)["silu"][: len(X)]
    assert np.max(np.abs(got - wanted) / (np.abs(wanted) + 0.01)) < 4e-7


@pytest.mark.parametrize("width", WIDTHS)
def test_zeros_denormals_and_what_is_no_number(width: int) -> None:
    """As PyTorch has them; −∞ times a factor of exactly 0 is no number there either."""
    large, largest = ENDS[4], ENDS[6]
    grows = [0.0, -0.0, DENORMAL / 2, -DENORMAL / 2, large, -0.0, largest, -0.0, 150.0, -0.0, inf, nan, nan]
    wanted = {
        "sigmoid": [0.5, 0.5, 0.5, 0.5, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, nan],
        "silu": grows,
        "gelu": grows,
        "tanh": [0.0, -0.0, DENORMAL, -DENORMAL, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0, nan],
    }
    for kind, values in wanted.items():
        got = outputs(width)[kind][len(X) :]
        for x, value, own in zip(ENDS, values, got, strict=True):
            if isnan(value):
                assert isnan(own), (kind, x, own)
            else:
                assert own == value or abs(own - value) <= max(2e-7 * abs(value), 1e-44), (
                    kind,
                    x,
                    value,
                    own,
                )
                assert np.signbit(own) == np.signbit(value) or kind == "gelu", (kind, x, value, own)
