"""`convcalc worksheet`."""

from __future__ import annotations

import os

import click

from convcalc.analysis.analyse import Analysis, analyse
from convcalc.cli import Command
from convcalc.cli.options import ARCH, FORMATS, Count, emit, load, network_options, write
from convcalc.errors import UsageError

SUFFIXES = {
    ".md": "markdown", ".markdown": "markdown", ".tex": "latex", ".html": "html", ".htm": "html", ".csv": "csv",
    ".json": "json", ".txt": "table",
}  # fmt: skip


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

Without ARCH: single random layers, level 1 (no padding) to 4 (dilation, groups, deconvolution).
The same seed makes the same sheet. A sheet to be marked is a CSV or JSON file whose answers
are filled in; --check exits with 1 unless all are right.""",
)
@click.argument("arch", type=ARCH, required=False)
@click.option(
    "--blank",
    "blank_text",
    metavar="NAMES",
    help="What to ask: output, weights, biases, params, macs, field; default output,weights.",
)
@click.option(
    "--amount",
    type=Count(),
    metavar="N",
    help="Leave out N cells by chance, not all; without ARCH, N layers.",
)
@click.option(
    "--seed",
    type=Count(0, 10**9 - 1),
    default=0,
    show_default=True,
    metavar="N",
    help="Of what is left to chance.",
)
@click.option(
    "--level", "level_text", metavar="N", help="Single layers of this level, 1 to 4, or 1-4 rising."
)
@click.option("--answers", is_flag=True, help="The key: all cells filled, and the working.")
@click.option(
    "--check", "check_path", type=click.Path(), metavar="FILE", help="Mark a filled-in CSV or JSON file."
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Write .html, .tex, .md, .csv or .json.",
)
@network_options
@click.option(
    "--format", "form", type=click.Choice(FORMATS), help="How to print it; html and latex are whole pages."
)
def command(
    arch: str | None,
    blank_text: str | None,
    amount: int | None,
    seed: int,
    level_text: str | None,
    answers: bool,
    check_path: str | None,
    output: str | None,
    settings: tuple[str, ...],
    input_text: str | None,
    max_layers: int,
    form: str | None,
) -> None:
    """Exercises from a network, or single layers of rising difficulty; their key; marking.

    ARCH is a network whose table gets blanks to fill in. Without it, single random layers.
    """
    form = form or _form(output)
    if check_path is not None:
        if blank_text or amount or level_text or answers or output:
            raise UsageError(
                "--check marks what the file asks", hint="leave the options that make a sheet out"
            )
        _check(check_path, arch, settings, input_text, max_layers, form)
        return
    from convcalc.exercises.worksheet import Sheet, layers_sheet, network_sheet, parse_asks

    asks = parse_asks(blank_text) if blank_text is not None else None
    sheet: Sheet
    if arch is not None:
        if level_text is not None:
            raise UsageError(
                "--level is for single layers, not for a network", hint="leave ARCH or --level out"
            )
        analysis = analyse(load(arch, settings, input_text, max_layers))
        sheet = network_sheet(analysis, asks or ("output", "weights"), amount, seed)
    else:
        if settings or input_text:
            raise UsageError("--set and --input need a network", hint="name one: convcalc worksheet lenet5")
        sheet = layers_sheet(_levels(level_text or "1-4"), asks, amount or 8, seed)
    _print(sheet, answers, output, form)


def _form(output: str | None) -> str:
    if output is None:
        return "table"
    suffix = os.path.splitext(output)[1].lower()
    if suffix not in SUFFIXES:
        raise UsageError(
            f"-o {output}: cannot tell the format from {suffix or 'a name without a suffix'}",
            hint="name it .html, .tex, .md, .csv or .json, or give --format",
        )
    return SUFFIXES[suffix]


def _levels(text: str) -> list[int]:
    first, dash, last = text.partition("-")
    try:
        low, high = int(first), int(last if dash else first)
    except ValueError:
        low = high = 0
    if not 1 <= low <= high <= 4:
        raise UsageError(
            f"--level {text}: needs a level from 1 to 4, or a range", hint="for example --level 2-4"
        )
    return list(range(low, high + 1))


def _print(sheet: object, answers: bool, output: str | None, form: str) -> None:
    from convcalc.exercises.worksheet import Sheet
    from convcalc.report.worksheet import (
        page_html,
        page_latex,
        page_markdown,
        sheet_table,
        sheet_value,
    )

    assert isinstance(sheet, Sheet)
    pages = {"html": page_html, "latex": page_latex, "markdown": page_markdown}
    if output is None and form not in pages:
        emit(form, lambda: sheet_table(sheet, answers=answers), lambda: sheet_value(sheet, answers=answers))
        return
    if form in pages:
        text = pages[form](sheet, answers=answers)
    elif form == "json":
        from convcalc.report.values import dumps

        text = dumps(sheet_value(sheet, answers=answers))
    elif form == "csv":
        from convcalc.render.table import to_csv

        text = to_csv(sheet_table(sheet, answers=answers))
    else:
        from convcalc.render.layout import table_lines

        lines = table_lines(sheet_table(sheet, answers=answers))
        text = "".join("".join(span.text for span in line).rstrip() + "\n" for line in lines)
    if output is None:
        write(text)
        return
    from convcalc.files import write_whole

    write_whole(output, text.encode())


def _check(
    path: str,
    arch: str | None,
    settings: tuple[str, ...],
    input_text: str | None,
    max_layers: int,
    form: str,
) -> None:
    from convcalc.exercises.marking import exercises, mark, read_entries
    from convcalc.report.worksheet import marked_table, marked_value

    known: dict[str, Analysis] = {}

    def network(name: str) -> Analysis:
        if arch is None and name not in known:
            from convcalc.language import bundled

            if bundled.path(name) is None:
                raise UsageError(
                    f"{path}: the sheet is of '{name}', which is not bundled",
                    hint=f"name its spec: convcalc worksheet {name}.yaml --check {path}",
                )
        if name not in known:
            known[name] = analyse(load(arch or name, settings, input_text, max_layers))
            if known[name].graph.name != name:
                raise UsageError(
                    f"{path}: the sheet is of '{name}', not of {known[name].graph.name}",
                    hint=f"convcalc worksheet {name} --check {path}",
                )
        return known[name]

    marks = [mark(exercise, given) for exercise, given in exercises(path, read_entries(path), network)]
    emit(form, lambda: marked_table(marks), lambda: marked_value(marks))
    if any(one.verdict != "right" for one in marks):
        click.get_current_context().exit(1)
