"""`convcalc show`."""

from __future__ import annotations

import click

from convcalc.api import choices, net
from convcalc.cli import Command, completion
from convcalc.cli.options import (
    ARCH,
    Count,
    Shapes,
    format_option,
    memory_options,
    network_options,
    set_values,
    show,
)
from convcalc.errors import ShapeError, UsageError


@click.command(
    "show",
    cls=Command,
    extra_hint="--layer {} explains a layer, convcalc diff compares two networks",
    epilog="""\b
Examples:
  convcalc show alexnet
  convcalc show alexnet --explain
  convcalc show alexnet --explain --layer conv1
  convcalc show resnet152 --depth 1
  convcalc show vgg16 --input 3x448x448 --batch 32 --dtype float16
  convcalc show lenet5 --columns layer,output,dense,local,shared
  convcalc show resnet50 --depth 1 --columns layer,macs,memory,intensity
  convcalc show torchvision/resnet50 --reconcile 4.11G
  convcalc show alexnet --reconcile '61.1M params'
  convcalc show resnet50 --by block
  convcalc show torchvision/resnet50 --as torchinfo,fvcore
  convcalc show resnet50 --training --optimizer adam --memory 24GiB
  convcalc show my-network.yaml --format json
  convcalc show mine.onnx --input 3x256x256

Weights multiply, biases are added; params are both; shared weights count once. MACs are the
multiply-accumulates of convolutions, dense layers, matrix products and attention for one image,
padded zeros included, biases excluded; 1 MAC = 2 FLOPs. Sizes are channels first. `field` is the receptive field.""",
)
@click.argument("arch", type=ARCH)
@click.option("--explain", is_flag=True, help="Show the working of every figure.")
@click.option(
    "--layer",
    "layers",
    multiple=True,
    metavar="NAME",
    shell_complete=completion.layers,
    help="Explain this layer, or the layers of this block, only; repeatable.",
)
@click.option("--all", "unfold", is_flag=True, help="A row for every layer, activations and all.")
@click.option(
    "--depth", type=Count(), metavar="N", help="Fold blocks deeper than N path segments, in tables."
)
@click.option(
    "--columns",
    "columns_text",
    metavar="NAMES",
    shell_complete=completion.columns,
    help="Other columns: layer, times, operator, kind, from, shares, input, output, result, weights, biases, "
    "params, buffers, macs, flops, field, per-output, dense, local, active, shared, activations, memory, intensity.",
)
@click.option(
    "--reconcile",
    "figure",
    metavar="FIGURE",
    help="Explain a figure met elsewhere: 4.11G, '61.1M params', '7.8 GFLOPs', '97.8 MB'.",
)
@click.option(
    "--by",
    type=click.Choice(choices.groupings()),
    help="Sums by the layers' kind, block (of --depth segments) or role.",
)
@click.option(
    "--as",
    "tools",
    metavar="TOOLS",
    help="The figures that these tools print, and why they differ: torchinfo, thop, ptflops, fvcore, calflops, "
    "deepspeed, torchsummary, keras; or all.",
)
@click.option(
    "--training", is_flag=True, help="Memory and MACs of a training step: what each layer keeps, the peak."
)
@click.option(
    "--optimizer",
    type=click.Choice(choices.optimizers()),
    help="With --training: the optimiser whose state is held; default sgd.",
)
@click.option(
    "--checkpoint",
    multiple=True,
    metavar="BLOCK",
    shell_complete=completion.layers,
    help="With --training: compute this block again in the backward pass; repeatable.",
)
@click.option(
    "--memory", metavar="SIZE", help="With --training: the largest batch in so much, such as 24GiB."
)
@memory_options
@network_options
@format_option
def command(
    arch: str,
    explain: bool,
    layers: tuple[str, ...],
    unfold: bool,
    depth: int | None,
    columns_text: str | None,
    figure: str | None,
    by: str | None,
    tools: str | None,
    training: bool,
    optimizer: str | None,
    checkpoint: tuple[str, ...],
    memory: str | None,
    batch: int,
    dtype: str,
    settings: tuple[str, ...],
    input_text: Shapes,
    max_layers: int,
    form: str,
) -> None:
    """A network's layers: output sizes, weights, MACs, memory and receptive fields.

    ARCH is a bundled name (see `convcalc list`), the path of a spec or of an ONNX file, or - for a spec from standard
    input; or a PyTorch module: mynet.py:Net, torchvision.models:resnet50. That needs --input, and PyTorch in this
    environment; the file runs as Python would run it.
    """
    asked = [
        option
        for option, given in (
            ("--explain", explain or layers),
            ("--columns", columns_text is not None),
            ("--reconcile", figure is not None),
            ("--by", by is not None),
            ("--as", tools is not None),
            ("--training", training),
        )
        if given
    ]
    if len(asked) > 1:
        raise UsageError(f"{asked[0]} and {asked[1]} show different things", hint="give one of them")
    for option, wanted in (("--optimizer", optimizer), ("--checkpoint", checkpoint), ("--memory", memory)):
        if wanted and not training:
            raise UsageError(f"{option} needs --training", hint=f"add --training, or leave {option} out")
    try:
        network = net.load(
            arch,
            settings=set_values(settings),
            input_shape=input_text,
            batch=batch,
            dtype=dtype,
            max_layers=max_layers,
        )
    except ShapeError as error:
        if form == "table" and asked in ([], ["--columns"]):
            partial = net.partial(error, batch=batch, dtype=dtype)
            if partial is not None:
                show(partial.show(depth=depth, all=unfold, columns=columns_text), form)
        raise
    if figure is not None:
        show(network.reconcile(figure), form)
    elif by is not None:
        show(network.by(by, depth=depth), form)
    elif tools is not None:
        asked_tools = [] if tools.strip() == "all" else tools.split(",")
        show(network.as_tool(*asked_tools), form)
    elif training:
        found = network.training(
            optimizer=optimizer or "sgd", checkpoint=checkpoint, memory=memory, depth=depth, all=unfold
        )
        show(found, form)
    elif explain or layers:
        show(network.explain(*layers), form)
    else:
        show(network.show(depth=depth, all=unfold, columns=columns_text), form)
