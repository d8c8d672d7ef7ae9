"""`convcalc convert`: what is written, what is refused, and that nothing is half done."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner

import convcalc as package
from convcalc.cli import main
from convcalc.formats.convert import FORMATS
from convcalc.weights.files import open_weights
from convcalc.weights.load import random_weights
from tests.formats.spec.networks import described

DIGIT = "tests/data/digits/7_0.png"
NET = """name: net
input: [2, 9, 11]
layers:
  - conv: {name: first, filters: 3, kernel: [3, 5], padding: [[1, 0], [2, 1]]}
  - unknown: {name: odd, op: Einsum, shape: [3, 4, 6]}
  - flatten
  - dense: 5
"""


SMALL = """name: small
input: [2, 9, 11]
layers:
  - conv: {filters: 3, kernel: [3, 5], padding: [[1, 0], [2, 1]], bias: false}
  - batchnorm
  - relu
  - parameter: {name: offset, shape: [3, 8, 10], initial: 0.25}
  - add: {from: [relu1, offset]}
  - flatten
  - dense: 5
"""


class Done(NamedTuple):
    """A command that ran: its exit code and what it printed."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def convcalc() -> Callable[..., Done]:
    """Run `convcalc` with arguments in this process: a process for each of them would take most of the time."""

    def run(*arguments: object) -> Done:
        result = CliRunner().invoke(main, [str(argument) for argument in arguments], prog_name="convcalc")
        return Done(result.exit_code, result.stdout, result.stderr)

    return run


def test_a_spec_and_its_weights_side_by_side(convcalc, tmp_path: Path) -> None:
    done = convcalc("convert", "lenet5", "-o", tmp_path / "mine.yaml")
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(os.listdir(tmp_path)) == ["mine.safetensors", "mine.yaml"]
    for backend in ("reference",):
        before, after = (
            json.loads(convcalc("forward", arch, DIGIT, "--backend", backend, "--format", "json").stdout)[
                "output"
            ]["values"]
            for arch in ("lenet5", str(tmp_path / "mine.yaml"))
        )
        assert after == before
    graphs = [package.load(arch).graph for arch in ("lenet5", tmp_path / "mine.yaml")]
    assert described(graphs[1]) == described(graphs[0])


def test_the_report_as_json(convcalc, tmp_path: Path) -> None:
    target = str(tmp_path / "a.npz")
    value = json.loads(convcalc("convert", "lenet5", "-o", target, "--format", "json").stdout)
    assert list(value) == [
        "source", "target", "format", "name", "conventions", "layers", "params", "weights", "opset", "unknown", "notes",
        "files",
    ]  # fmt: skip
    del value["conventions"]
    assert value == {
        "source": "lenet5",
        "target": target,
        "format": "npz",
        "name": "lenet5",
        "layers": 13,
        "params": 61706,
        "weights": {"source": "file", "path": "lenet5.safetensors", "seed": None},
        "opset": None,
        "unknown": [],
        "notes": [],
        "files": [target],
    }


@pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
def test_random_weights_are_those_that_forward_draws(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "net.yaml").write_text(SMALL)
    net = package.load(tmp_path / "net.yaml")
    found = net.convert(tmp_path / f"weights{suffix}", seed=3)
    assert found.to_dict()["weights"] == {"source": "random", "path": None, "seed": 3}
    assert "random, seed 3" in str(found)
    tensors = open_weights(tmp_path / f"weights{suffix}")
    drawn = random_weights(net.graph, 3)
    keys = set()
    for node, values in zip(net.graph, drawn.nodes, strict=True):
        for parameter in node.parameters:
            key = f"{node.name}.{parameter.name}".rstrip(".")
            keys.add(key)
            assert tensors[key].shape == parameter.shape
            assert tensors[key].values() == values[parameter.name]
    assert tensors.keys() == keys


def test_numpy_reads_the_npz(tmp_path: Path) -> None:
    numpy = pytest.importorskip("numpy")
    package.load("lenet5").convert(tmp_path / "a.npz")
    with numpy.load(tmp_path / "a.npz") as arrays:
        kernel = arrays["conv1.weight"]
    stored = open_weights("architectures/lenet5.safetensors")["conv1.weight"]
    assert kernel.dtype == numpy.float32
    assert kernel.shape == stored.shape == (6, 1, 5, 5)
    assert kernel.ravel().tolist() == list(stored.values())


