"""`convcalc list`."""

from __future__ import annotations

import click

from convcalc.cli import Command
from convcalc.cli.options import Limit, emit, format_option

ORDERS = ("name", "params", "macs", "layers", "memory")


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
@click.argument("pattern", required=False)
@click.option("--sort", type=click.Choice(ORDERS), default="name", show_default=True, help="What to sort by.")
@click.option("--reverse", is_flag=True, help="Largest first.")
@click.option("--max-params", type=Limit(), help="Only networks of at most so many params.")
@click.option("--max-macs", type=Limit(), help="Only networks of at most so many MACs.")
@click.option(
    "--family", metavar="NAME", help="Only networks that extend this one, such as resnet or torchvision/vgg."
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
    from convcalc.analysis.analyse import analyse
    from convcalc.errors import UsageError, did_you_mean
    from convcalc.language import bundled
    from convcalc.language.load import load_graph
    from convcalc.report.list import catalogue_table, catalogue_value

    names = [name for name in bundled.members() if pattern is None or _matches(name, pattern)]
    if not names:
        raise UsageError(
            f"no architecture matches '{pattern}'{did_you_mean(pattern or '', bundled.members())}",
            hint="'convcalc list' shows all of them",
        )
    if family is not None:
        names = _of_family(names, family)
    found = [
        one
        for one in (analyse(load_graph(name)) for name in names)
        if (max_params is None or one.totals.params <= max_params)
        and (max_macs is None or one.totals.macs <= max_macs)
    ]
    if not found:
        raise UsageError("no architecture is that small", hint="raise --max-params or --max-macs")
    keys = {
        "name": lambda one: one.graph.name,
        "params": lambda one: one.totals.params,
        "macs": lambda one: one.totals.macs,
        "layers": lambda one: one.totals.layers,
        "memory": lambda one: one.totals.peak_activation_bytes,
    }
    found.sort(key=keys[sort], reverse=reverse)
    emit(form, lambda: catalogue_table(found), lambda: catalogue_value(found))


def _of_family(names: list[str], family: str) -> list[str]:
    """Those that extend the family, directly or through others, and the family itself where it is a network."""
    from convcalc.errors import UsageError, did_you_mean
    from convcalc.language import bundled

    known = bundled.names()
    wanted = {name for name in known if name == family or name.rsplit("/", 1)[-1] == family}
    if not wanted:
        families = sorted(set(known) - set(bundled.members()))
        raise UsageError(
            f"no family '{family}'{did_you_mean(family, known)}", hint=f"families: {', '.join(families)}"
        )
    return [name for name in names if wanted & set(bundled.ancestry(name))]


def _matches(name: str, pattern: str) -> bool:
    if any(sign in pattern for sign in "*?["):
        from fnmatch import fnmatchcase

        return fnmatchcase(name, pattern)
    return pattern.lower() in name.lower()
