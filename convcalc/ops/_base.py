"""What every operator is: one frozen dataclass that knows its fields, shape, weights, cost, reach, formula
and reference forward. The defaults here are those of a pointwise operator, which is then a few lines.

`forward` is the independent witness that the shape rule is right: it never calls `output_shape`.
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

    class KernelAxis(Protocol):
        """What is known of one axis of any operator that has a kernel."""

        @property
        def kernel(self) -> int:
            """Pixels that the kernel reads or writes."""

        @property
        def extent(self) -> int:
            """Pixels from its first to its last."""


Inputs = tuple[Shape, ...]
Beyond = Literal["", "reflect", "replicate", "circular"]
Order = tuple[int, ...]  # dimension i of a value is dimension order[i] of the tensor that stores it


class Parameter(NamedTuple):
    """A tensor an operator keeps: its name in a weights file, its shape, and what it counts as.

    name: "" where the layer's own path is the whole key. fan_in is the number of inputs each output sums over, for He
    initialisation; None where the initial value is a constant, `initial`. rule: what its values are worked out by; a
    file need not hold them, and those that it holds have to be equal.
    """

    name: str
    shape: Shape
    role: Literal["weight", "bias", "buffer"]
    fan_in: int | None = None
    initial: float = 0.0
    rule: Callable[[], Sequence[float]] | None = None

    def key(self, path: str) -> str:
        """Its key in a weights file, for a layer of that path."""
        return f"{path}.{self.name}" if self.name else path


class Reach(NamedTuple):
    """How an output walks one input dimension: output unit o reads the whole numbers in
    [o·stride + start, o·stride + start + size), as far as they lie within the dimension.

    `out` is the output dimension that walks it. Where an output unit moves less than an input unit
    (deconvolution, upsampling) all three can be Fractions: the number of units read, at most size rounded up,
    then differs from one output unit to the next. A stride is negative where the numbers are read backwards, and
    never 0. gap: of the numbers in the interval only those a multiple of it from its beginning (a dilated kernel);
    0: all. block: output units that read the same, as those of a window of attention: o is then the first of its
    block, and blocks begin at `phase`. beyond: what the dimension continues with at both ends, for at most its own
    length; "": nothing. It may say too much (filters that share a group), never too little.
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
        """The first output unit of a unit's block; it may lie before the dimension."""
        return (output - self.phase) // self.block * self.block + self.phase

    def led(self, low: int, high: int) -> tuple[int, int]:
        """The first and last output unit whose block's first unit lies from low to high."""
        first = -(-(low - self.phase) // self.block) * self.block + self.phase
        return first, self.leader(high) + self.block - 1


# A dimension that no output dimension walks: every unit reads all of it, or each its own part (flatten),
# which is not said.
WHOLE: Literal["whole"] = "whole"
SCATTERED: Literal["spread"] = "spread"
AxisReach = Reach | Literal["whole", "spread"]


class Working(NamedTuple):
    """One worked formula: what it gives (`output`, `weights`, `biases`, `MACs`, …) and its text."""

    what: str
    text: str


class OutputPart(NamedTuple):
    """An operator that computes some of another's output channels, and the input channels that it reads for them."""

    operator: Operator
    channels: range


class Reordered(NamedTuple):
    """An operator on inputs stored in another order of dimensions, and the order in which its output is stored; None:
    in sequence."""

    operator: Operator
    order: Order | None


class Tensor(NamedTuple):
    """Numbers of any Python kind in row-major order, channels first."""

    shape: Shape
    values: Sequence[Any]


class Convolving(NamedTuple):
    """A convolution that computes a gradient.

    operator: a bound conv; source: what it reads; weights: its tensors; output: what comes out; axes: its windows.
    between: the zeros between the values of δ on each axis; turned: whether its kernel is the layer's, turned by 180°.
    """

    operator: Operator
    source: Tensor
    weights: Mapping[str, Sequence[Any]]
    output: Tensor
    axes: tuple[Axis, ...]
    between: tuple[int, ...] = ()
    turned: bool = False


class Gradient(NamedTuple):
    """The gradient of the input or of a parameter, of its shape, for a gradient δ of the output: how much the loss
    grows for a little more of each value.

    how: what it is, in words; by: the convolution that computes it, None where none does.
    """

    tensor: Tensor
    how: str
    by: Convolving | None = None


class Example(NamedTuple):
    """What the manual shows of an operator: an entry as a spec writes it, or a YAML list that ends in it, and
    the shape it reads, to be worked out; and what `convcalc apply` may be given to show the operator at work on a
    few numbers."""

    entry: str
    input: Shape = (64, 28, 28)
    apply: str = ""


class FieldInfo(NamedTuple):
    """A field as the spec language knows it."""

    name: str
    alias: str | None
    kind: FieldKind
    default: Any
    required: bool
    doc: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Operator:
    """Base of all operators. `kind` is the name in a spec and the module's name; `role` groups kinds that
    stand in for each other (for diff); `main` is the field a bare scalar or list fills."""

    kind: ClassVar[str] = ""
    role: ClassVar[str] = "identity"
    main: ClassVar[str | None] = None
    inputs: ClassVar[tuple[int, int | None]] = (1, 1)  # fewest and most; None: any number
    pointwise: ClassVar[bool] = False  # keeps the shape and costs no MACs: folds into the row it follows
    regroups: ClassVar[bool] = False  # the same values in the same order under another shape
    commutative: ClassVar[bool] = False  # its inputs may change places
    channels_field: ClassVar[str | None] = (
        None  # where weights say how many output channels it has: that field
    )
    is_known: ClassVar[bool] = (
        True  # False: it holds the place of one that is not, and is neither counted nor run
    )
    is_passing: ClassVar[bool] = False  # its output is its input when a trained network runs
    is_channel_affine: ClassVar[bool] = False  # a factor and an offset per channel, from its parameters alone
    shape_field: ClassVar[str | None] = (
        None  # names a layer that is no input, and whose shape is used: `sized_like`
    )
    # The class in torch.nn without its number of dimensions, and the function in torch or torch.nn.functional; ""
    # where PyTorch has none.
    torch_module: ClassVar[str] = ""
    torch_function: ClassVar[str] = ""
    example: ClassVar[Example | None] = None  # for the manual; None: the bare operator

    @classmethod
    def fields(cls) -> dict[str, FieldInfo]:
        """The fields by name, in the order of declaration."""
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
    def bound(self) -> tuple[float, float] | None:
        """(low, high) of an operator that is min(max(x, low), high) and keeps NaN; None for every other."""
        return None

    @classmethod
    def layer_fields(cls) -> tuple[str, ...]:
        """The fields that name a layer, whose output is one more input, in the order of those inputs."""
        cached: tuple[str, ...] | None = cls.__dict__.get("_layer_fields")
        if cached is None:
            cached = tuple([name for name, info in cls.fields().items() if info.kind.names_layer])
            cls._layer_fields = cached  # type: ignore[attr-defined]
        return cached

    @classmethod
    def worked_example(cls) -> Example:
        """What the manual works out for this operator."""
        return cls.example or Example(cls.kind)

    def bind(self, inputs: Inputs) -> Self:
        """The operator with the fields that follow from its input filled in. Raises Misfit."""
        return self

    def named_inputs(self, inputs: Inputs) -> dict[str, int]:
        """The fields that are given and name a layer, each with its input's number."""
        given = [name for name in self.layer_fields() if getattr(self, name) is not None]
        return {name: len(inputs) - len(given) + place for place, name in enumerate(given)}

    def sized_like(self, name: str, shape: Shape) -> Self:
        """The operator with the shape of the layer that its `shape_field` names. Raises Misfit."""
        return self

    def check_sources(self, sources: Sequence[Operator | None]) -> None:
        """Raises Misfit where the operators that make its inputs are not what it needs; None is the network's input."""

    def keeps_positions(self, inputs: Inputs) -> bool:
        """Whether each output position reads that position of its one input alone."""
        return self.pointwise

    def output_shape(self, inputs: Inputs) -> Shape:
        """The output's shape `(C, *spatial)`. Raises Misfit when the inputs do not fit."""
        return inputs[0]

    def parameters(self, inputs: Inputs) -> tuple[Parameter, ...]:
        """The tensors it keeps: weights, biases and buffers."""
        return ()

    def macs(self, inputs: Inputs) -> int:
        """Multiply-accumulates for one image; biases excluded, products with padding included."""
        return 0

    def module_name(self, inputs: Inputs) -> str:
        """The class of the PyTorch module that does the same on these inputs; "" where there is none."""
        return self.torch_module

    def reach(self, inputs: Inputs, index: int = 0) -> tuple[AxisReach, ...]:
        """One AxisReach per dimension of input number `index`: what an output unit reads of it."""
        return tuple(Reach(dimension) for dimension in range(len(inputs[index])))

    def weight_factors(self, inputs: Inputs) -> tuple[int, ...]:
        """The factors whose product is the number of weights, output channels last; () without weights."""
        return ()

    def working(self, inputs: Inputs) -> tuple[Working, ...]:
        """The worked formulas for the output's size, the weights and the MACs."""
        return ()

    def axes(self, inputs: Inputs) -> Sequence[KernelAxis]:
        """Each spatial axis of an operator with a kernel; () for one without."""
        return ()

    def windows(self, inputs: Inputs) -> tuple[Axis, ...]:
        """The window that slides over each spatial axis; () where none does, as in a deconvolution."""
        return tuple(axis for axis in self.axes(inputs) if isinstance(axis, Axis))

    def smallest_part(self, inputs: Inputs) -> int | None:
        """The fewest output channels that can be computed by themselves, of which there is a whole number: see
        `part`. None for an operator that is not cut into parts."""
        return None

    def part(self, inputs: Inputs, channels: range) -> OutputPart:
        """What computes these output channels alone, from their rows of the weights. They are whole smallest parts."""
        raise TypeError(f"{self.kind} is not cut into parts")  # pragma: no cover - smallest_part is None

    def reordered(self, order: Order) -> Reordered | None:
        """The operator that computes the same where its inputs are stored in `order`, or None if there is none.

        Dimension i of an input is dimension order[i] of the tensor that stores it, and dimension i of the output
        lies at the returned order[i]. Inputs that a field names are stored in sequence. The parameters
        have the same names and hold the same numbers in the same sequence; dimensions of 1 may be added to their
        shapes.
        """
        return Reordered(self, order) if in_sequence(order) else None

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """The output computed in plain Python; works on any numbers, Fraction included."""
        raise TypeError(f"{self.kind} has no forward")  # pragma: no cover - a test sees that each has one

    @classmethod
    def has_backward(cls) -> bool:
        """Whether there is a backward pass."""
        return cls.backward is not Operator.backward

    def in_training(
        self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]
    ) -> Mapping[str, Sequence[Any]]:
        """The tensors as a training pass uses them on these inputs; for most operators those that it keeps."""
        return weights

    def backward(
        self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]], gradient: Tensor
    ) -> dict[str, Gradient]:
        """The gradients of `input` and of each learned parameter by name, for a gradient of the output.

        Plain Python on any numbers, as forward. weights: as `in_training` gives them.
        """
        raise TypeError(f"{self.kind} has no backward")  # pragma: no cover - has_backward is asked first

    def shown_fields(self) -> dict[str, Any]:
        """Every field's value as JSON holds it; per-axis values that agree become one number."""
        values = {}
        for name, info in self.fields().items():
            value = getattr(self, name)
            if info.kind.per_axis:
                value = compact(value)
            values[name] = list(value) if isinstance(value, tuple) else value
        return values

    def needs_map(self, shape: Shape) -> Shape:
        """The shape if it has 1 to 3 spatial dimensions; else Misfit."""
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
    """Base of operators that map each element by itself: relu, sigmoid, dropout, …"""

    pointwise: ClassVar[bool] = True
    role: ClassVar[str] = "activation"
    backward_words: ClassVar[str] = "δ times the derivative at each input"

    @classmethod
    def worked_example(cls) -> Example:
        """A few numbers on both sides of 0, to four decimals."""
        return cls.example or Example(cls.kind, apply=f"{cls.kind} '-4 -2 -1 -0.5 0 0.5 1 2 4' --decimals 4")

    def reordered(self, order: Order) -> Reordered | None:
        """Itself, in any order."""
        return Reordered(self, order)

    def element(self, value: Any) -> Any:
        """The output for one element."""
        raise TypeError(f"{self.kind} has no element rule")  # pragma: no cover

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """Each element by itself."""
        element = self.element
        return Tensor(inputs[0].shape, [element(value) for value in inputs[0].values])

    @classmethod
    def has_backward(cls) -> bool:
        """Whether its derivative is known."""
        return cls.derivative is not Pointwise.derivative

    def derivative(self, value: Any) -> Any:
        """The derivative at one element; at a kink, what PyTorch takes."""
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


