"""Numbers in NumPy's memory are those of the file, and NumPy is left out where it does not pay."""

import struct
import sys
from array import array

import pytest

from convcalc.weights.memory import uses_numpy
from convcalc.weights.tensors import StoredTensor


@pytest.mark.parametrize("count", [3, 70_001])
def test_numbers_are_the_files(count):
    pytest.importorskip("numpy")
    data = struct.pack(f"<{count}f", *(place / 8 - 1_000 for place in range(count)))
    numbers = StoredTensor("w", (count,), "F32", lambda: memoryview(data)).floats()
    assert list(numbers) == [place / 8 - 1_000 for place in range(count)]
    assert memoryview(numbers).format == "f"
    assert memoryview(numbers[2:]).tobytes() == data[8:]


def test_half_precision_becomes_an_array():
    data = struct.pack("<70000e", *([0.5, -2.0] * 35_000))
    numbers = StoredTensor("w", (70_000,), "F16", lambda: data).floats()
    assert isinstance(numbers, array)
    assert list(numbers[:3]) == [0.5, -2.0, 0.5]


def test_few_numbers_do_not_import_numpy(monkeypatch):
    monkeypatch.delitem(sys.modules, "numpy", raising=False)
    assert not uses_numpy(999_999)
    assert "numpy" not in sys.modules
