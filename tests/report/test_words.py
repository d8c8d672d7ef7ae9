"""How operators are written in reports."""

from __future__ import annotations

from convcalc import ops
from convcalc.report import words


def test_dimensions_of_an_axis_are_listed() -> None:
    """A list of sizes is a product, one of dimensions is not."""
    normalised = ops.get("layernorm")(axis=(1, 2))
    assert words.operator(normalised) == "layernorm axis 1,2"
    assert words.short_operator(normalised) == "ln 1,2"
    assert words.operator(ops.get("concat")(axis=1)) == "concat axis 1"
    assert words.operator(ops.get("transpose")(order=(1, 2, 0))) == "transpose 1×2×0"


def test_fields_that_are_not_the_default() -> None:
    assert words.operator(ops.get("groupnorm")(groups=32, affine=False)) == "groupnorm 32 no affine"
    assert words.short_operator(ops.get("groupnorm")(groups=32)) == "gn 32"
    assert words.operator(ops.get("clip")(min=-1.0, max=1.0)) == "clip min -1 max 1"
    assert words.operator(ops.get("scale")(value=0.17)) == "scale value 0.17"
