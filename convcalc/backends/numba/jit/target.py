"""The processor that kernels are compiled for: the width of its registers, and what it can do."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Literal

import llvmlite.binding as llvm


def _host_width() -> int:
    """Floats per register of the host, or CONVCALC_VECTOR (4, 8 or 16; a narrower one runs on any host)."""
    forced = os.environ.get("CONVCALC_VECTOR")
    if forced in ("4", "8", "16"):
        return int(forced)
    features = llvm.get_host_cpu_features()
    if features.get("avx512f"):
        return 16
    return 8 if features.get("avx2") and features.get("fma") else 4


def target_features(host: Mapping[str, bool], width: int) -> str:
    """The processor's features that machine code for registers of so many floats may use, as LLVM takes them.

    Below 16 floats none of AVX-512 and what includes it: its instructions for narrower registers, with twice as many
    of them, would give kernels that no processor without it has.
    """
    wide = () if width == 16 else ("avx512", "avx10", "amx-avx512")
    return ",".join(
        f"{'+' if on and not name.startswith(wide) else '-'}{name}" for name, on in sorted(host.items())
    )


WIDTH = _host_width()  # floats of a register
FEATURES = target_features(llvm.get_host_cpu_features(), WIDTH)
ARM = llvm.get_default_triple().startswith(("aarch64", "arm64"))
X86 = llvm.get_default_triple().startswith(("x86_64", "amd64", "i686"))
SCALES = X86 and WIDTH == 16  # AVX-512 alone has `nearest` and `scaled`


def _bfloat16() -> Literal["native", "emulated", ""]:
    """How maps of bfloat16 are computed: by the processor's own instructions, or slowly by those for integers and
    floats; nothing where they are not. For tests, CONVCALC_BF16 is `emulated`, to have them computed slowly, or
    `anywhere`, to have that where the processor has no such instructions."""
    asked = os.environ.get("CONVCALC_BF16")
    has_dots = llvm.get_host_cpu_features().get("avx512bf16", False)
    if X86 and WIDTH == 16 and has_dots and asked != "emulated":
        return "native"
    return "emulated" if asked in ("emulated", "anywhere") else ""


BFLOAT16 = _bfloat16()
