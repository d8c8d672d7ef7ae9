"""Recorded programs: small PyTorch modules as they were traced, with inputs and PyTorch's outputs.

tests/torchvision/record_programs.py writes them, and has the modules.
"""

from __future__ import annotations

import base64
import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from convcalc.formats.torch.read.records import Call, ModuleCall, Program, Ref, Stored

FILE = Path(__file__).parents[2] / "data" / "pytorch" / "programs.json.gz"


class Recorded(NamedTuple):
    """A program, how many parameters its module has, and values: of its inputs, and (shape, values) of its outputs."""

    program: Program
    parameters: int
    inputs: list[list[float]]
    outputs: list[tuple[tuple[int, ...], list[float]]]


@cache
def recorded() -> dict[str, Recorded]:
    """All by name."""
    found = {}
    for entry in json.loads(gzip.decompress(FILE.read_bytes()))["modules"]:
        program = _program(entry["program"])
        outputs = [(tuple(shape), values) for shape, values in entry["outputs"]]
        found[program.name] = Recorded(program, entry["parameters"], entry["inputs"], outputs)
    return found


def _program(value: dict[str, Any]) -> Program:
    return Program(
        value["name"],
        value["batch"],
        [(name, given, tuple(shape)) for name, given, shape in value["inputs"]],
        [tuple(output) for output in value["outputs"]],
        {name: _stored(entry) for name, entry in value["stored"].items()},
        [_call(entry) for entry in value["calls"]],
        value["classes"],
        {path: ModuleCall(*entry) for path, entry in value["modules"].items()},
    )


def _stored(entry: list[Any]) -> Stored:
    shape, size, dtype, text, key, learned, call = entry
    data = base64.b64decode(text)
    made = None if call is None else _call(call)
    return Stored(tuple(shape), tuple(size), dtype, lambda: data, key, frozenset(learned), made)


def _call(entry: list[Any]) -> Call:
    name, op, overload, arguments, shapes, path = entry
    return Call(
        name,
        op,
        overload,
        {key: _argument(value) for key, value in arguments.items()},
        tuple(None if shape is None else tuple(shape) for shape in shapes),
        path,
    )


def _argument(value: Any) -> Any:
    if isinstance(value, dict):
        return Ref(value["ref"])
    return tuple(_argument(item) for item in value) if isinstance(value, list) else value
