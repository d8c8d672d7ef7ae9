"""He initialisation: its moments, and that the same seed gives the same weights everywhere."""

import random
import statistics
import sys
from array import array
from math import sqrt

import pytest

from convcalc.weights.initialise import he_normal


@pytest.mark.parametrize(("fan_in", "seed"), [(2, 0), (363, 1), (4096, 2)])
def test_moments(fan_in, seed):
    n = 200_000
    values = he_normal("conv1.weight", (n,), fan_in, seed)
    deviation = sqrt(2 / fan_in)
    mean = sum(values) / n
    assert abs(mean) < 5 * deviation / sqrt(n)
    assert statistics.fmean(v * v for v in values) == pytest.approx(2 / fan_in, rel=5 * sqrt(2 / n))
    assert statistics.fmean(v**4 for v in values) == pytest.approx(3 * (2 / fan_in) ** 2, rel=0.03)
    within = sum(abs(v) < deviation for v in values) / n
    assert within == pytest.approx(0.6827, abs=0.005)


def test_the_first_values_worked_from_the_definition():
    """16 random bits u pick the quantile (u + ½) / 65,536 of the normal, at variance 1, times √(2/8)."""
    normal = statistics.NormalDist()
    source = random.Random("7:features.0.weight")
    variance = statistics.fmean(normal.inv_cdf((u + 0.5) / 65536) ** 2 for u in range(65536))
    data = source.randbytes(10_000)
    bits = [data[i] + 256 * data[i + 1] for i in range(0, 10_000, 2)]
    expected = [normal.inv_cdf((u + 0.5) / 65536) / sqrt(variance) * 0.5 for u in bits]
    assert list(he_normal("features.0.weight", (5, 1000), 8, 7)) == pytest.approx(expected, rel=1e-6)


def test_pinned_values():
    """A change of these changes every result that was reported with a seed."""
    assert [f"{v:.6f}" for v in he_normal("conv1.weight", (2, 2), 2, 0)] == PINNED


PINNED = ["1.084215", "2.739740", "1.048224", "1.742605"]


def test_neither_order_nor_shape_matters():
    first = he_normal("a", (100, 100), 9, 3)
    he_normal("b", (7,), 9, 3)
    random.seed(0)
    assert he_normal("a", (10_000,), 9, 3) == first
    assert he_normal("a", (5000,), 9, 3) == first[:5000]
    assert he_normal("a", (70_000,), 9, 3)[:10_000] == first  # more than the table has, drawn another way


@pytest.mark.parametrize("count", [65_536, 65_537, 98_304 + 4_099])
def test_numpy_gives_the_same_bits(count, monkeypatch):
    pytest.importorskip("numpy")
    by_numpy = he_normal("conv5.weight", (count,), 1_728, 11)
    monkeypatch.delitem(sys.modules, "numpy")
    assert by_numpy.tobytes() == he_normal("conv5.weight", (count,), 1_728, 11).tobytes()


def test_names_and_seeds_differ():
    drawn = {tuple(he_normal(name, (8,), 9, seed)) for name in ("a", "b", "a.b") for seed in (0, 1, 12)}
    assert len(drawn) == 9


def test_nothing_to_draw():
    assert he_normal("a", (0, 5), 0, 0) == array("f")
    assert len(he_normal("a", (), 0, 0)) == 1
