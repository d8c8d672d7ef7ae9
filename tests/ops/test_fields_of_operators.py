"""What an operator's fields accept, and that the JSON Schema of each says the same."""

from __future__ import annotations

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convcalc import ops
from convcalc.ops._fields import MAX_SIZE, FieldError


def check(kind, name, value):
    return ops.get(kind).fields()[name].kind.check(value)


@pytest.mark.parametrize(
    ("kind", "name", "value", "stored"),
    [
        ("conv", "filters", 96, 96),
        ("conv", "filters", 96.0, 96),
        ("conv", "filters", None, None),
        ("conv", "kernel", [3, 5.0], (3, 5)),
        ("conv", "padding", "same", "same"),
        ("conv", "padding", [[0, 1], 2], ((0, 1), 2)),
        ("conv", "bias", False, False),
        ("conv", "rounding", "ceil", "ceil"),
        ("maxpool", "stride", None, None),
        ("dense", "axis", None, None),
        ("dense", "axis", "last", "last"),
        ("softmax", "axis", "last", "last"),
        ("softmax", "axis", -1, -1),
        ("concat", "axis", 2.0, 2),
        ("layernorm", "axis", [0, -1], (0, -1)),
        ("layernorm", "axis", "channels", "channels"),
        ("dropout", "rate", 1, 1.0),
        ("reshape", "shape", [8, -1], (8, -1)),
        ("pad", "padding", [[0, 1], 2], ((0, 1), 2)),
    ],
)
def test_accepted(kind, name, value, stored):
    found = check(kind, name, value)
    assert found == stored
    assert type(found) is type(stored)


@pytest.mark.parametrize(
    ("kind", "name", "value", "message"),
    [
        ("conv", "filters", 0, "needs an integer of at least 1, not 0"),
        ("conv", "filters", 1.5, "needs an integer, not 1.5"),
        ("conv", "filters", True, "needs an integer, not true"),
        ("conv", "filters", "96", "needs an integer, not '96'"),
        ("conv", "filters", MAX_SIZE + 1, "needs an integer of at most 2,147,483,647, not 2147483648"),
        ("conv", "kernel", [], "needs an integer or one per dimension (1 to 3), not a list of 0"),
        ("conv", "kernel", [1, 2, 3, 4], "needs an integer or one per dimension (1 to 3), not a list of 4"),
        ("conv", "kernel", None, "needs an integer, not nothing (null)"),
        ("conv", "padding", "full", "needs an integer, a list, 'same' or 'valid', not 'full'"),
        ("conv", "padding", [[1, 2, 3]], "needs [before, after] pairs, not a list of 3"),
        ("conv", "padding", -1, "needs an integer of at least 0, not -1"),
        ("conv", "bias", 1, "needs true or false, not 1"),
        ("conv", "rounding", "cel", "needs floor, ceil or exact, not 'cel'; did you mean 'ceil'?"),
        ("softmax", "axis", "lst", "needs channels, last or an integer, not 'lst'; did you mean 'last'?"),
        ("softmax", "axis", [0, 1], "needs channels, last or an integer, not a list of 2"),
        ("softmax", "axis", True, "needs channels, last or an integer, not true"),
        ("softmax", "axis", 8, "needs an integer of at most 7, not 8"),
        ("concat", "axis", 0.5, "needs an integer, not 0.5"),
        ("layernorm", "axis", [], "needs channels, last, an integer or a list of integers, not a list of 0"),
        ("layernorm", "axis", ["last"], "needs an integer, not 'last'"),
        ("layernorm", "axis", "rows", "needs channels, last, an integer or a list of integers, not 'rows'"),
        ("celu", "alpha", 0, "needs a number above 0, not 0"),
        ("softplus", "beta", 0, "needs a number above 0, not 0"),
        ("dropout", "rate", 1.5, "needs a number of at most 1, not 1.5"),
        ("dropout", "rate", "half", "needs a number, not 'half'"),
        ("elu", "alpha", float("inf"), "needs a number that fits 64 bits, not inf"),
        ("elu", "alpha", 10**400, "needs a number that fits 64 bits, not a number of more than 40 digits"),
        ("batchnorm", "eps", -1, "needs a number of at least 0, not -1"),
        ("layernorm", "eps", 0, "needs a number above 0, not 0"),
        ("lrn", "k", -1, "needs a number above 0, not -1"),
        ("lrn", "alpha", -1, "needs a number of at least 0, not -1"),
        ("transpose", "order", 3, "needs a list of 1 to 8 integers, not 3"),
        ("reshape", "shape", [1] * 9, "needs a list of 1 to 8 integers, not a list of 9"),
    ],
)
def test_refused(kind, name, value, message):
    with pytest.raises(FieldError) as caught:
        check(kind, name, value)
    assert message in str(caught.value)


scalars = st.one_of(
    st.integers(-3, 12),
    st.floats(-2, 4),
    st.sampled_from([1.0, 2.0]),
    st.booleans(),
    st.sampled_from(["same", "valid", "floor", "ceil", "last", "channels", "nearest", "tanh", "other", ""]),
)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4), max_leaves=6)


@pytest.mark.parametrize("kind", ops.names())
@given(value=values)
def test_the_schema_accepts_what_the_check_accepts(kind, value):
    for name, info in ops.get(kind).fields().items():
        try:
            info.kind.check(value)
        except FieldError:
            accepted = False
        else:
            accepted = True
        assert jsonschema.Draft202012Validator(info.kind.schema).is_valid(value) == accepted, name


def test_a_number_python_would_not_print():
    with pytest.raises(FieldError, match="not a number of more than 40 digits"):
        check("conv", "filters", 10**5000)
