"""Differences in weights: pairs of tensors, their figures, what cannot be compared."""

from __future__ import annotations

import json
from array import array
from collections.abc import Mapping, Sequence
from math import inf, nan, sqrt
from pathlib import Path

import pytest

import convcalc
from convcalc.analysis import value_diff
from convcalc.weights.safetensors import write

SPEC = """
name: net
input: [2, 7, 6]
layers:
  - conv: {name: CONV, filters: 3, kernel: [2, 1], bias: BIAS}
  - batchnorm: {name: NORM}
  - flatten
  - dense: {name: head, units: 4, bias: false}
"""
NAMES = {"CONV": "conv", "NORM": "norm", "BIAS": "false"}
SHAPES = {
    "conv.weight": (3, 2, 2, 1),
    "norm.weight": (3,),
    "norm.bias": (3,),
    "norm.running_mean": (3,),
    "norm.running_var": (3,),
    "head.weight": (4, 3 * 6 * 6),
}
Values = Mapping[str, Sequence[float]]


def network(folder: Path, name: str, **names: str) -> convcalc.Network:
    text = SPEC
    for word, meant in (NAMES | names).items():
        text = text.replace(word, meant)
    path = folder / f"{name}.yaml"
    path.write_text(text)
    return convcalc.load(path)


def weights(
    folder: Path, name: str, shapes: Mapping[str, Sequence[int]] = SHAPES, **given: Sequence[float]
) -> Path:
    """A file with 1, 2, 3, … in each tensor, but for those given (with `__` for the dot)."""
    tensors = {}
    for key, shape in shapes.items():
        count = 1
        for size in shape:
            count *= size
        values = given.get(key.replace(".", "__"), [float(place + 1) for place in range(count)])
        tensors[key] = (tuple(shape), array("f", values))
    path = folder / f"{name}.safetensors"
    write(path, tensors)
    return path


def compared(folder: Path, a: Path, b: Path, **names: str):
    net = network(folder, "a")
    return net.diff(network(folder, "b", **names), values=True, weights_a=a, weights_b=b)


def test_equal_weights(tmp_path: Path) -> None:
    file = weights(tmp_path, "w")
    found = compared(tmp_path, file, file)
    assert found.same
    assert found.values.same
    tensors = [tensor for layer in found.values.layers for tensor in layer.tensors]
    assert [tensor.key for tensor in tensors] == list(SHAPES)
    assert {(t.equal, t.largest_difference, t.relative_rms) for t in tensors} == {(True, 0.0, 0.0)}


def test_the_figures_are_those_of_their_definition(tmp_path: Path) -> None:
    """By hand: b − a = (0.5, 0, −1.5) with a = (1, 2, 3): √((0.25 + 2.25)/14)."""
    found = compared(tmp_path, weights(tmp_path, "a"), weights(tmp_path, "b", norm__bias=[1.5, 2.0, 1.5]))
    (bias,) = [t for layer in found.values.layers for t in layer.tensors if not t.equal]
    assert (bias.key, bias.role, bias.largest_difference) == ("norm.bias", "bias", 1.5)
    assert bias.relative_rms == pytest.approx(sqrt(2.5 / 14), rel=1e-12)
    assert found.same_layers
    assert not found.same
    assert [layer.equal for layer in found.values.layers] == [True, False, True, True]


@pytest.mark.parametrize("chunk", [1, 2, 5, 1 << 14])
def test_chunks_add_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(value_diff, "CHUNK", chunk)
    kernel = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 13.0, 8.0]  # the last two +2 and −4
    found = compared(tmp_path, weights(tmp_path, "a"), weights(tmp_path, "b", conv__weight=kernel))
    (tensor,) = found.values.layers[0].tensors
    assert tensor.largest_difference == 4
    assert tensor.relative_rms == pytest.approx(sqrt(20 / 650), rel=1e-12)  # 1² + … + 12² = 650


def test_layers_are_paired_by_role_not_by_name(tmp_path: Path) -> None:
    shapes = {key.replace("conv.", "first.").replace("norm.", "bn."): shape for key, shape in SHAPES.items()}
    found = compared(
        tmp_path, weights(tmp_path, "a"), weights(tmp_path, "b", shapes), CONV="first", NORM="bn"
    )
    assert found.values.same
    assert found.values.layers[0].tensors[0][:3] == ("weight", "conv.weight", "first.weight")


def test_what_one_network_has_alone(tmp_path: Path) -> None:
    shapes = SHAPES | {"conv.bias": (3,)}
    found = compared(tmp_path, weights(tmp_path, "a"), weights(tmp_path, "b", shapes), BIAS="true")
    assert (found.values.only_a, found.values.only_b) == ((), ("conv.bias",))
    assert not found.values.same


def test_nan_and_infinity(tmp_path: Path) -> None:
    """NaN equals NaN and ∞ equals ∞; another number in their place is not finite and no difference."""
    a = weights(tmp_path, "a", norm__weight=[nan, 2.0, inf], norm__bias=[nan, inf, 3.0])
    b = weights(tmp_path, "b", norm__weight=[nan, 2.0, inf], norm__bias=[1.0, -inf, 3.5])
    weight, bias, *_ = compared(tmp_path, a, b).values.layers[1].tensors
    assert (weight.equal, weight.largest_difference, weight.not_finite) == (True, 0.0, 0)
    assert (bias.equal, bias.largest_difference, bias.not_finite) == (False, 0.5, 2)
    assert bias.relative_rms == pytest.approx(0.5 / 3, rel=1e-12)


