"""Base classes of all operators: frozen dataclasses with fields, shape rule, weights, cost, reach, worked formulas
and a reference forward pass. The defaults suit a pointwise operator, which then takes only a few lines.

`forward` is an independent check of the shape rule: it never calls `output_shape`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Self

from convcalc.errors import Misfit
from convcalc.ops._fields import FieldKind
from convcalc.shapes import AXIS_NAMES, Axis, Shape, compact, show

if TYPE_CHECKING:
    from typing import Protocol

    from convcalc.ops._saved import Saved

    class KernelAxis(Protocol):
        """One spatial axis of an operator with a kernel."""

        @property
        def kernel(self) -> int:
            """The number of pixels that the kernel reads or writes."""

        @property
        def extent(self) -> int:
            """The distance from its first pixel to its last, both included."""


Inputs = tuple[Shape, ...]
Beyond = Literal["", "reflect", "replicate", "circular"]
Order = tuple[int, ...]  # dimension i of a value is dimension order[i] of the tensor that stores it


class Parameter(NamedTuple):
    """A tensor that belongs to an operator: its name in a weights file, its shape, and its role in the counts.

    name: "" if the layer's path is the whole key. fan_in: the number of inputs each output sums over, for He
    initialisation; None if the initial value is the constant `initial`. rule: computes the values of a fixed tensor;
    a weights file may omit it, but values that it does hold must match.
    """

    name: str
    shape: Shape
    role: Literal["weight", "bias", "buffer"]
    fan_in: int | None = None
    initial: float = 0.0
    rule: Callable[[], Sequence[float]] | None = None

    def key(self, path: str) -> str:
        """The key in a weights file, for a layer with this path."""
        return f"{path}.{self.name}" if self.name else path


class Reach(NamedTuple):
    """What an output reads along one input dimension: output unit o reads the indices in
    [o·stride + start, o·stride + start + size), as far as they lie within the dimension.

    out: the output dimension that o counts along. size, stride and start can be Fractions if an output step is less
    than an input unit (deconvolution, upsampling); the number of units read, at most ⌈size⌉, then varies between
    outputs. stride: negative if the input is read backwards, never 0. gap: read only every gap-th index of the
    interval, counted from its start (a dilated kernel); 0: read all. block: the number of consecutive output units
    that read the same interval (windowed attention); o is then the first unit of the block, and blocks begin at
    `phase`. beyond: how the dimension is extended at both ends, by at most its own length; "": not at all.
    The interval may be larger than what is read (filters that share a group), never smaller.
    """

    out: int
    size: int | Fraction = 1
    stride: int | Fraction = 1
    start: int | Fraction = 0
    gap: int | Fraction = 0
    beyond: Beyond = ""
    block: int = 1
    phase: int = 0

    def leader(self, output: int) -> int:
        """The first output unit of the block that contains `output`; it may lie before the start of the dimension."""
        return (output - self.phase) // self.block * self.block + self.phase

    def led(self, low: int, high: int) -> tuple[int, int]:
        """The first and last output unit of the blocks whose first unit lies between low and high, both included."""
        first = -(-(low - self.phase) // self.block) * self.block + self.phase
        return first, self.leader(high) + self.block - 1


# Dimensions without a matching output dimension. WHOLE: every output unit reads all of it. SCATTERED: each reads a
# part of it (flatten), which is not specified further.
WHOLE: Literal["whole"] = "whole"
SCATTERED: Literal["spread"] = "spread"
AxisReach = Reach | Literal["whole", "spread"]


class Working(NamedTuple):
    """A worked formula: the quantity (`output`, `weights`, `biases`, `MACs`, …) and the text of its calculation."""

    what: str
    text: str


class OutputPart(NamedTuple):
    """An operator that computes a subset of another's output channels, and the input channels that it reads."""

    operator: Operator
    channels: range


class Reordered(NamedTuple):
    """An operator for inputs stored in a permuted order of dimensions, and the storage order of its output (None: in
    sequence)."""

    operator: Operator
    order: Order | None


class Tensor(NamedTuple):
    """Values of any Python number type in row-major order, channels first."""

    shape: Shape
    values: Sequence[Any]


class Convolving(NamedTuple):
    """A convolution that computes a gradient.

    operator: a bound conv; source: its input; weights: its tensors; output: its result; axes: its windows.
    between: the number of zeros between the values of δ on each axis; turned: whether its kernel is the layer's,
    rotated by 180°.
    """

    operator: Operator
    source: Tensor
    weights: Mapping[str, Sequence[Any]]
    output: Tensor
    axes: tuple[Axis, ...]
    between: tuple[int, ...] = ()
    turned: bool = False


