"""Forward passes on pictures and arrays: weights, inputs, backend, and the interpretation of the output. Produces
records, no text."""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from math import isfinite, sqrt
from typing import Any, Literal, NamedTuple

from convcalc.backends import Backend, Compiling, Precision, Progress, Run, Values, Winograd, check_known
from convcalc.errors import ConvcalcError, UsageError, WeightsError, did_you_mean
from convcalc.formats.model import Model
from convcalc.graph import Graph, Node
from convcalc.inference.classes import Prediction, class_output, classifies, predictions
from convcalc.inference.inputs import InputValues, Sample, read_sample, sample_label, samples_of
from convcalc.inference.labels import labels as read_labels
from convcalc.inference.precision import (
    PrecisionCheck,
    check_precision_backend,
    compare_precisions,
    is_fast_only,
)
from convcalc.ops import Tensor
from convcalc.shapes import Shape
from convcalc.weights.load import (
    MatchedTensors,
    Weights,
    load_weights,
    match_file,
    match_tensors,
    own_weights,
    random_weights,
)

PRETRAINED, RANDOM = "pretrained", "random"  # instead of a file of weights
# Below this many MACs per image, `auto` uses the reference backend: loading kernels would take longer than the run.
SMALL = 5_000_000


class Statistics(NamedTuple):
    """Summary statistics of an output; deviation is the population's standard deviation."""

    minimum: float
    maximum: float
    mean: float
    deviation: float


class MapFile(NamedTuple):
    """A file in which the output of a layer is drawn, or a part of it."""

    layer: str
    shape: Shape
    file: str


@dataclass(frozen=True)
class Forward:
    """The result for one sample.

    inputs: the values of each input; `top` is empty unless trained weights ran a classifier; classes: the output that
    `top` is of; output_statistics: by the output's name; profile: the fast backend's measurements, if requested.
    `run.kept`: the outputs of the layers that were to be kept; maps: the files in which some were drawn;
    precision_check: bfloat16 compared with float32, if that was asked for.
    """

    graph: Graph
    weights: Weights
    inputs: tuple[InputValues, ...]
    run: Run
    top: tuple[Prediction, ...]
    classes: str
    output_statistics: Mapping[str, Statistics]
    notes: tuple[str, ...] = ()
    profile: Any = None
    maps: tuple[MapFile, ...] = ()
    precision_check: PrecisionCheck | None = None

    @property
    def image(self) -> str:
        """Where the sample comes from: `cat.jpg`, `batch.npy[3]`, `left=a.png right=b.npy`."""
        return sample_label(self.inputs)

    @property
    def statistics(self) -> Statistics:
        """Those of the first output."""
        return next(iter(self.output_statistics.values()))

    @property
    def finite(self) -> bool:
        """Whether no output holds NaN or an infinity."""
        return all(
            isfinite(numbers.mean) or not _count_not_finite(self.run.outputs[name].values)
            for name, numbers in self.output_statistics.items()
        )

    @property
    def outputs(self) -> Mapping[str, Any]:
        """The outputs by name: NumPy arrays where NumPy is installed, else records of shape and values."""
        return _arrays(self.run.outputs)

    @property
    def kept(self) -> Mapping[str, Any]:
        """The outputs of the layers that were to be kept, as `outputs` gives them, by the names they were asked by."""
        return _arrays(self.run.kept)


@dataclass(frozen=True)
class Failure:
    """A sample that could not be used, and the error."""

    image: str
    error: ConvcalcError


