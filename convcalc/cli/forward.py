"""`convcalc forward`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import click

from convcalc.api import choices
from convcalc.cli import Command, completion, print_error, print_message
from convcalc.cli.options import (
    ARCH,
    OUTPUT,
    Count,
    Shapes,
    format_option,
    load_network,
    network_options,
    report_written,
    run_options,
    run_progress,
    save_view,
    show,
)
from convcalc.errors import UsageError

MAX_NAMED = 4  # files that are named


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
  convcalc forward resnet50 cat.jpg --precision bf16 --check-precision
  convcalc forward lenet5 one.png two.png scans/ --format csv
  convcalc forward resnet50 batch.npy --save out.npz
  convcalc forward siamese.yaml left=a.png right=b.npy
  convcalc forward mine.onnx cat.jpg --like torchvision/resnet50
  convcalc forward lenet5 seven.png --maps conv1.png --layer conv1
  convcalc forward alexnet cat.jpg --maps maps/ --kernels filters.png

lenet5 and model files come with weights. Other networks run with random ones unless --weights
gives trained ones; then shapes and statistics are shown, not a prediction.""",
)
@click.argument("arch", type=ARCH)
@click.argument("images", type=click.Path(), nargs=-1, required=True, metavar="[NAME=]FILE...")
@run_options
@click.option(
    "--backend",
    type=click.Choice(choices.backends()),
    default="auto",
    show_default=True,
    help="The backend that computes.",
)
@click.option(
    "--precision",
    type=click.Choice(choices.precisions()),
    default="float32",
    show_default=True,
    help="bf16: weights and layers' outputs in bfloat16, sums in float32. Numba backend only.",
)
@click.option(
    "--winograd",
    type=click.Choice(choices.winograds()),
    default="auto",
    show_default=True,
    help="Winograd's tiles, for 3×3 and 5×5 convolutions: F(2×2), F(4×4), or the quicker, in bf16 never F(4×4).",
)
@click.option(
    "--check-precision",
    is_flag=True,
    help="Compare bf16 with float32; of one image in formats other than table and json, that alone.",
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
    help="Write all outputs by name: .json, .npz, .safetensors; or one: .csv, .npy.",
)
@click.option(
    "--output-name",
    metavar="NAME",
    shell_complete=completion.outputs,
    help="Which output --save writes.",
)
@click.option(
    "--maps",
    type=click.Path(),
    metavar="FILE|DIR",
    help="Draw what layers give: one as FILE.png; several, or all, into a folder.",
)
@click.option(
    "--layer",
    "layers",
    multiple=True,
    metavar="NAME",
    shell_complete=completion.layers,
    help="A layer or block that --maps draws; repeatable.",
)
@click.option(
    "--kernels",
    type=OUTPUT,
    metavar="FILE",
    help="Draw the filters of the first convolution as FILE.png.",
)
@network_options
@format_option
def command(
    arch: str,
    images: tuple[str, ...],
    weights: str | None,
    like: str | None,
    seed: int,
    backend: str,
    precision: str,
    winograd: str,
    check_precision: bool,
    threads: int | None,
    top: int,
    profile: bool,
    save: str | None,
    output_name: str | None,
    maps: str | None,
    layers: tuple[str, ...],
    kernels: str | None,
    settings: tuple[str, ...],
    input_text: Shapes,
    max_layers: int,
    form: str,
) -> None:
    """Push an image or an array through a network and show what comes out.

    A FILE is an image, or an array as .npy, .npz or .safetensors: of the input's shape, channels first, or with one
    axis more in front for several; it is not preprocessed. A network with several inputs takes NAME=FILE for each.

    Several images, or folders of images, give one row each; images that cannot be read are reported at the end.

    --maps numbers the files of a folder as the layers run; of several images, each has a folder of its own in it.
    """
    if output_name is not None and save is None:
        raise UsageError("--output-name says which output --save writes", hint="give --save FILE too")
    if layers and maps is None:
        raise UsageError("--layer says which layers --maps draws", hint="give --maps FILE.png or DIR too")
    arch, images = _in_order(arch, images)
    if save is not None:
        choices.check_output(save)  # refuse what cannot be written before any work is done
    network = load_network(arch, settings, input_text, max_layers, seed)
    if save is not None:
        choices.check_output_name(save, network, output_name)
    with run_progress() as (advance, downloading, compiling, drawing):
        found = network.forward(
            images,
            weights=weights,
            like=like,
            seed=seed,
            backend=cast(Any, backend),
            precision=cast(Any, precision),
            winograd=cast(Any, winograd),
            check_precision=check_precision,
            threads=threads,
            top=top,
            profile=profile,
            maps=maps,
            layers=layers,
            kernels=kernels,
            output_name=output_name,
            drawing=drawing,
            advance=advance,
            downloading=downloading,
            compiling=compiling,
        )
    if found.weights.source == "model" and found.graph.preprocess is None and _has_picture(found):
        print_message(
            "the model does not say how its images are prepared: resized to the input, values 0 to 1; "
            "--like ARCH takes a spec's preprocess"
        )
    if found.weights.note:
        print_message(f"weights file: {found.weights.note}")
    failures = getattr(found, "failures", ())
    if save is not None and getattr(found, "done", True):
        save_view(found, save)
    if kernels is not None:
        report_written(kernels)
    if maps is not None:
        _report_maps([drawn.file for drawn in found.maps], maps)
    show(found, form)
    for failure in failures:
        print_error(str(failure.error))
    if failures:
        click.get_current_context().exit(1)


def _report_maps(files: Sequence[str], maps: str) -> None:
    """Name the files drawn; count those of a folder with many."""
    if len(files) > MAX_NAMED:
        report_written(f"{len(files):,} files in {maps}")
        return
    for file in reversed(files):  # what is reported last is said first
        report_written(file)


def _has_picture(found: Any) -> bool:
    """Whether a result is of an image rather than arrays only."""
    return any(
        given.size is not None for result in getattr(found, "done", (found,)) for given in result.inputs
    )


def _in_order(arch: str, images: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """ARCH and the images, swapped if the first argument is an image and exactly one of the others is a network."""
    if not arch.lower().endswith(tuple(choices.image_suffixes())):
        return arch, images
    networks = [
        name for name in images if choices.is_bundled(name) or choices.is_spec(name) or choices.is_model(name)
    ]
    if len(networks) != 1:
        return arch, images
    return networks[0], (arch, *(name for name in images if name != networks[0]))
