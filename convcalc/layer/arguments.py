"""Arguments of `convcalc apply`: operator and input in either order, and the fields that options set."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from convcalc.errors import UsageError
from convcalc.images.decode import SUFFIXES
from convcalc.layer import matrices, windows
from convcalc.layer.apply import is_operator
from convcalc.ops import Tensor

if TYPE_CHECKING:
    from convcalc.images.preprocess import Picture

TEXTS = (".csv", ".txt", ".tsv", ".json")


def operator_and_input(arguments: Sequence[str], weighted: bool) -> tuple[str, str]:
    """The operator and the input, given in either order; with weights the operator is optional. Raises UsageError."""
    if len(arguments) == 2:
        first, second = arguments
        return (second, first) if is_operator(second) and not is_operator(first) else (first, second)
    if len(arguments) == 1 and weighted:
        return "conv", arguments[0]
    given = "one argument" if len(arguments) == 1 else f"{len(arguments)} arguments"
    raise UsageError(
        f"apply needs an operator and an input, not {given}",
        hint=f"{_example(arguments)}\nwith --weights the operator may be left out",
    )


def _example(arguments: Sequence[str]) -> str:
    """The command that was probably meant, with shell quoting."""
    words = [word.replace("−", "-") for word in arguments]  # undo the replacement by the command line
    if len(words) == 1:
        return _command(words[0], "1 2; 3 4") if is_operator(words[0]) else _command("blur", words[0])
    if len(words) < 3 or not is_operator(words[0].rstrip(":")):
        return f"quote them: {_command('maxpool: 2', '1 2; 3 4')}"
    kind, *rest = words
    if len(rest) == 2 and all(word.lower().endswith(SUFFIXES) for word in rest):
        return _command(kind, rest[0], "-o", rest[1])
    if kind.endswith(":") or re.search(
        r"[\s;,|\[]|\.\w*[a-z]$", rest[-1]
    ):  # the last argument is an input by itself
        return f"quote them: {_command(' '.join([kind.rstrip(':') + ':', *rest[:-1]]), rest[-1])}"
    return f"quote them: {_command(kind, ' '.join(rest))}"


def _command(*words: str) -> str:
    return shlex.join(["convcalc", "apply", *words])


class ParsedInput(NamedTuple):
    """The parsed INPUT. decimal: how its numbers were written (see matrices.Matrix); line: whether it is a single
    row or column; picture: the image, if it is one."""

    tensor: Tensor
    decimal: bool | None = None
    line: bool = False
    picture: Picture | None = None


def read_source(text: str, max_size: int) -> ParsedInput:
    """Read the input: a matrix, a file of numbers, an image, or `-` for standard input."""
    suffix = os.path.splitext(text)[1].lower()
    if text == "-" or suffix in TEXTS:
        matrix = matrices.load(text)
    elif suffix in SUFFIXES or os.path.isfile(text):
        from convcalc.images.preprocess import pixels

        picture = pixels(text, max_size)
        return ParsedInput(Tensor(picture.shape, picture.values), picture=picture)
    else:
        matrix = matrices.parse(text, "INPUT")
    line = len(matrix.planes) == 1 and (matrix.signal or matrix.width == 1)
    return ParsedInput(matrix.tensor, matrix.decimal, line)


def window_fields(given: Mapping[str, Any], rank: int) -> dict[str, str]:
    """The fields that window options set, as YAML by name. Raises UsageError."""
    fields = {}
    for name in ("kernel", "stride", "dilation"):
        values = windows.extents(given[name], f"--{name}")
        if values is not None:
            fields[name] = str(list(values) if len(values) > 1 else values[0])
    pads = windows.paddings(given["padding"])
    if pads is not None:
        sides = [side if isinstance(side, str) else list(side) for side in pads]
        every = sides * rank if len(sides) == 1 else sides
        fields["padding"] = str(sides[0] if isinstance(sides[0], str) else every)
    if given["rounding"] is not None:
        fields["rounding"] = str(given["rounding"])
    return fields
