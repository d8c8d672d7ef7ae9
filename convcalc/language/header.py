"""The keys of a spec besides layers and inputs: texts, labels, task, published figures, weights and preprocessing."""

from __future__ import annotations

import re
from typing import Any

from convcalc.errors import SpecError, clean, did_you_mean
from convcalc.language import reader
from convcalc.language.documents import Spec
from convcalc.language.expressions import Names
from convcalc.language.tasks import TASKS
from convcalc.language.values import compile_value
from convcalc.language.words import listed
from convcalc.ops import FieldError, FieldKind, describe, whole

WEIGHTS_KEYS = ("url", "sha256")
LABELS = ("imagenet1k", "kinetics400", "cifar10", "digits")
MAX_SIDE = 100_000  # pixels of a resized or cropped image


def header(spec: Spec) -> dict[str, Any]:
    """The fields of the Graph that do not depend on variables; problems are collected."""
    return {
        "name": clean(spec.name),
        "title": clean(title) if (title := spec.text("title")) is not None else None,
        "source": clean(source) if (source := spec.text("source")) is not None else None,
        "notes": tuple(_texts(spec, "notes")),
        **_labels(spec),
        "weights": _weights(spec),
        "task": _task(spec),
        "published": _published(spec),
    }


def is_absent(node: reader.YamlNode | None) -> bool:
    return node is None or (isinstance(node, reader.Scalar) and node.plain and node.value is None)


def _texts(spec: Spec, key: str) -> list[str]:
    node = spec.keys.get(key)
    if node is None or is_absent(node):
        return []
    return _listed_texts(spec, node, key)


def _listed_texts(spec: Spec, node: reader.YamlNode, key: str) -> list[str]:
    texts = []
    for item in node.items if isinstance(node, reader.Sequence) else [node]:
        if isinstance(item, reader.Scalar):
            texts.append(clean(item.text))
        else:
            spec.problems.append(
                item.error(f"{key} needs texts", "quote a text that holds ': ' or starts with a bracket")
            )
    return texts


def _labels(spec: Spec) -> dict[str, Any]:
    """The class names, and the output they belong to if given as a mapping: {scores: imagenet1k}."""
    node = spec.keys.get("labels")
    if isinstance(node, reader.Mapping):
        if len(node.entries) != 1:
            spec.problems.append(
                node.error(
                    f"labels belong to one output, not to {len(node.entries)}",
                    "write labels: {scores: imagenet1k}",
                )
            )
            return {}
        ((output, names),) = node.entries.items()
        return {"labels": _names(spec, names), "labelled": output}
    return {"labels": _names(spec, node)}


def _names(spec: Spec, node: reader.YamlNode | None) -> str | tuple[str, ...] | None:
    if node is None or is_absent(node):
        return None
    if isinstance(node, reader.Scalar):
        if node.text not in LABELS:
            spec.problems.append(
                node.error(f"labels needs {', '.join(LABELS)} or a list, not {describe(node.text)}")
            )
        return node.text
    return tuple(_listed_texts(spec, node, "labels"))


def _task(spec: Spec) -> str | None:
    task = spec.text("task")
    if task is not None and task not in TASKS:
        spec.problems.append(
            spec.keys["task"].error(
                f"task needs one of {', '.join(TASKS)}, not {describe(task)}{did_you_mean(task, TASKS)}"
            )
        )
    return task


def _published(spec: Spec) -> dict[str, Any]:
    """The published figures by name, with their `source`; problems are collected."""
    node = spec.keys.get("published")
    if node is None or is_absent(node):
        return {}
    if not isinstance(node, reader.Mapping):
        spec.problems.append(
            node.error("published needs figures by name", "write published: {top1: 76.13, source: ...}")
        )
        return {}
    result: dict[str, Any] = {}
    for key, item in node.entries.items():
        value = item.typed if isinstance(item, reader.Scalar) else None
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if key == "source" and isinstance(item, reader.Scalar) and item.text:
            result[key] = clean(item.text)
        elif key != "source" and is_number:
            result[key] = value
        else:
            needed = "a text" if key == "source" else "a number"
            spec.problems.append(item.error(f"published: {key} needs {needed}"))
    return result


