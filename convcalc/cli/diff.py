"""`convcalc diff`."""

from __future__ import annotations

import click

from convcalc.api import choices, net
from convcalc.cli import Command, completion
from convcalc.cli.options import ARCH, Count, Shapes, format_option, input_option, set_values, show
from convcalc.errors import UsageError


@click.command(
    "diff",
    cls=Command,
    epilog="""\b
Examples:
  convcalc diff alexnet zfnet
  convcalc diff inception-naive inception-module
  convcalc diff resnet50 resnet101 --format json
  convcalc diff old.yaml new.yaml --exit-code

Layers are paired by role and order, not by name. Differences are B less A.""",
)
@click.argument("a", type=ARCH)
@click.argument("b", type=ARCH)
@click.option("--all", "everything", is_flag=True, help="Every pair, also those that are the same.")
@click.option("--exit-code", is_flag=True, help="Exit with 1 if the networks differ.")
@click.option(
    "--set-a",
    multiple=True,
    metavar="NAME=VALUE",
    shell_complete=completion.variables("a"),
    help="Set one of A's vars; repeatable.",
)
@click.option(
    "--set-b",
    multiple=True,
    metavar="NAME=VALUE",
    shell_complete=completion.variables("b"),
    help="Set one of B's vars; repeatable.",
)
@input_option("Another input for both, such as 3x256x256.")
@click.option(
    "--max-layers", type=Count(), default=choices.max_layers(), metavar="N", help="Refuse larger networks."
)
@format_option
def command(
    a: str,
    b: str,
    everything: bool,
    exit_code: bool,
    set_a: tuple[str, ...],
    set_b: tuple[str, ...],
    input_text: Shapes,
    max_layers: int,
    form: str,
) -> None:
    """Two networks side by side: what changed in each layer, the differences worked out, totals and ratios."""
    if a == b == "-":
        raise UsageError("only one of the networks can come from standard input")
    network_a = net.load(a, settings=set_values(set_a), input_shape=input_text, max_layers=max_layers)
    network_b = net.load(b, settings=set_values(set_b), input_shape=input_text, max_layers=max_layers)
    found = network_a.diff(network_b, all=everything)
    show(found, form)
    if exit_code and not found.record.same:
        click.get_current_context().exit(1)
