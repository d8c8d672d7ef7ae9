"""`like`: a layer whose size another one takes, and which it does not read."""

from __future__ import annotations

import pytest

from convcalc.analysis.analyse import analyse

CONV = "conv: {name: wide, filters: 6, kernel: 3, stride: 2, padding: 1}"


def sizes(graph):
    """The layers that have a size, with it and the layer that it is from."""
    return {n.name: (n.op.like, n.output_shape) for n in graph if n.op.shape_field is not None}


def test_names_are_found_as_from_finds_them(specs):
    graph = specs.load(
        f"""
        blocks:
          up: {{params: [to], layers: [{{upsample: {{name: inner, like: $to}}}}]}}
        layers:
          - {CONV}
          - group: {{name: deep, layers: [{{maxpool: {{name: pool, kernel: [3, 4]}}}}, {{upsample: {{like: wide}}}}]}}
          - crop: {{like: deep.pool}}
          - up: {{name: block, to: deep}}
          - upsample: {{like: input, mode: bilinear}}
        """
    )
    assert sizes(graph) == {
        "deep.upsample1": ("wide", (6, 8, 8)),
        "crop1": ("deep.pool", (6, 2, 2)),
        "block.inner": ("deep.upsample1", (6, 8, 8)),
        "upsample1": ("input", (6, 16, 16)),
    }


def test_each_use_of_a_block_finds_its_own(specs):
    graph = specs.load(
        """
        blocks:
          half: {layers: [{relu: {name: start}}, {maxpool: 2}, {maxpool: 2}, {upsample: {name: end, like: start}}]}
        layers: [{half: {name: a}}, {maxpool: 2}, {half: {name: b}}]
        """
    )
    assert sizes(graph) == {"a.end": ("a.start", (4, 16, 16)), "b.end": ("b.start", (4, 8, 8))}


def test_it_is_no_input_and_keeps_nothing_alive(specs):
    """With an edge the map of 6×8×8 would lie beside those of 60×2×2 and 60×8×8 at the end."""
    graph = specs.load(f"- {CONV}\n- conv: {{filters: 60, kernel: 1, stride: 4}}\n- upsample: {{like: wide}}")
    assert [node.inputs for node in graph] == [(-1,), (0,), (1,)]
    analysis = analyse(graph)
    assert analysis.totals.peak_activation_bytes == 4 * (60 * 2 * 2 + 60 * 8 * 8)
    assert analysis.layers[2].receptive_field.size == (3, 3)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("upsample: {like: wdie}", "no earlier layer 'wdie'; did you mean 'wide'?"),
        ("upsample: {name: up, like: up}", "no earlier layer 'up'"),
        ("upsample: {like: later}", "no earlier layer 'later'"),
        ("upsample: {like: flat}", "up: like needs a layer with a spatial size; flat is a vector of 384"),
        ("upsample: {like: wide, size: 3}", "up: upsample has size and like, which both say its size"),
        ("upsample: {like: wide, scale: 2}", "up: upsample has scale besides its size"),
        ("crop: {like: input}", "up: 16 pixels, the size of input, do not lie within an axis of 8"),
        ("crop: {like: [wide]}", "up: like needs the name or path of a layer, not a list of 1"),
    ],
)
def test_errors(specs, entry, message):
    entry = entry if "name" in entry else entry.replace("{", "{name: up, ")
    text = f"- {CONV}\n- flatten: {{name: flat}}\n- {entry[:-1]}, from: wide}}\n- relu: {{name: later}}"
    assert specs.error(text).message.startswith(message)


def test_the_size_of_another_rank(specs):
    text = "- reshape: {name: line, shape: [4, 256]}\n- upsample: {from: input, like: line}"
    assert specs.error(text).message == "upsample1: size has 1 values, the input has 2 spatial dimensions"
