"""Networks with their figures: each method is a command and returns a view of the record that the command prints.

Methods import what they need locally, so that `import convcalc` and each command load as little as possible.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from convcalc.api import choices
from convcalc.api.arguments import (
    as_setting,
    check_choice,
    check_whole,
    column_names,
)
from convcalc.api.views import listing_look, matrix_view, record_view
from convcalc.graph import MAX_LAYERS
from convcalc.render.view import View

if TYPE_CHECKING:
    from convcalc.analysis.analyse import Analysis
    from convcalc.analysis.check import Check
    from convcalc.analysis.diff import Diff
    from convcalc.analysis.explain import Explanations
    from convcalc.analysis.field import DepthField, MeetingField, PixelField, UnitField
    from convcalc.analysis.fold import Listing
    from convcalc.analysis.groups import By, Groups
    from convcalc.analysis.reconcile import Reconciliation
    from convcalc.analysis.tools import ByTools
    from convcalc.analysis.training import Training
    from convcalc.analysis.value_diff import Comparing
    from convcalc.api.drawing import DrawingView
    from convcalc.api.feature_maps import Drawing
    from convcalc.api.pages import PageFile
    from convcalc.backends import Backend, Compiling, Precision, Winograd
    from convcalc.errors import ShapeError
    from convcalc.formats.convert import Conversion, Writing
    from convcalc.formats.model import Model
    from convcalc.inference.runner import Advance, Downloading
    from convcalc.language.input import Given
    from convcalc.layer.matrices import Typed
    from convcalc.layer.transposed import Transposed
    from convcalc.layer.unroll import Unrolled, UnrolledNetwork


def load(
    arch: str | os.PathLike[str],
    *,
    settings: Mapping[str, object] | None = None,
    input_shape: Sequence[int] | str | Mapping[str, Sequence[int] | str] | None = None,
    batch: int = 1,
    dtype: str = "float32",
    max_layers: int = MAX_LAYERS,
    seed: int = 0,
) -> Network:
    """Load a network by bundled name, from the path of a spec or of an ONNX file, or from a PyTorch module in a Python
    file, `mynet.py:Net`, or in an importable module, `torchvision.models:resnet50`; `-` reads a spec from standard
    input. A Python file runs as Python would run it.

    settings override the spec's vars. input_shape overrides its input: `(C, *spatial)`, text such as `3x224x224`, or
    a mapping from input names to shapes. batch and dtype (float64, float32, float16, bfloat16, int8) only affect the
    memory figures. seed: of the random weights of a PyTorch module. Raises SpecError, ShapeError, ModelError or
    UsageError.

    >>> convcalc.load("alexnet")
    <Network alexnet: 20 layers, 28,823,912 params, 614,310,432 MACs>
    >>> convcalc.load("googlenet", settings={"head": "dense"}).totals.params
    56150552
    """
    from convcalc.analysis.analyse import analyse
    from convcalc.language.bundled import is_model

    name = os.fspath(arch)
    texts = {key: as_setting(value) for key, value in (settings or {}).items()}
    check_choice("dtype", dtype, choices.number_types())
    check_whole("batch", batch)
    check_whole("max_layers", max_layers)
    check_whole("seed", seed, least=0)

    def checked(shape: Sequence[int] | str) -> tuple[int, ...] | str:
        if isinstance(shape, str):
            return shape
        for size in shape:
            check_whole("input_shape", size, given=tuple(shape))
        return tuple(shape)

    given: Given | None = None
    if isinstance(input_shape, Mapping):
        given = {key: checked(shape) for key, shape in input_shape.items()}
    elif input_shape is not None:
        given = checked(input_shape)
    if is_model(name):
        from dataclasses import replace

        from convcalc.analysis.namesake import folded_note
        from convcalc.formats.open import open_model

        model = open_model(name, settings=texts, input_shape=given, max_layers=max_layers, seed=seed)
        note = folded_note(model.graph)
        if note is not None:
            model = replace(model, graph=replace(model.graph, notes=(*model.graph.notes, note)))
        return Network(analyse(model.graph, batch=batch, dtype=dtype), name, model=model)
    from convcalc.language.load import load_graph

    graph = load_graph(name, settings=texts, input_shape=given, max_layers=max_layers)
    return Network(analyse(graph, batch=batch, dtype=dtype), name, texts)


def partial(error: ShapeError, *, batch: int = 1, dtype: str = "float32") -> Network | None:
    """The network up to the layer that did not fit, from an error of `load`; None if that is the first layer."""
    from convcalc.analysis.analyse import analyse
    from convcalc.graph import Graph

    if not isinstance(error.graph, Graph) or not error.graph.nodes:
        return None
    return Network(analyse(error.graph, batch=batch, dtype=dtype), complete=False)


class Network(View["Analysis"]):
    """A network with its figures. Each method is a command.

    layers: a record per layer (output shape, weights, MACs, receptive field, …); totals: their sums; graph: the
    operators and their connections; warnings: messages for the user.
    """

    __slots__ = ("_arch", "_complete", "_model", "_settings")

    def __init__(
        self,
        analysis: Analysis,
        arch: str = "-",
        settings: Mapping[str, str] | None = None,
        *,
        complete: bool = True,
        model: Model | None = None,
    ) -> None:
        self._arch = arch
        self._model = model
        self._settings = settings or {}
        self._complete = complete
        super().__init__(analysis, listing_look(analysis, self._listing))

    def _listing(self, depth: int | None = None, all: bool = False) -> Listing:
        from convcalc.analysis.fold import Listing

        return Listing(self.record, depth, all, partial=not self._complete)

    def show(
        self, *, depth: int | None = None, all: bool = False, columns: str | Sequence[str] | None = None
    ) -> View[Listing]:
        """The table of layers: `convcalc show`.

        depth: folds blocks below this many path segments; all: gives every layer its own row, activations included;
        columns: replaces the default columns. Raises UsageError for an unknown column.

        >>> print(convcalc.load("vgg16").show(depth=1, columns="layer,macs"))  # doctest: +ELLIPSIS
        VGG-16...
        conv1_1       86,704,128
        ...
        >>> convcalc.load("alexnet").show(columns="layer,weights,macs").rows()[0]
        {'layer': 'conv1', 'weights': 34848, 'macs': 105415200}
        """
        check_whole("depth", depth)
        listing = self._listing(depth, all)
        names = None if columns is None else column_names(columns)
        return View(listing, listing_look(self.record, lambda: listing, names))

    def explain(self, *layers: str) -> View[Explanations]:
        """The working of every figure, or of those of the given layers and blocks: `convcalc show --explain`.

        Raises UsageError for an unknown layer or block.

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
        return record_view(
            found, report.explanation_summary, report.explanation_value, report.explanation_table,
            lines=report.explanation_lines,
        )  # fmt: skip

    def reconcile(self, figure: str) -> View[Reconciliation]:
        """How a published figure was counted: `convcalc show --reconcile`.

        figure: a number, with K, M, G or T and the quantity if known, such as `61.1M params` or `7.8 GFLOPs`. Raises
        UsageError if the text is not a figure.

        >>> convcalc.load("torchvision/resnet50").reconcile("4.11G")  # doctest: +ELLIPSIS
        <Reconciliation of 4.11G with torchvision/resnet50: torchvision/resnet50, "#flops" of fvcore ...>
        """
        from convcalc.analysis.reconcile import reconcile
        from convcalc.language.quantities import parse
        from convcalc.report import reconcile as report

        found = reconcile(self.record, parse(figure), self._arch, self._settings)
        return record_view(
            found, report.reconciliation_summary, report.reconciliation_value, report.reconciliation_table
        )

    def by(self, by: str, *, depth: int | None = None) -> View[Groups]:
        """The figures summed by `kind`, `block` or `role` of the layers: `convcalc show --by`.

        depth: how many segments of the paths make a block, by default one. Raises UsageError.

        >>> [(group.name, group.params) for group in convcalc.load("lenet5").by("kind").groups if group.params]
        [('conv', 2572), ('dense', 59134)]
        """
        from convcalc.analysis.groups import BY, grouped
        from convcalc.report import groups as report

        check_choice("by", by, BY)
        check_whole("depth", depth)
        found = grouped(self.record, cast("By", by), depth)
        return record_view(found, report.groups_summary, report.groups_value, report.groups_table)

    def as_tool(self, *tools: str) -> View[ByTools]:
        """The figures that counting tools print for the network, and why they differ: `convcalc show --as`.

        tools: torchinfo, thop, ptflops, fvcore, calflops, deepspeed, torchsummary, keras; by default all. One image,
        float32. Raises UsageError for an unknown tool.

        >>> figures = convcalc.load("torchvision/mobilenet_v2").as_tool("torchinfo").tools[0].figures
        >>> figures[1].printed, figures[1].reasons[-1].amount
        ('300,809,384', 34112)
        """
        from convcalc.analysis.tools import by_tools, names
        from convcalc.report import tools as report

        found = by_tools(self.record, tools or names())
        return record_view(found, report.tools_summary, report.tools_value, report.tools_table)

    def training(
        self,
        *,
        optimizer: str = "sgd",
        checkpoint: str | Sequence[str] = (),
        memory: int | str | None = None,
        depth: int | None = None,
        all: bool = False,
    ) -> View[Training]:
        """Memory and MACs of a training step with the network's batch and number type: `convcalc show --training`.

        optimizer: sgd, momentum, adam or adamw; checkpoint: blocks that are computed again in the backward pass;
        memory: bytes, or text such as `24GiB`, for the largest batch that fits; depth, all: as in `show`. Raises
        UsageError.

        >>> convcalc.load("torchvision/resnet50", batch=2).training().bytes.kept
        171039744
        >>> convcalc.load("torchvision/resnet50").training(optimizer="adam", memory="24GiB").largest_batch > 200
        True
        """
        from convcalc.analysis.training import OPTIMIZERS, training
        from convcalc.language.quantities import parse_bytes
        from convcalc.report import training as report

        check_choice("optimizer", optimizer, tuple(OPTIMIZERS))
        check_whole("depth", depth)
        blocks = (checkpoint,) if isinstance(checkpoint, str) else tuple(checkpoint)
        limit = parse_bytes(memory) if isinstance(memory, str) else memory
        check_whole("memory", limit)
        found = training(self.record, optimizer=optimizer, checkpoint=blocks, memory=limit)
        return record_view(
            found,
            report.training_summary,
            report.training_value,
            lambda result: report.training_table(result, depth, all),
        )

    def check(
        self,
        limits: Mapping[str, int | float | str] | None = None,
        *,
        against: str | os.PathLike[str] | None = None,
        max_growth: str | float | None = None,
        strict: bool = False,
        ignore: str | Sequence[str] = (),
    ) -> View[Check]:
        """The network's figures against its budget, their growth, and lints: `convcalc check`.

        limits: the largest figures by quantity, in place of those of the spec's budget: params, macs, flops,
        param_bytes, activation_bytes, peak_activation_bytes, layers, field; numbers, or text such as `3M` or `20MB`.
        Batch, number type and input are the budget's where the network was loaded without others. against: a Git
        revision, or the file of another network; max_growth: the share that figures may grow by, `5%` or 0.05.
        strict: lints are errors; ignore: lints to silence. The view has `passed` and `specs`, of one. Raises
        UsageError.

        >>> found = convcalc.load("resnet18").check({"params": "10M", "macs": 2_000_000_000})
        >>> [(verdict.quantity, verdict.passed) for verdict in found.specs[0].budget]
        [('params', False), ('macs', True)]
        >>> found
        <Check of 1 spec: 1 failed>
        """
        from convcalc.api.checking import check_network, demands

        def loaded(shape: Any) -> Analysis:
            return load(self._arch, settings=self._settings, input_shape=shape).record

        asked = demands(limits, against, max_growth, strict, ignore)
        changed = any(change.startswith("input ") for change in self.record.graph.changes)
        load_again = None if self._arch == "-" else loaded
        return check_network(self.record, self._arch, load_again, self._settings, asked, changed)

    def diff(
        self,
        other: Network,
        *,
        all: bool = False,
        values: bool = False,
        weights_a: str | os.PathLike[str] | None = None,
        weights_b: str | os.PathLike[str] | None = None,
        advance: Comparing | None = None,
        downloading: Downloading | None = None,
    ) -> View[Diff]:
        """Differences between this network, A, and another, B: `convcalc diff`. all: includes equal pairs of layers.

        values: compares the weights that both have, too; `.values` then has, for each of `.pairs`, the differences of
        its tensors, and the keys that only one network has. weights_a, weights_b: a file or `pretrained`, by default
        the weights that come with the network. advance and downloading are progress callbacks. Raises UsageError if a
        network has no weights to compare, WeightsError if a file does not fit.

        >>> change = convcalc.load("alexnet").diff(convcalc.load("zfnet"))
        >>> change
        <Diff alexnet → zfnet: 5 layers changed, 0 added, 0 removed>
        >>> change.total_delta()["weights"]
        11693824
        """
        from convcalc.api.diff import Side, diff_view

        a = Side(self.record, self._model, None if weights_a is None else os.fspath(weights_a))
        b = Side(other.record, other._model, None if weights_b is None else os.fspath(weights_b))
        return diff_view(a, b, everything=all, values=values, advance=advance, downloading=downloading)

    def draw(
        self,
        other: Network | None = None,
        *,
        style: str | None = None,
        depth: int | None = None,
        all: bool = False,
        color_by: str = "kind",
        sizes: str = "chw",
        columns: int | None = None,
        compact: bool = False,
        width: int | None = None,
        scale: str = "sqrt",
        advance: Callable[[int, int], None] | None = None,
        compiling: Compiling | None = None,
    ) -> DrawingView:
        """A picture of the network, or of this one, A, beside another, B: `convcalc draw`.

        style: volumes, maps or graph, by default what fits; depth: folds blocks below this many path segments; all:
        a box for every layer of a graph; color_by: kind, macs, params, memory, time or field; sizes: chw or hwc;
        columns: of a graph; compact: for print 8 cm wide; scale: of volumes, sqrt or log. `save` writes .svg, .png
        (width in pixels), .pdf and .tex (width in millimetres), .mmd and .dot; `print` draws in characters, a notebook
        shows the SVG; `.scene` has what is drawn. Raises UsageError.

        >>> convcalc.load("alexnet").draw()
        <Drawing of alexnet: 13 boxes in style volumes>
        """
        from convcalc.api.drawing import draw

        return draw(
            self.record,
            None if other is None else other.record,
            style=style,
            depth=depth,
            unfold=all,
            color_by=color_by,
            sizes=sizes,
            columns=columns,
            compact=compact,
            width=width,
            scale=scale,
            advance=advance,
            compiling=compiling,
        )

    def field(
        self,
        layer: str | None = None,
        *,
        unit: Sequence[int] | None = None,
        pixel: Sequence[int] | Mapping[str, Sequence[int]] | None = None,
        between: Sequence[Sequence[int] | Mapping[str, Sequence[int]]] | None = None,
        to: str | None = None,
        depth: int | None = None,
        all: bool = False,
        image: str | os.PathLike[str] | None = None,
    ) -> View[DepthField | UnitField | PixelField | MeetingField]:
        """Receptive fields: `convcalc field`. By default, those of the middle unit of every layer.

        layer: what a unit of this layer sees, the middle one or `unit`; pixel: which units of every layer it reaches;
        between: the first layer with a unit that sees both pixels; to: only the layers that this output or layer
        depends on. Positions are (row, column), counted from 0; with several inputs, {"left": (5, 7)}. depth: folds
        blocks below this many path segments; all: a row for every layer. `save` draws it (.svg, .png, .pdf, .tex),
        over `image` if given; with several inputs, "left=a.png". Raises UsageError for an unknown layer, unit or pixel.

        >>> net = convcalc.load("alexnet")
        >>> net.field("conv5", unit=(0, 0))
        <What conv5 (0, 0) of alexnet sees: 0…162 × 0…162>
        >>> net.field("conv5").sight.pixels
        26569
        >>> convcalc.load("lenet5").field(between=((0, 0), (5, 5)))
        <Where pixels (0, 0) and (5, 5) of lenet5 meet: in maxpool1>
        """
        from convcalc.api.field import field_view

        check_whole("depth", depth)
        file = None if image is None else os.fspath(image)
        return field_view(
            self.record,
            layer,
            unit=unit,
            pixel=pixel,
            between=between,
            to=to,
            depth=depth,
            unfold=all,
            image=file,
        )

    def matrix(
        self, layer: str | None = None, *, backward: bool = False, gradient: Typed | None = None
    ) -> View[Unrolled | UnrolledNetwork | Transposed]:
        """A convolution as a dense layer: `convcalc matrix`.

        The view has `counts` of its connections, and `matrix()` as in `convcalc.matrix`. Without a layer, it has
        `layers`, all the convolutions, and `total`, the sums of their counts. `save` writes the matrix of a layer as
        a figure (.svg, .png, .pdf, .tex), .csv or .npz. backward, gradient: as in `convcalc.matrix`, only with a
        layer. Raises UsageError.

        >>> convcalc.load("lenet5").matrix("conv1")
        <Matrix of conv1 4,704×1,024: 117,600 of 4,816,896 entries are not zero, 150 are distinct>
        """
        from convcalc.api.gradients import check_backward, transposed_view
        from convcalc.errors import UsageError
        from convcalc.layer.unroll import unroll_layer, unroll_network
        from convcalc.report import matrix as report
        from convcalc.report.matrix_file import layers_file

        check_backward(backward, gradient=gradient)
        graph = self.record.graph
        if layer is not None:
            unrolled = unroll_layer(graph, self._arch, layer)
            return transposed_view(unrolled, gradient) if backward else matrix_view(unrolled)
        if backward:
            raise UsageError(
                "--backward is of one layer", hint=f"name it: convcalc matrix {self._arch} LAYER --backward"
            )
        network = unroll_network(graph, self._arch)
        return record_view(
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
        versions: int | None = None,
    ) -> View[Any]:
        """The table of layers with blanks to fill in: `convcalc worksheet ARCH`.

        blank: columns to leave blank (output, weights, biases, params, macs, field, memory), by default output and
        weights; amount: how many random cells, instead of all; answers: the key instead. The view has `exercises`,
        each with `answer` and `working`. versions: this many sheets from consecutive seeds, with half of the cells
        blank; `save` writes them to a folder, with their keys in its folder `keys`. Raises UsageError.

        >>> sheet = convcalc.load("lenet5").worksheet(blank="weights")
        >>> sheet
        <Worksheet LeNet-5, as counted in the lecture: lenet5, 7 answers>
        >>> sheet.exercises[0].working
        '(5·5·1)·6 = 150'
        >>> convcalc.load("alexnet").worksheet(versions=30)
        <Worksheets for a class: 30 versions>
        """
        from convcalc.api.sheets import worksheet_view

        return worksheet_view(
            self.record, blank=blank, amount=amount, seed=seed, answers=answers, versions=versions
        )

    def convert(
        self,
        target: str | os.PathLike[str],
        *,
        weights: str | os.PathLike[str] | None = None,
        with_weights: bool = True,
        seed: int = 0,
        opset: int | None = None,
        external: bool = False,
        force: bool = False,
        downloading: Downloading | None = None,
        writing: Writing | None = None,
    ) -> View[Conversion]:
        """Write the network as another kind of file, by the suffix of target: `convcalc convert`.

        .yaml: a readable spec, with its weights beside it as .safetensors; .onnx: a model with its weights, whose batch
        is a free dimension; .safetensors, .npz: the weights alone.

        weights: a file, `pretrained` (downloaded from the spec's address), `random`, or None for those that come with
        the network; a file that needs weights then gets random ones from the seed if there are none. with_weights:
        False writes none. For .onnx, opset is the version of its operators, 7 to 25, by default 17, and external puts
        the weights into a file of their own, as happens above 2 GB. force: replace existing files. All files are
        written, or none. downloading and writing are progress callbacks. The view has `files`, each with `path` and
        `size`, and `weights`, their origin. Raises UsageError, WeightsError, or ConvcalcError if a file cannot be
        written or a layer has no form in it.

        >>> convcalc.load("resnet50").convert("mine.yaml")
        <Conversion of resnet50 to mine.yaml>
        """
        from convcalc.api.conversion import convert_network
        from convcalc.report import convert as report

        check_whole("seed", seed, least=0)
        found = convert_network(
            self.record.graph,
            self._arch,
            os.fspath(target),
            weights=None if weights is None else os.fspath(weights),
            with_weights=with_weights,
            seed=seed,
            force=force,
            options={"opset": opset, "external": external},
            model=self._model,
            downloading=downloading,
            writing=writing,
        )
        return record_view(found, report.conversion_summary, report.conversion_value, report.conversion_table)

    def page(
        self,
        path: str | os.PathLike[str],
        other: Network | None = None,
        *,
        image: str | os.PathLike[str] | None = None,
        weights: str | os.PathLike[str] | None = None,
        like: str | os.PathLike[str] | None = None,
        seed: int = 0,
        advance: Advance | None = None,
        downloading: Downloading | None = None,
        compiling: Compiling | None = None,
    ) -> PageFile:
        """Write one HTML file with the network's drawing, figures and their working: `convcalc page`.

        other: a second network; the page then shows both, and the differences of `diff`. The page needs nothing but
        itself: no network, no server. image: the file of one that this network is run on; the page then has its feature
        maps and the answer. weights, like, seed, advance, downloading, compiling: as in `forward`. The record has the
        file's `path` and its `size` in bytes. Raises UsageError for a name that is not an HTML file's, ImageError,
        WeightsError, or ConvcalcError if the file cannot be written.

        >>> convcalc.load("alexnet").page("alexnet.html").names
        ('alexnet',)
        """
        from convcalc.api.pages import Origin, write_page

        shown = (self,) if other is None else (self, other)
        compared = None
        if other is not None:
            from convcalc.analysis.diff import compare

            compared = compare(self.record, other.record)
        check_whole("seed", seed, least=0)
        return write_page(
            os.fspath(path), self.record, compared, image=None if image is None else os.fspath(image),
            weights=None if weights is None else os.fspath(weights),
            like=None if like is None else os.fspath(like), seed=seed, model=self._model,
            origins=[Origin(network._arch, network._settings) for network in shown],
            advance=advance, downloading=downloading, compiling=compiling,
        )  # fmt: skip

    def forward(
        self,
        given: Any,
        *,
        weights: str | os.PathLike[str] | None = None,
        like: str | os.PathLike[str] | None = None,
        seed: int = 0,
        backend: Backend = "auto",
        precision: Precision = "float32",
        winograd: Winograd = "auto",
        check_precision: bool = False,
        threads: int | None = None,
        top: int = 5,
        profile: bool = False,
        keep: Sequence[str] = (),
        maps: str | os.PathLike[str] | None = None,
        layers: Sequence[str] = (),
        kernels: str | os.PathLike[str] | None = None,
        output_name: str | None = None,
        drawing: Drawing | None = None,
        advance: Advance | None = None,
        downloading: Downloading | None = None,
        compiling: Compiling | None = None,
    ) -> View[Any]:
        """Run the network on images or arrays: `convcalc forward`.

        given: the path of an image, an array (.npy, .npz, .safetensors) or a folder of images; a Pillow image; an
        array, that is nested lists or an object with the buffer protocol or `__array__`; a mapping from input names to
        any of these; or a list of images, arrays or mappings. An array has the shape of the input, channels first,
        optionally with a batch axis in front, and is used unchanged; images go through the spec's `preprocess`.

        For one sample, `.outputs` has the outputs by name, as NumPy arrays if NumPy is installed, `.run.values` the
        values of the first output, and `.top` the classes if a classifier ran with trained weights. For several
        samples, `.outcomes` has the result of each, `.failures` those that could not be read, and `.outputs` those of
        the others with a batch axis in front. `save` writes all outputs (.json, .npz, .safetensors) or a single one
        (.csv, .npy), which output_name selects if there are several.

        keep: layers whose outputs `.kept` has by name, besides those of the network; a block's is its last layer's.
        maps: draws the outputs of `layers`, by default of all, into a folder, of a single one also into a .png file; of
        several samples each has a folder in it. kernels: draws the filters of the first convolution into a .png file.

        precision: with `bf16` the fast backend keeps weights and layers' outputs in bfloat16 and adds up in float32,
        which takes half the bytes, and little more than half the time where the processor has instructions for it;
        `.run.precision` says what was asked for, `.run.in_bfloat16` what was really kept in it. winograd: the tiles of
        Winograd's method for 3×3 and 5×5 convolutions, `f2`, `f4`, or `auto` for the quickest, which in bfloat16 is
        never f4: its error is some three times as large.
        check_precision: each sample also runs in the other precision, and `.precision_check` has the `largest`, `rms`
        and `relative_rms` difference (over the rms in float32) of the first output and of each of its `.outputs`, and
        whether the likeliest five classes agree, `same_top5`, and the likeliest, `same_top1`.

        weights: a file, `pretrained` (downloaded from the spec's address), `random`, or None for those of the model or
        bundled with the network, if any, else random ones from the seed. like: a spec whose `preprocess` and `labels`
        are used instead; a model has none, and its images are resized to the input and scaled to 0…1. top: the number
        of classes; profile: time per layer. advance, drawing, downloading and compiling are progress callbacks. Raises
        ImageError, InputError, WeightsError, ModelError or UsageError, ConvcalcError where a file cannot be written.

        >>> result = convcalc.load("lenet5").forward("seven.png")
        >>> result.top[0].label
        '7'
        >>> result.run.shape
        (10,)
        >>> convcalc.load("lenet5").forward(["seven.png", "nowhere.png"])
        <Forward of lenet5 on 1 image, 1 not read>
        >>> black = [[[0.0] * 32] * 32]
        >>> list(convcalc.load("lenet5").forward(black).outputs)
        ['softmax1']
        >>> convcalc.load("lenet5").forward("seven.png", keep=["conv1"]).run.kept["conv1"].shape
        (6, 28, 28)
        """
        from convcalc.api.forward import forward_view
        from convcalc.inference.runner import forward

        check_choice("backend", backend, choices.backends())
        check_choice("precision", precision, choices.precisions())
        check_choice("winograd", winograd, choices.winograds())
        check_whole("seed", seed, least=0)
        check_whole("threads", threads)
        check_whole("top", top)
        keep = [keep] if isinstance(keep, str) else list(keep)
        graph = self.record.graph
        notes: tuple[str, ...] = ()
        if like is not None:
            from convcalc.inference.like import prepared_like

            graph, notes = prepared_like(graph, os.fspath(like))
        from convcalc.api.feature_maps import first_convolution, map_writer, write_kernels

        if kernels is not None:
            first_convolution(graph, os.fspath(kernels))  # refused before any work is done
        writer = map_writer(graph, given, maps, layers, keep, drawing)
        found = forward(
            graph,
            given,
            weights=None if weights is None else os.fspath(weights),
            model=self._model,
            seed=seed,
            backend=backend,
            precision=precision,
            winograd=winograd,
            check_precision=check_precision,
            threads=threads,
            top=top,
            profile=profile,
            advance=advance,
            downloading=downloading,
            compiling=compiling,
            notes=notes,
            keep=keep if writer is None else list(writer.layers),
            take=None if writer is None else writer.take,
        )
        if kernels is not None:
            write_kernels(graph, found.weights, os.fspath(kernels))
        if writer is not None:
            found = writer.named(found)

        return forward_view(found, profile=profile, check_precision=check_precision, output_name=output_name)
