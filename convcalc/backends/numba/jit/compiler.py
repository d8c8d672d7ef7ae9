"""Compiles kernels to machine code with Numba; imported only when a kernel has to be compiled."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence, Set
from inspect import Parameter, Signature
from types import CellType, FunctionType
from typing import Any

import llvmlite.binding as llvm
import numba
from llvmlite import ir
from numba import types
from numba.extending import intrinsic as numba_intrinsic
from numba.extending import models, overload, register_model

from convcalc.backends.numba.jit.declare import SYMBOL, Inline, Intrinsic
from convcalc.backends.numba.jit.emit import REGISTER, emit_float, emit_row
from convcalc.backends.numba.jit.sizes import Sized
from convcalc.backends.numba.jit.target import FEATURES, WIDTH


class VectorType(types.Type):  # type: ignore[misc]
    """The Numba type of one register of WIDTH floats."""

    def __init__(self) -> None:
        super().__init__(name=f"Vector{WIDTH}")


@register_model(VectorType)
class _VectorModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: VectorType) -> None:
        super().__init__(manager, kind, REGISTER)


VECTOR = VectorType()
# Kernels alone call these functions: what would let Python call them takes a seventh of the time to compile.
INLINED: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}
# The LLVM instructions of +, −, · and / on two vectors.
OPERATORS = {operator.add: "fadd", operator.sub: "fsub", operator.mul: "fmul", operator.truediv: "fdiv"}
KINDS = {"vector": VECTOR, "float": types.float32, "int": types.int64, "none": types.void}


def _numba_intrinsic(intrinsic: Intrinsic, element: int) -> Any:
    """An intrinsic as Numba defines it: a function from types to a signature and a code generator."""
    before = (element,) if intrinsic.by_element else ()

    def define(_: Any, *given: Any) -> Any:
        kinds = list(zip(intrinsic.arguments, given, strict=True))
        arguments = [KINDS.get(kind, actual) for kind, actual in kinds]  # a row or a tuple stays what it is
        rows = [actual.instance_class for kind, actual in kinds if kind == "row"]
        result = KINDS.get(intrinsic.result) or types.NamedUniTuple(
            types.int64, len(rows[0]._fields), rows[0]
        )

        def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
            plain = (
                _unpacked(builder, *both) for both in zip(intrinsic.arguments, given, values, strict=True)
            )
            made = intrinsic.emit(builder, *before, *plain)
            if intrinsic.result == "row":
                return context.make_tuple(builder, result, made)
            return context.get_dummy_value() if made is None else made

        return result(*arguments), generate

    # Numba asks for the number of parameters.
    names = ["context", *(f"argument{place}" for place in range(len(intrinsic.arguments)))]
    define.__name__ = intrinsic.name
    define.__signature__ = Signature(  # type: ignore[attr-defined]
        [Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in names]
    )
    return numba_intrinsic(define)


def _unpacked(builder: ir.IRBuilder, kind: str, given: Any, value: Any) -> Any:
    """An argument in the form that `emit` takes."""
    if kind == "row":
        return len(given.instance_class._fields)
    if kind == "ints":
        return [builder.extract_value(value, place) for place in range(len(given))]
    return value


def _add_operator(function: Any, instruction: str) -> None:
    def emit(builder: ir.IRBuilder, a: ir.Value, b: ir.Value) -> ir.Value:
        return getattr(builder, instruction)(a, b)

    apply = _numba_intrinsic(Intrinsic(instruction, emit, ("vector", "vector"), "vector"), element=4)

    def both(a: Any, b: Any) -> Any:
        return apply(a, b)

    def typed(a: Any, b: Any) -> Any:
        return both if isinstance(a, VectorType) and isinstance(b, VectorType) else None

    overload(function)(typed)


for _function, _instruction in OPERATORS.items():
    _add_operator(_function, _instruction)


class _Resolver:
    """Replaces what `declare` marks, in the functions that use it, by what Numba knows. element: bytes of one."""

    def __init__(self, element: int) -> None:
        self._element = element
        self._made: dict[Inline | Intrinsic, Any] = {}
        self._globals: dict[int, dict[str, Any]] = {}

    def function(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A copy of the function whose globals and closure are resolved."""
        code, closure = function.__code__, function.__closure__ or ()
        names = self._globals.get(id(function.__globals__))
        if names is None:
            names = self._globals[id(function.__globals__)] = dict(function.__globals__)
            names.update({name: self.value(value) for name, value in names.items()})
        cells = tuple(CellType(self.value(cell.cell_contents)) for cell in closure)
        return FunctionType(code, names, function.__name__, function.__defaults__, cells)

    def value(self, value: Any) -> Any:
        """The value that a name stands for, resolved."""
        if isinstance(value, Sized):
            return value.of(self._element)
        if not isinstance(value, Inline | Intrinsic):
            return value
        if value not in self._made:
            if isinstance(value, Inline):
                inline = numba.njit(**INLINED)
                self._made[value] = inline(self.function(value.function))
            else:
                self._made[value] = _numba_intrinsic(value, self._element)
        return self._made[value]


