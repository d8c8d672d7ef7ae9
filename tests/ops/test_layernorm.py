"""Layer normalisation."""

# 1 2 3 6 has mean 3 and variance (4 + 1 + 0 + 9)/4 = 3.5; with eps 0.5 the divisor is 2.
VECTOR = [1, 2, 3, 6]
NORMALISED = [-1, -0.5, 0, 1.5]
PLAIN = {"weight": [1, 1, 1, 1], "bias": [0, 0, 0, 0]}


def test_vector(run):
    assert run("layernorm", VECTOR, weights=PLAIN, eps=0.5) == NORMALISED
    learned = {"weight": [1, 2, 3, 4], "bias": [0, 10, 20, 30]}
    assert run("layernorm", VECTOR, weights=learned, eps=0.5) == [-1, 9, 20, 36]


def test_channels_of_each_position(run):
    """Position 1 holds the vector, position 2 holds it shifted by 7 (which changes nothing), 3 is constant."""
    image = [[[value, value + 7, 5]] for value in VECTOR]
    assert run("layernorm", image, weights=PLAIN, eps=0.5) == [[[value, value, 0]] for value in NORMALISED]


def test_last_dimension(run):
    rows = [[VECTOR, [value + 7 for value in VECTOR], [5, 5, 5, 5]]] * 2
    result = run("layernorm", rows, weights=PLAIN, eps=0.5, axis="last")
    assert result == [[NORMALISED, NORMALISED, [0, 0, 0, 0]]] * 2


def test_counts(bound, lines):
    """A factor and an offset per normalised value, not per position."""
    for axis, count in (("channels", 96), ("last", 7)):
        weight, bias = bound("layernorm", (96, 5, 7), axis=axis).parameters(((96, 5, 7),))
        assert (weight.shape, weight.role, weight.initial) == ((count,), "weight", 1)
        assert (bias.shape, bias.role, bias.initial) == ((count,), "bias", 0)
    assert lines("layernorm", (96, 5, 7)) == {"weights": "96", "biases": "96"}


def test_default_eps_is_pytorchs(bound):
    assert bound("layernorm", (3,)).eps == 1e-5
