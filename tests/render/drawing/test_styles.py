"""The style a network is drawn in unless one is asked for."""

from __future__ import annotations

import pytest

from convcalc.render.drawing.styles import default_style
from tests.render.drawing.chains import bundled


@pytest.mark.parametrize(
    ("name", "style"),
    [
        ("lenet5", "maps"),
        ("lenet5-paper", "graph"),
        ("alexnet", "volumes"),
        ("zfnet", "volumes"),
        ("vgg16", "volumes"),
        ("torchvision/vgg19_bn", "volumes"),
        ("mobilenet-v1", "volumes"),
        ("m5", "volumes"),
        ("srcnn", "volumes"),
        ("googlenet", "graph"),
        ("resnet50", "graph"),
        ("unet", "graph"),
        ("siamese", "graph"),
        ("torchvision/vit_b_32", "graph"),
        ("torchvision/r3d_18", "graph"),
    ],
)
def test_the_default_fits_the_network(name: str, style: str) -> None:
    assert default_style(bundled(name, branches=True)) == style
