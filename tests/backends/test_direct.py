"""How the work of a direct convolution is divided."""

from __future__ import annotations

import pytest

from convcalc.backends.numba.jit.sizes import TILE
from convcalc.backends.numba.kernels.tile import swept
from convcalc.backends.numba.lower.direct import cut


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("element", [4, 2])
@pytest.mark.parametrize(
    ("pixels", "channels", "filters"),
    [(197, 3072, 768), (197, 768, 3072), (577, 1024, 4096), (50, 4096, 1024)],
)
def test_layers_of_transformers_compute_few_pixels_twice(
    pixels: int, channels: int, filters: int, element: int, threads: int
) -> None:
    """Whatever a number of tokens leaves over after whole register tiles: ViT-B/16, ViT-L/16 at 384², ViT-L/32."""
    chunk, _ = cut(
        pixels, pixels * channels * element, channels * filters * element, -(-filters // TILE), threads
    )
    computed = sum(
        swept(begin, min(pixels, begin + chunk)) - begin for begin in range(0, pixels, chunk)
    )  # at least: of what each sweep's tiles compute twice, what lies beyond its pixels
    assert computed <= 1.02 * pixels