_resolvers = {element: _Resolver(element) for element in (4, 2)}


def _record_reader(floats: Sequence[bool]) -> Any:
    """What reads a record at an address: a tuple of int64s and, where so marked, of floats."""
    result = types.Tuple([types.float32 if is_float else types.int64 for is_float in floats])

    def read(_: Any, record: Any) -> Any:
        def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
            words = emit_row(builder, values[0], len(floats))
            made = [
                emit_float(builder, word) if is_float else word
                for word, is_float in zip(words, floats, strict=True)
            ]
            return context.make_tuple(builder, result, made)

        return result(types.int64), generate

    return numba_intrinsic(read)


def _entry(function: Callable[..., Any], floats: Set[str], element: int) -> Callable[..., Any]:
    """A kernel as a function of int64s alone, which reads the keyword parameters from its record.

    Its few lines are generated from the kernel's signature, so that no list of parameters has to match another:

        def sweep(record, weights, …):
            body(weights, …, *read(record))
    """
    code = function.__code__
    arguments = code.co_varnames[: code.co_argcount]
    names = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    resolved = _resolvers[element].function(function)
    if not names:
        return resolved
    # Numba knows no keyword-only parameters. As positional ones they keep their places among the variables.
    positional = code.replace(co_argcount=len(arguments) + len(names), co_kwonlyargcount=0)
    body = FunctionType(positional, resolved.__globals__, function.__name__, None, resolved.__closure__)
    known = {
        "body": numba.njit(forceinline=True, **INLINED)(body),
        "read": _record_reader([name in floats for name in names]),
    }
    head, given = ", ".join(("record", *arguments)), "".join(f"{name}, " for name in arguments)
    exec(f"def {function.__name__}({head}):\n    body({given}*read(record))", known)
    entry: Callable[..., Any] = known[function.__name__]
    return entry


def machine_code(
    function: Callable[..., Any], floats: Set[str], element: int, name: str
) -> tuple[str, list[str], bytes]:
    """(the symbol to call, the symbols it needs, an object file) of a kernel, for this processor.

    floats: the names of the keyword parameters that are floats; element: bytes of an element of its maps; name: the
    kernel's.
    """
    symbol, module, machine = _translated(function, floats, element, name)
    needs = [
        known.name
        for known in (*module.functions, *module.global_variables)
        if known.is_declaration and not known.name.startswith("llvm.")
    ]
    return symbol, needs, machine.emit_object(module)


def assembly(function: Callable[..., Any], floats: Set[str], element: int = 4) -> str:
    """A kernel's machine code as text."""
    _, module, machine = _translated(function, floats, element, function.__name__)
    text: str = machine.emit_assembly(module)
    return text


def _translated(
    function: Callable[..., Any], floats: Set[str], element: int, name: str
) -> tuple[str, llvm.ModuleRef, llvm.TargetMachine]:
    """(the symbol to call, the LLVM module, the processor it is for) of a kernel."""
    entry = _entry(function, floats, element)
    arguments = (types.int64,) * entry.__code__.co_argcount
    compiled = numba.cfunc(types.void(*arguments), error_model="numpy")(entry)
    module = llvm.parse_assembly(compiled.inspect_llvm())
    # Kernels compiled by different processes are loaded together, and Numba's names are unique in one process only.
    symbol = f"{SYMBOL}{name}"
    for defined in module.functions:
        if defined.name == compiled.native_name:
            defined.name = symbol
        elif not defined.is_declaration:
            defined.linkage = "internal"
    machine = llvm.Target.from_triple(module.triple).create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=FEATURES,
        opt=3,
        codemodel="jitdefault",
    )
    return symbol, module, machine
