"""What the form of an operator is given: its layer, and ways to add nodes and tensors to the file."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, prod
from typing import Generic, TypeVar, cast

from convcalc.errors import ConvcalcError
from convcalc.formats.onnx.writer_encoding import BOOL, FLOAT, INT64, Attribute
from convcalc.formats.onnx.writer_network import (
    Initializer,
    NetworkDraft,
    NodeDraft,
    Numbers,
    Value,
    ValueType,
)
from convcalc.graph import Node
from convcalc.ops import Operator, Parameter
from convcalc.shapes import Shape, show

LARGEST_FLOAT = (2 - 2.0**-23) * 2.0**127  # of 32 bits

AnOperator = TypeVar("AnOperator", bound=Operator)


class LayerDraft(Generic[AnOperator]):
    """What the form of an operator is given: the layer, and the functions that add to the file.

    op, shape: the layer's operator and output shape; inputs: the values that it reads; opset: the version to write.
    """

    def __init__(self, network: NetworkDraft, node: Node, inputs: Sequence[Value]) -> None:
        self.network = network
        self.node = node
        self.op: AnOperator = cast(AnOperator, node.op)
        self.inputs = tuple(inputs)
        self.opset = network.opset
        self.shape = node.output_shape

    @property
    def x(self) -> Value:
        """The first input."""
        return self.inputs[0]

    def is_read_by(self, operator: type[Operator]) -> bool:
        """Whether all that reads the layer is of this operator, and at least one layer does."""
        index, graph = self.node.index, self.network.graph
        readers = [node.op for node in graph if index in node.inputs]
        given = any(output.node == index for output in graph.outputs)
        return bool(readers) and not given and all(isinstance(reader, operator) for reader in readers)

    def is_integer(self, value: Value) -> bool:
        """Whether a value is an initializer of integers."""
        found = self.network.initializers.get(value.name)
        return found is not None and found.dtype == INT64

    def source(self, place: int) -> Operator | None:
        """The operator that an input comes from; None for the network's own inputs."""
        index = self.node.inputs[place]
        return None if index < 0 else self.network.graph.nodes[index].op

    # -- nodes ------------------------------------------------------------------------------------------

    def add(
        self,
        operator: str,
        inputs: Sequence[Value | str],
        shape: Shape,
        part: str = "",
        /,
        **attributes: Attribute,
    ) -> Value:
        """Adds a node with one output of this shape, and returns it. A text among the inputs is an initializer's name.

        part: what a node besides the layer's main one does; the node's name is then `path/part`, else the path.
        """
        return self.add_several(operator, inputs, [shape], part, **attributes)[0]

    def add_several(
        self,
        operator: str,
        inputs: Sequence[Value | str],
        shapes: Sequence[Shape],
        part: str = "",
        /,
        **attributes: Attribute,
    ) -> list[Value]:
        """The same for a node with several outputs."""
        path = self.node.name
        batched = any(value.batched for value in inputs if isinstance(value, Value))
        made = [Value(self.network.unused(f"{path}/{part or operator}"), shape, batched) for shape in shapes]
        self.network.values |= {value.name: ValueType(value.sizes) for value in made}
        self._append(operator, part, inputs, [value.name for value in made], attributes)
        return made

    def _append(
        self,
        operator: str,
        part: str,
        inputs: Sequence[Value | str],
        outputs: list[str],
        attributes: dict[str, Attribute],
    ) -> None:
        self._check([value for value in attributes.values() if isinstance(value, float)])
        path = self.node.name
        name = self.network.unused_node(f"{path}/{part}" if part else path)
        names = [value.name if isinstance(value, Value) else value for value in inputs]
        self.network.nodes.append(NodeDraft(operator, name, names, outputs, attributes))

    def add_plain(
        self,
        operator: str,
        inputs: Sequence[Value | str],
        shape: Shape,
        part: str,
        dtype: int = FLOAT,
        **attributes: Attribute,
    ) -> str:
        """Adds a node whose output has no batch axis, such as a weight in another layout, and returns its name."""
        name = self.network.unused(f"{self.node.name}/{part or operator}")
        self.network.values[name] = ValueType(shape, dtype)
        self._append(operator, part, inputs, [name], attributes)
        return name

    def compare(self, operator: str, value: Value, other: str) -> Value:
        """An element-wise comparison: a tensor of truth values."""
        found = self.binary(operator, value, other)
        self.network.values[found.name] = ValueType(found.sizes, BOOL)
        return found

    def reshape(self, value: Value, shape: Shape, part: str = "reshape") -> Value:
        """The values in another shape; the batch axis stays."""
        if value.shape == shape:
            return value
        return self.add("Reshape", [value, self.integers("shape", (0, *shape))], shape, part)

    def transpose(self, value: Value, order: Sequence[int], part: str = "transpose") -> Value:
        """Dimension i is dimension order[i] of the value, batch apart."""
        if list(order) == list(range(len(order))):
            return value
        shape = tuple([value.shape[dimension] for dimension in order])
        return self.add("Transpose", [value], shape, part, perm=[0, *(d + 1 for d in order)])

    def binary(self, operator: str, value: Value, other: Value | str, part: str = "") -> Value:
        """An element-wise operator whose result has the first value's shape."""
        return self.add(operator, [value, other], value.shape, part or operator.lower())

    def made(self, value: Value) -> Value:
        """The same value with its type entered anew: it was repeated for each sample."""
        self.network.values[value.name] = ValueType(value.sizes)
        return value

    # -- initializers -----------------------------------------------------------------------------------

    def parameter(self, name: str) -> Parameter:
        """The layer's parameter with this name."""
        return next(parameter for parameter in self.node.parameters if parameter.name == name)

    def has(self, name: str) -> bool:
        """Whether the layer has a parameter with this name."""
        return any(parameter.name == name for parameter in self.node.parameters)

    def weight(self, name: str, ones: int = 0) -> str:
        """The initializer of a parameter, with so many dimensions of 1 behind its own."""
        shape = (*self.parameter(name).shape, *(1,) * ones)
        found = self.network.parameter(self.node, self.parameter(name), shape)
        if found.shape == shape:
            return found.name
        # A layer that shares these weights needs them with other dimensions of 1.
        return self.add_plain(
            "Reshape", [found.name, self.integers("shape", shape)], shape, f"reshape_{name}"
        )

    def tensor(self, batch: bool = True) -> Value:
        """The tensor of a layer that is nothing else, as a value that is the same for all samples. batch: whether it
        has the batch axis; without, only `gather` can read it."""
        shape = (1, *self.shape) if batch else self.shape
        found = self.network.parameter(self.node, self.parameter(""), shape)
        if batch and found.shape != shape:  # a layer that shares the tensor is only indexed
            return self.add("Reshape", [found.name, self.integers("shape", shape)], self.shape)
        return Value(found.name, self.shape, batched=False)

    def has_batch(self, value: Value) -> bool:
        """Whether a value has the batch axis in front; an initializer may be without."""
        found = self.network.initializers.get(value.name)
        return found is None or found.shape != value.shape

    def indices(self, numbers: Sequence[int]) -> Value:
        """A tensor of integers under the layer's key, as a value that other nodes index with."""
        name = self.network.keys[self.node.index, ""]
        self.network.add_initializer(Initializer(name, self.shape, INT64, lambda: numbers))
        return Value(name, self.shape, batched=False)

    def transposed(self, name: str) -> str:
        """A weight matrix, transposed by a node: its tensor keeps the layout that its key has in weights files."""
        rows, columns = self.parameter(name).shape
        return self.add_plain(
            "Transpose", [self.weight(name)], (columns, rows), f"transpose_{name}", perm=[1, 0]
        )

    def floats(self, what: str, numbers: Sequence[float], shape: Shape = ()) -> str:
        """A constant of 32-bit floats; a single one is a scalar. Raises ConvcalcError for one that is none."""
        self._check(numbers)
        return self._constant(what, shape, FLOAT, numbers)

    def filled(self, what: str, value: float, shape: Shape) -> str:
        """A constant whose numbers are all equal."""
        return self._constant(what, shape, FLOAT, [value] * prod(shape))

    def integers(self, what: str, numbers: Sequence[int], shape: Shape | None = None) -> str:
        """A constant of integers, by default a list."""
        return self._constant(what, (len(numbers),) if shape is None else shape, INT64, numbers)

    def _constant(self, what: str, shape: Shape, dtype: int, numbers: Numbers) -> str:
        name = self.network.unused(f"{self.node.name}/{what}")
        return self.network.add_initializer(Initializer(name, shape, dtype, lambda: numbers))

    # -- refusals ---------------------------------------------------------------------------------------

    def needs_opset(self, least: int, what: str) -> None:
        """Raises ConvcalcError if the version to write is older than `least`, the first with this operator."""
        if self.opset < least:
            raise ConvcalcError(
                f"{self.node.name}: ONNX has {what} from opset {least} on, and this file is to have opset {self.opset}",
                hint=f"convert with --opset {least} or newer",
            )

    def _check(self, numbers: Sequence[float]) -> None:
        """Raises ConvcalcError for a finite number that no 32-bit float can be."""
        wide = next((number for number in numbers if LARGEST_FLOAT < abs(number) < inf), None)
        if wide is not None:
            raise ConvcalcError(
                f"{self.node.name}: {wide:g} is more than a 32-bit float can be, the numbers of an ONNX file",
                hint=f"use at most {LARGEST_FLOAT:g}",
            )

    def refuse(self, why: str, hint: str | None = None) -> ConvcalcError:
        """The error that the layer has no form in ONNX."""
        return ConvcalcError(
            f"{self.node.name}: {self.node.kind} of {show(self.node.output_shape)} {why}", hint=hint
        )
