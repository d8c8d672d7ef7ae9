"""The identity."""


def test_identity(run):
    assert run("identity", [[1, -2, 3], [4, 5, 6]]) == [[1, -2, 3], [4, 5, 6]]
