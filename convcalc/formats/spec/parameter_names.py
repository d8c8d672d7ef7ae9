"""Names of a block's parameters, and their defaults."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from convcalc.formats.spec.records import REQUIRED
from convcalc.formats.spec.slots import CHANNEL_FIELDS, FIRST, MISSING, Parameter, Text
from convcalc.language.reader import Scalar, YamlSource
from convcalc.language.words import COMMON, name_problem

WORDS = {"repeat": "depth", "shape": "dims"}  # names of parameters for fields whose own name is taken


def name_parameters(params: list[Parameter], texts: Sequence[Text]) -> None:
    """Give all parameters their names and defaults, and sort them by appearance.

    texts: what the template says with them, in its order.
    """
    found = [piece for text in texts for piece in text if isinstance(piece, Parameter)]
    order = {id(parameter): place for place, parameter in reversed(list(enumerate(found)))}
    params.sort(key=lambda parameter: order.get(id(parameter), len(found)))
    channels = [parameter for parameter in params if parameter.channel]
    _name_channels(channels, [parameter for parameter in found if parameter.channel])
    taken: set[str] = set()
    for parameter in params:
        if not parameter.name:
            own = parameter.key.removeprefix(FIRST).removeprefix("if ")
            parameter.name = _word(WORDS.get(own, own))
        name = parameter.name
        if name in taken and parameter.label:
            name = _word(f"{parameter.label}_{name}")
        number = 2
        while name in taken or not _is_allowed(name):
            name = f"{parameter.name}_{number}"
            number += 1
        parameter.name = name
        taken.add(name)
        parameter.default = _default(parameter)


def _name_channels(channels: Sequence[Parameter], uses: Sequence[Parameter]) -> None:
    """Names for channel counts: the inner block's own, if all come from one use; `width` for the last one and `hidden`
    for another; of several in branches, those of the branches. uses: the parameters in the order of the template."""
    keys = [parameter.key for parameter in channels]
    labels = Counter(parameter.label for parameter in channels)
    if len(set(keys)) == len(keys) and not {*CHANNEL_FIELDS, "start", "stop"} & set(keys):
        for parameter in channels:
            parameter.name = _word(parameter.key)
    elif len(channels) < 3 or len(labels) == 1:
        for parameter in channels:
            squeezes = parameter.kind.startswith("squeeze")
            parameter.name = "width" if parameter is uses[-1] else "squeeze" if squeezes else "hidden"
    else:
        left = Counter(labels)
        for parameter in channels:
            left[parameter.label] -= 1
            stem = _word(parameter.label or "width")
            more = labels[parameter.label] > 1 and left[parameter.label]
            parameter.name = f"{stem}_{labels[parameter.label] - left[parameter.label]}" if more else stem


def _default(parameter: Parameter) -> Any:
    """The default of a parameter: computed, the operator's own, null where an instance needs none, or what most
    instances have, unless it is a channel count."""
    if parameter.computed is not None:
        return parameter.computed
    values = [value for value in parameter.values if value is not MISSING]
    if parameter.standard is not MISSING and parameter.standard in values and not parameter.channel:
        return parameter.standard
    if len(values) < len(parameter.values) or None in values:
        return None
    if parameter.channel or parameter.key == "repeat":
        return REQUIRED
    common, count = Counter(values).most_common(1)[0]
    return common if 2 * count > len(values) else REQUIRED


def _word(text: str) -> str:
    """A text as a name: `branch-1` as `branch_1`."""
    plain = "".join(character if character.isalnum() and character.isascii() else "_" for character in text)
    return f"p{plain}" if plain[:1].isdigit() else plain


def _is_allowed(name: str) -> bool:
    """Whether the language allows a parameter of this name."""
    place = Scalar(YamlSource("", ""), 0, 0, 1, name, True)
    return name_problem(name, place, "parameter") is None and name not in COMMON
