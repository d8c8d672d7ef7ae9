"""Receptive fields by formula against single units followed exactly (windows.py is held to brute force)."""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import convcalc
from convcalc.ops.base import Reach
from convcalc.receptive import Field, _walked, union


def field_of(tmp_path: Path, layers: str, size: str = "[1, 96, 90]"):
    path = tmp_path / "net.yaml"
    path.write_text(f"name: net\ninput: {size}\nlayers:\n{layers}")
    return convcalc.load(str(path)).layers[-1].receptive_field


def test_a_deconvolution_that_only_spreads(tmp_path: Path) -> None:
    # conv S2 F2: unit u sees 2u, 2u+1. deconv F2 S2: unit v reads ⌊v/2⌋, so it sees 2 pixels, one on per unit.
    layers = "  - conv: {K: 1, F: 2, S: 2}\n  - deconv: {K: 1, F: 2, S: 2}\n"
    assert field_of(tmp_path, layers) == ((2, 2), (1, 1), (0, 0))


def test_a_window_behind_a_deconvolution(tmp_path: Path) -> None:
    # the units above in pairs; a window of 3 reaches from one pair into the next: 2 pairs, 4 pixels, at every place;
    # with padding 1, unit 0 reads units −1 and so sees from pixel −2 on
    layers = "  - conv: {K: 1, F: 2, S: 2}\n  - deconv: {K: 1, F: 2, S: 2}\n  - conv: {K: 1, F: 3, P: 1}\n"
    assert field_of(tmp_path, layers) == ((4, 4), (1, 1), (-2, -2))


def test_units_that_see_different_sizes_report_the_largest(tmp_path: Path) -> None:
    # nearest upsampling by 2, then a window of 2: units 0|0, 0|1, 1|1, …: one pixel or two
    layers = "  - upsample: 2\n  - conv: {K: 1, F: 2}\n"
    assert field_of(tmp_path, layers) == ((2, 2), (Fraction(1, 2), Fraction(1, 2)), (0, 0))


def test_back_on_the_grid_the_period_is_gone() -> None:
    field = Field((0,), (4,), 2, 1)
    up = _walked(field, Reach(1, Fraction(1), Fraction(1, 2), Fraction(-1, 2)))  # deconv F2 S2
    assert (up.period, up.step) == (2, 2)
    down = _walked(up, Reach(1, 2, 2, 0))
    assert down == Field((0,), (4,), 2, 1)


@st.composite
def chains(draw: st.DrawFn) -> list[Reach]:
    """Windows and deconvolutions on one axis, as the operators describe their reach."""
    walks = []
    for _ in range(draw(st.integers(1, 5))):
        kernel, stride = draw(st.integers(1, 4)), draw(st.integers(1, 3))
        before = draw(st.integers(0, 2))
        if draw(st.booleans()):
            walks.append(Reach(1, kernel, stride, -before))
        else:  # output v reads the units u with v + before − kernel < u·stride ≤ v + before
            size = Fraction(max(kernel, stride), stride)
            walks.append(
                Reach(1, size, Fraction(1, stride), Fraction(before - max(kernel, stride) + 1, stride))
            )
    return walks


@given(chains(), st.integers(0, 40))
def test_every_unit_is_followed_exactly(walks: list[Reach], unit: int) -> None:
    field = Field((0,), (0,), 1, 1)
    for walk in walks:
        field = _walked(field, walk)
    seen = {unit}
    for walk in reversed(walks):
        bounds = [
            (one * walk.stride + walk.start, one * walk.stride + walk.start + walk.size) for one in seen
        ]
        seen = {read for low, high in bounds for read in range(ceil(low), ceil(high))}
    assert (field.first(unit), field.last(unit)) == (min(seen), max(seen))
    assert max(seen) - min(seen) + 1 <= field.size


@given(chains(), chains(), st.integers(0, 30))
def test_a_union_covers_its_branches(one: list[Reach], two: list[Reach], unit: int) -> None:
    fields = []
    for walks in (one, two):
        field = Field((0,), (0,), 1, 1)
        for walk in walks:
            field = _walked(field, walk)
        fields.append(field)
    joined = union(fields, 50)
    if fields[0].stride == fields[1].stride:
        assert joined.first(unit) == min(field.first(unit) for field in fields)
        assert joined.last(unit) == max(field.last(unit) for field in fields)


@pytest.mark.parametrize("walks", [[Reach(1, 1, Fraction(1, 7), 0)] * 5])
def test_periods_are_bounded(walks: list[Reach]) -> None:
    field = Field((0,), (0,), 1, 1)
    for walk in walks:
        field = _walked(field, walk)
    assert field.period <= 1024
    assert field.size == 1
