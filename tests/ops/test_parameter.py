"""A learned tensor."""


def test_by_hand(run):
    assert run("parameter", weights={"": [[1, 2, 3], [4, 5, 6]]}, shape=[2, 3]) == [[1, 2, 3], [4, 5, 6]]


def test_a_fixed_tensor_is_a_buffer(bound, lines):
    operator = bound("parameter", shape=[10, 84], fixed=True)
    (tensor,) = operator.parameters(())
    assert (tensor.name, tensor.shape, tensor.role) == ("", (10, 84), "buffer")
    assert lines("parameter", shape=[10, 84], fixed=True) == {"buffers": "10·84 = 840"}


def test_counts(bound, lines):
    """Its values are its weights: a class token and the positions of 196 patches."""
    operator = bound("parameter", shape=[197, 768])
    (tensor,) = operator.parameters(())
    assert (tensor.name, tensor.shape, tensor.role, tensor.initial) == ("", (197, 768), "weight", 0)
    assert operator.macs(()) == 0
    assert lines("parameter", shape=[197, 768]) == {"weights": "197·768 = 151,296"}
    assert lines("parameter", shape=[768]) == {"weights": "768"}
