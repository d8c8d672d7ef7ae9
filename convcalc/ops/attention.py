"""Multi-head self-attention (Vaswani et al. 2017), optionally within shifted windows (Liu et al. 2021, Swin) and by
cosines (Liu et al. 2022, Swin V2)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from math import exp, log, prod, sqrt
from typing import Any, ClassVar, NamedTuple, Self

from convcalc.errors import Misfit
from convcalc.ops._base import (
    SCATTERED,
    WHOLE,
    AxisReach,
    Example,
    Inputs,
    Operator,
    Order,
    Parameter,
    Reach,
    Reordered,
    Tensor,
    Working,
    in_sequence,
)
from convcalc.ops._dot import Rows, dot
from convcalc.ops._fields import choice, extent, flag, integer, layer
from convcalc.ops._fields import number as real
from convcalc.ops._ieee import larger
from convcalc.ops._saved import Saved, made
from convcalc.ops._windows import Slot, WindowAxis, windows
from convcalc.ops._working import product
from convcalc.shapes import PerAxis, Shape, per_axis, show

INITIAL_SCALE = 10.0  # of cosines, before training (Liu et al. 2022, section 3.2: τ = 0.1)
MAX_SCALE = 100.0  # the same: τ is at least 0.01
MIN_LENGTH = 1e-12  # of a query or key that is divided by its length, as in PyTorch's normalize


class Products(NamedTuple):
    """The sizes of the matrix products. windows: number of windows; places: positions per window."""

    windows: int
    places: int
    heads: int
    depth: int  # features per head

    @property
    def projections(self) -> int:
        """MACs of the query, key, value and output projections: four matrices for every place."""
        return self.windows * self.places * 4 * (self.heads * self.depth) ** 2

    @property
    def scores(self) -> int:
        """MACs of queries times keys; scores times values take the same number."""
        return self.windows * self.heads * self.places * self.places * self.depth


@dataclass(frozen=True, kw_only=True)
class Attention(Operator):
    """Self-attention: softmax(q·kᵀ/√d + bias + mask)·v in each of `heads` heads of d = C/heads features.

    q, k and v are projections of the input; an output projection follows the heads. Every position attends to all
    positions, or with `window` to those in its own window. (…, C) → (…, C) with any number of position dimensions;
    with axis: channels, (C, …) → (C, …).
    Weights in_proj_weight (3·C, C), the rows of q, k and v stacked, and out_proj.weight (C, C); biases
    in_proj_bias (3·C) and out_proj.bias (C).

    Windows tile the positions. If they do not fit evenly, the input is padded with zeros at the end, and attention
    includes the padding. `shift` moves the windows; a window that wraps round the edge then holds two or four
    regions that do not attend to each other, unless `mask` is given. Swin's code has the same effect: it adds −100
    to the scores between regions.

    With similarity: cosine, the score of a query and a key is the cosine of their angle times e^logit_scale, at most
    100, a learned weight (heads, 1, 1); the keys have no bias, and the middle third of in_proj_bias is not read.
    """

    kind: ClassVar[str] = "attention"
    torch_module: ClassVar[str] = "MultiheadAttention"
    torch_function: ClassVar[str] = "multi_head_attention_forward"
    role: ClassVar[str] = "attention"
    main: ClassVar[str | None] = "heads"
    inputs: ClassVar[tuple[int, int | None]] = (1, 3)
    example: ClassVar[Example | None] = Example("attention: {heads: 12}", (197, 768))

    heads: int = integer(doc="number of attention heads")
    window: PerAxis | None = extent(None, doc="window size in positions; default: all positions")
    shift: PerAxis = extent(0, minimum=0, doc="number of positions by which windows are shifted")
    axis: str = choice("last", "channels", default="last", doc="dimension that holds the features")
    similarity: str = choice("dot", "cosine", default="dot", doc="how queries and keys are compared")
    scale: float | None = real(None, doc="factor of the dot products; default: 1/√(features per head)")
    in_bias: bool = flag(True, doc="add a learned bias to queries, keys and values")
    out_bias: bool = flag(True, doc="add a learned bias to the output")
    bias: str | None = layer(doc="layer whose output (heads, N, N) is added to the scores of N positions")
    mask: str | None = layer(
        doc="layer whose output (windows, N, N) or (N, N) is added to the scores of all heads"
    )

    # -- geometry ---------------------------------------------------------------------------------------

    def _features(self, shape: Shape) -> int:
        return shape[0 if self.axis == "channels" else -1]

    def _positions(self, shape: Shape) -> Shape:
        """The shape of the positions, without the features."""
        return shape[1:] if self.axis == "channels" else shape[:-1]

    def window_axes(self, shape: Shape) -> tuple[WindowAxis, ...]:
        """The windows along each dimension of the positions; a single one without `window`. Raises Misfit."""
        positions = self._positions(shape)
        if self.window is None:
            return tuple([WindowAxis(size, size, 0) for size in positions])
        sizes = per_axis(self.window, len(positions), "window")
        shifts = per_axis(self.shift, len(positions), "shift")
        return tuple([WindowAxis(*axis) for axis in zip(positions, sizes, shifts, strict=True)])

    def tiles(self, shape: Shape) -> list[list[Slot]]:
        """The windows in row-major order, each as a list of its places."""
        return windows(self.window_axes(shape))

    def _products(self, shape: Shape) -> Products:
        axes = self.window_axes(shape)
        features = self._features(shape)
        return Products(
            windows=prod(axis.windows for axis in axes),
            places=prod(axis.window for axis in axes),
            heads=self.heads,
            depth=features // self.heads,
        )

    def masks_itself(self, shape: Shape) -> bool:
        """Whether a shift puts positions into a window that must not attend to each other."""
        return self.mask is None and any(axis.moved for axis in self.window_axes(shape))

    # -- shapes and counts ------------------------------------------------------------------------------

    def bind(self, inputs: Inputs) -> Self:
        """Returns the operator unchanged. Raises Misfit for a vector, or if a field or a named input does not fit."""
        shape = inputs[0]
        if len(shape) < 2:
            raise Misfit(
                f"attention needs positions and features, the input is a vector of {shape[0]:,}",
                "reshape: [-1, C] makes positions of C features",
            )
        features = self._features(shape)
        if features % self.heads:
            others = "last" if self.axis == "channels" else "channels"
            hint = f"give a number of heads that divides {features:,}"
            if not dataclasses.replace(self, axis=others)._features(shape) % self.heads:
                end = "first" if others == "channels" else "last"
                hint += f", or set axis: {others}, where the features are the {end} dimension"
            raise Misfit(f"{features:,} features in {self.heads} heads, the input is {show(shape)}", hint)
        if self.similarity == "cosine" and self.scale is not None:
            raise Misfit(
                f"a scale of {self.scale:g} for cosines, whose factors are learned",
                "leave out scale, or similarity: cosine",
            )
        if self.window is None and self.shift != 0:
            raise Misfit("a shift without a window", "give window too")
        for axis in self.window_axes(shape):
            if axis.shift >= axis.window:
                raise Misfit(
                    f"a shift of {axis.shift} in windows of {axis.window}",
                    "shift by less than a window, usually by half of one",
                )
        self._check_added(inputs)
        return self

    def _check_added(self, inputs: Inputs) -> None:
        """Raises Misfit if the bias or mask does not have the shape of the scores."""
        products = self._products(inputs[0])
        square = (products.places, products.places)
        fits: dict[str, list[Shape]] = {
            "bias": [(products.heads, *square)],
            "mask": [(products.windows, *square), square],
        }
        for name, place in self.named_inputs(inputs).items():
            if inputs[place] not in fits[name]:
                needed = " or ".join(map(show, fits[name]))
                raise Misfit(
                    f"{name} is {show(inputs[place])}, the scores need {needed}",
                    f"{products.places} positions in {products.windows} window{'s' * (products.windows > 1)}, "
                    f"{products.heads} heads",
                )

    def parameters(self, inputs: Inputs) -> tuple[Parameter, ...]:
        """in_proj_weight (3·C, C), in_proj_bias (3·C), out_proj.weight (C, C), out_proj.bias (C); for cosines
        logit_scale (heads, 1, 1)."""
        features = self._features(inputs[0])
        found = [Parameter("in_proj_weight", (3 * features, features), "weight", fan_in=features)]
        if self.in_bias:
            found.append(Parameter("in_proj_bias", (3 * features,), "bias"))
        found.append(Parameter("out_proj.weight", (features, features), "weight", fan_in=features))
        if self.out_bias:
            found.append(Parameter("out_proj.bias", (features,), "bias"))
        if self.similarity == "cosine":
            found.append(Parameter("logit_scale", (self.heads, 1, 1), "weight", initial=log(INITIAL_SCALE)))
        return tuple(found)

    def weight_factors(self, inputs: Inputs) -> tuple[int, ...]:
        """Four C×C matrices; with cosines a single factor, since there is a scale for each head besides."""
        features = self._features(inputs[0])
        if self.similarity == "cosine":
            return (4 * features * features + self.heads,)
        return (4, features, features)

    def macs(self, inputs: Inputs) -> int:
        """The four projections of every place, q·kᵀ and the product with v; padding of windows is included."""
        products = self._products(inputs[0])
        return products.projections + 2 * products.scores

    def module_name(self, inputs: Inputs) -> str:
        """MultiheadAttention, if it attends to all positions of a sequence by scaled dot products; else ""."""
        plain = self.window is None and self.axis == "last" and len(inputs[0]) == 2
        plain = plain and self.similarity == "dot" and self.scale is None
        return self.torch_module if plain else ""

    def reach(self, inputs: Inputs, index: int = 0) -> tuple[AxisReach, ...]:
        """All features of the positions attended to; a row of the bias and of the mask."""
        shape = inputs[0]
        first = 1 if self.axis == "channels" else 0
        axes = self.window_axes(shape)
        if index == 0:
            along = [_reach(axis, first + place, self.mask is None) for place, axis in enumerate(axes)]
            return (WHOLE, *along) if first else (*along, WHOLE)
        row = Reach(first) if len(axes) == 1 and axes[0].window == axes[0].size else SCATTERED
        if self.named_inputs(inputs).get("bias") == index:
            return (WHOLE, row, WHOLE)
        return (row, WHOLE) if len(inputs[index]) == 2 else (SCATTERED, row, WHOLE)

    def working(self, inputs: Inputs) -> tuple[Working, ...]:
        """Windows, weights, biases, and the MACs of the projections and of both products."""
        shape = inputs[0]
        axes = self.window_axes(shape)
        products = self._products(shape)
        features = self._features(shape)
        lines = []
        if products.windows > 1:
            counts = "·".join(_tiles(axis) for axis in axes)
            lines.append(
                Working("windows", f"{counts} = {products.windows:,} of {product([a.window for a in axes])}")
            )
        scales = self.heads if self.similarity == "cosine" else 0
        more = f" + {scales}" if scales else ""
        lines.append(Working("weights", f"4·{features}·{features}{more} = {4 * features**2 + scales:,}"))
        offsets = [f"3·{features}"] * self.in_bias + [f"{features}"] * self.out_bias
        if offsets:
            total = features * (3 * self.in_bias + self.out_bias)
            lines.append(
                Working("biases", " + ".join(offsets) + f" = {total:,}" if self.in_bias else f"{total:,}")
            )
        times = f"{products.windows}·" if products.windows > 1 else ""
        square = f"{times}{products.heads}·{products.places}·{products.places}·{products.depth}"
        return (
            *lines,
            Working(
                "projections", f"{times}{products.places}·4·{features}·{features} = {products.projections:,}"
            ),
            Working("queries·keys", f"{square} = {products.scores:,}"),
            Working("scores·values", f"{square} = {products.scores:,}"),
            Working("MACs", f"{products.projections:,} + 2·{products.scores:,} = {self.macs(inputs):,}"),
        )

    def reordered(self, order: Order) -> Reordered | None:
        """The operator with its axis mapped, if positions keep their order and features are stored first or last."""
        place = order[0 if self.axis == "channels" else -1]
        positions = order[1:] if self.axis == "channels" else order[:-1]
        if place not in (0, len(order) - 1) or list(positions) != sorted(positions):
            return None
        if in_sequence(order):
            return Reordered(self, order)
        return Reordered(dataclasses.replace(self, axis="last" if place else "channels"), order)

    # -- forward ----------------------------------------------------------------------------------------

    def saved(self, inputs: Inputs) -> tuple[Saved, ...]:
        """The input, queries, keys and values, the heads' outputs, and the logarithm of each row's sum; within windows,
        which torchvision multiplies out, the windows, queries, keys, values, scores and the heads' outputs. Cosines are
        kept too, with the vectors of length 1 that they are products of, each length before and after it is bounded,
        and a copy of the values."""
        products = self._products(inputs[0])
        rows = products.windows * products.places * self.heads
        features = rows * products.depth
        if self.window is None and self.similarity == "dot":
            return (
                Saved("input", 0),
                made("queries, keys and values", 3 * features),
                made("heads", features),
                made("logarithms of sums", rows),
            )
        cosines = (
            made("values", features),
            made("unit vectors", 2 * features),
            made("lengths", 4 * rows),
            made("cosines", rows * products.places),
            Saved("factors", elements=self.heads, once=True),
        )
        return (
            Saved("input", 0) if self.window is None else made("windows", features),
            made("queries, keys and values", 3 * features),
            *(cosines if self.similarity == "cosine" else ()),
            made("scores", rows * products.places),
            made("heads", features),
        )

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """Computes one window at a time: input projections, attention, output projection."""
        shape, values = inputs[0]
        features = self._features(shape)
        count = len(values) // features
        vectors: list[Sequence[Any]]
        if self.axis == "channels":
            vectors = [values[position::count] for position in range(count)]
        else:
            vectors = [values[i : i + features] for i in range(0, len(values), features)]
        named = self.named_inputs(tuple([tensor.shape for tensor in inputs]))
        added = {name: inputs[place] for name, place in named.items()}
        outputs: list[Sequence[Any]] = [()] * count
        for number, window in enumerate(self.tiles(shape)):
            for slot, output in zip(
                window, self._attended(number, window, vectors, features, added, weights), strict=True
            ):
                if slot.position is not None:
                    outputs[slot.position] = output
        if self.axis == "channels":
            outputs = list(zip(*outputs, strict=True))
        return Tensor(shape, list(chain.from_iterable(outputs)))

    def _attended(
        self,
        number: int,
        window: list[Slot],
        vectors: Sequence[Sequence[Any]],
        features: int,
        added: Mapping[str, Tensor],
        weights: Mapping[str, Sequence[Any]],
    ) -> list[list[Any]]:
        """The attention outputs of the places in a window."""
        inside = [[0] * features if slot.position is None else vectors[slot.position] for slot in window]
        in_bias = weights["in_proj_bias"] if self.in_bias else [0] * 3 * features
        if self.similarity == "cosine":
            in_bias = [*in_bias[:features], *[0] * features, *in_bias[2 * features :]]
        projected = _projected(inside, weights["in_proj_weight"], in_bias)
        depth = features // self.heads
        gathered: list[list[Any]] = [[] for _ in window]
        for head in range(self.heads):
            first = head * depth
            queries, keys, values = (
                [vector[part * features + first : part * features + first + depth] for vector in projected]
                for part in range(3)
            )
            queries, keys = self._compared(head, queries, keys, weights)
            columns = list(zip(*values, strict=True))
            for place, query in enumerate(queries):
                offsets = _offsets(added, head, number, place, len(window))
                scores = [dot(query, key) + offset for key, offset in zip(keys, offsets, strict=True)]
                if self.mask is None:
                    here = window[place]
                    read = [here.sees(other) for other in window]
                else:
                    read = [True] * len(window)
                shares = _softmax(scores, read)
                gathered[place] += [dot(shares, column) for column in columns]
        out_bias = weights["out_proj.bias"] if self.out_bias else [0] * features
        return _projected(gathered, weights["out_proj.weight"], out_bias)

    def _compared(
        self, head: int, queries: list[list[Any]], keys: list[list[Any]], weights: Mapping[str, Sequence[Any]]
    ) -> tuple[list[list[Any]], list[list[Any]]]:
        """The queries and keys of a head as vectors whose dot products are the scores."""
        if self.similarity == "cosine":
            factor = min(exp(weights["logit_scale"][head]), MAX_SCALE)
            return [[value * factor for value in _unit(query)] for query in queries], [_unit(k) for k in keys]
        if self.scale is None:
            root = sqrt(len(queries[0]))
            return [[value / root for value in query] for query in queries], keys
        return [[value * self.scale for value in query] for query in queries], keys


def _unit(vector: Sequence[Any]) -> list[Any]:
    """The vector divided by its length."""
    length = larger(sqrt(sum([value * value for value in vector])), MIN_LENGTH)
    return [value / length for value in vector]


def _reach(axis: WindowAxis, out: int, parts_apart: bool) -> AxisReach:
    """The reach of a position along an axis of the positions."""
    if axis.windows == 1 or (axis.moved and not parts_apart):
        return WHOLE
    return Reach(out, axis.window, block=axis.window, phase=axis.moved)


def _tiles(axis: WindowAxis) -> str:
    """`56/7`, or `(50 + 6)/7` with padding."""
    more = axis.padded - axis.size
    return f"({axis.size} + {more})/{axis.window}" if more else f"{axis.size}/{axis.window}"


def _projected(
    vectors: Sequence[Sequence[Any]], weight: Sequence[Any], bias: Sequence[Any]
) -> list[list[Any]]:
    """weight·x + bias for each vector."""
    features = len(vectors[0])
    rows = [weight[i : i + features] for i in range(0, len(weight), features)]
    products = Rows(rows, list(chain.from_iterable(vectors)), len(vectors)).times(vectors)
    sums = [[value + offset for value in row] for row, offset in zip(products, bias, strict=True)]
    return [list(vector) for vector in zip(*sums, strict=True)]


def _offsets(added: Mapping[str, Tensor], head: int, window: int, place: int, count: int) -> Sequence[Any]:
    """The sum of bias and mask for the scores of one place."""
    total: Sequence[Any] = [0] * count
    for name, tensor in added.items():
        matrix = head if name == "bias" else window
        row = (matrix * count + place if len(tensor.shape) == 3 else place) * count
        total = [a + b for a, b in zip(total, tensor.values[row : row + count], strict=True)]
    return total


def _softmax(scores: Sequence[Any], read: Sequence[bool]) -> list[Any]:
    """Softmax over the scores that are read; 0 for the others."""
    largest = max([score for score, seen in zip(scores, read, strict=True) if seen])
    powers = [exp(score - largest) if seen else 0 for score, seen in zip(scores, read, strict=True)]
    total = sum(powers)
    return [power / total for power in powers]
