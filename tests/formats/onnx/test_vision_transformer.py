"""A small vision transformer as both of PyTorch's exporters write it, with PyTorch's output for an image."""

from __future__ import annotations

import gzip
from collections import Counter
from math import prod
from pathlib import Path

import numpy as np
import pytest

from convcalc.backends import reference
from convcalc.formats.model import Model
from convcalc.formats.onnx.mapping import map_model
from convcalc.formats.onnx.reader import read_model
from tests.formats.onnx.node_cases import weights_of

DATA = Path(__file__).parents[2] / "data" / "exports"


def opened(part: str, folder: Path) -> Model:
    file = folder / "vision_transformer.onnx"
    file.write_bytes(gzip.decompress((DATA / f"vision_transformer_{part}.onnx.gz").read_bytes()))
    return map_model(read_model(file)).model("vision_transformer", str(file))


def difference(model: Model, backend: object) -> float:
    with np.load(DATA / "vision_transformer.npz") as stored:
        image, wanted = stored["x"], stored["y"].ravel()
    assert np.ptp(wanted) > 1  # not the head of zeros that torchvision starts with
    run = backend.run(model.graph, weights_of(model), image.ravel().tolist(), threads=1)  # type: ignore[attr-defined]
    (output,) = run.outputs.values()
    return float(np.abs(np.asarray(output.values) - wanted).max() / np.abs(wanted).max())


@pytest.mark.parametrize("part", ["ts", "dy"])
def test_outputs_of_the_reference(part: str, tmp_path: Path) -> None:
    assert difference(opened(part, tmp_path), reference) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("part", ["ts", "dy"])
def test_outputs_of_the_fast_backend(part: str, tmp_path: Path) -> None:
    numba = pytest.importorskip("convcalc.backends.numba")
    assert difference(opened(part, tmp_path), numba) < 1e-5


@pytest.mark.parametrize("part", ["ts", "dy"])
def test_the_module_s_layers(part: str, tmp_path: Path) -> None:
    """What torchvision's class has for 2 blocks of 16 features, 10 places and 7 classes, by hand."""
    graph = opened(part, tmp_path).graph
    kinds = Counter(layer.kind for layer in graph)
    wanted = {"conv": 1, "attention": 2, "layernorm": 5, "gelu": 2, "dense": 5, "add": 5, "parameter": 2}
    assert {kind: kinds[kind] for kind in wanted} == wanted
    block = 4 * 16 * 16 + 4 * 16 + 4 * 16 + 2 * 16 * 24 + 24 + 16  # attention, two norms, two dense layers
    total = 3 * 4 * 4 * 16 + 16 + 16 + 10 * 16 + 2 * block + 2 * 16 + 16 * 7 + 7
    assert sum(prod(p.shape) for layer in graph for p in layer.parameters) == total
    paths = {layer.name for layer in graph}
    for number in range(2):
        scope = f"encoder.layers.encoder_layer_{number}"
        assert {
            f"{scope}.{name}" for name in ("ln_1", "self_attention", "ln_2", "mlp.0", "mlp.1", "mlp.3")
        } <= paths
    assert {"conv_proj", "encoder.pos_embedding", "encoder.ln", "heads.head"} <= paths
