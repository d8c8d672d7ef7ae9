"""Runs the node cases of `onnx.backend.test` for the operators that convcalc has, on both backends.

    python tests/ops/onnx_nodes.py [OPERATOR...]

It needs onnx and the extra `fast`. A case is left out, with the reason counted, where it is of another type than
float32, takes several outputs or inputs that are no constants here, or means something that no operator here does.
Exit status 1 if a case differs.
"""

from __future__ import annotations

import sys
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import numpy as np
import onnx
from onnx.backend.test.case.node import collect_testcases

from convcalc.backends import reference
from convcalc.backends.numba.plan import prepare
from convcalc.errors import SpecError
from convcalc.graph import INPUT, Builder, Graph, single_input
from convcalc.ops import get
from convcalc.weights.load import Weights

Array = Any
Attributes = dict[str, Any]


class Unlike(Exception):
    """What a case asks for that no operator here does."""


@dataclass
class Case:
    """One run of an operator: its fields, its inputs' arrays and its weights, without a batch."""

    kind: str
    inputs: list[Array]
    fields: dict[str, Any] = field(default_factory=dict)
    weights: dict[str, Array] = field(default_factory=dict)


Translation = Callable[[Attributes, list[Array]], list[Case]]  # one case, or one for each of the batch


def plain(kind: str, **names: str) -> Translation:
    """An operator on one array as it is; names: our field by ONNX's attribute."""
    return lambda given, inputs: [
        Case(kind, inputs[:1], {names[n]: v for n, v in given.items() if n in names})
    ]


def join(kind: str) -> Translation:
    def translate(given: Attributes, inputs: list[Array]) -> list[Case]:
        if len(inputs) == 1:
            raise Unlike("a join of one")
        rank = max(array.ndim for array in inputs)
        return [Case(kind, [array.reshape((1,) * (rank - array.ndim) + array.shape) for array in inputs])]

    return translate


def each(make: Callable[[Attributes, list[Array]], Case]) -> Translation:
    """A case for each of the batch; further inputs are weights."""
    return lambda given, inputs: [make(given, [sample, *inputs[1:]]) for sample in inputs[0]]


def clip(given: Attributes, inputs: list[Array]) -> list[Case]:
    bounds = dict(zip(("min", "max"), [None if b is None else float(b) for b in inputs[1:]], strict=False))
    if not any(bound is not None for bound in bounds.values()):
        raise Unlike("no bound")
    return [Case("clip", inputs[:1], bounds)]


def gelu(given: Attributes, inputs: list[Array]) -> list[Case]:
    return [Case("gelu", inputs, {"approximate": given.get("approximate", b"none").decode()})]


def swish(given: Attributes, inputs: list[Array]) -> list[Case]:
    if given.get("alpha", 1.0) != 1:
        raise Unlike("another alpha")
    return [Case("silu", inputs)]


def softmax(given: Attributes, inputs: list[Array]) -> list[Case]:
    return [Case("softmax", inputs, {"axis": given.get("axis", -1)})]


def concat(given: Attributes, inputs: list[Array]) -> list[Case]:
    return [Case("concat", inputs, {"axis": given["axis"]})]


def transpose(given: Attributes, inputs: list[Array]) -> list[Case]:
    return [Case("transpose", inputs, {"order": list(given.get("perm", range(inputs[0].ndim)[::-1]))})]


def reduce(mode: str) -> Translation:
    def translate(given: Attributes, inputs: list[Array]) -> list[Case]:
        axes = given.get("axes") if len(inputs) < 2 else inputs[1].tolist()
        if not axes:
            axes = list(range(inputs[0].ndim))
        return [
            Case(
                "reduce",
                inputs[:1],
                {"mode": mode, "axis": list(axes), "keep": bool(given.get("keepdims", 1))},
            )
        ]

    return translate


def over_last(kind: str) -> Translation:
    """A normalisation over the last dimensions, from `axis` on."""

    def translate(given: Attributes, inputs: list[Array]) -> list[Case]:
        axis = given.get("axis", -1) % inputs[0].ndim
        axes = list(range(axis, inputs[0].ndim))
        weights = dict(zip(("weight", "bias"), inputs[1:], strict=False))
        if kind == "layernorm" and "bias" not in weights:
            weights["bias"] = np.zeros_like(weights["weight"])
        return [Case(kind, inputs[:1], {"axis": axes, "eps": given.get("epsilon", 1e-5)}, weights)]

    return translate


def lp_normalization(given: Attributes, inputs: list[Array]) -> list[Case]:
    if given.get("p", 2) != 2:
        raise Unlike("a norm that is not Euclidean")
    return [Case("l2norm", inputs, {"axis": given.get("axis", -1)})]


