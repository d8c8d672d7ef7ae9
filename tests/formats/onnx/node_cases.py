"""ONNX's own tests of operators as models for the importer: what arrives as input besides the data is baked in."""

from __future__ import annotations

import os
import re
import tempfile
import warnings
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnx.backend.test.case.node import collect_testcases

from convcalc.errors import ConvcalcError
from convcalc.formats.model import Model
from convcalc.formats.onnx.fold import FOLDS
from convcalc.formats.onnx.mapping import HANDLERS, map_model
from convcalc.formats.onnx.reader import read_model
from convcalc.weights.load import Weights, match_tensors

Array = Any

# Operators of which more than the first input is computed from the network's input.
SEVERAL = {
    "Add": 2, "Sub": 2, "Mul": 2, "Div": 2, "Max": 9, "Min": 9, "Sum": 9, "Mean": 9, "MatMul": 2, "Gemm": 1,
    "Concat": 9, "Einsum": 9, "Attention": 3,
}  # fmt: skip
# Mapped, but without their rounding, so that they are not claimed; Constant and Shape have no input to compute with.
NOT_CLAIMED = {"Cast", "CastLike", "Constant", "Size", "Shape", "QuantizeLinear", "DequantizeLinear"}
CLAIMED = {name for name in (*HANDLERS, *FOLDS) if ":" not in name} - NOT_CLAIMED
# Operators that are only folded: all their inputs are baked in.
FOLDED = set(FOLDS) - set(HANDLERS)


@dataclass(frozen=True)
class Case:
    """One test: the model with its constants, the inputs that are left and the outputs.

    folds: nothing is computed from the network's input: the operator has no layer, or its inputs are integers, which an
    exporter computes shapes with, they have no values, or it is a power with several exponents.
    """

    name: str
    op: str
    folds: bool
    model: Any
    inputs: dict[str, Array]
    outputs: list[Array]


class _Claimed(str):
    """Compares unequal to operators that are not claimed: onnx then skips their tests, which take most of the time."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return other in CLAIMED

    def __ne__(self, other: object) -> bool:
        return other not in CLAIMED


def cases(names: Sequence[str] | None = None) -> list[Case]:
    """The tests of one node whose operator is claimed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        collected = collect_testcases(_Claimed("claimed"))
    found = []
    for test in collected:
        if test.model is None or len(test.model.graph.node) != 1 or (names and test.name not in names):
            continue
        node = test.model.graph.node[0]
        if node.op_type in CLAIMED and node.domain in ("", "ai.onnx"):
            case = baked(test)
            if case is not None:
                found.append(case)
    return found


def baked(test: Any) -> Case | None:
    """A test as a case; None if its data are not tensors."""
    (values, outputs), *_ = test.data_sets
    values = [np.asarray(value) if isinstance(value, np.generic) else value for value in values]
    outputs = [np.asarray(value) for value in outputs if isinstance(value, (np.ndarray, np.generic))]
    if not all(isinstance(value, np.ndarray) for value in values) or not outputs:
        return None
    model = onnx.ModelProto()
    model.CopyFrom(test.model)
    graph, node = model.graph, test.model.graph.node[0]
    for entry in model.opset_import:  # tests of operators that have not changed since
        entry.version = max(entry.version, 7) if not entry.domain else entry.version
    fixed = node.op_type in FOLDS and (
        node.op_type in FOLDED
        or (bool(values) and values[0].dtype.kind in "iub")
        or (node.op_type == "Pow" and values[1].size > 1)
    )
    count = 0 if fixed else SEVERAL.get(node.op_type, 1)
    kept = list(node.input)[:count]
    inputs = {}
    given = dict(zip([entry.name for entry in test.model.graph.input], values, strict=False))
    del graph.input[:]
    for entry in test.model.graph.input:
        value = given[entry.name]
        number = value.dtype.kind in "fiu" or value.dtype.name == "bfloat16"
        if entry.name in kept and value.size and number:
            graph.input.append(entry)
            inputs[entry.name] = value
        else:
            graph.initializer.append(numpy_helper.from_array(value, entry.name))
    folds = not inputs
    if folds:  # a network has an input: one that nothing reads
        graph.input.append(helper.make_tensor_value_info("unused", onnx.TensorProto.FLOAT, [3]))
        inputs["unused"] = np.zeros(3, np.float32)
    return Case(test.name, node.op_type, folds, model, inputs, outputs)


