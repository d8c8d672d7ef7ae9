"""Forward passes on images: weights, preprocessing, backend, and the interpretation of the output. Produces
records, no text."""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from math import exp, fsum, isfinite, sqrt
from typing import Any, Literal, NamedTuple

from convcalc.backends import Backend, Compiling, Progress, Run, check_known
from convcalc.errors import ConvcalcError, ImageError, UsageError, WeightsError
from convcalc.files import with_folders
from convcalc.graph import Graph, Node, Output
from convcalc.images.decode import SUFFIXES
from convcalc.images.preprocess import Picture, Preprocess
from convcalc.images.preprocess import load as load_image
from convcalc.inference.labels import labels as read_labels
from convcalc.ops.softmax import Softmax
from convcalc.weights.load import Weights, load_weights, random_weights

PRETRAINED = "pretrained"
# Below this many MACs per image, `auto` uses the reference backend: loading kernels would take longer than the run.
SMALL = 5_000_000


@dataclass(frozen=True)
class Prediction:
    """One predicted class."""

    index: int
    label: str | None
    probability: float


class Statistics(NamedTuple):
    """Summary statistics of an output; deviation is the population's standard deviation."""

    minimum: float
    maximum: float
    mean: float
    deviation: float


@dataclass(frozen=True)
class Forward:
    """The result for one image. `top` is empty unless trained weights ran a classifier; profile: the fast backend's
    measurements, if requested."""

    graph: Graph
    weights: Weights
    image: str
    picture: Picture
    run: Run
    top: tuple[Prediction, ...]
    statistics: Statistics
    notes: tuple[str, ...] = ()
    profile: Any = None


@dataclass(frozen=True)
class Failure:
    """An image that could not be used, and the error."""

    image: str
    error: ConvcalcError


@dataclass(frozen=True)
class Batch:
    """The results for several images, in order."""

    graph: Graph
    weights: Weights
    outcomes: tuple[Forward | Failure, ...]

    @property
    def done(self) -> tuple[Forward, ...]:
        """The successful results."""
        return tuple([outcome for outcome in self.outcomes if isinstance(outcome, Forward)])

    @property
    def failures(self) -> tuple[Failure, ...]:
        """The images that could not be used."""
        return tuple([outcome for outcome in self.outcomes if isinstance(outcome, Failure)])


# Progress callback: MACs just done, MACs in total, current layer or image.
Advance = Callable[[int, int, str], None]
# Download callback: bytes received, and the total if known.
Downloading = Callable[[int, int | None], None]


Bare = tuple[str, Picture, Run, tuple[Prediction, ...], Statistics, tuple[str, ...]]


class Runner:
    """A graph with its weights, ready to process `images` images.

    With at least one image per processor, each process handles whole images; otherwise all processors work on one
    image together.
    """

    def __init__(
        self,
        graph: Graph,
        weights: Weights,
        *,
        backend: Backend = "auto",
        threads: int | None = None,
        top: int = 5,
        images: int = 1,
        compiling: Compiling | None = None,
    ) -> None:
        from convcalc.backends.workers import can_fork, processors

        available = processors()
        count = min(threads or available, available)
        self.workers = count if images >= count and can_fork() else 1
        self.graph = graph
        self.weights = weights
        self.threads = 1 if self.workers > 1 else count
        self.top = top
        self.classes = class_output(graph)
        self.names = read_labels(graph.labels, graph.shape(self.classes.node)[0])
        self.notes: tuple[str, ...] = ()
        if threads and threads > count:
            self.notes = (f"{threads:,} threads asked for, {count:,} used: as many as there are processors",)
        self.plan: Any = None
        if _uses_numba(backend, graph):
            from convcalc.backends import numba

            self.plan = numba.prepare(graph, weights, self.threads, compiling=compiling)
            self.notes += tuple(self.plan.notes)

    def __call__(self, image: str, picture: Picture, progress: Progress | None = None) -> Forward:
        """The result for one image that has been read."""
        run = self._compute(picture.values, progress)
        trained = self.weights.source != "random" and classifies(self.graph, self.classes)
        guesses = _predictions(self.graph, self.classes, run, self.names, self.top) if trained else ()
        numbers = statistics(run.values)
        notes = (*self.notes, *not_finite(run.values, numbers))
        return Forward(self.graph, self.weights, image, picture, run, guesses, numbers, notes)

    def _compute(self, values: Sequence[float], progress: Progress | None) -> Run:
        if self.plan is not None:
            result: Run = self.plan.run(values)
            return result
        from convcalc.backends import reference

        return reference.run(self.graph, self.weights, values, threads=self.threads, progress=progress)

    def profile(self, picture: Picture) -> Any:
        """The fast backend's measurements; None for the reference backend."""
        if self.plan is None:
            return None
        from convcalc.backends.numba.profile import profile_plan

        return profile_plan(self.plan, picture.values)

    def many(self, images: Sequence[str]) -> Iterator[Forward | Failure]:
        """The results for the images in order, as they finish, without pixels; a Failure for an image that cannot
        be used."""
        from convcalc.backends.workers import forked

        with forked(self.workers, self._attempt) as spread:
            for outcome in spread(images) if spread else map(self._attempt, images):
                yield outcome if isinstance(outcome, Failure) else Forward(self.graph, self.weights, *outcome)

    def _attempt(self, image: str) -> Bare | Failure:
        """The result for one image without graph, weights and pixels, which a worker need not send back."""
        try:
            outcome = self(image, read_picture(self.graph, image))
        except ConvcalcError as error:
            return Failure(image, error)
        picture = replace(outcome.picture, values=array("f"))
        return image, picture, outcome.run, outcome.top, outcome.statistics, outcome.notes


