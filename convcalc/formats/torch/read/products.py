"""Matrix products of aten, and attention as its two products."""

from __future__ import annotations

from math import prod, sqrt
from typing import Any

from convcalc.formats.torch.read.layers import operator
from convcalc.formats.torch.read.mapping import Handler, Mapper, Unmapped, Value
from convcalc.formats.torch.read.moving import permuted
from convcalc.formats.torch.read.records import Call, Stored
from convcalc.shapes import Shape


def matmul(mapper: Mapper, call: Call) -> Value:
    """matmul, bmm, mm: a product with a fixed matrix on the right is a dense layer."""
    names = ("self", "other") if "other" in call.arguments else ("self", "mat2")
    first, second = (call.arguments[name] for name in names)
    return product(mapper, first, second)


def product(mapper: Mapper, first: Any, second: Any) -> Value:
    """The matrix product of two arguments. A single matrix on one side takes all those of the other at once."""
    a, b = _matrix(mapper, first), _matrix(mapper, second)
    left, right = _bare(mapper, a), _bare(mapper, b)
    size = mapper.program.size(mapper.result())
    if len(left) == len(right) and left[:-2] == right[:-2] and len(left) > 1:
        pair = [mapper.reshaped(Value(index, ()), shape).index for index, shape in ((a, left), (b, right))]
        return mapper.reshaped(mapper.add(operator("matmul"), pair), size, mapper.result())
    if len(right) == 2 and len(left) > 2:
        rows = mapper.reshaped(Value(a, ()), (prod(left[:-1]), left[-1]))
        matrix = mapper.reshaped(Value(b, ()), right)
        return mapper.reshaped(
            mapper.add(operator("matmul"), (rows.index, matrix.index)), size, mapper.result()
        )
    if len(left) == 2 and len(right) > 2:
        *lead, inner, columns = right
        order = (len(lead), *range(len(lead)), len(lead) + 1)
        moved = mapper.add(
            operator("transpose", order=order), (mapper.reshaped(Value(b, ()), right).index,), ()
        )
        flat = mapper.reshaped(moved, (inner, prod(lead) * columns), ())
        matrix = mapper.reshaped(Value(a, ()), left)
        found = mapper.add(operator("matmul"), (matrix.index, flat.index), ())
        found = mapper.reshaped(found, (left[0], *lead, columns), ())
        back = (*range(1, len(lead) + 1), 0, len(lead) + 1)
        found = mapper.add(operator("transpose", order=back), (found.index,), ())
        return mapper.reshaped(found, size, mapper.result())
    raise Unmapped("a matrix is used for several")


def _bare(mapper: Mapper, index: int) -> Shape:
    """The shape of a factor without leading dimensions of 1."""
    size = mapper.draft.shape(index)
    while len(size) > 2 and size[0] == 1:
        size = size[1:]
    return size


def _matrix(mapper: Mapper, given: Any) -> int:
    found = mapper.given(given)
    if isinstance(found, Stored):
        return mapper.layer_of(found, found.size)
    return mapper.value(given).index


def attention(mapper: Mapper, call: Call) -> Value:
    """scaled_dot_product_attention as its two products."""
    arguments = call.arguments
    if arguments.get("is_causal") or arguments.get("enable_gqa"):
        raise Unmapped("it masks by position")
    query, key, value = (mapper.value(arguments[name]) for name in ("query", "key", "value"))
    batch = mapper.program.batch
    if batch in query.shape[-2:] or batch in key.shape[-2:]:
        raise Unmapped("the batch is a matrix")
    sizes = [mapper.size(entry) for entry in (query, key, value)]
    if len({size[:-2] for size in sizes}) > 1 or len(sizes[0]) < 2:
        raise Unmapped("heads share keys")
    scale = arguments.get("scale")
    factor = 1 / sqrt(sizes[0][-1]) if scale is None else float(scale)
    scaled = mapper.add(operator("scale", value=factor), (query.index,)) if factor != 1 else query
    scores = mapper.add(operator("matmul", transpose_b=True), (scaled.index, key.index)).index
    mask = mapper.given(arguments["attn_mask"])
    if mask is not None:
        scores = _masked(mapper, scores, mask)
    shares = mapper.add(operator("softmax", axis="last"), (scores,))
    return mapper.add(operator("matmul"), (shares.index, value.index))


def _masked(mapper: Mapper, scores: int, mask: Any) -> int:
    size = mapper.draft.shape(scores)
    own = mapper.size(mask) if isinstance(mask, Value) else mask.size if isinstance(mask, Stored) else None
    if own is None or (isinstance(mask, Stored) and mask.dtype == "BOOL"):
        raise Unmapped("its mask is not added")
    if len(own) > len(size):
        own = own[len(own) - len(size) :]
    full: Shape = (1,) * (len(size) - len(own)) + tuple(own)
    index = mapper.layer_of(mask, full) if isinstance(mask, Stored) else mapper.reshaped(mask, full).index
    return mapper.add(operator("add"), (scores, index)).index


def einsum(mapper: Mapper, call: Call) -> Value:
    """einsum of two operands in which no index repeats: a matrix product between transpositions."""
    equation, tensors = call.arguments["equation"].replace(" ", ""), call.arguments["tensors"]
    inputs, _, result = equation.partition("->")
    terms = inputs.split(",")
    if (
        len(terms) != 2
        or not result
        or "." in equation
        or any(len(set(t)) < len(t) for t in (*terms, result))
    ):
        raise Unmapped("it is no matrix product")
    a, b = terms
    both = [label for label in result if label in a and label in b]
    inner = [label for label in a if label in b and label not in result]
    left = [label for label in result if label in a and label not in b]
    right = [label for label in result if label in b and label not in a]
    if set(a) != {*both, *inner, *left} or set(b) != {*both, *inner, *right} or not inner:
        raise Unmapped("it sums along one operand")
    sizes: dict[str, int] = {}
    values = []
    for given, term, order in zip(
        tensors, terms, ([*both, *left, *inner], [*both, *right, *inner]), strict=True
    ):
        value = mapper.value(given)
        sizes.update(zip(term, value.shape, strict=True))
        moved = permuted(mapper, value, [term.index(label) for label in order])
        rest = order[len(both) : len(order) - len(inner)]
        shape = tuple(prod(sizes[label] for label in group) for group in (both, rest, inner))
        values.append(mapper.reshaped(moved, _three(mapper, shape), shape))
    product = mapper.add(operator("matmul", transpose_b=True), [value.index for value in values], ())
    ordered = [*both, *left, *right]
    shape = tuple(sizes[label] for label in ordered)
    found = mapper.reshaped(product, mapper.program.size(shape), shape)
    return permuted(mapper, found, [ordered.index(label) for label in result])


def _three(mapper: Mapper, shape: Shape) -> Shape:
    """Three dimensions of ours, a batch among them being 1."""
    return tuple(size // mapper.program.batch if size % mapper.program.batch == 0 else size for size in shape)


HANDLERS: dict[str, Handler] = {
    "matmul": matmul, "bmm": matmul, "mm": matmul, "scaled_dot_product_attention": attention, "einsum": einsum,
}  # fmt: skip
