"""What is said of a model as a whole: notes on how it was exported."""

from __future__ import annotations

from pathlib import Path

import pytest

from convcalc.formats.onnx.load import load_onnx
from tests.formats.onnx import messages as m


def loaded(tmp_path: Path, kernel: str, bias: str, metadata: bytes = b"") -> tuple[str, ...]:
    """The notes of a convolution with tensors of these names."""
    conv = m.node("Conv", ["x", kernel, bias], ["y"], name="/conv/Conv") + metadata
    tensors = [m.floats(kernel, [3, 2, 2, 1], range(12)), m.floats(bias, [3], [1, 2, 3])]
    path = tmp_path / "net.onnx"
    path.write_bytes(m.chain(conv, tensors=tensors))
    model = load_onnx(str(path))
    assert model.graph.notes == model.notes
    return model.notes


FUSED = m.field(9, m.field(1, "pkg.onnxscript.rewriter.rule_name") + m.field(2, "FuseBatchNormIntoConv"))


@pytest.mark.parametrize(
    ("kernel", "bias", "metadata", "folded"),
    [
        ("onnx::Conv_12", "onnx::Conv_13", b"", True),  # the older exporter of PyTorch
        ("conv.weight", "conv.weight_bias", FUSED, True),  # the newer
        ("onnx::Conv_12", "conv.bias", b"", False),  # weight normalisation
        ("conv.weight", "conv.bias", b"", False),
    ],
)
def test_batch_normalisation_that_an_exporter_folded(
    tmp_path: Path, kernel: str, bias: str, metadata: bytes, folded: bool
) -> None:
    notes = loaded(tmp_path, kernel, bias, metadata)
    assert any("batch normalisation was folded into a convolution" in note for note in notes) == folded
