"""The drawings of a page: what its sliders write anew in them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import convcalc as package
from convcalc.page.drawings import drawings
from tests.browser import Browser

TEXT = re.compile(r"<text[^>]*>([^<]*)</text>")
SIZE = re.compile(r"(copy )?\d+(×\d+)+|\d+")


@pytest.mark.parametrize("name", ["unet", "yolov3", "siamese", "googlenet", "torchvision/mobilenet_v2"])
def test_every_size_in_a_drawing_belongs_to_a_layer_of_that_size(name: str) -> None:
    analysis = package.load(name).record
    for drawing in drawings(analysis, "a")[0]:
        texts = TEXT.findall(drawing.svg)
        known = {
            number: (layer, after)
            for number, layer, before, after, _ in drawing.value["texts"]
            if before is None
        }
        assert {number for number, text in enumerate(texts) if SIZE.fullmatch(text)} <= known.keys()
        for number, (layer, copy) in known.items():
            if layer is not None:
                shape = analysis.graph.shape(layer)
                assert texts[number] == (copy or "") + "×".join(map(str, shape))


@pytest.mark.parametrize(("name", "side"), [("unet", 444), ("alexnet", 259), ("torchvision/resnet18", 160)])
def test_a_slider_writes_what_the_drawing_of_that_size_says(
    browser: Browser, tmp_path: Path, name: str, side: int
) -> None:
    """Text by text; 444 is another size that the published U-Net's crops fit."""
    network = package.load(name)
    network.page(tmp_path / "page.html")
    page = browser.open(tmp_path / "page.html", width=1400, height=900)
    page.evaluate(
        "(() => { const input = document.querySelector('#controls input[type=range]');"
        f" input.value = {side}; input.dispatchEvent(new Event('input'));"
        " return new Promise((done) => requestAnimationFrame(() => setTimeout(done))) })()"
    )
    channels = network.record.graph.input_shape[0]
    made, shown = drawings(package.load(name, input_shape=(channels, side, side)).record, "a")
    script = "[...document.querySelectorAll('#stage-0 svg.shown text')].map((text) => text.textContent)"
    page.wait_for(
        f"document.querySelector('#stage-0 svg.shown').textContent.includes({json.dumps(str(side))})", 10
    )
    assert page.evaluate(script) == TEXT.findall(made[shown].svg)
    assert page.errors == []
    page.close()
