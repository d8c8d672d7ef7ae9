"""`page`: what goes into the page of a network, and the file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from convcalc.errors import UsageError, clean
from convcalc.files import check_place, write_whole
from convcalc.page.build import page
from convcalc.page.digits import can_run
from convcalc.page.formulas import network_formulas
from convcalc.page.images import fitted_picture

if TYPE_CHECKING:
    from convcalc.analysis.analyse import Analysis
    from convcalc.analysis.diff import Diff
    from convcalc.backends import Compiling
    from convcalc.formats.model import Model
    from convcalc.inference.runner import Advance, Downloading

SUFFIXES = (".html", ".htm")


class Origin(NamedTuple):
    """What a network was loaded from: ARCH and the settings of its variables."""

    arch: str
    settings: Mapping[str, str]


class PageFile(NamedTuple):
    """A page that was written. names: of its networks; size: in bytes; drawings: how many are in it."""

    path: str
    names: tuple[str, ...]
    size: int
    drawings: int


def check_page(path: str) -> None:
    """Raise UsageError unless a page can have this file's name, ConvcalcError unless it can be written."""
    suffix = os.path.splitext(path)[1].lower()
    if suffix not in SUFFIXES:
        raise UsageError(
            f"{clean(path)}: a page is HTML, not {clean(suffix) or 'a file without a suffix'}",
            hint=f"name a file that ends in {SUFFIXES[0]}",
        )
    check_place(path)


def write_page(
    path: str,
    analysis: Analysis,
    compared: Diff | None = None,
    *,
    image: str | None = None,
    weights: str | None = None,
    like: str | None = None,
    seed: int = 0,
    model: Model | None = None,
    origins: Sequence[Origin] = (),
    advance: Advance | None = None,
    downloading: Downloading | None = None,
    compiling: Compiling | None = None,
) -> PageFile:
    """Write the page of a network, or of both networks of a comparison. See `Network.page`.

    origins: of each network, for its sliders.
    """
    check_page(path)
    if like is not None:
        from convcalc.inference.like import prepared_like

        analysis = analysis._replace(graph=prepared_like(analysis.graph, like)[0])
    graph = analysis.graph
    digits = can_run(graph)
    if weights is not None and image is None and not digits:
        raise UsageError(
            "--weights is for what an image gives: its feature maps and the answer",
            hint="give --image FILE too",
        )
    if image is not None and len(graph.inputs) > 1:
        raise UsageError(
            f"{graph.name} has {len(graph.inputs)} inputs, and a page takes one image",
            hint="convcalc forward runs it on several",
        )
    extra: dict[str, Any] = {}
    if image is not None or (digits and (weights or model or isinstance(graph.weights, str))):
        extra = _computed(analysis, image, weights, seed, model, advance, downloading, compiling)
    analyses = [analysis] if compared is None else [compared.a, compared.b]
    formulas = [
        network_formulas(each, origin.arch, origin.settings)
        for each, origin in zip(analyses, origins, strict=False)
    ]
    made = page(analysis, compared, formulas=formulas, **extra)
    content = made.html.encode("utf-8", "replace")
    write_whole(path, content)
    return PageFile(path, made.names, len(content), made.drawings)


def _computed(
    analysis: Analysis,
    image: str | None,
    weights: str | None,
    seed: int,
    model: Model | None,
    advance: Advance | None,
    downloading: Downloading | None,
    compiling: Compiling | None,
) -> dict[str, Any]:
    """What the page shows of weights, and of an image if there is one."""
    from convcalc.analysis.boxes import boxes
    from convcalc.inference.runner import Forward, choose_weights, forward

    graph = analysis.graph
    if image is None:
        return {"weights": choose_weights(graph, weights, seed, downloading, model)}
    from convcalc.page.maps import Maps

    picture = fitted_picture(graph, image)
    maps = Maps(graph, boxes(analysis))
    result = forward(
        graph, image, weights=weights, seed=seed, model=model, advance=advance, downloading=downloading,
        compiling=compiling, keep=tuple(maps.layers), take=lambda _, name, tensor: maps.take(name, tensor),
    )  # fmt: skip
    assert isinstance(result, Forward)
    return {"weights": result.weights, "result": result, "picture": picture, "maps": maps.sheets}
