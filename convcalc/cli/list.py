"""`convcalc list`."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

import click

from convcalc.cli import Command, completion
from convcalc.cli.options import Limit, emit, format_option

if TYPE_CHECKING:
    from convcalc.analysis.catalogue import Entry

ORDERS = ("lecture", "name", "params", "macs", "layers", "memory")


@click.command(
    "list",
    cls=Command,
    epilog="""\b
Examples:
  convcalc list
  convcalc list 'resnet*'
  convcalc list vgg --format json
  convcalc list --max-params 5M --sort macs
  convcalc list --family resnet --sort params --reverse

PATTERN is a part of the name, or a pattern with * and ?. Figures take K, M and G: 5M is 5,000,000.""",
)
@click.argument("pattern", required=False, shell_complete=completion.bundled_names)
@click.option(
    "--sort", type=click.Choice(ORDERS), default="lecture", show_default=True,
    help="What to sort by; lecture: its networks first, in its order.",
)  # fmt: skip
@click.option("--reverse", is_flag=True, help="Largest first.")
@click.option("--max-params", type=Limit(), help="Only networks of at most so many params.")
@click.option("--max-macs", type=Limit(), help="Only networks of at most so many MACs.")
@click.option(
    "--family",
    metavar="NAME",
    shell_complete=completion.families,
    help="Only networks that extend this one, such as resnet or torchvision/vgg.",
)
@format_option
def command(
    pattern: str | None,
    sort: str,
    reverse: bool,
    max_params: int | None,
    max_macs: int | None,
    family: str | None,
    form: str,
) -> None:
    """The bundled architectures: which network fits?"""
    from convcalc.analysis.catalogue import entries
    from convcalc.errors import UsageError
    from convcalc.language.synonyms import suggest_network
    from convcalc.report.list import catalogue_table, catalogue_value

    every = entries()
    found = [entry for entry in every if pattern is None or _matches(entry.name, pattern)]
    if not found:
        raise UsageError(
            f"no architecture matches '{pattern}'{suggest_network(pattern or '', [entry.name for entry in every])}",
            hint="'convcalc list' shows all of them",
        )
    if family is not None:
        wanted = _family(every, family)
        found = [entry for entry in found if wanted & {entry.name, *entry.extends}]
    found = [
        entry
        for entry in found
        if (max_params is None or entry.params <= max_params) and (max_macs is None or entry.macs <= max_macs)
    ]
    if not found:
        raise UsageError("no architecture is that small", hint="raise --max-params or --max-macs")
    if sort != "lecture":
        found.sort(key=attrgetter("peak_activation_bytes" if sort == "memory" else sort))
    shown = found[::-1] if reverse else found
    emit(form, lambda: catalogue_table(shown), lambda: catalogue_value(shown))


def _family(every: list[Entry], family: str) -> set[str]:
    """The specs that a family's name stands for, with its folder or without. Raises UsageError for none."""
    from convcalc.errors import UsageError
    from convcalc.language import bundled
    from convcalc.language.synonyms import suggest_network

    known = bundled.names()
    wanted = {name for name in known if name == family or name.rsplit("/", 1)[-1] == family}
    if not wanted:
        families = sorted(set(known) - {entry.name for entry in every})
        raise UsageError(
            f"no family '{family}'{suggest_network(family, known)}", hint=f"families: {', '.join(families)}"
        )
    return wanted


def _matches(name: str, pattern: str) -> bool:
    if any(sign in pattern for sign in "*?["):
        from fnmatch import fnmatchcase

        return fnmatchcase(name, pattern)
    return pattern.lower() in name.lower()
