"""A safe interpreter for the pickles in .pth files.

A pickle is a program that can import and call anything, so it is not unpickled here. It is interpreted instruction
by instruction into plain containers and our own `PickledStorage` and `PickledTensor`. Other objects in a
checkpoint, such as a namespace of arguments, become a `ForeignObject` that holds only their name. Nothing is ever
imported, called or looked up for a file, and a file that names functions which run programs is refused.
"""

from __future__ import annotations

import io
import pickletools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from convcalc.weights.pickled import (
    CALLS,
    NO_STORAGES,
    ONLY_WEIGHTS,
    RUNNING_BUILTINS,
    RUNNING_MODULES,
    STORAGES,
    UNTRUSTED,
    ForeignObject,
    Global,
    InvalidFile,
    PickledStorage,
    filled,
    foreign_object,
)

MAX_STEPS = 1 << 19  # instructions of data.pkl; a tensor takes some 35
MAX_NAMES = 100_000  # of classes and functions; each is written once and then memoised
MAX_TEXT = 1 << 16  # bytes; longer texts are not keys and are skipped


class Code(io.BytesIO):
    """A pickle's bytes, in which no line may be endless."""

    def readline(self, size: int | None = -1, /) -> bytes:
        line = super().readline(MAX_TEXT)
        if len(line) == MAX_TEXT:
            raise InvalidFile(f"its data.pkl is damaged: it has a line of more than {MAX_TEXT:,} bytes")
        return line


@dataclass
class PickleInterpreter:
    """The interpreter: a stack, divided by marks, and the memo.

    Memory is bounded by the number of instructions and the length of the pickle.
    """

    stack: list[Any] = field(default_factory=list)
    below: list[list[Any]] = field(default_factory=list)
    memo: dict[Any, Any] = field(default_factory=dict)
    storages: dict[str, PickledStorage | ForeignObject] = field(default_factory=dict)
    names: int = 0

    def run(self, code: bytes | Code) -> object:
        """The value that the pickle describes."""
        try:
            return self._run(code if isinstance(code, Code) else Code(code))
        except InvalidFile:
            raise
        except (
            Exception
        ) as error:  # pickletools' argument readers raise all kinds of exceptions for truncated data
            raise InvalidFile(f"its data.pkl is damaged: {error!s:.200}") from None

    def _run(self, code: Code) -> object:
        for _ in range(MAX_STEPS):
            byte = code.read(1)
            if not byte:
                raise InvalidFile("its data.pkl has no end")
            name, reader = _OPCODES[byte]
            argument = reader(code) if reader else None
            if name == "STOP":
                return self.pop()
            step = _STEPS.get(name)
            if step is None:
                raise InvalidFile(
                    f"its data.pkl has the instruction {name}, which no tensor needs", ONLY_WEIGHTS
                )
            step(self, argument)
        raise InvalidFile(f"its data.pkl has more than {MAX_STEPS:,} instructions")

    def pop(self) -> Any:
        if not self.stack:
            raise InvalidFile("its data.pkl is damaged: it takes what was never given")
        return self.stack.pop()

    def pop_to_mark(self) -> list[Any]:
        if not self.below:
            raise InvalidFile("its data.pkl is damaged: it has an end without a beginning")
        items, self.stack = self.stack, self.below.pop()
        return items

    def mark(self, _: object) -> None:
        self.below.append(self.stack)
        self.stack = []

    def push(self, value: object) -> None:
        self.stack.append(value)

    def put(self, place: object) -> None:
        self.memo[place] = self.top(object)

    def get(self, place: object) -> None:
        if place not in self.memo:
            raise InvalidFile("its data.pkl is damaged: it recalls what was never kept")
        self.push(self.memo[place])

    def top(self, kind: type | tuple[type, ...]) -> Any:
        if not self.stack or not isinstance(self.stack[-1], kind):
            raise InvalidFile("its data.pkl is damaged: it adds to something that is not a container")
        return self.stack[-1]

    def some(self, count: int) -> None:
        self.push(tuple(reversed([self.pop() for _ in range(count)])))

    def append(self, items: list[Any]) -> None:
        target = self.top((list, ForeignObject))
        if isinstance(target, list):
            target.extend(items)

    def set(self, items: list[Any]) -> None:
        target = self.top((dict, ForeignObject))
        if len(items) % 2:
            raise InvalidFile("its data.pkl is damaged: a key has no value")
        if isinstance(target, dict):
            filled(target, zip(items[::2], items[1::2], strict=True))

    def name(self, name: str) -> None:
        self.names += 1
        if self.names > MAX_NAMES:
            raise InvalidFile(f"its data.pkl names more than {MAX_NAMES:,} classes and functions")
        module, _, last = name.rpartition(".")
        module = module.partition(".")[0]
        if module in RUNNING_MODULES or (module in ("builtins", "__builtin__") and last in RUNNING_BUILTINS):
            raise InvalidFile(f"it names {name:.100}, which no tensor needs; nothing was run", UNTRUSTED)
        self.push(Global(name))

    def stack_name(self, _: object) -> None:
        name, module = self.pop(), self.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise InvalidFile("its data.pkl is damaged: a name is not text")
        self.name(f"{module}.{name}")

    def call(self, _: object) -> None:
        arguments, function = self.pop(), self.pop()
        if isinstance(function, Global) and function.name in CALLS:
            if not isinstance(arguments, tuple):
                raise InvalidFile(f"it calls {function.name} without arguments")
            self.push(CALLS[function.name](*arguments))
        else:
            self.push(foreign_object(function, arguments))

    def make(self, count: int) -> None:
        """Create an object from a class and `count` − 1 further values."""
        values = [self.pop() for _ in range(count)]
        self.push(foreign_object(values[-1], ()))

    def frozen(self, _: object) -> None:
        self.pop_to_mark()
        self.push(ForeignObject("frozenset"))

    def build(self, _: object) -> None:
        """Skip the attributes of an ordered dictionary (`_metadata`: module versions) or of a foreign object: they
        are not used."""
        self.pop()
        self.top((dict, ForeignObject))

    def storage(self, _: object) -> None:
        given = self.pop()
        if (
            isinstance(given, tuple) and len(given) == 6 and given[5] is None
        ):  # the old format, not a view of another storage
            given = given[:5]
        if not isinstance(given, tuple) or len(given) != 5 or given[0] != "storage":
            raise InvalidFile("its data.pkl refers to something that is not a storage", ONLY_WEIGHTS)
        _, kind, key, _, count = given
        if not isinstance(kind, Global) or kind.name in NO_STORAGES or not isinstance(key, str):
            raise InvalidFile("its data.pkl describes a storage wrongly")
        if type(count) is not int or not 0 <= count < 1 << 48:
            raise InvalidFile("its data.pkl describes a storage wrongly")
        dtype = STORAGES.get(kind.name)
        made = PickledStorage(key, dtype, count) if dtype else ForeignObject(kind.name)
        self.push(self.storages.setdefault(key, made))


