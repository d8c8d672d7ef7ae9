"""Hostile and senseless weights files are refused in little memory; large ones that make sense are read in little."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.weights.test_npz import npy
from tests.weights.test_pth import SIX, archived, mapping, program, saved, storage, tensor, text
from tests.weights.test_safetensors import packed

ROOT = Path(__file__).parent.parent.parent
PICTURE = ROOT / "tests" / "data" / "digits" / "7_0.png"
MOST = 200e6  # bytes of memory; the interpreter with what reading a picture loads takes 30 million of them


def tensors(count: int) -> bytes:
    header = {
        f"layer{i}.weight": {"dtype": "F32", "shape": [1], "data_offsets": [4 * i, 4 * i + 4]}
        for i in range(count)
    }
    return packed(header, bytes(4 * count))


def header(text: str) -> bytes:
    return packed(text.encode())


def zipped(files: dict[str, bytes]) -> bytes:
    """A zip archive, stored; much quicker than `zipfile` for many small files."""
    body, directory = bytearray(), bytearray()
    for name, data in files.items():
        facts = struct.pack("<IIIHH", zlib.crc32(data), len(data), len(data), len(name), 0)
        directory += b"PK\1\2" + struct.pack("<6H", 20, 20, 0, 0, 0, 0) + facts
        directory += struct.pack("<HHHII", 0, 0, 0, 0, len(body)) + name.encode()
        body += b"PK\3\4" + struct.pack("<5H", 20, 0, 0, 0, 0) + facts + name.encode() + data
    count = len(files) % 65536  # readers go by the directory's length
    end = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, count, count, len(directory), len(body), 0)
    return bytes(body + directory + end)


def arrays(count: int) -> bytes:
    return zipped(dict.fromkeys((f"l{number}.npy" for number in range(count)), npy("<f4", (1,), bytes(4))))


def odd_arrays(count: int) -> bytes:
    """Headers that take a parser long, and little room."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for number in range(count):
            file.writestr(f"l{number}.npy", ODD)
    return buffer.getvalue()


def members(count: int) -> bytes:
    weights = {"a/data.pkl": program(mapping({"w": tensor()})), "a/data/0": SIX}
    return zipped(weights | dict.fromkeys((f"a/{number:x}" for number in range(count)), b""))


def pickled(code: bytes) -> bytes:
    return archived(program(code), compression=zipfile.ZIP_DEFLATED)


