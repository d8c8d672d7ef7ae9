"""convcalc from Python: a function for each command. Each returns a view of the record that the command prints.

This module alone knows how `report` shows a record. Everything else is imported inside the functions, so that each
loads no more than it needs.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from convcalc.graph import MAX_LAYERS
from convcalc.render.view import Look, Several, View

if TYPE_CHECKING:
    from PIL.Image import Image as Bitmap

    from convcalc.analysis.analyse import Analysis
    from convcalc.analysis.catalogue import Entry
    from convcalc.analysis.diff import Diff
    from convcalc.analysis.explain import Explanations
    from convcalc.analysis.field import DepthField, MeetingField, PixelField, UnitField
    from convcalc.analysis.fold import Listing
    from convcalc.analysis.reconcile import Reconciliation
    from convcalc.backends import Backend, Compiling
    from convcalc.errors import ShapeError
    from convcalc.exercises.marking import MarkedSheet, MarkedSheets
    from convcalc.exercises.worksheet import Sheet
    from convcalc.graph import Graph
    from convcalc.inference.runner import Advance, Downloading, Forward
    from convcalc.layer.applied import Applied, AppliedPicture
    from convcalc.layer.matrices import Typed
    from convcalc.layer.size import Sizing
    from convcalc.layer.solve import Solutions
    from convcalc.layer.unroll import Unrolled, UnrolledNetwork
    from convcalc.layer.windows import Extents, Sides
    from convcalc.render.layout import Line
    from convcalc.render.table import Table

Record = TypeVar("Record")

__all__ = [
    "MAX_LAYERS",
    "Network",
    "apply",
    "check_sheet",
    "docs",
    "list",
    "load",
    "matrix",
    "schema",
    "size",
    "worksheet",
]


def load(
    arch: str | os.PathLike[str],
    *,
    settings: Mapping[str, object] | None = None,
    input_shape: Sequence[int] | str | None = None,
    batch: int = 1,
    dtype: str = "float32",
    max_layers: int = MAX_LAYERS,
) -> Network:
    """A network by bundled name or by the path of a spec; `-` is standard input.

    settings override the spec's vars; input_shape `(C, *spatial)`, or a text such as `3x224x224`, its input; batch and
    dtype (float64, float32, float16, bfloat16, int8) are for the memory figures. Raises SpecError, ShapeError or
    UsageError.

    >>> convcalc.load("alexnet")
    <Network alexnet: 20 layers, 28,823,912 params, 614,310,432 MACs>
    >>> convcalc.load("googlenet", settings={"head": "dense"}).totals.params
    56150552
    """
    from convcalc.analysis.analyse import analyse
    from convcalc.language.expressions import as_text
    from convcalc.language.load import load_graph

    def written(value: object) -> str:
        """A Python value as the spec language writes it."""
        if isinstance(value, Sequence) and not isinstance(value, str):
            return "[" + ", ".join(map(written, value)) + "]"
        return value if isinstance(value, str) else str(as_text(value))

    name = os.fspath(arch)
    texts = {key: written(value) for key, value in (settings or {}).items()}
    _check_choice("dtype", dtype, number_types())
    _check_whole("batch", batch)
    _check_whole("max_layers", max_layers)
    shape = input_shape if input_shape is None or isinstance(input_shape, str) else tuple(input_shape)
    if isinstance(shape, tuple):
        for size in shape:
            _check_whole("input_shape", size, given=shape)
    graph = load_graph(name, settings=texts, input_shape=shape, max_layers=max_layers)
    return Network(analyse(graph, batch=batch, dtype=dtype), name, texts)


def list(
    pattern: str | None = None,
    *,
    sort: str = "lecture",
    reverse: bool = False,
    max_params: int | None = None,
    max_macs: int | None = None,
    family: str | None = None,
) -> Several[Entry]:
    """The bundled networks: `convcalc list`.

    pattern: a part of the name, or a pattern with * and ?; sort: lecture, name, params, macs, layers or memory;
    max_params, max_macs: only networks of at most so many; family: only those that extend this one. Raises UsageError
    if there is none.

    >>> convcalc.list("resnet*", sort="params", max_params=30_000_000)
    <3 networks: resnet18, resnet34, resnet50>
    >>> [(entry.name, entry.params) for entry in convcalc.list("lenet5")]
    [('lenet5', 61706)]
    """
    from convcalc.analysis.catalogue import find
    from convcalc.report import list as report

    found = find(
        pattern,
        sort=sort,
        reverse=reverse,
        max_params=max_params,
        max_macs=max_macs,
        family=family,
    )
    return Several(
        found, _look(found, report.catalogue_summary, report.catalogue_value, report.catalogue_table)
    )


def schema() -> View[dict[str, Any]]:
    """The JSON Schema of the spec language, for editors: `convcalc schema`.

    >>> convcalc.schema().to_dict()["title"]
    'convcalc architecture'
    """
    from convcalc.language.schema import schema as make
    from convcalc.render.json import dumps

    found = make()
    return View(
        found,
        Look(
            summary=lambda: f"Schema of the spec language, draft {found['$schema'].split('/')[-2]}",
            value=lambda: found,
            texts={"table": lambda: dumps(found)},
        ),
    )


def docs(topic: str | None = None, *, search: str | None = None) -> View[Any]:
    """A topic of the manual as Markdown, or its contents; with search, every line that holds a word: `convcalc docs`.

    Raises UsageError if there is no such topic or line.

    >>> print(convcalc.docs("counting").text[:17])
    # What is counted
    >>> "conv" in {row["topic"] for row in convcalc.docs(search="dilation").rows()}
    True
    """
    from convcalc.errors import UsageError
    from convcalc.manual import topics as manual

    if search is None:
        page = manual.docs(topic)
        return View(
            page,
            Look(
                summary=lambda: f"Topic {page.name} of the manual",
                value=lambda: page._asdict(),
                texts={"table": lambda: page.text, "markdown": lambda: page.text},
            ),
        )
    if topic is not None:
        raise UsageError("--search looks in every topic", hint=f"leave '{topic}' out")
    from convcalc.report import docs as report

    found = manual.search(search)
    return Several(
        found,
        _look(
            found, lambda lines: report.found_summary(search, lines), report.found_value, report.found_table
        ),
    )


def partial(error: ShapeError, *, batch: int = 1, dtype: str = "float32") -> Network | None:
    """The network up to the layer that did not fit, for an error of `load`; None where that was the first one."""
    from convcalc.analysis.analyse import analyse
    from convcalc.graph import Graph

    if not isinstance(error.graph, Graph) or not error.graph.nodes:
        return None
    return Network(analyse(error.graph, batch=batch, dtype=dtype), complete=False)


class Network(View["Analysis"]):
    """A network with its figures.

    layers: one record per layer (output shape, weights, MACs, receptive field, …); totals: their sums; graph: the
    operators and how they are wired; warnings. Each method is a command.
    """

    __slots__ = ("_arch", "_complete", "_settings")

    def __init__(
        self,
        analysis: Analysis,
        arch: str = "-",
        settings: Mapping[str, str] | None = None,
        *,
        complete: bool = True,
    ) -> None:
        self._arch = arch
        self._settings = settings or {}
        self._complete = complete
        super().__init__(analysis, _listing_look(analysis, self._listing))

    def _listing(self, depth: int | None = None, all: bool = False) -> Listing:
        from convcalc.analysis.fold import Listing

        return Listing(self.record, depth, all, partial=not self._complete)

    def show(
        self, *, depth: int | None = None, all: bool = False, columns: str | Sequence[str] | None = None
    ) -> View[Listing]:
        """The table of layers: `convcalc show`.

        depth folds blocks deeper than so many path segments; all: a row for every layer, activations and all; columns:
        others than the usual ones. Raises UsageError for a column that there is not.

        >>> print(convcalc.load("vgg16").show(depth=1, columns="layer,macs"))  # doctest: +ELLIPSIS
        VGG-16...
        conv1_1       86,704,128
        ...
        >>> convcalc.load("alexnet").show(columns="layer,weights,macs").rows()[0]
        {'layer': 'conv1', 'weights': 34848, 'macs': 105415200}
        """
        _check_whole("depth", depth)
        listing = self._listing(depth, all)
        names = None if columns is None else _columns(columns)
        return View(listing, _listing_look(self.record, lambda: listing, names))

    def explain(self, *layers: str) -> View[Explanations]:
        """The working of every figure, or of these layers' and blocks': `convcalc show --explain`.

        Raises UsageError for a layer that there is not.

        >>> print(convcalc.load("alexnet").explain("conv1"))
        conv1  conv K96 F11 S4   3×227×227 → 96×55×55
            output size      (227 − 11 + 2·0)/4 + 1 = 55
            weights          (11·11·3)·96 = 34,848
            biases           96
            MACs             34,848 · 55×55 = 105,415,200
            receptive field  1 + (11 − 1)·1 = 11, stride 1·4 = 4
        """
        from convcalc.analysis.explain import explanations
        from convcalc.report import show_explanation as report

        found = explanations(self.record, layers)
        return _view(
            found, report.explanation_summary, report.explanation_value, report.explanation_table,
            lines=report.explanation_lines,
        )  # fmt: skip

    def reconcile(self, figure: str) -> View[Reconciliation]:
        """How a figure met elsewhere was counted: `convcalc show --reconcile`.

        figure: with K, M, G or T, and what it counts if known, such as `61.1M params`, `7.8 GFLOPs`. Raises UsageError
        if it is none.

        >>> convcalc.load("torchvision/resnet50").reconcile("4.11G")  # doctest: +ELLIPSIS
        <Reconciliation of 4.11G with torchvision/resnet50: torchvision/resnet50, "#flops" of fvcore ...>
        """
        from convcalc.analysis.quantities import parse
        from convcalc.analysis.reconcile import reconcile
        from convcalc.report import reconcile as report

        found = reconcile(self.record, parse(figure), self._arch, self._settings)
        return _view(
            found, report.reconciliation_summary, report.reconciliation_value, report.reconciliation_table
        )

    def diff(self, other: Network, *, all: bool = False) -> View[Diff]:
        """What differs between this network, A, and another, B: `convcalc diff`. all: pairs that are the same, too.

        >>> change = convcalc.load("alexnet").diff(convcalc.load("zfnet"))
        >>> change
        <Diff alexnet → zfnet: 5 layers changed, 0 added, 0 removed>
        >>> change.total_delta()["weights"]
        11693824
        """
        from convcalc.analysis.diff import compare
        from convcalc.report import diff as report

        found = compare(self.record, other.record)
        return _view(
            found,
            report.diff_summary,
            report.diff_value,
            lambda diff: report.diff_table(diff, everything=all),
        )

    def field(
        self,
        layer: str | None = None,
        *,
        unit: Sequence[int] | None = None,
        pixel: Sequence[int] | None = None,
        between: tuple[Sequence[int], Sequence[int]] | None = None,
        depth: int | None = None,
        all: bool = False,
        image: str | os.PathLike[str] | None = None,
    ) -> View[DepthField | UnitField | PixelField | MeetingField]:
        """Receptive fields: `convcalc field`. Without a question, of the unit in the middle of every layer.

        layer: what one unit of this layer sees, the one in the middle or `unit`; pixel: which units of every layer it
        reaches; between: the first layer with a unit that sees both pixels. Positions are (row, column) and count
        from 0. depth folds blocks deeper than so many path segments; all: a row for every layer. `save` draws it into a
        PNG, over an image if there is one. Raises UsageError for a layer, unit or pixel that is not there.

        >>> net = convcalc.load("alexnet")
        >>> net.field("conv5", unit=(0, 0))
        <What conv5 (0, 0) of alexnet sees: 0…162 × 0…162>
        >>> net.field("conv5").sight.pixels
        26569
        >>> convcalc.load("lenet5").field(between=((0, 0), (5, 5)))
        <Where pixels (0, 0) and (5, 5) of lenet5 meet: in maxpool1>
        """
        from convcalc.errors import UsageError

        questions = (("--layer", layer), ("--pixel", pixel), ("--between", between))
        asked = [option for option, given in questions if given is not None]
        if len(asked) > 1:
            raise UsageError(f"{asked[0]} and {asked[1]} ask different questions", hint="give one of them")
        if unit is not None and layer is None:
            raise UsageError("--unit needs the layer it is of", hint="for example --layer conv3 --unit 0,0")
        if image is not None and pixel is not None:
            raise UsageError("--pixel draws the layers' maps, not an image", hint="leave --image out")
        _check_whole("depth", depth)
        from convcalc.analysis import field as question
        from convcalc.report import field as report
        from convcalc.report import field_picture as drawing

        graph = self.record.graph

        def picture(path: str) -> Bitmap | None:
            """The image as the network reads it, where a PNG of the network can be drawn."""
            drawing.check_drawable(graph, path)
            return None if image is None else _as_read(graph, os.fspath(image))

        if layer is not None:
            seen = question.unit_field(self.record, layer, None if unit is None else _position("unit", unit))
            return _view(
                seen, report.unit_summary, report.unit_value, report.unit_table, lines=report.unit_lines,
                file=lambda path: drawing.unit_png(seen, picture(path)),
            )  # fmt: skip
        if pixel is not None:
            reached = question.pixel_field(self.record, _position("pixel", pixel), unfold=all)
            return _view(
                reached, report.pixel_summary, report.pixel_value, report.pixel_table,
                file=lambda path: drawing.pixel_png(reached, picture(path)),
            )  # fmt: skip
        if between is not None:
            first, second = (_position("between", position) for position in between)
            meeting = question.meeting_field(self.record, first, second, unfold=all)
            return _view(
                meeting, report.meeting_summary, report.meeting_value, report.meeting_table,
                lines=report.meeting_lines, file=lambda path: drawing.meeting_png(meeting, picture(path)),
            )  # fmt: skip
        fields = question.DepthField(self.record, depth, all)
        return _view(
            fields, report.depth_summary, report.depth_value, report.depth_table,
            file=lambda path: drawing.depth_png(fields, picture(path)),
        )  # fmt: skip

    def matrix(self, layer: str | None = None) -> View[Unrolled | UnrolledNetwork]:
        """A convolution as the dense layer it is: `convcalc matrix`.

        `counts` of its connections, `matrix()` as in `convcalc.matrix`; without a layer, `layers` are all convolutions
        and `total` sums their counts. `save` writes one layer's matrix as .png, .csv or .npz. Raises UsageError.

        >>> convcalc.load("lenet5").matrix("conv1")
        <Matrix of conv1 4,704×1,024: 117,600 of 4,816,896 entries are not zero, 150 are distinct>
        """
        from convcalc.layer.unroll import unroll_layer, unroll_network
        from convcalc.report import matrix as report
        from convcalc.report.matrix_file import layers_file

        graph = self.record.graph
        if layer is not None:
            return _matrix_view(unroll_layer(graph, self._arch, layer))
        network = unroll_network(graph, self._arch)
        return _view(
            network, report.layers_summary, report.layers_value, report.layers_table,
            file=lambda path: layers_file(network, path),
        )  # fmt: skip

    def worksheet(
        self,
        *,
        blank: str | Sequence[str] | None = None,
        amount: int | None = None,
        seed: int = 0,
        answers: bool = False,
    ) -> View[Sheet]:
        """The table of layers with blanks to fill in: `convcalc worksheet ARCH`.

        blank: what to ask: output, weights, biases, params, macs, field; by default output and weights; amount: so many
        cells by chance, not all; answers: the key. `exercises` have `answer` and `working`. Raises UsageError.

        >>> sheet = convcalc.load("lenet5").worksheet(blank="weights")
        >>> sheet
        <Worksheet LeNet-5, as counted in the lecture: lenet5, 7 answers>
        >>> sheet.exercises[0].working
        '(5·5·1)·6 = 150'
        """
        from convcalc.exercises.worksheet import worksheet

        return _sheet_view(worksheet(self.record, blank=blank, amount=amount, seed=seed), answers)

    def forward(
        self,
        images: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        *,
        weights: str | os.PathLike[str] | None = None,
        seed: int = 0,
        backend: Backend = "auto",
        threads: int | None = None,
        top: int = 5,
        profile: bool = False,
        advance: Advance | None = None,
        downloading: Downloading | None = None,
        compiling: Compiling | None = None,
    ) -> View[Any]:
        """Push an image through: `convcalc forward`. Several images, or a folder of them, give a row each.

        Of one image `.run.values` is the output and `.top` the classes, where trained weights ran a classifier; of
        several `.outcomes` has each image's, and `.failures` those that could not be read. `save` writes one image's
        output: .json, .csv, .npy, .safetensors.

        weights: a file, `pretrained` (fetched from the spec's address), or None for those that come with the network,
        else random ones from the seed; top: how many classes to tell; profile: time per layer. advance, downloading
        and compiling are called as work is done, with how much of how much. Raises ImageError, WeightsError or
        UsageError.

        >>> result = convcalc.load("lenet5").forward("seven.png")
        >>> result.top[0].label
        '7'
        >>> result.run.shape
        (10,)
        >>> convcalc.load("lenet5").forward(["seven.png", "nowhere.png"])
        <Forward of lenet5 on 1 image, 1 not read>
        """
        from convcalc.inference.runner import Batch, forward
        from convcalc.render.layout import table_lines
        from convcalc.report import forward as report

        _check_choice("backend", backend, backends())
        _check_whole("seed", seed, least=0)
        _check_whole("threads", threads)
        _check_whole("top", top)
        found = forward(
            self.record.graph,
            images,
            weights=None if weights is None else os.fspath(weights),
            seed=seed,
            backend=backend,
            threads=threads,
            top=top,
            profile=profile,
            advance=advance,
            downloading=downloading,
            compiling=compiling,
        )
        if isinstance(found, Batch):
            return _view(found, report.batch_summary, report.batch_value, report.batch_table)

        def file(path: str) -> bytes:
            from convcalc.inference.outputs import saver

            return saver(path)(found.run.shape, found.run.values)

        def lines(result: Forward, width: int | None) -> Iterator[Line]:
            yield from table_lines(report.forward_table(result), width)
            yield from table_lines(report.profile_table(result), width) if profile else ()

        table = report.profile_table if profile else report.forward_table
        return _view(found, report.forward_summary, report.forward_value, table, lines=lines, file=file)


def _view(
    record: Record,
    summary: Callable[[Record], str],
    value: Callable[[Record], Any],
    table: Callable[[Record], Table],
    *,
    lines: Callable[[Record, int | None], Iterable[Line]] | None = None,
    file: Callable[[str], bytes] | None = None,
) -> View[Record]:
    """A record that `report` shows with these functions."""
    return View(record, _look(record, summary, value, table, lines=lines, file=file))


def _look(
    record: Record,
    summary: Callable[[Record], str],
    value: Callable[[Record], Any],
    table: Callable[[Record], Table],
    *,
    lines: Callable[[Record, int | None], Iterable[Line]] | None = None,
    file: Callable[[str], bytes] | None = None,
) -> Look:
    return Look(
        summary=lambda: summary(record),
        value=lambda: value(record),
        tables=lambda: [table(record)],
        lines=None if lines is None else lambda width: lines(record, width),
        file=file,
    )


def _as_read(graph: Graph, image: str) -> Bitmap:
    """An image as a network reads it, before its values are scaled."""
    from convcalc.images.preprocess import Preprocess, fitted

    return fitted(image, Preprocess(**(graph.preprocess or {})), graph.input_shape)[0]


def _check_whole(name: str, value: object, *, least: int = 1, given: object = None) -> None:
    """Raise UsageError for an argument that is no whole number from `least` on, or None. given: what it is part of."""
    from convcalc.errors import UsageError

    if value is None:
        return
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        shown = value if given is None else given
        raise UsageError(f"{name}={shown!r}: needs whole numbers from {least} on")


def _check_choice(name: str, value: str, options: Sequence[str]) -> None:
    """Raise UsageError for an argument that is none of a few words."""
    from convcalc.errors import UsageError, did_you_mean

    if value not in options:
        raise UsageError(
            f"{name}={value!r}: there is no such {name}{did_you_mean(str(value), options)}",
            hint=f"one of {', '.join(options)}",
        )


def _position(name: str, given: Sequence[int]) -> tuple[int, ...]:
    """A unit's or a pixel's position. Raises UsageError for what is none."""
    from convcalc.errors import UsageError

    if isinstance(given, str) or not all(type(place) is int for place in given):
        raise UsageError(
            f"{name}={given!r}: needs whole numbers", hint="(row, column), counted from 0: (5, 7)"
        )
    return tuple(given)


def _columns(asked: str | Sequence[str]) -> Sequence[str]:
    """The columns of `show` in `layer,output,macs` or a list. Raises UsageError for an unknown or repeated one."""
    from convcalc.errors import UsageError
    from convcalc.language.synonyms import suggest
    from convcalc.report.show import COLUMNS

    text = asked if isinstance(asked, str) else ",".join(asked)
    names = [part.strip().lower() for part in text.split(",") if part.strip()]
    for name in names:
        if name not in COLUMNS:
            raise UsageError(
                f"--columns: there is no column '{name}'{suggest(name, COLUMNS, 'column')}",
                hint=f"columns: {', '.join(COLUMNS)}",
            )
    if not names or len(set(names)) < len(names):
        raise UsageError(
            f"--columns {text}: " + ("a column is named twice" if names else "needs at least one column"),
            hint=f"columns: {', '.join(COLUMNS)}",
        )
    return names


def _listing_look(
    analysis: Analysis, listing: Callable[[], Listing], columns: Sequence[str] | None = None
) -> Look:
    """How a network is shown, in its usual columns or in others. Its rows are made when they are asked for."""

    def table() -> Table:
        from convcalc.report.show import columns_table, network_table

        return network_table(listing()) if columns is None else columns_table(listing(), columns)

    def value() -> dict[str, Any]:
        from convcalc.report.values import analysis_value

        found = analysis_value(analysis)
        if columns is None:
            return found
        from convcalc.report.show import columns_value

        return {**found, "columns": columns_value(listing(), columns)}

    def summary() -> str:
        from convcalc.report.show import network_summary

        return network_summary(analysis)

    return Look(summary=summary, value=value, tables=lambda: [table()])


# -- a layer by itself -----------------------------------------------------------------------------------------


def size(
    input: Extents | None = None,
    *,
    kernel: Extents | None = None,
    stride: Extents | None = None,
    padding: Sides | None = None,
    dilation: Extents | None = None,
    rounding: str = "floor",
    filters: int | None = None,
    channels: int | None = None,
    output: Extents | None = None,
    solve: str | None = None,
) -> View[Sizing | Solutions]:
    """Why is it 55? One window's output size worked out, or what was left out solved for: `convcalc size`.

    Sizes, extents and paddings are numbers, tuples or text as on the command line: `227`, `"227x227x3"`,
    `(3, 227, 227)`, `"0+1"`, `"same"`. Of a size worked out: `output_shape`, `cost`
    where `filters` are given, `mismatch`, the error where it is not `output`. Of what was solved for: `answers`, one
    per axis, each with `solutions`, the exact ones first. Raises UsageError.

    >>> convcalc.size("3x227x227", kernel=11, stride=4, filters=96).output_shape
    (96, 55, 55)
    >>> [solution.value for solution in convcalc.size(227, kernel=3, output=227).answers[0].solutions]
    [1]
    """
    from convcalc.layer import size as layer
    from convcalc.layer.size import Sizing
    from convcalc.report import size as report

    found = layer.size(
        input,
        kernel=kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
        rounding=rounding,
        filters=filters,
        channels=channels,
        output=output,
        solve=solve,
    )
    if isinstance(found, Sizing):
        return _view(
            found, report.size_summary, report.size_value, report.size_table, lines=report.size_lines
        )
    return _view(found, report.solutions_summary, report.solutions_value, report.solutions_table)


def apply(
    *arguments: Typed | os.PathLike[str],
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
) -> View[Applied | AppliedPicture]:
    """One operator on a matrix, a signal, letters or an image: `convcalc apply`.

    arguments: an operator, written as in a spec, or filters by name, which may be left out if there are weights; and
    the input: a matrix as text (`"1 2; 3 4"`) or nested lists, or the path of a CSV file or an image. weights: as in
    `matrix`; mode: correlation, convolution, centred or all; the others are the command's options. Of numbers:
    `applications`, one per mode, whose `output` has `shape` and exact `values`; `steps`. Of an image: `maps`. `save`
    writes .png or .csv. Raises UsageError, SpecError or ImageError.

    >>> print(convcalc.apply("maxpool: 2", [[1, 4, 2, 1], [5, 8, 3, 4], [7, 6, 4, 5], [1, 3, 1, 2]]).to_text("csv"))
    8,4
    7,5
    <BLANKLINE>
    >>> letters = convcalc.apply("a b c; e f g", weights="w x; y z")
    >>> letters.to_dict()["output"]["text"]
    [[['aw + bx + ey + fz', 'bw + cx + fy + gz']]]
    >>> convcalc.apply("edges", "seven.png")
    <Applied edges (conv K1 F3): 28×28 → 26×26, to seven.png>
    """
    from convcalc.layer.applied import Applied, apply_typed
    from convcalc.layer.matrices import typed
    from convcalc.report import apply as report
    from convcalc.report import apply_picture as picture
    from convcalc.report.apply_file import applied_file

    texts = [os.fspath(given) if isinstance(given, os.PathLike) else typed(given) for given in arguments]
    found = apply_typed(
        texts,
        weights=weights,
        bias=bias,
        mode=mode,
        kernel=kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
        rounding=rounding,
        per_channel=per_channel,
        steps=steps,
        decimals=decimals,
        tone=tone,
        max_size=max_size,
    )
    if not isinstance(found, Applied):
        filtered = found
        return _view(
            filtered, picture.filtered_summary, picture.filtered_value, picture.filtered_table,
            lines=picture.filtered_lines, file=lambda path: picture.filtered_file(filtered, path),
        )  # fmt: skip
    applied = found
    look = Look(
        summary=lambda: report.applied_summary(applied),
        value=lambda: report.applied_value(applied),
        tables=lambda: report.applied_tables(applied),
        lines=lambda width: report.applied_lines(applied, width),
        texts={"csv": lambda: report.applied_csv(applied)},
        file=lambda path: applied_file(applied, path),
    )
    return View(applied, look)


def matrix(
    size: Extents | None = None,
    *,
    kernel: Extents | None = None,
    stride: Extents | None = None,
    padding: Sides | None = None,
    dilation: Extents | None = None,
    rounding: str = "floor",
    filters: int | None = None,
    channels: int | None = None,
    weights: Typed | Sequence[Typed] = (),
) -> View[Unrolled | UnrolledNetwork]:
    """A convolution made up for the occasion as the dense layer it is: `convcalc matrix SIZE`.

    weights: a filter's values or letters, as text (`"1 2; 3 4"`) or nested lists, or a list of such texts, one per
    filter. `matrix()` has the number of the weight at each place, from 1, row by row (0: not connected). Raises
    UsageError.

    >>> convcalc.matrix("4x4", kernel=2).counts.distinct
    4
    >>> convcalc.matrix("2x3", kernel=2).matrix().tolist()
    [1, 2, 0, 3, 4, 0, 0, 1, 2, 0, 3, 4]
    """
    from convcalc.layer.unroll import unroll

    return _matrix_view(
        unroll(
            size,
            kernel=kernel,
            stride=stride,
            padding=padding,
            dilation=dilation,
            rounding=rounding,
            filters=filters,
            channels=channels,
            weights=weights,
        )
    )


def _matrix_view(layer: Unrolled) -> View[Unrolled]:
    from convcalc.report import matrix as report
    from convcalc.report.matrix_file import unrolled_file

    return _view(
        layer, report.unrolled_summary, report.unrolled_value, report.unrolled_table, lines=report.unrolled_lines,
        file=lambda path: unrolled_file(layer, path),
    )  # fmt: skip


def worksheet(
    *,
    level: str | int = "1-4",
    blank: str | Sequence[str] | None = None,
    amount: int | None = None,
    seed: int = 0,
    answers: bool = False,
) -> View[Sheet]:
    """Single random layers to work out, 8 or `amount` of them: `convcalc worksheet`.

    level: 1 (no padding) to 4 (dilation, groups, deconvolution), or rising, as in "1-4"; the rest as in
    `Network.worksheet`. Raises UsageError.

    >>> convcalc.worksheet(level=1, amount=1, seed=3)
    <Worksheet Layers by hand, level 1: 2 answers, seed 3>
    """
    from convcalc.exercises import worksheet as exercises

    return _sheet_view(exercises.worksheet(level=level, blank=blank, amount=amount, seed=seed), answers)


def _sheet_view(sheet: Sheet, answers: bool) -> View[Sheet]:
    from convcalc.report import worksheet as report

    pages = {"html": report.page_html, "latex": report.page_latex, "markdown": report.page_markdown}
    look = Look(
        summary=lambda: report.sheet_summary(sheet),
        value=lambda: report.sheet_value(sheet, answers=answers),
        tables=lambda: [report.sheet_table(sheet, answers=answers)],
        texts={form: functools.partial(page, sheet, answers=answers) for form, page in pages.items()},
    )
    return View(sheet, look)


def check_sheet(
    *sheets: str | os.PathLike[str],
    network: Network | str | os.PathLike[str] | None = None,
    settings: Mapping[str, object] | None = None,
    input_shape: Sequence[int] | str | None = None,
    max_layers: int = MAX_LAYERS,
) -> View[MarkedSheet | MarkedSheets]:
    """Filled-in worksheets marked: `convcalc worksheet --check`.

    sheets: CSV or JSON files, folders of them, or the text of one. network: what they are of, else the bundled one that
    they name; settings, input_shape and max_layers as in `load`. Of one sheet: `marks`, with `verdict` and `why`; of
    several: `sheets`, `mistakes`; of both: `right`, `total`. Raises ConvcalcError.

    >>> sheet = convcalc.load("lenet5").worksheet(blank="weights").to_text("csv")
    >>> marked = convcalc.check_sheet(sheet.replace("weights,", "weights,156", 1))
    >>> marked
    <Marked sheet of <text>: 0 of 7 answers right>
    >>> marked.marks[0].why
    'this counts the biases too'
    """
    from convcalc.exercises.marking import MarkedSheet, check_sheets
    from convcalc.report import worksheet_marked as report

    def analysis(arch: str) -> Analysis:
        if isinstance(network, Network):
            return network.record
        return load(arch, settings=settings, input_shape=input_shape, max_layers=max_layers).record

    arch = network._arch if isinstance(network, Network) else None if network is None else os.fspath(network)
    found = check_sheets([os.fspath(sheet) for sheet in sheets], analysis, arch)
    if isinstance(found, MarkedSheet):
        return _view(found, report.marked_summary, report.marked_value, report.marked_table)
    return _view(found, report.sheets_summary, report.sheets_value, report.sheets_table)


# -- what the command line offers and completes ----------------------------------------------------------------


def number_types() -> Sequence[str]:
    """What `dtype` may be."""
    from convcalc.analysis.analyse import DTYPES

    return tuple(DTYPES)


def orders() -> Sequence[str]:
    """What a list may be sorted by."""
    from convcalc.analysis.catalogue import ORDERS

    return ORDERS


def backends() -> Sequence[str]:
    """What computes a forward pass."""
    from convcalc.backends import BACKENDS

    return BACKENDS


def image_suffixes() -> Sequence[str]:
    """How the names of images end."""
    from convcalc.images.decode import SUFFIXES

    return SUFFIXES


def check_output(path: str) -> None:
    """Raise UsageError or ConvcalcError for a file that the output of `forward` cannot be written to."""
    from convcalc.inference.outputs import check_output as check

    check(path)


def is_bundled(name: str) -> bool:
    """Whether a spec of that name is bundled."""
    from convcalc.language import bundled

    return bundled.path(name) is not None


def architectures() -> Sequence[str]:
    """The bundled networks."""
    from convcalc.language import bundled

    return bundled.members()


def families() -> Sequence[str]:
    """The bundled specs that others extend."""
    from convcalc.language import bundled

    return sorted(set(bundled.names()) - set(bundled.members()))


def variables(arch: str) -> Sequence[str]:
    """The names that a spec's `vars` set. Raises SpecError or UsageError."""
    from convcalc.language.documents import read_spec

    return tuple(read_spec(arch).variables)


def layer_names(
    arch: str, *, settings: Mapping[str, str], input_shape: str | None, max_layers: int
) -> Sequence[str]:
    """A network's layers, then the blocks that enclose them. Raises SpecError, ShapeError or UsageError."""
    from convcalc.language.load import load_graph

    graph = load_graph(arch, settings=settings, input_shape=input_shape, max_layers=max_layers)
    scopes = {node.scope: None for node in graph if node.scope}
    return [*(node.name for node in graph), *scopes]


def convolution_names(
    arch: str, *, settings: Mapping[str, str], input_shape: str | None, max_layers: int
) -> Sequence[str]:
    """A network's convolutions. Raises SpecError, ShapeError or UsageError."""
    from convcalc.language.load import load_graph
    from convcalc.layer.unroll import convolutions

    graph = load_graph(arch, settings=settings, input_shape=input_shape, max_layers=max_layers)
    return [layer.name for layer in convolutions(graph)]


def operators() -> Sequence[str]:
    """The operators of the spec language."""
    from convcalc import ops

    return ops.names()


def filters() -> Sequence[str]:
    """The filters that `apply` knows by name."""
    from convcalc.layer.filters import FILTERS

    return tuple(FILTERS)


def asks() -> Sequence[str]:
    """What a worksheet may ask."""
    from convcalc.exercises.worksheet import ASKS

    return tuple(ASKS)


def modes() -> Sequence[str]:
    """How `apply` can index a convolution."""
    from convcalc.layer.apply import MODES

    return MODES


def tones() -> Sequence[str]:
    """How `apply` can show values outside 0 to 255."""
    from convcalc.images.rasters import TONES

    return TONES


def is_picture(view: View[Any]) -> bool:
    """Whether `apply` was given an image."""
    from convcalc.layer.applied import AppliedPicture

    return isinstance(view.record, AppliedPicture)


def unknowns() -> Sequence[str]:
    """What `size` solves for."""
    from convcalc.layer.solve import UNKNOWNS

    return UNKNOWNS


def topics() -> Sequence[str]:
    """The topics of the manual."""
    from convcalc.manual.topics import names

    return names()


def count(text: str) -> int:
    """A count as people write it: 5000000, 5M, 4.11G. Raises UsageError if the text is not one."""
    from convcalc.analysis.quantities import parse_count

    return parse_count(text)


def suggest_command(word: str, commands: Iterable[str]) -> str:
    """What the command line says of a command that is not there: what it is called here, or spelled like.

    >>> suggest_command("summary", ["show", "size"])
    ": convcalc calls it 'show'"
    """
    from convcalc.language.synonyms import suggest

    return suggest(word, commands, "command")
