"""The formulas of a page, evaluated in a browser, give the figures of `show`."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import convcalc
from convcalc.analysis.analyse import analyse
from convcalc.analysis.tracing.formulas import Formulas
from convcalc.analysis.tracing.table import BINARY, UNARY
from convcalc.analysis.tracing.variants import formulas
from convcalc.errors import ConvcalcError
from convcalc.language.load import Loader
from convcalc.page import formulas as data
from convcalc.report import words
from tests.browser import Browser

EVALUATOR = Path(data.__file__).parent / "script" / "evaluator.js"
SETTINGS = 20

# Chains, a width that rounds channels, groups that must divide, pools that round up, and sizes that must match.
NETWORKS = ["alexnet", "torchvision/mobilenet_v2", "torchvision/resnet50", "googlenet", "unet", "siamese"]


def found(name: str, settings: Mapping[str, str] | None = None, batch: int = 1) -> Formulas:
    loader = Loader(name)
    analysis = analyse(loader.load(settings or {}, None), batch=batch)
    result = formulas(analysis, loader, settings or {}, data.DESCRIBE)
    assert result is not None
    return result


def shown(name: str, sliders: Mapping[str, Any]) -> Any:
    """What `show` says with these settings: per layer shape and counts; or its error."""
    graph = convcalc.load(name).graph
    sizes = {key.removeprefix("input "): value for key, value in sliders.items() if key.startswith("input ")}
    shapes = {
        entry.name: tuple(
            sizes.get(axis, size)
            for axis, size in zip(("channels", "height", "width"), entry.shape, strict=True)
        )
        for entry in graph.inputs
    }
    settings = {
        key: value
        for key, value in sliders.items()
        if not key.startswith("input ") and key != "batch size" and graph.variables[key] != value
    }
    try:
        net = convcalc.load(name, settings=settings, input_shape=shapes, batch=sliders["batch size"])
    except ConvcalcError as error:
        return error.message
    layers = [
        [
            list(layer.output_shape),
            layer.weights,
            layer.biases,
            layer.buffers,
            layer.macs,
            layer.activation_bytes,
        ]
        for layer in net.layers
    ]
    said = []
    for node in net.graph:
        said.append([words.operator(node.op), [list(line) for line in data.worked(net.graph, node)]])
    fields = [words.field(layer.receptive_field) for layer in net.layers]
    return [[list(entry.shape) for entry in net.graph.inputs], layers, said, fields]


def settings_of(made: Formulas) -> list[dict[str, Any]]:
    """Settings of the sliders: at their ends one by one, then anywhere together."""
    own = {slider.symbol: slider.value for slider in made.sliders}
    chance = random.Random(7)
    result = []
    for slider in made.sliders:
        choices = slider.choices()
        result += [{**own, slider.symbol: value} for value in (choices[0], choices[-1])]
    while len(result) < SETTINGS:
        values = dict(own)
        for slider in made.sliders:
            if chance.random() < 0.5:
                values[slider.symbol] = chance.choice(slider.choices())
        if "input height" in own and chance.random() < 0.7:
            values["input width"] = values["input height"]
        result.append(values)
    return result


def in_browser(browser: Browser, value: Any, positions: list[list[Any]], folder: Path) -> list[Any]:
    """What evaluator.js makes of the values of sliders."""
    page = folder / "evaluator.html"
    page.write_text(
        f'<meta charset="utf-8"><script>{EVALUATOR.read_text(encoding="utf-8")}</script>', encoding="utf-8"
    )
    opened = browser.open(page)
    try:
        opened.evaluate(f"globalThis.made = {json.dumps(value)}; 0")
        return opened.evaluate(
            f"{json.dumps(positions)}.map((each) => {{ const at = figuresAt(made, each); "
            "return at && at.layers ? [at.inputs, at.layers.map((row) => "
            "[row.shape, row.weights, row.biases, row.buffers, row.macs, row.bytes]), "
            "at.layers.map((row) => [row.operator, row.working]), at.layers.map((row) => row.fieldText)] : at })"
        )
    finally:
        opened.close()


@pytest.mark.parametrize("name", NETWORKS)
def test_twenty_settings_of_the_sliders_give_the_figures_of_show(
    browser: Browser, name: str, tmp_path: Path
) -> None:
    """Every layer's figures exactly, its words where it has any, and the error where the network does not fit."""
    made = found(name)
    settings = settings_of(made)
    positions = [[values[slider.symbol] for slider in made.sliders] for values in settings]
    results = in_browser(browser, data.value(made, "convcalc show"), positions, tmp_path)
    computed = said = layers = fields = 0
    for values, result in zip(settings, results, strict=True):
        if result is None or result == {"error": None}:
            continue  # said to be not computed: there is nothing to be wrong
        computed += 1
        expected = shown(name, values)
        if isinstance(result, dict):
            assert result["error"] == expected, values
            continue
        assert result[:2] == expected[:2], values
        for layer, text in zip(result[2], expected[2], strict=True):
            assert layer[0] in (None, text[0]), values
            assert layer[1] in (None, text[1]), values
            said += layer == text
            layers += 1
        if result[3] != [None] * len(result[3]):
            assert result[3] == expected[3]
            fields += 1
    assert computed >= 0.8 * len(settings)
    assert said >= 0.9 * layers
    assert fields >= 0.4 * computed


