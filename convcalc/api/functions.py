"""Functions for the commands that take no network. Each returns a view of the record that the command prints."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from convcalc.api.gradients import backward_view, check_backward, transposed_view
from convcalc.api.net import Network, load
from convcalc.api.sheets import worksheet_view
from convcalc.api.views import matrix_view, record_look, record_view
from convcalc.errors import UsageError
from convcalc.graph import MAX_LAYERS
from convcalc.render.view import Look, Several, View

if TYPE_CHECKING:
    from convcalc.analysis.analyse import Analysis
    from convcalc.analysis.catalogue import CatalogueEntry
    from convcalc.analysis.compare import Comparison
    from convcalc.exercises.marking import MarkedSheet, MarkedSheets
    from convcalc.layer.backward import Backward
    from convcalc.layer.matrices import Typed
    from convcalc.layer.size import Sizing
    from convcalc.layer.solutions import Solutions
    from convcalc.layer.transposed import Transposed
    from convcalc.layer.typed_input import Applied, AppliedPicture
    from convcalc.layer.unroll import Unrolled
    from convcalc.layer.unroll_transposed import UnrolledTransposed
    from convcalc.layer.windows import Extents, Sides


def list(
    pattern: str | None = None,
    *,
    sort: str = "lecture",
    reverse: bool = False,
    max_params: int | None = None,
    max_macs: int | None = None,
    family: str | None = None,
    task: str | None = None,
) -> Several[CatalogueEntry]:
    """The bundled networks: `convcalc list`.

    pattern: part of a name, or a pattern with * and ?; sort: lecture, name, params, macs, layers or memory;
    max_params, max_macs: upper limits; family: only networks that extend this one; task: only networks for it, such
    as "segmentation". Raises UsageError if no network is left.

    >>> convcalc.list("resnet??", sort="params", max_params=30_000_000)
    <3 networks: resnet18, resnet34, resnet50>
    >>> [(entry.name, entry.params) for entry in convcalc.list(task="matching")]
    [('siamese', 38951745)]
    """
    from convcalc.analysis.catalogue import find, groups
    from convcalc.report import list as report

    found = find(
        pattern,
        sort=sort,
        reverse=reverse,
        max_params=max_params,
        max_macs=max_macs,
        family=family,
        task=task,
    )
    table = partial(report.catalogue_table, groups=groups(found) if sort == "lecture" and not reverse else ())
    return Several(found, record_look(found, report.catalogue_summary, report.catalogue_value, table))


def compare(
    *networks: Network | str | os.PathLike[str], plot: str | Sequence[str] | None = None
) -> View[Comparison]:
    """Several networks side by side: `convcalc compare`.

    plot: two quantities, as text `macs,top1` or a sequence; `save` writes their plot, as .svg, .png, .pdf or .tex. By
    default the front is that of macs and top1, where at least two networks publish it. The view has `networks`,
    `axes`, `left_out`. Raises UsageError.

    >>> found = convcalc.compare("alexnet", "vgg16", "resnet50", plot="params,macs")
    >>> [(network.name, network.depth, network.pareto) for network in found.networks]
    [('alexnet', 8, True), ('vgg16', 16, False), ('resnet50', 50, True)]
    """
    from convcalc.analysis.compare import compare as make
    from convcalc.report import compare as report

    loaded = [network if isinstance(network, Network) else load(network) for network in networks]
    if not loaded:
        raise UsageError("no network to compare")
    axes = plot.split(",") if isinstance(plot, str) else plot or ()
    found = make([network.record for network in loaded], axes)
    return record_view(
        found, report.compare_summary, report.compare_value, report.compare_table,
        lines=lambda result, width: report.compare_lines(result, width, plotted=plot is not None),
        file=lambda path: report.compare_file(found, path),
    )  # fmt: skip


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
    """The manual: `convcalc docs`.

    topic: returned as Markdown; without it, the contents. search: returns every line that contains this word instead.
    Raises UsageError if there is no such topic or line.

    >>> print(convcalc.docs("counting").text[:17])
    # What is counted
    >>> "conv" in {row["topic"] for row in convcalc.docs(search="dilation").rows()}
    True
    """
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
        record_look(
            found, lambda lines: report.found_summary(search, lines), report.found_value, report.found_table
        ),
    )


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
    transposed: bool = False,
    output_padding: Extents | None = None,
) -> View[Sizing | Solutions]:
    """The output size of a window, or the missing value solved for: `convcalc size`.

    Sizes, extents and paddings are numbers, tuples or text as on the command line: `227`, `"227x227x3"`,
    `(3, 227, 227)`, `"0+1"`, `"same"`. A size has `output_shape`, `cost` if `filters` is given, and `mismatch` if it
    differs from `output`; a solution has `answers` per axis, with `solutions`, exact ones first. transposed: of a
    transposed convolution, with its output_padding. `save` draws a size: .svg, .png, .pdf, .tex; .gif moves the
    window. Raises UsageError.

    >>> convcalc.size("3x227x227", kernel=11, stride=4, filters=96).output_shape
    (96, 55, 55)
    >>> [solution.value for solution in convcalc.size(227, kernel=3, output=227).answers[0].solutions]
    [1]
    >>> convcalc.size(14, kernel=3, stride=2, padding=1, transposed=True, output_padding=1).output_shape
    (28,)
    """
    from convcalc.layer import size as layer
    from convcalc.layer.size import Sizing
    from convcalc.report import size as report

    def file(path: str) -> bytes:
        from convcalc.report import size_figure

        if isinstance(found, Sizing):
            return size_figure.size_file(found, path)
        return size_figure.solutions_file(found, path)

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
        transposed=transposed,
        output_padding=output_padding,
    )
    if isinstance(found, Sizing):
        return record_view(
            found,
            report.size_summary,
            report.size_value,
            report.size_table,
            lines=report.size_lines,
            file=file,
        )
    return record_view(
        found, report.solutions_summary, report.solutions_value, report.solutions_table, file=file
    )


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
    backward: bool = False,
    gradient: Typed | None = None,
    rate: str | float | None = None,
    delay: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> View[Applied | AppliedPicture | Backward]:
    """An operator applied to a matrix, a signal, letters or an image: `convcalc apply`.

    arguments: an operator as in a spec, or filters by name (both optional if there are weights), and the input: a
    matrix as text (`"1 2; 3 4"`) or nested lists, or the path of a CSV file or an image. weights: as in `matrix`;
    mode: correlation, convolution, centred or all; the other arguments are the command's options. For numbers, the
    view has `applications`, one per mode, whose `output` has `shape` and exact `values`, and `steps`; for an image,
    `maps`. `save` writes a figure of numbered cells (.svg, .pdf, .png), with steps an animation (.gif, .svg) or a
    strip (.png, .pdf), or .csv; of an image a .png. delay: seconds of a step of an animation; progress: called
    with how many of how many frames of a GIF are done. Raises UsageError, SpecError or ImageError.

    backward: computes the gradients of input, kernel and bias instead, given the `gradient` of the output (by default
    the letters δ11, δ12, …); rate: also computes the kernel after a step of gradient descent. The view then has
    `passes`, one per mode, with `gradients` by name (`input`, `weight`, `bias`), each with `tensor` and `how`.

    >>> print(convcalc.apply("maxpool: 2", [[1, 4, 2, 1], [5, 8, 3, 4], [7, 6, 4, 5], [1, 3, 1, 2]]).to_text("csv"))
    8,4
    7,5
    <BLANKLINE>
    >>> letters = convcalc.apply("a b c; e f g", weights="w x; y z")
    >>> letters.to_dict()["output"]["text"]
    [[['aw + bx + ey + fz', 'bw + cx + fy + gz']]]
    >>> convcalc.apply("edges", "seven.png")
    <Applied edges (conv K1 F3): 28×28 → 26×26, to seven.png>
    >>> back = convcalc.apply("1 2 3; 4 5 6", weights="1 0; 0 -1", gradient="1 2", backward=True, rate="1/10")
    >>> back.to_dict()["gradients"]["input"]["values"]
    [[[1, 2, 0], [0, -1, -2]]]
    >>> back.passes[0].gradients["weight"].how
    'correlation of the input with δ'
    >>> back.to_dict()["updated"]["weight"]["text"]
    [[[['1/2', '−4/5'], ['−7/5', '−27/10']]]]
    """
    from convcalc.layer.matrices import typed
    from convcalc.layer.typed_input import Applied, apply_typed
    from convcalc.report import apply as report
    from convcalc.report import apply_picture as picture
    from convcalc.report.apply_file import applied_file

    check_backward(backward, gradient=gradient, rate=rate)
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
        steps=steps and not backward,
        decimals=decimals,
        tone=tone,
        max_size=max_size,
        learned_bias=backward,
    )
    if backward:
        return backward_view(found, gradient, rate, steps)
    if not isinstance(found, Applied):
        filtered = found
        return record_view(
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
        file=lambda path: applied_file(applied, path, delay, progress),
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
    backward: bool = False,
    gradient: Typed | None = None,
    transposed: bool = False,
    output_padding: Extents | None = None,
) -> View[Unrolled | UnrolledTransposed | Transposed]:
    """A convolution of the given size as a dense layer: `convcalc matrix SIZE`.

    weights: values or letters of a filter, as text (`"1 2; 3 4"`) or nested lists, or a list of texts, one per filter.
    `matrix()` returns the entries row by row, each the number of its weight, from 1 (0: not connected). backward:
    computes the gradients of input and kernel with the transposed matrix, given the `gradient` of the output (by
    default the letters δ11, δ12, …). transposed: of a transposed convolution, with its output_padding; its matrix is
    that of the convolution that goes the other way, turned over. Raises UsageError.

    >>> convcalc.matrix("4x4", kernel=2).counts.distinct
    4
    >>> convcalc.matrix("2x3", kernel=2).matrix().tolist()
    [1, 2, 0, 3, 4, 0, 0, 1, 2, 0, 3, 4]
    >>> back = convcalc.matrix("2x3", kernel=2, weights="1 2; 3 4", gradient="1 10", backward=True)
    >>> back.to_dict()["gradients"]["input"]["values"]
    [[[1, 12, 20], [3, 34, 40]]]
    >>> convcalc.matrix("1x2", kernel=(1, 2), stride=2, transposed=True).matrix().tolist()
    [1, 0, 2, 0, 0, 1, 0, 2]
    """
    from convcalc.layer.unroll import unroll

    check_backward(backward, gradient=gradient)
    if output_padding is not None and not transposed:
        raise UsageError("--output-padding needs --transposed", hint="a convolution has no output padding")
    if transposed:
        from convcalc.layer.unroll_transposed import unroll_transposed

        if backward or rounding != "floor":
            option = "--backward" if backward else "--rounding"
            raise UsageError(f"{option} does not go with --transposed", hint=f"leave {option} out")
        return matrix_view(
            unroll_transposed(
                size,
                kernel=kernel,
                stride=stride,
                padding=padding,
                dilation=dilation,
                output_padding=output_padding,
                filters=filters,
                channels=channels,
                weights=weights,
            )
        )
    layer = unroll(
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
    return transposed_view(layer, gradient) if backward else matrix_view(layer)


def worksheet(
    *,
    level: str | int | None = None,
    blank: str | Sequence[str] | None = None,
    amount: int | None = None,
    seed: int = 0,
    answers: bool = False,
    design: int = 0,
    field: int = 0,
    memory: int = 0,
    backward: int = 0,
    versions: int | None = None,
) -> View[Any]:
    """A worksheet of random single layers, 8 or `amount` of them, or of questions in words: `convcalc worksheet`.

    level: 1 (no padding) to 4 (dilation, groups, deconvolution), or rising, as in "1-4"; design, field, memory,
    backward: the number of questions about designing layers, receptive fields, memory and gradients, which replace
    the single layers; the other arguments are those of `Network.worksheet`. Raises UsageError.

    >>> convcalc.worksheet(level=1, amount=1, seed=3)
    <Worksheet Layers by hand, level 1: 2 answers, seed 3>
    >>> convcalc.worksheet(field=1, level=2, seed=3).exercises[0].working
    '1 + (3 − 1)·1 + (3 − 1)·1 + (3 − 1)·2 = 9'
    """
    return worksheet_view(
        None, level=level, blank=blank, amount=amount, seed=seed, answers=answers, versions=versions,
        design=design, field=field, memory=memory, backward=backward,
    )  # fmt: skip


def check_sheet(
    *sheets: str | os.PathLike[str],
    network: Network | str | os.PathLike[str] | None = None,
    settings: Mapping[str, object] | None = None,
    input_shape: Sequence[int] | str | Mapping[str, Sequence[int] | str] | None = None,
    max_layers: int = MAX_LAYERS,
) -> View[MarkedSheet | MarkedSheets]:
    """The marks of filled-in worksheets: `convcalc worksheet --check`.

    sheets: CSV or JSON files, folders of them, or the text of a file. network: the one they are about, by default the
    bundled one that they name; settings, input_shape and max_layers: as in `load`. The view has `right` and `total`;
    for one sheet `marks`, each with `verdict` and `why`; for several `sheets` and `mistakes`. Raises ConvcalcError.

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
        return record_view(found, report.marked_summary, report.marked_value, report.marked_table)
    return record_view(found, report.sheets_summary, report.sheets_value, report.sheets_table)