STEPS = 1 << 20
ODD = b"\x93NUMPY\x01\x00" + struct.pack("<H", 9001) + b"-" * 9000 + b"1"
REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "header of 99 MB": (lambda: header('{"a":[' + "[]," * 33_000_000 + "[]]}"), "16,777,216 are the most"),
    "300,000 tensors": (lambda: tensors(300_000), "16,777,216 are the most"),
    "100,000 tensors": (lambda: tensors(100_000), "more than 65,536 tensors"),
    "lists in a header": (lambda: header('{"a":[' + "[]," * 5_000_000 + "[]]}"), "is longer than 4,096 characters"),
    "names in a header": (lambda: header("{" + ",".join(f'"{n}":{{}}' for n in range(10**6)) + "}"), "needs dtype"),
    "a name of 16 MB": (lambda: header('{"😀' + "a" * 15_000_000 + '":1}'), "a name has 15,000,003 characters"),
    "much metadata": (
        lambda: header('{"__metadata__":{' + ",".join(f'"{n}":""' for n in range(10**6)) + "}}"),
        "more than 10,000 texts",
    ),
    "100,000 arrays": (lambda: arrays(100_000), "it has 100,000 members"),
    "odd arrays": (lambda: odd_arrays(1000), "header of 'l0.npy' is damaged"),
    "100,000 members": (lambda: members(100_000), "it has 100,002 members"),
    "200,000 members": (lambda: members(200_000), "table of contents has"),
    "dictionaries in a pickle": (lambda: pickled(b"}" * STEPS), "more than 524,288 instructions"),
    "marks in a pickle": (lambda: pickled(b"(" * STEPS), "more than 524,288 instructions"),
    "texts in a pickle": (lambda: pickled(text("a" * 20) * STEPS), "more than 524,288 instructions"),
    "a memo without end": (
        lambda: pickled(b"]" + b"".join(b"r" + struct.pack("<I", n) for n in range(STEPS))), "more than 524,288",
    ),
    "names in a pickle": (lambda: pickled(b"ca\nb\n" * STEPS), "names more than 100,000"),
    "a text of 32 MB": (lambda: pickled(text("😀" + "x" * ((1 << 25) - 100))), "but a long text"),
    "a line of 32 MB": (lambda: pickled(b"V" + b"x" * ((1 << 25) - 100) + b"\n"), "line of more than 65,536 bytes"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_takes_little_memory(case: str, tmp_path: Path, measured) -> None:
    make, message = REFUSED[case]
    path = tmp_path / "weights"
    path.write_bytes(make())
    done = measured("forward", "lenet5", PICTURE, "--weights", path)
    assert done.returncode == 1
    assert message in done.stderr
    assert done.memory < MOST


READ: dict[str, Callable[[], bytes]] = {
    "safetensors": lambda: tensors(65_000),
    "npz": lambda: arrays(65_000),
    "pth": lambda: saved({f"layer{number}.weight": tensor((1,), (1,)) for number in range(14_000)}),
}


@pytest.mark.parametrize("kind", READ)
def test_what_is_read_takes_little_memory(kind: str, tmp_path: Path, measured) -> None:
    (tmp_path / "weights").write_bytes(READ[kind]())
    done = measured("forward", "lenet5", PICTURE, "--weights", tmp_path / "weights")
    assert "these weights do not fit lenet5" in done.stderr
    assert done.memory < MOST


def test_arrays_with_headers_of_their_own_kind_are_read_while_they_are_few(tmp_path: Path) -> None:
    from convcalc.errors import WeightsError
    from convcalc.weights.files import open_weights

    described = b"{'shape': (1,), 'fortran_order': False, 'descr': '<f4'}\n"
    odd = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(described)) + described + struct.pack("<f", 1.5)
    (tmp_path / "few.npz").write_bytes(zipped(dict.fromkeys((f"l{n}.npy" for n in range(256)), odd)))
    assert list(open_weights(tmp_path / "few.npz")["l255"].values()) == [1.5]
    (tmp_path / "many.npz").write_bytes(zipped(dict.fromkeys((f"l{n}.npy" for n in range(257)), odd)))
    with pytest.raises(WeightsError, match="more than 256 of its headers are not as NumPy writes them"):
        open_weights(tmp_path / "many.npz")


def test_long_texts_and_bytes_beside_the_weights_are_passed_over(tmp_path: Path) -> None:
    from convcalc.weights.files import open_weights

    long = {"text": text("x" * 10**6), "bytes": b"B" + struct.pack("<I", 10**6) + bytes(10**6)}
    path = tmp_path / "w.pth"
    path.write_bytes(saved({**long, "model": mapping({"w": tensor((6,), (1,), held=storage())})}))
    assert list(open_weights(path)["w"].values()) == [1, 2, 3, 4, 5, -6.5]


def test_a_header_of_its_own_spelling_is_read(tmp_path: Path) -> None:
    """Escapes, blanks, keys in another order, long texts in the metadata: all is JSON."""
    from convcalc.weights.files import open_weights

    entry = json.dumps({"shape": [2], "data_offsets": [0, 8], "dtype": "F32"})
    long = json.dumps("é" * 10**5 + "\\")
    spelled = f'{{ "__metadata__" : {{ "a\\"b" : {long} }} ,\n "\\u00e9\\"" : {entry} }}  '
    path = tmp_path / "w.safetensors"
    path.write_bytes(packed(spelled.encode(), struct.pack("<2f", 1.5, 2)))
    assert list(open_weights(path)['é"'].values()) == [1.5, 2]
