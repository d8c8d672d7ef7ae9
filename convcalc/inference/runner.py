"""An image through a network: weights, picture, backend, and what the output says. No text, no terminal."""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from math import exp, fsum, isfinite, sqrt
from typing import Any, Literal, NamedTuple

from convcalc.backends import Backend, Compiling, Progress, Run
from convcalc.errors import ConvcalcError, ImageError, UsageError, WeightsError
from convcalc.files import with_folders
from convcalc.graph import Graph, Node
from convcalc.images.decode import SUFFIXES
from convcalc.images.preprocess import Picture, Preprocess
from convcalc.images.preprocess import load as load_image
from convcalc.inference.labels import labels as read_labels
from convcalc.ops.softmax import Softmax
from convcalc.weights.load import Weights, load_weights, random_weights

PRETRAINED = "pretrained"
# Below this many MACs an image, `auto` takes the reference backend: loading kernels would take longer than the run.
SMALL = 5_000_000


@dataclass(frozen=True)
class Guess:
    """One class of a classifier's output."""

    index: int
    label: str | None
    probability: float


class Statistics(NamedTuple):
    """The output's numbers in brief; deviation is the population's."""

    minimum: float
    maximum: float
    mean: float
    deviation: float


@dataclass(frozen=True)
class Forward:
    """Everything known after an image went through. `top` is empty unless trained weights ran a classifier; profile is
    the fast backend's own account of its time, where it was asked for."""

    graph: Graph
    weights: Weights
    image: str
    picture: Picture
    run: Run
    top: tuple[Guess, ...]
    statistics: Statistics
    notes: tuple[str, ...] = ()
    profile: Any = None


@dataclass(frozen=True)
class Failure:
    """An image that could not be used, and why."""

    image: str
    error: ConvcalcError


@dataclass(frozen=True)
class Batch:
    """What came of several images, in their order."""

    graph: Graph
    weights: Weights
    outcomes: tuple[Forward | Failure, ...]

    @property
    def done(self) -> tuple[Forward, ...]:
        """The images that went through."""
        return tuple([outcome for outcome in self.outcomes if isinstance(outcome, Forward)])

    @property
    def failures(self) -> tuple[Failure, ...]:
        """The images that could not be used."""
        return tuple([outcome for outcome in self.outcomes if isinstance(outcome, Failure)])


# Called as work is done: multiply-accumulates that have just been finished, of how many in all, and what is at work.
Advance = Callable[[int, int, str], None]
# Called as a file arrives: bytes so far, and of how many where that is known.
Downloading = Callable[[int, int | None], None]


Bare = tuple[str, Picture, Run, tuple[Guess, ...], Statistics, tuple[str, ...]]


class Runner:
    """A graph with its weights, ready for `images` images.

    Where there is an image for every processor, each takes whole images; else all work on one image together.
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
        self.names = read_labels(graph.labels, graph.output_shape[0])
        self.notes: tuple[str, ...] = ()
        if threads and threads > count:
            self.notes = (f"{threads:,} threads asked for, {count:,} used: as many as there are processors",)
        self.plan: Any = None
        if _uses_numba(backend, graph):
            from convcalc.backends import numba

            self.plan = numba.prepare(graph, weights, self.threads, compiling=compiling)
            self.notes += tuple(self.plan.notes)

    def __call__(self, image: str, picture: Picture, progress: Progress | None = None) -> Forward:
        """One image, already read."""
        run = self._compute(picture.values, progress)
        trained = self.weights.source != "random" and classifies(self.graph)
        guesses = _guesses(self.graph, run, self.names, self.top) if trained else ()
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
        """The fast backend's own account of where the time goes; None for the reference backend."""
        if self.plan is None:
            return None
        from convcalc.backends.numba.profile import profile_plan

        return profile_plan(self.plan, picture.values)

    def many(self, images: Sequence[str]) -> Iterator[Forward | Failure]:
        """Every image, in order, as they are done, without its pixels; a Failure for one that cannot be used."""
        from convcalc.backends.workers import forked

        with forked(self.workers, self._attempt) as spread:
            for outcome in spread(images) if spread else map(self._attempt, images):
                yield outcome if isinstance(outcome, Failure) else Forward(self.graph, self.weights, *outcome)

    def _attempt(self, image: str) -> Bare | Failure:
        """One image, without what a worker need not send back: graph, weights and pixels."""
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
    """Push an image through a graph; of several images, or a folder of them, give a Batch.

    weights: a file, `pretrained` (the spec's address), or None for those that come with the spec, else random
    ones from the seed. top: how many classes to tell; profile: measure where the fast backend's time goes. Raises
    ImageError, WeightsError or UsageError before anything has run; of several images, what is wrong with one is a
    Failure in its place.
    """
    check_backend(backend)
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
    picture = read_picture(graph, path)  # before weights that may take seconds
    chosen = choose_weights(graph, weights, seed, downloading)
    runner = Runner(graph, chosen, backend=backend, threads=threads, top=top, compiling=compiling)

    def progress(node: Node, done: int) -> None:
        if advance:
            advance(done, macs, node.name)

    result = runner(path, picture, progress)
    return replace(result, profile=runner.profile(picture)) if profile else result


