"""`convcalc sweep`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from time import monotonic
from typing import Any

import click

from convcalc.api import choices, sweeps
from convcalc.cli import Command, completion
from convcalc.cli.options import ARCH, format_option, max_layers_option, show
from convcalc.render import terminal

PATIENCE = 1.0  # seconds until a progress bar is shown


@click.command(
    "sweep",
    cls=Command,
    epilog="""\b
Examples:
  convcalc sweep torchvision/mobilenet_v2 --set width=0.5,1 --input 160,224
  convcalc sweep my.yaml --solve width=0.1..2:0.01 --at-most macs=300M
  convcalc sweep vgg16 --solve input=64..512:32 --at-most memory=20MB
  convcalc sweep torchvision/resnet18 --formula input
  convcalc sweep torchvision/mobilenet_v2 --set width=0.5,1 --format csv

Commas separate values, but for those inside brackets. A setting that is an error becomes a
row with its reason; the command fails only if all are. --solve tries every value of its range
and gives the largest that keeps all limits. --formula finds exact polynomials through a few
points and proves them on ten more; where strides round, there is one for each remainder.""",
)
@click.argument("arch", type=ARCH)
@click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUES", shell_complete=completion.variables("arch"),
    help="Values of a variable, such as width=0.25,0.5,1; repeatable.",
)  # fmt: skip
@click.option("--input", "inputs", metavar="SIZES", help="Inputs, such as 160,192,224 or 3x160x160.")
@click.option("--solve", metavar="NAME=LOW..HIGH:STEP", help="Find the largest value of the range that fits.")
@click.option(
    "--at-most", multiple=True, metavar="QUANTITY=LIMIT",
    help="With --solve: params=5M, macs=300M or memory=20MB; repeatable.",
)  # fmt: skip
@click.option(
    "--formula", metavar="NAME", help="Params and MACs as polynomials in this variable, or in input."
)
@click.option(
    "--dtype", type=click.Choice(choices.number_types()), default="float32", show_default=True,
    help="Number type, for the memory.",
)  # fmt: skip
@max_layers_option
@format_option
def command(
    arch: str,
    settings: tuple[str, ...],
    inputs: str | None,
    solve: str | None,
    at_most: tuple[str, ...],
    formula: str | None,
    dtype: str,
    max_layers: int,
    form: str,
) -> None:
    """A network's figures over a grid of settings and inputs.

    ARCH is a bundled name, the path of a spec, or - for standard input.
    """
    values = choices.listed_values(settings)
    sizes = choices.listed(inputs) if inputs is not None else ()
    if form == "table" and solve is None and formula is None and not at_most:
        _stream(arch, values, sizes, dtype, max_layers)
        return
    with _progress() as advance:
        found = sweeps.sweep(
            arch,
            settings=values,
            inputs=sizes,
            dtype=dtype,
            at_most=choices.limits(at_most),
            solve=solve,
            formula=formula,
            max_layers=max_layers,
            advance=advance,
        )
    show(found, form)
    if found.failed or (found.solution is not None and found.solution.value is None):
        click.get_current_context().exit(1)


def _stream(
    arch: str, values: dict[str, tuple[str, ...]], sizes: tuple[str, ...], dtype: str, max_layers: int
) -> None:
    """Print each row as soon as it is done."""
    from convcalc.report.sweep import streamed

    asked = sweeps.grid(arch, settings=values, inputs=sizes, dtype=dtype, max_layers=max_layers)
    points = sweeps.points(asked)
    first = next(points)  # what cannot be swept at all is refused before anything is printed
    done = []

    def counted() -> Iterator[Any]:
        for point in chain((first,), points):
            done.append(point.figures is not None)
            yield point

    every = [settings for settings, _ in asked.points]
    for line in streamed(asked.loader.name, asked.variables, every, counted(), sizes):
        terminal.print_lines([line])
        sys.stdout.flush()
    if not any(done):
        click.get_current_context().exit(1)


@contextmanager
def _progress() -> Iterator[Callable[[int, int | None], None]]:
    """A progress bar on stderr if it is a terminal and the work takes a while. Yields advance(done, total)."""
    start = monotonic()
    with terminal.Bars() as bars:

        def advance(done: int, total: int | None) -> None:
            if monotonic() - start > PATIENCE:
                bars.move("points", done, total)

        yield advance
