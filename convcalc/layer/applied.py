"""One operator on what was typed: a matrix, a signal, letters or an image, in one way of indexing or in all three."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from convcalc.errors import UsageError
from convcalc.images.rasters import TONES
from convcalc.layer import matrices
from convcalc.layer.apply import MODES, Application, apply, filter_matrix, named_filters
from convcalc.layer.arguments import operator_and_input, read_source, window_fields
from convcalc.layer.matrices import Typed
from convcalc.layer.pictures import Result, results
from convcalc.layer.steps import Placement, placements
from convcalc.layer.symbols import Notation
from convcalc.layer.windows import ROUNDINGS, Extents, Sides, check_choice, check_count

if TYPE_CHECKING:
    from convcalc.images.preprocess import Picture

MAX_SIDE = 512  # pixels of an image, unless another limit is given
MAX_DECIMALS = 17


class Applied(NamedTuple):
    """What became of numbers or letters.

    applications: one, or one for each mode; notation: how numbers are written; mode_shown: whether a mode was asked
    for; steps: for each application the window at each position, where they were asked for; tone: how a picture of the
    numbers shows them.
    """

    applications: tuple[Application, ...]
    notation: Notation
    mode_shown: bool = False
    steps: tuple[tuple[Placement, ...], ...] = ()
    tone: str = "stretch"


class AppliedPicture(NamedTuple):
    """What became of an image: one map for each filter and mode. path: of the image; picture: as it was read."""

    application: Application
    picture: Picture
    path: str
    maps: tuple[Result, ...]


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
    """An operator and its input, in either order, put together.

    arguments: an operator or filters, which may be left out where there are weights, and a matrix, a file or an image.
    mode: one of MODES, or `all`; learned_bias: as in `apply`. Raises SpecError, ImageError, ConvcalcError, UsageError.
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
    positions = tuple(placements(application, notation.decimal) for application in applications if steps)
    return Applied(applications, notation, mode is not None, positions, tone or "stretch")


def _maps(applications: Sequence[Application], tone: str | None, channelwise: int) -> tuple[Result, ...]:
    """The maps of every mode, named after it where there are several."""
    return tuple(
        result._replace(name=f"{result.name}, {application.mode}") if len(applications) > 1 else result
        for application in applications
        for result in results(application, tone, channelwise)
    )