def _weights(spec: Spec) -> str | dict[str, str] | None:
    node = spec.keys.get("weights")
    if node is None or is_absent(node):
        return None
    if isinstance(node, reader.Scalar):
        return node.text
    if not isinstance(node, reader.Mapping):
        spec.problems.append(node.error("weights needs a file name, or url and sha256"))
        return None
    result = {}
    for key, item in node.entries.items():
        if key not in WEIGHTS_KEYS:
            spec.problems.append(
                node.keys[key].error(
                    f"no key {describe(key)} in weights{did_you_mean(key, WEIGHTS_KEYS)}", "keys: url, sha256"
                )
            )
        elif isinstance(item, reader.Scalar) and item.text:
            result[key] = item.text
        else:
            spec.problems.append(item.error(f"weights: {key} needs a text"))
    missing = [key for key in WEIGHTS_KEYS if key not in node.entries]
    if missing and node.entries.keys() <= set(WEIGHTS_KEYS):
        spec.problems.append(
            node.error(f"weights needs {listed(missing)}", "write weights: {url: https://..., sha256: ...}")
        )
    if "url" in result and not result["url"].lower().startswith(("https://", "http://")):
        spec.problems.append(
            node.entries["url"].error(
                f"weights: url needs an address that begins with https://, not {describe(result['url'])}",
                "a file beside the spec is weights: FILE",
            )
        )
    if "sha256" in result and not re.fullmatch("[0-9a-fA-F]{8,64}", result["sha256"]):
        spec.problems.append(
            node.entries["sha256"].error(
                "weights: sha256 needs 64 hexadecimal digits, or at least the first 8, "
                f"not {describe(result['sha256'])}"
            )
        )
    return result


def plain_value(spec: Spec, node: reader.YamlNode, values: Names) -> Any:
    """A node's value. Raises SpecError, or SaidBefore if it reads a variable whose error is already collected."""
    value = compile_value(node)
    value.check_names(spec.variables)
    if not all(name in values for name in value.names()):
        raise SaidBefore
    return value.evaluate(values)


class SaidBefore(Exception):
    """A value depends on a variable whose own error has been reported."""


def preprocess(spec: Spec, values: Names) -> dict[str, Any] | None:
    """The checked values of `preprocess`, or None without the key; problems are collected."""
    node = spec.keys.get("preprocess")
    if node is None or is_absent(node):
        return None
    if not isinstance(node, reader.Mapping):
        spec.problems.append(node.error("preprocess needs a mapping", "keys: " + ", ".join(PREPROCESS)))
        return None
    result: dict[str, Any] = {}
    for key, item in node.entries.items():
        if key not in PREPROCESS:
            spec.problems.append(
                node.keys[key].error(
                    f"no key {describe(key)} in preprocess{did_you_mean(key, PREPROCESS)}",
                    "keys: " + ", ".join(PREPROCESS),
                )
            )
            continue
        try:
            result[key] = PREPROCESS[key].check(plain_value(spec, item, values))
        except FieldError as error:
            spec.problems.append(item.error(f"preprocess: {key} {error}"))
        except SpecError as error:
            spec.problems.append(error)
        except SaidBefore:
            continue
    return result


def _side() -> FieldKind:
    """A side length in pixels, an integer from 1 to MAX_SIDE."""
    return FieldKind(lambda value: whole(value, 1, MAX_SIDE), {"type": "integer", "minimum": 1})


def _word(*options: str) -> FieldKind:
    """One of the given words."""

    def check(value: object) -> object:
        if value not in options:
            raise FieldError(f"needs {' or '.join(options)}, not {describe(value)}")
        return value

    return FieldKind(check, {"enum": list(options)})


def _per_colour(*, positive: bool = False) -> FieldKind:
    """One number, or a list of three, one per colour channel."""

    def check(value: Any) -> tuple[float, ...]:
        numbers = value if isinstance(value, list) else [value]
        for number in numbers:
            if isinstance(number, bool) or not isinstance(number, (int, float)):
                raise FieldError(f"needs numbers, not {describe(number)}")
            if positive and number <= 0:
                raise FieldError("needs numbers above 0")
        if len(numbers) not in (1, 3):
            raise FieldError(f"needs one number or one per colour, not {len(numbers)}")
        return tuple(float(number) for number in numbers)

    return FieldKind(check, {"anyOf": [{"type": "number"}, {"type": "array", "items": {"type": "number"}}]})


# The keys of `preprocess`, each with its check and JSON Schema.
PREPROCESS = {
    "resize": _side(),
    "crop": _side(),
    "mean": _per_colour(),
    "std": _per_colour(positive=True),
    "mode": _word("rgb", "grey"),
    "interpolation": _word("nearest", "bilinear", "bicubic", "lanczos"),
    "fit": _word("stretch", "digit"),
}
