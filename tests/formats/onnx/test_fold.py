"""Constant folding: arithmetic on shapes is worked out with values that NumPy gives, weights are not read for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from convcalc.formats.onnx.calls import Call, Invalid
from convcalc.formats.onnx.fold import FOLDS
from convcalc.formats.onnx.records import OnnxNode, OnnxTensor
from convcalc.formats.onnx.values import Const, is_readable

Array = Any


def const(value: Any, dtype: str | None = None) -> Const:
    array = np.asarray(value)
    kind = dtype or ("I64" if array.dtype.kind == "i" else "BOOL" if array.dtype.kind == "b" else "F32")
    return Const(array.shape, kind, values=array.ravel().tolist())


def folded(
    op: str, *inputs: Const | None, opset: int = 20, outputs: int = 1, **attributes: Any
) -> list[Const]:
    node = OnnxNode(op, "", "", (), tuple(f"y{place}" for place in range(outputs)), attributes)
    found = FOLDS[op](Call(node, opset, inputs))
    return [found] if isinstance(found, Const) else list(found)


def same(found: Const, wanted: Array) -> None:
    assert found.shape == wanted.shape
    assert np.asarray(found.values(), np.float64).reshape(wanted.shape) == pytest.approx(
        np.asarray(wanted, np.float64)
    )


CUBE = np.arange(2 * 3 * 5).reshape(2, 3, 5)


def test_division_truncates_towards_zero() -> None:
    same(folded("Div", const([7, -7, 7, -7]), const([2, 2, -2, -2]))[0], np.array([3, -3, -3, 3]))
    same(folded("Div", const([7.0, -7.0]), const([2.0, 2.0]))[0], np.array([3.5, -3.5]))


def test_remainders() -> None:
    same(folded("Mod", const([7, -7]), const([3, 3]))[0], np.array([1, 2]))
    same(folded("Mod", const([7, -7]), const([3, 3]), fmod=1)[0], np.array([1, -1]))


@pytest.mark.parametrize(
    ("starts", "ends", "axes", "steps", "wanted"),
    [
        ([1], [3], [2], None, CUBE[:, :, 1:3]),
        ([-1], [-100], [2], [-2], CUBE[:, :, ::-2]),
        ([0, 1], [1, 2**60], [0, 1], [1, 1], CUBE[:1, 1:]),
        ([1], [2], None, None, CUBE[1:2]),
    ],
)
def test_slices(
    starts: list[int], ends: list[int], axes: list[int] | None, steps: list[int] | None, wanted: Array
) -> None:
    more = [None if value is None else const(value) for value in (axes, steps)]
    same(folded("Slice", const(CUBE), const(starts), const(ends), *more)[0], wanted)


def test_slices_before_opset_10_have_attributes() -> None:
    found = folded("Slice", const(CUBE), opset=9, starts=(1,), ends=(3,), axes=(1,))[0]
    same(found, CUBE[:, 1:3])


@pytest.mark.parametrize("order", [(2, 0, 1), (1, 0, 2), (0, 2, 1)])
def test_transposes(order: tuple[int, ...]) -> None:
    same(folded("Transpose", const(CUBE), perm=order)[0], CUBE.transpose(order))


def test_gathers_and_scatters() -> None:
    same(
        folded("Gather", const(CUBE), const([[2, -1], [0, 1]]), axis=1)[0],
        CUBE.take([[2, 2], [0, 1]], axis=1),
    )
    places = np.array([[1, 2], [0, -1]])
    same(folded("GatherND", const(CUBE), const(places))[0], CUBE[[1, 0], [2, -1]])
    wanted = CUBE.copy()
    wanted[[1, 0], [2, -1]] = 9
    same(folded("ScatterND", const(CUBE), const(places), const(np.full((2, 5), 9)))[0], wanted)


@pytest.mark.parametrize(("opset", "sizes"), [(11, (2, 3)), (13, (2, 3)), (18, None)])
def test_splits(opset: int, sizes: tuple[int, ...] | None) -> None:
    given = const(CUBE)
    if sizes is None:
        found = folded("Split", given, opset=opset, outputs=2, axis=2, num_outputs=2)
        wanted = [CUBE[..., :3], CUBE[..., 3:]]
    elif opset < 13:
        found = folded("Split", given, opset=opset, outputs=2, axis=2, split=sizes)
        wanted = [CUBE[..., :2], CUBE[..., 2:]]
    else:
        found = folded("Split", given, const(sizes), opset=opset, outputs=2, axis=2)
        wanted = [CUBE[..., :2], CUBE[..., 2:]]
    for part, array in zip(found, wanted, strict=True):
        same(part, array)


def test_reductions_and_where_and_ranges() -> None:
    same(folded("ReduceProd", const(CUBE), axes=(1,), opset=13)[0], CUBE.prod(axis=1, keepdims=True))
    same(folded("ReduceMax", const(CUBE), const([0, 2]), keepdims=0)[0], CUBE.max(axis=(0, 2)))
    same(folded("Where", const([True, False]), const([[1], [2]]), const(5))[0], np.array([[1, 5], [2, 5]]))
    same(folded("Range", const(9), const(0), const(-4))[0], np.array([9, 5, 1]))
    same(folded("CumSum", const(CUBE), const(1), exclusive=1)[0], np.cumsum(CUBE, 1) - CUBE)
    same(folded("Expand", const([[1], [2]]), const([3, 1, 4]))[0], np.broadcast_to([[1], [2]], (3, 2, 4)))


@pytest.mark.parametrize(
    ("target", "options", "wanted"),
    [
        ((0, -1), {}, (2, 15)),
        ((5, 0, 2), {}, (5, 3, 2)),
        ((-1,), {}, (30,)),
        ((3, 10), {"allowzero": 1}, (3, 10)),
    ],
)
def test_reshapes(target: tuple[int, ...], options: dict[str, int], wanted: tuple[int, ...]) -> None:
    same(folded("Reshape", const(CUBE), const(target), **options)[0], CUBE.reshape(wanted))


def test_a_shape_that_does_not_fit_is_refused() -> None:
    with pytest.raises(Invalid, match=r"the shape \[4, -1\] does not fit an input of \[2, 3, 5\]"):
        folded("Reshape", const(CUBE), const([4, -1]))


def unread(*shape: int, name: str = "layer.weight", missing: str | None = None) -> Const:
    def read() -> bytes:
        raise AssertionError("weights are not read for shapes")

    return Const(shape, "F32", tensor=OnnxTensor(name, shape, "F32", read, missing))


def test_weights_have_a_shape_and_are_not_read() -> None:
    kernel = unread(9, 7, 3, 2)
    found = folded("Mul", folded("Transpose", kernel, perm=(1, 0, 2, 3))[0], const(0.5))[0]
    assert (found.shape, found.known, found.learned) == ((7, 9, 3, 2), False, True)
    shape = folded("Shape", found)[0]
    assert (shape.known, list(shape.values())) == (True, [7, 9, 3, 2])


def test_what_depends_on_a_missing_file_is_not_readable() -> None:
    there, gone = unread(80), unread(80, missing="net.onnx.data")
    assert is_readable(folded("Add", there, there)[0])
    assert not is_readable(folded("Add", there, gone)[0])


def test_long_chains_of_constants_are_computed() -> None:
    value = const([1])
    for _ in range(5_000):
        value = folded("Add", value, const([2]))[0]
        value.known = False  # as if a weight were among them
    assert list(value.values()) == [10_001]


def test_identity_of_an_initialiser_is_a_tensor_of_its_own() -> None:
    """PyTorch's exporter merges tensors of equal values that way."""
    found = folded("Identity", unread(5, name="bn1.weight"))[0]
    assert found.tensor is not None
    assert found.tensor.name == "y0"
