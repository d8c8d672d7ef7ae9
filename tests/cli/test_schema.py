"""`convcalc schema`: a valid JSON Schema that every bundled spec satisfies and typing slips do not."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from convcalc.language import bundled, reader

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def validator(convcalc) -> jsonschema.Draft202012Validator:
    schema = json.loads(convcalc("schema").stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def value(text: str) -> object:
    return reader.read(reader.YamlSource("spec", text)).value


@pytest.mark.parametrize("name", bundled.names())
def test_bundled_specs_are_valid(validator, name: str) -> None:
    path = bundled.path(name)
    assert path is not None
    assert [
        error.message for error in validator.iter_errors(value(Path(path).read_text(encoding="utf-8")))
    ] == []


@pytest.mark.parametrize(
    "layers",
    [
        "[{conv: {filters: 3, kernal: 3}}]",
        "[{conv: {filters: 0, kernel: 3}}]",
        "[{conv: {filters: 3, kernel: 3, bias: 1}}]",
        "[{conv: {filters: 3, kernel: [1, 2, 3, 4]}}]",
        "[{dropout: 2}]",
        "[{foreach: {in: [1]}}]",
        "[{conv: {filters: 3, kernel: 3}, relu: {}}]",
        "relu",
    ],
)
def test_slips_are_not(validator, layers: str) -> None:
    spec = value(f"name: slip\ninput: [1, 9, 8]\nlayers: {layers}\n")
    assert list(validator.iter_errors(spec))
