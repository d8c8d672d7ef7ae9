"""The names in a pickle of tensors: those that stand for tensors and storages are interpreted, all others are not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

AGAIN = "download it again, or save it again with torch.save(model.state_dict(), FILE)"
ONLY_WEIGHTS = (
    "a weights file holds tensors by name;\nwhere you trust this one: torch.save(model.state_dict(), FILE)"
)
UNTRUSTED = "do not load this file with PyTorch either: it would run that"
# Names that attacks use and checkpoints do not. Nothing runs here, but the user should not load such a file in PyTorch.
RUNNING_MODULES = {
    "_pickle", "code", "codeop", "commands", "ctypes", "importlib", "marshal", "nt", "os", "pickle", "posix", "pty",
    "runpy", "shutil", "socket", "subprocess", "sys", "webbrowser",
}  # fmt: skip
RUNNING_BUILTINS = {"__import__", "breakpoint", "compile", "eval", "exec", "execfile", "input", "open"}

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


class InvalidFile(Exception):
    """A defect in a file. `read`, which knows the path, turns it into a WeightsError."""

    def __init__(self, reason: str, hint: str = AGAIN) -> None:
        super().__init__(reason)
        self.hint = hint


@dataclass(frozen=True)
class Global:
    """A name mentioned in the pickle. It is never looked up."""

    name: str


@dataclass(frozen=True, eq=False)
class ForeignObject:
    """The name of an object of another library, which is not created."""

    name: str


@dataclass(frozen=True)
class PickledStorage:
    """Numbers of one type under data/<key>: `count` of `dtype`."""

    key: str
    dtype: str
    count: int


@dataclass(frozen=True)
class PickledTensor:
    """A tensor's place in its storage, in numbers of `dtype`; shape and strides as written, not yet checked."""

    storage: PickledStorage
    offset: object
    shape: object
    strides: object
    dtype: str


def foreign_object(function: object, arguments: object) -> ForeignObject:
    """A placeholder for the result of calling a function, named after its class."""
    if isinstance(function, ForeignObject):
        return function
    if not isinstance(function, Global):
        raise InvalidFile(
            f"it calls {kind_of(function)}, which no tensor needs; nothing was run", ONLY_WEIGHTS
        )
    name = function.name
    if name in STORAGES or name in TYPES:
        raise InvalidFile(f"it calls {name}, which no tensor needs; nothing was run", ONLY_WEIGHTS)
    first = arguments[0] if isinstance(arguments, tuple) and arguments else None
    if name in ("copyreg._reconstructor", "copy_reg._reconstructor") and isinstance(first, Global):
        name = first.name
    return ForeignObject(FAMILIAR.get(name, name))


def _rebuild(
    storage: object, offset: object, shape: object, strides: object, *rest: object
) -> PickledTensor | ForeignObject:
    """torch._utils._rebuild_tensor_v2; requires_grad, hooks and metadata are not used."""
    if isinstance(storage, ForeignObject):
        return storage
    if not isinstance(storage, PickledStorage) or not 2 <= len(rest) <= 3:
        raise InvalidFile("its data.pkl describes a tensor wrongly")
    return PickledTensor(storage, offset, shape, strides, storage.dtype)


def _rebuild_first(
    storage: object, offset: object, shape: object, strides: object
) -> PickledTensor | ForeignObject:
    """torch._utils._rebuild_tensor, used before version 0.4."""
    return _rebuild(storage, offset, shape, strides, False, {})


def _rebuild_typed(
    storage: object, offset: object, shape: object, strides: object, *rest: object
) -> PickledTensor | ForeignObject:
    """torch._utils._rebuild_tensor_v3, which states the type separately, for types without a storage class."""
    if isinstance(storage, ForeignObject):
        return storage
    kind = rest[2] if 3 <= len(rest) <= 4 else None
    if isinstance(kind, Global) and kind.name not in KNOWN:
        return ForeignObject(f"tensor of {kind.name}")
    dtype = TYPES.get(kind.name) if isinstance(kind, Global) else None
    if not isinstance(storage, PickledStorage) or dtype is None:
        raise InvalidFile("its data.pkl describes a tensor wrongly")
    return PickledTensor(storage, offset, shape, strides, dtype)


def _parameter(tensor: object, *rest: object) -> PickledTensor | ForeignObject:
    if isinstance(tensor, ForeignObject):
        return tensor
    if not isinstance(tensor, PickledTensor) or len(rest) != 2:
        raise InvalidFile("its data.pkl describes a parameter wrongly")
    return tensor


def _dictionary(pairs: object = ()) -> dict[Any, Any]:
    """collections.OrderedDict: empty, or, as written by Python 2, from a list of pairs."""
    if not isinstance(pairs, list | tuple) or not all(
        isinstance(p, list | tuple) and len(p) == 2 for p in pairs
    ):
        raise InvalidFile("its data.pkl makes an ordered dictionary in a way PyTorch does not")
    return filled({}, pairs)


def filled(target: dict[Any, Any], pairs: Iterable[Iterable[Any]]) -> dict[Any, Any]:
    """The dictionary with further pairs of keys and values. Raises InvalidFile for a repeated key."""
    for key, value in pairs:
        if not isinstance(
            key, (str, int, float, bytes, type(None))
        ):  # hashing nested tuples may take forever
            key = ForeignObject(kind_of(key))
        if key in target:
            raise InvalidFile(f"its data.pkl has {key_name(key)} twice")
        target[key] = value
    return target


CALLS: dict[str, Callable[..., object]] = {
    "collections.OrderedDict": _dictionary,
    "collections.defaultdict": lambda *_: {},
    "torch._utils._rebuild_tensor": _rebuild_first,
    "torch._utils._rebuild_tensor_v2": _rebuild,
    "torch._utils._rebuild_tensor_v3": _rebuild_typed,
    "torch._utils._rebuild_parameter": _parameter,
}
NO_STORAGES = CALLS.keys() | TYPES.keys()
KNOWN = NO_STORAGES | STORAGES.keys()
FAMILIAR = {
    f"{package}.multiarray.{function}": name
    for package in ("numpy.core", "numpy._core")
    for function, name in (("scalar", "NumPy number"), ("_reconstruct", "NumPy array"))
}


def kind_of(value: object) -> str:
    """A value's kind, for an error."""
    if isinstance(value, (ForeignObject, Global)):
        article = "an" if value.name[:1].lower() in "aeiou" else "a"
        return f"{article} {value.name:.100}"
    if isinstance(value, dict) and not value:
        return "an empty dictionary"
    return next((text for kind, text in _KINDS.items() if isinstance(value, kind)), "a single value")


_KINDS: dict[type, str] = {
    dict: "a dictionary", list: "a list", tuple: "a tuple", str: "a text", type(None): "None",
    PickledTensor: "a tensor", int: "a number", float: "a number",
}  # fmt: skip


def key_name(key: object) -> str:
    """A dictionary's key, for an error."""
    return f"{key!r:.80}" if isinstance(key, str) else "a key"
