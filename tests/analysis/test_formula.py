"""Formulas: against polynomials worked out by hand, and against the figures at other points."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

import convcalc
from convcalc.analysis.formula import formulas
from convcalc.errors import UsageError


def test_a_dense_head_is_linear_in_its_classes() -> None:
    """ResNet-18 without its head has 11,176,512 parameters; each class adds 512 weights and a bias, 512 MACs."""
    params, macs = formulas("torchvision/resnet18", "classes")
    assert params.coefficients == (11_176_512, 513)
    assert macs.coefficients is not None
    assert macs.coefficients[1] == 512
    assert params.checked >= 10


def test_lenet5_in_its_input_by_hand(tmp_path: Path) -> None:
    """For sides n of the form 4k: two 5×5 convolutions and two pools leave m = (n − 12)/4; the first dense layer has
    16·m²·120 weights. 120·n² − 2,880·n + 17,280 of them, and 156 + 2,416 + 120 + 10,164 + 850 other parameters."""
    found = formulas("lenet5", "input")
    params = [formula for formula in found if formula.quantity == "params"]
    assert [formula.where.split(",")[0] for formula in params] == [
        f"input mod 4 = {remainder}" for remainder in range(4)
    ]
    assert params[0].coefficients == (17_280 + 156 + 2_416 + 120 + 10_164 + 850, -2_880, 120)


@pytest.mark.parametrize("name", ["lenet5", "alexnet", "vgg16"])
def test_formulas_hold_at_other_points(name: str) -> None:
    found = formulas(name, "input")
    for quantity in ("params", "macs"):
        own = [formula for formula in found if formula.quantity == quantity]
        for number in (400, 401, 447, 510):
            formula = own[number % len(own)] if len(own) > 1 else own[0]
            assert formula.where.startswith(f"input mod {len(own)} = {number % len(own)}") or len(own) == 1
            channels = convcalc.load(name).graph.input_shape[0]
            totals = convcalc.load(name, input_shape=(channels, number, number)).totals
            assert formula.value(number) == getattr(totals, quantity)


def test_a_figure_that_follows_no_polynomial_says_so(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text("vars: {n: 3}\ninput: [2, 9, 7]\nlayers:\n  - conv: {filters: $(2 ** n), kernel: 3}\n")
    params, macs = formulas(str(path), "n")
    assert (params.coefficients, params.checked) == (None, 0)
    assert macs.coefficients is None


def test_fractions_are_exact(tmp_path: Path) -> None:
    """1 + 2 + … + n filters are n²/2 + n/2."""
    path = tmp_path / "net.yaml"
    layer = "conv: {filters: $(n * (n + 1) // 2), kernel: 1, bias: false}"
    path.write_text(f"vars: {{n: 3}}\ninput: [1, 4, 5]\nlayers:\n  - {layer}\n")
    params, macs = formulas(str(path), "n")
    assert params.coefficients == (0, Fraction(1, 2), Fraction(1, 2))
    assert macs.coefficients == (0, 10, 10)


@pytest.mark.parametrize(
    ("variable", "message"), [("clases", "did you mean 'classes'"), ("widths", "not a number")]
)
def test_variables_without_a_formula(variable: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        formulas("unet", variable)


def test_a_network_with_two_inputs_has_no_one_size() -> None:
    """Not that its figures follow no polynomial: none of them was asked for."""
    with pytest.raises(UsageError, match="siamese has 2 inputs"):
        formulas("siamese", "input")
