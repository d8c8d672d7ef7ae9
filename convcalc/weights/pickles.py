"""A pickle of tensors, interpreted and not run: what a .pth file says of its tensors.

A pickle is a program, and unpickling one runs it: it may import and call whatever it likes. So it is not
unpickled here. It is read instruction by instruction, into plain containers and our own `PickledStorage` and
`PickledTensor`; what `_STEPS` does not list is not done, what `KNOWN` does not name is refused by its name. No
import, no call, no attribute is ever looked up for a file.
"""

from __future__ import annotations

import io
import pickletools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

MAX_STEPS = 1 << 20  # instructions of data.pkl; a tensor takes some 35

AGAIN = "download it again, or save it again with torch.save(model.state_dict(), FILE)"
ONLY_WEIGHTS = (
    "a weights file holds tensors by name and nothing else;\n"
    "where you trust it: torch.save(model.state_dict(), FILE)"
)

STORAGES = {
    "torch.FloatStorage": "F32", "torch.DoubleStorage": "F64", "torch.HalfStorage": "F16",
    "torch.BFloat16Storage": "BF16", "torch.LongStorage": "I64", "torch.IntStorage": "I32",
    "torch.ShortStorage": "I16", "torch.CharStorage": "I8", "torch.ByteStorage": "U8",
    "torch.BoolStorage": "BOOL", "torch.storage.UntypedStorage": "U8",
}  # fmt: skip
TYPES = {
    "torch.float32": "F32", "torch.float64": "F64", "torch.float16": "F16", "torch.bfloat16": "BF16",
    "torch.int64": "I64", "torch.int32": "I32", "torch.int16": "I16", "torch.int8": "I8",
    "torch.uint64": "U64", "torch.uint32": "U32", "torch.uint16": "U16", "torch.uint8": "U8",
    "torch.bool": "BOOL",
}  # fmt: skip


class Unsound(Exception):
    """What is wrong with a file. The bare fact: `read` knows the path."""

    def __init__(self, reason: str, hint: str = AGAIN) -> None:
        super().__init__(reason)
        self.hint = hint


@dataclass(frozen=True)
class _Global:
    """A name that the pickle mentions. It stands for itself: nothing is looked up."""

    name: str


@dataclass(frozen=True)
class PickledStorage:
    """Numbers of one type under data/<key>: `count` of `dtype`."""

    key: str
    dtype: str
    count: int


@dataclass(frozen=True)
class PickledTensor:
    """How a tensor lies in its storage, in numbers of `dtype`; shape and strides as written, not yet checked."""

    storage: PickledStorage
    offset: object
    shape: object
    strides: object
    dtype: str


@dataclass
class Program:
    """The interpreter: the stack's parts since each mark, and the memo.

    What it builds is bounded by the number of instructions and the length of the pickle.
    """

    stack: list[Any] = field(default_factory=list)
    below: list[list[Any]] = field(default_factory=list)
    memo: dict[Any, Any] = field(default_factory=dict)
    storages: dict[str, PickledStorage] = field(default_factory=dict)

    def run(self, code: bytes | io.BytesIO) -> object:
        """The value that the pickle describes."""
        try:
            return self._run(code)
        except Unsound:
            raise
        except (
            Exception
        ) as error:  # the splitter into instructions has many ways to say that bytes are missing
            raise Unsound(f"its data.pkl is damaged: {error!s:.200}") from None

    def _run(self, code: bytes | io.BytesIO) -> object:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(code)):
            if count >= MAX_STEPS:
                raise Unsound(f"its data.pkl has more than {MAX_STEPS:,} instructions")
            if opcode.name == "STOP":
                return self.pop()
            step = _STEPS.get(opcode.name)
            if step is None:
                raise Unsound(
                    f"its data.pkl has the instruction {opcode.name}, which no tensor needs", ONLY_WEIGHTS
                )
            step(self, argument)
        raise Unsound("its data.pkl has no end")

    def pop(self) -> Any:
        if not self.stack:
            raise Unsound("its data.pkl is damaged: it takes what was never given")
        return self.stack.pop()

    def pop_to_mark(self) -> list[Any]:
        if not self.below:
            raise Unsound("its data.pkl is damaged: it has an end without a beginning")
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
            raise Unsound("its data.pkl is damaged: it recalls what was never kept")
        self.push(self.memo[place])

    def top(self, kind: type) -> Any:
        if not self.stack or not isinstance(self.stack[-1], kind):
            raise Unsound("its data.pkl is damaged: it adds to what is no container")
        return self.stack[-1]

    def some(self, count: int) -> None:
        self.push(tuple(reversed([self.pop() for _ in range(count)])))

    def append(self, items: list[Any]) -> None:
        self.top(list).extend(items)

    def set(self, items: list[Any]) -> None:
        target = self.top(dict)
        if len(items) % 2:
            raise Unsound("its data.pkl is damaged: a key has no value")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, (str, int, float, bytes, type(None))):  # hashing tuples may take for ever
                raise Unsound(f"its data.pkl has {kind_of(key)} as a key", ONLY_WEIGHTS)
            if key in target:
                raise Unsound(f"its data.pkl has {key_name(key)} twice")
            target[key] = value

    def name(self, name: str) -> None:
        if name not in KNOWN:
            raise Unsound(f"it names {name:.100}, which no tensor needs; nothing was run", ONLY_WEIGHTS)
        self.push(_Global(name))

    def stack_name(self, _: object) -> None:
        name, module = self.pop(), self.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise Unsound("its data.pkl is damaged: a name is no text")
        self.name(f"{module}.{name}")

    def call(self, _: object) -> None:
        arguments, function = self.pop(), self.pop()
        if not isinstance(function, _Global) or function.name not in _CALLS:
            what = function.name if isinstance(function, _Global) else kind_of(function)
            raise Unsound(f"it calls {what}, which no tensor needs; nothing was run", ONLY_WEIGHTS)
        if not isinstance(arguments, tuple):
            raise Unsound(f"it calls {function.name} without arguments")
        self.push(_CALLS[function.name](*arguments))

    def build(self, _: object) -> None:
        """Attributes of an ordered dictionary (`_metadata`: versions of modules), which we have no use for."""
        self.pop()
        self.top(dict)

    def storage(self, _: object) -> None:
        given = self.pop()
        if (
            isinstance(given, tuple) and len(given) == 6 and given[5] is None
        ):  # no view of another: the old format
            given = given[:5]
        if not isinstance(given, tuple) or len(given) != 5 or given[0] != "storage":
            raise Unsound("its data.pkl refers to something that is no storage", ONLY_WEIGHTS)
        _, kind, key, _, count = given
        dtype = STORAGES.get(kind.name) if isinstance(kind, _Global) else None
        if dtype is None or not isinstance(key, str) or type(count) is not int or not 0 <= count < 1 << 48:
            raise Unsound("its data.pkl describes a storage wrongly")
        self.push(self.storages.setdefault(key, PickledStorage(key, dtype, count)))


