"""`convcalc show --as`: the JSON contract, CSV, exit codes."""

from __future__ import annotations

import csv
import io
import json

import pytest


def test_json_has_the_contracts_keys(convcalc):
    value = json.loads(convcalc("show", "alexnet", "--as", "torchinfo,Keras", "--format", "json").stdout)
    assert set(value) == {"name", "conventions", "input", "tools"}
    assert [tool["tool"] for tool in value["tools"]] == ["torchinfo", "Keras"]
    for tool in value["tools"]:
        assert set(tool) == {"tool", "version", "figures"}
        for figure in tool["figures"]:
            assert set(figure) == {"quantity", "label", "value", "printed", "ours", "reasons"}
            assert figure["quantity"] in {"params", "macs", "flops", "bytes"}
            assert all(set(reason) == {"text", "amount"} for reason in figure["reasons"])


def test_csv_has_a_row_per_reason(convcalc):
    done = convcalc("show", "torchvision/mobilenet_v2", "--as", "torchinfo", "--format", "csv")
    rows = [row for row in csv.DictReader(io.StringIO(done.stdout)) if row["label"] == "Total mult-adds"]
    # torchinfo adds 2 per channel of batch normalisation and the dense layer's biases
    assert {(row["reason"], row["amount"]) for row in rows} == {
        ("biases of dense layers", "1000"),
        ("weights and biases of normalisation", "34112"),
    }
    assert {row["value"] for row in rows} == {"300809384"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--as", "thopp"], "did you mean 'thop'"),
        (["--as", ""], "'' is no tool"),
        (["--as", "thop,"], "'' is no tool"),
        (["--as", "thop", "--training"], "--as and --training show different things"),
    ],
)
def test_wrong_questions_are_refused(convcalc, options, message):
    done = convcalc("show", "lenet5", *options)
    assert done.returncode == 2
    assert message in done.stderr
