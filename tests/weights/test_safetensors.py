"""safetensors files, sound ones written byte by byte and damaged ones of every kind."""

import json
import math
import os
import struct
from array import array
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convcalc.errors import ConvcalcError, WeightsError
from convcalc.weights.files import open_weights
from convcalc.weights.safetensors import write


def packed(header: object, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(dtype: str, shape: list[int], begin: int, end: int) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def written(folder: Path, content: bytes) -> Path:
    path = folder / "w.bin"  # the name tells nothing: files are known by what is in them
    path.write_bytes(content)
    return path


SOUND = packed(
    {
        "__metadata__": {"made": "by hand"},
        "conv.weight": entry("F32", [2, 3], 0, 24),
        "conv.bias": entry("F64", [2], 24, 40),
        "steps": entry("I64", [], 40, 48),
    },
    struct.pack("<6f2dq", 1, 2, 3, 4, 5, -6.5, 0.1, 1e300, 2**40),
)


def test_a_file_written_by_hand(tmp_path):
    tensors = open_weights(written(tmp_path, SOUND))
    assert list(tensors) == ["conv.weight", "conv.bias", "steps"]
    weight, bias, steps = tensors.values()
    assert (weight.name, weight.shape, weight.dtype, weight.count) == ("conv.weight", (2, 3), "F32", 6)
    assert weight.values() == array("f", [1, 2, 3, 4, 5, -6.5])
    assert (weight.values().typecode, bias.values().typecode) == ("f", "d")
    assert list(bias.values()) == [0.1, 1e300]
    assert (steps.shape, list(steps.values())) == ((), [2**40])


@pytest.mark.parametrize(
    ("dtype", "data", "expected"),
    [
        ("F16", struct.pack("<5e", 1, -2.5, 65504, 2**-24, 1 / 3), [1, -2.5, 65504, 2**-24, 0.333251953125]),
        ("F16", b"\x00\x7c\x00\xfc", [math.inf, -math.inf]),
        ("BF16", bytes.fromhex("803f 20c0 ab3e 80ff"), [1, -2.5, 0.333984375, -math.inf]),
        ("I8", b"\xff\x02", [-1, 2]),
        ("U8", b"\xff\x02", [255, 2]),
        ("I16", b"\xfe\xff", [-2]),
        ("U16", b"\xfe\xff", [65534]),
        ("I32", struct.pack("<i", -(2**31) + 1), [-(2**31) + 1]),
        ("U32", struct.pack("<I", 2**32 - 1), [2**32 - 1]),
        ("BOOL", b"\0\1", [0, 1]),
    ],
)  # fmt: skip
def test_other_types_become_floats(tmp_path, dtype, data, expected):
    count = len(expected)
    path = written(tmp_path, packed({"t": entry(dtype, [count], 0, len(data))}, data))
    assert list(open_weights(path)["t"].values()) == expected


def test_all_half_precision_patterns_agree_with_struct(tmp_path):
    data = struct.pack("<65536H", *range(65536))
    values = open_weights(written(tmp_path, packed({"t": entry("F16", [65536], 0, 131072)}, data)))[
        "t"
    ].values()
    for got, expected in zip(values, struct.unpack("<65536e", data), strict=True):
        assert got == expected or (math.isnan(got) and math.isnan(expected))


def test_what_write_writes(tmp_path):
    path = tmp_path / "out.safetensors"
    write(path, {"a": ((2, 1), array("f", [1.5, -2])), "b": ((), array("d", [0.1]))}, {"k": "v"})
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    assert length % 8 == 0
    assert json.loads(content[8 : 8 + length]) == {
        "__metadata__": {"k": "v"},
        "a": entry("F32", [2, 1], 0, 8),
        "b": entry("F64", [], 8, 16),
    }
    assert content[8 + length :] == struct.pack("<2fd", 1.5, -2, 0.1)
    assert os.listdir(tmp_path) == ["out.safetensors"]


def test_write_refuses_a_shape_that_does_not_hold_the_numbers(tmp_path):
    with pytest.raises(ValueError, match="does not hold 3 numbers"):
        write(tmp_path / "x", {"a": ((2,), array("f", [1, 2, 3]))})
    assert os.listdir(tmp_path) == []


def test_write_where_there_is_no_folder(tmp_path):
    with pytest.raises(ConvcalcError, match="cannot be written"):
        write(tmp_path / "none" / "x", {})


def test_a_file_without_tensors(tmp_path):
    write(tmp_path / "x", {})
    assert open_weights(tmp_path / "x") == {}


@given(
    st.dictionaries(
        st.text(min_size=1).filter("__metadata__".__ne__),
        st.tuples(st.lists(st.integers(0, 4), max_size=4), st.sampled_from("fd"), st.randoms()),
        max_size=5,
    )
)
def test_round_trip(tmp_path_factory, drawn):
    tensors = {
        name: (tuple(shape), array(code, [random.uniform(-9, 9) for _ in range(math.prod(shape))]))
        for name, (shape, code, random) in drawn.items()
    }
    path = tmp_path_factory.mktemp("round") / "t"
    write(path, tensors)
    assert {n: (t.shape, t.values()) for n, t in open_weights(path).items()} == tensors


F32_2 = entry("F32", [2], 0, 8)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"PNG?", "not a weights file of a known kind"),
        (b"\x80\x02}q\x00.", "understood are safetensors"),
        (SOUND[:-1], "tensor 'steps' ends at byte 48 of 47: the file was cut short"),
        (SOUND[:60], "the whole file is 60: it was cut short"),
        (SOUND + b"\0", "1 bytes at its end belong to no tensor"),
        (struct.pack("<Q", 2**63) + b"{}", "cut short"),
        (packed(b"{"), "not valid JSON"),
        (packed(b'{"\xff": 1}'), "not valid JSON"),
        (packed(b"{}]"), "not valid JSON"),
        (packed(b'{"a":' + b"[" * 100_000), "is longer than 4,096 characters or not valid JSON"),
        (packed(b'{"a":' + b"[" * 3000), "not valid JSON"),
        (packed(b'{"a":' + b"9" * 5000 + b"}"), "not valid JSON"),
        (packed({"a": 3}), "'a' needs dtype, shape and data_offsets"),
        (packed({"a": {"dtype": "F32"}}), "'a' needs dtype"),
        (packed({"a": {**F32_2, "dtype": "F31"}}, b"8 bytes."), "of the type 'F31'"),
        (packed({"a": {**F32_2, "dtype": ["F32"]}}, b"8 bytes."), "of the type"),
        (packed({"a": {**F32_2, "shape": [2.0]}}, b"8 bytes."), "not a list of integers"),
        (packed({"a": {**F32_2, "shape": [True, 2]}}, b"8 bytes."), "not a list of integers"),
        (packed({"a": {**F32_2, "shape": [-1, -2]}}, b"8 bytes."), "not a list of integers"),
        (packed({"a": {**F32_2, "shape": "2"}}, b"8 bytes."), "not a list of integers"),
        (packed({"a": {**F32_2, "shape": [1] * 1000}}, b"8 bytes."), "not a list of integers"),
        (packed({"a": {**F32_2, "shape": [3]}}, b"8 bytes."), "needs 12 bytes and has 8"),
        (packed({"a": {**F32_2, "shape": [2**40] * 64}}, b"8 bytes."), "and has 8"),
        (packed({"a": {**F32_2, "data_offsets": [8, 0]}}, b"8 bytes."), "are not a range"),
        (packed({"a": {**F32_2, "data_offsets": [0]}}, b"8 bytes."), "are not a range"),
        (packed({"a": {**F32_2, "data_offsets": [0, 2**70]}}, b"8 bytes."), "are not a range"),
        (packed({"a": {**F32_2, "data_offsets": [-8, 0]}}, b"8 bytes."), "are not a range"),
        (packed({"a": F32_2, "b": entry("F32", [2], 4, 12)}, bytes(12)), "'a' and 'b' overlap"),
        (packed({"a": F32_2, "b": entry("F32", [1], 12, 16)}, bytes(16)), "4 bytes before tensor 'b'"),
        (packed(b'{"a":%s,"a":%s}' % ((json.dumps(F32_2).encode(),) * 2), b"8 bytes."), "'a' twice"),
        (packed(b'{"a":{"dtype":"F32","dtype":"F32"}}'), "'dtype' twice"),
    ],
)
def test_damaged_files(tmp_path, content, message):
    with pytest.raises(WeightsError) as caught:
        open_weights(written(tmp_path, content))
    assert message in str(caught.value)
    assert str(tmp_path / "w.bin") in str(caught.value)
    assert caught.value.hint


