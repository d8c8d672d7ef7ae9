"""The JSON Schema of the spec language, for editors: generated from the operators' fields."""

from __future__ import annotations

from typing import Any

from convcalc import ops
from convcalc.language.words import COMMON
from convcalc.ops import FieldInfo, Operator

DRAFT = "https://json-schema.org/draft/2020-12/schema"
EXPRESSION: dict[str, Any] = {"type": "string", "pattern": "\\$"}
REF_ENTRIES = {"$ref": "#/$defs/layers"}

_COMMON: dict[str, dict[str, Any]] = {
    "name": {"type": ["string", "integer"], "description": "path segment; default is kind and ordinal"},
    "from": {
        "description": "instead of the layer before: a name or dotted path; a list for joins without branches",
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}],
    },
    "if": {"description": "when false the entry is not there", "anyOf": [{"type": "boolean"}, EXPRESSION]},
    "repeat": {"description": "copies in sequence", "anyOf": [{"type": "integer", "minimum": 0}, EXPRESSION]},
    "copies": {"type": ["string", "integer"], "description": "the copies' segments, default $i"},
    "first": {"type": "object", "description": "fields added or replaced in copy 0"},
    "share": {"type": "string", "description": "path of a layer whose weights this one uses"},
    "keys": {
        "description": "names in a weights file where they differ",
        "anyOf": [{"type": "string"}, {"type": "object", "additionalProperties": {"type": "string"}}],
    },
}
_NAMING = {"description": "index: number the children 0, 1, 2…", "const": "index"}


def schema() -> dict[str, Any]:
    """The whole schema (draft 2020-12). Blocks of a file's own are any other key of an entry."""
    assert set(_COMMON) == set(COMMON)
    operators = {kind: _operator(ops.get(kind)) for kind in ops.names()}
    positive = {"anyOf": [{"type": "integer", "minimum": 1}, EXPRESSION]}
    return {
        "$schema": DRAFT,
        "title": "convcalc architecture",
        "type": "object",
        "required": ["name"],
        "additionalProperties": False,
        "properties": {
            "name": {"type": ["string", "integer"], "description": "the network's name"},
            "title": {"type": ["string", "number"], "description": "what tables show instead of the name"},
            "source": {"type": ["string", "number"], "description": "the paper or page it follows"},
            "notes": {
                "description": "remarks shown under its tables",
                "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
            },
            "extends": {"type": "string", "description": "a bundled name, or a path that ends in .yaml"},
            "vars": {"type": "object", "description": "values for $name, which --set changes"},
            "input": {
                "description": "the input's shape, channels first: [3, 224, 224] or a mapping",
                "anyOf": [
                    {"type": "array", "items": positive, "minItems": 2, "maxItems": 4},
                    {
                        "type": "object",
                        "required": ["channels"],
                        "additionalProperties": False,
                        "properties": dict.fromkeys(
                            ("channels", "depth", "height", "width", "length"), positive
                        ),
                    },
                ],
            },
            "defaults": {
                "description": "fields of an operator wherever they are not written",
                "type": "object",
                "additionalProperties": False,
                "properties": {kind: _fields(ops.get(kind), common=False) for kind in ops.names()},
            },
            "blocks": {
                "description": "the file's own layers, with parameters",
                "type": ["object", "null"],
                "additionalProperties": {"$ref": "#/$defs/block"},
            },
            "layers": {"description": "the entries, one after another", **REF_ENTRIES},
            "preprocess": {
                "description": "how an image becomes the input",
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "resize": positive,
                    "crop": positive,
                    "mean": _per_colour(),
                    "std": _per_colour(),
                    "mode": _words("rgb", "grey"),
                    "interpolation": _words("nearest", "bilinear", "bicubic", "lanczos"),
                    "fit": _words("stretch", "digit"),
                },
            },
            "labels": {
                "description": "the classes' names: imagenet1k, digits or a list",
                "anyOf": [
                    {"enum": ["imagenet1k", "digits"]},
                    {"type": "array", "items": {"type": ["string", "number"]}},
                ],
            },
            "weights": {
                "description": "a weights file beside the spec, or the address of published ones",
                "anyOf": [
                    {"type": "string"},
                    {
                        "type": "object",
                        "additionalProperties": False,
                        "properties": {"url": {"type": "string"}, "sha256": {"type": ["string", "integer"]}},
                    },
                ],
            },
        },
        "$defs": {
            "layers": {"type": ["array", "null"], "items": {"$ref": "#/$defs/entry"}},
            "entry": {
                "anyOf": [
                    {"type": "string", "description": "a layer or block with nothing to say"},
                    {
                        "type": "object",
                        "minProperties": 1,
                        "maxProperties": 1,
                        "properties": {**operators, **_structures()},
                        "additionalProperties": True,
                    },
                ]
            },
            "branch": {
                "anyOf": [
                    REF_ENTRIES,
                    _object(
                        {
                            "name": _COMMON["name"],
                            "naming": _NAMING,
                            "if": _COMMON["if"],
                            "layers": REF_ENTRIES,
                        },
                        required=["layers"],
                    ),
                ]
            },
            "block": _object(
                {
                    "params": {
                        "description": "its parameters and their defaults; required: none",
                        "anyOf": [
                            {"type": "array", "items": {"type": "string"}},
                            {"type": ["object", "null"]},
                        ],
                    },
                    "naming": _NAMING,
                    "layers": REF_ENTRIES,
                },
                required=["layers"],
            ),
        },
    }


