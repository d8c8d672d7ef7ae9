"""`apply`: an operator on typed input (a matrix, a signal, letters or an image), in one indexing mode or all three."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from convcalc.errors import UsageError
from convcalc.images.rasters import TONES
from convcalc.layer import matrices
from convcalc.layer.apply import MODES, Application, apply, filter_matrix, named_filters
from convcalc.layer.arguments import operator_and_input, read_source, window_fields
from convcalc.layer.matrices import Typed
from convcalc.layer.pictures import PictureMap, results
from convcalc.layer.steps import AnyStep, walked
from convcalc.layer.symbols import Notation
from convcalc.layer.windows import Extents, Sides, check_choice, check_count
from convcalc.shapes import ROUNDINGS

if TYPE_CHECKING:
    from convcalc.images.preprocess import Picture

MAX_SIDE = 512  # pixels of an image, unless another limit is given
MAX_DECIMALS = 17


class Applied(NamedTuple):
    """The result of `apply` on numbers or letters.

    applications: one, or one per mode; notation: how numbers are written; mode_shown: whether a mode was requested;
    steps: for each application its steps, if requested; tone: how a picture with a pixel per number
    maps them to grey levels, None for a figure of numbered cells.
    """

    applications: tuple[Application, ...]
    notation: Notation
    mode_shown: bool = False
    steps: tuple[tuple[AnyStep, ...], ...] = ()
    tone: str | None = None


class AppliedPicture(NamedTuple):
    """The result of `apply` on an image, with one map per filter and mode. path: the image file; picture: the image
    as read."""

    application: Application
    picture: Picture
    path: str
    maps: tuple[PictureMap, ...]


def apply_typed(
    arguments: Sequence[str],
    *,
    weights: Typed | Sequence[Typed] = (),
    bias: Typed | float | None = None,
    mode: str | None = None,
    kernel: Extents | None = None,
    stride: Extents | None = None,
    padding: Sides | None = None,
    dilation: Extents | None = None,
    rounding: str | None = None,
    per_channel: bool = False,
    steps: bool = False,
    decimals: int | None = None,
    tone: str | None = None,
    max_size: int | None = None,
    learned_bias: bool = False,
) -> Applied | AppliedPicture:
    """Apply an operator to an input, given in either order.

    arguments: an operator or filters, optional if weights are given, and a matrix, a file or an image. mode: one of
    MODES, or `all`; learned_bias: as in `apply`. Raises SpecError, ImageError, ConvcalcError or UsageError.
    """
    check_choice("--mode", mode, (*MODES, "all"))
    check_choice("--tone", tone, TONES)
    check_choice("--rounding", rounding, ROUNDINGS)
    check_count("--max-size", max_size, 10_000)
    if decimals is not None and not 0 <= decimals <= MAX_DECIMALS:
        raise UsageError(f"--decimals {decimals}: needs a number from 0 to {MAX_DECIMALS}")
    typed = matrices.several(weights)
    operator, text = operator_and_input(arguments, bool(typed))
    names = named_filters(operator)
    if names and typed:
        raise UsageError("a named filter has its weights", hint="leave --weights out, or write conv")
    filters = [filter_matrix(name) for name in names]
    filters += [matrices.parse(kernel_text, "--weights") for kernel_text in typed]
    biases = matrices.parse(matrices.typed(bias), "--bias").values if bias is not None else []
    source = read_source(text, max_size or MAX_SIDE)
    picture = source.picture
    channels, rank = source.tensor.shape[0], len(source.tensor.shape) - 1
    if picture is not None and steps:
        raise UsageError("--steps is for matrices", hint="an image has too many positions to walk")
    if picture is not None and decimals is not None:
        raise UsageError("--decimals is for matrices", hint="leave it out for an image")
    if picture is None and max_size is not None:
        raise UsageError("--max-size is for images", hint="leave it out for a matrix")
    fields = window_fields(
        {"kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation, "rounding": rounding},
        rank,
    )
    if per_channel:
        fields["groups"] = str(channels)
    applications = tuple(
        apply(
            "conv" if names else operator,
            source.tensor,
            filters * channels if per_channel else filters,
            bias=biases,
            mode=chosen,
            names=names,
            fields=fields,
            line=source.line,
            floats=picture is not None,
            learned_bias=learned_bias,
        )
        for chosen in (MODES if mode == "all" else (mode,))
    )
    if picture is not None:
        maps = _maps(applications, tone, len(filters) if per_channel else 0)
        return AppliedPicture(applications[0], picture, text, maps)
    written = [source.decimal, *(matrix.decimal for matrix in filters)]
    notation = Notation(False if False in written else True if True in written else None, decimals)
    positions = tuple(walked(application, notation.decimal) for application in applications if steps)
    return Applied(applications, notation, mode is not None, positions, tone)


def _maps(applications: Sequence[Application], tone: str | None, channelwise: int) -> tuple[PictureMap, ...]:
    """The maps of every mode; with several modes, their names include the mode."""
    return tuple(
        result._replace(name=f"{result.name}, {application.mode}") if len(applications) > 1 else result
        for application in applications
        for result in results(application, tone, channelwise)
    )
