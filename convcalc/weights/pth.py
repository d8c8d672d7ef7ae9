"""PyTorch's .pth and .pt files, read without PyTorch and without running anything that is in them.

`torch.save` writes a zip archive (pytorch.org, "Serialization semantics"): `<root>/data.pkl`, a pickle that
says which tensors there are and how they lie in their storages; `<root>/data/<key>`, one storage each;
`<root>/byteorder`.

A pickle is a program, and unpickling one runs it: it may import and call whatever it likes. So it is not
unpickled here. It is read instruction by instruction, into plain containers and our own `_Storage` and
`_Tensor`; what `_STEPS` does not list is not done, what `KNOWN` does not name is refused by its name. No
import, no call, no attribute is ever looked up for a file.

The archive is mapped, not read: half a gigabyte of weights costs nothing until a tensor's values are asked for.
"""

from __future__ import annotations

import mmap
import os
import pickletools
import warnings
import zipfile
import zlib
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product
from math import prod
from operator import mul
from typing import Any, Literal, NoReturn

from convcalc.errors import WeightsError
from convcalc.weights.npz import BOMB_RATIO, BOMB_SIZE
from convcalc.weights.tensors import DTYPES, StoredTensor, Tensors, checked_shape

MAX_PICKLE = 1 << 25  # bytes of data.pkl; the largest network of torchvision has 200 kB
MAX_STEPS = 1 << 20  # instructions of data.pkl; a tensor takes some 35
MAX_DIRECTORY = 1 << 23  # bytes of the archive's table of contents; a storage takes some 80
CODES: dict[int, Literal["B", "H", "I", "Q"]] = {1: "B", 2: "H", 4: "I", 8: "Q"}
WRAPPERS = ("state_dict", "model_state_dict", "model")  # where training scripts put the weights

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


class _Unsound(Exception):
    """What is wrong with a file. The bare fact: `read` knows the path."""

    def __init__(self, reason: str, hint: str = AGAIN) -> None:
        super().__init__(reason)
        self.hint = hint


