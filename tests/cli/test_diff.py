"""`convcalc diff`: the JSON contract and exit codes."""

from __future__ import annotations

import json
import re

import pytest

from convcalc.render.formats import FORMATS


def test_json_contract(convcalc) -> None:
    value = json.loads(convcalc("diff", "alexnet", "zfnet", "--format", "json").stdout)
    assert (value["a"], value["b"]) == ("alexnet", "zfnet")
    assert {row["status"] for row in value["rows"]} == {"same", "changed"}
    first = value["rows"][0]
    assert first["changes"] == {"kernel": [11, 7]}
    assert set(first["delta"]) == {"weights", "params", "macs"}
    totals = value["totals"]
    assert set(totals) == {"a", "b", "delta", "ratio"}
    assert totals["delta"]["weights"] == totals["b"]["weights"] - totals["a"]["weights"] == 11_693_824
    assert sum(row["delta"]["weights"] for row in value["rows"]) == 11_693_824


def test_exit_code(convcalc) -> None:
    assert convcalc("diff", "alexnet", "zfnet").returncode == 0
    assert convcalc("diff", "alexnet", "zfnet", "--exit-code").returncode == 1
    assert convcalc("diff", "alexnet", "alexnet", "--exit-code").returncode == 0


def test_two_standard_inputs(convcalc) -> None:
    done = convcalc("diff", "-", "-", stdin="")
    assert done.returncode == 2
    assert "standard input" in done.stderr


def test_notes_say_which_network_they_are_on(convcalc) -> None:
    shown = convcalc("diff", "alexnet", "zfnet").stdout
    assert "note on A: The lecture prints a total of 27.55M" in shown
    assert "note on B: The lecture prints a total difference of 1.45M" in shown
    assert "\nnote: " not in shown
    assert "note on A and B: As published" in convcalc("diff", "resnet50", "resnet101").stdout
    changed = convcalc("diff", "alexnet", "alexnet", "--set-b", "K3=512").stdout
    assert "alexnet → alexnet with K3=512" in changed
    assert "note on A: The lecture prints" in changed
    assert "note on B" not in changed


@pytest.mark.parametrize("form", [form for form in FORMATS if form not in ("table", "json", "csv")])
def test_notes_in_every_format(convcalc, form: str) -> None:
    text = re.sub("</?b>", "", convcalc("diff", "alexnet", "zfnet", "--format", form).stdout)
    assert "note on B: The lecture" in text