@dataclass(frozen=True)
class Batch:
    """The results for several samples, in order."""

    graph: Graph
    weights: Weights
    outcomes: tuple[Forward | Failure, ...]
    notes: tuple[str, ...] = ()

    @property
    def done(self) -> tuple[Forward, ...]:
        """The successful results."""
        return tuple([outcome for outcome in self.outcomes if isinstance(outcome, Forward)])

    @property
    def failures(self) -> tuple[Failure, ...]:
        """The samples that could not be used."""
        return tuple([outcome for outcome in self.outcomes if isinstance(outcome, Failure)])

    @property
    def outputs(self) -> Mapping[str, Any]:
        """The outputs of the successful results as those of one, with one axis more in front."""
        return _arrays(self.stacked())

    @property
    def maps(self) -> tuple[MapFile, ...]:
        """The files in which layers were drawn."""
        return tuple(file for result in self.done for file in result.maps)

    @property
    def kept(self) -> Mapping[str, Any]:
        """What was kept of the successful results, as `outputs`."""
        if not self.done:
            raise self.failures[0].error
        runs = [result.run.kept for result in self.done]
        return _arrays({name: _stack([kept[name] for kept in runs]) for name in runs[0]})

    def stacked(self) -> Mapping[str, Tensor]:
        """By name, (N, …) for N successful results. Raises the first sample's error if there are none."""
        if not self.done:
            raise self.failures[0].error
        runs = [result.run.outputs for result in self.done]
        return {name: _stack([outputs[name] for outputs in runs]) for name in runs[0]}


def _stack(tensors: Sequence[Tensor]) -> Tensor:
    """Tensors of one shape after one another, (N, …)."""
    first = tensors[0].values
    values = array(first.typecode if isinstance(first, array) else "d")
    for tensor in tensors:
        values.extend(tensor.values)
    return Tensor((len(tensors), *tensors[0].shape), values)


def _arrays(outputs: Mapping[str, Tensor]) -> Mapping[str, Any]:
    """NumPy arrays where NumPy is installed, else the tensors."""
    if find_spec("numpy") is None:
        return outputs
    import numpy as np

    return {name: np.asarray(tensor.values).reshape(tensor.shape) for name, tensor in outputs.items()}


# Progress callback: MACs just done, MACs in total, current layer or image.
Advance = Callable[[int, int, str], None]
# Called with the inputs of a sample, the name of a layer as it was asked for, and the layer's output.
TakeLayer = Callable[[tuple[InputValues, ...], str, Tensor], None]
# Download callback: bytes received, and the total if known.
Downloading = Callable[[int, int | None], None]


class BareResult(NamedTuple):
    """What a worker sends back of a Forward: all but graph and weights."""

    inputs: tuple[InputValues, ...]
    run: Run
    top: tuple[Prediction, ...]
    classes: str
    output_statistics: Mapping[str, Statistics]
    notes: tuple[str, ...]
    precision_check: PrecisionCheck | None


