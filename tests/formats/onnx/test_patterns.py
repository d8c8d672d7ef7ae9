"""Patterns become one layer, and near misses of them do not: outputs are ONNX Runtime's in both cases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.formats.onnx.small_models import Small, node, weights

Array = Any
Nodes = Sequence[Any]
Parts = tuple[Nodes, dict[str, Array]]
X = {"x": [1, 6, 3, 5]}


def f(*numbers: float) -> Array:
    return np.array(numbers[0] if len(numbers) == 1 else numbers, np.float32)


def silu(gate: str = "x") -> Parts:
    return [node("Relu", "x", "r"), node("Sigmoid", gate, "s"), node("Mul", "x s", "y")], {}


def hardswish(alpha: float = 1 / 6) -> Parts:
    return [node("HardSigmoid", "x", "s", alpha=alpha), node("Mul", "s x", "y")], {}


def mish(inner: str = "Softplus") -> Parts:
    return [node(inner, "x", "p"), node("Tanh", "p", "t"), node("Mul", "x t", "y")], {}


def gelu(root: float = 2**0.5, half: float = 0.5, read: str = "x") -> Parts:
    nodes = [
        node("Relu", "x", "other"), node("Div", f"{read} root", "d"), node("Erf", "d", "e"), node("Add", "e one", "a"),
        node("Mul", "x a", "m"), node("Mul", "m half", "y"),
    ]  # fmt: skip
    return nodes, {"root": f(root), "one": f(1), "half": f(half)}


def gelu_by_tanh(cubic: float = 0.044715, power: int = 3) -> Parts:
    nodes = [
        node("Pow", "x three", "p"), node("Mul", "p cubic", "c"), node("Add", "x c", "i"), node("Mul", "i root", "r"),
        node("Tanh", "r", "t"), node("Add", "t one", "a"), node("Mul", "x half", "h"), node("Mul", "h a", "y"),
    ]  # fmt: skip
    return nodes, {
        "three": f(power), "cubic": f(cubic), "root": f((2 / np.pi) ** 0.5), "one": f(1), "half": f(0.5),
    }  # fmt: skip


def layernorm(axis: int = -1, other: int = -1, shape: tuple[int, ...] = (5,)) -> Parts:
    nodes = [
        node("ReduceMean", "x", "m", axes=[axis]), node("Sub", "x m", "d"), node("Pow", "d two", "q"),
        node("ReduceMean", "q", "v", axes=[other]), node("Add", "v eps", "e"), node("Sqrt", "e", "s"),
        node("Div", "d s", "n"), node("Mul", "n w", "a"), node("Add", "a b", "y"),
    ]  # fmt: skip
    return nodes, {"two": f(2), "eps": f(1e-5), "w": weights(*shape), "b": weights(*shape, seed=2)}


def groupnorm(ones: Sequence[float] = (1, 1, 1), shape: Sequence[int] = (6, 1, 1)) -> Parts:
    nodes = [
        node("Reshape", "x groups", "g"), node("InstanceNormalization", "g one zero", "i"),
        node("Reshape", "i back", "n"), node("Mul", "n w", "a"), node("Add", "a b", "y"),
    ]  # fmt: skip
    return nodes, {
        "groups": np.array([0, 3, -1]), "one": f(*ones), "zero": f(0, 0, 0), "back": np.array([1, 6, 3, 5]),
        "w": weights(*shape), "b": weights(*shape, seed=2),
    }  # fmt: skip


def shuffle(order: Sequence[int] = (0, 2, 1, 3, 4), groups: int = 2) -> Parts:
    nodes = [
        node("Reshape", "x split", "s"),
        node("Transpose", "s", "t", perm=order),
        node("Reshape", "t back", "y"),
    ]
    return nodes, {"split": np.array([1, groups, 6 // groups, 3, 5]), "back": np.array([1, 6, 3, 5])}


def roll(first: int = 2, second: int = 2, axis: int = 3) -> Parts:
    nodes = [
        node("Slice", "x cut end axis", "a"), node("Slice", "x zero upto axis", "b"),
        node("Concat", "a b", "y", axis=axis),
    ]  # fmt: skip
    return nodes, {
        "cut": np.array([first]), "end": np.array([2**40]), "axis": np.array([axis]), "zero": np.array([0]),
        "upto": np.array([second]),
    }  # fmt: skip


def lrn(before: int = 2, size: int = 4, k: float = 1.5) -> Parts:
    nodes = [
        node("Mul", "x x", "q"), node("Reshape", "q lifted", "l"), node("Pad", "l pads", "p"),
        node("AveragePool", "p", "a", kernel_shape=[size, 1, 1], strides=[1, 1, 1]), node("Reshape", "a back", "m"),
        node("Mul", "m alpha", "s"), node("Add", "s k", "t"), node("Pow", "t beta", "d"), node("Div", "x d", "y"),
    ]  # fmt: skip
    return nodes, {
        "lifted": np.array([1, 1, 6, 3, 5]), "pads": np.array([0, 0, before, 0, 0, 0, 0, 3 - before, 0, 0]),
        "back": np.array([1, 6, 3, 5]), "alpha": f(0.2), "k": f(k), "beta": f(0.6),
    }  # fmt: skip


def l2norm(axis: int = 1) -> Parts:
    nodes = [
        node("ReduceL2", "x", "n", axes=[axis]), node("Clip", "n low", "c"), node("Expand", "c shape", "e"),
        node("Div", "x e", "y"),
    ]  # fmt: skip
    return nodes, {"low": f(1e-4), "shape": np.array([1, 6, 3, 5])}


def dense(bias: Sequence[int] = (7,)) -> Parts:
    nodes = [node("MatMul", "x k", "m"), node("Add", "b m", "y")]
    return nodes, {"k": weights(5, 7), "b": weights(*bias)}


MATCHES: dict[str, tuple[Callable[[], Parts], list[str]]] = {
    "silu": (silu, ["silu"]), "hardswish": (hardswish, ["hardswish"]), "mish": (mish, ["mish"]),
    "gelu": (gelu, ["gelu"]), "gelu by tanh": (gelu_by_tanh, ["gelu"]), "layernorm": (layernorm, ["layernorm"]),
    "groupnorm": (groupnorm, ["groupnorm"]), "channel_shuffle": (shuffle, ["channel_shuffle"]),
    "roll": (roll, ["roll"]), "lrn": (lrn, ["lrn"]), "l2norm": (l2norm, ["l2norm"]),
    "dense with bias": (dense, ["dense"]),
}  # fmt: skip
MISSES: dict[str, tuple[Callable[[], Parts], str]] = {
    "a gate on another value": (lambda: silu("r"), "silu"),
    "another slope": (lambda: hardswish(0.2), "hardswish"),
    "another curve": (lambda: mish("Exp"), "mish"),
    "another root": (lambda: gelu(root=1.5), "gelu"),
    "another half": (lambda: gelu(half=0.25), "gelu"),
    "a gate of another input": (lambda: gelu(read="other"), "gelu"),
    "another cubic": (lambda: gelu_by_tanh(cubic=0.05), "gelu"),
    "a square": (lambda: gelu_by_tanh(power=2), "gelu"),
    "a variance over another axis": (lambda: layernorm(other=-2), "layernorm"),
    "groups with weights of their own": (lambda: groupnorm((1, 2, 1)), "groupnorm"),
    "another order": (lambda: shuffle((0, 2, 1, 4, 3)), "channel_shuffle"),
    "parts that overlap": (lambda: roll(2, 3), "roll"),
    "padding on the other side": (lambda: lrn(before=1), "lrn"),
    "a bias for every place": (lambda: dense((3, 7)), "bias"),
}


@pytest.mark.parametrize("name", MATCHES)
def test_a_pattern_is_one_layer(tmp_path: Path, name: str) -> None:
    make, kinds = MATCHES[name]
    nodes, constants = make()
    small = Small(tmp_path, nodes, X, constants)
    assert [layer.kind for layer in small.checked().graph] == kinds


@pytest.mark.parametrize("name", MISSES)
def test_a_near_miss_is_not(tmp_path: Path, name: str) -> None:
    make, kind = MISSES[name]
    nodes, constants = make()
    small = Small(tmp_path, nodes, X, constants)
    if name == "padding on the other side" or name == "a square":  # their powers have no layer of ours
        kinds = small.kinds() if name == "a square" else ["unknown"]
    else:
        kinds = [layer.kind for layer in small.checked().graph]
    assert kind not in kinds
    if kind == "bias":
        assert kinds == ["dense", "parameter", "add"]


@pytest.mark.parametrize(
    ("make", "inner", "kinds"),
    [
        (silu, "s", ["silu", "sigmoid"]),
        (gelu, "e", ["scale", "erf", "gelu"]),
        (
            layernorm,
            "s",
            ["layernorm", "reduce", "subtract", "multiply", "reduce", "parameter", "add", "sqrt"],
        ),
        (dense, "m", ["dense", "parameter", "add"]),
        (roll, "b", ["slice", "roll"]),
    ],
)
def test_a_second_reader_of_an_inner_value(
    tmp_path: Path, make: Callable[[], Parts], inner: str, kinds: list[str]
) -> None:
    """The value stays, and the pattern holds, except where a layer would have to change."""
    nodes, constants = make()
    small = Small(tmp_path, nodes, X, constants, outputs=("y", inner))
    assert sorted(layer.kind for layer in small.checked().graph) == sorted(kinds)


def test_layernorm_over_channels_needs_one_module(tmp_path: Path) -> None:
    def small(last: str) -> Small:
        nodes = [
            node("Transpose", "x", "t", "/norm/Transpose", perm=[0, 2, 3, 1]),
            node("LayerNormalization", "t w b", "n", "/norm/LayerNormalization", axis=-1, epsilon=1e-6),
            node("Transpose", "n", "y", last, perm=[0, 3, 1, 2]),
        ]
        return Small(tmp_path, nodes, X, {"w": weights(6), "b": weights(6, seed=2)})

    graph = small("/norm/Transpose_1").checked().graph
    assert [(layer.name, layer.kind, layer.op.shown_fields()["axis"]) for layer in graph] == [
        ("norm", "layernorm", "channels")
    ]
    assert small("/block/Transpose").kinds() == ["transpose", "layernorm", "transpose"]


def test_a_join_that_grows_reads_the_one_before(tmp_path: Path) -> None:
    """DenseNet: each layer joins all outputs so far."""
    nodes = [
        node("Conv", "x w1", "a", "/block/layer1/conv/Conv"),
        node("Concat", "x a", "ab", "/block/layer2/Concat", axis=1),
        node("Conv", "ab w2", "b", "/block/layer2/conv/Conv"),
        node("Concat", "x a b", "c", "/block/layer3/Concat", axis=1),
        node("Conv", "c w3", "d", "/block/layer3/conv/Conv"), node("Concat", "x a b d", "y", "/block/Concat", axis=1),
    ]  # fmt: skip
    small = Small(
        tmp_path, nodes, X,
        {"w1": weights(2, 6, 1, 1), "w2": weights(2, 8, 1, 1), "w3": weights(2, 10, 1, 1)},
    )  # fmt: skip
    graph = small.checked().graph
    assert [(layer.name, layer.inputs) for layer in graph] == [
        ("block.layer1.conv", (-1,)), ("block.layer1.concat1", (-1, 0)), ("block.layer2.conv", (1,)),
        ("block.layer2.concat1", (1, 2)), ("block.layer3.conv", (3,)), ("block.layer3.concat1", (3, 4)),
    ]  # fmt: skip


def attention(scale: float = 32**-0.25, first: int = 0, order: Sequence[int] = (2, 0, 3, 1, 4)) -> Parts:
    """Two heads of 4 features, over 15 positions, as timm writes it: qkv → 3, heads, positions, depth."""
    nodes = [
        node("MatMul", "x w", "m", "/attn/qkv/MatMul"), node("Add", "m b", "q0", "/attn/qkv/Add"),
        node("Reshape", "q0 split", "r", "/attn/Reshape"), node("Transpose", "r", "t", "/attn/Transpose", perm=order),
        node("Gather", "t i0", "q", "/attn/Gather", axis=0), node("Gather", "t i1", "k", "/attn/Gather_1", axis=0),
        node("Gather", "t i2", "v", "/attn/Gather_2", axis=0),
        node("Transpose", "k", "kt", "/attn/Transpose_1", perm=[0, 1, 3, 2]), node("Mul", "q s", "qs", "/attn/Mul"),
        node("Mul", "kt s", "ks", "/attn/Mul_1"), node("MatMul", "qs ks", "p", "/attn/MatMul"),
        node("Softmax", "p", "a", "/attn/Softmax", axis=-1), node("MatMul", "a v", "o", "/attn/MatMul_1"),
        node("Transpose", "o", "ot", "/attn/Transpose_2", perm=[0, 2, 1, 3]),
        node("Reshape", "ot back", "z", "/attn/Reshape_1"), node("MatMul", "z u", "n", "/attn/proj/MatMul"),
        node("Add", "n c", "y", "/attn/proj/Add"),
    ]  # fmt: skip
    return nodes, {
        "w": weights(8, 24), "b": weights(24), "split": np.array([1, 15, 3, 2, 4]), "i0": np.array(first),
        "i1": np.array(1), "i2": np.array(2), "s": f(scale), "back": np.array([1, 15, 8]), "u": weights(8, 8, seed=4),
        "c": weights(8),
    }  # fmt: skip


TOKENS = {"x": [1, 15, 8]}


def test_self_attention(tmp_path: Path) -> None:
    nodes, constants = attention(4**-0.25)
    (layer,) = Small(tmp_path, nodes, TOKENS, constants).checked().graph
    assert (layer.name, layer.kind, layer.op.shown_fields()["heads"]) == ("attn.attention1", "attention", 2)
    assert layer.op.macs(layer.input_shapes) == 15 * 4 * 8 * 8 + 2 * 2 * 15 * 15 * 4


def test_self_attention_with_a_scale_of_its_own(tmp_path: Path) -> None:
    nodes, constants = attention(scale=0.6)
    (layer,) = Small(tmp_path, nodes, TOKENS, constants).checked().graph
    assert layer.op.shown_fields()["scale"] == pytest.approx(0.36)


def test_queries_that_are_the_values_are_no_self_attention(tmp_path: Path) -> None:
    nodes, constants = attention(4**-0.25, first=2)
    kinds = [layer.kind for layer in Small(tmp_path, nodes, TOKENS, constants).checked().graph]
    assert "attention" not in kinds
    assert kinds.count("matmul") == 2


def test_attention_by_cosines(tmp_path: Path) -> None:
    """Queries and keys of unit length, a learned factor of at most 100 for each head, and keys without a bias."""
    nodes, constants = attention(1.0)
    changed = [entry for entry in nodes if entry.output[0] not in ("qs", "ks", "p", "kt", "a")]
    unit = [
        node("ReduceL2", "q", "ql", axes=[-1]), node("Clip", "ql low", "qc"), node("Div", "q qc", "qn"),
        node("ReduceL2", "k", "kl", axes=[-1]), node("Clip", "kl low", "kc"), node("Div", "k kc", "kn"),
        node("Transpose", "kn", "kt", perm=[0, 1, 3, 2]), node("MatMul", "qn kt", "p0"),
        node("Clip", "attn.logit_scale _ top", "bound"), node("Exp", "bound", "factor"), node("Mul", "p0 factor", "p"),
        node("Softmax", "p", "a", axis=-1),
    ]  # fmt: skip
    place = next(number for number, entry in enumerate(changed) if entry.output[0] == "o")
    bias = constants["b"].copy()
    bias[8:16] = 0
    more = {
        "low": f(1e-12),
        "top": f(np.log(100)),
        "attn.logit_scale": np.array([[[1.5]], [[9.0]]], np.float32),
    }
    whole = [*changed[:place], *unit, *changed[place:]]
    (layer,) = Small(tmp_path, whole, TOKENS, constants | more | {"b": bias}).checked().graph
    assert (layer.kind, layer.op.shown_fields()["similarity"]) == ("attention", "cosine")
    kinds = [layer.kind for layer in Small(tmp_path, whole, TOKENS, constants | more).checked().graph]
    assert "attention" not in kinds  # keys with a bias


def windows(shift: int, back: int, mask: Array | None) -> tuple[Nodes, dict[str, Array]]:
    """Attention in windows of 3×3 positions of a 6×9 map, shifted as Swin does."""
    inner, constants = attention(4**-0.25)
    rename = {"x": "w0", "y": "w1"}
    for entry in inner:
        for place, name in enumerate(entry.input):
            entry.input[place] = rename.get(name, name)
        for place, name in enumerate(entry.output):
            entry.output[place] = rename.get(name, name)
    constants |= {
        "split": np.array([6, 9, 3, 2, 4]), "back": np.array([6, 9, 8]), "cut": np.array([1, 2, 3, 3, 3, 8]),
        "cells": np.array([6, 9, 8]), "parted": np.array([1, 2, 3, 3, 3, 8]), "map": np.array([1, 6, 9, 8]),
    }  # fmt: skip

    def rolled(source: str, result: str, by: int) -> Nodes:
        if not by:
            return [node("Identity", source, result)]
        found = []
        for axis, name in ((1, f"{source}h"), (2, result)):
            start = source if axis == 1 else f"{source}h"
            constants.update(
                {f"a{axis}": np.array([axis]), f"n{by}": np.array([by]), "nought": np.array([0])}
            )
            constants["far"] = np.array([2**40])
            found += [
                node("Slice", f"{start} n{by} far a{axis}", f"{name}1"),
                node("Slice", f"{start} nought n{by} a{axis}", f"{name}2"),
                node("Concat", f"{name}1 {name}2", name, axis=axis),
            ]
        return found

    if mask is not None:
        place = next(number for number, entry in enumerate(inner) if entry.output[0] == "a")
        inner = [*inner[:place], node("Add", "p mask", "pm"), *inner[place:]]
        inner[place + 1].input[0] = "pm"
        constants["mask"] = mask.reshape(6, 1, 9, 9)
    nodes = [
        *rolled("x", "rolled", shift), node("Reshape", "rolled cut", "f0"),
        node("Transpose", "f0", "t0", perm=[0, 1, 3, 2, 4, 5]),
        node("Reshape", "t0 cells", "w0"), *inner, node("Reshape", "w1 parted", "f1"),
        node("Transpose", "f1", "f2", perm=[0, 1, 3, 2, 4, 5]), node("Reshape", "f2 map", "m0"),
        *rolled("m0", "y", back),
    ]  # fmt: skip
    return nodes, constants


MAP = {"x": [1, 6, 9, 8]}


def test_attention_in_windows(tmp_path: Path) -> None:
    nodes, constants = windows(0, 0, None)
    (layer,) = Small(tmp_path, nodes, MAP, constants).checked().graph
    assert (layer.kind, layer.op.shown_fields()["window"]) == ("attention", 3)


def test_attention_in_shifted_windows_with_their_mask(tmp_path: Path) -> None:
    from convcalc.ops import get

    rule: Any = get("constant")
    mask = rule(rule="window_mask", window=(3, 3), size=(6, 9), shift=(1, 1)).values()
    right = np.array(mask, np.float32)

    def kinds(back: int, mask: Array | None) -> list[str]:
        nodes, constants = windows(1, back, mask)
        small = Small(tmp_path, nodes, MAP, constants)
        return [layer.kind for layer in small.checked().graph]

    # −1 as a start cuts the last row and column: a roll by 1 back
    assert kinds(-1, right) == ["attention"]
    assert "attention" not in kinds(-2, right)
    assert "attention" not in kinds(-1, np.where(right == 0, right, right + 1))
    assert "attention" not in kinds(-1, None)
