"""`convcalc worksheet`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import click

from convcalc.api import choices, functions
from convcalc.cli import Command, completion, print_error
from convcalc.cli.options import (
    ARCH,
    Count,
    Shapes,
    load_network,
    network_options,
    report_written,
    save_view,
    set_values,
    show,
)
from convcalc.errors import UsageError
from convcalc.render.formats import FORMATS, SUFFIXES, first_suffixes
from convcalc.render.view import View


@click.command(
    "worksheet",
    cls=Command,
    epilog="""\b
Examples:
  convcalc worksheet lenet5
  convcalc worksheet alexnet --blank output,weights,macs --amount 12 --seed 7
  convcalc worksheet alexnet --answers
  convcalc worksheet alexnet -o sheet.html
  convcalc worksheet --level 1-4 --amount 10 --seed 3 -o layers.tex
  convcalc worksheet lenet5 --format csv > sheet.csv
  convcalc worksheet --check sheet.csv
  convcalc worksheet alexnet --versions 30 -o class
  convcalc worksheet --design 3 --field 2 --memory 2 --backward 2 -o sheet.tex
  convcalc worksheet --design 2 --level 2 --format moodle > questions.xml
  convcalc worksheet --check sheets/ --format csv

Without ARCH: single random layers, level 1 (no padding) to 4 (dilation, groups, deconvolution).
The same seed makes the same sheet. A sheet to be marked is a CSV or JSON file whose answers
are filled in. Several of them, or a folder, give a row each, named by the JSON's or a CSV
column's `name`, else by the file, and the commonest mistakes. --check exits with 1 unless
all answers are right.

--versions writes sheets 01, 02, … into a folder that is made or empty, and their keys into
its folder keys; of a network each asks half of the cells. Then collect the filled-in sheets
in a folder, and --check it.

