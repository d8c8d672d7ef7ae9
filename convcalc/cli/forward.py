"""`convcalc forward`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import click

from convcalc.cli import Command, complain, completion, say
from convcalc.cli.options import ARCH, OUTPUT, Count, emit, format_option, load, network_options, wrote

BACKENDS = ("auto", "reference", "numba")  # as convcalc.inference.runner has them; a test compares
SLOW = 40_000_000  # MACs: about a second of the reference backend, from where a progress bar is due


@click.command(
    "forward",
    cls=Command,
    epilog="""\b
Examples:
  convcalc forward lenet5 seven.png
  convcalc forward alexnet cat.jpg --seed 7
  convcalc forward torchvision/resnet18 cat.jpg --weights resnet18.pth
  convcalc forward lenet5 seven.png --format json
  convcalc forward vgg11 cat.jpg --profile
  convcalc forward lenet5 one.png two.png scans/ --format csv

lenet5 comes with trained weights. Other networks run with random ones unless --weights
gives trained ones; then shapes and statistics are shown, not a prediction.""",
)
@click.argument("arch", type=ARCH)
@click.argument("images", type=click.Path(), nargs=-1, required=True, metavar="IMAGE...")
@click.option(
    "--weights",
    metavar="FILE",
    shell_complete=completion.weights,
    help="A .safetensors, .npz or .pth file; or `pretrained`, fetched from the spec's address.",
)
@click.option("--seed", type=Count(0), default=0, show_default=True, metavar="N", help="Of random weights.")
@click.option(
    "--backend", type=click.Choice(BACKENDS), default="auto", show_default=True, help="What computes."
)
@click.option("--threads", type=Count(1, 1024), metavar="N", help="Processors to use; default all.")
@click.option("--top", type=Count(), default=5, show_default=True, metavar="K", help="Classes to show.")
@click.option(
    "--profile", is_flag=True, help="Time per layer; in formats other than table and json, that alone."
)
@click.option(
    "--save",
    type=OUTPUT,
    metavar="FILE",
    help="Write the output: .json, .csv, .npy, .safetensors.",
)
@network_options
@format_option
def command(
    arch: str,
    images: tuple[str, ...],
    weights: str | None,
    seed: int,
    backend: str,
    threads: int | None,
    top: int,
    profile: bool,
    save: str | None,
    settings: tuple[str, ...],
    input_text: str | None,
    max_layers: int,
    form: str,
) -> None:
    """Push an image through a network and show what comes out.

    Several images, or folders of images, give one row each; images that cannot be read are reported at the end.
    """
    from convcalc.errors import UsageError
    from convcalc.files import check_place
    from convcalc.inference.outputs import save_output, saver
    from convcalc.inference.runner import Backend, Runner, check_backend, choose_weights, read_picture

    if save is not None:
        saver(save)  # refuse what cannot be written before any work is done
        check_place(save)
    arch, images = _in_order(arch, images)
    several = len(images) > 1 or os.path.isdir(images[0])
    if several and (save is not None or profile):
        raise UsageError("--save and --profile are for one image")
    chosen_backend = cast(Backend, backend)
    check_backend(chosen_backend)
    graph = load(arch, settings, input_text, max_layers)
    files = _files(images) if several else images
    picture = None if several else read_picture(graph, images[0])  # before weights that may take seconds
    macs, account = graph.macs, None
    with _progress(macs * len(files)) as (bar, downloading, compiling):
        chosen = choose_weights(graph, weights, seed, downloading)
        runner = Runner(
            graph,
            chosen,
            backend=chosen_backend,
            threads=threads,
            top=top,
            images=len(files),
            compiling=compiling,
        )
        if picture is None:
            outcomes = []
            for outcome in runner.many(files):
                outcomes.append(outcome)
                bar(macs, os.path.basename(outcome.image))
        else:
            result = runner(images[0], picture, lambda node, done: bar(done, node.name))
            account = runner.profile(picture) if profile else None
    if chosen.note:
        say(f"weights file: {chosen.note}")
    if several:
        _print_batch(outcomes, form)
        return
    if save is not None:
        save_output(save, result)
        wrote(save)
    _print_one(result, form, profile, account)


def _print_one(result: Any, form: str, profile: bool, account: Any) -> None:
    """The result; with a profile its table after it, or alone in the formats for one table. account: the fast
    backend's profile."""
    from convcalc.report.forward import (
        forward_table,
        forward_value,
        profile_table,
        roofline_table,
        roofline_value,
    )

    def value() -> dict[str, Any]:
        return forward_value(result) | ({"profile": roofline_value(account)} if account else {})

    if form in ("table", "json") or not profile:
        emit(form, lambda: forward_table(result), value)
    if profile and form != "json":
        emit(form, lambda: roofline_table(account) if account else profile_table(result), dict)


def _print_batch(outcomes: list[Any], form: str) -> None:
    """A row per image; then the images that could not be read, and exit code 1 for them."""
    from convcalc.inference.runner import Failure
    from convcalc.report.forward import batch_table, batch_value

    emit(form, lambda: batch_table(outcomes), lambda: batch_value(outcomes))
    failures = [outcome for outcome in outcomes if isinstance(outcome, Failure)]
    for failure in failures:
        complain(str(failure.error))
    if failures:
        click.get_current_context().exit(1)


def _in_order(arch: str, images: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """ARCH and the images where an image stands first and a single network among the others."""
    from convcalc.images.decode import SUFFIXES

    if not arch.lower().endswith(SUFFIXES):
        return arch, images
    from convcalc.language import bundled

    networks = [name for name in images if bundled.path(name) or name.endswith((".yaml", ".yml"))]
    if len(networks) != 1:
        return arch, images
    return networks[0], (arch, *(name for name in images if name != networks[0]))


def _files(images: tuple[str, ...]) -> list[str]:
    """The images, folders replaced by what pictures lie in them, in order of name."""
    from convcalc.errors import ImageError
    from convcalc.images.decode import SUFFIXES

    files: list[str] = []
    for path in images:
        if not os.path.isdir(path):
            files.append(path)
            continue
        found = sorted(entry for entry in os.listdir(path) if entry.lower().endswith(SUFFIXES))
        if not found:
            raise ImageError(f"{path}: no images in this folder", hint=f"looked for {', '.join(SUFFIXES)}")
        files += [os.path.join(path, entry) for entry in found]
    return files


Moving = Callable[[int, int | None], None]


@contextmanager
def _progress(
    macs: int,
) -> Iterator[tuple[Callable[[int, str], None], Moving, Callable[[int, int, str], None]]]:
    """Bars on stderr for a run, a download and a compilation, where someone watches and it takes over a second.

    Gives advance(MACs done, what is at work), downloading(bytes done, of how many) and compiling(kernels done, of
    how many, the next). Where nobody watches, a compilation is said in a line: it happens once per machine.
    """
    from convcalc.render import terminal

    watched = os.isatty(2)
    bars: dict[str, terminal.Bar] = {}

    def bar(name: str, total: int | None) -> terminal.Bar:
        if name not in bars:
            bars[name] = terminal.Bar(total, name)
        return bars[name]

    def advance(done: int, what: str) -> None:
        if watched and macs >= SLOW:
            bar("running", macs).advance(done, what)

    def downloading(done: int, total: int | None) -> None:
        if watched:
            bar("downloading", total).move(done)

    def compiling(done: int, total: int, _: str) -> None:
        if watched:
            bar("compiling, once per machine", total).move(done)
        elif done == 0:
            click.echo(f"compiling {total} kernels for this machine, once", err=True)

    try:
        yield advance, downloading, compiling
    finally:
        for one in bars.values():
            one.stop()
