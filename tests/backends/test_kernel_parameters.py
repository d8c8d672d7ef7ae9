"""Kernels name their parameters once, in their signature; records and calls follow it."""

from __future__ import annotations

import numpy as np
import pytest

from convcalc.backends.numba.jit import cache, footprint
from convcalc.backends.numba.jit.cache import Kernel, kernel
from convcalc.backends.numba.jit.intrinsics import load_element, load_float, store_element, store_float
from convcalc.backends.numba.jit.sizes import ELEMENT
from convcalc.backends.numba.kernels.tile import sweep
from convcalc.backends.numba.layout import as_elements
from convcalc.backends.numba.runtime.driver import StepRow
from convcalc.backends.numba.runtime.program import record_of
from convcalc.backends.numba.runtime.step_table import StepTable


@kernel
def line_through(
    first: int, stop: int, thread: int, *, source: int, slope: float, target: int, offset: float, stride: int
) -> None:
    """target[i] = slope·source[i·stride] + offset, with ints and floats of a record in turn."""
    for item in range(first, stop):
        store_float(target + 4 * item, slope * load_float(source + 4 * item * stride) + offset)


def test_a_kernel_reads_its_record_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The values are given in another order than the signature's, and a whole number serves as a float."""
    monkeypatch.setattr(cache, "_read", lambda *_: None)
    monkeypatch.setattr(cache, "_write", lambda *_: None)
    source, target = np.array([3, 50, -1, 60, 7], np.float32), np.zeros(3, np.float32)
    record = record_of(
        line_through, {"offset": 2, "stride": 2, "slope": 0.5, "target": target, "source": source}, keep := []
    )
    StepTable([StepRow(line_through.address, record.ctypes.data, 3, 0)], keep, 2).run(0, 1)
    assert target.tolist() == [3.5, 1.5, 5.5]


@kernel
def doubled(first: int, stop: int, thread: int, *, source: int, target: int, factor: float) -> None:
    """target[i] = factor·source[i], of elements of a map; factor is a float."""
    for item in range(first, stop):
        store_element(target + ELEMENT * item, factor * load_element(source + ELEMENT * item))


@pytest.mark.parametrize("element", [4, 2])
def test_a_kernel_is_compiled_for_elements_of_either_size(
    element: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numbers that bfloat16 has: 8 bits are enough for 0.75, −35 and 129."""
    monkeypatch.setattr(cache, "_read", lambda *_: None)
    monkeypatch.setattr(cache, "_write", lambda *_: None)
    numbers = np.array([0.75, -35, 129, 0], np.float32)
    source, target = as_elements(numbers, element), as_elements(np.full(4, 7, np.float32), element)
    own = doubled.of(element)
    record = record_of(own, {"source": source, "target": target, "factor": 2.0}, keep := [])
    StepTable([StepRow(own.address, record.ctypes.data, 3, 0)], keep, 2).run(0, 1)
    wanted = as_elements(np.array([1.5, -70, 258, 7], np.float32), element)
    assert target.tolist() == wanted.tolist()


def test_the_kernel_for_bfloat16_has_the_same_parameters_and_a_name_of_its_own() -> None:
    assert doubled.of(4) is doubled
    assert doubled.of(2) is doubled.bfloat16 is doubled.bfloat16.of(2)
    assert doubled.bfloat16.name == "doubled_bf16"
    assert (doubled.bfloat16.arguments, doubled.bfloat16.names) == (doubled.arguments, doubled.names)
    assert doubled.bfloat16.floats == doubled.floats == {"factor"}


def test_names_come_from_the_signature() -> None:
    assert line_through.arguments == ("first", "stop", "thread")
    assert line_through.names == ("source", "slope", "target", "offset", "stride")
    assert line_through.floats == {"slope", "offset"}


def test_a_record_has_each_parameter_and_no_other() -> None:
    values = {"source": 8, "slope": 1.0, "target": 16, "offset": 0.0, "stride": 1}
    assert line_through.record(values, int).tolist() == [8, 0x3F80_0000, 16, 0, 1]
    with pytest.raises(KeyError, match=r"line_through.*stride"):
        line_through.record({name: value for name, value in values.items() if name != "stride"}, int)
    with pytest.raises(KeyError, match=r"line_through.*row"):
        line_through.record(values | {"row": 4}, int)


def test_a_fraction_is_no_count() -> None:
    values = {"source": 8, "slope": 1.0, "target": 16, "offset": 0.0, "stride": 1.5}
    with pytest.raises(TypeError, match=r"line_through: stride is an int, not 1\.5"):
        line_through.record(values, int)


def test_a_parameter_is_an_int_or_a_float() -> None:
    def wrong(first: int, stop: int, thread: float, *, source: str, slope: float) -> None: ...

    with pytest.raises(TypeError, match="wrong: thread, source: arguments are int"):
        Kernel(wrong)


def test_a_footprint_that_calls_a_kernel_gives_all_its_arguments() -> None:
    class Refusal(Exception):
        pass

    class Memory:
        def kernel(self, *_: object) -> Kernel:
            return sweep

        def refuse(self, call: footprint.KernelCall, text: str) -> None:
            raise Refusal(text)

    call = footprint.KernelCall(line_through, {}, Memory())  # type: ignore[arg-type]
    with pytest.raises(Refusal, match="sweep takes weights, bias, source"):
        call.calls("sweep", 0, 0, weights=(0, "weights"))