def test_a_header_longer_than_any_networks(tmp_path):
    path = tmp_path / "w"
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", 100_000_001) + b"{")
        file.truncate(100_000_100)  # sparse
    with pytest.raises(WeightsError, match="16,777,216 are the most that are read"):
        open_weights(path)


def test_paths_that_are_no_file(tmp_path):
    for path, message in ((tmp_path / "none", "no such file"), (tmp_path, "a directory"), ("a\0b", "null")):
        with pytest.raises(WeightsError, match=message) as caught:
            open_weights(path)
        assert caught.value.hint


def test_every_truncation_is_an_error(tmp_path):
    for length in range(len(SOUND)):
        with pytest.raises(WeightsError):
            open_weights(written(tmp_path, SOUND[:length]))


@given(
    st.integers(0, len(SOUND) - 1), st.integers(0, 255), st.integers(0, len(SOUND) - 1), st.integers(0, 255)
)
def test_mutations_are_read_or_refused(tmp_path_factory, first, one, second, other):
    content = bytearray(SOUND)
    content[first], content[second] = one, other
    path = written(tmp_path_factory.getbasetemp(), bytes(content))
    try:
        tensors = open_weights(path)
    except WeightsError:
        return
    for tensor in tensors.values():
        assert len(tensor.values()) == tensor.count