def batchnorm(given: Attributes, inputs: list[Array]) -> Case:
    if given.get("training_mode"):
        raise Unlike("training")
    names = ("weight", "bias", "running_mean", "running_var")
    eps = given.get("epsilon", 1e-5)
    return Case("batchnorm", inputs[:1], {"eps": eps}, dict(zip(names, inputs[1:], strict=True)))


def instancenorm(given: Attributes, inputs: list[Array]) -> Case:
    fields = {"eps": given.get("epsilon", 1e-5), "affine": True}
    return Case("instancenorm", inputs[:1], fields, {"weight": inputs[1], "bias": inputs[2]})


def groupnorm(given: Attributes, inputs: list[Array]) -> Case:
    fields = {"eps": given.get("epsilon", 1e-5), "groups": given["num_groups"]}
    return Case("groupnorm", inputs[:1], fields, {"weight": inputs[1], "bias": inputs[2]})


def lrn(given: Attributes, inputs: list[Array]) -> Case:
    fields = {"size": given["size"], "alpha": given.get("alpha", 1e-4), "beta": given.get("beta", 0.75)}
    return Case("lrn", inputs, fields | {"k": given.get("bias", 1.0)})


def window(given: Attributes, shape: tuple[int, ...]) -> dict[str, Any]:
    """kernel, stride, dilation and padding of a window on maps of that shape."""
    rank = len(shape) - 1
    kernel = list(given["kernel_shape"])
    auto = given.get("auto_pad", b"NOTSET").decode()
    pads = given.get("pads", [0] * 2 * rank)
    fields = {
        "kernel": kernel,
        "stride": list(given.get("strides", [1] * rank)),
        "dilation": list(given.get("dilations", [1] * rank)),
        "padding": [[pads[axis], pads[axis + rank]] for axis in range(rank)],
    }
    if auto == "VALID":
        fields["padding"] = "valid"
    elif auto == "SAME_UPPER":
        fields["padding"] = "same"
    elif auto == "SAME_LOWER":
        raise Unlike("the odd pixel of same padding before")
    return fields


def conv(given: Attributes, inputs: list[Array]) -> Case:
    given.setdefault("kernel_shape", inputs[1].shape[2:])
    weights = dict(zip(("weight", "bias"), inputs[1:], strict=False))
    fields = {"filters": len(inputs[1]), "groups": given.get("group", 1), "bias": "bias" in weights}
    return Case("conv", inputs[:1], fields | window(given, inputs[0].shape), weights)


def deconv(given: Attributes, inputs: list[Array]) -> Case:
    given.setdefault("kernel_shape", inputs[1].shape[2:])
    if "output_shape" in given or given.get("auto_pad", b"NOTSET") != b"NOTSET":
        raise Unlike("padding that follows from the output")
    weights = dict(zip(("weight", "bias"), inputs[1:], strict=False))
    groups = given.get("group", 1)
    fields = {"filters": inputs[1].shape[1] * groups, "groups": groups, "bias": "bias" in weights}
    fields["output_padding"] = list(given.get("output_padding", [0] * (inputs[0].ndim - 1)))
    return Case("deconv", inputs[:1], fields | window(given, inputs[0].shape), weights)


def pool(kind: str) -> Translation:
    def make(given: Attributes, inputs: list[Array]) -> Case:
        fields = window(given, inputs[0].shape) | {"rounding": "ceil" if given.get("ceil_mode") else "floor"}
        if kind == "avgpool":
            fields["count_padding"] = bool(given.get("count_include_pad", 0))
        return Case(kind, inputs, fields)

    return each(make)


def depth_to_space(given: Attributes, inputs: list[Array]) -> Case:
    if given.get("mode", b"DCR") != b"CRD":
        raise Unlike("the other order of channels")
    return Case("pixel_shuffle", inputs, {"factor": given["blocksize"]})


def matmul(given: Attributes, inputs: list[Array]) -> list[Case]:
    if len({array.shape[:-2] for array in inputs}) > 1 or min(array.ndim for array in inputs) < 2:
        raise Unlike("products that broadcast")
    return [Case("matmul", inputs)]


def slice_(given: Attributes, inputs: list[Array]) -> list[Case]:
    data, starts, stops, *rest = [array.tolist() if place else array for place, array in enumerate(inputs)]
    axes, steps = [*rest, None, None][:2]
    cases = []
    for axis, start, stop, step in zip(
        axes or range(len(starts)), starts, stops, steps or [1] * len(starts), strict=True
    ):
        kept = range(data.shape[axis])[start:stop:step]
        if not kept:
            raise Unlike("nothing that is kept")
        if len(kept) < data.shape[axis] or step != 1:
            end = kept.stop if kept.stop >= 0 else None
            cases.append({"axis": axis, "start": kept.start, "stop": end, "step": step})
    if len(cases) != 1:
        raise Unlike("parts of several dimensions, or of none")
    return [Case("slice", [data], cases[0])]


