"""`convcalc diff`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from convcalc.api import choices, net
from convcalc.cli import Command, completion
from convcalc.cli.options import (
    ARCH,
    Count,
    Shapes,
    format_option,
    input_option,
    set_option,
    set_values,
    show,
)
from convcalc.errors import UsageError

SLOW = 8_000_000  # numbers that take about a second to compare: from here on a progress bar is shown


@click.command(
    "diff",
    cls=Command,
    epilog="""\b
Examples:
  convcalc diff alexnet zfnet
  convcalc diff inception-naive inception-module
  convcalc diff resnet50 resnet101 --format json
  convcalc diff old.yaml new.yaml --exit-code
  convcalc diff a.yaml b.yaml --values --weights-a a.pth --weights-b b.pth

Layers are paired by role and order, not by name. Differences are B less A.""",
)
@click.argument("a", type=ARCH)
@click.argument("b", type=ARCH)
@click.option("--all", "everything", is_flag=True, help="Every pair, also those that are the same.")
@click.option("--exit-code", is_flag=True, help="Exit with 1 if the networks differ.")
@click.option("--values", is_flag=True, help="Compare the weights that both networks have, too.")
@click.option(
    "--weights-a",
    metavar="FILE",
    shell_complete=completion.weights,
    help="A's weights, if it brings none: .safetensors, .npz, .pth, or `pretrained`.",
)
@click.option("--weights-b", metavar="FILE", shell_complete=completion.weights, help="B's weights, likewise.")
@set_option("a", flag="--set-a", whose="A's")
@set_option("b", flag="--set-b", whose="B's")
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
    values: bool,
    weights_a: str | None,
    weights_b: str | None,
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
    with _progress() as (comparing, downloading):
        found = network_a.diff(
            network_b,
            all=everything,
            values=values,
            weights_a=weights_a,
            weights_b=weights_b,
            advance=comparing,
            downloading=downloading,
        )
    show(found, form)
    if exit_code and not found.record.same:
        click.get_current_context().exit(1)


@contextmanager
def _progress() -> Iterator[tuple[Callable[[int, int, str], None], Callable[[int, int | None], None]]]:
    """Progress bars on stderr if it is a terminal. Yields comparing(numbers done, total, key) and downloading(bytes
    done, total)."""
    from convcalc.render import terminal

    with terminal.Bars() as bars:

        def comparing(done: int, total: int, _: str) -> None:
            if total >= SLOW:
                bars.move("comparing", done, total)

        def downloading(done: int, total: int | None) -> None:
            bars.move("downloading", done, total)

        yield comparing, downloading