def in_sequence(order: Order) -> bool:
    """Whether a value is stored with its dimensions in their own order."""
    return all(place == dimension for dimension, place in enumerate(order))


MAX_SHOWN_BRANCHES = 8


def mismatch(needs: str, inputs: Inputs, *, apart: int | None = None, stretches: bool = False) -> Misfit:
    """A join's branches that do not fit: what it needs, each branch's shape, where they differ, and what would do.

    apart: the dimension in which they may differ; stretches: whether a dimension of 1 fits every other.
    """
    numbered = list(enumerate(inputs, 1))
    if len(inputs) > MAX_SHOWN_BRANCHES:
        numbered = _first_conflict(inputs, apart, stretches)
    given = ", ".join(f"branch {index} is {show(shape)}" for index, shape in numbered)
    if len({len(shape) for shape in inputs}) > 1:
        return Misfit(f"{needs}: {given}", "flatten all branches or none")
    ignored = {1} if stretches else set()
    names = ("channels", *AXIS_NAMES.get(len(inputs[0]) - 1, ())) if len(inputs[0]) > 1 else ("features",)
    if len(names) < len(inputs[0]):
        names = tuple(f"dimension {dimension}" for dimension in range(len(inputs[0])))
    differing = [
        name
        for dimension, name in enumerate(names)
        if dimension != apart and len({shape[dimension] for shape in inputs} - ignored) > 1
    ]
    where = f"; they differ in {_enumerated(differing)}" if differing else ""
    return Misfit(f"{needs}: {given}{where}", _remedy(inputs, apart))