def forward(
    graph: Graph,
    images: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    weights: str | None = None,
    seed: int = 0,
    backend: Backend = "auto",
    threads: int | None = None,
    top: int = 5,
    profile: bool = False,
    advance: Advance | None = None,
    downloading: Downloading | None = None,
    compiling: Compiling | None = None,
) -> Forward | Batch:
    """Run images through a graph: a Forward for one image, a Batch for several or for a folder.

    weights: a file, `pretrained` (the spec's address), or None for the weights that come with the spec, else random
    weights from the seed. top: number of classes to report; profile: measure the fast backend. Raises ImageError,
    WeightsError or UsageError before anything has run; among several images, an image's error becomes a Failure.
    """
    check_backend(backend)
    check_known(graph)
    given = [images] if isinstance(images, (str, os.PathLike)) else [*images]
    paths = [os.fspath(path) for path in given]
    if not paths:
        raise UsageError("there is no image to push through", hint="give the path of one, or of several")
    macs = graph.macs
    if len(paths) != 1 or os.path.isdir(paths[0]):
        if profile:
            raise UsageError("a profile is of one image", hint="give one image, or leave profile out")
        files = image_files(paths)
        chosen = choose_weights(graph, weights, seed, downloading)
        runner = Runner(
            graph, chosen, backend=backend, threads=threads, top=top, images=len(files), compiling=compiling
        )
        outcomes = []
        for outcome in runner.many(files):
            outcomes.append(outcome)
            if advance:
                advance(macs, macs * len(files), os.path.basename(outcome.image))
        return Batch(graph, chosen, tuple(outcomes))
    path = paths[0]
    picture = read_picture(graph, path)  # before loading weights, which may take seconds
    chosen = choose_weights(graph, weights, seed, downloading)
    runner = Runner(graph, chosen, backend=backend, threads=threads, top=top, compiling=compiling)

    def progress(node: Node, done: int) -> None:
        if advance:
            advance(done, macs, node.name)

    result = runner(path, picture, progress)
    return replace(result, profile=runner.profile(picture)) if profile else result


def image_files(paths: Sequence[str]) -> list[str]:
    """The paths with each folder replaced by the images in it, by name. Raises ImageError if there are none."""
    return with_folders(
        paths,
        SUFFIXES,
        lambda folder: ImageError(
            f"{folder}: no images in this folder", hint=f"looked for {', '.join(SUFFIXES)}"
        ),
    )


def read_picture(graph: Graph, image: str) -> Picture:
    """An image as the network's input. Raises ImageError, and UsageError if the network has several inputs."""
    if len(graph.inputs) > 1:
        names = ", ".join(entry.name for entry in graph.inputs)
        raise UsageError(
            f"{graph.name} has {len(graph.inputs)} inputs: {names}; one picture cannot be all of them"
        )
    return load_image(image, Preprocess(**(graph.preprocess or {})), graph.input_shape)


