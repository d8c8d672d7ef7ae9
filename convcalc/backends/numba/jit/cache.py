"""Compiled kernels, kept on disk between runs.

`@kernel` marks a function that is compiled to a C function of int64s; its signature is the one place where its
parameters are named. Nothing is compiled before `address` asks for it; then its machine code is looked for in a
directory whose name holds a hash of everything the code depends on: the sources of this package, the versions of Numba
and llvmlite, the host's processor and the vector width. Where it is there, Numba is not even imported: llvmlite's
loader is enough.

What is loaded is executed, so the directory must be the user's own: one that another user owns or may write into is
not used, and `notes` says so. A file is written under another name and renamed, so that two processes may start at
once. A directory that cannot be written to is still read; what it lacks is compiled in every process.
"""

from __future__ import annotations

import hashlib
import json
import platform
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, cached_property, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import llvmlite
import llvmlite.binding as llvm
import numpy as np

from convcalc.backends import Compiling
from convcalc.backends.numba.jit.declare import SYMBOL
from convcalc.backends.numba.jit.footprint import Array, Footprint
from convcalc.backends.numba.jit.target import BFLOAT16, FEATURES, WIDTH
from convcalc.errors import ConvcalcError
from convcalc.files import NotPrivate, private_folder
from convcalc.processes import forked, processors

MAX_FILE = 1 << 26  # bytes; the largest has a hundredth of that
Value = TypeVar("Value")
Code = tuple[str, list[str], bytes]  # the symbol to call, the symbols it needs, an object file


@cache
def directory() -> str:
    """The name of the folder, within the cache, that holds the compiled kernels."""
    digest = hashlib.sha256()
    package = Path(__file__).parents[1]
    for source in sorted(package.rglob("*.py")):
        digest.update(str(source.relative_to(package)).encode() + source.read_bytes())
    numba = find_spec("numba")
    if numba and numba.origin:
        digest.update(Path(numba.origin).with_name("_version.py").read_bytes())
    host = (llvm.get_host_cpu_name(), FEATURES, str(WIDTH), BFLOAT16, platform.machine())
    digest.update("\0".join((*host, llvm.get_process_triple(), llvmlite.__version__)).encode())
    return f"kernels-{digest.hexdigest()[:16]}"


class Kernel:
    """A function to compile, and when compiled its address.

        @kernel
        def clear(first: int, stop: int, thread: int, *, target: int, value: float) -> None: ...

    Positional parameters are the arguments of a call, int64 each. Keyword parameters are read from a record, in the
    order in which they are written here: an int64 each, whose lower half is a float's bits where the annotation says
    `float`. The C function takes the record's address before the arguments; without keyword parameters, only those.

    arguments, names: of the arguments and of what the record holds; floats: the floats among these. touches: what the
    kernel reads and writes, see `jit/footprint.py`. element: bytes of an element of the maps that it reads and writes,
    4 for float32; `bfloat16` is the same kernel for elements of bfloat16.
    """

    def __init__(self, function: Callable[..., Any], element: int = 4) -> None:
        code = function.__code__
        named = code.co_argcount + code.co_kwonlyargcount
        self.name = function.__name__ if element == 4 else f"{function.__name__}_bf16"
        self.element = element
        self.arguments = code.co_varnames[: code.co_argcount]
        self.names = code.co_varnames[code.co_argcount : named]
        kinds = {name: str(function.__annotations__[name]) for name in code.co_varnames[:named]}
        self.floats = frozenset(name for name in self.names if kinds[name] == "float")
        if wrong := [name for name, kind in kinds.items() if kind != "int" and name not in self.floats]:
            raise TypeError(
                f"{self.name}: {', '.join(wrong)}: arguments are int, a record's parameters int or float"
            )
        self.touches: Footprint | None = None
        self._function = function
        self._address = 0

    @cached_property
    def bfloat16(self) -> Kernel:
        """The kernel for elements of 2 bytes, bfloat16."""
        made = Kernel(self._function, 2)
        made.touches = self.touches
        return made

    def of(self, element: int) -> Kernel:
        """The kernel for elements of so many bytes, asked of the one for floats."""
        if element == self.element:
            return self
        assert self.element == 4
        return self.bfloat16

    @property
    def loaded(self) -> bool:
        """Whether it is in this process."""
        return self._address != 0

    def load(self) -> bool:
        """Loads it from the disk; returns whether it was there."""
        if not self.loaded and (code := _read(self.name)):
            self._address = _link(self.name, code)
        return self.loaded

    @property
    def address(self) -> int:
        """The address of its machine code, which is loaded or compiled first."""
        if not self.load():
            self.take(self.compiled())
        return self._address

    def compiled(self) -> Code:
        """Its machine code, compiled now."""
        from convcalc.backends.numba.jit.compiler import machine_code

        return machine_code(self._function, self.floats, self.element, self.name)

    def take(self, code: Code) -> None:
        """Keeps its machine code on the disk and loads it into this process."""
        _write(self.name, code)
        self._address = _link(self.name, code)

    def footprint(self, function: Footprint) -> Footprint:
        """A decorator for the function that declares what the kernel reads and writes."""
        self.touches = function
        return function

    def record(self, values: Mapping[str, Value], word: Callable[[Value], int]) -> Array:
        """The values in the kernel's own order, as int64. word: what stands there for a value.

        Raises KeyError for a value too few or too many, and TypeError for a fraction where the kernel takes an int.
        """
        if set(values) != set(self.names):
            raise KeyError(f"{self.name}: {sorted(set(values) ^ set(self.names))}")
        return np.array([self._word(name, values[name], word) for name in self.names], np.int64)

    def _word(self, name: str, value: Value, word: Callable[[Value], int]) -> int:
        if name in self.floats:
            return int(np.float32(value).view(np.uint32))  # type: ignore[arg-type]
        if isinstance(value, float):
            raise TypeError(f"{self.name}: {name} is an int, not {value}")
        return word(value)


