"""Numbers of all types, in all the places where a file may hold them; onnx's own decoding is the oracle."""

from __future__ import annotations

from math import isnan
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from convcalc.errors import ModelError
from convcalc.formats.onnx.numbers import BITS, INTEGERS, TYPES
from convcalc.formats.onnx.reader import read_model
from convcalc.formats.onnx.records import OnnxTensor
from tests.formats.onnx import messages as m

NUMBERS = {code: dtype for code, dtype in TYPES.items() if dtype not in ("STR", "C64", "C128")}
SHAPE = (3, 1, 5)  # 15 numbers: an odd count leaves half a byte of 4-bit numbers unused


def loaded(tmp_path: Path, *tensors: bytes) -> list[OnnxTensor]:
    path = tmp_path / "net.onnx"
    path.write_bytes(m.chain(m.node("Relu", ["x"], ["y"]), tensors=tensors))
    return list(read_model(path).graph.initializers.values())


def given(dtype: str) -> np.ndarray:
    """Numbers that the type holds exactly, its extremes among them."""
    if dtype == "BOOL":
        return np.arange(15) % 2
    if dtype in INTEGERS:
        bits = BITS[dtype]
        low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if dtype[0] == "I" else (0, (1 << bits) - 1)
        span = np.array([low, high, 0, 1, *range(2, 13)], dtype=object)
        return np.minimum(span, high)
    if dtype == "F8_E8M0":
        return np.array([2.0**power for power in range(-7, 8)])
    return np.array([0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, -0.5, -1.0, -1.5, -2.0, -3.0, -4.0, -6.0])


@pytest.mark.parametrize("raw", [True, False], ids=["raw", "typed"])
@pytest.mark.parametrize("code", NUMBERS)
def test_types(tmp_path: Path, code: int, raw: bool) -> None:
    dtype = NUMBERS[code]
    numbers = given(dtype)
    array = numbers.astype(helper.tensor_dtype_to_np_dtype(code))
    made = (
        numpy_helper.from_array(array.reshape(SHAPE), "t")
        if raw
        else helper.make_tensor("t", code, SHAPE, array.tolist())
    )
    assert made.HasField("raw_data") == raw
    (tensor,) = loaded(tmp_path, made.SerializeToString())
    assert (tensor.name, tensor.shape, tensor.dtype) == ("t", SHAPE, dtype)
    oracle = numpy_helper.to_array(made).reshape(-1)
    assert oracle.astype(np.float64).tolist() == pytest.approx(numbers.astype(np.float64))
    values = tensor.values()
    if dtype in INTEGERS:
        assert values.tolist() == numbers.tolist()
    else:
        assert values.tolist() == oracle.astype(np.float64).tolist()
    assert values.typecode in ("bBhHiIlLqQ" if dtype in INTEGERS else "d" if dtype == "F64" else "f")


@pytest.mark.parametrize("code", [17, 18, 19, 20, 23, 24])
def test_every_pattern_of_small_floats(tmp_path: Path, code: int) -> None:
    packed = (
        bytes([low | high << 4 for low in range(16) for high in range(16)])
        if code == 23
        else bytes(range(256))
    )
    count = 512 if code == 23 else 256
    made = TensorProto(name="t", data_type=code, dims=[count], raw_data=packed)
    (tensor,) = loaded(tmp_path, made.SerializeToString())
    oracle = numpy_helper.to_array(made).astype(np.float64).tolist()
    for ours, theirs in zip(tensor.values(), oracle, strict=True):
        assert ours == theirs or (isnan(ours) and isnan(theirs))


@pytest.mark.parametrize("code", [10, 16])
def test_every_pattern_of_half_floats(tmp_path: Path, code: int) -> None:
    patterns = np.arange(1 << 16, dtype=np.uint16)
    made = TensorProto(name="t", data_type=code, dims=[1 << 16], raw_data=patterns.tobytes())
    (tensor,) = loaded(tmp_path, made.SerializeToString())
    oracle = numpy_helper.to_array(made).astype(np.float32)
    np.testing.assert_array_equal(np.array(tensor.values(), np.float32), oracle)