def test_from_zero_there_is_no_relative_difference(tmp_path: Path) -> None:
    a = weights(tmp_path, "a", norm__bias=[0.0, 0.0, 0.0])
    _, bias, *_ = compared(tmp_path, a, weights(tmp_path, "b")).values.layers[1].tensors
    assert (bias.equal, bias.largest_difference, bias.relative_rms) == (False, 3.0, None)


def test_minus_zero_is_zero(tmp_path: Path) -> None:
    a = weights(tmp_path, "a", norm__bias=[0.0, 1.0, 2.0])
    b = weights(tmp_path, "b", norm__bias=[-0.0, 1.0, 2.0])
    assert compared(tmp_path, a, b).values.same


def test_other_shapes_are_shown(tmp_path: Path) -> None:
    net = network(tmp_path, "a")
    (tmp_path / "b.yaml").write_text((tmp_path / "a.yaml").read_text().replace("units: 4", "units: 5"))
    small = convcalc.load(tmp_path / "b.yaml")
    wide = weights(tmp_path, "b", SHAPES | {"head.weight": (5, 108)})
    found = net.diff(small, values=True, weights_a=weights(tmp_path, "a"), weights_b=wide)
    (head,) = found.values.layers[-1].tensors
    assert (head.shapes, head.equal, head.largest_difference) == (((4, 108), (5, 108)), False, None)
    assert "weight shape 4×108 → 5×108" in str(found)


def test_shared_weights_are_compared_once(tmp_path: Path) -> None:
    spec = "name: net\ninput: [3, 5, 4]\nlayers:\n"
    spec += "  - conv: {name: one, filters: 3, kernel: 3, padding: 1, bias: false}\n"
    spec += "  - conv: {name: two, filters: 3, kernel: 3, padding: 1, bias: false, share: one}\n"
    (tmp_path / "net.yaml").write_text(spec)
    net = convcalc.load(tmp_path / "net.yaml")
    file = weights(tmp_path, "w", {"one.weight": (3, 3, 3, 3)})
    found = net.diff(net, values=True, weights_a=file, weights_b=file)
    assert [len(layer.tensors) for layer in found.values.layers] == [1, 0]


def test_half_precision_is_compared_by_its_numbers(tmp_path: Path) -> None:
    head = [float(place % 200) for place in range(432)]
    a, b = weights(tmp_path, "a", head__weight=head), tmp_path / "b.safetensors"
    data = a.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header, tensors, body = json.loads(data[8 : 8 + length]), {}, b""
    for key, entry in header.items():
        start, end = entry["data_offsets"]
        upper = b"".join(data[8 + length + at + 2 : 8 + length + at + 4] for at in range(start, end, 4))
        tensors[key] = entry | {"dtype": "BF16", "data_offsets": [len(body), len(body) + len(upper)]}
        body += upper
    text = json.dumps(tensors).encode()
    b.write_bytes(len(text).to_bytes(8, "little") + text + body)
    assert compared(tmp_path, a, b).values.same  # integers up to 256 are exact in bfloat16


def test_a_model_file_brings_its_weights(tmp_path: Path) -> None:
    net, file = network(tmp_path, "a"), weights(tmp_path, "a")
    net.convert(tmp_path / "a.onnx", weights=file)
    model = convcalc.load(tmp_path / "a.onnx")
    found = net.diff(model, values=True, weights_a=file)
    assert found.values.same
    assert found.values.sources[1] == str(tmp_path / "a.onnx")
    changed = weights(tmp_path, "b", head__weight=[0.5] * 432)
    values = model.diff(net, values=True, weights_b=changed).values
    assert [layer.equal for layer in values.layers] == [True, True, True, False]


def test_rounding_is_said(tmp_path: Path) -> None:
    a, b = weights(tmp_path, "a"), weights(tmp_path, "b", norm__bias=[1.0000001192092896, 2.0, 3.0])
    assert "no difference is larger than the rounding" in str(compared(tmp_path, a, b))
    b = weights(tmp_path, "b", norm__bias=[1.001, 2.0, 3.0])
    assert "the rounding of" not in str(compared(tmp_path, a, b))


def test_weights_are_needed_on_both_sides(tmp_path: Path) -> None:
    net, file = network(tmp_path, "a"), weights(tmp_path, "a")
    with pytest.raises(convcalc.UsageError, match="brings no weights") as raised:
        net.diff(net, values=True, weights_a=file)
    assert "--weights-b" in str(raised.value)
    with pytest.raises(convcalc.UsageError, match="give --values"):
        net.diff(net, weights_b=file)


def test_progress(tmp_path: Path) -> None:
    seen: list[tuple[int, int, str]] = []
    net, file = network(tmp_path, "a"), weights(tmp_path, "a")
    net.diff(net, values=True, weights_a=file, weights_b=file, advance=lambda *state: seen.append(state))
    assert [state[2] for state in seen] == list(SHAPES)
    assert {state[1] for state in seen} == {12 + 4 * 3 + 432}
    assert seen[-1][0] == 12 + 4 * 3