def read(path: str) -> Tensors:
    """The tensors of a .pth file, in its order. WeightsError unless all of its description is sound.

    Weights that a checkpoint keeps under `state_dict` or `model` are taken from there; `note` then says so.
    Damaged numbers are found, by their checksum, when a tensor's values are read.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what the parsers think of a stranger's archive
            archive = _Archive(path)
            program = archive.content(f"{archive.root}data.pkl", MAX_PICKLE)
            value = _Program().run(bytes(program))
            swapped = archive.swapped()
        found, note = _unwrapped(value)
        tensors = Tensors()
        tensors.note = note
        for name, tensor in found.items():
            tensors[name] = _stored(path, archive, name, tensor, swapped)
    except _Unsound as error:
        _refuse(path, error)
    except (WeightsError, PermissionError):
        raise
    except Exception as error:  # the parsers of zips and pickles meet damage with many kinds of exceptions
        said = f"{error!s:.200}" or type(error).__name__
        _refuse(path, _Unsound(said))
    return tensors


def refuse_legacy(path: str) -> NoReturn:
    """Says what to do with a file that torch.save wrote before it wrote zip archives."""
    raise WeightsError(
        f"{path}: this PyTorch file has the format from before PyTorch 1.6, which is not read",
        hint="save it again where PyTorch is installed:\n"
        "torch.save(torch.load('OLD.pth', map_location='cpu', weights_only=True), 'NEW.pth')",
    )


def _refuse(path: str, error: _Unsound) -> NoReturn:
    raise WeightsError(f"{path}: not a sound PyTorch file: {error}", hint=error.hint) from None


def _unwrapped(value: object) -> tuple[dict[str, _Tensor], str]:
    """The tensors by name, and where they were found if not at the top."""
    where = ""
    if isinstance(value, dict) and not any(isinstance(entry, _Tensor) for entry in value.values()):
        inside = [key for key in WRAPPERS if isinstance(value.get(key), dict)]
        if len(inside) > 1:
            raise _Unsound(
                f"it holds weights under {inside[0]!r} and under {inside[1]!r}",
                f"save one of them: torch.save(checkpoint[{inside[0]!r}], FILE)",
            )
        if inside:
            where, value = inside[0], value[inside[0]]
    place = f" under {where!r}" if where else ""
    if not isinstance(value, dict) or not value:
        raise _Unsound(f"it holds no tensors by name{place}, but {_kind(value)}", ONLY_WEIGHTS)
    for key, entry in value.items():
        if not isinstance(key, str) or not isinstance(entry, _Tensor):
            raise _Unsound(f"{_scalar(key)}{place} is no tensor but {_kind(entry)}", ONLY_WEIGHTS)
    return value, f"the weights are those under {where!r}" if where else ""


def _kind(value: object) -> str:
    kinds = {dict: "a dictionary", list: "a list", tuple: "a tuple", str: "a text", type(None): "None"}
    if isinstance(value, dict) and not value:
        return "an empty dictionary"
    return kinds.get(type(value), "a tensor" if isinstance(value, _Tensor) else "a single value")


def _scalar(key: object) -> str:
    return f"{key!r:.80}" if isinstance(key, str) else "a key"


# --- the archive --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Member:
    """One file of the archive: `data` is what lies there, `size` its length once expanded."""

    data: memoryview
    size: int
    checksum: int
    deflated: bool


class _Archive:
    """A mapped zip archive; `root` is what all names of a PyTorch file begin with, as `archive/`."""

    def __init__(self, path: str) -> None:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
            _bounded_directory(mapped)
            with zipfile.ZipFile(file) as archive:
                entries = archive.infolist()
        _bounded(size, entries)
        self._members: dict[str, _Member] = {}
        for entry in entries:
            if entry.filename in self._members:
                raise _Unsound(f"it has {entry.filename!r:.80} twice")
            self._members[entry.filename] = _member(mapped, entry)
        roots = [name[: -len("data.pkl")] for name in self._members if name.endswith("/data.pkl")]
        if len(roots) != 1:
            raise _Unsound(f"it should have one data.pkl, and has {len(roots)}")
        self.root = roots[0]
        self._checked: set[str] = set()
        self._expanded: tuple[str, bytes] = ("", b"")  # the last one: tensors that share come together

    def size(self, name: str) -> int | None:
        """The bytes of a member, or None if there is none of that name."""
        member = self._members.get(name)
        return None if member is None else member.size

    def content(self, name: str, most: int | None = None) -> memoryview:
        """A member's bytes, compared with their checksum: a window on the file unless they are compressed."""
        member = self._members[name]
        if most is not None and member.size > most:
            raise _Unsound(f"{name!r:.80} has {member.size:,} bytes; {most:,} are the most")
        if name == self._expanded[0]:
            return memoryview(self._expanded[1])
        data: bytes | memoryview = member.data
        if member.deflated:
            data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(member.data, member.size + 1)
        if len(data) != member.size:
            raise _Unsound(f"{name!r:.80} is not as long as it says")
        if name not in self._checked and zlib.crc32(data) != member.checksum:
            raise _Unsound(f"{name!r:.80} does not match its checksum: the file is damaged")
        self._checked.add(name)
        if isinstance(data, bytes):
            self._expanded = (name, data)
        return memoryview(data)

    def swapped(self) -> bool:
        """Whether numbers have their highest byte first."""
        name = f"{self.root}byteorder"
        order = bytes(self.content(name, 16)) if name in self._members else b"little"
        if order not in (b"little", b"big"):
            raise _Unsound(f"its byte order is {order!r}, neither little nor big")
        return order == b"big"


def _bounded_directory(mapped: memoryview) -> None:
    """Refuses a table of contents so long that listing it would take more memory than the weights."""
    tail = bytes(mapped[-(65535 + 22 + 20) :])
    end = tail.rfind(b"PK\5\6")
    if end < 0 or end + 22 > len(tail):
        raise _Unsound("the end of the archive is missing: it was cut short")
    sizes = [int.from_bytes(tail[end + 12 : end + 16], "little")]
    if end >= 20 and tail[end - 20 : end - 16] == b"PK\6\7":  # a locator: a longer record has the true size
        here = len(mapped) - len(tail) + end - 76
        for place in {here, int.from_bytes(tail[end - 12 : end - 4], "little")}:
            record = bytes(mapped[max(0, place) : max(0, place) + 56])
            if record[:4] == b"PK\6\6":
                sizes.append(int.from_bytes(record[40:48], "little"))
        if len(sizes) > 1 and sizes[0] == 0xFFFFFFFF:
            del sizes[0]
    if max(sizes) > MAX_DIRECTORY:
        raise _Unsound(f"its table of contents has {max(sizes):,} bytes; {MAX_DIRECTORY:,} are the most")