def test_the_operations_mean_in_a_browser_what_they_mean_in_python(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "operations.html"
    page.write_text(
        f'<meta charset="utf-8"><script>{EVALUATOR.read_text(encoding="utf-8")}</script>', encoding="utf-8"
    )
    numbers = [-7, -4, -1, 0, 1, 2, 3, 7, 10, 224, 2**53 - 1, 0.5, 1.5, 2.5, -0.5, 0.1, 0.35, 7.75]
    cases: list[tuple[int, Any, Any]] = []
    expected = []
    for number, name in enumerate(data.OPERATIONS):
        for left in numbers:
            for right in numbers:
                if (name in ("//", "%", "/") and right == 0) or name in ("&", "|"):
                    continue
                result = UNARY[name](left) if name in UNARY else BINARY[name](left, right)
                if isinstance(result, int) and abs(result) >= 2**53:
                    continue
                cases.append((number, left, right))
                expected.append(float(result))
    opened = browser.open(page)
    given = opened.evaluate(f"{json.dumps(cases)}.map(([which, a, b]) => OPERATIONS[which](a, b))")
    opened.close()
    wrong = [
        (case, value, right)
        for case, value, right in zip(cases, given, expected, strict=True)
        if value != right
    ]
    assert wrong == []
    assert {*data.OPERATIONS} == {*BINARY, *UNARY}


def test_the_data_of_a_large_network_are_small() -> None:
    value = data.value(found("torchvision/resnet152"), "convcalc show torchvision/resnet152")
    assert len(json.dumps(value)) < 40_000
    assert [slider["label"] for slider in value["sliders"]] == [
        "input height", "input width", "input channels", "batch size", "groups", "base", "classes",
    ]  # fmt: skip


def test_what_has_no_slider_is_named() -> None:
    made = found("densenet-bc-100-12")
    assert made.structural == ("depth",)
    assert "depth" not in [slider.symbol for slider in made.sliders]


def test_a_network_without_a_spec_moves_its_batch() -> None:
    analysis = analyse(Loader("lenet5").load({}, None), batch=3)
    made = formulas(analysis, None, {})
    assert made is not None
    assert [(slider.symbol, slider.value) for slider in made.sliders] == [("batch size", 3)]
    assert made.holding({"batch size": 10}) is made.variants[0]


# One of each kind of rule: windows, tokens, sizes like other layers', one and three dimensions, many inputs of a join.
OTHERS = [
    "torchvision/swin_t", "torchvision/vit_b_16", "torchvision/s3d", "torchvision/efficientnet_b0", "espcn",
    "torchvision/lraspp_mobilenet_v3_large", "torchvision/fcos_resnet50_fpn", "torchvision/shufflenet_v2_x1_0",
    "torchvision/maxvit_t", "attention-unet", "hrnet-w18-small", "wavenet", "yolov3-tiny", "lenet5-paper",
    "dcgan-generator",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
def test_other_networks_have_formulas_that_are_their_figures(name: str) -> None:
    """`found` has compared them with runs on plain numbers; the data are small, whatever the network."""
    value = data.value(found(name), f"convcalc show {name}")
    assert len(value["sliders"]) >= 3
    assert len(json.dumps(value, allow_nan=False)) < 100_000
