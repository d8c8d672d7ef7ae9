"""Resize by other rules than PyTorch's, against ONNX Runtime. The matrices that it becomes are noted as constants."""

from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from convcalc.backends import reference
from tests.formats.onnx.node_cases import weights_of
from tests.formats.onnx.small_models import Small, node

FORMS = {
    "crop beyond the border": (
        [1, 1, 4, 9],
        {"coordinate_transformation_mode": "tf_crop_and_resize", "mode": "linear", "extrapolation_value": 2.5},
    ),
    "crop of the nearest": (
        [1, 1, 4, 9], {"coordinate_transformation_mode": "tf_crop_and_resize", "mode": "nearest"},
    ),
    "antialiased": ([1, 1, 3, 2], {"mode": "linear", "antialias": 1}),
    "cubic, antialiased": ([1, 1, 4, 3], {"mode": "cubic", "antialias": 1}),
    "cubic with another coefficient": ([1, 1, 11, 3], {"mode": "cubic", "cubic_coeff_a": -0.5}),
    "cubic without the outside": ([1, 1, 11, 3], {"mode": "cubic", "exclude_outside": 1}),
    "asymmetric": ([1, 1, 11, 8], {"mode": "linear", "coordinate_transformation_mode": "asymmetric"}),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_pixels_blended_by_a_matrix(form: str, tmp_path: Path) -> None:
    sizes, attributes = FORMS[form]
    small = Small(
        tmp_path,
        [node("Resize", "x roi _ sizes", "y", **attributes)],
        {"x": [1, 3, 7, 5]},
        {
            "roi": np.array([0, 0, 0.25, -0.125, 1, 1, 1.25, 0.75], np.float32),
            "sizes": np.array([1, 3, *sizes[2:]]),
        },
        opset=19,
    )
    model = small.checked()
    assert {layer.kind for layer in model.graph} == {"dense", "transpose"}
    numbers = sum(m * n for m, n in zip(sizes[2:], (7, 5), strict=True))
    biased = sum(sizes[2:]) if "extrapolation_value" in attributes else 0
    assert sum(prod(p.shape) for layer in model.graph for p in layer.parameters) == numbers + biased
    assert f"2 constants of the file with {numbers:,} numbers in all count as parameters" in model.notes


def test_a_crop_to_the_same_size_is_no_copy(tmp_path: Path) -> None:
    """By onnx's reference, as ONNX Runtime copies an axis whose size stays the same."""
    x = np.random.default_rng(3).random((1, 3, 7, 5), np.float32)
    roi = np.array([0, 0, 0.25, 0.125, 1, 1, 0.75, 0.5], np.float32)
    crop = node(
        "Resize", "x roi _ sizes", "y", mode="linear", coordinate_transformation_mode="tf_crop_and_resize"
    )
    small = Small(tmp_path, [crop], {"x": x.shape}, {"roi": roi, "sizes": np.array(x.shape)}, opset=19)
    (wanted,) = ReferenceEvaluator(onnx.load(small.file)).run(None, {"x": x})
    model = small.opened()
    (output,) = reference.run(model.graph, weights_of(model), x.ravel().tolist(), threads=1).outputs.values()
    assert np.abs(np.asarray(output.values) - wanted.ravel()).max() < 1e-6


def test_vectors_of_indices_are_taken_as_one(tmp_path: Path) -> None:
    """GatherND by pairs, one of them from the end."""
    indices = np.array([[[2, 1]], [[0, -1]], [[-3, 0]]])
    small = Small(tmp_path, [node("GatherND", "x i", "y")], {"x": [3, 4, 5]}, {"i": indices})
    assert small.checked().graph.output_shape == (3, 1, 5)