def _bounded(size: int, entries: list[zipfile.ZipInfo]) -> None:
    """Refuses archives whose members overlap or expand beyond measure."""
    for entry in entries:
        if entry.flag_bits & 1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise _Unsound(f"{entry.filename!r:.80} is encrypted or compressed in a way PyTorch does not use")
    if sum(entry.compress_size for entry in entries) > size:
        raise _Unsound("its members take more bytes than the file has")
    expanded = sum(entry.file_size for entry in entries)
    if expanded > BOMB_SIZE and expanded > BOMB_RATIO * size:
        raise _Unsound(f"its {size:,} bytes would expand to {expanded:,}")


def _member(mapped: memoryview, entry: zipfile.ZipInfo) -> _Member:
    header = bytes(mapped[entry.header_offset : entry.header_offset + 30])
    if header[:4] != b"PK\3\4" or len(header) < 30:
        raise _Unsound(f"{entry.filename!r:.80} is not where the table of contents says")
    names, extras = (int.from_bytes(header[place : place + 2], "little") for place in (26, 28))
    begin = entry.header_offset + 30 + names + extras
    data = mapped[begin : begin + entry.compress_size]
    if len(data) != entry.compress_size:
        raise _Unsound(f"{entry.filename!r:.80} ends beyond the file: it was cut short")
    deflated = entry.compress_type == zipfile.ZIP_DEFLATED
    return _Member(data, entry.file_size, entry.CRC, deflated)


# --- the pickle ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Global:
    """A name that the pickle mentions. It stands for itself: nothing is looked up."""

    name: str


@dataclass(frozen=True)
class _Storage:
    """Numbers of one type under data/<key>: `count` of `dtype`."""

    key: str
    dtype: str
    count: int


@dataclass(frozen=True)
class _Tensor:
    """How a tensor lies in its storage, in numbers of `dtype`; shape and strides as written, not yet checked."""

    storage: _Storage
    offset: object
    shape: object
    strides: object
    dtype: str


