"""The protocol buffers wire format: the fields of a message, without a description of the message.

A message is a sequence of fields, each a tag (field number and kind) and a value. Nothing is copied: a field of bytes
is yielded as its start and end in the file (protobuf.dev/programming-guides/encoding).
"""

from __future__ import annotations

import mmap
import struct
from array import array
from collections.abc import Iterator, Mapping
from typing import NoReturn

from convcalc.errors import ModelError, printable

VARINT, FIXED64, BYTES, FIXED32 = 1 << 0, 1 << 1, 1 << 2, 1 << 5  # kinds of fields as sets of one
# repeated numbers, packed or not
INTEGERS, FLOATS, DOUBLES = VARINT | BYTES, FIXED32 | BYTES, FIXED64 | BYTES
KINDS = ("an integer", "a double", "bytes", "a group", "the end of a group", "a float", "kind 6", "kind 7")
Expected = Mapping[int, int]  # the allowed kinds of each field that is read; others are skipped
PAIR = {1: BYTES, 2: BYTES}
# A node with attributes has 10 to 30 fields; few models have the most nodes.
FIELDS_PER_NODE, MIN_FIELDS = 8, 400_000
MAX_LIST = 1 << 22  # bytes of a packed list of numbers in an attribute

AGAIN = "download or export the file again"


