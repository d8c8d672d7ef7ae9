"""`convcalc sweep`: rows as they are done, the JSON contract, exit codes."""

from __future__ import annotations

import json

import pytest

FIGURES = {"params", "macs", "peak_activation_bytes"}


def test_json_has_the_contracts_keys(convcalc):
    done = convcalc("sweep", "lenet5", "--set", "classes=3,10", "--input", "32,4", "--format", "json")
    value = json.loads(done.stdout)
    assert done.returncode == 0
    assert set(value) == {"name", "conventions", "variables", "points", "solution", "formulas"}
    assert value["variables"] == ["classes"]
    assert [point["settings"] for point in value["points"]] == [
        {"classes": c} for c in ("3", "3", "10", "10")
    ]
    for point in value["points"]:
        assert set(point) == {"settings", "input", "figures", "error"}
        assert (point["figures"] is None) == (point["error"] is not None)
        assert point["figures"] is None or set(point["figures"]) == FIGURES
    solved = convcalc(
        "sweep", "lenet5", "--solve", "classes=1..50", "--at-most", "params=62k", "--format", "json"
    )
    solution = json.loads(solved.stdout)["solution"]
    # the head has 84 weights and a bias a class: 61,706 + 85·(n − 10) ≤ 62,000 gives 13
    assert (solution["variable"], solution["value"]) == ("classes", "13")
    assert set(solution["figures"]) == FIGURES
    formulas = json.loads(convcalc("sweep", "lenet5", "--formula", "classes", "--format", "json").stdout)[
        "formulas"
    ]
    assert [set(formula) for formula in formulas] == [
        {"quantity", "variable", "coefficients", "where", "checked"}
    ] * 2
    assert formulas[0]["coefficients"] == [str(61_706 - 850), "85"]


def test_a_row_per_point_and_reasons(convcalc):
    done = convcalc("sweep", "lenet5", "--set", "classes=3", "--input", "32,4")
    assert done.returncode == 0
    rows = done.stdout.splitlines()[3:]
    assert len(rows) == 2
    assert "61,111" in rows[0]
    assert "conv1" in rows[1]


def test_a_spec_from_standard_input_keeps_its_name(convcalc):
    spec = "{name: mine, vars: {n: 3}, input: [1, 5, 4], layers: [{conv: {filters: $n, kernel: 2}}]}"
    done = convcalc("sweep", "-", "--set", "n=1,2", "--format", "json", stdin=spec)
    assert json.loads(done.stdout)["name"] == "mine"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["lenet5", "--input", "4,3"], 1, ""),
        (["lenet5", "--set", "clases=3"], 2, "did you mean 'classes'"),
        (["lenet5", "--set", "classes"], 2, "needs NAME=VALUES"),
        (["lenet5", "--set", "classes=1", "--set", "classes=2"], 2, "set twice"),
        (["lenet5", "--at-most", "macs=3M"], 2, "--at-most needs --solve"),
        (["lenet5", "--solve", "classes=1..9"], 2, "--solve needs a limit"),
        (["lenet5", "--solve", "classes=1..9", "--at-most", "speed=3"], 2, "no quantity 'speed'"),
        (["lenet5", "--solve", "classes=1..9", "--at-most", "params=1"], 1, ""),
        (["lenet5", "--solve", "classes=1..9", "--at-most", "params=x"], 2, "x"),
        (["lenet5", "--solve", "classes=1..9", "--formula", "classes"], 2, "different things"),
        (
            ["lenet5", "--solve", "classes=1..9", "--set", "classes=3", "--at-most", "params=1"],
            2,
            "solved for",
        ),
        (["lenet5", "--formula", "classes", "--input", "32,36"], 2, "changes one variable"),
        (["lenet5", "--formula", "depth"], 2, "no variable 'depth'"),
        (["nothing.yaml"], 1, "nothing.yaml"),
        (["model.onnx", "--set", "width=1"], 2, "is not a spec"),
    ],
)
def test_exit_codes(convcalc, arguments, code, message):
    done = convcalc("sweep", *arguments)
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_processes_that_share_a_grid_end_without_a_word(convcalc):
    """They are forked from a program that answers signals, and ended by one."""
    for _ in range(5):
        done = convcalc("sweep", "lenet5", "--solve", "classes=1..400", "--at-most", "params=62k")
        assert (done.returncode, done.stderr) == (0, "")
