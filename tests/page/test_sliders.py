"""The sliders of a page, moved as a reader moves them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import convcalc
from tests.browser import Browser, Page

Opened = Callable[..., Page]


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Opened]:
    """Opens the page of a network, or of two."""
    pages: list[Page] = []

    def open_page(name: str | Path, other: str | None = None, **options: Any) -> Page:
        path = tmp_path / "page.html"
        second = None if other is None else convcalc.load(other)
        convcalc.load(name, **options).page(path, second)
        pages.append(browser.open(path))
        return pages[-1]

    yield open_page
    for page in pages:
        assert page.errors == []
        page.close()


def move(page: Page, label: str, value: object) -> None:
    """Type a number beside a slider."""
    field = f'input[aria-label="{label}, as a number"]'
    page.evaluate(
        f"(() => {{ const field = document.querySelector('{field}'); field.focus(); field.select() }})()"
    )
    page.type(str(value))
    page.press("Enter")
    settle(page)


def settle(page: Page) -> None:
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))")


def text(page: Page, selector: str) -> str:
    return str(page.evaluate(f"document.querySelector('{selector}').innerText"))


def rows(page: Page) -> list[list[str]]:
    """The table's cells."""
    found: list[list[str]] = page.evaluate(
        "[...document.querySelectorAll('#table-body tr')]"
        ".map((row) => [...row.children].map((cell) => cell.textContent))"
    )
    return found


def shown(net: convcalc.Network) -> list[list[str]]:
    """The rows that the table should have."""
    from convcalc.report import words

    return [
        [
            layer.name,
            words.operator(node.op),
            "×".join(map(str, layer.output_shape)),
            *(f"{value:,}" for value in (layer.weights, layer.biases, layer.macs, layer.activation_bytes)),
            words.field(layer.receptive_field),
        ]
        for layer, node in zip(net.layers, net.graph, strict=True)
    ]


def test_by_the_keyboard(opened: Opened) -> None:
    """The arrow keys move height and width together; table, totals, panel and drawing follow, the layout does not."""
    page = opened("alexnet")
    before = page.evaluate("document.querySelector('.stage svg').getAttribute('viewBox')")
    page.evaluate("document.querySelector('#table-body .row-name').click()")
    page.evaluate("document.querySelector('input[aria-label=\"input height\"]').focus()")
    for _ in range(4):
        page.press("ArrowRight")
    settle(page)
    net = convcalc.load("alexnet", input_shape=(3, 231, 231))
    assert rows(page) == shown(net)
    assert "(231 − 11 + 2·0)/4 + 1 = 56" in text(page, ".working")
    assert "34,848 · 56×56 = 109,283,328" in text(page, ".working")  # 3·11·11·96 weights, at 56·56 positions
    assert "96×56×56" in page.evaluate("document.querySelector('.stage svg').textContent")
    assert "convcalc show alexnet --input 3x231x231" in text(page, ".said")
    assert page.evaluate("document.querySelector('.stage svg').getAttribute('viewBox')") == before
    page.click(".reset")
    settle(page)
    assert rows(page) == shown(convcalc.load("alexnet"))
    assert text(page, ".said") == ""
    assert page.evaluate("document.querySelector('.reset').disabled")


def test_variables_and_batch(opened: Opened) -> None:
    page = opened("torchvision/mobilenet_v2")
    move(page, "width", 0.35)
    move(page, "batch size", 16)
    net = convcalc.load("torchvision/mobilenet_v2", settings={"width": 0.35}, batch=16)
    assert rows(page) == shown(net)
    peak = net.totals.peak_activation_bytes
    assert text(page, "#totals").endswith(f"{peak / 1e6:.1f} MB at the peak")
    assert (
        text(page, ".said") == "The same: convcalc show torchvision/mobilenet_v2 --batch 16 --set width=0.35"
    )


def test_boxes_and_their_names_follow(opened: Opened) -> None:
    """Words, sizes, what a screen reader says; what a frame says of its copies is taken back."""
    page = opened("alexnet")
    move(page, "F1", 7)
    move(page, "K3", 300)
    drawn = page.evaluate("[...document.querySelectorAll('.stage text')].map((text) => text.textContent)")
    assert {"conv K96 F7 S4", "conv K300 F3", "96×56×56", "300×9×9"} <= {*drawn}
    names = "[...document.querySelectorAll('rect.box')].map((box) => box.getAttribute('aria-label'))"
    labels = page.evaluate(names)
    assert "conv K96 F7 S4, relu, output 96×56×56" in labels
    assert "conv K300 F3, relu, output 300×9×9" in labels
    page.click(".reset")
    settle(page)
    assert "conv K96 F11 S4, relu, output 96×55×55" in page.evaluate(names)

    page = opened("torchvision/densenet121")
    notes = "document.querySelector('.stage').textContent.includes('96 to 256 channels')"
    assert page.evaluate(notes)
    move(page, "growth", 24)
    assert not page.evaluate(notes)
    assert rows(page) == shown(convcalc.load("torchvision/densenet121", settings={"growth": 24}))


