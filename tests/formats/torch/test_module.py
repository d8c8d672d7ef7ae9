"""What ARCH means where it names a PyTorch module, and what is said without PyTorch, which these tests do not need."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

import convcalc
from convcalc.language.bundled import is_model, module_parts

MODULE = """
import sys
print("loaded")
sys.exit("run")
"""


@pytest.mark.parametrize(
    ("arch", "parts"),
    [
        ("mynet.py:Net", ("mynet.py", "Net")),
        ("./nets/my net.py:Net", ("./nets/my net.py", "Net")),
        ("C:\\nets\\mynet.py:Net", ("C:\\nets\\mynet.py", "Net")),
        ("mynet.py:nets.small", ("mynet.py", "nets.small")),
        ("torchvision.models:resnet50", ("torchvision.models", "resnet50")),
        ("mypackage:net", ("mypackage", "net")),
        ("C:\\net.yaml", None),
        ("C:net", None),
        ("C:/net.onnx", None),
        ("mynet.py", None),
        ("mynet.py:", None),
        ("mynet.py:3", None),
        ("mynet.py:Net()", None),
        (":Net", None),
        ("a b:Net", None),
        ("folder/with:colon/net.yaml", None),
        ("torchvision/resnet50", None),
        ("resnet50", None),
        ("-", None),
    ],
)
def test_modules_by_their_form(arch: str, parts: tuple[str, str] | None) -> None:
    assert module_parts(arch) == parts
    assert is_model(arch) == (parts is not None or arch.endswith(".onnx"))


def test_a_file_that_is_there_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net:small").write_text("name: net\ninput: [3, 4, 5]\nlayers: [relu]\n")
    assert module_parts("net:small") is None


def test_without_an_input_nothing_runs(convcalc, tmp_path: Path) -> None:
    (tmp_path / "mynet.py").write_text(MODULE)
    done = convcalc("show", f"{tmp_path}/mynet.py:Net")
    assert (done.returncode, done.stdout) == (2, "")
    assert "is a PyTorch module, which does not tell the shape of its input" in done.stderr
    assert "--input 3x224x224" in done.stderr
    assert "loaded" not in done.stderr


@pytest.mark.parametrize("shape", ["224x224x3", "3x", "0x3x3"])
def test_a_wrong_shape_runs_nothing(convcalc, tmp_path: Path, shape: str) -> None:
    (tmp_path / "mynet.py").write_text(MODULE)
    done = convcalc("show", f"{tmp_path}/mynet.py:Net", "--input", shape)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"--input {shape}" in done.stderr


def test_modules_have_no_variables(convcalc) -> None:
    done = convcalc("show", "mynet.py:Net", "--input", "3x8x8", "--set", "width=2")
    assert done.returncode == 2
    assert "mynet.py:Net is a PyTorch module, and --set changes the vars of a spec" in done.stderr


@pytest.mark.parametrize("arch", ["mynet.py:Net", "torchvision.models:resnet50"])
def test_without_pytorch_the_command_that_installs_it(arch: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(convcalc.ConvcalcError, match="which this Python does not have") as raised:
        convcalc.load(arch, input_shape="3x8x9")
    assert raised.value.exit_code == 1
    assert "pip install torch" in str(raised.value)


def test_from_torch_without_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(convcalc.ConvcalcError, match="which this Python does not have"):
        convcalc.from_torch(object(), (3, 8, 9))


@pytest.mark.parametrize("shape", [(3, 0, 5), (3, 4.5, 5), [(1, 5, 5), (1, -1, 5)], {"left": ("3", 4, 5)}])
def test_shapes_are_whole_numbers(shape: object) -> None:
    with pytest.raises(convcalc.UsageError, match="shape"):
        convcalc.from_torch(object(), shape)  # type: ignore[arg-type]


def test_extends_takes_no_module(convcalc, tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text("extends: mynet.py:Net\nname: net\n")
    done = convcalc("show", f"{tmp_path}/net.yaml")
    assert done.returncode == 1
    assert "mynet.py:Net" in done.stderr


def test_completion_runs_nobodys_code(tmp_path: Path) -> None:
    import click

    from convcalc.cli import completion, main

    (tmp_path / "mynet.py").write_text("raise SystemExit('run')")
    command = main.get_command(click.Context(main), "field")
    assert command is not None
    context = click.Context(command)
    context.params = {"arch": f"{tmp_path}/mynet.py:Net", "input_text": "3x8x8"}
    assert completion.layers(context, command.params[0], "c") == []