def test_types_stay_as_they_are(tmp_path: Path) -> None:
    numpy = pytest.importorskip("numpy")
    spec = tmp_path / "one.yaml"
    spec.write_text("name: one\ninput: [3, 4, 5]\nlayers: [{conv: {filters: 2, kernel: 1}}]\n")
    kernel = numpy.arange(6, dtype=numpy.float16).reshape(2, 3, 1, 1)
    numpy.savez(tmp_path / "given.npz", **{"conv1.weight": kernel, "conv1.bias": numpy.array([0.5, -1.0])})
    package.load(spec).convert(tmp_path / "out.safetensors", weights=tmp_path / "given.npz")
    tensors = open_weights(tmp_path / "out.safetensors")
    assert {name: tensor.dtype for name, tensor in tensors.items()} == {
        "conv1.weight": "F16",
        "conv1.bias": "F64",
    }
    assert list(tensors["conv1.weight"].values()) == [0, 1, 2, 3, 4, 5]


def test_a_changed_network_leaves_what_no_longer_holds(tmp_path: Path) -> None:
    changed = package.load("torchvision/resnet18", settings={"classes": 7}, input_shape=(3, 64, 96))
    changed.convert(tmp_path / "small.yaml")
    again = package.load(tmp_path / "small.yaml")
    assert described(again.graph) == described(changed.graph)
    assert again.graph.labels is again.graph.weights is None
    assert again.graph.published == {}
    assert again.graph.preprocess == changed.graph.preprocess
    kept = package.load("torchvision/resnet18")
    kept.convert(tmp_path / "same.yaml")
    same = package.load(tmp_path / "same.yaml").graph
    assert (same.weights, same.labels, same.published) == (
        kept.graph.weights, kept.graph.labels, kept.graph.published,
    )  # fmt: skip


def test_existing_files_stay_without_force(convcalc, tmp_path: Path) -> None:
    target, beside = tmp_path / "a.yaml", tmp_path / "a.safetensors"
    beside.write_text("mine")
    done = convcalc("convert", "lenet5", "-o", target)
    assert (done.returncode, os.listdir(tmp_path)) == (2, ["a.safetensors"])
    assert done.stderr == f"Error: {beside} exists already\n    --force replaces it, or name another file\n"
    assert convcalc("convert", "lenet5", "-o", target, "--no-weights").returncode == 0
    assert beside.read_text() == "mine"
    assert "exists already" in convcalc("convert", "lenet5", "-o", target, "--no-weights").stderr
    target.chmod(0o640)
    assert convcalc("convert", "lenet5", "-o", target, "--force").returncode == 0
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert len(open_weights(beside)) == 10
    assert len(os.listdir(tmp_path)) == 2


def test_both_files_are_written_or_neither(convcalc, tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").mkdir()
    done = convcalc("convert", "lenet5", "-o", tmp_path / "a.yaml", "--force")
    assert done.returncode == 1
    assert os.listdir(tmp_path) == ["a.safetensors"]
    short = tmp_path / "short.safetensors"
    short.write_bytes(b"\0" * 9)
    done = convcalc("convert", "lenet5", "-o", tmp_path / "b.yaml", "--weights", short)
    assert done.returncode == 1
    assert sorted(os.listdir(tmp_path)) == ["a.safetensors", "short.safetensors"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (
            ("-o", "net.foo"),
            2,
            "convert does not write .foo\n    name a file that ends in .yaml, .py, .onnx, .safetensors, .npz",
        ),
        (("-o", "net"), 2, "convert does not write a file without a suffix"),
        ((), 2, "Missing option '-o' / '--output'"),
        (("-o", "net.npz", "--no-weights"), 2, "--no-weights leaves nothing to write"),
        (("-o", "net.yaml", "--no-weights", "--weights", "a.npz"), 2, "contradict each other"),
        (("-o", "nowhere/net.yaml"), 1, "No such file or directory"),
        (("-o", "net.yaml", "--weights", "nowhere.npz"), 1, "nowhere.npz: "),
        (("-o", "net.yaml", "--set", "clases=7"), 2, "clases"),
    ],
)
def test_what_is_refused(convcalc, arguments: tuple[str, ...], code: int, said: str) -> None:
    done = convcalc("convert", "torchvision/resnet18", *arguments)
    assert done.returncode == code
    assert said in done.stderr
    assert not [name for name in ("net.foo", "net", "net.npz", "net.yaml") if os.path.exists(name)]


