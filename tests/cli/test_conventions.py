"""Every JSON object with figures says by which conventions they were counted (but `list`, which is a list)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

COMMANDS = [
    ("show", "lenet5"),
    ("show", "alexnet", "--reconcile", "61.1M"),
    ("diff", "alexnet", "zfnet"),
    ("size", "227", "--kernel", "11", "--stride", "4"),
    ("size", "227", "--kernel", "11", "--output", "55"),
    ("matrix", "--input", "3x3", "--kernel", "2"),
    ("matrix", "lenet5"),
    ("matrix", "lenet5", "conv1"),
    ("field", "lenet5"),
    ("field", "lenet5", "--layer", "conv2"),
    ("field", "lenet5", "--pixel", "3,4"),
    ("field", "lenet5", "--between", "3,4", "9,9"),
    ("worksheet", "lenet5"),
    ("worksheet", "--level", "2"),
    ("worksheet", "--check", "SHEET"),
    ("apply", "maxpool: 2", "1 2; 3 4"),
    ("apply", "identity", "PICTURE"),
    ("forward", "lenet5", "PICTURE"),
    ("check", "lenet5"),
    ("convert", "lenet5", "-o", "NEW.npz"),
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_json_states_the_conventions(convcalc, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    picture = Image.new("L", (32, 32), 0)
    picture.paste(255, (14, 6, 18, 26))  # a one
    picture.save(tmp_path / "PICTURE", "PNG")
    (tmp_path / "SHEET").write_text("exercise,asks,answer\n2.7.3,output,5\n")
    files = {name: str(tmp_path / name) for name in ("PICTURE", "SHEET", "NEW.npz")}
    done = convcalc(*(files.get(one, one) for one in arguments), "--format", "json")
    assert done.returncode in (0, 1), done.stderr
    value = json.loads(done.stdout)
    assert value["conventions"].startswith("weights multiply, biases are added")
    assert "conventions" not in json.dumps([one for one in value.values() if isinstance(one, list)])