_STEPS: dict[str, Callable[[PickleInterpreter, Any], object]] = {
    "PROTO": lambda program, _: None,
    "FRAME": lambda program, _: None,
    "NONE": lambda program, _: program.push(None),
    "NEWTRUE": lambda program, _: program.push(True),
    "NEWFALSE": lambda program, _: program.push(False),
    **dict.fromkeys(
        ("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "UNICODE",
         "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "STRING", "BINSTRING",
         "SHORT_BINSTRING", "BINBYTES8", "BYTEARRAY8"),
        PickleInterpreter.push,
    ),
    "MARK": PickleInterpreter.mark,
    "EMPTY_LIST": lambda program, _: program.push([]),
    "EMPTY_DICT": lambda program, _: program.push({}),
    "EMPTY_TUPLE": lambda program, _: program.push(()),
    "TUPLE1": lambda program, _: program.some(1),
    "TUPLE2": lambda program, _: program.some(2),
    "TUPLE3": lambda program, _: program.some(3),
    "TUPLE": lambda program, _: program.push(tuple(program.pop_to_mark())),
    "APPEND": lambda program, _: program.append([program.pop()]),
    "APPENDS": lambda program, _: program.append(program.pop_to_mark()),
    "SETITEM": lambda program, _: program.set([program.pop(), program.pop()][::-1]),
    "SETITEMS": lambda program, _: program.set(program.pop_to_mark()),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), PickleInterpreter.put),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), PickleInterpreter.get),
    "MEMOIZE": lambda program, _: program.put(len(program.memo)),
    "GLOBAL": lambda program, names: program.name(names.replace(" ", ".")),
    "STACK_GLOBAL": PickleInterpreter.stack_name,
    "REDUCE": PickleInterpreter.call,
    "NEWOBJ": lambda program, _: program.make(2),
    "NEWOBJ_EX": lambda program, _: program.make(3),
    "BUILD": PickleInterpreter.build,
    "EMPTY_SET": lambda program, _: program.push(ForeignObject("set")),
    "ADDITEMS": lambda program, _: program.append(program.pop_to_mark()),
    "FROZENSET": PickleInterpreter.frozen,
    "POP": lambda program, _: program.pop() if program.stack else program.pop_to_mark(),
    "POP_MARK": lambda program, _: program.pop_to_mark(),
    "BINPERSID": PickleInterpreter.storage,
}  # fmt: skip


def _stretch(width: int, kind: str, made: Callable[[bytes], object]) -> Callable[[BinaryIO], object]:
    """A reader for a length of so many bytes followed by a text or bytes, skipped if too long to be useful. kind:
    what they are."""

    def read(code: BinaryIO) -> object:
        length = int.from_bytes(code.read(width), "little")
        if length <= MAX_TEXT:
            data = code.read(length)
            if len(data) < length:
                raise InvalidFile(
                    f"its data.pkl is damaged: {length} bytes should follow, and {len(data)} do"
                )
            return made(data)
        place = code.tell() + length
        if place > code.seek(0, io.SEEK_END):
            raise InvalidFile("its data.pkl is damaged: it ends within a text")
        code.seek(place)
        return ForeignObject(kind)

    return read


def _text(data: bytes) -> str:
    return str(data, "utf-8", "surrogatepass")


_STRETCHES = {
    "SHORT_BINUNICODE": _stretch(1, "text", _text),
    "BINUNICODE": _stretch(4, "long text", _text),
    "BINUNICODE8": _stretch(8, "long text", _text),
    "SHORT_BINBYTES": _stretch(1, "bytes", bytes),
    "BINBYTES": _stretch(4, "long run of bytes", bytes),
    "BINBYTES8": _stretch(8, "long run of bytes", bytes),
    "BYTEARRAY8": _stretch(8, "long run of bytes", bytes),
}
_OPCODES: dict[bytes, tuple[str, Callable[[BinaryIO], object] | None]] = {
    opcode.code.encode("latin-1"): (
        opcode.name,
        _STRETCHES.get(opcode.name, opcode.arg.reader if opcode.arg else None),
    )
    for opcode in pickletools.opcodes
}
