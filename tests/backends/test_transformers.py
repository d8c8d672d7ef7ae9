"""Small transformers from a file of weights: both backends give what torchvision gives (tests/data/pytorch)."""

from __future__ import annotations

import json
from array import array
from math import prod, sin
from pathlib import Path

import pytest

from convcalc.backends import reference
from convcalc.errors import WeightsError
from convcalc.language.load import load_graph
from convcalc.weights.load import Weights, load_weights
from convcalc.weights.safetensors import write

CASES = json.loads((Path(__file__).parent.parent / "data" / "pytorch" / "transformers.json").read_text())
SWIN = """
extends: torchvision/swin
name: small
vars: {width: 6, depths: [2, 2], heads: [1, 2], window: 3, resize: 32, classes: 5}
input: [3, %d, %d]
"""
SPECS = {
    "vit": """
extends: torchvision/vit
name: small
vars: {patch: 5, width: 12, depth: 2, heads: 3, resize: 20, classes: 7}
input: [3, 20, 20]
""",
    "swin": SWIN % (32, 32),
    "swin, uneven": SWIN % (52, 36),  # 13×9 patches, one row and one column short of even ones
    "swin_v2": SWIN.replace("torchvision/swin", "torchvision/swin_v2") % (52, 36),
    "maxvit": """
extends: torchvision/maxvit_t
name: small
vars: {stem: 4, widths: [4, 6], depths: [1, 1], window: 2, head: 2, classes: 5}
input: [3, 16, 16]
""",
}


def sines(number, shape):
    """As tests/data/pytorch/make_transformers.py makes them."""
    return array("d", [0.4 * sin(1 + 1.7 * number + 0.9 * place) for place in range(prod(shape))])


def drawn(number, key, shape):
    """A tensor's numbers; variances are positive."""
    values = sines(number, shape)
    return array("d", [value**2 + 0.1 for value in values]) if key.endswith("running_var") else values


def loaded(case, folder, known=None):
    """The network, its weights from a file that holds all that torchvision's does, and the input's numbers."""
    known = known or CASES[case]
    spec, file = folder / "small.yaml", folder / "small.safetensors"
    spec.write_text(SPECS[case])
    tensors = {
        key: (shape, drawn(number, key, shape))
        for number, (key, shape) in enumerate(known["keys"].items(), 1)
    }
    tensors |= {key: ([len(values)], array("d", values)) for key, values in known["buffers"].items()}
    write(file, tensors)
    graph = load_graph(str(spec))
    weights = load_weights(graph, str(file))
    assert weights.ignored == ()
    return graph, weights, [5 * value for value in sines(0, known["input"])]


@pytest.mark.parametrize("case", SPECS)
def test_the_reference_backend(case, tmp_path):
    output = reference.run(*loaded(case, tmp_path))
    (tensor,) = output.outputs.values()
    assert list(tensor.values) == pytest.approx(CASES[case]["output"], rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("case", SPECS)
def test_the_fast_backend(case, tmp_path):
    numba = pytest.importorskip("convcalc.backends.numba")
    graph, weights, values = loaded(case, tmp_path)
    (tensor,) = numba.run(graph, weights, values).outputs.values()
    wanted = CASES[case]["output"]
    assert list(tensor.values) == pytest.approx(wanted, abs=1e-5 * max(map(abs, wanted)))


def test_a_buffer_that_is_not_what_the_rule_makes(tmp_path):
    """Nothing is run with another order of positions."""
    known = CASES["swin"]
    key, values = next(iter(known["buffers"].items()))
    assert values[:4] == [12, 11, 10, 7]
    wrong = {**known, "buffers": {**known["buffers"], key: [*values[:3], 9, *values[4:]]}}
    with pytest.raises(WeightsError, match="do not fit small") as caught:
        loaded("swin", tmp_path, wrong)
    said = f"not what the network makes by rule (1): {key} has 9 at place 3, the rule gives 7"
    assert said in str(caught.value.hint)


def test_what_no_input_reaches_is_computed_once(tmp_path):
    """A learned tensor through an activation and a transposition, added to the image in every run, and an output."""
    numba = pytest.importorskip("convcalc.backends.numba")
    spec = tmp_path / "fixed.yaml"
    spec.write_text("""
name: fixed
input: [3, 4, 5]
layers:
  - parameter: {name: learned, shape: [5, 3, 4]}
  - relu
  - transpose: {name: turned, order: [1, 2, 0]}
  - add: {name: sum, from: [input, turned]}
  - conv: {name: conv, filters: 2, kernel: 1, bias: false}
outputs: [turned, conv]
""")
    graph = load_graph(str(spec))
    learned = [(-1) ** i * i for i in range(60)]
    weights = Weights(({"": learned}, {}, {}, {}, {"weight": [1, 0, 0, 0, 1, 1]}), "random")
    plan = numba.prepare(graph, weights)
    turned = [max(0, learned[12 * column + 4 * channel + row]) for channel in range(3) for row in range(4)
              for column in range(5)]  # fmt: skip
    for start in (0, 100):
        image = list(range(start, start + 60))
        total = [a + b for a, b in zip(image, turned, strict=True)]
        wanted = total[:20] + [a + b for a, b in zip(total[20:40], total[40:], strict=True)]
        outputs = plan.run(image).outputs
        assert list(outputs["turned"].values) == turned
        assert list(outputs["conv"].values) == wanted
