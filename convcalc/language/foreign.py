"""Errors for layers written in another tool's terms: our names for its fields, and the layer rewritten for convcalc."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from convcalc import ops
from convcalc.errors import SpecError
from convcalc.language import planned, reader, synonyms
from convcalc.language.synonyms import meaning, suggest
from convcalc.language.words import COMMON, listed
from convcalc.ops import Operator, describe

Fields = Mapping[str, tuple[reader.Scalar, reader.YamlNode]]
MAX_WRITTEN = 60  # characters of a value repeated in a hint
MAX_PARTS = 20  # fields of a layer repeated in a hint
MAX_NOTES = 8  # fields explained in a hint

# Fields implied by the name of another tool's layer.
_IMPLIED = {
    "depthwiseconv": "depthwise: true",
    "pointwiseconv": "kernel: 1",
    "groupconv": "groups: ...",
    "groupedconv": "groups: ...",
    "dilatedconv": "dilation: ...",
    "atrousconv": "dilation: ...",
}


class ForeignField(NamedTuple):
    """A field of another tool: our field or layer for it, or the reason why there is none."""

    written: str
    ours: str | None = None
    layer: str | None = None
    absence: planned.Absence | None = None
    reason: str | None = None


def unknown_fields(
    operator: type[Operator], fields: Fields, unknown: Sequence[str], label: str, allowed: Sequence[str]
) -> Iterator[SpecError]:
    """One error for all fields that come from another tool, with the layer rewritten, and one for each misspelled
    field.

    label: prefix of the messages, such as `conv2: `. allowed: keys that are valid next to the operator's fields.
    """
    options = [*_own_words(operator), *allowed]
    known = [_field(operator, name, fields[name][1], options) for name in unknown]
    foreign = [field for field in known if field is not None]
    if foreign:
        key = fields[foreign[0].written][0]
        yield _in_other_words(operator, fields, foreign, label, key)
    for name, field in zip(unknown, known, strict=True):
        if field is None:
            meant, hint = suggest(name, options, "field"), _fields_of(operator)
            if ":" in name or "=" in name:
                meant, hint = "", "a field is written with a colon and a space: kernel: 3"
            yield fields[name][0].error(f"{label}no field {describe(name)} for {operator.kind}{meant}", hint)


def stands_for(operator: type[Operator], name: str, allowed: Sequence[str]) -> str | None:
    """The field meant by an unknown name, by meaning or by spelling; None if nothing is similar."""
    word = name.split(":")[0].split("=")[0]  # a colon without a space after it
    meant = synonyms.suggestion(word, [*_own_words(operator), *allowed], "field")
    infos = operator.fields().values()
    return next((info.name for info in infos if info.alias == meant), meant)


def in_our_words(operator: type[Operator], kind: str, body: reader.YamlNode | None) -> str:
    """A hint for an entry with another tool's name for a layer: how to write it for convcalc."""
    word = synonyms.folded(kind)
    implied = _IMPLIED.get(word)
    if word == "separableconv":
        return "it is two layers: a conv with depthwise: true, and a conv with kernel: 1"
    if isinstance(body, reader.Mapping):
        fields = {name: (body.keys[name], value) for name, value in body.entries.items()}
        written = _entry(operator, fields, implied)
        return "\n".join([f"write {written}", *_axis_note(written)]) if written else _fields_of(operator)
    if isinstance(body, reader.Scalar) and body.text and operator.main is not None:
        return f"write {operator.kind}: {_value(body)}"
    if operator.role == "join":
        names = _value(body) if isinstance(body, reader.Sequence) and _is_name(body) else "[a, b]"
        return f"write {operator.kind}: {{from: {names}}}, or a list of branches"
    if implied:
        return f"write {operator.kind}: {{{implied}, ...}}"
    complete = body is None and not any(info.required for info in operator.fields().values())
    return f"write {operator.kind}" if complete else _fields_of(operator)


def activation(value: reader.YamlNode | None) -> str:
    """Our operator for another tool's `activation` value; relu if it is unknown."""
    word = value.text if isinstance(value, reader.Scalar) else ""
    return meaning(word, ops.names(), "layer") or "relu"


def _own_words(operator: type[Operator]) -> list[str]:
    infos = operator.fields().values()
    return [*(info.name for info in infos), *(info.alias for info in infos if info.alias)]


def _fields_of(operator: type[Operator]) -> str:
    infos = operator.fields().values()
    own = ", ".join(f"{info.name} ({info.alias})" if info.alias else info.name for info in infos)
    return f"fields of {operator.kind}: {own}" if own else f"{operator.kind} has no fields of its own"