def test_a_scalar_and_an_empty_tensor(tmp_path: Path) -> None:
    scalar, empty = loaded(
        tmp_path, m.floats("s", [], [2.5]), m.packed(1, [0, 3]) + m.field(2, 7) + m.field(8, "e")
    )
    assert (scalar.shape, scalar.count, list(scalar.values())) == ((), 1, [2.5])
    assert (empty.shape, empty.count, list(empty.values()), empty.missing) == ((0, 3), 0, [], None)


def test_texts_have_no_bytes_and_complex_numbers_no_values(tmp_path: Path) -> None:
    text = helper.make_tensor("text", TensorProto.STRING, [2], [b"ab", "ç".encode()])
    complexes = helper.make_tensor("complexes", TensorProto.COMPLEX64, [1], [1 + 2j])
    texts, numbers = loaded(tmp_path, text.SerializeToString(), complexes.SerializeToString())
    assert texts.values() == [b"ab", "ç".encode()]
    with pytest.raises(ModelError, match="tensor 'text' holds text"):
        texts.read()
    with pytest.raises(ModelError, match="tensor 'complexes' holds complex numbers"):
        numbers.values()


def test_too_few_texts(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"tensor 't' \[3\] has 2 texts"):
        loaded(tmp_path, m.tensor("t", [3], m.STRING, more=m.fields(6, [b"a", b"b"])))


def test_numbers_beyond_their_type(tmp_path: Path) -> None:
    (tensor,) = loaded(tmp_path, m.tensor("t", [1], 3, more=m.packed(5, [300])))
    with pytest.raises(ModelError, match="'t', I8, has a number of more than 8 bits"):
        tensor.values()


def test_too_few_typed_numbers(tmp_path: Path) -> None:
    (tensor,) = loaded(tmp_path, m.tensor("t", [4], 7, more=m.packed(7, [1, 2, 3])))
    with pytest.raises(ModelError, match="needs 32 bytes and has 24"):
        tensor.values()


def test_stripped_tensors_show_and_have_no_values(tmp_path: Path) -> None:
    """As `onnx.save` after `ClearField("raw_data")` leaves them."""
    (tensor,) = loaded(tmp_path, m.tensor("conv.weight", [4, 3, 3, 3]))
    assert (tensor.shape, tensor.missing) == ((4, 3, 3, 3), "")
    with pytest.raises(ModelError, match=r"conv\.weight.* were taken out of the file") as caught:
        tensor.values()
    assert "--weights" in str(caught.value)


# --- files beside the model --------------------------------------------------------------------------------------


def test_external_data_written_by_onnx(tmp_path: Path) -> None:
    weight = numpy_helper.from_array(np.arange(24, dtype=np.float32).reshape(2, 3, 4), "w")
    counts = numpy_helper.from_array(np.array([7, -8], np.int64), "n")
    graph = helper.make_graph([], "g", [], [], [weight, counts])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    path = tmp_path / "net.onnx"
    onnx.save(model, path, save_as_external_data=True, location="net.onnx.data", size_threshold=0)
    tensors = read_model(path).graph.initializers
    assert list(tensors["w"].values()) == list(range(24))
    assert list(tensors["n"].values()) == [7, -8]
    assert tensors["w"].missing is None


def test_a_missing_file_of_data(tmp_path: Path) -> None:
    (tensor,) = loaded(tmp_path, m.stored("w", [2, 3], "net.onnx.data", 0, 24))
    assert (tensor.shape, tensor.missing) == ((2, 3), "net.onnx.data")
    with pytest.raises(ModelError, match=r"net\.onnx\.data' is missing; it holds tensor 'w'"):
        tensor.values()


