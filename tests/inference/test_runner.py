"""What an output says: classes or numbers, probabilities once, statistics of any numbers."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

import convcalc
from convcalc.backends import BACKENDS, Backend
from convcalc.cli import forward as command
from convcalc.inference.classes import classifies
from convcalc.inference.inputs import PictureSource
from convcalc.inference.runner import Failure, Runner, not_finite, statistics
from convcalc.language.load import load_graph
from convcalc.processes import can_fork, processors
from convcalc.weights.load import load_weights, random_weights

DIGIT = Path(__file__).parents[1] / "data" / "digits" / "7_1.png"
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("tail", [[], ["flatten"], ["identity", "dropout"]])
def test_a_softmax_is_taken_once_whatever_follows_it(tmp_path: Path, tail: list[str]) -> None:
    text = (ROOT / "architectures" / "lenet5.yaml").read_text()
    path = tmp_path / "net.yaml"
    path.write_text(text.replace("  - softmax", "\n".join(f"  - {layer}" for layer in ["softmax", *tail])))
    weights = str(ROOT / "architectures" / "lenet5.safetensors")
    best = convcalc.load(path).forward(DIGIT, weights=weights, backend="reference").top[0]
    plain = convcalc.load("lenet5").forward(DIGIT, backend="reference").top[0]
    assert (best.label, best.probability) == (plain.label, plain.probability)
    assert best.probability > 0.9


def test_outputs_that_are_neither_probabilities_nor_logits_are_no_classes(tmp_path: Path) -> None:
    text = (ROOT / "architectures" / "lenet5.yaml").read_text()
    path = tmp_path / "net.yaml"
    path.write_text(text.replace("- softmax", "- sigmoid"))
    weights = str(ROOT / "architectures" / "lenet5.safetensors")
    assert convcalc.load(path).forward(DIGIT, weights=weights, backend="reference").top == ()


@pytest.mark.parametrize(
    ("layers", "labels", "classes"),
    [
        ("flatten", "", False),
        ("flatten", "labels: [left, right, top, bottom]", True),
        ("flatten, softmax", "", True),
        ("relu, flatten", "labels: [left, right, top, bottom]", False),
        ("flatten, dense: 4", "", False),
        ("reshape: [2, 2, 1], softmax", "", False),
    ],
)
def test_a_vector_is_classes_only_where_labels_or_a_softmax_say_so(
    tmp_path: Path, layers: str, labels: str, classes: bool
) -> None:
    """Four numbers behind a convolution may as well be the corners of a box; relu's are no logits."""
    path = tmp_path / "net.yaml"
    path.write_text(
        f"name: net\ninput: [1, 9, 8]\n{labels}\nlayers: [{{conv: {{filters: 4, kernel: [9, 8]}}}}, {layers}]\n"
    )
    graph = load_graph(str(path))
    assert classifies(graph, graph.outputs[0]) is classes


def test_statistics_by_hand() -> None:
    assert statistics([1.0, 2.0, 6.0]) == (1.0, 6.0, 3.0, math.sqrt(14 / 3))


@pytest.mark.parametrize(
    "values", [[1e200, -1e200, 3.0], [1e308, 1e308, 1e308], [math.inf, 1.0], [math.nan, 2.0]]
)
def test_statistics_of_what_overflows(values: list[float]) -> None:
    assert not math.isfinite(statistics(values).deviation)


def test_the_command_line_offers_what_there_is() -> None:
    backend = next(option for option in command.command.params if option.name == "backend")
    assert tuple(backend.type.choices) == BACKENDS


@pytest.mark.parametrize("backend", ["reference", "numba"])
def test_a_bad_image_is_found_before_weights_are_drawn(monkeypatch: pytest.MonkeyPatch, backend: str) -> None:
    drawn: list[object] = []
    monkeypatch.setattr("convcalc.inference.runner.choose_weights", lambda *rest: drawn.append(rest))
    with pytest.raises(convcalc.ConvcalcError, match=r"nowhere\.png"):
        convcalc.load("vgg16").forward("nowhere.png", backend=backend)
    assert drawn == []


