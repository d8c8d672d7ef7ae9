"""PyTorch source as text: it compiles, imports PyTorch alone, is formatted, and reads as a person would write it.

What it computes is compared with our own forward pass by tests/torchvision/source.py, which needs PyTorch.
"""

from __future__ import annotations

import ast
import keyword
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from convcalc import ops
from convcalc.formats.torch.source.flat import Flat
from convcalc.formats.torch.source.forms import FORMS, REFUSED, form
from convcalc.formats.torch.source.helpers import HELPERS
from convcalc.formats.torch.source.site import InexpressibleError, Site, source_of
from convcalc.formats.torch.source.symbols import difference, replaced
from convcalc.formats.torch.source.text import class_source, flat_source, network_name, source
from convcalc.graph import Graph
from convcalc.language.load import load_graph, load_text

TESTS = Path(__file__).parents[2]
GOLDEN = TESTS / "golden" / "pytorch"
WIDTH = 110

# One of each family, and networks with several inputs, several outputs, shared weights or wiring of their own.
NETWORKS = (
    "lenet5", "lenet5-paper", "torchvision/vgg16", "torchvision/resnet50", "torchvision/densenet121",
    "torchvision/googlenet", "torchvision/inception_v3", "torchvision/mobilenet_v2", "torchvision/mobilenet_v3_small",
    "torchvision/efficientnet_b0", "torchvision/shufflenet_v2_x0_5", "torchvision/squeezenet1_1",
    "torchvision/convnext_tiny", "torchvision/regnet_y_400mf", "torchvision/vit_b_16", "torchvision/swin_t",
    "torchvision/r2plus1d_18", "torchvision/fcn_resnet50", "unet", "siamese", "ssd300_vgg16", "mlp-mixer-b16",
)  # fmt: skip
FORM_SPECS = (TESTS / "data" / "pytorch_forms.yaml").read_text(encoding="utf-8").split("---\n")


@cache
def graph_of(name: str) -> Graph:
    return load_graph(name)


@cache
def source_for(name: str) -> str:
    return source(graph_of(name))


def modules_of(text: str) -> list[ast.ClassDef]:
    return [node for node in ast.parse(text).body if isinstance(node, ast.ClassDef)]


def check_text(text: str, *, unused: bool = False) -> None:
    """What holds for every source. unused: whether attributes may be there for their weights alone."""
    tree = ast.parse(text)
    compile(text, "net.py", "exec")
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module or "")
    assert imported <= {"torch", "torch.nn", "collections"}
    assert max(map(len, text.splitlines())) <= WIDTH
    for made in modules_of(text):
        check_attributes(made, unused)
    defined = [node.name for node in tree.body if isinstance(node, (ast.ClassDef, ast.FunctionDef))]
    assert len(defined) == len(set(defined))
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert set(defined[:-1]) <= used, "a class or function that nothing uses"


def check_attributes(made: ast.ClassDef, unused: bool) -> None:
    """Every attribute that a class registers is read in it, and the other way round; no variable hides a name."""
    written: set[str] = set()
    read: set[str] = set()
    for node in ast.walk(made):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
            (written if isinstance(node.ctx, ast.Store) else read).add(node.attr)
    inherited = {"_modules", "_parameters", "_buffers", "training", "add_module", "register_parameter"}
    if made.name in HELPERS or any(ast.unparse(base) in HELPERS for base in made.bases):
        return
    buffers = {
        node.args[0].value
        for node in ast.walk(made)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "self.register_buffer"
        and isinstance(node.args[0], ast.Constant)
    }
    assert unused or written - read == set(), f"{made.name} registers what it does not use"
    assert read - written - inherited - {"register_buffer"} <= buffers, f"{made.name} reads what it has not"
    for method in made.body:
        assert isinstance(method, ast.FunctionDef)
        names = {argument.arg for argument in method.args.args}
        names |= {n.id for n in ast.walk(method) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        assert not names & {"torch", "nn", "functional", "range", "super", "OrderedDict"}
        assert not any(keyword.iskeyword(name) for name in names)


@pytest.mark.parametrize("name", NETWORKS)
def test_sources_are_sound(name: str) -> None:
    check_text(source_for(name))


@pytest.mark.parametrize("spec", FORM_SPECS, ids=range(len(FORM_SPECS)))
def test_sources_of_every_form_are_sound(spec: str) -> None:
    graph = load_text(spec)
    check_text(class_source(graph))
    check_text(flat_source(graph), unused=True)


def test_a_formatter_leaves_sources_as_they_are(tmp_path: Path) -> None:
    for name in NETWORKS:
        (tmp_path / f"{name.replace('/', '_').replace('-', '_')}.py").write_text(source_for(name), "utf-8")
        if len(graph_of(name)) < 200:
            flat = flat_source(graph_of(name), "weights of it.safetensors")
            (tmp_path / f"{name.replace('/', '_').replace('-', '_')}_flat.py").write_text(flat, "utf-8")
    for place, spec in enumerate(FORM_SPECS):
        (tmp_path / f"form{place}.py").write_text(source(load_text(spec)), "utf-8")
    (tmp_path / "helpers.py").write_text("\n\n".join(HELPERS.values()), "utf-8")
    options = ["--isolated", "--no-cache", "--line-length", str(WIDTH), "--diff"]
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "format", *options, tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "name",
    ["torchvision/resnet50", "torchvision/vgg16", "torchvision/vit_b_16", "unet"],
    ids=lambda n: n[-8:],
)
def test_sources_worth_keeping(name: str, request: pytest.FixtureRequest) -> None:
    path = GOLDEN / f"{name.rpartition('/')[2]}.py"
    text = source_for(name)
    if request.config.getoption("--update-golden"):
        GOLDEN.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    assert text == path.read_text("utf-8")


