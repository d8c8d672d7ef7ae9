"""Attributes of nodes and other small mappings of a model file, parsed when they are asked for."""

from __future__ import annotations

import struct
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from convcalc.errors import ModelError
from convcalc.formats.onnx.records import Attribute, OnnxGraph
from convcalc.formats.onnx.tensors import read_tensor
from convcalc.formats.onnx.wire import BYTES, FIXED32, FLOATS, INTEGERS, VARINT, WireFile, shown, signed

NAME, F, I, S, T, G, FLOAT_LIST, INT_LIST, STRINGS, TENSORS, GRAPHS = range(1, 12)  # noqa: E741 - as in onnx.proto
TP, TYPES, TYPE, REFERENCE, SPARSE, SPARSES = 14, 15, 20, 21, 22, 23
FIELDS = {
    NAME: BYTES, F: FIXED32, I: VARINT, S: BYTES, T: BYTES, G: BYTES, FLOAT_LIST: FLOATS, INT_LIST: INTEGERS,
    STRINGS: BYTES, TENSORS: BYTES, GRAPHS: BYTES, TP: BYTES, TYPES: BYTES, TYPE: VARINT, REFERENCE: BYTES,
    SPARSE: BYTES, SPARSES: BYTES,
}  # fmt: skip
# AttributeProto.type: the field with the value, and whether it is a list. A value that equals the default of the wire
# format (0, "") may be left out of the file.
KINDS = {
    1: F, 2: I, 3: S, 4: T, 5: G, 6: FLOAT_LIST, 7: INT_LIST, 8: STRINGS, 9: TENSORS, 10: GRAPHS,
    11: SPARSE, 12: SPARSES, 13: TP, 14: TYPES,
}  # fmt: skip
LEFT_OUT: dict[int, Attribute] = {
    F: 0.0, I: 0, S: "", FLOAT_LIST: (), INT_LIST: (), STRINGS: (), TENSORS: (), GRAPHS: (),
}  # fmt: skip
ReadGraph = Callable[[int, int], OnnxGraph]
Spans = tuple[tuple[int, int], ...]
Parsing = TypeVar("Parsing")


class Parsed(Mapping[str, Parsing]):
    """A mapping whose values are parsed when the first of them is asked for: `_all` does so, once."""

    __slots__ = ()

    @abstractmethod
    def _all(self) -> dict[str, Parsing]:
        """Every value by its name."""

    def __getitem__(self, name: str) -> Parsing:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def __repr__(self) -> str:
        return repr(self._all())


class Attributes(Parsed[Attribute]):
    """The attributes of a node, each parsed when it is first asked for.

    spans: start and end of each in the file. read_graph: reads a subgraph. given: the attributes of the call of a
    function, which those of its nodes may refer to; None outside functions.
    """

    __slots__ = ("_file", "_given", "_node", "_read_graph", "_spans", "_values")

    def __init__(
        self,
        file: WireFile,
        node: str,
        spans: Spans,
        read_graph: ReadGraph,
        given: Mapping[str, Attribute] | None = None,
    ) -> None:
        self._file = file
        self._node = node
        self._spans = spans
        self._read_graph = read_graph
        self._given = given
        self._values: dict[str, Attribute] | None = None

    def _all(self) -> dict[str, Attribute]:
        if self._values is None:
            values: dict[str, Attribute] = {}
            for start, end in self._spans:
                self._add(start, end, values)
            self._values = values
        return self._values

    def _add(self, start: int, end: int, values: dict[str, Attribute]) -> None:
        file = self._file
        name = reference = ""
        kind = 0
        found: dict[int, list[tuple[int, int]]] = {}
        for number, a, b in file.fields(start, end, FIELDS, f"an attribute of {self._node}"):
            if number == NAME:
                name = file.text(a, b)
            elif number == TYPE:
                kind = a
            elif number == REFERENCE:
                reference = file.text(a, b)
            else:
                found.setdefault(number, []).append((a, b))
        if name in values:
            raise file.invalid(f"{self._node} has the attribute {shown(name)} twice")
        if reference:
            if self._given is None:
                raise file.invalid(
                    f"{self._node} refers to the attribute {shown(reference)} outside a function"
                )
            if reference in self._given:
                values[name] = self._given[reference]
            return
        if kind and kind not in KINDS:
            raise file.invalid(
                f"attribute {shown(name)} of {self._node} is of the type {kind}, which ONNX does not have"
            )
        field = KINDS.get(kind) or next(iter(found), 0)  # the oldest files leave the type out
        if field in (SPARSE, SPARSES):
            raise ModelError(
                f"{file.path}: {self._node} has a sparse tensor, which convcalc does not read",
                hint="save the model with dense tensors",
            )
        spans = found.get(field)
        if spans is None:
            if field not in LEFT_OUT:
                raise file.invalid(f"attribute {shown(name)} of {self._node} has no value")
            values[name] = LEFT_OUT[field]
        else:
            values[name] = self._value(name, field, spans)

    def _value(self, name: str, field: int, spans: list[tuple[int, int]]) -> Attribute:
        file, message = self._file, f"attribute {shown(name)} of {self._node}"
        if field == I:
            return signed(spans[-1][0])
        if field == F:
            return float(struct.unpack("<f", file.data[slice(*spans[-1])])[0])
        if field == INT_LIST:
            return tuple(number for a, b in spans for number in file.integers(a, b, message))
        if field == FLOAT_LIST:
            return tuple(number for a, b in spans for number in file.floats(a, b, "f", message))
        if field in (TP, TYPES):
            return ()  # types of sequences and optionals, which no operator of ours reads
        read: Callable[[int, int], Any] = {
            S: self._text, STRINGS: self._text, T: self._tensor, TENSORS: self._tensor, G: self._read_graph,
            GRAPHS: self._read_graph,
        }[field]  # fmt: skip
        if field in (STRINGS, TENSORS, GRAPHS):
            return tuple(read(a, b) for a, b in spans)
        value: Attribute = read(*spans[-1])
        return value

    def _text(self, start: int, end: int) -> str | bytes:
        data = self._file.data[start:end]
        try:
            return data.decode()
        except UnicodeDecodeError:
            return data

    def _tensor(self, start: int, end: int) -> Attribute:
        return read_tensor(self._file, start, end)


class Texts(Parsed[str]):
    """Texts by key, parsed when they are first asked for. spans: start and end of each pair in the file."""

    __slots__ = ("_file", "_spans", "_values")

    def __init__(self, file: WireFile, spans: Spans) -> None:
        self._file = file
        self._spans = spans
        self._values: dict[str, str] | None = None

    def _all(self) -> dict[str, str]:
        if self._values is None:
            self._values = dict(self._file.pair(a, b) for a, b in self._spans)
        return self._values
