"""Checkpoints as training scripts write them: the weights among other things, objects passed over and never made."""

from __future__ import annotations

import argparse
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest

from convcalc.errors import WeightsError
from convcalc.graph import Graph
from convcalc.language.load import load_graph
from convcalc.weights.checkpoint import common_prefixes
from convcalc.weights.load import load_weights
from tests.weights.test_pth import archived, mapping, named, program, several, storage, tensor, text

DATA = Path(__file__).parent.parent / "data" / "checkpoints"
PICTURE = Path(__file__).parent.parent / "data" / "digits" / "7_0.png"
TINY = """
name: tiny
input: [1, 4, 4]
layers:
  - conv: {name: c, filters: 2, kernel: 2, bias: false}
  - flatten
  - dense: {name: d, units: 2}
"""
# make.py's numbers: steps of 1/8 from 0 for the convolution's 8, from 8 and 44 for the dense layer's 36 and 2.
MADE = [start + number / 8 for start, count in ((0, 8), (8, 36), (44, 2)) for number in range(count)]
EMA = "the weights are those under 'model'; those under 'model_ema' would fit as well"
LIGHTNING = "the weights are those under 'state_dict'; its keys are read without their prefix 'model.'"
NESTED = "the weights are those under 'checkpoint.module'; its keys are read without their prefix '_orig_mod.module.'"


@pytest.fixture
def spec(tmp_path: Path) -> str:
    (tmp_path / "tiny.yaml").write_text(TINY)
    return str(tmp_path / "tiny.yaml")


@pytest.fixture
def graph(spec: str) -> Graph:
    return load_graph(spec)


def values(graph: Graph, path: Path) -> tuple[list[float], str]:
    """All weights one after another, and what is said of the file."""
    weights = load_weights(graph, str(path))
    return [value for node in weights.nodes for numbers in node.values() for value in numbers], weights.note


# --- files that PyTorch wrote --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "note"),
    [
        ("training.pth", EMA),
        ("training-legacy.pth", EMA),
        ("lightning.pth", LIGHTNING),
        ("lightning-protocol-5.pth", LIGHTNING),
        ("parallel.pth", "its keys are read without their prefix 'module.'"),
        ("nested.pth", NESTED),
    ],
)
def test_what_training_scripts_save_loads(file: str, note: str, graph: Graph) -> None:
    assert values(graph, DATA / file) == (MADE, note)


@pytest.mark.parametrize(
    ("file", "note"),
    [
        ("checkpoint-with-loss.pth", "the weights are those under 'model_state_dict'"),
        ("checkpoint-key-net.pth", "the weights are those under 'net'"),
        ("checkpoint-prefix.pth", "its keys are read without their prefix '_orig_mod.'"),
    ],
)
def test_the_reported_checkpoints_load(file: str, note: str, graph: Graph) -> None:
    with zipfile.ZipFile(DATA / file) as archive:  # its numbers as they lie there, in the order of the keys
        root = archive.namelist()[0].split("/")[0]
        numbers = [
            value
            for key in range(3)
            for (value,) in struct.iter_unpack("<f", archive.read(f"{root}/data/{key}"))
        ]
    assert len(numbers) == 46
    assert values(graph, DATA / file) == (numbers, note)


def test_which_weights_were_taken_is_said_on_stderr(spec: str, convcalc) -> None:
    done = convcalc(
        "forward", spec, str(PICTURE), "--weights", str(DATA / "training.pth"), "--format", "json"
    )
    assert done.returncode == 0
    assert done.stderr == f"weights file: {EMA}\n"
    images = convcalc("forward", spec, *[str(PICTURE)] * 2, "--weights", str(DATA / "parallel.pth"))
    assert images.stderr == "weights file: its keys are read without their prefix 'module.'\n"


def test_a_whole_model_is_named(graph: Graph) -> None:
    with pytest.raises(WeightsError, match=r"holds no tensors by name, but a __main__\.Net\n") as caught:
        load_weights(graph, str(DATA / "whole-model.pth"))
    assert "torch.save(model.state_dict(), FILE)" in str(caught.value.hint)


# --- which mapping -------------------------------------------------------------------------------------------


def floats(count: int, offset: int = 0) -> bytes:
    return tensor((count,), (1,), offset, storage(count=46))


def weights_at(offset: int = 0, prefix: str = "") -> bytes:
    """The network's parameters, all from the offset on; shapes are as many numbers, as in some files."""
    shapes = {
        "c.weight": ((2, 1, 2, 2), (4, 4, 2, 1)),
        "d.weight": ((2, 18), (18, 1)),
        "d.bias": ((2,), (1,)),
    }
    entries = {
        f"{prefix}{key}": tensor(shape, strides, offset, storage(count=46))
        for key, (shape, strides) in shapes.items()
    }
    return mapping(entries)


