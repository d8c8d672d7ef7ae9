"""Options and arguments that several commands share: ARCH with completion, --set, --input, --format."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from convcalc import cli
from convcalc.api import choices, net
from convcalc.cli import completion, print_message
from convcalc.errors import UsageError, clean
from convcalc.render.formats import FORMATS

if TYPE_CHECKING:
    from convcalc.render.view import View

SLOW_RUN = 40_000_000  # MACs, about a second on the reference backend: from here on a progress bar is shown
Command = TypeVar("Command", bound=Callable[..., Any])
# What --input gives: a text, texts by the names of several inputs, or nothing.
Shapes = str | dict[str, str] | None


class Architecture(click.ParamType):  # type: ignore[type-arg]
    """A bundled name, the path of a spec or of a model file, or `-`, with completion."""

    name = "arch"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
        if ctx.params.get("check_paths"):  # with --check of worksheet, further arguments are sheets
            return completion.files(incomplete)
        return completion.architectures(incomplete)


ARCH = Architecture()
OUTPUT = click.Path(dir_okay=False, readable=False)


class Signed(cli.Command):
    """A command whose arguments may start with a minus: '-1 0; 0 1' is a matrix, not an option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        signed = re.compile(r"-([0-9.]|[^-]\s|[^-]\s*;)")
        return super().parse_args(ctx, ["−" + arg[1:] if signed.match(arg) else arg for arg in args])


class Count(click.ParamType):  # type: ignore[type-arg]
    """An integer within bounds that the help does not spell out."""

    name = "integer"

    def __init__(self, least: int = 1, most: int = 2**31) -> None:
        self.range = click.IntRange(least, most)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        return int(self.range.convert(value, param, ctx))


class Limit(click.ParamType):  # type: ignore[type-arg]
    """A count in the usual notation: 5000000, 5M, 4.11G, 1.5k."""

    name = "figure"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return choices.count(str(value))
        except UsageError:
            self.fail(f"'{value}' is not a count; write 5000000, 5M or 4.1G", param, ctx)


def format_option(command: Command) -> Command:
    """--format."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(tuple(FORMATS)),
        default="table",
        show_default=True,
        help="Output format.",
    )(command)


def network_options(command: Command) -> Command:
    """--input, --set and --max-layers: what changes a spec from the command line."""
    return input_option("Another input: 3x224x224 (channels first) or 224.")(spec_options(command))


def input_option(text: str) -> Callable[[Command], Command]:
    """--input, as `load` takes it: a text, or of several inputs their texts by name."""
    return click.option(
        "--input", "input_text", multiple=True, metavar="[NAME=]SHAPE", callback=_inputs,
        help=text + " Repeatable with names.",
    )  # fmt: skip


def _inputs(ctx: click.Context, param: click.Parameter, texts: tuple[str, ...]) -> Shapes:
    if len(texts) < 2:
        return texts[0] if texts else None
    shapes: dict[str, str] = {}
    for text in texts:
        name, equals, shape = (part.strip() for part in text.partition("="))
        if not equals:
            raise UsageError(
                f"--input {text}: of several inputs each needs its name", hint=f"--input NAME={text}"
            )
        if name in shapes:
            raise UsageError(
                f"the input {name} is given twice: {shapes[name]} and {shape}", hint="keep one of them"
            )
        shapes[name] = shape
    return shapes


def spec_options(command: Command) -> Command:
    """--set and --max-layers."""
    return set_option("arch", "names")(max_layers_option(command))


def set_option(
    *arguments: str, flag: str = "--set", whose: str = "the spec's"
) -> Callable[[Command], Command]:
    """--set. arguments: those of the command that name networks, whose variables are completed; flag, whose: of one of
    two networks, such as `--set-b`."""
    return click.option(
        flag, flag.strip("-").replace("-", "_") if flag != "--set" else "settings", multiple=True, metavar="NAME=VALUE",
        help=f"Set one of {whose} vars; repeatable.", shell_complete=completion.variables(*arguments),
    )  # fmt: skip


def run_options(command: Command) -> Command:
    """--weights, --like and --seed: what a network runs with."""
    weights = click.option(
        "--weights", metavar="FILE", shell_complete=completion.weights,
        help="A .safetensors, .npz or .pth file; `pretrained`, fetched from the spec's address; or `random`.",
    )  # fmt: skip
    like = click.option(
        "--like", type=ARCH, metavar="ARCH",
        help="Prepare images and name classes as this spec says, for a model file.",
    )  # fmt: skip
    seed = click.option(
        "--seed", type=Count(0), default=0, show_default=True, metavar="N", help="Seed of random weights."
    )
    return weights(like(seed(command)))


def memory_options(command: Command) -> Command:
    """--batch and --dtype: what the memory figures are for."""
    batch = click.option(
        "--batch", type=Count(), default=1, show_default=True, metavar="N",
        help="Batch size, for the memory figures.",
    )  # fmt: skip
    dtype = click.option(
        "--dtype", type=click.Choice(choices.number_types()), default="float32", show_default=True,
        help="Number type, for the memory figures.",
    )  # fmt: skip
    return batch(dtype(command))


def max_layers_option(command: Command) -> Command:
    """--max-layers."""
    return click.option(
        "--max-layers", type=Count(), default=choices.max_layers(), show_default=True, metavar="N",
        help="Refuse larger networks.",
    )(command)  # fmt: skip


def load_network(
    arch: str, settings: tuple[str, ...], input_text: Shapes, max_layers: int, seed: int = 0
) -> net.Network:
    """The network of ARCH with what the options change. seed: of a PyTorch module's random weights."""
    return net.load(
        arch, settings=set_values(settings), input_shape=input_text, max_layers=max_layers, seed=seed
    )


