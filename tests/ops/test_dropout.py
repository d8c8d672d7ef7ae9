"""Dropout does nothing once a network is trained."""


def test_identity(run):
    assert run("dropout", [[[1, -2, 3]]], rate=0.9) == [[[1, -2, 3]]]


def test_the_main_field_is_the_rate(bound):
    assert bound("dropout", (3,)).main == "rate"
    assert bound("dropout", (3,)).rate == 0.5