def test_a_pointer_in_place_of_data(tmp_path: Path) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 240466592\n"
    (tmp_path / "net.onnx.data").write_text(pointer)
    (tensor,) = loaded(tmp_path, m.stored("w", [200, 300], "net.onnx.data", 0, 240_000))
    assert tensor.missing == "net.onnx.data"
    with pytest.raises(ModelError, match="is missing") as caught:
        tensor.values()
    assert "git lfs pull" in str(caught.value)


def test_a_file_of_data_below_the_folder(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "w.bin").write_bytes(bytes(4) + np.array([1.5, -2], np.float32).tobytes())
    (tensor,) = loaded(tmp_path, m.stored("w", [2], "data/w.bin", 4, 8))
    assert list(tensor.values()) == [1.5, -2]
    (tensor,) = loaded(tmp_path, m.stored("w", [3], "data/w.bin", None, None))  # from the start, all of it
    assert list(tensor.values()) == [0, 1.5, -2]


@pytest.mark.parametrize(
    "location",
    ["/etc/passwd", "../w.bin", "data/../../w.bin", "C:\\w.bin", "..\\w.bin", "\\\\host\\w", "", "a\0b"],
)
def test_places_out_of_the_folder_are_refused(tmp_path: Path, location: str) -> None:
    with pytest.raises(ModelError, match="not a path within the model's folder"):
        loaded(tmp_path, m.stored("w", [1], location, 0, 4))


def test_links_out_of_the_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(8))
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "link.bin").symlink_to(tmp_path / "w.bin")
    with pytest.raises(ModelError, match="is a link out of the model's folder"):
        loaded(folder, m.stored("w", [2], "link.bin", 0, 8))
    (folder / "own.bin").write_bytes(bytes(8))
    (folder / "inner.bin").symlink_to("own.bin")
    (tensor,) = loaded(folder, m.stored("w", [2], "inner.bin", 0, 8))
    assert list(tensor.values()) == [0, 0]


@pytest.mark.parametrize("linked", [True, False])
def test_a_model_that_is_a_link_has_its_data_beside_its_target(tmp_path: Path, linked: bool) -> None:
    """Caches of downloads have a folder of links to blobs, model and data alike; a link of one's own has none for the
    data."""
    blobs, folder = tmp_path / "blobs", tmp_path / "snapshot"
    blobs.mkdir()
    folder.mkdir()
    name = "blob-of-data" if linked else "w.bin"
    (blobs / name).write_bytes(np.array([2.5], np.float32).tobytes())
    loaded(blobs, m.stored("w", [1], "w.bin", 0, 4))
    (blobs / "net.onnx").rename(blobs / "blob-of-model")
    (folder / "net.onnx").symlink_to(Path("..", "blobs", "blob-of-model"))
    if linked:
        (folder / "w.bin").symlink_to(Path("..", "blobs", "blob-of-data"))
    tensor = read_model(folder / "net.onnx").graph.initializers["w"]
    assert list(tensor.values()) == [2.5]
    (tmp_path / "secret.bin").write_bytes(bytes(4))
    (folder / "w.bin").unlink(missing_ok=True)
    (folder / "w.bin").symlink_to(tmp_path / "secret.bin")
    with pytest.raises(ModelError, match="is a link out of the model's folder"):
        read_model(folder / "net.onnx")


@pytest.mark.parametrize(
    ("offset", "length", "told"),
    [
        (4, 8, "should end at byte 12 of 8"),
        (1 << 50, 8, "should end at byte"),
        (0, 4, "needs 8 bytes and has 4"),
        (-4, 8, "the offset of tensor 'w' is '-4'"),
        (0, -8, "the length of tensor 'w' is '-8'"),
    ],
)
def test_places_beyond_the_file_of_data(tmp_path: Path, offset: int, length: int, told: str) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(8))
    with pytest.raises(ModelError, match=told):
        loaded(tmp_path, m.stored("w", [2], "w.bin", offset, length))


def test_a_folder_in_place_of_data(tmp_path: Path) -> None:
    (tmp_path / "w.bin").mkdir()
    with pytest.raises(ModelError, match="not a regular file"):
        loaded(tmp_path, m.stored("w", [2], "w.bin", 0, 8))
