"""`convcalc docs`."""

from __future__ import annotations

from typing import Any

import click

from convcalc.api import choices, functions
from convcalc.cli import COMMANDS, Command, completion
from convcalc.errors import UsageError


class TopicName(click.ParamType):  # type: ignore[type-arg]
    """A topic of the manual, completed."""

    name = "topic"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
        return completion.items(choices.topics(), incomplete)


@click.command(
    "docs",
    cls=Command,
    epilog="""\b
Examples:
  convcalc docs
  convcalc docs start
  convcalc docs language
  convcalc docs conv
  convcalc docs --search dilation
  convcalc docs lecture > lecture.md

TOPIC is one of the contents, or an operator. A terminal gets it page by page ($PAGER, else less); piped it is
plain Markdown.""",
)
@click.argument("topic", required=False, type=TopicName())
@click.option("--search", "word", metavar="WORD", help="Lines of the manual that contain WORD.")
@click.option("--no-pager", is_flag=True, help="Do not use a pager.")
def command(topic: str | None, word: str | None, no_pager: bool) -> None:
    """The manual: the language, the commands, Python, what is counted, and a page per operator."""
    from convcalc.cli.options import show, write
    from convcalc.render import terminal

    if word is not None:
        show(functions.docs(topic, search=word), "table")
        return
    if topic in COMMANDS:
        raise UsageError(
            f"{topic} is a command, and its own help describes it",
            hint=f"convcalc {topic} --help; convcalc docs --search {topic}",
        )
    page = functions.docs(topic).record
    room = terminal.width()
    if room is None and not terminal.styled():
        write(page.text)
        return
    from convcalc.render.markdown import rendered

    text = rendered(page.text, room or 80, colors=terminal.styled())
    if room is None or no_pager:
        click.echo(text, nl=False, color=True)
    else:
        terminal.show_paged(text)