def kernel(function: Callable[..., Any]) -> Kernel:
    """Marks a kernel."""
    return Kernel(function)


def compile_all(kernels: Iterable[Kernel], compiling: Compiling | None = None) -> None:
    """Loads the kernels, compiles those that are not on the disk, by as many processes as there are processors, and
    reports that to `compiling`."""
    wanted = [kernel for kernel in dict.fromkeys(kernels) if not kernel.load()]
    if not wanted:  # not even what starts processes is imported
        return
    if compiling:
        compiling(0, len(wanted), wanted[0].name)
    compiled = _compiled(wanted)
    workers = (
        1 if threading.active_count() > 1 else min(len(wanted), processors())
    )  # threads do not survive a fork
    with forked(
        workers, compiled, hint="run it again: it goes on with the kernels that are missing"
    ) as spread:
        codes = (spread or partial(map, compiled))(range(len(wanted)))
        for place, (kernel, code) in enumerate(zip(wanted, codes, strict=True)):
            kernel.take(code)
            if compiling:
                following = wanted[place + 1].name if place + 1 < len(wanted) else ""
                compiling(place + 1, len(wanted), following)


def _compiled(kernels: Sequence[Kernel]) -> Callable[[int], Code]:
    """A worker's job: the machine code of the kernel at a place."""
    return lambda place: kernels[place].compiled()


def _read(name: str) -> Code | None:
    """A kernel from its file, a line of JSON and the object file; None if the file is missing, damaged, or was made
    from other sources."""
    try:
        with private_folder(directory()) as folder:
            head, _, code = folder.read(f"{name}.kernel", MAX_FILE).partition(b"\n")
        facts = json.loads(head)
        symbol, needs = facts["symbol"], facts["needs"]
        sound = (
            symbol == f"{SYMBOL}{name}" and isinstance(needs, list) and all(isinstance(n, str) for n in needs)
        )
        if sound and facts["sha256"] == _digest(name, symbol, needs, code):
            return symbol, needs, code
    except NotPrivate as error:
        _refused.setdefault(str(error), error)
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        pass
    return None


def _write(name: str, code: Code) -> None:
    symbol, needs, binary = code
    facts = {"symbol": symbol, "needs": needs, "sha256": _digest(name, symbol, needs, binary)}
    try:
        with private_folder(directory(), make=True) as folder:
            folder.write(f"{name}.kernel", json.dumps(facts).encode() + b"\n" + binary)
    except NotPrivate as error:
        _refused.setdefault(str(error), error)
    except OSError:
        pass


def _digest(name: str, symbol: str, needs: list[str], binary: bytes) -> str:
    """A hash of a file's content, its kernel and its sources. It detects damage and mistakes, not forgery: who can
    write the file can write its hash too, so only the folder's owner protects against that."""
    head = json.dumps([directory(), name, symbol, needs]).encode()
    return hashlib.sha256(head + b"\n" + binary).hexdigest()


_refused: dict[str, NotPrivate] = {}


def notes() -> tuple[str, ...]:
    """Why compiled kernels are neither read nor kept, if so, and what to do about it."""
    return tuple(f"compiled kernels are not kept: {text}; {error.hint}" for text, error in _refused.items())


def _link(name: str, code: Code) -> int:
    """Loads an object file into this process and returns the address of its symbol. Raises ConvcalcError if anything
    that it needs is missing."""
    symbol, needs, binary = code
    engine = _engine()  # made first: it lets LLVM see the symbols of this process
    _supply(name, needs)
    engine.add_object_file(llvm.ObjectFileRef.from_data(binary))
    engine.finalize_object()
    address = int(engine.get_function_address(symbol))
    if not address:
        raise ConvcalcError(f"the kernel {name} is not in its file", hint="use --backend reference")
    return address


def _supply(name: str, needs: Iterable[str]) -> None:
    """Sees to it that LLVM finds the symbols that a kernel needs.

    Numba's functions may raise exceptions, so their code refers to functions of Numba's runtime. Kernels never raise,
    so where these are not in the process, `abort` takes their place. Raises ConvcalcError if anything else is missing.
    """
    for needed in needs:
        if llvm.address_of_symbol(needed):
            continue
        if not needed.startswith(("numba_", "NRT_")):
            raise ConvcalcError(
                f"the kernel {name} needs {needed}, which this process does not have",
                hint="use --backend reference",
            )
        llvm.add_symbol(needed, llvm.address_of_symbol("abort"))


@cache
def _engine() -> Any:
    """LLVM's loader, which owns the memory of all kernels."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(codemodel="jitdefault")
    return llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
