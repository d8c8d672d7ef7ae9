"""Mapping of matrix products: dense layers where a factor is a constant, else `matmul`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

from convcalc.formats.draft import operator
from convcalc.formats.onnx.calls import Activation, Call, Invalid, Unmapped, Value
from convcalc.formats.onnx.mapper import Mapper
from convcalc.formats.onnx.norms import kernel_name, reduced
from convcalc.formats.onnx.values import Const, permuted
from convcalc.shapes import Shape

Handler = Callable[[Mapper, Call], "Value | Sequence[Value | None]"]


def turned(const: Const, order: Sequence[int]) -> Const:
    """A constant with its dimensions permuted."""
    if const.rule is not None and const.call is not None and const.call.op == "Transpose":
        source = const.sources[0]
        if len(order) == len(source.shape) == 2:  # transposed twice
            return source
    return Const(
        [const.shape[place] for place in order], const.dtype, sources=(const,),
        rule=lambda given: permuted(given[0], order),
    )  # fmt: skip


def scaled(const: Const, factor: float) -> Const:
    """A constant times a number."""
    if factor == 1:
        return const
    return Const(
        const.shape,
        const.dtype,
        sources=(const,),
        rule=lambda given: [value * factor for value in given[0].values],
    )


def dense(
    mapper: Mapper, call: Call, x: Activation, weight: Const, bias: Const | None, name: str
) -> Activation:
    """A dense layer on the last dimension. weight: (units, features); name: of the initialiser that gives its path."""
    units, features = weight.shape
    if not x.shape or x.shape[-1] != features:
        raise Invalid(f"a matrix with {features} rows for an input of {list(x.shape)}")
    if x.axis == len(x.shape) - 1:
        x = mapper.unbatched(call, x)
    op = operator("dense", units=units, bias=bias is not None, axis="last" if len(x.own) > 1 else None)
    tensors = {"weight": weight.stored()}
    if bias is not None:
        tensors["bias"] = bias.stored((units,))
    path = mapper.paths.of_kernel(call.node, name)
    layer = mapper.add(call, op, [x.layer], tensors, path=path, shares=mapper.shared(call, tensors))
    mapper.own(call, tensors, layer)
    return x._replace(layer=layer, shape=(*x.shape[:-1], units))


def gemm(mapper: Mapper, call: Call) -> Value:
    """Gemm: alpha·A·B + beta·C, a dense layer if A is computed and B and C are constants."""
    alpha, beta = call.number("alpha", 1.0), call.number("beta", 1.0)
    a, b, c = call.value(0), call.value(1), call.given(2)
    if len(a.shape) != 2 or len(b.shape) != 2:
        raise Invalid(f"matrices of {list(a.shape)} and {list(b.shape)}")
    trans_a, trans_b = bool(call.integer("transA", 0)), bool(call.integer("transB", 0))
    if isinstance(a, Activation) and isinstance(b, Const):
        if trans_a:
            a = _transposed(mapper, call, a)
        weight = scaled(b if trans_b else turned(b, (1, 0)), alpha)
        units = weight.shape[0]
        if isinstance(c, Const) and c.count in (1, units) and (not c.shape or c.shape[-1] == c.count):
            bias = scaled(c, beta)
            if bias.count != units:
                bias = Const(
                    (units,), c.dtype, sources=(bias,), rule=lambda given: [given[0].values[0]] * units
                )
            return dense(mapper, call, a, weight, bias, kernel_name(b))
        found = dense(mapper, call, a, weight, None, kernel_name(b))
    else:
        sides = [_transposed(mapper, call, side) if trans else side
                 for side, trans in ((_computed(mapper, a), trans_a), (_computed(mapper, b), trans_b))]  # fmt: skip
        found = product(mapper, call, *sides)
        if alpha != 1:
            found = mapper.same(call, operator("scale", value=alpha), found)
    if c is None:
        return found
    if beta != 1:
        c = scaled(c, beta) if isinstance(c, Const) else mapper.same(call, operator("scale", value=beta), c)
    layers, result = mapper.aligned(Call(call.node, call.opset, [found, c]))
    return result._replace(layer=mapper.add(call, operator("add"), layers))


def _computed(mapper: Mapper, value: Value) -> Activation:
    return mapper.materialised(value) if isinstance(value, Const) else value


def _transposed(mapper: Mapper, call: Call, x: Activation) -> Activation:
    """A matrix transposed."""
    x = mapper.unbatched(call, x)
    layer = mapper.add(call, operator("transpose", order=(1, 0)), [x.layer])
    return Activation(layer, x.shape[::-1])


def matmul(mapper: Mapper, call: Call) -> Value:
    """MatMul: a dense layer if the second factor is a constant matrix."""
    a, b = call.value(0), call.value(1)
    if isinstance(a, Activation) and isinstance(b, Const) and len(b.shape) == 2 and a.shape:
        return dense(mapper, call, a, turned(b, (1, 0)), None, kernel_name(b))
    return product(mapper, call, _computed(mapper, a), _computed(mapper, b))


def product(mapper: Mapper, call: Call, a: Activation, b: Activation) -> Activation:
    """The product of two activations. Vectors are taken as a row and a column; leading dimensions have to agree."""
    if not a.shape or not b.shape:
        raise Invalid("a product with a single number")
    row, column = len(a.shape) == 1, len(b.shape) == 1
    if row:
        a = mapper.regrouped(call, a, (1, *a.shape), None, False)
    if column:
        b = mapper.regrouped(call, b, (*b.shape, 1), None, False)
    rank = max(len(a.shape), len(b.shape))
    lead = tuple(max(m, n) for m, n in zip(_wide(a.shape, rank)[:-2], _wide(b.shape, rank)[:-2], strict=True))
    a_batch, b_batch = (None if x.axis is None else x.axis + rank - len(x.shape) for x in (a, b))
    batch = a_batch if a_batch == b_batch else None
    if a_batch is not None and b_batch is None and _wide(b.shape, rank)[a_batch] == 1:
        batch = a_batch
    elif b_batch is not None and a_batch is None and _wide(a.shape, rank)[b_batch] == 1:
        batch = b_batch
    if batch is not None and (batch >= rank - 2 or lead[batch] != 1):
        batch = None
    merged = (
        batch is None and a.merged and a.batch is not None and len(a.shape) == rank and a.batch < rank - 2
    )
    sides = [_filled(mapper, call, x, rank, lead, batch) for x in (a, b)]
    layer = mapper.add(call, operator("matmul"), sides)
    shape = (*lead, a.shape[-2], b.shape[-1])
    found = Activation(layer, shape, a.batch if merged else batch, merged)
    if found.own != mapper.draft.shape(layer):
        found = Activation(layer, shape)  # pragma: no cover - both sides have the same leading dimensions
    if row or column:
        sizes = [size for place, size in enumerate(shape) if not (row and place == rank - 2)]
        sizes = sizes[:-1] if column else sizes
        found = mapper.regrouped(call, found, tuple(sizes), batch, False)
    return found


def _wide(shape: Shape, rank: int) -> Shape:
    return (1,) * (rank - len(shape)) + shape


def _filled(mapper: Mapper, call: Call, x: Activation, rank: int, lead: Shape, batch: int | None) -> int:
    """A factor with the full leading dimensions."""
    shape = _wide(x.shape, rank)
    found = mapper.regrouped(call, x, shape, batch, False)
    for axis, size in enumerate(lead):
        if shape[axis] != size:
            if shape[axis] != 1:
                raise Invalid(f"leading dimensions {list(lead)} and {list(shape[:-2])}")
            if size > 64:
                raise Unmapped(f"a matrix repeated {size} times")
            layer = mapper.add(call, operator("concat", axis=found.own_axis(axis)), [found.layer] * size)
            shape = (*shape[:axis], size, *shape[axis + 1 :])
            found = Activation(layer, shape, batch)
    return found.layer


def einsum(mapper: Mapper, call: Call) -> Value:
    """Einsum of two factors as a matrix product, with transposes before and after it; of one as a transpose."""
    equation = call.text("equation", "").replace(" ", "")
    left, arrow, result = equation.partition("->")
    terms = left.split(",")
    if "." in equation or len(terms) != len(call.inputs) or len(terms) > 2 or any(
        len(set(term)) < len(term) for term in terms
    ):  # fmt: skip
        raise Unmapped(f"the equation {equation!r}")
    if not arrow:
        letters = sorted(left.replace(",", ""))
        result = "".join(letter for letter in letters if letters.count(letter) == 1)
    values = [mapper.unbatched(call, _computed(mapper, call.value(place))) for place in range(len(terms))]
    if any(len(value.shape) != len(term) for value, term in zip(values, terms, strict=True)):
        raise Invalid(f"the equation {equation!r} for other numbers of dimensions")
    sizes = {
        letter: n
        for v, term in zip(values, terms, strict=True)
        for letter, n in zip(term, v.shape, strict=True)
    }
    if len(terms) == 1:
        if not set(result) <= set(terms[0]):
            raise Unmapped(f"the equation {equation!r}")
        over = [place for place, letter in enumerate(terms[0]) if letter not in result]
        total = reduced(mapper, call, values[0], "sum", over, keep=False) if over else values[0]
        return _ordered(mapper, call, total, "".join(x for x in terms[0] if x in result), result)
    first, second = terms
    both = [letter for letter in first if letter in second and letter in result]
    summed = [letter for letter in first if letter in second and letter not in result]
    rows = [letter for letter in first if letter not in second]
    columns = [letter for letter in second if letter not in first]
    if not set(rows + columns) <= set(result) or not set(result) <= set(first + second):
        raise Unmapped(f"the equation {equation!r}, which sums one factor")
    a = _ordered(mapper, call, values[0], first, "".join(both + rows + summed))
    b = _ordered(mapper, call, values[1], second, "".join(both + summed + columns))

    def size(letters: Sequence[str]) -> int:
        return prod(sizes[letter] for letter in letters)

    lead = tuple(sizes[letter] for letter in both)
    a = mapper.regrouped(call, a, (*lead, size(rows), size(summed)), None, False)
    b = mapper.regrouped(call, b, (*lead, size(summed), size(columns)), None, False)
    layer = mapper.add(call, operator("matmul"), [a.layer, b.layer])
    found = Activation(layer, (*lead, size(rows), size(columns)))
    letters = both + rows + columns
    found = mapper.regrouped(call, found, tuple(sizes[letter] for letter in letters), None, False)
    found = _ordered(mapper, call, found, "".join(letters), result)
    batch = _batch_of(call, terms, result)
    return found if batch is None else mapper.regrouped(call, found, found.shape, batch, False)


def _batch_of(call: Call, terms: Sequence[str], result: str) -> int | None:
    """The result's dimension that is the batch, if a factor has it."""
    for place, term in enumerate(terms):
        value = call.given(place)
        if isinstance(value, Activation) and value.axis is not None and term[value.axis] in result:
            return result.index(term[value.axis])
    return None


def _ordered(mapper: Mapper, call: Call, x: Activation, term: str, wanted: str) -> Activation:
    """The dimensions of a term in another order."""
    order = tuple(term.index(letter) for letter in wanted)
    if order == tuple(range(len(order))):
        return x
    layer = mapper.add(call, operator("transpose", order=order), [x.layer])
    return Activation(layer, mapper.draft.shape(layer))


HANDLERS: dict[str, Handler] = {"MatMul": matmul, "Gemm": gemm, "Einsum": einsum}