class Gradient(NamedTuple):
    """The gradient of the loss with respect to the input or a parameter, given the gradient δ of the output. It has the
    shape of that input or parameter.

    how: a description in words; by: the convolution that computes it, or None.
    """

    tensor: Tensor
    how: str
    by: Convolving | None = None


class Example(NamedTuple):
    """The example on an operator's page of the manual: a spec entry, or a YAML list that ends in it, with its input
    shape; and the arguments of a `convcalc apply` command that runs the operator on a few numbers."""

    entry: str
    input: Shape = (64, 28, 28)
    apply: str = ""


class FieldInfo(NamedTuple):
    """The description of a field for the spec language."""

    name: str
    alias: str | None
    kind: FieldKind
    default: Any
    required: bool
    doc: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Operator:
    """Base class of all operators. `kind` is the operator's name in a spec, and its module's name; `role` groups kinds
    that can replace each other (for diff); `main` is the field that a bare scalar or list sets."""

    kind: ClassVar[str] = ""
    role: ClassVar[str] = "identity"
    main: ClassVar[str | None] = None
    inputs: ClassVar[tuple[int, int | None]] = (1, 1)  # minimum and maximum; None: unlimited
    pointwise: ClassVar[bool] = False  # keeps the shape, no MACs: folded into the preceding row
    regroups: ClassVar[bool] = False  # keeps values and order, changes the shape
    commutative: ClassVar[bool] = False  # its inputs can be swapped
    channels_field: ClassVar[str | None] = None  # the field for the output channels; weights can supply it
    is_known: ClassVar[bool] = (
        True  # False: a placeholder for an unsupported operator; neither counted nor run
    )
    enlarges: ClassVar[bool] = False  # it is there to make maps larger
    abbreviation: ClassVar[str] = ""  # of `kind`, where there is little room
    sign: ClassVar[str] = ""  # of a join: drawn in its place; a word or one character
    is_passing: ClassVar[bool] = False  # returns its input unchanged at inference
    is_channel_affine: ClassVar[bool] = False  # a scale and a shift per channel, from its parameters alone
    saves: ClassVar[str] = (
        ""  # what the backward pass needs: "input", "inputs", "output", or none of them; see `saved`
    )
    passes_gradient: ClassVar[bool] = (
        False  # in PyTorch its inputs' gradients share the memory of its output's
    )
    shape_field: ClassVar[str | None] = (
        None  # names a layer of which only the shape is used, see `sized_like`
    )
    # The class in torch.nn without its dimension suffix, and the function in torch or torch.nn.functional; "" if
    # PyTorch has none.
    torch_module: ClassVar[str] = ""
    torch_function: ClassVar[str] = ""
    onnx_operator: ClassVar[str] = ""  # in ONNX, if it needs nothing but the inputs; "": there is more to say
    example: ClassVar[Example | None] = None  # for the manual; None: the operator without fields

    @classmethod
    def fields(cls) -> dict[str, FieldInfo]:
        """The fields by name, in order of declaration."""
        cached = cls.__dict__.get("_fields")
        if cached is None:
            cached = {
                field.name: FieldInfo(
                    field.name,
                    field.metadata["alias"],
                    field.metadata["kind"],
                    None if field.default is dataclasses.MISSING else field.default,
                    field.default is dataclasses.MISSING,
                    field.metadata["doc"],
                )
                for field in dataclasses.fields(cls)
            }
            cls._fields = cached  # type: ignore[attr-defined]
        return cached

    @property
    def drawn_as(self) -> str:
        """What its box is coloured as in a drawing: `conv`, `deconv` (whatever enlarges maps), `pool`, …, `other`."""
        return "deconv" if self.enlarges else _DRAWN_AS.get(self.role, "other")

    @property
    def bound(self) -> tuple[float, float] | None:
        """(low, high) of an operator that computes min(max(x, low), high) and propagates NaN; None for any other."""
        return None

    @property
    def centres_channels(self) -> bool:
        """Whether adding a constant to a channel of the input leaves the output as it is, in training."""
        return False

    @classmethod
    def layer_fields(cls) -> tuple[str, ...]:
        """The fields that name a layer whose output is an additional input, in the order of those inputs."""
        cached: tuple[str, ...] | None = cls.__dict__.get("_layer_fields")
        if cached is None:
            cached = tuple([name for name, info in cls.fields().items() if info.kind.names_layer])
            cls._layer_fields = cached  # type: ignore[attr-defined]
        return cached

    @classmethod
    def worked_example(cls) -> Example:
        """The example that the manual works through for this operator."""
        return cls.example or Example(cls.kind)

    def bind(self, inputs: Inputs) -> Self:
        """The operator with fields inferred from its inputs. Raises Misfit if the inputs do not fit."""
        return self

    def named_inputs(self, inputs: Inputs) -> dict[str, int]:
        """The layer-naming fields that are set, each with the index of its input."""
        given = [name for name in self.layer_fields() if getattr(self, name) is not None]
        return {name: len(inputs) - len(given) + place for place, name in enumerate(given)}

    def sized_like(self, name: str, shape: Shape) -> Self:
        """The operator with its size taken from the layer that `shape_field` names. Raises Misfit."""
        return self

    def check_sources(self, sources: Sequence[Operator | None]) -> None:
        """Raises Misfit if an input comes from an unsuitable operator; None stands for the network's input."""

    def keeps_positions(self, inputs: Inputs) -> bool:
        """Whether each output position reads only the same position of its single input."""
        return self.pointwise

    def output_shape(self, inputs: Inputs) -> Shape:
        """The output shape `(C, *spatial)`. Raises Misfit if the inputs do not fit."""
        return inputs[0]

    def parameters(self, inputs: Inputs) -> tuple[Parameter, ...]:
        """The operator's weights, biases and buffers."""
        return ()

    def macs(self, inputs: Inputs) -> int:
        """Multiply-accumulate operations for one image; biases excluded, products with padding included."""
        return 0

    def saved(self, inputs: Inputs) -> tuple[Saved, ...]:
        """The tensors that PyTorch saves for the layer's backward pass, parameters apart."""
        from convcalc.ops._saved import given

        return given(self.saves, inputs, self.output_shape(inputs))

    def view(self, inputs: Inputs, strides: Sequence[int]) -> tuple[int, ...] | None:
        """The strides of the output if PyTorch lets it share the memory of input 0, whose strides are given; None if
        the output has memory of its own."""
        return None

    def module_name(self, inputs: Inputs) -> str:
        """The class name of the equivalent PyTorch module for these inputs; "" if there is none."""
        return self.torch_module

    def reach(self, inputs: Inputs, index: int = 0) -> tuple[AxisReach, ...]:
        """What an output unit reads of input `index`: one AxisReach per input dimension."""
        return tuple(Reach(dimension) for dimension in range(len(inputs[index])))

    def weight_factors(self, inputs: Inputs) -> tuple[int, ...]:
        """The factors whose product is the number of weights, output channels last; () if there are no weights."""
        return ()

    def working(self, inputs: Inputs) -> tuple[Working, ...]:
        """The worked formulas for the output's size, the weights and the MACs."""
        return ()

    def axes(self, inputs: Inputs) -> Sequence[KernelAxis]:
        """The spatial axes of an operator with a kernel; () if it has no kernel."""
        return ()

    def windows(self, inputs: Inputs) -> tuple[Axis, ...]:
        """The sliding window on each spatial axis; () if there is none, as in a deconvolution."""
        return tuple(axis for axis in self.axes(inputs) if isinstance(axis, Axis))

    def smallest_part(self, inputs: Inputs) -> int | None:
        """The smallest number of output channels that `part` can compute separately; it divides the output channels.
        None for an operator that cannot be split."""
        return None

    def part(self, inputs: Inputs, channels: range) -> OutputPart:
        """The operator that computes only these output channels, a multiple of `smallest_part`, from their weights."""
        raise TypeError(f"{self.kind} is not cut into parts")  # pragma: no cover - smallest_part is None

    def reordered(self, order: Order) -> Reordered | None:
        """The equivalent operator for inputs stored in `order`, or None if there is none.

        Dimension i of an input is dimension order[i] of the tensor that stores it, and dimension i of the output
        is stored at the returned order[i]. Inputs named by a field are stored in sequence. The parameters keep
        their names and the order of their values; their shapes may gain dimensions of size 1.
        """
        return Reordered(self, order) if in_sequence(order) else None

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """The output, computed in plain Python for any number type, Fraction included."""
        raise TypeError(f"{self.kind} has no forward")  # pragma: no cover - a test sees that each has one

    @classmethod
    def has_backward(cls) -> bool:
        """Whether the operator implements a backward pass."""
        return cls.backward is not Operator.backward

    def in_training(
        self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]
    ) -> Mapping[str, Sequence[Any]]:
        """The tensors used in a training pass on these inputs; for most operators `weights` itself."""
        return weights

    def backward(
        self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]], gradient: Tensor
    ) -> dict[str, Gradient]:
        """The gradients of `input` and of each learned parameter by name, given the gradient of the output.

        Computed in plain Python for any number type, like `forward`. weights: the result of `in_training`.
        """
        raise TypeError(f"{self.kind} has no backward")  # pragma: no cover - has_backward is asked first

    def shown_fields(self) -> dict[str, Any]:
        """The value of every field, ready for JSON; equal per-axis values are merged into one number."""
        values = {}
        for name, info in self.fields().items():
            value = getattr(self, name)
            if info.kind.per_axis:
                value = compact(value)
            values[name] = list(value) if isinstance(value, tuple) else value
        return values

    def needs_map(self, shape: Shape) -> Shape:
        """Returns the shape. Raises Misfit unless it has 1 to 3 spatial dimensions."""
        if len(shape) < 2:
            raise Misfit(
                f"{self.kind} needs a map with 1 to 3 spatial dimensions, not a vector of {shape[0]}",
                f"put {self.kind} before flatten",
            )
        if len(shape) > 4:
            raise Misfit(f"{self.kind} needs a map with 1 to 3 spatial dimensions, not {show(shape)}")
        return shape


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pointwise(Operator):
    """Base class of element-wise operators with one input, such as relu and sigmoid."""

    pointwise: ClassVar[bool] = True
    role: ClassVar[str] = "activation"
    backward_words: ClassVar[str] = "δ times the derivative at each input"

    @classmethod
    def worked_example(cls) -> Example:
        """The operator applied to numbers on both sides of 0, with four decimals."""
        return cls.example or Example(cls.kind, apply=f"{cls.kind} '-4 -2 -1 -0.5 0 0.5 1 2 4' --decimals 4")

    def reordered(self, order: Order) -> Reordered | None:
        """The same operator; the storage order does not matter."""
        return Reordered(self, order)

    def element(self, value: Any) -> Any:
        """The output for a single element."""
        raise TypeError(f"{self.kind} has no element rule")  # pragma: no cover

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """Applies `element` to each value."""
        element = self.element
        return Tensor(inputs[0].shape, [element(value) for value in inputs[0].values])

    @classmethod
    def has_backward(cls) -> bool:
        """Whether the operator defines a derivative."""
        return cls.derivative is not Pointwise.derivative

    def derivative(self, value: Any) -> Any:
        """The derivative at a single element; PyTorch's value where it is not differentiable."""
        raise TypeError(f"{self.kind} has no derivative")  # pragma: no cover - has_backward is asked first

    def backward(
        self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]], gradient: Tensor
    ) -> dict[str, Gradient]:
        """δ times the derivative, element by element."""
        values = [
            delta * self.derivative(value)
            for delta, value in zip(gradient.values, inputs[0].values, strict=True)
        ]
        return {"input": Gradient(Tensor(inputs[0].shape, values), self.backward_words)}