def _rebuild(storage: object, offset: object, shape: object, strides: object, *rest: object) -> PickledTensor:
    """torch._utils._rebuild_tensor_v2: requires_grad, hooks and metadata are of no use here."""
    if not isinstance(storage, PickledStorage) or not 2 <= len(rest) <= 3:
        raise Unsound("its data.pkl describes a tensor wrongly")
    return PickledTensor(storage, offset, shape, strides, storage.dtype)


def _rebuild_first(storage: object, offset: object, shape: object, strides: object) -> PickledTensor:
    """torch._utils._rebuild_tensor, of before version 0.4."""
    return _rebuild(storage, offset, shape, strides, False, {})


def _rebuild_typed(
    storage: object, offset: object, shape: object, strides: object, *rest: object
) -> PickledTensor:
    """torch._utils._rebuild_tensor_v3: the type apart, for types that have no storage of their own."""
    kind = rest[2] if 3 <= len(rest) <= 4 else None
    dtype = TYPES.get(kind.name) if isinstance(kind, _Global) else None
    if not isinstance(storage, PickledStorage) or dtype is None:
        raise Unsound("its data.pkl describes a tensor wrongly")
    return PickledTensor(storage, offset, shape, strides, dtype)


def _parameter(tensor: object, *rest: object) -> PickledTensor:
    if not isinstance(tensor, PickledTensor) or len(rest) != 2:
        raise Unsound("its data.pkl describes a parameter wrongly")
    return tensor


def _dictionary(pairs: object = ()) -> dict[Any, Any]:
    """collections.OrderedDict: empty, or, from Python 2, of a list of pairs."""
    if not isinstance(pairs, list | tuple) or not all(
        isinstance(p, list | tuple) and len(p) == 2 for p in pairs
    ):
        raise Unsound("its data.pkl makes an ordered dictionary in a way PyTorch does not")
    program = Program([{}])
    program.set([item for pair in pairs for item in pair])
    made: dict[Any, Any] = program.pop()
    return made


_CALLS: dict[str, Callable[..., object]] = {
    "collections.OrderedDict": _dictionary,
    "torch._utils._rebuild_tensor": _rebuild_first,
    "torch._utils._rebuild_tensor_v2": _rebuild,
    "torch._utils._rebuild_tensor_v3": _rebuild_typed,
    "torch._utils._rebuild_parameter": _parameter,
}
KNOWN = _CALLS.keys() | STORAGES.keys() | TYPES.keys()

_STEPS: dict[str, Callable[[Program, Any], None]] = {
    "PROTO": lambda program, _: None,
    "FRAME": lambda program, _: None,
    "NONE": lambda program, _: program.push(None),
    "NEWTRUE": lambda program, _: program.push(True),
    "NEWFALSE": lambda program, _: program.push(False),
    **dict.fromkeys(
        ("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "UNICODE",
         "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "STRING", "BINSTRING",
         "SHORT_BINSTRING"),
        Program.push,
    ),
    "MARK": Program.mark,
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
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), Program.put),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), Program.get),
    "MEMOIZE": lambda program, _: program.put(len(program.memo)),
    "GLOBAL": lambda program, names: program.name(names.replace(" ", ".")),
    "STACK_GLOBAL": Program.stack_name,
    "REDUCE": Program.call,
    "BUILD": Program.build,
    "BINPERSID": Program.storage,
}  # fmt: skip


def kind_of(value: object) -> str:
    """What a value is, for an error."""
    kinds = {dict: "a dictionary", list: "a list", tuple: "a tuple", str: "a text", type(None): "None"}
    if isinstance(value, dict) and not value:
        return "an empty dictionary"
    return kinds.get(type(value), "a tensor" if isinstance(value, PickledTensor) else "a single value")


def key_name(key: object) -> str:
    """A dictionary's key, for an error."""
    return f"{key!r:.80}" if isinstance(key, str) else "a key"
