"""Random weights are drawn when they are asked for, once, by whoever asks or by a backend before."""

from __future__ import annotations

from array import array

import pytest

from convcalc.language.load import load_text
from convcalc.weights import drawn
from convcalc.weights.drawn import Draw, DrawnNumbers, DrawnParameters
from convcalc.weights.initialise import he_normal
from convcalc.weights.load import Weights, random_weights

WANTED = [Draw("conv1.weight", 42, 9, 3), Draw("fc.weight", 30, 7, 3)]


def test_all_are_drawn_when_one_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = DrawnNumbers(WANTED)
    assert numbers.pending
    assert list(numbers[1]) == list(he_normal("fc.weight", (5, 6), 7, 3))
    assert not numbers.pending
    monkeypatch.setattr(drawn, "_drawn", None)
    assert list(numbers[0]) == list(he_normal("conv1.weight", (42,), 9, 3))
    assert numbers[0] is numbers[0]


def test_what_another_has_drawn_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawn, "_drawn", None)
    numbers = DrawnNumbers(WANTED)
    own = array("f", [1.5]), array("f", [2.5])
    numbers.take(own)
    assert not numbers.pending
    assert (numbers[0], numbers[1]) == own
    assert tuple(numbers.draw()) == own


def test_parameters_keep_their_order_and_know_their_names_before_anything_is_drawn() -> None:
    numbers = DrawnNumbers(WANTED)
    bias = array("f", [0.0])
    parameters = DrawnParameters({"weight": 1, "bias": bias}, numbers)
    assert list(parameters) == ["weight", "bias"]
    assert len(parameters) == 2
    assert "weight" in parameters
    assert "other" not in parameters
    assert parameters["bias"] is bias
    assert numbers.pending
    assert parameters["weight"] is numbers[1]
    with pytest.raises(KeyError):
        parameters["other"]


def test_random_weights_wait_until_they_are_needed() -> None:
    graph = load_text(
        "input: [2, 5, 4]\nlayers:\n  - conv: {filters: 3, kernel: 2}\n  - flatten\n  - dense: 7\n"
    )
    weights = random_weights(graph, 5)
    assert weights.drawn is not None
    assert weights.drawn.wanted == (
        Draw("conv1.weight", 3 * 2 * 2 * 2, 2 * 2 * 2, 5),
        Draw("dense1.weight", 7 * 3 * 4 * 3, 3 * 4 * 3, 5),
    )
    assert weights.drawn.pending
    weights.draw()
    assert not weights.drawn.pending
    assert list(weights.nodes[0]["weight"]) == list(he_normal("conv1.weight", (24,), 8, 5))
    assert list(weights.nodes[0]["bias"]) == [0.0] * 3


def test_random_weights_of_one_seed_are_equal() -> None:
    graph = load_text("input: [2, 5, 4]\nlayers:\n  - conv: {filters: 3, kernel: 2}\n")
    weights = random_weights(graph, 5)
    weights.draw()
    assert weights == random_weights(graph, 5)
    assert weights != random_weights(graph, 6)


def test_weights_of_a_file_have_nothing_to_draw() -> None:
    Weights((), "file").draw()
