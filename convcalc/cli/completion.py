"""Shell completion: architectures, layers, variables, columns, filters. `shells.py` has the scripts for each shell.

Words match by their beginning; if none does, by the beginning of a part (`mob` finds torchvision/mobilenet_v2),
else anywhere. Nothing is imported before it is needed, and errors in the words typed so far are not reported: there
are then no completions.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from convcalc.api import choices
from convcalc.errors import ConvcalcError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]

MAX_OFFERED_LAYERS = 20_000  # of a network whose layers are completed: more would take over a second


def item(word: str, type: str = "plain") -> CompletionItem:
    """A completion. Every option names its completer, but only a shell that asks needs click's module for it."""
    from click.shell_completion import CompletionItem

    return CompletionItem(word, type)


def matching(words: Iterable[str], incomplete: str) -> list[str]:
    """The words that start with the typed text; else those with a part that does; else those that contain it."""
    known = list(dict.fromkeys(words))
    part = re.compile(rf"(?:^|[/._-]){re.escape(incomplete)}", re.IGNORECASE)
    anywhere = incomplete.lower()
    return (
        [word for word in known if word.startswith(incomplete)]
        or [word for word in known if part.search(word)]
        or [word for word in known if anywhere in word.lower()]
    )


def items(words: Iterable[str], incomplete: str) -> list[CompletionItem]:
    """The matching words."""
    return [item(word) for word in matching(words, incomplete)]


def several(words: Iterable[str], incomplete: str) -> list[CompletionItem]:
    """Completions for the last of several names separated by commas; names already given are not offered again."""
    before, comma, last = incomplete.rpartition(",")
    taken = before.split(",")
    return [
        item(before + comma + word) for word in matching((word for word in words if word not in taken), last)
    ]


def files(incomplete: str) -> list[CompletionItem]:
    """File names, completed by the shell."""
    return [item(incomplete, "file")]


# -- values of arguments and options ---------------------------------------------------------------------------


def architectures(incomplete: str) -> list[CompletionItem]:
    """Bundled names, and specs and model files in the current folder; files if none matches."""
    if incomplete.startswith((".", "/", "~")):
        return files(incomplete)
    folder, name = os.path.split(incomplete)
    specs: list[str] = []
    with suppress(OSError):
        specs = [
            os.path.join(folder, entry)
            for entry in sorted(os.listdir(folder or "."))
            if entry.startswith(name) and (choices.is_spec(entry) or choices.is_model(entry))
        ]
    return items([*choices.architectures(), *specs], incomplete) or files(incomplete)


def families(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """`list --family`: specs that others extend."""
    return items(choices.families(), incomplete)


def bundled_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """`list PATTERN`."""
    return items(choices.architectures(), incomplete)


def layers(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The layers of ARCH, and their blocks."""
    return items(_of_network(ctx, choices.layer_names), incomplete)


def outputs(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The outputs of ARCH."""
    return items(_of_network(ctx, choices.output_names), incomplete)


def convolutions(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The layers of ARCH that are convolutions."""
    return items(_of_network(ctx, choices.convolution_names), incomplete)


def _of_network(ctx: click.Context, names: Callable[..., Sequence[str]]) -> Sequence[str]:
    """Names from the network given before the word, with the options before it applied."""
    given = ctx.params
    arch = _argument(ctx, "arch")
    if arch is None or choices.is_module(arch):  # completing a word runs nobody's code
        return ()
    settings = dict(setting.split("=", 1) for setting in given.get("settings") or () if "=" in setting)
    try:
        return names(
            arch, settings=settings, input_shape=given.get("input_text"), max_layers=MAX_OFFERED_LAYERS
        )
    except ConvcalcError:
        return ()


def _argument(ctx: click.Context, name: str) -> str | None:
    """The value of an argument given before the word; None if it is `-` or missing.

    After an option whose value is missing, click has not yet assigned the arguments.
    """
    arguments = [param.name for param in ctx.command.params if isinstance(param, click.Argument)]
    if name not in arguments:
        return None
    place = arguments.index(name)
    value = ctx.params.get(name) or (ctx.args[place] if place < len(ctx.args) else None)
    text = value[0] if isinstance(value, tuple) else value
    return text if isinstance(text, str) and text != "-" else None


def variables(*arguments: str) -> Completer:
    """`--set NAME=`: the variables of the spec in the named argument."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        arch = next(filter(None, (_argument(ctx, name) for name in arguments)), None)
        if arch is None:
            return []
        try:
            known = choices.variables(arch)
        except ConvcalcError:
            return []
        return items([f"{name}=" for name in known], incomplete)

    return complete


def columns(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """`show --columns`."""
    from convcalc.report.show import COLUMNS

    return several(COLUMNS, incomplete)


def lints(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """`check --ignore`."""
    return items(choices.lints(), incomplete)


def asks(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """`worksheet --blank`."""
    return several(choices.asks(), incomplete)


def operators(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """`apply OP INPUT`: filters (several with commas), operators, then files."""
    if ctx.params.get("arguments"):
        return files(incomplete)
    if "," in incomplete:
        return several(choices.filters(), incomplete)
    return items([*choices.filters(), *choices.operators()], incomplete) or files(incomplete)


def weights(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """`forward --weights`: `pretrained`, `random` or a file."""
    words = [word for word in ("pretrained", "random") if incomplete and word.startswith(incomplete)]
    if words:
        return items(words, incomplete)
    return files(incomplete)


def pages(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """`page -o`: the network's name with `.html`, else a file."""
    arch = _argument(ctx, "arch")
    stem = "" if arch is None or choices.is_module(arch) else os.path.splitext(os.path.basename(arch))[0]
    return [item(f"{stem}.html")] if stem and f"{stem}.html".startswith(incomplete) else files(incomplete)


def conversions(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """`convert -o`: the network's name with each suffix, else a file."""
    arch = _argument(ctx, "arch")
    if arch is None:
        return files(incomplete)
    stem = os.path.splitext(os.path.basename(arch))[0] if choices.is_spec(arch) else os.path.basename(arch)
    names = [
        name for suffix in choices.conversion_suffixes() if (name := stem + suffix).startswith(incomplete)
    ]
    return [item(name) for name in names] or files(incomplete)
