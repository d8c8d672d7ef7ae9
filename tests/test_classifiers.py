"""Every bundled classifier: another number of classes, the auxiliary heads, and what is published of it."""

from __future__ import annotations

from pathlib import Path

import pytest

import convcalc
from convcalc.analysis.catalogue import entries
from convcalc.language.load import load_graph

CLASSIFIERS = {entry.name: entry.classes for entry in entries() if entry.task in ("classification", "video")}
DIGIT = Path(__file__).parent / "data" / "digits" / "7_1.png"
OTHER = 11  # classes, as no bundled network has


def test_every_network_with_labels_is_a_classifier() -> None:
    labelled = {entry.name for entry in entries() if load_graph(entry.name).labels is not None}
    assert labelled <= set(CLASSIFIERS)
    assert {CLASSIFIERS[name] for name in CLASSIFIERS} == {10, 400, 1000}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classes_change_the_head_and_nothing_else(name: str) -> None:
    """A head of N classes on D features has D·N weights and N biases; no other layer knows N."""
    graph, other = load_graph(name), load_graph(name, settings={"classes": str(OTHER)})
    assert graph.output_shape[0] == CLASSIFIERS[name]
    assert other.output_shape[0] == OTHER
    assert other.output_shape[1:] == graph.output_shape[1:]
    heads = [
        (mine, its)
        for mine, its in zip(graph, other, strict=True)
        if [parameter.shape for parameter in mine.parameters]
        != [parameter.shape for parameter in its.parameters]
    ]
    assert len(heads) == 1
    for mine, its in heads:
        assert [(p.name, p.shape[1:]) for p in mine.parameters] == [
            (p.name, p.shape[1:]) for p in its.parameters
        ]
        assert {p.shape[0] for p in mine.parameters} == {CLASSIFIERS[name]}
        assert {p.shape[0] for p in its.parameters} == {OTHER}
    assert (other.labels, other.weights, other.own_classes) == (None, None, CLASSIFIERS[name])
    assert graph.own_classes is None


@pytest.mark.parametrize("text", ["1000", " 1000", "999+1"])
def test_the_published_number_of_classes_is_no_change(text: str) -> None:
    graph = load_graph("alexnet", settings={"classes": text if "+" not in text else f"$({text})"})
    assert (graph.labels, graph.own_classes) == ("imagenet1k", None)


def test_trained_weights_are_for_the_published_classes() -> None:
    result = convcalc.load("lenet5", settings={"classes": "7"}).forward(DIGIT, backend="reference")
    assert (result.weights.source, result.top, result.run.shape) == ("random", (), (7,))
    assert "no labels and no weights: the spec's are for 10 classes" in result.notes


def test_pretrained_weights_of_other_classes_are_refused_before_they_are_fetched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("convcalc.weights.pretrained.fetch", lambda *_: pytest.fail("fetched"))
    network = convcalc.load("torchvision/resnet18", settings={"classes": "7"})
    with pytest.raises(convcalc.WeightsError, match=r"are for 1,000 classes, and fc has 7"):
        network.forward(DIGIT, weights="pretrained")
    with pytest.raises(convcalc.WeightsError, match=r"are for 1,000 classes, and classifier\.1 has 7"):
        convcalc.load("torchvision/squeezenet1_1", settings={"classes": "7"}).forward(
            DIGIT, weights="pretrained"
        )


def test_a_family_member_with_classes_of_its_own_keeps_its_labels(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("extends: torchvision/resnet18\nvars: {classes: 3}\nlabels: [cat, dog, bird]\n")
    graph = load_graph(str(path))
    assert (graph.output_shape, graph.labels, graph.own_classes) == ((3,), ("cat", "dog", "bird"), None)


@pytest.mark.parametrize(
    ("name", "outputs", "params"),
    [
        # by hand: 512·128+128 + 2048·1024+1024 + 1024·1000+1000 = 3,188,840, and 528·128+128 … = 3,190,888
        ("googlenet", ["softmax1", "aux1", "aux2"], 6_998_552 + 3_188_840 + 3_190_888),
        # torchvision 0.29: googlenet(aux_logits=True), inception_v3(aux_logits=True)
        ("torchvision/googlenet", ["fc", "aux1", "aux2"], 13_004_888),
        ("torchvision/inception_v3", ["fc", "aux"], 27_161_264),
    ],
)
def test_auxiliary_heads_are_outputs(name: str, outputs: list[str], params: int) -> None:
    network = convcalc.load(name, settings={"auxiliary": "true"})
    graph = network.record.graph
    assert [output.name for output in graph.outputs] == outputs
    assert [graph.shape(output.node) for output in graph.outputs] == [(1000,)] * len(outputs)
    assert network.totals.params == params
    assert graph.warnings == ()
    assert [output.name for output in load_graph(name).outputs] == outputs[:1]


def rounded(counted: int, published: float) -> float:
    """The count with as many digits as a paper prints that writes 4.2 million (4.2e6); integers are exact."""
    if isinstance(published, int):
        return counted
    digits = len(f"{published:.15e}".partition("e")[0].replace(".", "").rstrip("0"))
    return float(f"{counted:.{digits - 1}e}")


@pytest.mark.parametrize(
    ("counted", "published", "expected"),
    [
        (4_231_976, 4.2e6, 4.2e6),
        (269_722, 0.27e6, 0.27e6),
        (13_187_464, 13.2e6, 13.2e6),
        (4_231_976, 4_231_900, 4_231_976),
    ],
)
def test_printed_digits(counted: int, published: float, expected: float) -> None:
    assert rounded(counted, published) == expected


@pytest.mark.parametrize("name", [name for name in CLASSIFIERS if load_graph(name).published])
def test_published_parameters_are_those_counted(name: str) -> None:
    published = load_graph(name).published
    settings = {"auxiliary": "true"} if name == "torchvision/inception_v3" else {}  # its file has them
    counted = convcalc.load(name, settings=settings).totals.params
    if "params" in published:
        assert published["params"] == rounded(counted, published["params"])
    assert 40 < published["top1"] < published.get("top5", 100) <= 100
    assert published["source"]
