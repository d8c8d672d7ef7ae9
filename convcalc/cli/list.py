"""`convcalc list`."""

from __future__ import annotations

import click

from convcalc.api import choices, functions
from convcalc.cli import Command, completion
from convcalc.cli.options import Limit, format_option, show


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
  convcalc list --task segmentation

PATTERN is a part of the name, or a pattern with * and ?. Figures take K, M and G: 5M is 5,000,000.""",
)
@click.argument("pattern", required=False, shell_complete=completion.bundled_names)
@click.option(
    "--sort", type=click.Choice(choices.orders()), default="lecture", show_default=True,
    help="Sort order; lecture: its networks first, in its order, then by task.",
)  # fmt: skip
@click.option("--reverse", is_flag=True, help="Largest first.")
@click.option("--max-params", type=Limit(), help="Only networks with at most this many params.")
@click.option("--max-macs", type=Limit(), help="Only networks with at most this many MACs.")
@click.option(
    "--family",
    metavar="NAME",
    shell_complete=completion.families,
    help="Only networks that extend this one, such as resnet or torchvision/vgg.",
)
@click.option(
    "--task", type=click.Choice(choices.tasks()), metavar="TASK",
    help=f"Only networks for this task: {', '.join(choices.tasks())}.",
)  # fmt: skip
@format_option
def command(
    pattern: str | None,
    sort: str,
    reverse: bool,
    max_params: int | None,
    max_macs: int | None,
    family: str | None,
    task: str | None,
    form: str,
) -> None:
    """The bundled architectures: which network fits?"""
    found = functions.list(
        pattern,
        sort=sort,
        reverse=reverse,
        max_params=max_params,
        max_macs=max_macs,
        family=family,
        task=task,
    )
    show(found, form)
