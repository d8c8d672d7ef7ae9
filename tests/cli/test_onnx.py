"""ONNX files as ARCH: what each command does with one, its own weights, and what is said where something is missing."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import convcalc as package
from convcalc.cli.completion import architectures
from convcalc.errors import ModelError, UsageError
from tests.cli.test_completion import offered
from tests.conftest import ROOT
from tests.formats.onnx import messages as m

PICTURE = str(ROOT / "tests" / "data" / "chelsea.png")
MODELS = [[1, 3, 20, 26], ["batch", 3, "height", "width"]]


def classifier(shape: list[int | str], classes: int = 5) -> onnx.ModelProto:
    """Convolution (4 filters of 3×2, stride 2×1, padding on three sides), relu, mean, dense, named as PyTorch names
    modules."""
    random = np.random.default_rng(3)
    tensors = {
        "stem.conv.weight": random.normal(0, 0.3, (4, 3, 3, 2)),
        "stem.conv.bias": random.normal(0, 0.3, 4),
        "head.weight": random.normal(0, 1, (classes, 4)),
        "head.bias": random.normal(0, 1, classes),
    }
    nodes = [
        helper.make_node(
            "Conv", ["pixels", "stem.conv.weight", "stem.conv.bias"], ["c"], name="/stem/conv/Conv", strides=[2, 1],
            pads=[0, 1, 2, 0],
        ),
        helper.make_node("Relu", ["c"], ["r"], name="/stem/act/Relu"),
        helper.make_node("GlobalAveragePool", ["r"], ["p"], name="/pool/GlobalAveragePool"),
        helper.make_node("Flatten", ["p"], ["f"], name="/Flatten"),
        helper.make_node("Gemm", ["f", "head.weight", "head.bias"], ["scores"], name="/head/Gemm", transB=1),
    ]  # fmt: skip
    graph = helper.make_graph(
        nodes,
        "main",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [shape[0], classes])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in tensors.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return model


@pytest.fixture
def fixed(tmp_path: Path) -> str:
    onnx.save(classifier(MODELS[0]), tmp_path / "fixed.onnx")
    return str(tmp_path / "fixed.onnx")


@pytest.fixture
def free(tmp_path: Path) -> str:
    onnx.save(classifier(MODELS[1]), tmp_path / "free.onnx")
    return str(tmp_path / "free.onnx")


@pytest.fixture
def outside(tmp_path: Path) -> str:
    """A model whose weights lie in a file beside it."""
    path = tmp_path / "outside.onnx"
    onnx.save(
        classifier(MODELS[0]),
        path,
        save_as_external_data=True,
        location="outside.onnx.data",
        size_threshold=0,
    )
    return str(path)


MACS = 4 * 3 * 3 * 2 * 10 * 26 + 4 * 5  # 20 rows in steps of 2, 26 columns with one of padding


def answer(convcalc, *arguments: object) -> dict:
    done = convcalc(*arguments, "--format", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_show(convcalc, fixed: str) -> None:
    value = answer(convcalc, "show", fixed)
    assert (value["name"], value["input"], value["totals"]["macs"]) == ("fixed", [3, 20, 26], MACS)
    assert value["totals"]["params"] == 4 * 18 + 4 + 5 * 4 + 5
    assert [layer["name"] for layer in value["layers"]][:1] == ["stem.conv"]
    assert value["layers"][-1]["name"] == "head"
    assert value["inputs"] == [{"name": "pixels", "shape": [3, 20, 26]}]
    assert value["outputs"] == [{"name": "scores", "layer": "head", "shape": [5]}]


@pytest.mark.parametrize("given", ["3x20x26", "20x26", "pixels=3x20x26"])
def test_free_sizes_come_from_input(convcalc, free: str, given: str) -> None:
    value = answer(convcalc, "show", free, "--input", given)
    assert (value["input"], value["totals"]["macs"]) == ([3, 20, 26], MACS)


def test_free_sizes_need_input(convcalc, free: str) -> None:
    done = convcalc("show", free)
    assert (done.returncode, done.stdout) == (2, "")
    assert "'pixels' has free dimensions" in done.stderr
    assert "--input 3x" in done.stderr


def test_random_weights_are_not_compared(convcalc, fixed: str) -> None:
    done = convcalc("diff", fixed, fixed, "--values", "--weights-b", "random")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--weights-b random: random numbers are nothing to compare" in done.stderr


@pytest.fixture
def unshaped(tmp_path: Path) -> str:
    """A model whose input has a type and no shape, not even a number of dimensions."""
    model = classifier(MODELS[0])
    model.graph.input[0].type.tensor_type.ClearField("shape")
    onnx.save(model, tmp_path / "unshaped.onnx")
    return str(tmp_path / "unshaped.onnx")


@pytest.mark.parametrize("given", ["3x20x26", "1x3x20x26", "pixels=3x20x26"])
def test_an_input_without_a_shape_takes_the_given_one(convcalc, unshaped: str, given: str) -> None:
    value = answer(convcalc, "show", unshaped, "--input", given)
    assert (value["input"], value["totals"]["macs"]) == ([3, 20, 26], MACS)


def test_an_input_without_a_shape_needs_one(convcalc, unshaped: str) -> None:
    done = convcalc("show", unshaped)
    assert (done.returncode, done.stdout) == (2, "")
    assert "'pixels' has no known shape" in done.stderr
    assert "--input 3x224x224" in done.stderr


@pytest.mark.parametrize("nodes", [[], [helper.make_node("Identity", ["x"], ["y"])]])
@pytest.mark.parametrize("command", [("show",), ("field",), ("forward",)])
def test_a_model_without_layers(convcalc, tmp_path: Path, command: tuple[str], nodes: list) -> None:
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 5, 7])
    last = helper.make_tensor_value_info("y" if nodes else "x", TensorProto.FLOAT, [1, 3, 5, 7])
    onnx.save(helper.make_model(helper.make_graph(nodes, "none", [value], [last])), tmp_path / "none.onnx")
    picture = [PICTURE] if command == ("forward",) else []
    done = convcalc(*command, str(tmp_path / "none.onnx"), *picture)
    assert (done.returncode, done.stdout) == (1, "")
    assert "none.onnx: the model has no layers: it returns its input" in done.stderr


def test_another_input_than_the_file_says(convcalc, fixed: str) -> None:
    assert answer(convcalc, "show", fixed, "--input", "3x40x26")["totals"]["macs"] == 2 * (MACS - 20) + 20


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("image=3x20x26", "no input 'image'"),
        ("pixel=3x20x26", "did you mean 'pixels'"),
        ("3x20x26x9x1", "needs channels and 1 to 3 sizes"),
        ("a few", "needs sizes"),
    ],
)
def test_inputs_that_do_not_fit(convcalc, fixed: str, given: str, told: str) -> None:
    done = convcalc("show", fixed, "--input", given)
    assert done.returncode == 2
    assert told in done.stderr


def test_batch(convcalc, fixed: str) -> None:
    figures = [
        answer(convcalc, "show", fixed, "--batch", n)["totals"]["activation_bytes"] for n in ("1", "7")
    ]
    assert figures[1] == 7 * figures[0]


def test_settings_are_of_specs(convcalc, fixed: str) -> None:
    done = convcalc("show", fixed, "--set", "classes=10")
    assert done.returncode == 2
    assert "--set changes the vars of a spec" in done.stderr
    assert "convcalc convert" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("show", "{}", "--explain", "--layer", "stem.conv"),
        ("show", "{}", "--columns", "layer,macs", "--depth", "1"),
        ("diff", "lenet5", "{}"),
        ("field", "{}", "--layer", "stem.conv"),
        ("field", "{}", "--pixel", "3,4"),
        ("matrix", "{}", "stem.conv"),
        ("worksheet", "{}", "--seed", "3", "--amount", "4"),
    ],
    ids=" ".join,
)
def test_commands(convcalc, fixed: str, arguments: tuple[str, ...]) -> None:
    done = convcalc(*(argument.format(fixed) for argument in arguments))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_reconcile(convcalc, fixed: str) -> None:
    done = convcalc("show", fixed, "--reconcile", f"{2 * MACS} FLOPs")
    assert done.returncode == 0, done.stderr
    assert f"{2 * MACS:,}" in done.stdout


def test_a_worksheet_of_a_model_is_marked(convcalc, fixed: str, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.csv"
    key = convcalc("worksheet", fixed, "--answers", "--format", "csv").stdout
    sheet.write_text(key)
    done = convcalc("worksheet", fixed, "--check", str(sheet), "--format", "json")
    assert done.returncode == 0, done.stderr


def test_a_model_equals_itself(convcalc, fixed: str, outside: str) -> None:
    """The same weights, in the file and beside it."""
    done = convcalc("diff", fixed, outside, "--values", "--exit-code")
    assert done.returncode == 0, done.stdout + done.stderr
    value = answer(convcalc, "diff", fixed, outside, "--values")
    assert {row["status"] for row in value["rows"]} == {"same"}


# --- forward -----------------------------------------------------------------------------------------------------


def expected(path: str, x: np.ndarray) -> np.ndarray:
    return onnxruntime.InferenceSession(path).run(None, {"pixels": x[None]})[0][0]


@pytest.mark.parametrize("which", ["fixed", "outside"])
def test_forward_takes_the_models_own_weights(request: pytest.FixtureRequest, which: str) -> None:
    path = request.getfixturevalue(which)
    x = np.random.default_rng(8).normal(size=(3, 20, 26)).astype(np.float32)
    for backend in ("reference", "numba"):
        result = package.load(path).forward(x, backend=backend)
        assert (result.weights.source, result.weights.path) == ("model", path)
        np.testing.assert_allclose(result.outputs["scores"], expected(path, x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("code", [TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE], ids=str)
def test_weights_of_other_floats(tmp_path: Path, code: int) -> None:
    """A model of halves or doubles computes with its weights as they are, here in 32-bit floats."""
    model = classifier(MODELS[0])
    dtype = helper.tensor_dtype_to_np_dtype(code)
    rounded = classifier(MODELS[0])
    for tensor, other in zip(model.graph.initializer, rounded.graph.initializer, strict=True):
        values = numpy_helper.to_array(tensor).astype(dtype)
        other.CopyFrom(numpy_helper.from_array(values.astype(np.float32), tensor.name))
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = code
    onnx.save(model, tmp_path / "net.onnx")
    onnx.save(rounded, tmp_path / "rounded.onnx")
    x = np.random.default_rng(8).normal(size=(3, 20, 26)).astype(np.float32)
    result = package.load(tmp_path / "net.onnx").forward(x, backend="reference")
    assert result.graph.nodes[0].name == "stem.conv"
    wanted = expected(str(tmp_path / "rounded.onnx"), x)
    np.testing.assert_allclose(result.outputs["scores"], wanted, rtol=1e-5, atol=1e-6)


def test_forward_on_a_picture(convcalc, fixed: str) -> None:
    """Resized to exactly the input, 0 to 1; stderr says so. Pillow's resizing is the oracle."""
    from PIL import Image

    done = convcalc("forward", fixed, PICTURE, "--format", "json", "--backend", "reference")
    assert done.returncode == 0
    assert "resized to the input, values 0 to 1" in done.stderr
    assert "--like" in done.stderr
    value = json.loads(done.stdout)
    assert value["weights"] == {"source": "model", "path": fixed, "seed": None, "ignored": []}
    image = Image.open(PICTURE).convert("RGB").resize((26, 20), Image.Resampling.BILINEAR)
    x = np.asarray(image, np.float32).transpose(2, 0, 1) / 255
    np.testing.assert_allclose(value["output"]["values"], expected(fixed, x), rtol=1e-5, atol=1e-6)