def save(folder: Path, value: bytes) -> Path:
    path = folder / "w.pth"
    data = struct.pack("<46f", *range(46))
    path.write_bytes(archived(program(value), {"0": data}))
    return path


@pytest.mark.parametrize(
    ("entries", "where"),
    [
        ({"anything": weights_at()}, "anything"),
        ({"a": mapping({"b": mapping({"c": weights_at()})})}, "a.b.c"),
        ({"first": weights_at(1), "state_dict": weights_at()}, "state_dict"),
        ({"model": weights_at(1), "state_dict": weights_at()}, "state_dict"),
        ({"state_dict": mapping({"other.weight": floats(3)}), "student": weights_at()}, "student"),
        ({"model": mapping({"c.weight": floats(8)}), "best": weights_at()}, "best"),
        ({"many": mapping({f"{n}.weight": floats(3) for n in range(9)}), "best": weights_at()}, "best"),
        ({"list": b"](" + weights_at() + b"e"}, "list.0"),
        ({"pair": b"K\1" + weights_at() + b"\x86"}, "pair.1"),
        ({"model": weights_at(0, "module.")}, "model"),
    ],
)
def test_the_mapping_that_fits_is_taken(
    entries: dict[str, bytes], where: str, graph: Graph, tmp_path: Path
) -> None:
    found, note = values(graph, save(tmp_path, mapping({"epoch": b"K\3", **entries})))
    assert found[:3] == [0.0, 1.0, 2.0]
    assert note.startswith(f"the weights are those under '{where}'")


def test_numbers_and_objects_beside_the_tensors_are_passed_over(graph: Graph, tmp_path: Path) -> None:
    extra = (
        b"(" + text("epoch") + b"K\3" + text("args") + pickled_namespace() + text("note") + text("x") + b"u"
    )
    found, note = values(graph, save(tmp_path, weights_at() + extra))
    assert (len(found), note) == (46, "")


def pickled_namespace() -> bytes:
    """As protocol 2 has it, without start and end."""
    return pickle.dumps(argparse.Namespace(lr=0.1), 2)[2:-1]


def test_a_parameter_that_is_no_tensor_is_named(graph: Graph, tmp_path: Path) -> None:
    entries = {"c.weight": floats(8), "d.weight": pickled_namespace(), "d.bias": b"N"}
    with pytest.raises(WeightsError) as caught:
        load_weights(graph, str(save(tmp_path, mapping(entries))))
    assert "missing (2): d.weight (an argparse.Namespace), d.bias (None)" in str(caught.value)


def test_weights_that_do_not_fit_say_where_they_were(graph: Graph, tmp_path: Path) -> None:
    path = save(
        tmp_path, mapping({"epoch": b"K\3", "model": mapping({"x.c.weight": floats(8), "x.e": floats(1)})})
    )
    with pytest.raises(WeightsError) as caught:
        load_weights(graph, str(path))
    assert "the weights are those under 'model'; its keys are read without their prefix 'x.'" in str(
        caught.value
    )
    assert "missing (2): d.weight, d.bias" in str(caught.value)


def test_where_nothing_fits_the_largest_mapping_is_what_was_meant(graph: Graph, tmp_path: Path) -> None:
    state = b"}K\0" + mapping({"exp_avg": floats(8)}) + b"s"
    other = mapping({f"other.{number}": floats(8) for number in range(4)})
    path = save(tmp_path, mapping({"optimizer": mapping({"state": state}), "weights_of_mine": other}))
    with pytest.raises(WeightsError) as caught:
        load_weights(graph, str(path))
    assert "the weights are those under 'weights_of_mine'" in str(caught.value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            mapping({"epoch": b"K\3", "acc": b"G" + struct.pack(">d", 0.5)}),
            "but 'epoch' (a number), 'acc' (a number)",
        ),
        (mapping({str(n): b"N" for n in range(9)}), "'4' (None) and 4 more"),
        (mapping({"model": mapping({})}), "holds no tensors by name under 'model', but an empty dictionary"),
        (mapping({"args": pickled_namespace()}), "but 'args' (an argparse.Namespace)"),
        (pickled_namespace(), "holds no tensors by name, but an argparse.Namespace"),
        (b"](" + floats(2) + b"e", "holds no tensors by name, but a list"),
        (b"}K\0" + floats(2) + b"s", "holds no tensors by name, but a key (a tensor)"),
    ],
)
def test_what_is_no_checkpoint_is_named(value: bytes, message: str, graph: Graph, tmp_path: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        load_weights(graph, str(save(tmp_path, value)))
    assert message in str(caught.value)


def test_a_damaged_tensor_beside_the_weights_does_no_harm(graph: Graph, tmp_path: Path) -> None:
    beside = tensor((2, 3), (0, 1), held=storage(count=46))  # expanded from fewer numbers
    found, _ = values(graph, save(tmp_path, mapping({"loss": beside, "model": weights_at()})))
    assert len(found) == 46


# --- prefixes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "prefixes"),
    [
        ([], [""]),
        (["a"], [""]),
        (["a.b"], ["", "a."]),
        (["a.b.c", "a.b.d"], ["", "a.", "a.b."]),
        (["a.b.c", "a.bb"], ["", "a."]),
        (["ab.c", "a.c"], [""]),
        (["module.a", "b"], [""]),
        ([".".join("x" * 100)], ["", *("x." * n for n in range(1, 9))]),
    ],
)
def test_prefixes_are_whole_segments_that_all_keys_have(keys: list[str], prefixes: list[str]) -> None:
    assert common_prefixes(keys) == prefixes
    assert common_prefixes(keys[::-1]) == prefixes