class WireFile:
    """A mapped file and its limits. budget: the number of fields that may still be read, so that a file of tiny fields
    is refused in bounded time."""

    __slots__ = ("budget", "data", "folder", "located", "mapped", "max_nodes", "path")

    def __init__(self, path: str, folder: str, data: mmap.mmap | bytes, max_nodes: int) -> None:
        self.path = path
        self.folder = folder
        self.data = data
        self.max_nodes = max_nodes
        # of files of external data, path and size by location
        self.located: dict[str, tuple[str, int | None]] = {}
        self.mapped: dict[str, memoryview] = {}  # those that were opened, by path
        self.budget = MIN_FIELDS + FIELDS_PER_NODE * max_nodes

    def invalid(self, reason: str, hint: str = AGAIN) -> ModelError:
        """The error for a file that is not a valid model."""
        return ModelError(f"{self.path}: not a valid ONNX file: {reason}", hint=hint)

    def too_large(self, fields: bool = False) -> ModelError:
        """The error for a file with more nodes or tensors, or more fields, than the limit allows."""
        count = f"{self.max_nodes:,} nodes"
        what = f"more fields than {count} need" if fields else f"more than {count} or tensors"
        return ModelError(f"{self.path}: {what}", hint="--max-layers raises the limit")

    def spans(
        self, start: int, end: int, expected: Expected, message: str
    ) -> dict[int, list[tuple[int, int]]]:
        """The fields of a message by number, each as `fields` yields it. Raises ModelError for more of a number than
        there may be nodes."""
        found: dict[int, list[tuple[int, int]]] = {number: [] for number in expected}
        for number, a, b in self.fields(start, end, expected, message):
            places = found[number]
            places.append((a, b))
            if len(places) > self.max_nodes:
                raise self.too_large()
        return found

    def fields(
        self, start: int, end: int, expected: Expected, message: str
    ) -> Iterator[tuple[int, int, int]]:
        """The fields of a message that are expected, in file order: number, and start and end of its bytes; for an
        unpacked integer its value as 64 unsigned bits and −1. message: what it describes, for errors.

        Raises ModelError for a field of another kind than expected, or one that reaches past the message's end.
        """
        data, place = self.data, start
        try:
            while place < end:
                tag = data[place]
                place += 1
                if tag >= 128:
                    tag, place = self.varint(place - 1, end, message)
                kind = tag & 7
                self.budget -= 1
                if kind == 2:
                    begin = place + 1
                    length = data[place] if place < end else 128
                    if length >= 128:
                        length, begin = self.varint(place, end, message)
                    place = begin + length
                    if place > end:
                        self._overlong(message, begin, length, end)
                    found = (tag >> 3, begin, place)
                elif kind == 0:
                    value, place = self.varint(place, end, message)
                    found = (tag >> 3, value, -1)
                elif kind == 5 or kind == 1:
                    begin = place
                    place += 4 if kind == 5 else 8
                    if place > end:
                        self._overlong(message, begin, place - begin, end)
                    found = (tag >> 3, begin, place)
                else:
                    raise self.invalid(
                        f"{message} has {KINDS[kind]} at byte {place:,}, which ONNX does not use"
                    )
                allowed = expected.get(tag >> 3, 0)
                if allowed:
                    if not allowed >> kind & 1:
                        raise self.invalid(
                            f"field {tag >> 3} of {message} at byte {place:,} is {KINDS[kind]}, not {_kinds(allowed)}"
                        )
                    yield found
                elif tag < 8:
                    raise self.invalid(f"{message} has a field without a number at byte {place:,}")
                if self.budget < 0:
                    raise self.too_large(fields=True)
        except IndexError:
            raise self.invalid(
                f"{message} ends within a field, at byte {place:,}: the file was cut short"
            ) from None

    def varint(self, place: int, end: int, message: str) -> tuple[int, int]:
        """The integer at `place`, as 64 unsigned bits, and the place behind it."""
        data = self.data
        value = shift = 0
        while place < end:
            byte = data[place]
            place += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value & 0xFFFF_FFFF_FFFF_FFFF, place
            shift += 7
            if shift >= 70:
                raise self.invalid(f"{message} has an integer of more than ten bytes at byte {place - 10:,}")
        raise self.invalid(f"{message} ends within an integer, at byte {place:,}: the file was cut short")

    def _overlong(self, message: str, begin: int, length: int, end: int) -> NoReturn:
        where = "the file" if end == len(self.data) else message
        raise self.invalid(
            f"a field of {message} at byte {begin:,} should have {length:,} bytes, and {where} ends after "
            f"{max(0, end - begin):,}: the file was cut short or changed"
        )

    def text(self, start: int, end: int) -> str:
        """A name or another text; bytes that are not UTF-8 become U+FFFD."""
        return self.data[start:end].decode("utf-8", "replace")

    def pair(self, start: int, end: int) -> tuple[str, str]:
        """Key and value of an entry of texts (StringStringEntryProto)."""
        key = value = ""
        for number, a, b in self.fields(start, end, PAIR, "an entry of texts"):
            if number == 1:
                key = self.text(a, b)
            else:
                value = self.text(a, b)
        return key, value

    def integers(self, start: int, end: int, message: str, most: int = MAX_LIST) -> list[int]:
        """One or several signed integers, as `fields` yields them. most: the bytes that they may take."""
        if end < 0:
            return [signed(start)]
        if end - start > most:
            raise self.invalid(
                f"{message} has {end - start:,} bytes of numbers; at most {most:,} are allowed"
            )
        data = self.data[start:end]
        if not data or max(data) < 128:
            return list(data)
        numbers, place = [], start
        while place < end:
            value, place = self.varint(place, end, message)
            numbers.append(signed(value))
        return numbers

    def floats(self, start: int, end: int, code: str, message: str) -> array[float]:
        """One or several floats (`f`) or doubles (`d`), as `fields` yields them."""
        numbers = array(code)
        if (end - start) % numbers.itemsize:
            raise self.invalid(f"{message} has {end - start:,} bytes of numbers, {numbers.itemsize} each")
        return array(code, struct.unpack(f"<{(end - start) // numbers.itemsize}{code}", self.data[start:end]))


def signed(value: int) -> int:
    """An integer of 64 unsigned bits read as two's complement."""
    return value - (1 << 64) if value >> 63 else value


def _kinds(allowed: int) -> str:
    return " or ".join(name for kind, name in enumerate(KINDS) if allowed >> kind & 1)


def shown(name: str) -> str:
    """A name from a file in quotation marks, shortened for an error."""
    text = printable(name)
    return repr(text if len(text) <= 100 else f"{text[:66]}…{text[-33:]}")