def _field(
    operator: type[Operator], name: str, value: reader.YamlNode, options: Sequence[str]
) -> ForeignField | None:
    """What another tool's field is called or replaced by here; None if no tool is known to have it."""
    if ":" in name or "=" in name:
        return None
    absence = planned.field(operator.kind, name)
    if absence is not None:
        return ForeignField(name, absence=absence)
    meant, reason = meaning(name, options, "field"), synonyms.needless(name)
    if reason is not None and (meant is None or not _is_name(value)):
        return ForeignField(name, reason=reason)
    if meant is not None:
        return None if synonyms.is_alike(name, meant) else ForeignField(name, ours=meant)
    layer = synonyms.separate(name)
    if layer == "activation":
        layer = activation(value)
    return None if layer is None else ForeignField(name, layer=layer)


def _is_name(value: reader.YamlNode) -> bool:
    """Whether a value is text or a list of texts, so that it names layers (`inputs: [a, b]`) rather than sizes."""
    items = value.items if isinstance(value, reader.Sequence) else [value]
    return all(isinstance(item, reader.Scalar) and isinstance(item.value, str) for item in items)


def _in_other_words(
    operator: type[Operator], fields: Fields, foreign: Sequence[ForeignField], label: str, key: reader.Scalar
) -> SpecError:
    """The error for a layer with fields from other tools."""
    kind = operator.kind
    first = foreign[0]
    if len(foreign) == 1 and first.absence is not None:
        return key.error(label + first.absence.message, first.absence.hint)
    message = (
        f"{label}no field{'s' * (len(foreign) > 1)} {listed(describe(field.written) for field in foreign)}"
    )
    message += f" for {kind}"
    if len(foreign) == 1 and first.ours:
        message += f": convcalc calls it '{first.ours}'"
    elif len(foreign) == 1 and first.layer:
        message += f": {first.layer} is a layer of its own"
    elif named := [f"{field.written} '{field.ours}'" for field in foreign if field.ours]:
        message += f": convcalc calls {listed(named)}"
    hints = []
    written = _entry(operator, fields)
    if written and any(field.ours or field.layer for field in foreign):
        hints.append(f"write {written}")
        hints += _axis_note(written)
    for field in foreign[:MAX_NOTES]:
        if field.reason:
            hints.append(f"leave {field.written} out: {field.reason}")
        elif field.absence is not None:
            hints.append("; ".join(filter(None, field.absence)))
    return key.error(message, "\n".join(hints) or _fields_of(operator))


def _entry(operator: type[Operator], fields: Fields, implied: str | None = None) -> str | None:
    """The layer rewritten, such as `conv: {filters: 8}, and after it - relu`; None if a field has no counterpart."""
    options = [*_own_words(operator), *COMMON, "branches"]
    parts = [implied] if implied else []
    after = []
    for name, (_, value) in fields.items():
        field = ForeignField(name, ours=name) if name in options else _field(operator, name, value, options)
        if field is None:
            return None
        if field.ours:
            parts.append(f"{field.ours}: {_converted(name, field.ours, value)}")
        elif field.layer:
            after.append(f"- {field.layer}")
    if len(parts) > MAX_PARTS:
        return None
    body = f"{operator.kind}: {{{', '.join(parts)}}}" if parts else operator.kind
    return body + (f", and after it {' '.join(after)}" if after else "")


def _converted(name: str, ours: str, value: reader.YamlNode) -> str:
    """Another tool's value, converted to what our field `ours` takes."""
    text = _value(value)
    if ours == "rounding" and name != ours:
        return {"true": "ceil", "false": "floor"}.get(text.lower(), text)
    if ours == "axis" and name != ours:
        return _axis(name, text, len(value.items) if isinstance(value, reader.Sequence) else 1)
    return text.lower() if text.lower() in ("same", "valid") else text


def _axis(name: str, text: str, count: int) -> str:
    """Another tool's axes as ours, which do not count the batch; a normalized shape gives the last `count` axes."""
    if synonyms.folded(name) == "normalizedshape":
        return "last" if count == 1 else f"[{', '.join(map(str, range(-count, 0)))}]"
    return re.sub(r"(?<![-\w])[1-9]\d*", lambda number: str(int(number[0]) - 1), text)


def _axis_note(entry: str) -> list[str]:
    """A note on how axes are numbered, if the rewritten entry has a numeric axis."""
    numbered = re.search(r"\baxis: \[?-?\d", entry)
    return ["axis leaves out the batch: 0 is the channels, -1 the last dimension"] if numbered else []


def _value(node: reader.YamlNode) -> str:
    """A value as written in a spec; `...` if it is long."""
    if isinstance(node, reader.Sequence):
        text = f"[{', '.join(_value(item) for item in node.items[:MAX_WRITTEN])}]"
    elif isinstance(node, reader.Mapping):
        text = "{...}"
    else:
        assert isinstance(node, reader.Scalar)
        text = node.text if node.plain else f'"{node.text}"'
    return text if len(text) <= MAX_WRITTEN else "..."
