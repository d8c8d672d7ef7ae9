"""The contents of an ONNX file as records: tensors stay in the file until their values are asked for."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, TypeAlias

from convcalc.formats.onnx.numbers import decode

Dimension: TypeAlias = "int | str | None"  # a size, a symbol, or unknown


@dataclass(frozen=True, slots=True)
class OnnxTensor:
    """A tensor in a model file. dtype: by safetensors' names (F32, BF16, I64…), besides U4, I4, U2, I2, F4, F8_E4M3,
    F8_E5M2, …, C64, C128 and STR.

    read: returns its bytes, row-major and little-endian; numbers of less than 8 bits are packed, the first in the lower
    bits. It raises ModelError if the data are missing or damaged. missing: the file that should hold the data and is
    not there, or "" if the data were stripped; None if they are there. texts: returns the elements of a tensor of
    texts.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    read: Callable[[], bytes | memoryview] = field(repr=False, compare=False)
    missing: str | None = None
    texts: Callable[[], Sequence[bytes]] | None = field(default=None, repr=False, compare=False)

    @property
    def count(self) -> int:
        """The number of elements."""
        return prod(self.shape)

    def values(self) -> array[Any] | Sequence[bytes]:
        """All numbers, row-major: integers and booleans exactly, as integers; F64 as doubles; other floats as 32-bit
        floats; texts as bytes. Raises ModelError if the data are missing, or for complex numbers."""
        if self.texts is not None:
            return self.texts()
        return decode(self.dtype, self.read(), self.count, self.name)


@dataclass(frozen=True, slots=True)
class ValueInfo:
    """The declared type of a value. shape: None if not even the rank is declared. dtype: None if not declared."""

    name: str
    dtype: str | None
    shape: tuple[Dimension, ...] | None


@dataclass(frozen=True, slots=True)
class OnnxGraph:
    """A graph, or the body of an If, Loop or Scan, which may also read values of the graphs around it.

    nodes: each after those that it reads. initializers: constants by name. inputs: without initializers. values: the
    declared types of other values, if the file has them.
    """

    name: str
    nodes: tuple[OnnxNode, ...]
    initializers: Mapping[str, OnnxTensor]
    inputs: tuple[ValueInfo, ...]
    outputs: tuple[ValueInfo, ...]
    values: Mapping[str, ValueInfo]


Attribute: TypeAlias = "int | float | str | bytes | tuple[Any, ...] | OnnxTensor | OnnxGraph"


@dataclass(frozen=True, slots=True, eq=False)
class OnnxNode:
    """An operation. inputs, outputs: names of values; "" stands for an optional one that is left out.

    op: the name of the operator in its domain; domain: "" for ONNX's own. attributes: parsed when they are asked for;
    texts are str where they are UTF-8, lists are tuples. metadata: notes of the exporter by key.
    """

    op: str
    domain: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def described(self) -> str:
        """The node in an error: `Conv '/layer1/Conv'`; a nameless one by its first output."""
        kind = f"{self.domain}:{self.op}" if self.domain else self.op
        if self.name:
            return f"{kind} {self.name!r}"
        made = next((name for name in self.outputs if name), "")
        return f"{kind} that makes {made!r}" if made else kind


@dataclass(frozen=True, slots=True, eq=False)
class OnnxModel:
    """A model file. opsets: the version by domain, "" being ONNX's own; functions are replaced by their bodies."""

    graph: OnnxGraph
    opsets: Mapping[str, int]
    producer: str = ""
    ir_version: int = 0
    path: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def opset(self) -> int:
        """The version of ONNX's own operators."""
        return self.opsets.get("", 1)
