"""Average pooling. "ONNX AveragePool" are the examples of the ONNX operator's documentation."""

from fractions import Fraction

import pytest

from convcalc.errors import Misfit

SQUARE = [[list(range(row, row + 5)) for row in range(1, 26, 5)]]
SIXTEEN = [[list(range(row, row + 4)) for row in range(1, 17, 4)]]


def test_mean_of_each_window(run):
    image = [[[1, 4, 2, 1], [5, 8, 3, 4], [7, 6, 4, 5], [1, 3, 1, 2]]]
    assert run("avgpool", image, kernel=2) == [[[4.5, 2.5], [4.25, 3]]]


def test_onnx(run, close):
    padded = {"kernel": 5, "stride": 1, "padding": 2}
    assert run("avgpool", SQUARE, count_padding=False, **padded)[0] == close(
        [
            [7, 7.5, 8, 8.5, 9],
            [9.5, 10, 10.5, 11, 11.5],
            [12, 12.5, 13, 13.5, 14],
            [14.5, 15, 15.5, 16, 16.5],
            [17, 17.5, 18, 18.5, 19],
        ]
    )
    assert run("avgpool", SQUARE, **padded)[0] == close(
        [
            [2.52, 3.6, 4.8, 4.08, 3.24],
            [4.56, 6.4, 8.4, 7.04, 5.52],
            [7.2, 10, 13, 10.8, 8.4],
            [6.96, 9.6, 12.4, 10.24, 7.92],
            [6.12, 8.4, 10.8, 8.88, 6.84],
        ]
    )
    same = run("avgpool", SQUARE, kernel=3, stride=2, padding="same", count_padding=False)
    assert same == [[[4, 5.5, 7], [11.5, 13, 14.5], [19, 20.5, 22]]]
    assert run("avgpool", SIXTEEN, kernel=3, stride=2, rounding="ceil") == [[[6, 7.5], [12, 13.5]]]


@pytest.mark.parametrize(
    ("count_padding", "expected"),
    [
        # Kernel 3, stride 3 over padding (1, 1) of 6 pixels 6 … 36: windows _·6·12, 18·24·30, and the one
        # ceil adds, 36·_ and a place beyond the padding, which never counts.
        (True, [Fraction(18, 3), 24, Fraction(36, 2)]),
        (False, [Fraction(18, 2), 24, 36]),
    ],
)
def test_divisor_at_the_border_in_ceil_mode(run, count_padding, expected):
    pixels = [[Fraction(n) for n in (6, 12, 18, 24, 30, 36)]]
    fields = {"kernel": 3, "padding": 1, "rounding": "ceil", "count_padding": count_padding}
    assert run("avgpool", pixels, **fields) == [expected]


def test_all_dimensions_different(run):
    """2 channels of 2×3, kernel 2×2, stride 2×1, padding (1, 1) and (0, 1): divisors 4, or the real pixels."""
    image = [[[4, 8, 12], [16, 20, 24]], [[40, 80, 120], [160, 200, 240]]]
    fields = {"kernel": 2, "stride": [2, 1], "padding": [[1, 1], [0, 1]]}
    assert run("avgpool", image, **fields) == [
        [[3, 5, 3], [9, 11, 6]],
        [[30, 50, 30], [90, 110, 60]],
    ]
    assert run("avgpool", image, count_padding=False, **fields)[0] == [[6, 10, 12], [18, 22, 24]]


def test_dilation(run):
    """Windows of every other pixel, by hand; a dilated tap in the padding counts, one beyond it never does."""
    assert run("avgpool", [[1, 2, 4, 8, 16]], kernel=2, stride=1, dilation=2) == [[2.5, 5, 10]]
    fields = {"kernel": 2, "stride": 3, "dilation": 3, "padding": [[2, 1]], "rounding": "ceil"}
    pixels = [[Fraction(n) for n in (6, 12, 18, 24)]]
    # starts −2, 1: taps −2 and 1; 1 and 4, the padding behind the last pixel
    assert run("avgpool", pixels, **fields) == [[6, 6]]
    assert run("avgpool", pixels, count_padding=False, **fields) == [[12, 12]]
    fields["padding"] = [[2, 0]]  # ceil adds the window at 1, whose second tap lies beyond the padding
    assert run("avgpool", pixels, **fields) == [[6, 12]]


def test_a_given_divisor(run, close):
    """torch's avg_pool2d(x, (2, 3), (1, 2), (1, 0), divisor_override=5)."""
    image = [[[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]]]
    fields = {"kernel": [2, 3], "stride": [1, 2], "padding": [1, 0], "divisor": 5}
    assert run("avgpool", image, **fields) == [close([[1.2], [4.8], [9.6], [6]])]
    assert run("avgpool", image, count_padding=False, **fields) == [close([[1.2], [4.8], [9.6], [6]])]


def test_a_window_of_padding_only_is_refused(bound):
    with pytest.raises(Misfit, match="reads padding only"):
        bound("avgpool", (1, 5), kernel=2, padding=[[0, 2]], stride=1)


def test_working(lines):
    assert lines("avgpool", (1024, 7, 7), kernel=7) == {"output size": "(7 − 7 + 2·0)/7 + 1 = 1"}
