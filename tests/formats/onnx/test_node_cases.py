"""ONNX's own tests of the operators that convcalc maps, through the importer, and the page that lists the rest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest

from convcalc.backends import reference
from convcalc.formats.onnx.fold import FOLDS
from convcalc.formats.onnx.mapping import HANDLERS, map_model
from convcalc.formats.onnx.reader import read_model
from tests.formats.onnx.node_cases import FOLDED, Result, cases, result, weights_of

PAGE = Path(__file__).parents[3] / "convcalc" / "docs" / "onnx.md"
HEADING = "## Operators"
# Cases that change nothing: one input, no bounds, no axes, dimensions of 1.
UNCHANGED = {
    "test_clip_default_inbounds", "test_einsum_scalar", "test_max_one_input", "test_mean_one_input",
    "test_min_one_input", "test_reduce_sum_empty_axes_input_noop", "test_reduce_sum_empty_axes_input_noop_example",
    "test_squeeze", "test_sum_one_input", "test_transpose_all_permutations_0",
}  # fmt: skip


@cache
def results() -> tuple[Result, ...]:
    """All cases on the reference backend."""
    return tuple(result(case, reference) for case in cases())


def rate(found: Iterable[Result]) -> tuple[int, int]:
    """How many results are right, and how many there are."""
    listed = list(found)
    return sum(not entry.wrong for entry in listed), len(listed)


@pytest.mark.slow
def test_claimed_cases_pass() -> None:
    """Of the cases that are computed by layers alone, and of those that are only folded."""
    passed, count = rate(found for found in results() if not found.folds)
    assert count >= 540
    assert passed / count >= 0.95
    passed, count = rate(found for found in results() if found.folds)
    assert count >= 220
    assert passed / count >= 0.95


@pytest.mark.slow
def test_cases_become_layers() -> None:
    """A case that is not folded has a layer, or leaves its input as it is."""
    without = {found.name for found in results() if not (found.folds or found.wrong or found.kinds)}
    others = {found.name for found in results() if found.op not in ("Dropout", "Identity")}
    assert without & others == UNCHANGED


@pytest.mark.slow
def test_the_manual_lists_operators_and_cases(request: pytest.FixtureRequest) -> None:
    text = PAGE.read_text(encoding="utf-8")
    before, found, after = text.partition(f"\n{HEADING}\n\n")
    assert found
    made = operators_section()
    if request.config.getoption("--update-docs"):
        PAGE.write_text(before + found + made, encoding="utf-8")
    else:
        assert after == made


def operators_section() -> str:
    """The end of the page: what each operator becomes, and the cases that are not computed, with reasons."""
    by_op: dict[str, list[Result]] = defaultdict(list)
    for found in results():
        by_op[found.op].append(found)
    rows = []
    for op in sorted(name for name in {*HANDLERS, *FOLDS} if ":" not in name):
        own = by_op.get(op, [])
        kinds = sorted({kind for found in own if not found.wrong for kind in found.kinds})
        became = ", ".join(f"`{kind}`" for kind in kinds) or "–"
        if op in FOLDED:
            became = "worked out, on constants"
        passed = sum(not found.wrong for found in own)
        rows.append(f"| {op} | {became} | {f'{passed} of {len(own)}' if own else '–'} |")
    layered, layers = rate(found for found in results() if not found.folds)
    folded, folds = rate(found for found in results() if found.folds)
    left = [f"- `{found.name.removeprefix('test_')}`: {found.wrong}" for found in results() if found.wrong]
    return (
        "What each operator of ONNX becomes in the tests that ONNX has of it, and how many of them give\n"
        "ONNX's numbers. A dash means no layer, or no test.\n\n"
        "| ONNX | convcalc | tests |\n| --- | --- | --- |\n" + "\n".join(rows) + "\n\n"
        f"Of the {layers} tests that compute something from the network's input, which layers do, "
        f"{layered} pass: {layered / layers:.1%},\n"
        f"on both backends. The other {folds} are only worked out on constants: operators without a layer, "
        "arithmetic on integers,\n"
        f"tensors without values, and powers with several exponents; {folded} of them pass: {folded / folds:.1%}.\n\n"
        "Numbers are compared to 0.1 %, of float16 to 1 %, and of bfloat16, which has 8 bits, to 0.8 %, the\n"
        "largest step between two of its numbers. "
        "What does not pass, with what is not mapped:\n\n" + "\n".join(left) + "\n"
    )


@pytest.mark.slow
def test_the_fast_backend_agrees() -> None:
    """All cases that become layers, on Numba: right where the reference is, with the same reasons where it is not."""
    numba = pytest.importorskip("convcalc.backends.numba")
    layered = {found.name: found.wrong for found in results() if not found.folds}
    assert {case.name: result(case, numba).wrong for case in cases() if not case.folds} == layered


NETWORKS = sorted((Path(onnx.__file__).parent / "backend" / "test" / "data" / "light").glob("*.onnx"))


@pytest.mark.parametrize("file", NETWORKS, ids=lambda path: path.stem)
def test_shapes_of_onnx_s_small_networks(file: Path) -> None:
    """Every layer has the shape that onnx infers for its value; dimensions of 1 apart, as the batch is left out."""
    model = onnx.shape_inference.infer_shapes(onnx.load(file))
    infos = [*model.graph.value_info, *model.graph.output]
    inferred = {info.name: [d.dim_value for d in info.type.tensor_type.shape.dim] for info in infos}
    draft = map_model(read_model(file))
    needed = draft.needed()
    compared = {
        layer.value: ([n for n in layer.shape if n > 1], [n for n in inferred[layer.value] if n > 1])
        for layer in (draft.layers[index] for index in needed)
        if layer.value in inferred
    }
    assert {name: shapes for name, shapes in compared.items() if shapes[0] != shapes[1]} == {}
    assert len(compared) > 0.8 * sum(bool(draft.layers[index].inputs) for index in needed)
    assert all(draft.layers[index].op.is_known for index in needed)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["light_squeezenet", "light_shufflenet"])
def test_outputs_of_small_networks(name: str) -> None:
    """Their convolutions have constant kernels, so rows that differ by a few steps show a wrong stride or padding."""
    numba = pytest.importorskip("convcalc.backends.numba")
    runtime = pytest.importorskip("onnxruntime")
    (file,) = [path for path in NETWORKS if path.stem == name]
    model = map_model(read_model(file)).model(name)
    shape = model.graph.input_shape
    image = np.random.default_rng(7).random((1, *shape), np.float32)
    session = runtime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (wanted,) = session.run(None, {session.get_inputs()[0].name: image})
    run = numba.run(model.graph, weights_of(model), image.ravel().tolist(), threads=1)
    found = np.asarray(next(iter(run.outputs.values())).values)
    assert np.abs(found - wanted.ravel()).max() <= 1e-4 * np.abs(wanted).max()
