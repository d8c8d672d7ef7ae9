"""A learned factor per channel."""


def test_by_hand(run):
    assert run("scale", [[[1, 2, 3]], [[4, 5, 6]]], weights={"weight": [10, -1]}) == [
        [[10, 20, 30]],
        [[-4, -5, -6]],
    ]


def test_counts(bound, lines):
    """One weight per channel, no MACs (normalisation-like factors are not counted)."""
    shape = (96, 5, 7)
    operator = bound("scale", shape, initial=1e-6)
    (weight,) = operator.parameters((shape,))
    assert (weight.shape, weight.role, weight.initial) == ((96,), "weight", 1e-6)
    assert operator.macs((shape,)) == 0
    assert lines("scale", shape) == {"weights": "96"}
