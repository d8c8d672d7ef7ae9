"""`convcalc schema`."""

from __future__ import annotations

import click

from convcalc.api import functions
from convcalc.cli import Command


@click.command(
    "schema",
    cls=Command,
    epilog="""\b
Examples:
  convcalc schema > convcalc.schema.json

Editors with a YAML language server then check and complete a spec that starts with
  # yaml-language-server: $schema=convcalc.schema.json""",
)
def command() -> None:
    """The JSON Schema of the spec language, generated from the operators' fields."""
    from convcalc.cli.options import write

    write(functions.schema().to_text("json"))