def pad(given: Attributes, inputs: list[Array]) -> list[Case]:
    data, margins, value, axes = [*inputs, None, None][:4]
    rank = data.ndim
    margins, axes = margins.tolist(), range(rank) if axes is None else axes.tolist()
    pairs = [[0, 0]] * rank
    for place, axis in enumerate(axes):
        pairs[axis] = [margins[place], margins[place + len(axes)]]
    if rank > 4 or min(margins) < 0:
        raise Unlike("margins that are negative, or around more than four dimensions")
    mode = given.get("mode", b"constant").decode()
    fields: dict[str, Any] = {"mode": {"edge": "replicate", "wrap": "circular"}.get(mode, mode)}
    if mode == "constant" and value is not None:
        fields["value"] = float(value)
    return [Case("pad", [data], fields | {"channels": pairs[0], "padding": pairs[1:]})]


def resize(given: Attributes, inputs: list[Array]) -> list[Case]:
    data, _, scales, sizes = [*inputs, None, None][:4]
    axes = list(given.get("axes", range(data.ndim)))
    mode = given.get("mode", b"nearest").decode()
    places = given.get("coordinate_transformation_mode", b"half_pixel").decode()
    rounded = given.get("nearest_mode", b"round_prefer_floor").decode()
    ways = {
        ("nearest", "asymmetric"): {} if rounded == "floor" else None,
        ("linear", "half_pixel"): {"mode": "bilinear"},
        ("linear", "align_corners"): {"mode": "bilinear", "align_corners": True},
        ("cubic", "half_pixel"): {"mode": "bicubic"},
        ("cubic", "align_corners"): {"mode": "bicubic", "align_corners": True},
    }
    fields: dict[str, Any] | None = ways.get((mode, places))
    others = ("antialias", "exclude_outside", "cubic_coeff_a", "keep_aspect_ratio_policy")
    if fields is None or any(given.get(name) for name in others):
        raise Unlike("another way to resize")
    what, by = ("scale", scales) if scales is not None and scales.size else ("size", sizes)
    full = [1.0] * data.ndim if what == "scale" else list(data.shape)
    for axis, number in zip(axes, by.tolist(), strict=True):
        full[axis] = float(f"{number:.7g}")  # a decimal in 32 bits
    if full[:2] != ([1.0, 1.0] if what == "scale" else list(data.shape[:2])):
        raise Unlike("another batch, or channels")
    lengths = [n * by for n, by in zip(data.shape, full, strict=True)]
    if what == "scale" and places == "align_corners" and any(n != int(n) for n in lengths):
        raise Unlike("corners of maps whose sizes are fractions")
    return [Case("upsample", [sample], {what: full[2:], **fields}) for sample in data]


TRANSLATIONS: dict[str, Translation] = {
    **{
        name: plain(kind)
        for name, kind in {
            "Abs": "abs", "Neg": "negate", "Exp": "exp", "Log": "log", "Sqrt": "sqrt", "Reciprocal": "reciprocal",
            "Erf": "erf", "Relu": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh", "HardSwish": "hardswish",
            "Softplus": "softplus", "Mish": "mish", "Identity": "identity",
        }.items()
    },
    "LeakyRelu": plain("leaky_relu", alpha="slope"),
    "Elu": plain("elu", alpha="alpha"),
    "Celu": plain("celu", alpha="alpha"),
    # ONNX's defaults are not ours
    "Selu": lambda given, inputs: plain("selu", alpha="alpha", gamma="scale")(
        {"alpha": 1.6732632423543772, "gamma": 1.0507009873554805} | given, inputs
    ),
    "HardSigmoid": lambda given, inputs: plain("hardsigmoid", alpha="alpha", beta="beta")(
        {"alpha": 0.2, "beta": 0.5} | given, inputs
    ),
    "Clip": clip, "Gelu": gelu, "Swish": swish, "Softmax": softmax, "Concat": concat, "Transpose": transpose,
    "Add": join("add"), "Sum": join("add"), "Sub": join("subtract"), "Mul": join("multiply"),
    "Div": join("divide"), "Max": join("maximum"), "Min": join("minimum"),
    "ReduceMean": reduce("mean"), "ReduceSum": reduce("sum"), "ReduceMax": reduce("max"), "ReduceMin": reduce("min"),
    "LayerNormalization": over_last("layernorm"), "RMSNormalization": over_last("rmsnorm"),
    "LpNormalization": lp_normalization,
    "BatchNormalization": each(batchnorm), "InstanceNormalization": each(instancenorm),
    "GroupNormalization": each(groupnorm), "LRN": each(lrn),
    "Conv": each(conv), "ConvTranspose": each(deconv), "MaxPool": pool("maxpool"), "AveragePool": pool("avgpool"),
    "GlobalAveragePool": each(lambda given, inputs: Case("global_avgpool", inputs)),
    "GlobalMaxPool": each(lambda given, inputs: Case("global_maxpool", inputs)),
    "DepthToSpace": each(depth_to_space), "MatMul": matmul, "Slice": slice_, "Pad": pad, "Resize": resize,
}  # fmt: skip