def _first_conflict(inputs: Inputs, apart: int | None, stretches: bool) -> list[tuple[int, Shape]]:
    """Of many branches the first that does not fit one before it, after that one."""
    settled: dict[int, tuple[int, Shape]] = {}  # by dimension: the first branch that says its size
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
    """What would make branches of one rank fit."""
    channels = apart != 0
    if len(inputs[0]) == 1:
        return "end the branches in the same number of features; a dense layer changes it"
    # a single pixel may stretch over a map
    maps = [shape for shape in inputs if set(shape[1:]) != {1}]
    sizes = {tuple(size for place, size in enumerate(shape) if place not in (0, apart)) for shape in maps}
    if channels and len({shape[0] for shape in inputs}) > 1 and len(sizes) <= 1:
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


def _enumerated(words: Sequence[str]) -> str:
    """`channels, height and width`."""
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
    """The channels a filter reads: all of them, or those of its group.

    Filter o of a group of `share` reads `depth` channels from ⌊o/share⌋·depth. Where both exceed 1 this is
    no single stride, and the reach covers up to a group too much.
    """
    if groups == 1:
        return WHOLE
    share, depth = filters // groups, channels // groups
    lag = ratio((share - 1) * depth, share)
    return Reach(0, depth + lag if depth > 1 else 1, ratio(depth, share), -lag)


def regrouped(before: Shape, after: Shape) -> tuple[AxisReach, ...]:
    """The reach of a tensor read in the same order under another shape: the leading dimensions both have are
    walked one by one, those of 1 hold nothing to choose from, the others spread."""
    walks: list[AxisReach] = []
    for dimension, size in enumerate(before):
        if before[: dimension + 1] == after[: dimension + 1]:
            walks.append(Reach(dimension))
        else:
            walks.append(WHOLE if size == 1 else SCATTERED)
    return tuple(walks)


def ratio(numerator: int, denominator: int) -> int | Fraction:
    """The quotient, an int where it is whole."""
    return Fraction(numerator, denominator) if numerator % denominator else numerator // denominator