class Runner:
    """A graph with its weights, ready to process `images` images.

    With at least one image per processor, each process handles whole images; otherwise all processors work on one
    image together.

    keep: names of layers and blocks whose outputs a result has besides. take: is given them instead, one by one, in
    this process. check_precision: each image is also run in the other precision, and the two are compared.
    """

    def __init__(
        self,
        graph: Graph,
        weights: Weights,
        *,
        backend: Backend = "auto",
        precision: Precision = "float32",
        winograd: Winograd = "auto",
        check_precision: bool = False,
        threads: int | None = None,
        top: int = 5,
        images: int = 1,
        compiling: Compiling | None = None,
        notes: Sequence[str] = (),
        keep: Sequence[str] = (),
        take: TakeLayer | None = None,
    ) -> None:
        from convcalc.processes import can_fork, processors

        available = processors()
        count = min(threads or available, available)
        self.workers = count if images >= count and can_fork() and take is None else 1
        self.keep = keep_nodes(graph, keep)
        self.take = take
        self.graph = graph
        self.weights = weights
        self.threads = 1 if self.workers > 1 else count
        self.top = top
        self.classes = class_output(graph)
        self.names = read_labels(graph.labels, graph.shape(self.classes.node)[0])
        self.notes = tuple(notes)
        if threads and threads > count:
            self.notes += (f"{threads:,} threads asked for, {count:,} used: as many as there are processors",)
        if graph.own_classes is not None and weights.source == "random":
            self.notes += (f"no labels and no weights: the spec's are for {graph.own_classes:,} classes",)
        self.plan: Any = None
        self.compared: Any = None  # the plan in the other precision
        if is_fast_only(precision, winograd, check_precision) or _uses_numba(backend, graph):
            from convcalc.backends import numba

            self.plan = numba.prepare(
                graph, weights, self.threads, precision=precision, winograd=winograd, compiling=compiling,
                kept=self._kept_nodes,
            )  # fmt: skip
            self.notes += tuple(self.plan.notes)
            if check_precision:
                other: Precision = "bf16" if precision == "float32" else "float32"
                self.compared = numba.prepare(
                    graph, weights, self.threads, precision=other, winograd=winograd, compiling=compiling
                )
                self.notes += tuple(note for note in self.compared.notes if note not in self.notes)
        else:
            weights.draw()  # before workers are forked

    def __call__(self, inputs: tuple[InputValues, ...], progress: Progress | None = None) -> Forward:
        """The result for one sample that has been read."""
        run = self._compute(inputs, progress)
        trained = self.weights.source != "random" and classifies(self.graph, self.classes)
        guesses = predictions(self.graph, self.classes, run, self.names, self.top) if trained else ()
        numbers = {name: statistics(tensor.values) for name, tensor in run.outputs.items()}
        notes = [*self.notes]
        for name, tensor in run.outputs.items():
            what = "the output" if len(run.outputs) == 1 else f"the output {name}"
            notes += not_finite(tensor.values, numbers[name], what)
        return Forward(
            self.graph, self.weights, inputs, run, guesses, self.classes.name, numbers, tuple(notes),
            precision_check=self._compare(inputs, run),
        )  # fmt: skip

    def _compare(self, inputs: tuple[InputValues, ...], run: Run) -> PrecisionCheck | None:
        """The run compared with one in the other precision, if that was asked for."""
        if self.compared is None:
            return None
        other = self.compared.run(_values(inputs))
        float32, bf16 = (run, other) if self.plan.precision == "float32" else (other, run)
        classes = self.classes.name if classifies(self.graph, self.classes) else None
        return compare_precisions(float32, bf16, classes)

    @property
    def _kept_nodes(self) -> tuple[int, ...]:
        return tuple(dict.fromkeys(self.keep.values()))

    def _compute(self, inputs: tuple[InputValues, ...], progress: Progress | None) -> Run:
        names: dict[int, list[str]] = {}
        for name, index in self.keep.items():
            names.setdefault(index, []).append(name)
        kept: dict[str, Tensor] = {}

        def take(index: int, tensor: Tensor) -> None:
            for name in names[index]:
                if self.take is None:
                    kept[name] = _compact(tensor)
                else:
                    self.take(inputs, name, tensor)

        run: Run
        if self.plan is not None:
            run = self.plan.run(_values(inputs), take)
        else:
            from convcalc.backends import reference

            run = reference.run(
                self.graph, self.weights, _values(inputs), threads=self.threads, progress=progress,
                kept=self._kept_nodes, take=take,
            )  # fmt: skip
        return replace(run, kept={name: kept[name] for name in self.keep if name in kept})

    def profile(self, inputs: Sequence[InputValues]) -> Any:
        """The fast backend's measurements; None for the reference backend."""
        if self.plan is None:
            return None
        from convcalc.backends.numba.profile import profile_plan

        return profile_plan(self.plan, _values(inputs))

    def many(self, samples: Sequence[Sample]) -> Iterator[Forward | Failure]:
        """The results for the samples in order, as they finish, without the inputs' values; a Failure for a sample that
        cannot be used."""
        from convcalc.processes import forked

        with forked(self.workers, self._attempt) as spread:
            for outcome in spread(samples) if spread else map(self._attempt, samples):
                if not isinstance(outcome, Failure):
                    outcome = Forward(self.graph, self.weights, **outcome._asdict())
                yield outcome

    def _attempt(self, sample: Sample) -> BareResult | Failure:
        """The result for one sample without graph, weights and inputs, which a worker need not send back."""
        try:
            outcome = self(read_sample(self.graph, sample))
        except ConvcalcError as error:
            return Failure(sample_label(sample), error)
        inputs = tuple(replace(given, values=array("f")) for given in outcome.inputs)
        return BareResult(
            inputs, outcome.run, outcome.top, outcome.classes, outcome.output_statistics, outcome.notes,
            outcome.precision_check,
        )  # fmt: skip


def _compact(tensor: Tensor) -> Tensor:
    """The tensor in an array, which takes a fourth of a list's memory."""
    return tensor if isinstance(tensor.values, array) else Tensor(tensor.shape, array("d", tensor.values))