def test_every_operator_has_a_form_or_a_reason_for_none() -> None:
    operators = {ops.get(kind) for kind in ops.names()}
    assert set(FORMS) | set(REFUSED) == operators
    assert not set(FORMS) & set(REFUSED)
    used = {node.op.kind for spec in FORM_SPECS for node in load_text(spec)}
    assert {operator.kind for operator in FORMS} - used == set(), "no network of pytorch_forms.yaml has it"


def test_operators_that_pytorch_lacks_are_refused() -> None:
    with pytest.raises(InexpressibleError, match="unknown"):
        form(Site(ops.get("unknown")(op="Einsum", shape=(3, 4)), ((5, 6),)))  # type: ignore[call-arg]
    spec = "input: [2, 3, 4, 5]\nlayers:\n  - upsample: {size: [6, 7, 8], mode: bicubic}\n"
    with pytest.raises(InexpressibleError, match="bicubic mode for 3 spatial dimensions"):
        source(load_text(spec))


# -- names --------------------------------------------------------------------------------------------------------


def test_any_name_becomes_a_class_and_attributes() -> None:
    names = [
        "class",
        "forward",
        "train",
        "x",
        "self",
        "nn",
        "torch",
        "a-b",
        "9lives",
        "None",
        "_private",
        "type",
    ]
    layers = "".join(
        f"  - conv: {{name: {name}, filters: {3 + n}, kernel: 1}}\n" for n, name in enumerate(names)
    )
    text = source(load_text(f"name: </script>\ninput: [2, 5, 6]\nlayers:\n{layers}"))
    check_text(text)
    for name in names:
        assert f'"{name}"' in text or f"self.{name} = " in text
    assert 'self.add_module("class", ' in text
    assert 'self._modules["class"](' in text
    assert 'self.add_module("train", ' in text  # nn.Module has a method of that name
    assert "self.nn = nn.Conv2d" in text


@pytest.mark.parametrize(
    ("name", "title", "made"),
    [
        ("torchvision/resnet50", "ResNet-50 (torchvision)", "ResNet50"),
        ("lenet5", "LeNet-5, as counted in the lecture", "LeNet5"),
        ("mobilenet_v2", None, "MobilenetV2"),
        ("18-layers", None, "Net18Layers"),
        ("été", "Réseau", "Ete"),
        ("☃", None, "Network"),
        ("none", "None", "NetNone"),
        ("scale", None, "ScaleNet"),  # Scale is a helper
        ("net", '"""); import os', "Net"),
    ],
)
def test_the_networks_class(name: str, title: str | None, made: str) -> None:
    from dataclasses import replace

    graph = replace(load_text("input: [2, 5, 6]\nlayers:\n  - relu\n"), name=name, title=title)
    assert network_name(graph) == made
    text = source(graph)
    check_text(text)
    assert modules_of(text)[-1].name == made
    (doc,) = [node for node in ast.parse(text).body if isinstance(node, ast.Expr)]
    assert isinstance(doc.value, ast.Constant)
    assert "0 parameters, 0 multiply-accumulates at 2×5×6." in doc.value.value


# -- what is written ----------------------------------------------------------------------------------------------


def test_a_run_with_another_first_copy_is_a_loop_behind_it() -> None:
    text = class_source(graph_of("torchvision/resnet50"))
    assert "Bottleneck(256, 128, stride=2),\n            *(Bottleneck(512, 128) for _ in range(3)),\n" in text
    assert text.count("nn.ReLU()") == 2  # one a class


def test_stages_of_equal_layers_are_loops_and_others_are_not() -> None:
    layers = [
        layer
        for width, depth in ((8, 2), (16, 1), (24, 3))
        for layer in [f"{{conv: {{filters: {width}, kernel: 3, padding: 1}}}}", "relu"] * depth
        + ["{maxpool: 2}"]
    ]

    def written(lines: list[str]) -> str:
        group = (
            f"layers:\n  - group: {{name: body, naming: index, layers: [{', '.join(lines)}]}}\n  - flatten\n"
        )
        text = source(load_text(f"input: [3, 16, 24]\n{group}"))
        check_text(text)
        return text

    text = written(layers)
    assert "def body(depths=(2, 1, 3), widths=(8, 16, 24)):" in text
    assert "layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]" in text
    assert "self.body = body()" in text
    for place, other in (
        (1, "tanh"),
        (5, "{conv: {filters: 16, kernel: 1}}"),
        (-1, "{maxpool: {kernel: 2, stride: 1}}"),
    ):
        changed = [*layers]
        changed[place] = other
        assert "def body" not in written(changed)
    assert "def features" not in source_for("torchvision/squeezenet1_1")


