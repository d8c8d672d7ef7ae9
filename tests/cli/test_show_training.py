"""`convcalc show --training`: the JSON contract, its rows, exit codes."""

from __future__ import annotations

import csv
import io
import json

import pytest

KEYS = {
    "name", "conventions", "batch", "dtype", "optimizer", "checkpoint", "bytes", "peak_at", "macs", "memory",
    "largest_batch", "layers",
}  # fmt: skip


def test_json_has_the_contracts_keys(convcalc):
    done = convcalc("show", "lenet5", "--training", "--batch", "3", "--memory", "1GB", "--format", "json")
    value = json.loads(done.stdout)
    assert set(value) == KEYS
    assert set(value["bytes"]) == {"weights", "gradients", "optimizer", "kept", "peak"}
    assert set(value["peak_at"]) == {"layer", "pass"}
    assert set(value["macs"]) == {"forward", "backward"}
    assert value["memory"] == 10**9
    assert value["largest_batch"] > 3
    for layer in value["layers"]:
        assert set(layer) == {"name", "kind", "kept", "macs_backward"}
        assert all(set(kept) == {"what", "bytes", "shared_with"} for kept in layer["kept"])
    first = sum(k["bytes"] for layer in value["layers"] for k in layer["kept"] if k["shared_with"] is None)
    assert first == value["bytes"]["kept"]


def test_csv_has_a_row_per_kept_tensor(convcalc):
    done = convcalc("show", "lenet5", "--training", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert list(rows[0]) == ["layer", "kind", "what", "bytes", "shared_with", "macs_backward"]
    # maxpool1 keeps tanh1's output, which tanh1 keeps too, and 6·14·14 indices of 8 bytes
    pool = [row for row in rows if row["layer"] == "maxpool1"]
    assert [(row["what"], row["bytes"], row["shared_with"]) for row in pool] == [
        ("input", str(6 * 28 * 28 * 4), "tanh1"),
        ("indices", str(6 * 14 * 14 * 8), ""),
    ]


def test_blocks_are_one_row_with_depth(convcalc):
    done = convcalc("show", "torchvision/resnet18", "--training", "--depth", "1")
    layers = [line.split()[0] for line in done.stdout.splitlines() if line.startswith("layer")]
    assert layers == ["layer", "layer1", "layer2", "layer3", "layer4"]


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--optimizer", "adam"], 2, "--optimizer needs --training"),
        (["--checkpoint", "layer1"], 2, "--checkpoint needs --training"),
        (["--memory", "1GB"], 2, "--memory needs --training"),
        (["--training", "--memory", "much"], 2, "needs a size of memory"),
        (["--training", "--memory", "3G params"], 2, "needs a size of memory"),
        (["--training", "--memory", "-4GB"], 2, "needs a size of memory"),
        (["--training", "--checkpoint", "layr1"], 2, "did you mean 'layer1'"),
        (["--training", "--explain"], 2, "--explain and --training show different things"),
        (["--training", "--reconcile", "4.1G"], 2, "show different things"),
        (["--training", "--optimizer", "lion"], 2, "lion"),
    ],
)
def test_wrong_questions_are_refused(convcalc, options, code, message):
    done = convcalc("show", "torchvision/resnet18", *options)
    assert done.returncode == code
    assert message in done.stderr
    assert done.stdout == ""


def test_nothing_fits_in_too_little_memory(convcalc):
    done = convcalc("show", "vgg16", "--training", "--memory", "100MB")
    assert done.returncode == 0
    assert "in 100.0 MB: not even one image fits" in done.stdout
