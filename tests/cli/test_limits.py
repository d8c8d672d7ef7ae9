"""Files far too large for what they claim to be are refused in little memory."""

from __future__ import annotations

from pathlib import Path

import pytest

MOST = 120e6  # bytes of memory; the interpreter takes 20 million of them
HEADER = b"exercise,network,layer,input,asks,answer\n"
MEGABYTE = 1_000_000

SHEETS = {
    "100 MB": (HEADER + b"x" * (100 * MEGABYTE), "more than 2,000,000 bytes are too many for a worksheet"),
    "empty lines": (HEADER + b"\n" * (2 * MEGABYTE - 100), "holds no exercises"),
    "empty cells": (HEADER + b"," * (2 * MEGABYTE - 100), "holds no exercises"),
    "80,000 rows": (HEADER + b"1,lenet5,conv1,,output,\n" * 80_000, "more than 20,000 exercises"),
    "lists": (b'{"exercises":[' + b"[]," * 660_000 + b"[]]}", "needs a list of exercises"),
    "brackets": (b"[" * (2 * MEGABYTE - 100), "cannot be read as JSON"),
}
MATRICES = {
    "100 MB": (b"1," * (50 * MEGABYTE), "larger than 16 MiB"),
    "ones": (b"1 " * (8 * MEGABYTE), "more than 1,000,000 values"),
    "fractions": (b"1/3 " * (4 * MEGABYTE), "more than 1,000,000 values"),
    "rows": (b"1\n" * (8 * MEGABYTE), "more lines or lists than 1,000,000 values need"),
    "channels": (b"1\n\n" * (5 * MEGABYTE), "more lines or lists than 1,000,000 values need"),
    "empty lines": (b"\n" * (16 * MEGABYTE), "more lines or lists than 1,000,000 values need"),
    "lists": (
        b"[" + b"[1]," * (4 * MEGABYTE - 10) + b"[1]]",
        "more lines or lists than 1,000,000 values need",
    ),
    "one number": (b"9" * (16 * MEGABYTE), "is neither a number nor a letter"),
}
SPECS = {
    "100 MB": (b"name: x\n# " + b"x" * (100 * MEGABYTE), "larger than 16 MiB"),
    "brackets": (b"[" * (16 * MEGABYTE), "depth"),
}


@pytest.mark.parametrize("case", SHEETS)
def test_worksheets(case: str, tmp_path: Path, measured) -> None:
    check(measured, ["worksheet", "--check"], tmp_path / "sheet", SHEETS[case])


@pytest.mark.parametrize("case", MATRICES)
def test_matrices(case: str, tmp_path: Path, measured) -> None:
    check(measured, ["apply", "maxpool: 1"], tmp_path / "matrix.csv", MATRICES[case])


@pytest.mark.parametrize("case", SPECS)
def test_specs(case: str, tmp_path: Path, measured) -> None:
    check(measured, ["show"], tmp_path / "spec.yaml", SPECS[case])


def check(measured, command: list[str], path: Path, case: tuple[bytes, str]) -> None:
    """The command refuses a file of this content with this message, in little memory."""
    content, message = case
    path.write_bytes(content)
    done = measured(*command, path)
    assert done.returncode == 1
    assert message in done.stderr
    assert done.memory < MOST