def test_unknown_layers_convert_to_yaml_only(convcalc, tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(NET)
    done = convcalc("convert", tmp_path / "net.yaml", "-o", tmp_path / "out.yaml", "--format", "json")
    value = json.loads(done.stdout)
    assert value["unknown"] == [{"name": "odd", "op": "Einsum", "shape": [3, 4, 6]}]
    assert (tmp_path / "out.yaml").read_text() == NET
    for suffix in FORMATS.keys() - {".yaml"}:
        done = convcalc("convert", tmp_path / "net.yaml", "-o", tmp_path / f"out{suffix}")
        assert (done.returncode, "odd (Einsum)" in done.stderr) == (1, True)


def test_a_screen(convcalc, tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(
        NET.replace("  - unknown: {name: odd, op: Einsum, shape: [3, 4, 6]}\n", "")
    )
    done = convcalc("convert", tmp_path / "net.yaml", "-o", tmp_path / "w.npz")
    lines = done.stdout.replace(f"{tmp_path}/", "").splitlines()
    # (3·2·15 + 3) + (3·8·10·5 + 5) = 93 + 1,205
    assert lines[0] == "net, input 2×9×11  3 layers, 1,298 params"
    assert lines[1].split() == ["file", "holds", "size"]
    assert "weights, 4 tensors" in lines[3]
    assert lines[4] == "weights: random, seed 0; nothing has been learned"


def test_pytorch_source_has_its_weights_beside_it(convcalc, tmp_path: Path) -> None:
    done = convcalc("convert", "lenet5", "-o", tmp_path / "net.py", "--format", "json")
    assert done.returncode == 0
    report = json.loads(done.stdout)
    assert report["format"] == "pytorch"
    assert [Path(file).name for file in report["files"]] == ["net.py", "net.safetensors"]
    text = (tmp_path / "net.py").read_text("utf-8")
    assert 'load_state_dict(safetensors.torch.load_file("net.safetensors"))' in text
    assert "class LeNet5(nn.Module):" in text
    bare = convcalc("convert", "lenet5", "-o", tmp_path / "bare.py", "--no-weights")
    assert bare.returncode == 0
    assert sorted(os.listdir(tmp_path)) == ["bare.py", "net.py", "net.safetensors"]
    assert "safetensors" not in (tmp_path / "bare.py").read_text("utf-8")


def test_weights_beside_pytorch_source_have_the_paths_as_keys(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(
        "input: [9, 8]\nlayers:\n"
        "  - attention: {name: mixer, heads: 2, keys: {in_proj_weight: qkv.weight, out_proj.bias: proj.bias}}\n"
        "  - dense: {name: head, units: 3, axis: last, keys: classifier}\n"
    )
    package.load(tmp_path / "spec.yaml").convert(tmp_path / "net.py", weights="random")
    assert sorted(tensor_names(tmp_path / "net.safetensors")) == [
        "head.bias", "head.weight", "mixer.in_proj_bias", "mixer.in_proj_weight", "mixer.out_proj.bias",
        "mixer.out_proj.weight",
    ]  # fmt: skip


def tensor_names(path: Path) -> list[str]:
    from convcalc.weights import safetensors

    return list(safetensors.read(str(path)))


def test_what_is_converted_is_not_replaced(convcalc, tmp_path):
    """Not even with --force: a spec would lose its comments, a module its code."""
    spec = tmp_path / "net.yaml"
    spec.write_text("# mine\ninput: [2, 5, 4]\nlayers: [relu]\n")
    link = tmp_path / "link.yaml"
    link.symlink_to(spec)
    for target in (spec, link):
        done = convcalc("convert", spec, "-o", target, "--force")
        assert done.returncode == 2
        assert f"{target} is what is converted" in done.stderr
    assert spec.read_text().startswith("# mine")
