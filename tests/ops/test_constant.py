"""Tensors that a rule makes. What torchvision gives was computed by its version 0.29.1."""

import pytest

from convcalc.errors import Misfit

# ShiftedWindowAttention(…, window_size=[2, 3]).relative_position_index
INDICES = [
    7, 6, 5, 2, 1, 0, 8, 7, 6, 3, 2, 1,
    9, 8, 7, 4, 3, 2, 12, 11, 10, 7, 6, 5,
    13, 12, 11, 8, 7, 6, 14, 13, 12, 9, 8, 7,
]  # fmt: skip
# ShiftedWindowAttentionV2(…, window_size=[2, 3]).relative_coords_table
COORDINATES = [
    -1.0566417, -1.0566417, -1.0566417, -0.773976, -1.0566417, 0.0,
    -1.0566417, 0.773976, -1.0566417, 1.0566417, 0.0, -1.0566417,
    0.0, -0.773976, 0.0, 0.0, 0.0, 0.773976,
    0.0, 1.0566417, 1.0566417, -1.0566417, 1.0566417, -0.773976,
    1.0566417, 0.0, 1.0566417, 0.773976, 1.0566417, 1.0566417,
]  # fmt: skip


def values(operator):
    result = operator.values()
    (tensor,) = operator.parameters(())
    assert (tensor.name, tensor.role) == ("", "buffer")
    assert list(tensor.rule()) == result
    return result


def test_relative_positions(bound):
    operator = bound("constant", rule="relative_positions", window=[2, 3])
    assert operator.output_shape(()) == (6, 6)
    assert values(operator) == INDICES
    assert operator.entries == 3 * 5


def test_logarithms_of_relative_positions(bound):
    operator = bound("constant", rule="log_relative_positions", window=[2, 3])
    assert operator.output_shape(()) == (3, 5, 2)
    assert values(operator) == pytest.approx(COORDINATES, abs=2e-7)
    assert operator.entries is None


def test_a_mask_by_hand(bound):
    """Four positions in windows of 2, moved by 1: 1 2 | 3 0, where 3 and 0 are no neighbours."""
    operator = bound("constant", rule="window_mask", size=[4], window=[2], shift=[1])
    assert operator.output_shape(()) == (2, 2, 2)
    assert values(operator) == [0, 0, 0, 0, 0, -100, -100, 0]


def test_a_mask_on_two_axes(bound):
    """3×4 in windows of 3×2, moved by 1 and 1: one window holds the first axis, so it stays."""
    operator = bound("constant", rule="window_mask", size=[3, 4], window=[3, 2], shift=[1, 1])
    first, second = values(operator)[:36], values(operator)[36:]
    assert first == [0] * 36
    assert second == [0 if (row + column) % 2 == 0 else -100 for row in range(6) for column in range(6)]


def test_counts(lines):
    """Swin-T's windows of 7×7 and its table of 13·13 entries."""
    assert lines("constant", rule="relative_positions", window=[7, 7]) == {
        "places in a window": "7·7 = 49",
        "buffers": "49·49 = 2,401",
        "indices": "of a table of (2·7 − 1)·(2·7 − 1) = 169 entries",
    }
    assert lines("constant", rule="window_mask", size=[56, 50], window=[7, 7], shift=[3, 3])["buffers"] == (
        "64·49·49 = 153,664"
    )


@pytest.mark.parametrize(
    ("fields", "message", "hint"),
    [
        ({"rule": "window_mask", "window": [7, 7], "shift": [3, 3]}, "window_mask needs size", "write size: [7, 7]"),
        ({"rule": "relative_positions", "window": [7, 7], "shift": [3, 3]}, "relative_positions takes no shift",
         "leave out shift; window_mask takes it"),
        ({"rule": "window_mask", "window": [7, 7], "size": [14], "shift": [3, 3]},
         "size has 1 numbers, window has 2", "give one per dimension in each"),
        ({"rule": "window_mask", "window": [7, 5], "size": [14, 15], "shift": [3, 5]},
         "a shift of 3×5 in windows of 7×5", "shift by less than a window, usually by half of one"),
        ({"rule": "log_relative_positions", "window": [7, 1]},
         "log_relative_positions divides by window − 1, and the window is 7×1",
         "give windows of at least 2 positions"),
        ({"rule": "relative_positions", "window": [2, 2, 2, 2]}, "windows of 4 dimensions",
         "give 1 to 3 numbers in window"),
        ({"rule": "relative_positions", "window": [100, 100]},
         "a constant of 10000×10000 values, more than 16,777,216", "give a smaller window"),
    ],
)  # fmt: skip
def test_misfits(bound, fields, message, hint):
    with pytest.raises(Misfit) as caught:
        bound("constant", **fields)
    assert (caught.value.message, caught.value.hint) == (message, hint)