_DRAWN_AS = {
    "convolution": "conv",
    "dense": "dense",
    "attention": "attention",
    "pooling": "pool",
    "join": "join",
    "normalisation": "norm",
    "activation": "activation",
}


def in_sequence(order: Order) -> bool:
    """Whether dimensions are stored in their natural order."""
    return all(place == dimension for dimension, place in enumerate(order))


MAX_SHOWN_BRANCHES = 8


def mismatch(needs: str, inputs: Inputs, *, apart: int | None = None, stretches: bool = False) -> Misfit:
    """The error for a join whose branches do not fit: the requirement, each branch's shape, the difference and a fix.

    apart: the dimension in which branches may differ; stretches: whether a dimension of 1 broadcasts to any size.
    """
    numbered = list(enumerate(inputs, 1))
    if len(inputs) > MAX_SHOWN_BRANCHES:
        numbered = _first_conflict(inputs, apart, stretches)
    given = ", ".join(f"branch {index} is {show(shape)}" for index, shape in numbered)
    if len({len(shape) for shape in inputs}) > 1:
        return Misfit(f"{needs}: {given}", "flatten all branches or none")
    ignored = (1,) if stretches else ()
    names = ("channels", *AXIS_NAMES.get(len(inputs[0]) - 1, ())) if len(inputs[0]) > 1 else ("features",)
    if len(names) < len(inputs[0]):
        names = tuple(f"dimension {dimension}" for dimension in range(len(inputs[0])))
    differing = [
        name
        for dimension, name in enumerate(names)
        if dimension != apart
        and len(_distinct([shape[dimension] for shape in inputs if shape[dimension] not in ignored])) > 1
    ]
    where = f"; they differ in {_enumerated(differing)}" if differing else ""
    return Misfit(f"{needs}: {given}{where}", _remedy(inputs, apart))


