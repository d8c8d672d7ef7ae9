"""JSON with one key per line, and lists of plain values on one line."""

from __future__ import annotations

import json
import re


def dumps(value: object) -> str:
    """The value as JSON with a final newline."""
    return _text(value, "\n") + "\n"


def _text(value: object, newline: str) -> str:
    # the most frequent types first: a hundred thousand layers take seconds
    if type(value) is int:
        return str(value)
    if type(value) is str:
        return _quoted(value)
    deeper = newline + "  "
    if isinstance(value, dict) and value:
        lines = [f"{_quoted(key)}: {_text(item, deeper)}" for key, item in value.items()]
        return "{" + deeper + ("," + deeper).join(lines) + newline + "}"
    if isinstance(value, (list, tuple)):
        if any(isinstance(item, dict) or (isinstance(item, str) and len(item) > 40) for item in value):
            lines = [_text(item, deeper) for item in value]
            return "[" + deeper + ("," + deeper).join(lines) + newline + "]"
        return "[" + ", ".join([_text(item, deeper) for item in value]) + "]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _quoted(text: str) -> str:
    """The text in quotation marks, with terminal control characters and unpaired surrogates escaped."""
    quoted: str = json.encoder.encode_basestring(text)
    return quoted if quoted.isprintable() else _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)


_STEERING = re.compile("[\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
