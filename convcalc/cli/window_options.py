"""The window options: --kernel, --stride, --padding, --dilation and --rounding."""

from __future__ import annotations

from collections.abc import Callable

import click

from convcalc.api import choices
from convcalc.cli.options import Command


def window_options(*, defaults: bool = True) -> Callable[[Command], Command]:
    """--kernel, --stride, --padding, --dilation and --rounding, with the lecture's letters.

    defaults: with a convolution's defaults; otherwise options are None unless given and the operator decides.
    """

    def default(value: str) -> str:
        return f"; default {value}" if defaults else ""

    def add(command: Command) -> Command:
        options = [
            click.option("-F", "--kernel", metavar="F", help=f"Window size: {choices.extent_notation()}."),
            click.option(
                "-S", "--stride", metavar="S", help=f"Pixels from one window to the next{default('1')}."
            ),
            click.option(
                "-P", "--padding", metavar="P",
                help=f"Zeros on each side: 1, 1x2 per dimension, 0+1 before and after, same{default('0')}.",
            ),
            click.option(
                "--dilation", metavar="D", help=f"Distance between the pixels a window reads{default('1')}."
            ),
            click.option(
                "--rounding",
                type=click.Choice(choices.roundings()),
                default="floor" if defaults else None,
                show_default=defaults,
                help="Rounding where the stride does not divide.",
            ),
        ]  # fmt: skip
        for option in reversed(options):
            command = option(command)
        return command

    return add
