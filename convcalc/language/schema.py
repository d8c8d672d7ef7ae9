"""The JSON Schema of the spec language for editors, generated from the operators' fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convcalc import ops
from convcalc.language.budget import DTYPES, LINTS, QUANTITIES
from convcalc.language.documents import KEYS
from convcalc.language.header import LABELS, PREPROCESS, WEIGHTS_KEYS
from convcalc.language.tasks import TASKS
from convcalc.language.words import COMMON
from convcalc.ops import FieldInfo, Operator

DRAFT = "https://json-schema.org/draft/2020-12/schema"
EXPRESSION: dict[str, Any] = {"type": "string", "pattern": "\\$"}
REF_ENTRIES = {"$ref": "#/$defs/layers"}

_TEXT: dict[str, Any] = {"type": "string"}
_PATH = {"type": ["string", "integer"]}  # a layer's name may be a number
_PATHS = {"anyOf": [_PATH, {"type": "array", "items": _PATH, "minItems": 1}]}
_COMMON_FORMS: dict[str, dict[str, Any]] = {
    "name": {"type": ["string", "integer"]},
    "from": _PATHS,
    "if": {"anyOf": [{"type": "boolean"}, EXPRESSION]},
    "repeat": {"anyOf": [{"type": "integer", "minimum": 0}, EXPRESSION]},
    "copies": {"type": ["string", "integer"]},
    "first": {"type": "object"},
    "share": _TEXT,
    "keys": {"anyOf": [_TEXT, {"type": "object", "additionalProperties": _TEXT}]},
}
_COMMON = {key: {"description": text, **_COMMON_FORMS[key]} for key, text in COMMON.items()}
_NAMING = {"description": "index: number the children 0, 1, 2…", "const": "index"}


def schema() -> dict[str, Any]:
    """The JSON Schema, draft 2020-12. An entry may have any other key, as it may be a block defined in the file."""
    operators = {kind: _operator(ops.get(kind)) for kind in ops.names()}
    forms = _header()
    return {
        "$schema": DRAFT,
        "title": "convcalc architecture",
        "type": "object",
        "additionalProperties": False,
        "properties": {key: {"description": text, **forms[key]} for key, text in KEYS.items()},
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
                    "refs": {
                        "description": "names of layers that it reads where it is used: from: $name",
                        "type": "array",
                        "items": {"type": "string"},
                    },
                    "naming": _NAMING,
                    "layers": REF_ENTRIES,
                },
                required=["layers"],
            ),
        },
    }


def _header() -> dict[str, dict[str, Any]]:
    """The schema of each key of a spec."""
    positive = {"anyOf": [{"type": "integer", "minimum": 1}, EXPRESSION]}
    texts = {"type": "array", "items": _TEXT}
    sides = dict.fromkeys(("channels", "depth", "height", "width", "length"), positive)
    lints = {"enum": list(LINTS)}
    names = [{"enum": list(LABELS)}, {"type": "array", "items": {"type": ["string", "number"]}}]
    shape = {
        "anyOf": [
            {"type": "array", "items": positive, "minItems": 1, "maxItems": 4},
            _object(sides, ["channels"]),
            _object({"features": positive}, ["features"]),
        ]
    }
    return {
        "name": {"type": ["string", "integer"]},
        "title": {"type": ["string", "number"]},
        "source": {"type": ["string", "number"]},
        "notes": {"anyOf": [_TEXT, texts]},
        "extends": _TEXT,
        "vars": {"type": "object"},
        "input": shape,
        "inputs": {"type": "object", "minProperties": 1, "additionalProperties": shape},
        "outputs": {"anyOf": [_TEXT, texts, {"type": "object", "additionalProperties": _TEXT}]},
        "defaults": _object({kind: _fields(ops.get(kind), common=False) for kind in ops.names()}),
        "blocks": {"type": ["object", "null"], "additionalProperties": {"$ref": "#/$defs/block"}},
        "layers": REF_ENTRIES,
        "preprocess": _object(
            {key: {"anyOf": [kind.schema, EXPRESSION]} for key, kind in PREPROCESS.items()}
        ),
        "labels": {
            "anyOf": [
                *names,
                {
                    "type": "object",
                    "minProperties": 1,
                    "maxProperties": 1,
                    "additionalProperties": {"anyOf": names},
                },
            ]
        },
        "task": {"enum": list(TASKS)},
        "published": {
            "type": "object",
            "properties": {"source": {"type": ["string", "number"]}},
            "additionalProperties": {"type": "number"},
        },
        "budget": _object(
            {
                **{key: {"anyOf": [{"type": "number", "minimum": 0}, _TEXT]} for key in QUANTITIES},
                "batch": positive,
                "dtype": {"anyOf": [{"enum": list(DTYPES)}, EXPRESSION]},
                "input": {"anyOf": [shape, {"type": "object", "additionalProperties": shape}]},
            }
        ),
        "lint": _object({"ignore": {"anyOf": [lints, {"type": "array", "items": lints}]}}),
        "weights": {"anyOf": [_TEXT, _object({key: _WEIGHTS[key] for key in WEIGHTS_KEYS})]},
    }


# YAML reads a hash that consists only of digits as an integer.
_WEIGHTS: dict[str, dict[str, Any]] = {"url": _TEXT, "sha256": {"type": ["string", "integer"]}}


def _object(properties: dict[str, Any], required: Sequence[str] = ()) -> dict[str, Any]:
    """The schema of a mapping with exactly these keys allowed."""
    return {
        "type": "object",
        "additionalProperties": False,
        **({"required": list(required)} if required else {}),
        "properties": properties,
    }


def _structures() -> dict[str, Any]:
    group = {"naming": _NAMING, "layers": REF_ENTRIES, **_COMMON}
    return {
        "group": {"anyOf": [REF_ENTRIES, _object(group, ["layers"])], "description": "layers under one name"},
        "use": {
            "anyOf": [{"type": "string"}, {"type": "object", "required": ["block"]}],
            "description": "a block or operator that a variable names",
        },
        "network": {
            "anyOf": [
                _TEXT,
                _object(
                    {
                        "arch": {"description": "a bundled name, or a path that ends in .yaml", **_TEXT},
                        "until": {"description": "path of the layer it ends with", **_TEXT},
                        "set": {"description": "values for its vars", "type": "object"},
                        **_COMMON,
                    },
                    ["arch"],
                ),
            ],
            "description": "another spec as a layer",
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
    """The schema of the value of `kind:`: null, the main field's value (branches of a join), or its fields."""
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
    """The schema of a field's value: its own schema, an expression, or null for the operator's default."""
    forms = [info.kind.schema, EXPRESSION]
    if "anyOf" in info.kind.schema or info.kind.schema.get("type") == "array":
        # a list, or a pair within it, may contain expressions, which the field's own schema does not allow
        inner = {"type": "array", "contains": EXPRESSION}
        forms.append({"type": "array", "contains": {"anyOf": [EXPRESSION, inner]}})
    if not info.required:
        forms.append({"type": "null"})
    return {"description": info.doc, "anyOf": forms}
