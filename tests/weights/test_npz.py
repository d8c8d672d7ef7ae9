"""NumPy archives, laid out byte by byte as NumPy's format description has them, and damaged ones."""

import io
import struct
import zipfile
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convcalc.errors import WeightsError
from convcalc.weights.files import open_weights


def npy(descr: str, shape: tuple[int, ...], data: bytes, fortran: bool = False, version: int = 1) -> bytes:
    return (
        npy_header(f"{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}", version) + data
    )


def npy_header(text: str, version: int = 1) -> bytes:
    coded = text.encode() + b"\n"
    return (
        b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(coded)) + coded
    )


def npz(compression: int = zipfile.ZIP_STORED, **members: bytes) -> bytes:
    return archive({f"{name}.npy": content for name, content in members.items()}, compression)


def archive(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


def opened(folder, content):
    path = folder / "w.bin"
    path.write_bytes(content)
    return open_weights(path)


SOUND = npz(
    zipfile.ZIP_DEFLATED,
    weight=npy("<f4", (2, 3), struct.pack("<6f", 1, 2, 3, 4, 5, 6)),
    bias=npy("<f8", (2,), struct.pack("<2d", 0.1, -1e300)),
)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("version", [1, 2, 3])
def test_an_archive_written_by_hand(tmp_path, compression, version):
    content = npz(
        compression,
        weight=npy("<f4", (2, 3), struct.pack("<6f", 1, 2, 3, 4, 5, 6), version=version),
        bias=npy("<f8", (2,), struct.pack("<2d", 0.1, -1e300), version=version),
    )
    tensors = opened(tmp_path, content)
    assert [(t.name, t.shape, t.dtype, t.count) for t in tensors.values()] == [
        ("weight", (2, 3), "F32", 6),
        ("bias", (2,), "F64", 2),
    ]
    assert tensors["weight"].values() == array("f", [1, 2, 3, 4, 5, 6])
    assert tensors["bias"].values() == array("d", [0.1, -1e300])


@pytest.mark.parametrize(
    ("descr", "data", "expected"),
    [
        (">f4", struct.pack(">2f", 1.5, -2), [1.5, -2]),
        (">f8", struct.pack(">2d", 0.1, -2), [0.1, -2]),
        ("<f2", struct.pack("<2e", 0.5, -2), [0.5, -2]),
        (">f2", struct.pack(">2e", 0.5, -2), [0.5, -2]),
        ("<i8", struct.pack("<2q", -1, 2**40), [-1, 2**40]),
        (">i4", struct.pack(">2i", -1, 2**30), [-1, 2**30]),
        ("|u1", b"\0\xff", [0, 255]),
        ("|b1", b"\0\1", [0, 1]),
    ],
)
def test_types_and_byte_orders(tmp_path, descr, data, expected):
    assert list(opened(tmp_path, npz(t=npy(descr, (2,), data)))["t"].values()) == expected


def test_fortran_order(tmp_path):
    # A[i, j, k] = 100 i + 10 j + k of shape 2×3×4, the first index fastest
    columns = [100 * i + 10 * j + k for k in range(4) for j in range(3) for i in range(2)]
    rows = [100 * i + 10 * j + k for i in range(2) for j in range(3) for k in range(4)]
    for order in "<>":
        data = struct.pack(f"{order}24f", *columns)
        tensor = opened(tmp_path, npz(t=npy(f"{order}f4", (2, 3, 4), data, fortran=True)))["t"]
        assert list(tensor.values()) == rows


def test_scalars_and_empty_arrays(tmp_path):
    content = npz(s=npy("<f4", (), struct.pack("<f", 7)), e=npy("<f4", (0, 3), b"", fortran=True))
    tensors = opened(tmp_path, content)
    assert list(tensors["s"].values()) == [7]
    assert list(tensors["e"].values()) == []


def test_the_same_as_numpy_writes(tmp_path):
    numpy = pytest.importorskip("numpy")
    a = numpy.arange(24, dtype="f4").reshape(2, 3, 4)
    numpy.savez_compressed(tmp_path / "n.npz", a=a, t=a.T, **{"layer.0": a[0].astype("f2")})
    tensors = open_weights(tmp_path / "n.npz")
    assert list(tensors["a"].values()) == a.ravel().tolist()
    assert list(tensors["t"].values()) == a.T.ravel().tolist()
    assert list(tensors["layer.0"].values()) == a[0].ravel().tolist()


EIGHT = bytes(8)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (archive({}), "no member"),
        (archive({"notes.txt": b"x"}), "has a member 'notes.txt'"),
        (npz(a=b""), "'a.npy' is not an .npy array"),
        (npz(a=b"\x93NUMPY\x09\x00....."), "is not an .npy array"),
        (npz(a=npy("|O", (1,), EIGHT)), "Python objects"),
        (npz(a=npy("<c8", (1,), EIGHT)), "of the type '<c8'"),
        (npz(a=npy("<f1", (8,), EIGHT)), "of the type '<f1'"),
        (npz(a=npy("<U2", (1,), EIGHT)), "of the type '<U2'"),
        (
            npz(a=npy_header("{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (1,)}")),
            "of the type",
        ),
        (npz(a=npy("<f4", (3,), EIGHT)), "with shape [3] needs"),
        (npz(a=npy("<f4", (2**40, 2**40), EIGHT)), "with shape [1099511627776, 1099511627776] needs"),
        (npz(a=npy("<f4", (-2, -1), EIGHT)), "shape or order"),
        (npz(a=npy_header("{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}")), "shape or order"),
        (npz(a=npy_header("{'descr': '<f4', 'fortran_order': False, 'shape': (1.5,)}")), "shape or order"),
        (npz(a=npy_header("{'descr': '<f4'}")), "header of 'a.npy' is damaged"),
        (npz(a=npy_header("__import__('os')")), "header of 'a.npy' is damaged"),
        (npz(a=npy_header("'\\d'")), "header of 'a.npy' is damaged"),
        (npz(a=npy_header("(" * 9000)), "header of 'a.npy' is damaged"),
        (npz(a=npy_header("-" * 9000 + "1")), "header of 'a.npy' is damaged"),
        (npz(a=npy_header(" " * 20000)), "10,000 are the most"),
        (archive({"a.npy": npy("<f4", (2,), EIGHT)}, zipfile.ZIP_BZIP2), "a way NumPy does not use"),
        (b"PK\3\4 and nothing else", "not a valid .npz file"),
    ],
)
def test_damaged_archives(tmp_path, content, message):
    with pytest.raises(WeightsError) as caught:
        opened(tmp_path, content)
    assert message in str(caught.value)
    assert str(tmp_path / "w.bin") in str(caught.value)
    assert caught.value.hint


