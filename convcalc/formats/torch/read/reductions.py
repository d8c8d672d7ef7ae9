"""Means, sums, extrema and lengths of aten along dimensions."""

from __future__ import annotations

from convcalc.formats.torch.read.arithmetic import join
from convcalc.formats.torch.read.layers import operator
from convcalc.formats.torch.read.mapping import Handler, Mapper, Unmapped, Value, Values
from convcalc.formats.torch.read.records import Call


def reduction(mode: str) -> Handler:
    """mean, sum, amax, amin over dimensions."""

    def reduce(mapper: Mapper, call: Call) -> Value:
        value = mapper.value(call.arguments["self"])
        shape = value.shape
        given = call.arguments.get("dim")
        dims = (
            range(len(shape))
            if given is None or given == ()
            else [given]
            if isinstance(given, int)
            else given
        )
        if given is None and mapper.program.batch in shape:
            raise Unmapped("it reduces the batch")
        axes = [mapper.axis(shape, dim) for dim in dims]
        keep = bool(call.arguments.get("keepdim"))
        found = tuple(sorted(axis for axis in axes if axis is not None))
        if not found:
            return mapper.reshaped(value, mapper.program.size(mapper.result()), mapper.result())
        size = mapper.size(value)
        spatial = found == tuple(range(1, len(size))) and shape[0] == mapper.program.batch
        if spatial and mode in ("mean", "max"):
            pooled = mapper.add(
                operator("global_avgpool" if mode == "mean" else "global_maxpool"), (value.index,)
            )
            return pooled if keep else mapper.reshaped(pooled, size[:1], mapper.result())
        if len(found) == len(size) and not keep:
            kept = mapper.add(operator("reduce", mode=mode, axis=_axes(found), keep=True), (value.index,))
            return mapper.reshaped(kept, (1,), mapper.result())
        return mapper.add(operator("reduce", mode=mode, axis=_axes(found), keep=keep), (value.index,))

    return reduce


def _axes(found: tuple[int, ...]) -> int | tuple[int, ...]:
    return found[0] if len(found) == 1 else found


def extremum(mode: str) -> Handler:
    """max and min along a dimension, without their places."""
    whole = reduction(mode)

    def reduce(mapper: Mapper, call: Call) -> Value | Values:
        if call.overload == "other":
            return join({"max": "maximum", "min": "minimum"}[mode])(mapper, call)  # type: ignore[return-value]
        if "dim" not in call.arguments:
            raise Unmapped("it reduces the batch")
        found = whole(mapper, call)
        assert isinstance(found, Value)
        return (found, None)

    return reduce


def vector_norm(mapper: Mapper, call: Call) -> Value:
    """The Euclidean length along dimensions: √Σx²."""
    order = mapper.number(call.arguments.get("ord", call.arguments.get("p")))
    if order not in (None, 2.0):
        raise Unmapped("it is no Euclidean length")
    value = mapper.value(call.arguments["self"])
    given = call.arguments["dim"]
    dims = [given] if isinstance(given, int) else given
    if not dims:
        raise Unmapped("it reduces the batch")
    axes = [mapper.axis(value.shape, dim) for dim in dims]
    found = tuple(sorted(axis for axis in axes if axis is not None))
    squares = mapper.add(operator("multiply"), (value.index, value.index))
    keep = bool(call.arguments["keepdim"])
    total = mapper.add(operator("reduce", mode="sum", axis=_axes(found), keep=keep), (squares.index,))
    return mapper.add(operator("sqrt"), (total.index,))


HANDLERS: dict[str, Handler] = {
    "mean": reduction("mean"), "sum": reduction("sum"), "amax": reduction("max"), "amin": reduction("min"),
    "max": extremum("max"), "min": extremum("min"), "linalg_vector_norm": vector_norm, "norm": vector_norm,
}  # fmt: skip
