"""`convcalc forward`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import click

from convcalc.cli.options import ARCH, Count, emit, format_option, load, network_options

BACKENDS = ("auto", "reference", "numba")
SLOW = 40_000_000  # MACs: about a second of the reference backend, from where a progress bar is due


@click.command(
    "forward",
    epilog="""\b
Examples:
  convcalc forward lenet5 seven.png
  convcalc forward alexnet cat.jpg --seed 7
  convcalc forward torchvision/resnet18 cat.jpg --weights resnet18.pth
  convcalc forward lenet5 seven.png --format json
  convcalc forward vgg11 cat.jpg --profile

lenet5 comes with trained weights. Other networks run with random ones unless --weights
gives trained ones; then shapes and statistics are shown, not a prediction.""",
)
@click.argument("arch", type=ARCH)
@click.argument("image", type=click.Path())
@click.option(
    "--weights",
    metavar="FILE",
    help="A .safetensors, .npz or .pth file; or `pretrained`, fetched from the spec's address.",
)
@click.option("--seed", type=Count(0), default=0, show_default=True, metavar="N", help="Of random weights.")
@click.option(
    "--backend", type=click.Choice(BACKENDS), default="auto", show_default=True, help="What computes."
)
@click.option("--threads", type=Count(1, 1024), metavar="N", help="Processors to use; default all.")
@click.option("--top", type=Count(), default=5, show_default=True, metavar="K", help="Classes to show.")
@click.option("--profile", is_flag=True, help="Time per layer.")
@click.option(
    "--save",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Write the output: .json, .csv, .npy, .safetensors.",
)
@network_options
@format_option
def command(
    arch: str,
    image: str,
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
    """Push an IMAGE through a network and show what comes out."""
    from convcalc.outputs import save_output, saver
    from convcalc.report.forward import forward_table, forward_value, profile_table
    from convcalc.running import Backend, forward

    if save is not None:
        saver(save)  # refuse a suffix we cannot write before any work is done
    graph = load(arch, settings, input_text, max_layers)
    macs = sum(node.op.macs(node.input_shapes) for node in graph)
    with _progress(macs) as (advance, downloading):
        result = forward(
            graph,
            image,
            weights=weights,
            seed=seed,
            backend=cast(Backend, backend),
            threads=threads,
            top=top,
            progress=advance,
            downloading=downloading,
        )
    if save is not None:
        save_output(save, result)
    if form == "csv" and profile:
        emit(form, lambda: profile_table(result), dict)
        return
    emit(form, lambda: forward_table(result), lambda: forward_value(result))
    if profile and form != "json":
        emit(form, lambda: profile_table(result), dict)


@contextmanager
def _progress(macs: int) -> Iterator[tuple[Callable[..., None] | None, Callable[..., None] | None]]:
    """Bars on stderr for a run and a download, where someone watches and it takes over a second."""
    from convcalc.report import terminal

    terminal.color = click.get_current_context().find_root().params["color"]
    if not os.isatty(2):
        yield None, None
        return
    bars: dict[str, Any] = {}

    def bar(name: str, total: int | None, *columns: Any) -> Any:
        if name not in bars:
            bars[name] = terminal.progress(total, name, *columns)
        return bars[name]

    def advance(node: Any, done: int) -> None:
        if macs >= SLOW:
            bar("running", macs).advance(done, node.name)

    def downloading(done: int, total: int | None) -> None:
        bar("downloading", total).move(done)

    try:
        yield advance, downloading
    finally:
        for one in bars.values():
            one.stop()