@dataclass
class _Program:
    """The interpreter: the stack's parts since each mark, and the memo.

    What it builds is bounded by the number of instructions and the length of the pickle.
    """

    stack: list[Any] = field(default_factory=list)
    below: list[list[Any]] = field(default_factory=list)
    memo: dict[Any, Any] = field(default_factory=dict)

    def run(self, code: bytes) -> object:
        """The value that the pickle describes."""
        try:
            return self._run(code)
        except _Unsound:
            raise
        except (
            Exception
        ) as error:  # the splitter into instructions has many ways to say that bytes are missing
            raise _Unsound(f"its data.pkl is damaged: {error!s:.200}") from None

    def _run(self, code: bytes) -> object:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(code)):
            if count >= MAX_STEPS:
                raise _Unsound(f"its data.pkl has more than {MAX_STEPS:,} instructions")
            if opcode.name == "STOP":
                return self.pop()
            step = _STEPS.get(opcode.name)
            if step is None:
                raise _Unsound(
                    f"its data.pkl has the instruction {opcode.name}, which no tensor needs", ONLY_WEIGHTS
                )
            step(self, argument)
        raise _Unsound("its data.pkl has no end")

    def pop(self) -> Any:
        if not self.stack:
            raise _Unsound("its data.pkl is damaged: it takes what was never given")
        return self.stack.pop()

    def pop_to_mark(self) -> list[Any]:
        if not self.below:
            raise _Unsound("its data.pkl is damaged: it has an end without a beginning")
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
            raise _Unsound("its data.pkl is damaged: it recalls what was never kept")
        self.push(self.memo[place])

    def top(self, kind: type) -> Any:
        if not self.stack or not isinstance(self.stack[-1], kind):
            raise _Unsound("its data.pkl is damaged: it adds to what is no container")
        return self.stack[-1]

    def some(self, count: int) -> None:
        self.push(tuple(reversed([self.pop() for _ in range(count)])))

    def append(self, items: list[Any]) -> None:
        self.top(list).extend(items)

    def set(self, items: list[Any]) -> None:
        target = self.top(dict)
        if len(items) % 2:
            raise _Unsound("its data.pkl is damaged: a key has no value")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, (str, int, float, bytes, type(None))):  # hashing tuples may take for ever
                raise _Unsound(f"its data.pkl has {_kind(key)} as a key", ONLY_WEIGHTS)
            if key in target:
                raise _Unsound(f"its data.pkl has {_scalar(key)} twice")
            target[key] = value

    def name(self, name: str) -> None:
        if name not in KNOWN:
            raise _Unsound(f"it names {name:.100}, which no tensor needs; nothing was run", ONLY_WEIGHTS)
        self.push(_Global(name))

    def stack_name(self, _: object) -> None:
        name, module = self.pop(), self.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise _Unsound("its data.pkl is damaged: a name is no text")
        self.name(f"{module}.{name}")

    def call(self, _: object) -> None:
        arguments, function = self.pop(), self.pop()
        if not isinstance(function, _Global) or function.name not in _CALLS:
            what = function.name if isinstance(function, _Global) else _kind(function)
            raise _Unsound(f"it calls {what}, which no tensor needs; nothing was run", ONLY_WEIGHTS)
        if not isinstance(arguments, tuple):
            raise _Unsound(f"it calls {function.name} without arguments")
        self.push(_CALLS[function.name](*arguments))

    def build(self, _: object) -> None:
        """Attributes of an ordered dictionary (`_metadata`: versions of modules), which we have no use for."""
        self.pop()
        self.top(dict)

    def storage(self, _: object) -> None:
        given = self.pop()
        if not isinstance(given, tuple) or len(given) != 5 or given[0] != "storage":
            raise _Unsound("its data.pkl refers to something that is no storage", ONLY_WEIGHTS)
        _, kind, key, _, count = given
        dtype = STORAGES.get(kind.name) if isinstance(kind, _Global) else None
        if dtype is None or not isinstance(key, str) or type(count) is not int or not 0 <= count < 1 << 48:
            raise _Unsound("its data.pkl describes a storage wrongly")
        self.push(_Storage(key, dtype, count))


def _rebuild(storage: object, offset: object, shape: object, strides: object, *rest: object) -> _Tensor:
    """torch._utils._rebuild_tensor_v2: requires_grad, hooks and metadata are of no use here."""
    if not isinstance(storage, _Storage) or not 2 <= len(rest) <= 3:
        raise _Unsound("its data.pkl describes a tensor wrongly")
    return _Tensor(storage, offset, shape, strides, storage.dtype)


def _rebuild_typed(storage: object, offset: object, shape: object, strides: object, *rest: object) -> _Tensor:
    """torch._utils._rebuild_tensor_v3: the type apart, for types that have no storage of their own."""
    kind = rest[2] if 3 <= len(rest) <= 4 else None
    dtype = TYPES.get(kind.name) if isinstance(kind, _Global) else None
    if not isinstance(storage, _Storage) or dtype is None:
        raise _Unsound("its data.pkl describes a tensor wrongly")
    return _Tensor(storage, offset, shape, strides, dtype)


def _parameter(tensor: object, *rest: object) -> _Tensor:
    if not isinstance(tensor, _Tensor) or len(rest) != 2:
        raise _Unsound("its data.pkl describes a parameter wrongly")
    return tensor


def _dictionary(*given: object) -> dict[Any, Any]:
    if given:
        raise _Unsound("its data.pkl makes an ordered dictionary in a way PyTorch does not")
    return {}


_CALLS: dict[str, Callable[..., object]] = {
    "collections.OrderedDict": _dictionary,
    "torch._utils._rebuild_tensor_v2": _rebuild,
    "torch._utils._rebuild_tensor_v3": _rebuild_typed,
    "torch._utils._rebuild_parameter": _parameter,
}
KNOWN = _CALLS.keys() | STORAGES.keys() | TYPES.keys()