def image_files(paths: Sequence[str]) -> list[str]:
    """The paths, folders replaced by the images in them, in order of name. Raises ImageError where there are none."""
    return with_folders(
        paths,
        SUFFIXES,
        lambda folder: ImageError(
            f"{folder}: no images in this folder", hint=f"looked for {', '.join(SUFFIXES)}"
        ),
    )


def read_picture(graph: Graph, image: str) -> Picture:
    """An image as the network takes it. Raises ImageError, and UsageError where the network has several inputs."""
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
    """A file's weights, the spec's own, or random ones."""
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
    """Raise UsageError where the fast backend is asked for and not there."""
    if backend == "numba" and not numba_available():
        raise UsageError(
            "the numba backend is not installed",
            hint='pip install "convcalc[fast]" installs it; or --backend reference',
        )


def _uses_numba(backend: Backend, graph: Graph) -> bool:
    """Whether the fast backend is meant."""
    if backend == "auto":
        # networks of several inputs or outputs are the reference backend's, until the fast one runs them
        single = len(graph.inputs) == len(graph.outputs) == 1
        return single and numba_available() and graph.macs >= SMALL
    return backend == "numba"


def numba_available() -> bool:
    """Whether the fast backend and what it needs are installed; imports none of it."""
    return find_spec("convcalc.backends.numba") is not None and find_spec("numba") is not None


def _meaning(graph: Graph) -> Literal["probabilities", "logits", "other"]:
    """What a vector of outputs says: probabilities behind a softmax, logits behind a layer that sums, else neither.

    Layers that only pass numbers on or lay them out anew are looked through.
    """
    index = graph.output
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


def classifies(graph: Graph) -> bool:
    """Whether the output is one number for each class: a vector that the spec's `labels` or a softmax mark as such.

    Behind a layer that sums, without either, it may as well be the corners of a box.
    """
    vector = len([size for size in graph.output_shape if size != 1]) == 1
    meaning = _meaning(graph)
    return vector and (meaning == "probabilities" or (meaning == "logits" and graph.labels is not None))


def _guesses(graph: Graph, run: Run, names: tuple[str, ...] | None, top: int) -> tuple[Guess, ...]:
    values = list(run.values)
    probabilities = values if _meaning(graph) == "probabilities" else softmax(values)
    order = sorted(range(len(values)), key=lambda index: (-probabilities[index], index))
    return tuple(Guess(index, names[index] if names else None, probabilities[index]) for index in order[:top])


def softmax(values: Sequence[float]) -> list[float]:
    """Probabilities from raw outputs."""
    largest = max(values)
    powers = [exp(value - largest) for value in values]
    total = fsum(powers)
    return [power / total for power in powers]


def not_finite(values: Sequence[float], numbers: Statistics) -> tuple[str, ...]:
    """That the output holds NaN or infinities, and how many, where its mean is not finite."""
    if isfinite(numbers.mean):
        return ()
    count = sum(not isfinite(value) for value in values)
    return (
        (f"the output is not finite: {count:,} of {len(values):,} numbers are NaN or infinite",)
        if count
        else ()
    )


def statistics(values: Sequence[float]) -> Statistics:
    """Of any numbers; what overflows is infinite, or not a number."""
    mean = sum(values) / len(values)
    if not isfinite(mean):
        return Statistics(minimum=min(values), maximum=max(values), mean=mean, deviation=mean)
    squares = sum((value - mean) * (value - mean) for value in values)
    deviation = sqrt(squares / len(values))
    return Statistics(minimum=min(values), maximum=max(values), mean=mean, deviation=deviation)
