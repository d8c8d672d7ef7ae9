"""Which instructions the machine code has: with narrower registers none that processors without AVX-512 lack."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from convcalc.backends.numba.jit.target import WIDTH, X86, target_features

ASSEMBLY = """
from convcalc.backends.numba.jit.compiler import assembly
from convcalc.backends.numba.kernels.depthwise import depthwise_rows
from convcalc.backends.numba.kernels.grouped import grouped
from convcalc.backends.numba.kernels.pointwise import finish
from convcalc.backends.numba.kernels.tile import sweep
for kernel in (sweep, finish, depthwise_rows[5], grouped[2, 8]):
    print(assembly(kernel._function, kernel.floats))
"""
# Registers 16–31 and masks, and operands with a mask or broadcast from memory: AVX-512's encoding has them alone.
EVEX = re.compile(r"%zmm|%[xy]mm(1[6-9]|2\d|3[01])\b|%k[0-7]\b|\{1to\d+\}|\brn-sae\b")


def test_features_of_narrower_registers() -> None:
    host = {
        "avx2": True,
        "avx512f": True,
        "avx512bf16": True,
        "avx10.1": True,
        "amx-avx512": True,
        "sha512": True,
    }
    assert target_features(host, 16) == "+amx-avx512,+avx10.1,+avx2,+avx512bf16,+avx512f,+sha512"
    for width in (4, 8):
        assert target_features(host, width) == "-amx-avx512,-avx10.1,+avx2,-avx512bf16,-avx512f,+sha512"
    assert target_features({"avx2": True, "avx512f": False}, 8) == "+avx2,-avx512f"


@pytest.mark.skipif(not X86, reason="registers of x86")
@pytest.mark.parametrize("width", [width for width in (4, 8, 16) if width <= WIDTH])
def test_registers_and_instructions(width: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASSEMBLY], capture_output=True, text=True, timeout=600, check=False,
        env={**os.environ, "CONVCALC_VECTOR": str(width)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    wide = [line for line in done.stdout.splitlines() if EVEX.search(line)]
    assert bool(wide) == (width == 16), wide[:5]
    assert len(done.stdout.splitlines()) > 1000
