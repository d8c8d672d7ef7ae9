"""Small ONNX models for tests of the importer, compared with ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

from convcalc.backends import reference
from convcalc.formats.model import Model
from convcalc.formats.onnx.mapping import map_model
from convcalc.formats.onnx.reader import read_model
from convcalc.shapes import Shape
from tests.formats.onnx.node_cases import weights_of

Array = Any


def weights(*shape: int, seed: int = 1) -> Array:
    """Random numbers between −1 and 1."""
    return (np.random.default_rng(seed + sum(shape)).random(shape, np.float32) * 2 - 1).astype(np.float32)


def node(op: str, inputs: str, output: str, name: str = "", **attributes: Any) -> Any:
    """A node. inputs, outputs: names with spaces between, `_` for one that is left out."""
    names = ["" if entry == "_" else entry for entry in inputs.split()]
    return helper.make_node(op, names, output.split(), name=name, **attributes)


class Small:
    """A model of nodes with initialisers. shapes: of the inputs, by name; a text is a free dimension."""

    def __init__(
        self,
        folder: Path,
        nodes: Sequence[Any],
        shapes: Mapping[str, Sequence[int | str]],
        initializers: Mapping[str, Array] | None = None,
        outputs: Sequence[str] = ("y",),
        opset: int = 17,
        values: Sequence[Any] = (),
    ) -> None:
        graph = helper.make_graph(
            list(nodes), "small",
            [helper.make_tensor_value_info(name, 1, list(shape)) for name, shape in shapes.items()],
            [helper.make_tensor_value_info(name, 1, None) for name in outputs],
            [numpy_helper.from_array(np.asarray(value), name) for name, value in (initializers or {}).items()],
            value_info=list(values),
        )  # fmt: skip
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
        self.file = folder / "small.onnx"
        self.shapes = dict(shapes)
        onnx.save(model, self.file)

    def opened(self, given: Mapping[str, Shape] | None = None) -> Model:
        """The model through the importer."""
        return map_model(read_model(self.file), given).model("small")

    def kinds(self) -> list[str]:
        """The kinds of its layers."""
        return [layer.kind for layer in self.opened().graph]

    def checked(self, given: Mapping[str, Shape] | None = None, batch: int = 1) -> Model:
        """The model, after a comparison of its outputs with ONNX Runtime's. batch: that the file was exported with."""
        model = self.opened(given)
        random = np.random.default_rng(3)
        full = {name: [n if isinstance(n, int) else 1 for n in shape] for name, shape in self.shapes.items()}
        if given:
            full = {name: [1, *given[name]] for name in full}
        fed = {name: random.random(shape, np.float32) * 2 - 1 for name, shape in full.items()}
        session = onnxruntime.InferenceSession(self.file, providers=["CPUExecutionProvider"])
        wanted = session.run(None, {name: value.astype(np.float32) for name, value in fed.items()})
        first = [value[:1] if batch > 1 else value for value in fed.values()]
        names = [entry.name for entry in model.graph.inputs]
        numbers = {name: value.ravel().tolist() for name, value in zip(names, first, strict=True)}
        one: Any = numbers if len(numbers) > 1 else next(iter(numbers.values()))
        run = reference.run(model.graph, weights_of(model), one, threads=1)
        for output, array in zip(run.outputs.values(), wanted, strict=True):
            target = array[:1] if batch > 1 else array
            assert [n for n in output.shape if n > 1] == [n for n in target.shape if n > 1]
            assert np.abs(np.asarray(output.values) - target.ravel()).max() <= 1e-5 * max(
                1, np.abs(target).max()
            )
        return model