_STEPS: dict[str, Callable[[_Program, Any], None]] = {
    "PROTO": lambda program, _: None,
    "FRAME": lambda program, _: None,
    "NONE": lambda program, _: program.push(None),
    "NEWTRUE": lambda program, _: program.push(True),
    "NEWFALSE": lambda program, _: program.push(False),
    **dict.fromkeys(
        ("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "UNICODE",
         "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES"),
        _Program.push,
    ),
    "MARK": _Program.mark,
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
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), _Program.put),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _Program.get),
    "MEMOIZE": lambda program, _: program.put(len(program.memo)),
    "GLOBAL": lambda program, names: program.name(names.replace(" ", ".")),
    "STACK_GLOBAL": _Program.stack_name,
    "REDUCE": _Program.call,
    "BUILD": _Program.build,
    "BINPERSID": _Program.storage,
}  # fmt: skip


# --- tensors ------------------------------------------------------------------------------------------------


def _stored(path: str, archive: _Archive, name: str, tensor: _Tensor, swapped: bool) -> StoredTensor:
    """One tensor, its place checked against its storage and the bytes there are."""
    where = f"tensor {name!r:.100}"
    storage, width = tensor.storage, DTYPES[tensor.dtype][0]
    member = f"{archive.root}data/{storage.key}"
    needed, size = storage.count * DTYPES[storage.dtype][0], archive.size(member)
    if size is None:
        raise _Unsound(f"{where} is in the storage {storage.key!r:.80}, which the file does not have")
    if size != needed:
        raise _Unsound(f"{where}: its storage should have {needed:,} bytes and has {size:,}")
    shape, strides, offset = checked_shape(tensor.shape), checked_shape(tensor.strides), tensor.offset
    if shape is None or strides is None or len(shape) != len(strides):
        raise _Unsound(f"{where}: its shape or strides are damaged")
    if type(offset) is not int or not 0 <= offset < 1 << 48:
        raise _Unsound(f"{where}: its offset is damaged")
    count, there = prod(shape), size // width
    last = offset + sum((length - 1) * stride for length, stride in zip(shape, strides, strict=True))
    if count and last >= there:
        raise _Unsound(f"{where}, {list(shape)}, ends at number {last + 1:,} of a storage of {there:,}")
    if count > there or any(n > 1 and not stride for n, stride in zip(shape, strides, strict=True)):
        raise _Unsound(
            f"{where}, {list(shape)}, is expanded from fewer numbers", f"save {name!r:.100}.clone() instead"
        )
    if size % width:
        raise _Unsound(f"{where}: its storage of {size:,} bytes holds no whole {tensor.dtype} numbers")

    def data() -> bytes | memoryview:
        try:
            numbers = archive.content(member)
        except (_Unsound, zlib.error) as error:
            _refuse(path, error if isinstance(error, _Unsound) else _Unsound(str(error)))
        return _row_major(numbers, width, offset, shape, strides, swapped and width > 1)

    return StoredTensor(name, shape, tensor.dtype, data)


def _row_major(
    data: memoryview, width: int, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], swapped: bool
) -> bytes | memoryview:
    """The tensor's numbers, little-endian and the last index fastest: a window on `data` where they lie so."""
    count, dense = prod(shape), _dense(shape)
    if not count:
        return b""
    if all(n == 1 or there == here for n, there, here in zip(shape, strides, dense, strict=True)):
        window = data[offset * width : (offset + count) * width]
        return _swapped(window, width) if swapped else window
    code = CODES[width]
    numbers, result = data.cast(code), array(code, bytes(count * width))
    longest = shape.index(max(shape))  # copied in one slice, for each place of the other dimensions
    others = [place for place in range(len(shape)) if place != longest]
    steps, targets = [strides[place] for place in others], [dense[place] for place in others]
    step, target_step, length = strides[longest], dense[longest], shape[longest]
    for places in product(*(range(shape[place]) for place in others)):
        begin, target = offset + sum(map(mul, places, steps)), sum(map(mul, places, targets))
        piece = numbers[begin : begin + step * (length - 1) + 1 : step]
        result[target : target + target_step * (length - 1) + 1 : target_step] = array(code, piece.tobytes())
    if swapped:
        result.byteswap()
    return result.tobytes()


def _dense(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides of a tensor whose numbers lie row after row."""
    return tuple(prod(shape[place + 1 :]) for place in range(len(shape)))


def _swapped(data: memoryview, width: int) -> bytes:
    numbers = array(CODES[width], bytes(data))
    numbers.byteswap()
    return numbers.tobytes()