def network(case: Case) -> tuple[Graph, Weights, Array]:
    """A network of the one operator, whose inputs are parts of one vector; its weights, and that vector."""
    counts = [array.size for array in case.inputs]
    builder = Builder(single_input((sum(counts),)), 100)
    parts = []
    for given, start, stop in zip(case.inputs, [0, *accumulate(counts)], accumulate(counts), strict=False):
        part = builder.add(f"part{len(parts)}", get("slice")(start=start, stop=stop), (INPUT,))
        parts.append(builder.add(f"input{len(parts)}", get("reshape")(shape=given.shape), (part,)))
    infos = get(case.kind).fields()
    fields = {name: infos[name].kind.check(value) for name, value in case.fields.items()}
    node = builder.add("operator", get(case.kind)(**fields), tuple(parts))
    shapes = {parameter.name: parameter.shape for parameter in builder.nodes[node].parameters}
    weights = {
        name: array("f", np.broadcast_to(case.weights[name], shape).ravel()) for name, shape in shapes.items()
    }
    graph = Graph.of("case", (sum(counts),), builder.nodes, node)
    values = np.concatenate([given.ravel() for given in case.inputs])
    return graph, Weights((*[{}] * node, weights), "random", seed=1), values


def results(case: Case) -> Iterator[tuple[str, Array]]:
    """The backends' names and outputs."""
    graph, weights, values = network(case)
    got = reference.run(graph, weights, values.tolist(), threads=1)
    yield "reference", np.array(got.values).reshape(got.shape)
    fast = prepare(graph, weights, 1).run(array("f", values))
    yield "numba", np.array(fast.values).reshape(fast.shape)


def check(
    op_type: str, given: Attributes, inputs: list[Array], wanted: Array, rtol: float, atol: float
) -> list[str]:
    """The backends that differ. Raises Unlike and SpecError for what is left out."""
    tensors = [wanted, *(given for given in inputs if given is not None)]
    if any(
        not isinstance(tensor, np.ndarray) or tensor.dtype not in (np.float32, np.int64) for tensor in tensors
    ):
        raise Unlike("another type than float32")
    if not all(a is None or a.size for a in inputs):
        raise Unlike("nothing in an input")
    if inputs[0].ndim == 0:
        raise Unlike("a number without dimensions")
    cases = TRANSLATIONS[op_type](given, inputs)
    batched = len(cases) > 1 or cases[0].inputs[0].ndim < inputs[0].ndim
    wrong = []
    for number, case in enumerate(cases):
        expected = wanted[number] if batched else wanted
        for backend, got in results(case):
            if got.size != expected.size or not np.allclose(
                got.reshape(expected.shape), expected, max(rtol, 1e-4), max(atol, 1e-6), equal_nan=True
            ):
                wrong.append(backend)
    return wrong


def main() -> int:
    asked = sys.argv[1:]
    passed: Counter[str] = Counter()
    left_out: Counter[str] = Counter()
    wrong = []
    for test in collect_testcases(None):
        nodes = test.model.graph.node
        if (
            len(nodes) != 1
            or nodes[0].op_type not in TRANSLATIONS
            or (asked and nodes[0].op_type not in asked)
        ):
            continue
        node = nodes[0]
        given = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        for inputs, outputs in test.data_sets:
            present = iter(inputs)
            arrays = [next(present) if name else None for name in node.input]
            try:
                if sum(map(bool, node.output)) > 1 and node.op_type not in ("LayerNormalization",):
                    raise Unlike("several outputs")
                found = check(node.op_type, dict(given), arrays, outputs[0], test.rtol, test.atol)
            except Unlike as reason:
                left_out[str(reason)] += 1
                continue
            except SpecError as error:
                left_out[f"refused: {error.message}"] += 1
                continue
            passed[node.op_type] += not found
            wrong += [f"{test.name}: {', '.join(sorted(set(found)))}"] if found else []
    print(
        f"{sum(passed.values())} cases of {len(passed)} operators agree, {len(wrong)} differ",
        *wrong,
        sep="\n  ",
    )
    print(
        f"{sum(left_out.values())} left out:",
        *(f"{count} {reason}" for reason, count in left_out.items()),
        sep="\n  ",
    )
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
