"""`convcalc convert`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from convcalc.cli import Command, completion
from convcalc.cli.options import (
    ARCH,
    OUTPUT,
    Count,
    Shapes,
    format_option,
    load_network,
    network_options,
    show,
)

SLOW = 50_000_000  # bytes of weights: about a second of drawing random ones; from here on a bar is shown


@click.command(
    "convert",
    cls=Command,
    epilog="""\b
Examples:
  convcalc convert resnet50 -o mine.yaml
  convcalc convert torchvision/resnet18 -o resnet18.yaml --weights pretrained
  convcalc convert torchvision/resnet18 -o small.yaml --set classes=10
  convcalc convert resnet50 -o net.py --no-weights
  convcalc convert lenet5 -o lenet5.npz
  convcalc convert alexnet -o alexnet.safetensors --seed 7
  convcalc convert torchvision/vgg16 -o vgg16.onnx --weights pretrained

\b
By the suffix of FILE:
  .yaml         a spec to read and change: groups, blocks, runs; its weights
                beside it as .safetensors, if the network has any
  .py           PyTorch source to keep, whose state_dict's keys are the paths;
                its weights beside it in the same way
  .onnx         a model with its weights, random ones if it has none; its
                batch is a free dimension
  .safetensors, the weights alone; of a network without any, random ones
  .npz

All files are written, or none.""",
)
@click.argument("arch", type=ARCH)
@click.option(
    "-o", "--output", "target", required=True, type=OUTPUT, metavar="FILE", shell_complete=completion.conversions,
    help="The file to write; its suffix says what kind.",
)  # fmt: skip
@click.option(
    "--weights",
    metavar="FILE",
    shell_complete=completion.weights,
    help="A .safetensors, .npz or .pth file; `pretrained`, fetched from the spec's address; or `random`.",
)
@click.option("--no-weights", is_flag=True, help="Write the network alone.")
@click.option(
    "--seed", type=Count(0), default=0, show_default=True, metavar="N", help="Seed of random weights."
)
@click.option(
    "--opset", type=int, metavar="N", help="Version of ONNX's operators, for .onnx: 7 to 25.  [default: 17]"
)
@click.option("--external", is_flag=True, help="Put the weights of FILE.onnx into FILE.onnx.data.")
@click.option("--force", is_flag=True, help="Replace existing files.")
@network_options
@format_option
def command(
    arch: str,
    target: str,
    weights: str | None,
    no_weights: bool,
    seed: int,
    opset: int | None,
    external: bool,
    force: bool,
    settings: tuple[str, ...],
    input_text: Shapes,
    max_layers: int,
    form: str,
) -> None:
    """Write a network as another kind of file.

    ARCH is a bundled name (see `convcalc list`), the path of a spec or of an ONNX file, a PyTorch module as
    FILE.py:NAME, or - for a spec from standard input.
    """
    network = load_network(arch, settings, input_text, max_layers, seed)
    with _progress() as (downloading, writing):
        found = network.convert(
            target,
            weights=weights,
            with_weights=not no_weights,
            seed=seed,
            opset=opset,
            external=external,
            force=force,
            downloading=downloading,
            writing=writing,
        )
    show(found, form)


@contextmanager
def _progress() -> Iterator[tuple[Callable[[int, int | None], None], Callable[[int, int], None]]]:
    """Bars on stderr for a download and for writing, if stderr is a terminal and the work takes over a second."""
    from convcalc.render import terminal

    with terminal.Bars() as bars:

        def downloading(done: int, total: int | None) -> None:
            bars.move("downloading", done, total)

        def writing(done: int, total: int) -> None:
            if total >= SLOW:
                bars.move("writing", done, total)

        yield downloading, writing