@pytest.mark.parametrize("images", [1, 2_000])
def test_no_more_threads_or_workers_than_processors(images: int) -> None:
    graph = load_graph("lenet5")
    runner = Runner(graph, random_weights(graph, 1), backend="reference", threads=1024, images=images)
    assert runner.workers <= processors()
    assert (runner.threads or 1) <= processors()
    assert runner.notes == (f"1,024 threads asked for, {processors()} used: as many as there are processors",)


@pytest.mark.parametrize("backend", ["reference", "numba"])
@pytest.mark.parametrize("threads", [1, 2, 5, 50])
def test_images_together_are_as_one_by_one(tmp_path: Path, backend: Backend, threads: int) -> None:
    """With an image for every processor each takes whole images; with fewer, all work on one."""
    graph = load_graph("lenet5")
    weights = load_weights(graph, str(ROOT / "architectures" / "lenet5.safetensors"))
    images = [str(path) for path in sorted(DIGIT.parent.glob("*.png"))]
    images.insert(3, str(tmp_path / "missing.png"))
    runner = Runner(graph, weights, backend=backend, threads=threads, images=len(images))
    used = min(threads, processors())
    assert runner.workers == (used if used <= len(images) and can_fork() else 1)
    outcomes = list(runner.many([(PictureSource("input", image),) for image in images]))
    assert [outcome.image for outcome in outcomes] == images
    for image, outcome in zip(images, outcomes, strict=True):
        if isinstance(outcome, Failure):
            assert "missing" in image
        else:
            alone = convcalc.load("lenet5").forward(image, backend="reference")
            assert outcome.top[0].label == alone.top[0].label == Path(image).stem[0]
            assert list(outcome.run.values) == pytest.approx(list(alone.run.values), abs=1e-5)
            assert len(outcome.inputs[0].values) == 0, "a thousand pictures would not fit into memory"


def test_outputs_of_several_have_an_axis_more(tmp_path: Path) -> None:
    """Of those that could be read; with none, the first one's error is raised."""
    (tmp_path / "net.yaml").write_text(
        "input: [1, 2, 3]\noutputs: {three: scale1}\nlayers: [scale: {value: 3}]\n"
    )
    net = convcalc.load(tmp_path / "net.yaml")
    first, second = [[[1, 2, 4], [5, 7, 8]]], [[[9, 0, 1], [2, 3, 5]]]
    missing = str(tmp_path / "none.png")
    result = net.forward([first, second], backend="reference")
    assert result.outputs["three"].tolist() == [
        [[[3.0, 6.0, 12.0], [15.0, 21.0, 24.0]]], [[[27.0, 0.0, 3.0], [6.0, 9.0, 15.0]]]
    ]  # fmt: skip
    nothing = net.forward([missing, missing], backend="reference")
    with pytest.raises(convcalc.ConvcalcError, match=r"none\.png"):
        nothing.save(tmp_path / "out.npz")


def test_a_missing_backend_is_found_before_anything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("convcalc.inference.runner.numba_available", lambda: False)
    with pytest.raises(convcalc.ConvcalcError, match="not installed"):
        convcalc.load("lenet5").forward("nowhere.png", backend="numba")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([1.0, -2.0, 3.5], ()),
        ([1.0, math.nan, 2.0], ("the output is not finite: 1 of 3 numbers are NaN or infinite",)),
        ([math.inf, -math.inf, 0.0, 1.0], ("the output is not finite: 2 of 4 numbers are NaN or infinite",)),
        ([1e308, 1e308], ()),  # their sum overflows, they do not
    ],
)
def test_an_output_that_is_not_finite_says_so(values: list[float], said: tuple[str, ...]) -> None:
    assert not_finite(values, statistics(values)) == said