def choose_weights(
    graph: Graph,
    weights: str | None,
    seed: int,
    downloading: Downloading | None = None,
) -> Weights:
    """The weights of a file, of the spec, or random ones."""
    if weights == PRETRAINED:
        return _pretrained(graph, downloading)
    if weights is not None:
        return load_weights(graph, weights)
    if isinstance(graph.weights, str):
        own = os.path.join(graph.directory or "", graph.weights)
        return load_weights(graph, own, "bundled", shown=graph.weights)
    return random_weights(graph, seed)


def _pretrained(graph: Graph, downloading: Downloading | None) -> Weights:
    if isinstance(graph.weights, str):
        return choose_weights(graph, None, 0)
    if not graph.weights or "url" not in graph.weights:
        raise WeightsError(
            f"{graph.name} names no pretrained weights",
            hint="its torchvision namesake may: see 'convcalc list torchvision'; or give --weights FILE",
        )
    from convcalc.weights.pretrained import fetch

    file = fetch(graph.weights["url"], graph.weights.get("sha256", ""), downloading)
    return load_weights(graph, file, "file", shown=graph.weights["url"].rsplit("/", 1)[-1])


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


def class_output(graph: Graph) -> Output:
    """The output that the labels belong to: the one they name, or the first that is classes, or the first."""
    named = [output for output in graph.outputs if output.name == graph.labelled]
    marked = named or [output for output in graph.outputs if classifies(graph, output)]
    return marked[0] if marked else graph.outputs[0]


def _meaning(graph: Graph, output: Output) -> Literal["probabilities", "logits", "other"]:
    """The meaning of an output vector: probabilities after a softmax, logits after a layer that sums, else neither.

    Layers that only pass on or rearrange values are skipped.
    """
    index = output.node
    while index >= 0:
        node = graph.nodes[index]
        if isinstance(node.op, Softmax):
            return "probabilities"
        if node.op.role in ("dense", "convolution", "pooling", "join", "attention"):
            return "logits"
        if node.op.role not in ("identity", "reshape") or not node.inputs:
            return "other"
        index = node.inputs[0]
    return "other"


def classifies(graph: Graph, output: Output) -> bool:
    """Whether an output is one number per class: a vector that follows a softmax, or for which the spec has `labels`.

    A vector of sums alone may have another meaning, such as the corners of a box.
    """
    vector = len([size for size in graph.shape(output.node) if size != 1]) == 1
    meaning = _meaning(graph, output)
    labelled = graph.labels is not None and graph.labelled in (None, output.name)
    return vector and (meaning == "probabilities" or (meaning == "logits" and labelled))


def _predictions(
    graph: Graph, output: Output, run: Run, names: tuple[str, ...] | None, top: int
) -> tuple[Prediction, ...]:
    values = list(run.outputs[output.name].values)
    probabilities = values if _meaning(graph, output) == "probabilities" else softmax(values)
    order = sorted(range(len(values)), key=lambda index: (-probabilities[index], index))
    return tuple(
        Prediction(index, names[index] if names else None, probabilities[index]) for index in order[:top]
    )


def softmax(values: Sequence[float]) -> list[float]:
    """Probabilities from logits."""
    largest = max(values)
    powers = [exp(value - largest) for value in values]
    total = fsum(powers)
    return [power / total for power in powers]


def not_finite(values: Sequence[float], numbers: Statistics) -> tuple[str, ...]:
    """A warning with the number of NaN and infinite values, if the mean is not finite; else ()."""
    if isfinite(numbers.mean):
        return ()
    count = sum(not isfinite(value) for value in values)
    return (
        (f"the output is not finite: {count:,} of {len(values):,} numbers are NaN or infinite",)
        if count
        else ()
    )


def statistics(values: Sequence[float]) -> Statistics:
    """Statistics of any numbers; overflow gives infinity or NaN."""
    mean = sum(values) / len(values)
    if not isfinite(mean):
        return Statistics(minimum=min(values), maximum=max(values), mean=mean, deviation=mean)
    squares = sum((value - mean) * (value - mean) for value in values)
    deviation = sqrt(squares / len(values))
    return Statistics(minimum=min(values), maximum=max(values), mean=mean, deviation=deviation)