--design, --field, --memory and --backward ask questions in words. A layer designed is
answered as K64 F3 S1 P1 and marked by computing; a matrix as 1 2; 3 4. --format moodle and
qti are for learning platforms, known mistakes with their feedback.""",
)
@click.argument("names", type=ARCH, nargs=-1, metavar="[ARCH]")
@click.option(
    "--blank",
    "blank_text",
    metavar="NAMES",
    shell_complete=completion.asks,
    help="What to ask: output, weights, biases, params, macs, field, memory; default output,weights.",
)
@click.option(
    "--amount",
    type=Count(),
    metavar="N",
    help="Number of random blanks instead of all; without ARCH, of layers.",
)
@click.option(
    "--seed",
    type=Count(0, 10**9 - 1),
    default=0,
    show_default=True,
    metavar="N",
    help="Random seed.",
)
@click.option(
    "--level", "level_text", metavar="N", help="Level of single layers: 1 to 4, or rising, as in 1-4."
)
@click.option("--design", type=Count(0, 200), default=0, metavar="N", help="N layers to design.")
@click.option("--field", type=Count(0, 200), default=0, metavar="N", help="N receptive fields.")
@click.option("--memory", type=Count(0, 200), default=0, metavar="N", help="N sizes in memory.")
@click.option("--backward", type=Count(0, 200), default=0, metavar="N", help="N gradients by hand.")
@click.option(
    "--versions", type=Count(1, 1000), metavar="N", help="N sheets for a class, by seed, in the folder -o."
)
@click.option("--answers", is_flag=True, help="The key: all cells filled, and the working.")
@click.option(
    "--check",
    "check_paths",
    type=click.Path(),
    multiple=True,
    metavar="FILE",
    help="Mark a filled-in CSV or JSON file, or a folder of them; repeatable.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(),
    metavar="FILE",
    help=f"Write {first_suffixes()}; with --versions, a folder.",
)
@network_options
@click.option(
    "--format",
    "form",
    type=click.Choice((*FORMATS, *choices.platforms())),
    help="Output format; html and latex are whole pages.",
)
def command(
    names: tuple[str, ...],
    blank_text: str | None,
    amount: int | None,
    seed: int,
    level_text: str | None,
    design: int,
    field: int,
    memory: int,
    backward: int,
    versions: int | None,
    answers: bool,
    check_paths: tuple[str, ...],
    output: str | None,
    settings: tuple[str, ...],
    input_text: Shapes,
    max_layers: int,
    form: str | None,
) -> None:
    """Exercises from a network, or single layers of rising difficulty; their key; marking.

    ARCH is a network whose table gets blanks to fill in. Without it, single random layers.
    """
    questions = {"design": design, "field": field, "memory": memory, "backward": backward}
    if versions is not None and output is None and not check_paths:
        raise UsageError("--versions writes a folder", hint="name it with -o, for example -o class")
    if versions is None and output is not None and os.path.isdir(output):
        raise UsageError(
            f"-o {output}: is a directory", hint="name a file, or write a class of sheets: --versions 30"
        )
    form = form or ("csv" if versions else _form(output))
    if check_paths:
        seeded = click.get_current_context().get_parameter_source("seed")
        drawn = seeded is click.core.ParameterSource.COMMANDLINE
        if (
            blank_text
            or amount
            or level_text
            or answers
            or output
            or drawn
            or versions
            or any(questions.values())
        ):
            raise UsageError(
                "--check marks what the file asks", hint="leave the options that make a sheet out"
            )
        archs = [name for name in names if not name.lower().endswith(choices.sheet_suffixes())]
        sheets = [
            *check_paths,
            *(name for name in names if name not in archs),
        ]  # the shell expands `--check *.csv` to further arguments
        _check(sheets, _only(archs), settings, input_text, max_layers, form)
        return
    arch = _only(names)
    if arch is not None and arch.lower().endswith(choices.sheet_suffixes()):
        raise UsageError(f"{arch} is not a network", hint=f"to mark it: convcalc worksheet --check {arch}")
    sheet: View[Any]
    if arch is not None:
        if level_text is not None:
            raise UsageError(
                "--level is for single layers, not for a network", hint="leave ARCH or --level out"
            )
        asked = next((topic for topic, number in questions.items() if number), None)
        if asked is not None:
            raise UsageError(
                f"--{asked} asks questions of its own, not of a network", hint=f"leave ARCH or --{asked} out"
            )
        network = load_network(arch, settings, input_text, max_layers)
        sheet = network.worksheet(
            blank=blank_text, amount=amount, seed=seed, answers=answers, versions=versions
        )
    else:
        if settings or input_text:
            raise UsageError("--set and --input need a network", hint="name one: convcalc worksheet lenet5")
        sheet = functions.worksheet(
            level=level_text,
            blank=blank_text,
            amount=amount,
            seed=seed,
            answers=answers,
            versions=versions,
            **questions,
        )
    if output is None:
        show(sheet, form)
    elif versions is None:
        save_view(sheet, output, form)
    else:
        sheet.save(output, form)
        report_written(f"{versions} sheets and their keys to {output}")


def _only(names: Sequence[str]) -> str | None:
    """ARCH, or None if there is none. Raises UsageError for more than one."""
    if len(names) > 1:
        raise UsageError(f"a worksheet is of one network, not of {' and '.join(names)}")
    return names[0] if names else None


def _form(output: str | None) -> str:
    if output is None:
        return "table"
    suffix = os.path.splitext(output)[1].lower()
    if suffix not in SUFFIXES:
        raise UsageError(
            f"-o {output}: cannot tell the format from {suffix or 'a name without a suffix'}",
            hint=f"name it {first_suffixes()}, or give --format",
        )
    return SUFFIXES[suffix]


def _check(
    paths: Sequence[str],
    arch: str | None,
    settings: tuple[str, ...],
    input_text: Shapes,
    max_layers: int,
    form: str,
) -> None:
    """Mark one sheet answer by answer, or several with one row each. Exits with 1 unless all answers are right."""
    marked = functions.check_sheet(
        *paths,
        network=arch,
        settings=set_values(settings),
        input_shape=input_text,
        max_layers=max_layers,
    )
    show(marked, form)
    for error in marked.errors:
        print_error(str(error))
    if not marked.all_right:
        click.get_current_context().exit(1)
