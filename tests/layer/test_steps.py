"""A deconvolution step by step: what each pixel of the input adds to the output."""

from __future__ import annotations

import json

import pytest

import convcalc
from convcalc.errors import UsageError
from convcalc.layer.steps import Scattering
from convcalc.shapes import elements


def test_by_hand() -> None:
    """1 2 with the kernel 1 −1 3, 2 apart: 1 −1 3 and 2 −2 6 from place 2 on; one cropped at the start."""
    steps = convcalc.apply(
        "deconv: {stride: 2, padding: [[1, 0]]}", "1 2", weights="1 -1 3", steps=True
    ).record.steps[0]
    assert [step.position for step in steps] == [(0,), (1,)]
    assert [step.written for step in steps] == [((-1,), (0,), (1,)), ((1,), (2,), (3,))]
    assert [step.added for step in steps] == [(1, -1, 3), (2, -2, 6)]
    assert [step.so_far for step in steps] == [(-1, 3, 0, 0), (-1, 5, -2, 6)]
    assert [step.working for step in steps] == ["1·1, 1·(−1), 1·3", "2·1, 2·(−1), 2·3"]


@pytest.mark.parametrize(
    ("entry", "source", "weights"),
    [
        (
            "deconv: {stride: [2, 3], padding: [[0, 1], 1], dilation: [1, 2]}",
            "1 2 3; 4 -5 6",
            ["1 2; 3 4; 0 7"],
        ),
        ("deconv: {stride: 2, output_padding: 1}", "1 2|3 4|5 6", ["1 2|3 4|5 6", "-1 0|2 2|1/2 1"]),
        ("deconv", "a b; c d", ["w x; y z"]),
    ],
)
def test_the_last_step_leaves_the_output(entry: str, source: str, weights: list[str]) -> None:
    """The operator's own forward is the witness."""
    view = convcalc.apply(entry, source, weights=weights, bias=",".join("12"[: len(weights)]), steps=True)
    application, steps = view.record.applications[0], view.record.steps[0]
    size = elements(application.output.shape[1:])
    assert all(isinstance(step, Scattering) for step in steps)
    assert len(steps) == application.output.shape[0] * elements(application.source.shape[1:])
    for channel in range(application.output.shape[0]):
        last = [step for step in steps if step.channel == channel][-1]
        assert list(last.so_far) == list(application.output.values[channel * size : (channel + 1) * size])


def test_shown_and_as_json(convcalc) -> None:
    arguments = (
        "apply",
        "deconv: {stride: 2}",
        "1 0; 0 2",
        "--weights",
        "1 2; 3 4",
        "--steps",
        "--delay",
        "0",
    )
    done = convcalc(*arguments)
    assert done.returncode == 0
    assert "step 4 of 4  adds 2·1, 2·2, 2·3, 2·4" in done.stdout
    value = json.loads(convcalc(*arguments, "--format", "json").stdout)
    assert value["steps"][3] == {
        "channel": 0, "position": [1, 1], "input_channels": [0],
        "written": [[2, 2], [2, 3], [3, 2], [3, 3]], "working": "2·1, 2·2, 2·3, 2·4", "added": [2, 4, 6, 8],
    }  # fmt: skip


def test_too_many() -> None:
    with pytest.raises(UsageError, match="441 steps are more than"):
        convcalc.apply("deconv", ("1 " * 21 + ";") * 21, weights="1 2; 3 4", steps=True)