def opened(case: Case) -> Model:
    """The case through the importer."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "case.onnx")
        onnx.save(case.model, path)
        model = map_model(read_model(path)).model("case", path)
        for tensor in model.tensors.values():
            tensor.values()
        return model


def weights_of(model: Model) -> Weights:
    """The weights of a model as backends take them."""
    nodes: list[Any] = []
    for node, found in zip(model.graph, match_tensors(model.graph, model.tensors, "case").nodes, strict=True):
        if node.shares is not None:
            nodes.append(nodes[node.shares])
        else:
            made = {p.name: array("f", p.rule()) for p in node.parameters if p.rule is not None}
            nodes.append({name: tensor.values() for name, tensor in found.items()} | made)
    return Weights(tuple(nodes), "file", path="case")


class Result(NamedTuple):
    """The result of a case. folds: as of the case; kinds: our operators that it became; wrong: "" if the outputs are
    right (`unequal`), else what is not."""

    name: str
    op: str
    folds: bool
    kinds: tuple[str, ...]
    wrong: str


def result(case: Case, backend: Any) -> Result:
    """Runs a case."""
    try:
        model = opened(case)
    except ConvcalcError as error:
        return Result(
            case.name,
            case.op,
            case.folds,
            (),
            re.sub(r".*case\.onnx: |[A-Z]\w+ that makes '\w+': ", "", error.message),
        )
    kinds = tuple(sorted({node.kind for node in model.graph if node.op.is_known and node.inputs}))
    return Result(case.name, case.op, case.folds, kinds, difference(case, model, backend))


def difference(case: Case, model: Model, backend: Any) -> str:
    """What is wrong with the outputs of a case; "" if they are right."""
    if any(not node.op.is_known for node in model.graph):
        return next(iter(model.notes), "unknown").partition(" is not mapped: ")[2]
    weights = weights_of(model)
    names = [entry.name for entry in model.graph.inputs]
    shapes = [entry.shape for entry in model.graph.inputs]
    arrays = list(case.inputs.values())
    batch = arrays[0].shape[0] if arrays[0].ndim and arrays[0].shape[1:] == shapes[0] else 1
    for index in range(batch):
        given = [
            (value[index] if batch > 1 else value).ravel().astype(np.float64).tolist() for value in arrays
        ]
        if any(len(numbers) != int(np.prod(shape)) for numbers, shape in zip(given, shapes, strict=True)):
            return f"inputs of {shapes}"
        fed: Any = given[0] if len(given) == 1 else dict(zip(names, given, strict=True))
        run = backend.run(model.graph, weights, fed, threads=1)
        for output, wanted in zip(run.outputs.values(), case.outputs, strict=False):
            part = wanted[index] if batch > 1 else wanted
            wrong = unequal(output, part, case)
            if wrong:
                return wrong
    return ""


# By the precision of a type: the relative and the absolute tolerance. bfloat16 has 8 bits: a result that is rounded, as
# are the numbers that it is made of, is off by up to two halves of a step, which is 2^-7 of a number at most. Numbers
# that are rounded near 1 and then add up to a small one are off by 2^-9 each. float16 has 11 bits, float32 24; onnx's
# own tests ask for 1e-3 of all.
TOLERANCES = {"bfloat16": (2**-7, 2**-9), "float16": (1e-2, 1e-3), "float32": (1e-3, 1e-5)}


def unequal(output: Any, wanted: Array, case: Case) -> str:
    """Why an output is not the wanted array; "" if it is."""
    if [n for n in output.shape if n != 1] != [n for n in wanted.shape if n != 1]:
        return f"a shape of {list(output.shape)} instead of {list(wanted.shape)}"
    relative, absolute = TOLERANCES[precision(wanted, case)]
    found = np.asarray(output.values, np.float64)
    target = wanted.astype(np.float64).ravel()
    close = np.isclose(found, target, rtol=relative, atol=absolute, equal_nan=True)
    return "" if close.all() else f"values that differ by {np.nanmax(abs(found - target)):.3g}"


def precision(wanted: Array, case: Case) -> str:
    """The type that a case computes in."""
    if "bf16" in case.name or "bfloat16" in case.name or wanted.dtype.name == "bfloat16":
        return "bfloat16"
    return "float16" if wanted.dtype.itemsize == 2 or "float16" in case.name else "float32"