def test_several_outputs_are_a_dictionary_and_several_inputs_arguments() -> None:
    spec = """\
inputs: {left: [3, 5, 6], right: [2, 5, 6]}
outputs: {sum: total, both: pair}
layers:
  - conv: {name: a, from: left, filters: 2, kernel: 1}
  - add: {name: total, from: [a, right]}
  - concat: {name: pair, from: [a, right]}
"""
    text = source(load_text(spec))
    check_text(text)
    assert "def forward(self, left, right):" in text
    assert '"sum": ' in text
    assert '"both": ' in text


def test_shared_parts_are_called_again() -> None:
    text = class_source(graph_of("siamese"))
    assert "self.left_branch(left)" in text
    assert "self.left_branch(right)" in text
    assert "right_branch" not in text


def test_a_part_that_others_read_is_called_in_slices_or_gives_several_values() -> None:
    spec = """\
input: [3, 8, 9]
layers:
  - group:
      name: body
      naming: index
      layers: [{conv: {filters: 4, kernel: 3}}, relu, {conv: {filters: 5, kernel: 1}}, relu]
  - conv: {name: side, from: body.1, filters: 5, kernel: 1}
  - add: {from: [body, side]}
"""
    text = class_source(load_text(spec))
    check_text(text)
    assert "self.body[:2](x)" in text
    assert "self.body[2:](" in text
    named = class_source(load_text(spec.replace("      naming: index\n", "").replace("body.1", "body.relu1")))
    check_text(named)
    assert "class Body(nn.Module):" in named
    assert named.count("self.body(") == 1  # one call, of which both values are read


def test_the_number_of_classes_is_an_argument_where_the_spec_has_it() -> None:
    assert "def __init__(self, classes=1000):" in source_for("torchvision/vgg16")
    assert "nn.Linear(4096, classes)," in source_for("torchvision/vgg16")
    small = source(load_graph("torchvision/vgg16", settings={"classes": "7"}))
    assert "def __init__(self, classes=7):" in small
    assert "classes" not in source(load_text("input: [3, 8, 9]\nlayers: [flatten, {dense: 5}]\n"))


def test_padding_that_pytorch_lacks_takes_a_helper_and_no_other_source_has_it() -> None:
    odd = source(load_text("input: [3, 8, 8]\nlayers:\n  - conv: {filters: 2, kernel: 3, padding: same}\n"))
    even = source(load_text("input: [3, 8, 8]\nlayers:\n  - conv: {filters: 2, kernel: 4, padding: same}\n"))
    assert "nn.Conv2d(3, 2, 3, padding=1)" in odd
    assert "PaddedConv2d" not in odd
    assert "PaddedConv2d(3, 2, 4, (1, 2, 1, 2))" in even  # the odd pixel comes after


def test_wiring_that_no_classes_can_express_is_written_a_step_a_layer() -> None:
    graph = graph_of("torchvision/resnet50")
    text = flat_source(graph)
    check_text(text)
    assert len(modules_of(text)) == 1
    assert "self.layer1[0].downsample" in text
    assert Flat(graph, "Net").lines()[0] == "class Net(nn.Module):"


@pytest.mark.parametrize(
    ("text", "simplified"),
    [
        ("4 * 64", "256"),
        ("channels + 32 + 32", "channels + 64"),
        ("width - width // 2 + width // 2", "width"),
        ("2 * width // 2", "width"),
        ("(x + y // 2) // 2", "(x + y // 2) // 2"),
        ("192 if false else width", "width"),
        ("stride != 1 or channels != 4 * width", "stride != 1 or channels != 4 * width"),
        ("hidden != null", "hidden is not None"),
        ("2 != 1 or a", "True"),
        ("'valid'", '"valid"'),
    ],
)
def test_expressions_are_simplified(text: str, simplified: str) -> None:
    assert replaced(text, {}) == simplified


def test_what_copies_add_to_their_channels() -> None:
    assert difference("channels + 36", "channels + 24") == "12"
    assert difference("channels + growth", "channels") == "growth"
    assert difference("2 * channels", "channels") is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e-5, "1e-5"),
        (2.0, "2.0"),
        (1e20, "1e20"),
        ((3, 1), "(3, 1)"),
        ((3,), "(3,)"),
        (True, "True"),
        ("a", '"a"'),
    ],
)
def test_values_in_source(value: object, text: str) -> None:
    assert source_of(value) == text