def test_forward_names_the_weights(convcalc, fixed: str) -> None:
    shown = convcalc("forward", fixed, PICTURE).stdout
    assert f"weights of the model ({fixed})" in shown
    assert "--like ARCH" in shown


def test_forward_on_several_pictures(convcalc, fixed: str) -> None:
    done = convcalc("forward", fixed, PICTURE, PICTURE, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert len(rows) == 2
    assert done.stderr.count("resized to the input") == 1


def test_an_array_is_not_resized(convcalc, fixed: str, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((3, 20, 26), np.float32))
    done = convcalc("forward", fixed, str(tmp_path / "x.npy"))
    assert (done.returncode, done.stderr) == (0, "")


def test_other_weights_override_the_models(convcalc, fixed: str, tmp_path: Path) -> None:
    shown = convcalc("forward", fixed, PICTURE, "--weights", "random", "--seed", "4").stdout
    assert "random weights (He initialisation, seed 4)" in shown
    tensors = {t.name: numpy_helper.to_array(t) * 0 for t in classifier(MODELS[0]).graph.initializer}
    np.savez(tmp_path / "w.npz", **tensors)
    value = answer(convcalc, "forward", fixed, PICTURE, "--weights", str(tmp_path / "w.npz"))
    assert (value["weights"]["source"], value["output"]["values"]) == ("file", [0.0] * 5)


LIKE = """
name: like
input: [3, 8, 8]
preprocess: {resize: 24, crop: 20, mean: [0.4, 0.5, 0.6], std: [0.2, 0.3, 0.4]}
labels: [ant, bee, cat, dog, elk]
layers: [{conv: {filters: 5, kernel: 8}}, flatten, softmax]
"""


def test_like_takes_labels_and_preprocess(convcalc, tmp_path: Path) -> None:
    onnx.save(classifier([1, 3, 20, 20]), tmp_path / "net.onnx")
    path = str(tmp_path / "net.onnx")
    (tmp_path / "like.yaml").write_text(LIKE)
    done = convcalc("forward", path, PICTURE, "--like", str(tmp_path / "like.yaml"), "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    value = json.loads(done.stdout)
    from PIL import Image

    image = Image.open(PICTURE).convert("RGB")  # 451×300: the shorter side becomes 24
    image = image.resize((int(24 * 451 / 300), 24), Image.Resampling.BILINEAR)
    left = round((image.width - 20) / 2)
    x = np.asarray(image.crop((left, 2, left + 20, 22)), np.float32).transpose(2, 0, 1) / 255
    x = ((x - np.array([0.4, 0.5, 0.6])[:, None, None]) / np.array([0.2, 0.3, 0.4])[:, None, None]).astype(
        np.float32
    )
    scores = expected(path, x)
    np.testing.assert_allclose(value["output"]["values"], scores, rtol=1e-4, atol=1e-5)
    assert value["top"][0]["label"] == ["ant", "bee", "cat", "dog", "elk"][int(scores.argmax())]


def test_labels_for_other_classes_are_left_out(convcalc, fixed: str) -> None:
    done = convcalc("forward", fixed, PICTURE, "--like", "torchvision/resnet18")
    assert (done.returncode, done.stderr) == (0, "")
    assert "the labels of torchvision/resnet18 are left out: they are for 1,000 classes" in done.stdout
    assert "%" not in done.stdout


def test_like_needs_a_spec_with_something_to_take(convcalc, fixed: str, tmp_path: Path) -> None:
    (tmp_path / "bare.yaml").write_text("input: [3, 8, 8]\nlayers: [flatten]\n")
    done = convcalc("forward", fixed, PICTURE, "--like", str(tmp_path / "bare.yaml"))
    assert done.returncode == 2
    assert "neither preprocess nor labels" in done.stderr
    done = convcalc("forward", fixed, PICTURE, "--like", "nothing")
    assert done.returncode == 1
    assert "no architecture 'nothing'" in done.stderr


def test_like_from_python(fixed: str) -> None:
    result = package.load(fixed).forward(PICTURE, like="torchvision/resnet18", backend="reference")
    assert any("left out" in note for note in result.notes)


@pytest.mark.parametrize("which", ["fixed", "outside"])
def test_a_converted_model_keeps_its_weights(
    convcalc, request: pytest.FixtureRequest, tmp_path: Path, which: str
) -> None:
    path = request.getfixturevalue(which)
    target = str(tmp_path / "spec.yaml")
    value = answer(convcalc, "convert", path, "-o", target)
    assert (value["source"], value["weights"]["source"], value["weights"]["path"]) == (path, "model", path)
    assert [Path(file).name for file in value["files"]] == ["spec.yaml", "spec.safetensors"]
    x = np.random.default_rng(8).normal(size=(3, 20, 26)).astype(np.float32)
    result = package.load(target).forward(x, backend="reference")
    assert result.weights.source == "bundled"
    np.testing.assert_allclose(result.run.values, expected(path, x), rtol=1e-5, atol=1e-6)


# --- missing data ------------------------------------------------------------------------------------------------


def test_a_missing_file_of_weights(convcalc, outside: str) -> None:
    os.remove(outside + ".data")
    value = answer(convcalc, "show", outside)
    assert value["totals"]["params"] == 4 * 18 + 4 + 5 * 4 + 5
    assert "outside.onnx.data is missing" in " ".join(value["notes"])
    for arguments in (("forward", outside, PICTURE), ("diff", outside, outside, "--values")):
        done = convcalc(*arguments)
        assert (done.returncode, done.stdout) == (1, "")
        assert "outside.onnx.data" in done.stderr
    done = convcalc("forward", outside, PICTURE, "--weights", "random")
    assert done.returncode == 0


def test_stripped_weights(convcalc, tmp_path: Path) -> None:
    model = classifier(MODELS[0])
    for tensor in model.graph.initializer:
        tensor.ClearField("raw_data")
    (tmp_path / "bare.onnx").write_bytes(model.SerializeToString())
    path = str(tmp_path / "bare.onnx")
    assert answer(convcalc, "show", path)["totals"]["macs"] == MACS
    done = convcalc("forward", path, PICTURE)
    assert (done.returncode, done.stdout) == (1, "")
    assert "taken out of the file" in done.stderr


def test_weights_are_read_when_they_are_needed(outside: str) -> None:
    network = package.load(outside)
    shutil.move(outside + ".data", outside + ".gone")
    assert network.totals.macs == MACS
    with pytest.raises(ModelError, match="is missing"):
        network.forward(np.zeros((3, 20, 26), np.float32), backend="reference")


# --- names and errors ----------------------------------------------------------------------------------------------


def test_a_missing_model(convcalc) -> None:
    done = convcalc("show", "nowhere.onnx")
    assert (done.returncode, done.stdout) == (1, "")
    assert "nowhere.onnx: there is no such file" in done.stderr


def test_standard_input_is_a_spec(convcalc, fixed: str) -> None:
    done = convcalc("show", "-", stdin="input: [3, 8, 8]\nlayers: [flatten]\n")
    assert done.returncode == 0


@pytest.mark.parametrize(
    "spec",
    [
        "extends: {}\n",
        "input: [3, 20, 26]\nlayers:\n  - network: {{name: backbone, arch: {}}}\n",
    ],
)
def test_a_spec_that_names_a_model_is_told_to_convert_it(
    convcalc, fixed: str, tmp_path: Path, spec: str
) -> None:
    (tmp_path / "spec.yaml").write_text(spec.format("fixed.onnx"))
    done = convcalc("show", str(tmp_path / "spec.yaml"))
    assert done.returncode == 1
    assert "convcalc convert fixed.onnx -o net.yaml" in done.stderr


def test_max_layers(convcalc, fixed: str) -> None:
    done = convcalc("show", fixed, "--max-layers", "3")
    assert (done.returncode, done.stdout) == (1, "")
    assert "--max-layers raises the limit" in done.stderr


def test_a_broken_model_is_one_error(convcalc, tmp_path: Path) -> None:
    (tmp_path / "cut.onnx").write_bytes(classifier(MODELS[0]).SerializeToString()[:200])
    done = convcalc("show", str(tmp_path / "cut.onnx"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: ")
    assert "cut short" in done.stderr
    assert len(done.stderr.splitlines()) == 2


def test_a_shape_error_of_a_model_names_the_node(convcalc, tmp_path: Path) -> None:
    relu = m.node("Add", ["x", "w"], ["y"], name="/block/Add")
    (tmp_path / "odd.onnx").write_bytes(m.chain(relu, tensors=[m.floats("w", [3], [1, 2, 3])]))
    done = convcalc("show", str(tmp_path / "odd.onnx"))
    assert done.returncode == 1
    assert "odd.onnx" in done.stderr
    assert "Add '/block/Add'" in done.stderr


def test_completion_offers_model_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("mine.onnx", "mine.yaml", "mine.txt"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    assert [item.value for item in architectures("min")] == ["mine.onnx", "mine.yaml"]


def test_layers_of_a_model_are_completed(convcalc, fixed: str) -> None:
    assert offered(convcalc, f"convcalc show {fixed} --layer stem.c") == ["stem.conv"]
    assert offered(convcalc, f"convcalc show {fixed} --set ") == []


def test_python_loads_paths(fixed: str) -> None:
    network = package.load(Path(fixed), input_shape=(3, 20, 26), batch=2)
    assert network.totals.macs == MACS
    with pytest.raises(UsageError):
        package.load(fixed, settings={"classes": 3})


def test_dropping_a_file_the_wrong_way_round(convcalc, fixed: str) -> None:
    done = convcalc("forward", PICTURE, fixed)
    assert done.returncode == 0