def test_two_arrays_of_one_name(tmp_path):
    content = npz(aa=npy("<f4", (2,), EIGHT), bb=npy("<f4", (2,), EIGHT)).replace(b"bb.npy", b"aa.npy")
    with pytest.raises(WeightsError, match=r"'aa\.npy' twice"):
        opened(tmp_path, content)


def test_a_bomb_is_refused_before_it_goes_off(tmp_path):
    count = 1 << 27  # 512 MiB of zeros in half a megabyte
    path = tmp_path / "bomb.npz"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file,
        file.open("a.npy", "w", force_zip64=True) as member,
    ):
        member.write(npy("<f4", (count,), b""))
        for _ in range(count * 4 >> 24):
            member.write(bytes(1 << 24))
    assert path.stat().st_size < 1 << 22
    with pytest.raises(WeightsError, match="would expand to"):
        open_weights(path)


def test_members_that_share_their_bytes(tmp_path):
    content = bytearray(npz(a=npy("<f4", (2,), EIGHT)))
    place = content.rindex(b"PK\1\2")
    end = content.rindex(b"PK\5\6")
    record, tail = bytes(content[place:end]), bytearray(content[end:])
    copies = 9
    tail[8:12] = struct.pack("<HH", copies, copies)
    tail[12:16] = struct.pack("<I", copies * len(record))
    many = b"".join(record.replace(b"a.npy", b"%d.npy" % i) for i in range(copies))
    with pytest.raises(WeightsError):
        opened(tmp_path, bytes(content[:place]) + many + bytes(tail))


def test_numbers_that_do_not_match_their_checksum(tmp_path):
    for zeros in (0, 100_000):  # found while the header is read, or only with the values
        data = struct.pack("<2f", 1.25, 3.25) + bytes(4 * zeros)
        content = npz(a=npy("<f4", (zeros + 2,), data))
        damaged = content.replace(struct.pack("<f", 1.25), struct.pack("<f", 1.5))
        with pytest.raises(WeightsError, match="CRC"):
            read_all(tmp_path, damaged)


def read_all(folder, content):
    for tensor in opened(folder, content).values():
        assert len(tensor.values()) == tensor.count


def test_every_truncation_is_an_error(tmp_path):
    for length in range(len(SOUND)):
        with pytest.raises(WeightsError):
            read_all(tmp_path, SOUND[:length])


@given(
    st.integers(0, len(SOUND) - 1), st.integers(0, 255), st.integers(0, len(SOUND) - 1), st.integers(0, 255)
)
def test_mutations_are_read_or_refused(tmp_path_factory, first, one, second, other):
    content = bytearray(SOUND)
    content[first], content[second] = one, other
    try:
        read_all(tmp_path_factory.getbasetemp(), bytes(content))
    except WeightsError:
        return
