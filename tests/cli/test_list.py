"""`convcalc list`."""

from __future__ import annotations

import json

from convcalc.spec import bundled


def test_json_contract(convcalc) -> None:
    value = json.loads(convcalc("list", "--format", "json").stdout)
    assert [entry["name"] for entry in value] == bundled.members()
    assert all(set(entry) >= {"name", "title", "source", "input", "params", "macs"} for entry in value)


def test_families_are_left_out(convcalc) -> None:
    names = convcalc("list").stdout
    assert "resnet50" in names
    assert "\n resnet " not in names


def test_patterns(convcalc) -> None:
    names = [entry["name"] for entry in json.loads(convcalc("list", "vgg1?", "--format", "json").stdout)]
    assert names == ["vgg11", "vgg13", "vgg16", "vgg19"]
    done = convcalc("list", "vvg")
    assert done.returncode == 2
    assert "no architecture matches 'vvg'" in done.stderr
