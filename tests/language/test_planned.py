"""What is not built yet, or outside, says so. When a feature is built, its entry goes from the list, and with it
its case here."""

from __future__ import annotations

import pytest

from convcalc import ops
from convcalc.errors import UsageError
from convcalc.language import planned
from convcalc.language.load import load_graph
from convcalc.language.synonyms import folded
from convcalc.language.words import COMMON, STRUCTURES


@pytest.mark.parametrize(("kind", "field"), planned.FIELDS)
def test_a_field_that_is_not_built_yet(specs, kind, field):
    assert field not in ops.get(kind).fields(), "it is built: take it from planned.FIELDS"
    needed = [f"{name}: 1" for name, info in ops.get(kind).fields().items() if info.required]
    needed += ["from: [input, input]"] if ops.get(kind).role == "join" else []
    error = specs.error(f"- {kind}: {{{', '.join([*needed, f'{field}: 1'])}}}")
    assert error.message == f"{kind}'s {field} is not built yet"
    assert error.hint == (planned.FIELDS[kind, field] or None)


def test_a_planned_field_in_another_word(specs):
    error = specs.error("- conv: {filters: 8, kernel: 3, PaddingMode: reflect}")
    assert error.message == "conv's PaddingMode is not built yet"


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("num_classes", ": convcalc calls it 'classes'"),
        ("clases", "; did you mean 'classes'?"),
        ("nc", "'classes'"),
    ],
)
def test_variables_in_other_words(specs, name, ours):
    with pytest.raises(UsageError) as caught:
        load_graph("torchvision/resnet50", settings={name: "10"})
    assert caught.value.message.startswith(f"--set {name}: the spec has no variable '{name}'")
    assert ours in caught.value.message
    error = specs.error(f"name: t\nextends: torchvision/resnet50\nvars: {{{name}: 10}}")
    assert error.message.startswith(f"nothing reads the variable '{name}'")
    assert ours in error.message


# -- outside -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "what"),
    [
        ("LSTM", "recurrent layers"),
        ("nn.GRU", "recurrent layers"),
        ("SimpleRNN", "recurrent layers"),
        ("ConvLSTM2D", "recurrent layers"),
        ("Embedding", "embeddings of text"),
        ("EmbeddingBag", "embeddings of text"),
        ("NonMaxSuppression", "the post-processing of boxes"),
        ("nms", "the post-processing of boxes"),
        ("RoIAlign", "the post-processing of boxes"),
        ("PriorBox", "the post-processing of boxes"),
    ],
)
def test_what_stays_outside(specs, word, what):
    for text in (f"- {word}", f"- {word}: 10", f"- {word}: {{hidden: 3}}", f"- use: {{block: {word}}}"):
        error = specs.error(text)
        assert error.message == f"'{word}' is outside convcalc's scope"
        assert error.hint == f"it does not count {what}; leave them out"


def test_nothing_outside_is_planned_or_built():
    outside = {word for words in planned.OUTSIDE.values() for word in words}
    assert not outside & {folded(name) for name in (*ops.names(), *STRUCTURES, *COMMON)}