def keep_nodes(graph: Graph, names: Sequence[str]) -> dict[str, int]:
    """The nodes whose outputs are meant by names of layers and of blocks: a block's is its last layer's.

    Raises UsageError for an unknown name.
    """
    found: dict[str, int] = {}
    for name in names:
        own = [node.index for node in graph if node.name == name]
        inside = own or [node.index for node in graph if node.name.startswith(f"{name}.")]
        if not inside:
            known = {node.name: None for node in graph} | {node.scope: None for node in graph if node.scope}
            raise UsageError(
                f"{graph.name} has no layer '{name}'{did_you_mean(name, known)}",
                hint=f"convcalc show {graph.name} --all lists them",
            )
        found[name] = inside[-1]
    return found


def _values(inputs: Sequence[InputValues]) -> Values:
    """The inputs' numbers as backends take them."""
    return inputs[0].values if len(inputs) == 1 else {given.name: given.values for given in inputs}


def forward(
    graph: Graph,
    given: Any,
    *,
    weights: str | None = None,
    model: Model | None = None,
    seed: int = 0,
    backend: Backend = "auto",
    precision: Precision = "float32",
    winograd: Winograd = "auto",
    check_precision: bool = False,
    threads: int | None = None,
    top: int = 5,
    profile: bool = False,
    advance: Advance | None = None,
    downloading: Downloading | None = None,
    compiling: Compiling | None = None,
    notes: Sequence[str] = (),
    keep: Sequence[str] = (),
    take: TakeLayer | None = None,
) -> Forward | Batch:
    """Run pictures or arrays through a graph: a Forward for one sample, a Batch for several.

    given: see `inputs.samples_of`. weights: a file, `pretrained` (the spec's address), `random`, or None for the
    weights that come with the spec or the model, else random weights from the seed. model: what the graph was read
    from, if it is no spec. top: number of classes to report; profile: measure the fast backend; notes: of the caller,
    for the result. keep: names of layers and blocks whose outputs a result has too; take: is given them instead.
    precision, winograd: of the fast backend, which then computes whatever the network's size; check_precision: run
    each sample in the other precision too and compare. Raises ImageError, InputError, WeightsError, ModelError or
    UsageError before anything has run; among several samples, a picture's error becomes a Failure.
    """
    check_backend(backend)
    check_precision_backend(backend, precision, winograd, check_precision, available=numba_available())
    if check_precision and profile:
        raise UsageError(
            "a profile is of one precision, and their comparison is of two", hint="leave one of them out"
        )
    check_known(graph)
    keep_nodes(graph, keep)
    if keep and profile:
        raise UsageError("a profile is of a run in which no layer is kept", hint="leave one of them out")
    samples, several = samples_of(graph, given)
    macs = graph.macs
    if several:
        if profile:
            raise UsageError("a profile is of one image or array", hint="give one, or leave profile out")
        chosen = choose_weights(graph, weights, seed, downloading, model)
        runner = Runner(
            graph, chosen, backend=backend, precision=precision, winograd=winograd, check_precision=check_precision,
            threads=threads, top=top, images=len(samples), compiling=compiling, notes=notes, keep=keep, take=take,
        )  # fmt: skip
        outcomes = []
        for outcome in runner.many(samples):
            outcomes.append(outcome)
            if advance:
                advance(macs, macs * len(samples), os.path.basename(outcome.image))
        return Batch(graph, chosen, tuple(outcomes), runner.notes)
    inputs = read_sample(graph, samples[0])  # before loading weights, which may take seconds
    chosen = choose_weights(graph, weights, seed, downloading, model)
    runner = Runner(
        graph, chosen, backend=backend, precision=precision, winograd=winograd, check_precision=check_precision,
        threads=threads, top=top, compiling=compiling, notes=notes, keep=keep, take=take,
    )  # fmt: skip

    def progress(node: Node, done: int) -> None:
        if advance:
            advance(done, macs, node.name)

    result = runner(inputs, progress)
    return replace(result, profile=runner.profile(inputs)) if profile else result


class WeightsFile(NamedTuple):
    """A file of weights. shown: its name in messages."""

    path: str
    source: Literal["bundled", "file"]
    shown: str