def test_height_without_width(opened: Opened) -> None:
    page = opened("vgg16")
    page.click(".square")
    move(page, "input height", 200)
    assert rows(page) == shown(convcalc.load("vgg16", input_shape=(3, 200, 224)))
    page.click(".square")
    settle(page)
    assert rows(page) == shown(convcalc.load("vgg16", input_shape=(3, 200, 200)))


def test_what_does_not_fit_is_said(opened: Opened) -> None:
    """In the words of `show`; the figures are those of the network as it is."""
    page = opened("alexnet")
    own = rows(page)
    move(page, "input height", 50)
    with pytest.raises(convcalc.ShapeError) as error:
        convcalc.load("alexnet", input_shape=(3, 50, 50))
    assert text(page, ".said").startswith(f"It does not fit: {error.value.message}.")
    assert text(page, ".said").endswith("The figures below are those of alexnet, input 3×227×227.")
    assert rows(page) == own


def test_a_receptive_field_without_a_formula_is_not_said_to_be_absent(opened: Opened, tmp_path: Path) -> None:
    """`–` is of layers that have none. The batch and the input's channels change no field."""
    path = tmp_path / "windows.yaml"
    path.write_text(
        "input: [3, 45, 61]\nvars: {s: 2}\nlayers:\n  - conv: {K: 6, F: 3, S: $s, P: 1}\n"
        "  - adaptive_avgpool: 7\n  - conv: {K: 4, F: [3, 2]}\n",
        encoding="utf-8",
    )
    page = opened(path)
    move(page, "batch size", 5)
    move(page, "input channels", 2)
    moved = convcalc.load(path, input_shape=(2, 45, 61), batch=5)
    assert [row[1:] for row in rows(page)] == [row[1:] for row in shown(moved)]
    assert "not computed" not in text(page, ".said")
    move(page, "s", 3)
    assert [row[7] for row in rows(page)] == ["?", "?", "?"]
    assert text(page, ".said").endswith("Receptive fields (field ?) are not computed here for these values.")
    page.evaluate("document.querySelector('#table-body .row-name').click()")
    assert "? not computed for these values" in " ".join(text(page, "#details").split())


def test_the_picture_of_the_receptive_field_says_why_it_is_away(opened: Opened) -> None:
    page = opened("alexnet")
    page.evaluate("document.querySelector('#table-body .row-name').click()")
    assert page.evaluate("document.querySelectorAll('#field svg').length") > 0
    move(page, "K3", 300)
    assert text(page, "#field-body") == "Drawn for alexnet, input 3×227×227: reset the sliders to see it."
    page.click(".reset")
    settle(page)
    assert page.evaluate("document.querySelectorAll('#field svg').length") > 0


def test_a_number_outside_of_the_range_is_the_nearest_in_it(opened: Opened) -> None:
    page = opened("lenet5")
    move(page, "classes", 1000)
    high = page.evaluate("document.querySelector('input[aria-label=\"classes\"]').max")
    assert page.evaluate("document.querySelector('input[aria-label=\"classes\"]').value") == high
    assert rows(page) == shown(convcalc.load("lenet5", settings={"classes": int(high)}))


def test_the_command_keeps_what_the_network_was_loaded_with(opened: Opened) -> None:
    page = opened(
        "torchvision/mobilenet_v2", settings={"width": 0.5}, input_shape=(3, 96, 128), dtype="float16"
    )
    move(page, "classes", 10)
    assert text(page, ".said") == (
        "The same: convcalc show torchvision/mobilenet_v2 --dtype float16 --input 3x96x128 "
        "--set classes=10 --set width=0.5"
    )
    net = convcalc.load(
        "torchvision/mobilenet_v2",
        settings={"width": 0.5, "classes": 10},
        input_shape=(3, 96, 128),
        dtype="float16",
    )
    assert rows(page) == shown(net)


def test_two_networks_have_their_own_sliders(opened: Opened) -> None:
    page = opened("alexnet", "zfnet")
    assert page.evaluate("document.querySelectorAll('.sliders').length") == 2
    labels = page.evaluate(
        "[...document.querySelectorAll('.sliders')].map((group) => group.getAttribute('aria-label'))"
    )
    assert [label[:13] for label in labels] == ["Sliders of A:", "Sliders of B:"]


def test_every_control_has_a_name(opened: Opened) -> None:
    page = opened("alexnet")
    names = page.evaluate(
        "[...document.querySelectorAll('#controls input, #controls button')].map((control) => "
        "control.getAttribute('aria-label') || control.labels?.[0]?.textContent.trim() || control.textContent)"
    )
    assert all(names)
    assert len(set(names)) == len(names)
