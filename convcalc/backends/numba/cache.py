"""Compiled kernels, kept on disk between runs.

`@kernel("source target …")` marks a function that Numba compiles to a C function of int64s. Nothing is compiled
before `address` asks for it; then Numba's own cache is used, in a directory whose name holds a hash of everything
the code depends on: the sources of this package (Numba does not notice an edited intrinsic), the versions of Numba,
llvmlite and Python, the host's processor and the vector width.

Numba writes each file under another name and renames it, so two processes may start at once. A directory that cannot
be written is read; what it does not hold is compiled every time.
"""

from __future__ import annotations

import hashlib
import platform
import sys
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite
import llvmlite.binding as llvm
import numba
from numba import types
from numba.core.caching import FunctionCache, _CacheLocator
from numba.core.ccallback import CFunc

from convcalc.backends import Compiling
from convcalc.backends.numba.simd import WIDTH
from convcalc.weights.pretrained import cache_directory


@cache
def fingerprint() -> str:
    """A hash of what compiled code depends on."""
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.name.encode() + source.read_bytes())
    host = (llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten(), str(WIDTH), platform.machine())
    versions = (numba.__version__, llvmlite.__version__, sys.version)
    digest.update("\0".join((*host, *versions)).encode())
    return digest.hexdigest()[:16]


def directory() -> Path:
    """Where compiled kernels are kept, beside what else convcalc caches."""
    return Path(cache_directory()) / f"kernels-{fingerprint()}"


class _Locator(_CacheLocator):  # type: ignore[misc]
    """Tells Numba our directory. Its name says all, so no file's date is looked at."""

    def __init__(self, name: str) -> None:
        self._name = name

    def ensure_cache_path(self) -> None:
        directory().mkdir(parents=True, exist_ok=True)

    def get_cache_path(self) -> str:
        return str(directory())

    def get_source_stamp(self) -> str:
        return fingerprint()

    def get_disambiguator(self) -> str:
        return self._name


class _Files(FunctionCache._impl_class):  # type: ignore[misc]
    """What Numba calls a function's files, and where they are."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._locator = _Locator(function.__name__)
        self._lineno = function.__code__.co_firstlineno
        self._filename_base = function.__name__


class _Cache(FunctionCache):  # type: ignore[misc]
    """Numba's cache of one function, in our directory; one that cannot be written does no harm."""

    _impl_class = _Files

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # a file cut short or of another making: compile as if there were none
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            self._impl.locator.ensure_cache_path()
            super().save_overload(sig, data)
        except OSError:
            pass


class Kernel:
    """A function to compile: its name, the names of its parameters, and when compiled its address."""

    def __init__(self, function: Callable[..., Any], names: str) -> None:
        self.name = function.__name__
        self.names = tuple(names.split())
        self._function = function
        self._compiled: Any = None

    @property
    def compiled(self) -> bool:
        """Whether this process has it, compiled or loaded."""
        return self._compiled is not None

    def compile(self) -> bool:
        """Load or compile it; whether it had to be compiled."""
        if self._compiled is not None:
            return False
        arity = self._function.__code__.co_argcount
        options = {"nopython": True, "error_model": "numpy"}
        compiled: Any = CFunc(
            self._function, ((types.int64,) * arity, types.void), locals={}, options=options
        )
        compiled._cache = _Cache(self._function)
        compiled.compile()
        self._compiled = compiled
        return not compiled.cache_hits

    @property
    def address(self) -> int:
        """Where its machine code starts."""
        self.compile()
        return int(self._compiled.address)

    def record(self, values: dict[str, int]) -> list[int]:
        """The values in the kernel's own order. Raises KeyError for one too few or too many."""
        if set(values) != set(self.names):
            raise KeyError(f"{self.name}: {sorted(set(values) ^ set(self.names))}")
        return [values[name] for name in self.names]


def kernel(names: str = "") -> Callable[[Callable[..., Any]], Kernel]:
    """Marks a kernel `(record, first, stop, thread)` whose record holds these parameters, int64 each."""
    return lambda function: Kernel(function, names)


def compile_all(kernels: Iterable[Kernel], compiling: Compiling | None = None) -> int:
    """Loads the kernels, compiles those the disk does not have and says so; how many were compiled."""
    wanted = [one for one in dict.fromkeys(kernels) if not one.compiled]
    count = 0
    for place, one in enumerate(wanted):
        if compiling and (count or not _stored(one)):
            compiling(place, len(wanted), one.name)
        count += one.compile()
    if compiling and count:
        compiling(len(wanted), len(wanted), "")
    return count


def _stored(one: Kernel) -> bool:
    return any(directory().glob(f"{one.name}*.nbi"))
