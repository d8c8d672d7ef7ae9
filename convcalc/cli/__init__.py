"""The command line. Only click is imported here; a command's module is loaded when the command runs, so that
`--help` is as fast as click itself."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import click

# Do not use the builtin `list` here: once that command is loaded, the name is the module convcalc.cli.list.
COLORS = ("auto", "always", "never")

# Each command's module in this package, and its line in --help.
COMMANDS = {
    "list": "Bundled architectures: input, layers, params, MACs, source.",
    "show": "A network's layers: sizes, weights, MACs, receptive fields.",
    "diff": "Two networks side by side: what changed, and what it costs.",
    "draw": "A picture of a network, for slides and papers; or in characters.",
    "field": "Receptive fields: what a unit sees, what a pixel reaches.",
    "forward": "Push an image through a network.",
    "page": "A network as one web page: drawing, working, charts; two networks.",
    "convert": "A network as a readable spec, ONNX, PyTorch source or weights.",
    "check": "Budgets, growth since a revision, lints: for hooks and CI.",
    "compare": "Several networks, a row each, and which no other beats.",
    "sweep": "Figures over a grid of settings and inputs; the largest that fits.",
    "size": "Why is it 55? One layer's output size worked out, or solved for.",
    "apply": "One operator on a matrix, letters or an image, step by step.",
    "matrix": "A convolution as the dense layer it is, zeros and shared weights.",
    "worksheet": "Exercises from a network or single layers, their key, and marking.",
    "quiz": "Questions one after another: sizes, weights, MACs, fields, design.",
    "schema": "The JSON Schema of the spec language, for editors.",
    "docs": "The manual: start with it, or look something up.",
}


INTERRUPTED = 130  # exit code after Ctrl-C
CLOSED_PIPE = 141  # exit code of programs ended by SIGPIPE

# Replacements for characters that the output's encoding lacks.
PLAIN_SIGNS = {
    "−": "-", "×": "x", "·": "*", "→": "->", "←": "<-", "↔": "<->", "…": "...", "–": "-", "⌊": "floor(", "⌋": ")",
    "↑": "^", "⌈": "ceil(", "⌉": ")", "²": "^2", "≤": "<=", "≥": ">=", "─": "-", "│": "|", "█": "#", "▀": "#", "▄": "#",
    "γ": "gamma", "δ": "delta", "ε": "epsilon", "σ": "sigma", "Σ": "sum", "√": "sqrt",
    "░": ".", "▒": ":", "▓": "%", "ℓ": "l", "α": "alpha", "β": "beta", "µ": "u", "“": '"', "”": '"', "’": "'",
}  # fmt: skip


class Command(click.Command):
    """A command that refuses a repeated option unless it takes several values.

    extra_hint: the hint for a surplus argument, which replaces `{}`.
    """

    def __init__(self, *args: Any, extra_hint: str = "", **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.extra_hint = extra_hint

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        extra = _refuse_repeated(self, ctx, args)
        if extra and self.extra_hint:
            ctx.fail(f"'{extra[0]}' is an argument too many: {self.extra_hint.format(extra[0])}")
        return super().parse_args(ctx, args)


class Commands(click.Group):
    """Loads commands lazily and shows all errors in the same way."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        _refuse_repeated(self, ctx, args)
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command = import_module(f"convcalc.cli.{name}").command
        assert isinstance(command, Command), f"{name} needs cls=Command"
        return _with_global_options(command)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            from convcalc.api.choices import suggest_command

            ctx.fail(f"no command '{args[0]}'{suggest_command(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([*COMMANDS.items()])

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command and flush its output: a full disk or a closed pipe shows only then."""
        _prepare_streams()
        if "_CONVCALC_COMPLETE" in os.environ:
            from convcalc.cli import shells

            shells.register()
        try:
            try:
                result = _run(super().main, *args, **kwargs)
            except (Exception, SystemExit):  # but not an interruption: it must not wait for a reader
                sys.stdout.flush()
                raise
            sys.stdout.flush()
            return result
        except BrokenPipeError:
            _quiet_stdout()
            sys.exit(CLOSED_PIPE)
        except OSError as error:
            print_error(f"{error.filename or 'standard output'}: {error.strerror or error}")
            _quiet_stdout()
            sys.exit(1)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            if ctx.params.get("debug") or isinstance(
                error, (click.ClickException, click.exceptions.Exit, click.Abort)
            ):
                raise
            if isinstance(error, BrokenPipeError):
                _quiet_stdout()
                ctx.exit(CLOSED_PIPE)
            ctx.exit(_report(error))


def _run(main: Callable[..., Any], *args: Any, standalone_mode: bool = True, **kwargs: Any) -> Any:
    """click's standalone mode, with control characters removed from messages: they quote their arguments."""
    if not standalone_mode:
        return main(*args, standalone_mode=False, **kwargs)
    try:
        code = main(*args, standalone_mode=False, **kwargs)
    except click.ClickException as error:
        from convcalc.errors import printable

        shown = io.StringIO()
        error.show(shown)
        for line in shown.getvalue().splitlines():
            click.echo(printable(line), err=True)
        code = error.exit_code
    except click.Abort:
        code = INTERRUPTED
    sys.exit(code if isinstance(code, int) else 0)


def _refuse_repeated(command: click.Command, ctx: click.Context, args: Sequence[str]) -> Sequence[str]:
    """Raises UsageError if an option that takes one value is given twice; repeating a flag changes nothing.

    Returns the surplus arguments.
    """
    if ctx.resilient_parsing:
        return ()
    _, extra, order = command.make_parser(ctx).parse_args(args=[*args])
    if any(param.is_eager for param in order):  # --help and --version work whatever else is wrong
        return ()
    for option in dict.fromkeys(order):
        single = isinstance(option, click.Option) and not (option.multiple or option.is_flag or option.count)
        if single and order.count(option) > 1:
            ctx.fail(f"{max(option.opts, key=len)} is given {order.count(option)} times and takes one value")
    return extra


def _report(error: Exception) -> int:
    """Show an error on stderr and return the exit code."""
    from convcalc.errors import ConvcalcError

    if isinstance(error, ConvcalcError):
        print_error(str(error))
        return error.exit_code
    if isinstance(error, MemoryError):
        print_error("not enough memory for this network or image")
    elif isinstance(error, OSError):
        print_error(f"{error.filename or 'standard output'}: {error.strerror or error}")
    else:
        print_error(
            f"internal error: {type(error).__name__}: {error}\n"
            "    this is a mistake in convcalc; convcalc --debug ... shows where"
        )
    return 1


def print_error(text: str) -> None:
    """Print an error message to stderr. On a terminal, long lines are wrapped; quoted source lines are not."""
    from convcalc.errors import clean

    lines = clean(text).splitlines() or [""]
    quoted = {
        number + shift
        for number, line in enumerate(lines)
        if line.strip(" ^") == "" and "^" in line
        for shift in (0, -1)
    }
    label = "Error: "
    if sys.stderr.isatty():
        from convcalc.render.layout import wrap
        from convcalc.render.terminal import size

        width = size(sys.stderr)[0]
        lines = [
            part
            for number, line in enumerate(lines)
            for part in (
                [line]
                if number in quoted
                else wrap(line, width - (len(label) if number == 0 else 0), hanging=4)
            )
        ]
    from convcalc.render import colors

    styled = click.style(label, fg="red", bold=True)
    click.echo(styled + lines[0], err=True, color=colors.enabled(sys.stderr))
    for line in lines[1:]:
        click.echo(line, err=True)


def print_message(text: str) -> None:
    """Print an informative message to stderr."""
    from convcalc.errors import clean

    click.echo(clean(text), err=True)


def _quiet_stdout() -> None:
    """Prevent Python's complaint about a closed pipe at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _prepare_streams() -> None:
    """Open missing standard streams, and replace characters that the encoding lacks instead of failing."""
    import codecs

    def replaced(error: UnicodeError) -> tuple[str, int]:
        assert isinstance(error, UnicodeEncodeError)
        signs = error.object[error.start : error.end]
        return "".join(PLAIN_SIGNS.get(sign, "?") for sign in signs), error.end

    codecs.register_error("convcalc", replaced)
    if sys.stdin is None:
        sys.stdin = open(os.devnull)  # noqa: SIM115 - lives as long as the process
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="convcalc")


def _with_global_options(command: click.Command) -> click.Command:
    """Accept --color and --debug after the command's name too."""
    if any(option.name == "debug" for option in command.params):
        return command

    def set_debug(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        if value:
            ctx.find_root().params["debug"] = True

    def set_color(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
        if value is None:
            return
        if ctx.find_root().get_parameter_source("color") is click.core.ParameterSource.COMMANDLINE:
            ctx.fail("--color is given 2 times and takes one value")
        _choose_color(value)

    command.params += [
        click.Option(
            ["--color"], type=click.Choice(COLORS), hidden=True, expose_value=False, callback=set_color
        ),
        click.Option(["--debug"], is_flag=True, hidden=True, expose_value=False, callback=set_debug),
    ]
    return command


def _choose_color(choice: str) -> None:
    from convcalc.render import colors

    colors.choice = choice


def _version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from convcalc import __version__

        click.echo(f"convcalc {__version__}")
        ctx.exit()


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 100},
    epilog="Start with: convcalc show alexnet, convcalc show alexnet --explain, convcalc diff alexnet zfnet",
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version."
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.option(
    "--color",
    type=click.Choice(COLORS),
    default="auto",
    help="Colour: auto is none when piped or with NO_COLOR.",
)
def main(debug: bool, color: str) -> None:
    """A calculator for convolutional networks.

    Every layer's output size, weights, multiply-accumulates (MACs), memory and receptive field, exactly and with
    the arithmetic shown; two networks compared; an image pushed through. ARCH is a bundled name (see `convcalc
    list`), the path of a spec that ends in .yaml or of a model that ends in .onnx, a PyTorch module as FILE.py:NAME,
    or - for a spec from standard input.
    """
    _choose_color(color)