def _words(*options: str) -> dict[str, Any]:
    return {"anyOf": [{"enum": list(options)}, EXPRESSION]}


def _per_colour() -> dict[str, Any]:
    return {"anyOf": [{"type": "number"}, {"type": "array", "items": {"type": "number"}}]}


def _object(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "required": required, "properties": properties}


def _structures() -> dict[str, Any]:
    group = {"naming": _NAMING, "layers": REF_ENTRIES, **_COMMON}
    return {
        "group": {"anyOf": [REF_ENTRIES, _object(group, ["layers"])], "description": "layers under one name"},
        "use": {
            "anyOf": [{"type": "string"}, {"type": "object", "required": ["block"]}],
            "description": "a block or operator that a variable names",
        },
        "foreach": _object(
            {
                "in": {"description": "the list gone through", "anyOf": [{"type": "array"}, EXPRESSION]},
                "as": {
                    "description": "a name for each item, or names for its parts",
                    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
                },
                "index": {"type": "string", "description": "a name for the item's number, from 0"},
                "layers": {"description": "the entries of one round", **REF_ENTRIES},
            },
            ["in", "as", "layers"],
        ),
    }


def _operator(operator: type[Operator]) -> dict[str, Any]:
    """What may follow `kind:` : nothing, its main field's value, or its fields."""
    doc = (operator.__doc__ or "").strip().splitlines()[0]
    forms: list[dict[str, Any]] = [{"type": "null"}, _fields(operator)]
    if operator.role == "join":
        forms.append({"type": "array", "items": {"$ref": "#/$defs/branch"}})
    elif operator.main:
        forms.append(_value(operator.fields()[operator.main]))
    return {"description": doc, "anyOf": forms}


def _fields(operator: type[Operator], *, common: bool = True) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for name, info in operator.fields().items():
        properties[name] = _value(info)
        if info.alias:
            properties[info.alias] = _value(info)
    if common:
        if operator.role == "join":
            properties["branches"] = {"type": "array", "items": {"$ref": "#/$defs/branch"}}
        properties.update(_COMMON)
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _value(info: FieldInfo) -> dict[str, Any]:
    """The field's own schema, an expression, or null for the operator's default."""
    forms = [info.kind.schema, EXPRESSION]
    if "anyOf" in info.kind.schema or info.kind.schema.get("type") == "array":
        # a list may hold expressions, which its own schema knows nothing of
        forms.append({"type": "array", "contains": EXPRESSION})
    if not info.required:
        forms.append({"type": "null"})
    return {"description": info.doc, "anyOf": forms}
