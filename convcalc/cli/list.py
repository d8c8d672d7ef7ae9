"""`convcalc list`."""

from __future__ import annotations

import click

from convcalc.cli.options import emit, format_option


@click.command(
    "list",
    epilog="""\b
Examples:
  convcalc list
  convcalc list 'resnet*'
  convcalc list vgg --format json""",
)
@click.argument("pattern", required=False)
@format_option
def command(pattern: str | None, form: str) -> None:
    """The bundled architectures. PATTERN is a part of the name, or a pattern with * and ?."""
    from convcalc.analysis import analyse
    from convcalc.errors import UsageError, did_you_mean
    from convcalc.report.catalogue import catalogue_table, catalogue_value
    from convcalc.spec import bundled
    from convcalc.spec.load import load_graph

    names = [name for name in bundled.members() if pattern is None or _matches(name, pattern)]
    if not names:
        raise UsageError(
            f"no architecture matches '{pattern}'{did_you_mean(pattern or '', bundled.members())}",
            hint="'convcalc list' shows all of them",
        )
    found = [analyse(load_graph(name)) for name in names]
    emit(form, lambda: catalogue_table(found), lambda: catalogue_value(found))


def _matches(name: str, pattern: str) -> bool:
    if any(sign in pattern for sign in "*?["):
        from fnmatch import fnmatchcase

        return fnmatchcase(name, pattern)
    return pattern.lower() in name.lower()