def set_values(settings: tuple[str, ...]) -> dict[str, str]:
    """The values of all `--set NAME=VALUE` options by name. Raises UsageError."""
    values: dict[str, str] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"--set {setting}: needs NAME=VALUE", hint="for example --set width=0.5")
        if name.strip() in values:
            raise UsageError(
                f"{name.strip()} is set twice: to {values[name.strip()]} and to {text}",
                hint="keep one of them",
            )
        values[name.strip()] = text
    return values


def show(view: View[Any], form: str) -> None:
    """Print a result in the requested format."""
    if form == "table":
        from convcalc.render import terminal

        terminal.print_lines(view.lines(terminal.width()))
    else:
        write(view.to_text(form))


def write(text: str) -> None:
    """Write text for programs to stdout: UTF-8 whatever the console's encoding, without terminal control
    characters."""
    click.echo(clean(text).encode("utf-8", "replace"), nl=False)


def save_view(view: View[Any], path: str, form: str | None = None) -> None:
    """Save a result to a file and report it. form: a format other than that of the suffix.

    Raises ConvcalcError if the file cannot be written.
    """
    view.save(path, form)
    report_written(path)


def report_written(path: str) -> None:
    """Report on stderr, at the end of the command, that a file was written."""
    click.get_current_context().call_on_close(lambda: print_message(f"wrote {path}"))


MANY_LAYERS = 5  # to draw, about a second: from here on a progress bar is shown
Done = Callable[[int, int, str], None]


@contextmanager
def run_progress() -> Iterator[tuple[Done, Callable[[int, int | None], None], Done, Done]]:
    """Progress bars on stderr for the run, a download and kernel compilation, if stderr is a terminal and the work
    takes over a second.

    Yields advance(MACs done, total, current layer), downloading(bytes done, total), compiling(kernels done, total,
    next) and drawing(layers just drawn, total, the last one). Without a terminal, compilation is announced in one line:
    it happens once per machine.
    """
    from convcalc.render import terminal

    with terminal.Bars() as bars:

        def advance(done: int, macs: int, what: str) -> None:
            if macs >= SLOW_RUN:
                bars.advance("running", done, macs, what)

        def downloading(done: int, total: int | None) -> None:
            bars.move("downloading", done, total)

        def compiling(done: int, total: int, _: str) -> None:
            bars.move("compiling, once per machine", done, total)
            if done == 0 and not bars.watched:
                from convcalc.report.words import plural

                click.echo(f"compiling {plural(total, 'kernel')} for this machine, once", err=True)

        def drawing(done: int, total: int, what: str) -> None:
            if total >= MANY_LAYERS:
                bars.advance("drawing", done, total, what)

        yield advance, downloading, compiling, drawing
