"""`show --format json` holds what a program needs to build the network again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from convcalc.analysis.analyse import analyse
from convcalc.language.load import load_graph
from convcalc.report.values import analysis_value

SHARED = """
name: twice
input: [3, 12, 9]
layers:
  - conv: {name: stem, K: 4, F: 3, P: [[1, 0], [0, 1]], keys: {weight: first.kernel}}
  - group:
      name: left
      layers:
        - conv: {name: a, K: 6, F: 3, S: 2}
        - relu
  - conv: {name: right, from: stem, share: left.a, K: 6, F: 3, S: 2}
  - concat: {from: [left, right]}
"""


def rebuilt(value: dict[str, Any]) -> str:
    """A spec written from the JSON alone; paths become names."""

    def name(path: str) -> str:
        return path.replace(".", "_")

    layers = []
    for layer in value["layers"]:
        fields = {field: given for field, given in layer["fields"].items() if given is not None}
        sources = [name(source) for source in layer["inputs"]]
        wiring = {"name": name(layer["name"]), "from": sources if len(sources) > 1 else sources[0]}
        if layer["shares"] is not None:
            wiring["share"] = name(layer["shares"])
        if layer["keys"]:
            wiring["keys"] = layer["keys"]
        layers.append({layer["kind"]: {**wiring, **fields}})
    return json.dumps({"name": value["name"], "input": value["inputs"][0]["shape"], "layers": layers})


@pytest.mark.parametrize(
    "arch", ["shared", "alexnet-paper", "resnet18", "torchvision/googlenet", "torchvision/densenet121"]
)
def test_a_network_can_be_built_again_from_its_json(arch: str, tmp_path: Path) -> None:
    if arch == "shared":
        (tmp_path / "shared.yaml").write_text(SHARED, encoding="utf-8")
        arch = str(tmp_path / "shared.yaml")
    value = analysis_value(analyse(load_graph(arch)))
    (tmp_path / "again.yaml").write_text(rebuilt(json.loads(json.dumps(value))), encoding="utf-8")
    again = analysis_value(analyse(load_graph(str(tmp_path / "again.yaml"))))
    assert again["totals"] == value["totals"]
    assert again["outputs"][0]["shape"] == value["outputs"][0]["shape"]
    for one, other in zip(value["layers"], again["layers"], strict=True):
        for key in (
            "kind",
            "input_shapes",
            "output_shape",
            "fields",
            "params",
            "macs",
            "receptive_field",
            "keys",
        ):
            assert one[key] == other[key], (one["name"], key)


def test_shared_weights_and_keys_are_named(tmp_path: Path) -> None:
    path = tmp_path / "shared.yaml"
    path.write_text(SHARED, encoding="utf-8")
    layers = {layer["name"]: layer for layer in analysis_value(analyse(load_graph(str(path))))["layers"]}
    assert layers["right"]["shares"] == "left.a"
    assert layers["right"]["weights"] == 0
    assert layers["left.a"]["shares"] is None
    assert layers["stem"]["keys"] == {"weight": "first.kernel"}
    assert layers["left.a"]["keys"] == {}