def choose_weights(
    graph: Graph,
    weights: str | None,
    seed: int,
    downloading: Downloading | None = None,
    model: Model | None = None,
) -> Weights:
    """The weights of a file, of the model or spec, or random ones."""
    if weights is None and model is not None:
        model.check_complete()
        return own_weights(graph, model.tensors, model.path)
    file = weights_file(graph, weights, downloading)
    return random_weights(graph, seed) if file is None else load_weights(graph, *file)


def stored_tensors(
    graph: Graph,
    weights: str | None,
    downloading: Downloading | None = None,
    model: Model | None = None,
) -> MatchedTensors | None:
    """The tensors of a file, or of the model or spec, their values unread; None if there are none."""
    if weights is None and model is not None:
        model.check_complete()
        return match_tensors(graph, model.tensors, model.path)
    file = weights_file(graph, weights, downloading)
    return None if file is None else match_file(graph, file.path, file.shown)


def weights_file(
    graph: Graph, weights: str | None, downloading: Downloading | None = None
) -> WeightsFile | None:
    """The file of the weights: the given one, a downloaded one if `pretrained`, else the spec's own; None if the spec
    has none, and for `random`."""
    if weights == RANDOM:
        return None
    if weights == PRETRAINED and not isinstance(graph.weights, str):
        return _pretrained(graph, downloading)
    if weights not in (None, PRETRAINED):
        return WeightsFile(weights, "file", weights)
    if isinstance(graph.weights, str):
        return WeightsFile(os.path.join(graph.directory or "", graph.weights), "bundled", graph.weights)
    return None


def _pretrained(graph: Graph, downloading: Downloading | None) -> WeightsFile:
    if graph.own_classes is not None:
        raise WeightsError(
            f"{graph.name}: the pretrained weights are for {graph.own_classes:,} classes, and {_head(graph)} has "
            f"{graph.shape(class_output(graph).node)[0]:,}",
            hint="leave out --set classes, or give --weights FILE with weights for that many",
        )
    if not isinstance(graph.weights, Mapping) or "url" not in graph.weights:
        raise WeightsError(
            f"{graph.name} names no pretrained weights",
            hint="its torchvision namesake may: see 'convcalc list torchvision'; or give --weights FILE",
        )
    from convcalc.weights.pretrained import fetch

    file = fetch(graph.weights["url"], graph.weights.get("sha256", ""), downloading)
    return WeightsFile(file, "file", graph.weights["url"].rsplit("/", 1)[-1])


def _head(graph: Graph) -> str:
    """The layer with weights that gives the classes."""
    index = class_output(graph).node
    while index >= 0 and not graph.nodes[index].parameters and graph.nodes[index].inputs:
        index = graph.nodes[index].inputs[0]
    return graph.input_name(index)


def check_backend(backend: Backend) -> None:
    """Raises UsageError if the fast backend is requested but not installed."""
    if backend == "numba" and not numba_available():
        raise UsageError(
            "the numba backend is not installed",
            hint='pip install "convcalc[fast]" installs it; or --backend reference',
        )


def _uses_numba(backend: Backend, graph: Graph) -> bool:
    """Whether to use the fast backend."""
    if backend == "auto":
        return numba_available() and graph.macs >= SMALL
    return backend == "numba"


def numba_available() -> bool:
    """Whether the fast backend and its dependencies are installed. Imports none of them."""
    return find_spec("convcalc.backends.numba") is not None and find_spec("numba") is not None


def not_finite(values: Sequence[float], numbers: Statistics, what: str = "the output") -> tuple[str, ...]:
    """A warning with the number of NaN and infinite values, if the mean is not finite; else ()."""
    count = 0 if isfinite(numbers.mean) else _count_not_finite(values)
    return (f"{what} is not finite: {count:,} of {len(values):,} numbers are NaN or infinite",) * (count > 0)


def _count_not_finite(values: Sequence[float]) -> int:
    return sum(not isfinite(value) for value in values)


def statistics(values: Sequence[float]) -> Statistics:
    """Statistics of any numbers; overflow gives infinity or NaN."""
    mean = sum(values) / len(values)
    if not isfinite(mean):
        return Statistics(minimum=min(values), maximum=max(values), mean=mean, deviation=mean)
    squares = sum((value - mean) * (value - mean) for value in values)
    deviation = sqrt(squares / len(values))
    return Statistics(minimum=min(values), maximum=max(values), mean=mean, deviation=deviation)
