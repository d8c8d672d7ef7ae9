"""`convcalc check`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click

from convcalc.api import checks, choices
from convcalc.cli import Command, completion
from convcalc.cli.options import ARCH, Count, Shapes, input_option, set_option, set_values, show
from convcalc.errors import BudgetKeyError, UsageError
from convcalc.render.formats import FORMATS

Wrapped = TypeVar("Wrapped", bound=Callable[..., None])
FORMS = (*FORMATS, "junit", "github")
LIMITS = {
    "params": "params",
    "macs": "MACs of one image",
    "flops": "FLOPs of one image",
    "param_bytes": "bytes of the params, such as 20MB",
    "activation_bytes": "bytes of all activations",
    "peak_activation_bytes": "bytes of activations alive at once",
    "layers": "layers",
    "field": "pixels of the receptive field",
}


def limit_options(command: Wrapped) -> Wrapped:
    """--max-NAME for each quantity of a budget."""
    for name, text in reversed(LIMITS.items()):
        option = click.option(
            f"--max-{name.replace('_', '-')}", f"max_{name}", metavar="N", help=f"At most N {text}."
        )
        command = option(command)
    return command


@click.command(
    "check",
    cls=Command,
    epilog="""\b
Examples:
  convcalc check net.yaml
  convcalc check nets/*.yaml --strict --ignore dropped_pixels
  convcalc check resnet18 --max-params 10M --max-peak-activation-bytes 5MB
  convcalc check net.yaml --against main --max-growth 5%
  convcalc check net.yaml --against old.yaml
  convcalc check net.yaml --format github

A spec's own budget is budget: {params: 3M, macs: 300M}; options replace its limits one by one.
Figures are 5000000, 3M or 1.5G; sizes 20MB (10^6 bytes each) or 4MiB (2^20). The command fails
with 1 if a limit is passed, a spec is wrong or, with --strict, a lint finds something.
convcalc docs budgets has the lints, and the hook and action for repositories.""",
)
@click.argument("archs", type=ARCH, nargs=-1, required=True, metavar="SPEC...")
@limit_options
@click.option(
    "--against", metavar="REV|FILE", help="Compare with the spec as Git has it at REV, or with another file."
)
@click.option("--max-growth", metavar="SHARE", help="With --against: let no figure grow more, such as 5%.")
@click.option("--strict", is_flag=True, help="Lints are errors.")
@click.option(
    "--ignore",
    multiple=True,
    metavar="LINT",
    shell_complete=completion.lints,
    help="Silence this lint; repeatable.",
)
@click.option("--batch", type=Count(), metavar="N", help="Batch size; default: the budget's, else 1.")
@click.option(
    "--dtype",
    type=click.Choice(choices.number_types()),
    help="Number type; default: the budget's, else float32.",
)
@set_option("archs")
@input_option("Another input than the budget's or the spec's: 3x224x224 (channels first) or 224.")
@click.option(
    "--format", "form", type=click.Choice(FORMS), default="table", show_default=True, help="Output format."
)
def command(
    archs: tuple[str, ...],
    against: str | None,
    max_growth: str | None,
    strict: bool,
    ignore: tuple[str, ...],
    batch: int | None,
    dtype: str | None,
    settings: tuple[str, ...],
    input_text: Shapes,
    form: str,
    **limits: str | None,
) -> None:
    """Do specs keep their budgets? Figures against limits, growth since a revision, lints.

    SPEC is the path of a spec or of a model file, a bundled name, or - for standard input.
    """
    if sum(arch == "-" for arch in archs) > 1:
        raise UsageError("only one of the specs can come from standard input")
    found = checks.check_specs(
        archs,
        limits={name.removeprefix("max_"): text for name, text in limits.items() if text is not None},
        against=against,
        max_growth=max_growth,
        strict=strict,
        ignore=ignore,
        settings=set_values(settings),
        input_shape=input_text,
        batch=batch,
        dtype=dtype,
    )
    show(found, form)
    if not found.passed:
        unknown = any(isinstance(error, BudgetKeyError) for spec in found.specs for error in spec.errors)
        click.get_current_context().exit(2 if unknown else 1)