def _first_conflict(inputs: Inputs, apart: int | None, stretches: bool) -> list[tuple[int, Shape]]:
    """The first pair of branches that conflict, in order, each with its number."""
    settled: dict[int, tuple[int, Shape]] = {}  # by dimension: the first branch that fixes its size
    for index, shape in enumerate(inputs, 1):
        if len(shape) != len(inputs[0]):
            return [(1, inputs[0]), (index, shape)]
        for dimension, size in enumerate(shape):
            if dimension == apart or (stretches and size == 1):
                continue
            other = settled.setdefault(dimension, (index, shape))
            if other[1][dimension] != size:
                return [other, (index, shape)]
    raise AssertionError("all branches fit")


def _remedy(inputs: Inputs, apart: int | None) -> str:
    """A suggestion that makes branches of equal rank fit."""
    channels = apart != 0
    if len(inputs[0]) == 1:
        return "end the branches in the same number of features; a dense layer changes it"
    # a single pixel can be broadcast over a map
    maps = [shape for shape in inputs if any(size != 1 for size in shape[1:])]
    sizes = _distinct(
        [tuple(size for place, size in enumerate(shape) if place not in (0, apart)) for shape in maps]
    )
    if channels and len(sizes) <= 1 and len(_distinct([shape[0] for shape in inputs])) > 1:
        return "end the branches in the same number of channels; a conv with kernel 1 changes it"
    if apart is None and len(inputs) == 2 and len(sizes) == 2:
        numbered = sorted(enumerate(inputs, 1), key=lambda branch: prod(branch[1][1:]))
        (index, small), (other, large) = numbered
        stride = -(-large[1] // small[1])
        if stride > 1 and all(
            -(-size // stride) == wanted for size, wanted in zip(large[1:], small[1:], strict=True)
        ):
            return (
                f"branch {index} has stride {stride}, branch {other} has not: end branch {other} in "
                f"conv: {{filters: {small[0]}, kernel: 1, stride: {stride}}}"
            )
    return "give the branches the same strides, and padding that keeps their sizes together"


def _distinct(values: Sequence[Any]) -> list[Any]:
    """The values without those that equal an earlier one; by comparison only, which traced sizes stand."""
    found: list[Any] = []
    for value in values:
        if not any(value == other for other in found):
            found.append(value)
    return found


def _enumerated(words: Sequence[str]) -> str:
    """Words joined as in `channels, height and width`."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def window_walks(axes: Sequence[Axis]) -> tuple[Reach, ...]:
    """The reach of a window on the spatial dimensions."""
    return tuple(
        Reach(
            dimension,
            axis.extent,
            axis.stride,
            -axis.before,
            axis.dilation if axis.dilation > 1 and axis.kernel > 1 else 0,
        )
        for dimension, axis in enumerate(axes, 1)
    )


def group_walk(channels: int, filters: int, groups: int) -> AxisReach:
    """The channels that a filter reads: all of them, or those of its group.

    With `share` filters and `depth` channels per group, filter o reads `depth` channels from ⌊o/share⌋·depth. If both
    exceed 1, no constant stride describes this, and the reach overestimates by up to one group.
    """
    if groups == 1:
        return WHOLE
    share, depth = filters // groups, channels // groups
    lag = ratio((share - 1) * depth, share)
    return Reach(0, depth + lag if depth > 1 else 1, ratio(depth, share), -lag)


def regrouped(before: Shape, after: Shape) -> tuple[AxisReach, ...]:
    """The reach of a reshape that keeps the order of values: leading dimensions that both shapes share are read one to
    one, dimensions of size 1 as a whole, and the others are SCATTERED."""
    walks: list[AxisReach] = []
    for dimension, size in enumerate(before):
        if before[: dimension + 1] == after[: dimension + 1]:
            walks.append(Reach(dimension))
        else:
            walks.append(WHOLE if size == 1 else SCATTERED)
    return tuple(walks)


def ratio(numerator: int, denominator: int) -> int | Fraction:
    """The exact quotient: an int if possible, else a Fraction."""
    return Fraction(numerator, denominator) if numerator % denominator else numerator // denominator