def test_a_prefix_that_is_the_networks_own_stays(tmp_path: Path) -> None:
    body = "\n".join("      " + line for line in TINY.split("layers:\n")[1].splitlines())
    (tmp_path / "net.yaml").write_text(
        f"name: net\ninput: [1, 4, 4]\nlayers:\n  - group:\n      name: module\n      layers:\n{body}\n"
    )
    graph = load_graph(str(tmp_path / "net.yaml"))
    assert values(graph, DATA / "parallel.pth") == (MADE, "")


def test_a_prefix_goes_in_every_kind_of_file(graph: Graph, tmp_path: Path) -> None:
    from array import array

    from convcalc.weights.safetensors import write

    shapes: dict[str, tuple[int, ...]] = {"c.weight": (2, 1, 2, 2), "d.weight": (2, 18), "d.bias": (2,)}
    sizes = {"c.weight": 8, "d.weight": 36, "d.bias": 2}
    write(
        tmp_path / "w.safetensors",
        {f"_orig_mod.{key}": (shape, array("f", [1.5]) * sizes[key]) for key, shape in shapes.items()},
    )
    found, note = values(graph, tmp_path / "w.safetensors")
    assert (found, note) == ([1.5] * 46, "its keys are read without their prefix '_orig_mod.'")


# --- nothing is made -----------------------------------------------------------------------------------------


class Trap:
    """Leaves a mark where it is made, called, given a state or filled."""

    made: list[str] = []  # noqa: RUF012 - what was done, across all of them

    def __new__(cls, *_: Any) -> Trap:
        Trap.made.append("new")
        return super().__new__(cls)

    def __setstate__(self, _: object) -> None:
        Trap.made.append("state")

    def __reduce_ex__(self, _: object) -> Any:
        return Trap, ("x",), {"state": 1}, iter([1, 2]), iter([("k", "v")])

    def append(self, _: object) -> None:
        Trap.made.append("append")

    def __setitem__(self, *_: object) -> None:
        Trap.made.append("item")


@pytest.mark.parametrize("protocol", range(2, 6))
def test_objects_are_passed_over_and_never_made(protocol: int, graph: Graph, tmp_path: Path) -> None:
    besides = {"trap": Trap(), "deep": [{"trap": (Trap(),)}], 3: Trap(), (Trap(), 1): 2}
    code = pickle.dumps(besides, protocol)
    Trap.made.clear()
    path = tmp_path / "w.pth"
    value = code[:-1] + b"(" + text("model") + weights_at() + b"u."
    path.write_bytes(archived(value, {"0": struct.pack("<46f", *range(46))}))
    assert values(graph, path)[1] == "the weights are those under 'model'"
    assert Trap.made == []
    pickle.loads(code)  # our own: the trap works
    assert set(Trap.made) >= {"new", "state", "item"}


@pytest.mark.parametrize(
    "name", ["os.system", "builtins.exec", "subprocess.Popen", "__builtin__.eval", "nt.system"]
)
def test_what_runs_programs_is_refused_even_beside_the_weights(
    name: str, graph: Graph, tmp_path: Path
) -> None:
    call = named(name) + several(text("true")) + b"R"
    with pytest.raises(
        WeightsError, match=f"it names {name}, which no tensor needs; nothing was run"
    ) as caught:
        load_weights(graph, str(save(tmp_path, mapping({"model": weights_at(), "x": call}))))
    assert "do not load this file with PyTorch either" in str(caught.value.hint)


def test_mappings_within_themselves_and_without_end(graph: Graph, tmp_path: Path) -> None:
    circle = b"}q\1(" + text("model") + weights_at() + text("self") + b"h\1u"
    assert values(graph, save(tmp_path, circle))[1] == "the weights are those under 'model'"
    deep = b"".join(b"}" + text("k" * 1000) for _ in range(5000)) + weights_at() + b"s" * 5000
    with pytest.raises(WeightsError, match="no tensors by name"):
        load_weights(graph, str(save(tmp_path, deep)))
    lists = b"]q\1" + b"(" + b"h\1" * 200_000 + b"e"
    with pytest.raises(WeightsError, match="no tensors by name, but a list"):
        load_weights(graph, str(save(tmp_path, lists)))
