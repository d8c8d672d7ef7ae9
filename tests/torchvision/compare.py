"""Compares architectures/torchvision/* with torchvision's own models. Not a test; needs PyTorch.

    python3 -m venv /tmp/torchvision && /tmp/torchvision/bin/pip install torch==2.14.1 torchvision==0.29.1 pyyaml
    /tmp/torchvision/bin/python tests/torchvision/compare.py                 # all of them, about two minutes
    /tmp/torchvision/bin/python tests/torchvision/compare.py resnet50 googlenet
    /tmp/torchvision/bin/python tests/torchvision/compare.py --dump tests/data/torchvision_keys.json.gz

No weights are made or fetched: models live on PyTorch's meta device; outputs.py compares outputs.
Compared for each model, at the spec's own input size and at the one the published counts are for:

* parameters, and the state dict's keys and shapes, but for auxiliary heads, batch counters and dimensions of 1;
* every module's output shape, by its path, for each of its calls;
* multiply-accumulates, against PyTorch's own counter, both products of attention included;
* the whole computation: both graphs, with every operation's attributes (stride, padding, dilation, groups, eps,
  dropout rate, rounding, divisors, activation), its weights' names, its output shape and the order of its inputs,
  are folded into one digest, so functional calls that are no modules are covered too;
  (but for transformers, whose functional attention is no graph of modules, clips, segmentation and detection);
* the transforms and the address of the published weights against preprocess and weights.

Before that, both sides are brought to the same words: a mean over height and width is global pooling and flatten,
nested concatenations are one, half of `chunk` is a slice, and the identity is left out.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import operator
import sys
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

try:
    import torch
    import torchvision
    from networks import DETECTION, SEGMENTING, TRANSFORMERS, VIDEO, build, settings, state, weights_of
    from torch import fx, nn
    from torch.utils.flop_counter import FlopCounterMode
    from torchvision.models.convnext import LayerNorm2d
    from torchvision.models.shufflenetv2 import channel_shuffle
    from torchvision.ops import Permute, StochasticDepth
except ImportError as missing:
    sys.exit(f"compare.py needs torch and torchvision ({missing}); its docstring says how to install them")

from convcalc.graph import INPUT, Graph, Node  # noqa: E402
from convcalc.language.load import load_graph  # noqa: E402

PUBLISHED = Path(__file__).with_name("published.csv")
AUXILIARY = ("AuxLogits.", "aux1.", "aux2.")
COUNTER = "num_batches_tracked"
# Modules torchvision calls several times, or that do nothing, or the projections within our attention: no path here.
FUNCTIONS = ("relu", "stochastic_depth", "stochastic_dropout", "to_qkv", "merge")
# What is not one map: the outputs of all levels in a row, or a dictionary of them.
JOINED = ("head", "head.classification_head", "head.regression_head")

Digest = tuple[Any, ...]


# --- torchvision's side -------------------------------------------------------------------------------------


class Tracer(fx.Tracer):
    """Sees torchvision's compound operations as one."""

    def __init__(self) -> None:
        super().__init__(autowrap_functions=(channel_shuffle,))

    def is_leaf_module(self, module: nn.Module, path: str) -> bool:
        """Norms over channels, permutations and stochastic depth stay whole."""
        return isinstance(module, (LayerNorm2d, Permute, StochasticDepth)) or super().is_leaf_module(
            module, path
        )


class AxisReach(fx.Interpreter):
    """Runs a traced model and gathers each operation in the words both sides share."""

    def __init__(self, model: nn.Module, table: Table) -> None:
        super().__init__(fx.GraphModule(model, Tracer().trace(model)))
        self.table = table
        self.known: dict[fx.Node, int] = {}

    def run_node(self, n: fx.Node) -> Any:
        """Its value, after noting what it is."""
        value = super().run_node(n)
        number = self._number(n, value)
        if number is not None:
            self.known[n] = number
        return value

    def _number(self, n: fx.Node, value: Any) -> int | None:
        if n.op == "placeholder":
            return self.table.put(("input",), [], shape(value))
        if n.op == "output":
            return None
        if n.op == "get_attr":
            return self.table.put(("attribute", n.target), [], tuple(value.shape))
        inputs = [self.known[source] for source in sources(n) if source in self.known]
        if n.op == "call_module":
            words = module_words(n.target, self.fetch_attr(n.target))
            return inputs[0] if words is None else self.table.put(words, inputs, shape(value))
        return self._function(n, value, inputs)

    def _function(self, n: fx.Node, value: Any, inputs: list[int]) -> int | None:
        put, target = self.table.put, n.target
        name = target if isinstance(target, str) else getattr(target, "__name__", str(target))
        if name in ("add", "iadd", "add_"):
            return put(("add",), sorted(inputs), shape(value))
        if name in ("mul", "imul"):
            first = next(source for source in sources(n) if source in self.known)
            if first.op == "get_attr":
                return put(("scale", first.target), [inputs[1]], shape(value))
            return put(("multiply",), sorted(inputs), shape(value))
        if name in ("cat", "concat"):
            return put(("concat",), inputs, shape(value))
        if name == "flatten":
            return put(("flatten",), inputs, shape(value))
        if name == "relu":
            return put(("relu",), inputs, shape(value))
        if name == "mean":
            assert tuple(n.args[1]) == (2, 3), n.args
            pooled = put(("global_avgpool",), inputs, (*shape(value), 1, 1))
            return put(("flatten",), [pooled], shape(value))
        if name == "chunk":
            return inputs[0]
        if target is operator.getitem:
            whole = self.env[n.args[0]]
            start = sum(part.shape[1] for part in whole[: n.args[1]])
            return put(("slice", start, start + value.shape[1]), inputs, shape(value))
        if name == "channel_shuffle":
            return put(("channel_shuffle", n.args[1]), inputs, shape(value))
        if name in ("max_pool2d", "boolean_dispatch"):
            return put(
                pool_words("maxpool", self._called(n, ("kernel_size", "stride", "padding"))),
                inputs,
                shape(value),
            )
        if name == "avg_pool2d":
            return put(
                pool_words("avgpool", self._called(n, ("kernel_size", "stride", "padding"))),
                inputs,
                shape(value),
            )
        if name == "adaptive_avg_pool2d":
            assert n.args[1] in (1, (1, 1)), n.args
            return put(("global_avgpool",), inputs, shape(value))
        raise TypeError(f"{n.op} {name} has no words yet")

    @staticmethod
    def _called(n: fx.Node, names: tuple[str, ...]) -> dict[str, Any]:
        return {**dict(zip(names, n.args[1:], strict=False)), **n.kwargs}


def sources(n: fx.Node) -> Iterator[fx.Node]:
    """The nodes an operation reads, in order, repeats included."""
    for argument in n.args:
        for item in argument if isinstance(argument, (list, tuple)) else [argument]:
            if isinstance(item, fx.Node):
                yield item


def shape(value: torch.Tensor) -> tuple[int, ...]:
    """Without the batch."""
    return tuple(value.shape[1:])


def pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)


def pool_words(kind: str, given: dict[str, Any]) -> Digest:
    kernel = pair(given["kernel_size"])
    stride = pair(given.get("stride") or kernel)
    assert pair(given.get("dilation", 1)) == (1, 1)
    words = (kind, kernel, stride, pair(given.get("padding", 0)), bool(given.get("ceil_mode", False)))
    return (*words, bool(given.get("count_include_pad", True))) if kind == "avgpool" else words


POINTWISE = {
    nn.ReLU: "relu",
    nn.ReLU6: "relu6",
    nn.SiLU: "silu",
    nn.Sigmoid: "sigmoid",
    nn.Hardswish: "hardswish",
    nn.Hardsigmoid: "hardsigmoid",
}


def module_words(path: str, module: nn.Module) -> Digest | None:
    """What a module does; None for the identity."""
    kind = type(module)
    if kind in POINTWISE:
        return (POINTWISE[kind],)
    if kind is nn.GELU:
        assert module.approximate == "none"
        return ("gelu",)
    if kind is nn.Conv2d:
        assert module.padding_mode == "zeros"
        fields = (module.kernel_size, module.stride, module.padding, module.dilation, module.groups)
        return ("conv", path, module.out_channels, *fields, module.bias is not None)
    if kind is nn.Linear:
        return ("dense", path, module.out_features, module.bias is not None)
    if kind is nn.BatchNorm2d:
        assert module.affine
        assert module.track_running_stats
        return ("batchnorm", path, module.eps)
    if kind in (nn.LayerNorm, LayerNorm2d):
        assert module.elementwise_affine
        return ("layernorm", path, module.eps, "channels" if kind is LayerNorm2d else "last")
    if kind is nn.Dropout:
        return ("dropout", module.p)
    if kind is nn.MaxPool2d:
        return pool_words("maxpool", vars(module))
    if kind is nn.AvgPool2d:
        assert module.divisor_override is None
        return pool_words("avgpool", vars(module))
    if kind is nn.AdaptiveAvgPool2d:
        size = pair(module.output_size)
        return ("global_avgpool",) if size == (1, 1) else ("adaptive_avgpool", size)
    if kind is nn.Flatten:
        assert (module.start_dim, module.end_dim) == (1, -1)
        return ("flatten",)
    if kind is Permute:
        assert module.dims[0] == 0
        return ("transpose", tuple(dimension - 1 for dimension in module.dims[1:]))
    if kind is StochasticDepth:
        assert module.mode == "row"
        return ("stochastic_depth", round(module.p, 9))
    if kind is nn.Identity:
        return None
    raise TypeError(f"{path}: {kind.__name__} has no words yet")


# --- convcalc's side ----------------------------------------------------------------------------------------


def node_words(node: Node) -> Digest | None:
    """What a node does; None for the identity."""
    fields = node.op.shown_fields()
    kind, path = node.kind, node.name
    plain = {
        "relu",
        "relu6",
        "silu",
        "sigmoid",
        "hardswish",
        "hardsigmoid",
        "add",
        "multiply",
        "concat",
        "flatten",
    }
    if kind in plain | {"global_avgpool"}:
        return (kind,)
    if kind == "gelu":
        assert fields["approximate"] in (None, "none", "erf"), fields
        return ("gelu",)
    if kind == "conv":
        assert fields["rounding"] == "floor"
        sizes = (fields["kernel"], fields["stride"], fields["padding"], fields["dilation"])
        return ("conv", path, fields["filters"], *map(pair, sizes), node.op.groups, fields["bias"])
    if kind == "dense":
        return ("dense", path, fields["units"], fields["bias"])
    if kind == "batchnorm":
        assert fields["affine"]
        return ("batchnorm", path, fields["eps"])
    if kind == "layernorm":
        return ("layernorm", path, fields["eps"], fields["axis"])
    if kind == "dropout" and fields["per"] == "sample":
        return ("stochastic_depth", round(fields["rate"], 9))
    if kind == "dropout":
        return ("dropout", fields["rate"])
    if kind in ("maxpool", "avgpool"):
        words = (kind, pair(fields["kernel"]), pair(fields["stride"]), pair(fields["padding"]))
        ceil = fields["rounding"] == "ceil"
        return (*words, ceil, fields["count_padding"]) if kind == "avgpool" else (*words, ceil)
    if kind == "adaptive_avgpool":
        size = pair(fields["size"])
        return ("global_avgpool",) if size == (1, 1) else ("adaptive_avgpool", size)
    if kind == "transpose":
        return ("transpose", tuple(fields["order"]))
    if kind == "scale":
        return ("scale", node.keys.get("weight", f"{path}.weight"))
    if kind == "slice":
        return ("slice", fields["start"], fields["stop"])
    if kind == "channel_shuffle":
        return ("channel_shuffle", fields["groups"])
    if kind == "identity":
        return None
    raise TypeError(f"{path}: {kind} has no words yet")


def gather(graph: Graph, table: Table) -> int:
    """The number of the network's output."""
    numbers = {INPUT: table.put(("input",), [], graph.input_shape)}
    for node in graph:
        words = node_words(node)
        inputs = [numbers[source] for source in node.inputs]
        if words is None:
            numbers[node.index] = inputs[0]
            continue
        if node.kind in ("add", "multiply"):
            inputs.sort()
        numbers[node.index] = table.put(words, inputs, node.output_shape)
    return numbers[graph.output]


class Table:
    """Numbers for computations: equal ones get the same number. Nested concatenations become one."""

    def __init__(self) -> None:
        self.numbers: dict[Digest, int] = {}
        self.parts: dict[int, tuple[int, ...]] = {}

    def put(self, words: Digest, inputs: list[int], size: tuple[int, ...]) -> int:
        """The number of an operation on inputs that have numbers."""
        if words == ("concat",):
            inputs = [part for number in inputs for part in self.parts.get(number, (number,))]
            if len(inputs) == 1:
                return inputs[0]
        number = self.numbers.setdefault((words, tuple(inputs), size), len(self.numbers))
        if words == ("concat",):
            self.parts[number] = tuple(inputs)
        return number


# --- the comparison -----------------------------------------------------------------------------------------


def keys(graph: Graph) -> dict[str, tuple[int, ...]]:
    """The graph's tensors under the names torchvision's models use today, without dimensions of 1; what a rule makes
    flat."""
    found = {}
    for node in graph:
        for parameter in node.parameters if node.shares is None else ():
            size = squeezed(parameter.shape) if parameter.rule is None else (prod(parameter.shape),)
            found[node.keys.get(parameter.name, parameter.key(node.name))] = size
    return found


def ruled(graph: Graph) -> set[str]:
    """The keys of what rules make; its numbers may be grouped differently in a file."""
    return {
        node.keys.get(parameter.name, parameter.key(node.name))
        for node in graph
        for parameter in node.parameters
        if parameter.rule is not None
    }


def squeezed(size: Any) -> tuple[int, ...]:
    return tuple(length for length in size if length != 1)


def compare(name: str, published: dict[str, str]) -> tuple[list[str], str]:
    """What differs, and what was compared."""
    problems: list[str] = []
    arch = f"torchvision/{name}"
    graph = load_graph(arch, settings=settings(name))
    model = build(name)
    theirs = {
        key: squeezed(size)
        for key, size in state(name).items()
        if not key.startswith(AUXILIARY) and not key.endswith(COUNTER)
    }
    ours = keys(graph)
    for key in ruled(graph) & set(theirs):
        theirs[key] = (prod(theirs[key]),)
    for key in sorted({*ours, *theirs}):
        if ours.get(key) != theirs.get(key):
            problems.append(f"{key}: {ours.get(key)} here, {theirs.get(key)} there")

    here = sum(
        prod(p.shape) for node in graph if node.shares is None for p in node.parameters if p.role != "buffer"
    )
    there = sum(parameter.numel() for parameter in model.parameters())
    if here != there:
        problems.append(f"parameters: {here:,} here, {there:,} there")
    problems += compare_weights(name, graph)
    counted = tuple(map(int, published["input"].split("x")))
    sizes = {graph.input_shape, counted}
    modules = operations = macs = 0
    for size in sorted(sizes):
        sized = load_graph(arch, settings=settings(name), input_shape=size)
        found, modules = compare_shapes(sized, model)
        problems += found
        if not (name.startswith((*TRANSFORMERS, *SEGMENTING)) or name in (*VIDEO, *DETECTION)):
            found, operations = compare_computation(sized, model)
            problems += found
        macs = sum(node.op.macs(node.input_shapes) for node in sized)
        multiplied = counted_macs(model, size)
        if macs != multiplied:
            problems.append(f"MACs at {size}: {macs:,} here, {multiplied:,} there")
        if size == counted and round(macs / 1e9, 3) != float(published["gmacs_at_input"]):
            problems.append(f"MACs at {size}: {macs:,}, published {published['gmacs_at_input']}G")
    shown = " and ".join("×".join(map(str, size)) for size in sorted(sizes))
    found = f"{len(theirs)} tensors, {modules} modules, {operations} operations, {there:,} parameters"
    return problems, f"{found}, {macs:,} MACs, {shown}"


def compare_weights(name: str, graph: Graph) -> list[str]:
    """preprocess, published figures and weights against the published weights' own data."""
    problems = []
    published = weights_of(name)
    weights = graph.weights if isinstance(graph.weights, dict) else {}
    if name != "resnet50_fpn":  # a part of what is published
        if weights.get("url") != published.url:
            problems.append(f"weights: {weights.get('url')} here, {published.url} there")
        if f"-{weights.get('sha256')}." not in published.url:
            problems.append(f"weights: {weights.get('sha256')} is not the hash in {published.url}")
        problems += compare_published(graph, published.meta)
    if graph.preprocess is None:
        return problems
    transforms = published.transforms()
    own = dict(graph.preprocess)
    mean, std = tuple(getattr(transforms, "mean", ())), tuple(getattr(transforms, "std", ()))
    if name in ("googlenet", "inception_v3"):  # their transform_input turns this normalisation into another
        mean = std = (0.5, 0.5, 0.5)
    if name in DETECTION:  # its transforms are part of the model
        mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    expected: dict[str, Any] = {"mean": mean, "std": std}
    if name not in DETECTION:
        expected |= {"resize": transforms.resize_size[0], "interpolation": transforms.interpolation.value}
    if hasattr(transforms, "crop_size"):
        expected["crop"] = transforms.crop_size[0]
        if graph.input_shape != (3, expected["crop"], expected["crop"]):
            problems.append(f"input: {graph.input_shape} here, crop {expected['crop']} there")
        exact = published.meta["_ops"]
        macs = sum(node.op.macs(node.input_shapes) for node in graph)
        if round(macs / 1e9, 3) != exact:
            problems.append(f"MACs: {macs:,} here, {exact}G there")
    own.setdefault("interpolation", "bilinear")
    for field in ("mean", "std"):
        own[field] = own[field] * 3 if len(own[field]) == 1 else own[field]
    for field, value in expected.items():
        if own.get(field) != value:
            problems.append(f"preprocess {field}: {own.get(field)} here, {value} there")
    return problems


METRICS = {
    "acc@1": "top1",
    "acc@5": "top5",
    "miou": "miou",
    "pixel_acc": "pixel_accuracy",
    "box_map": "box_map",
}


def compare_published(graph: Graph, meta: dict[str, Any]) -> list[str]:
    """What the weights' metadata say of accuracy and parameters."""
    (metrics,) = meta["_metrics"].values()
    expected = {METRICS[key]: value for key, value in metrics.items() if key in METRICS}
    expected["params"] = meta["num_params"]
    return [
        f"published {key}: {graph.published.get(key)} here, {value} there"
        for key, value in expected.items()
        if graph.published.get(key) != value
    ]


def compare_shapes(graph: Graph, model: nn.Module) -> tuple[list[str], int]:
    """Every module's output shape, by path: a node's, or of the last node under it. A module that is called several
    times has a node for each call, which shares the weights of the first."""
    outputs: dict[str, list[tuple[int, ...]]] = {}
    for node in graph:
        if node.shares is not None:
            outputs[graph.nodes[node.shares].name].append(node.output_shape)
            continue
        outputs[node.name] = [node.output_shape]
        scope = node.name
        while "." in scope:
            scope = scope.rpartition(".")[0]
            outputs[scope] = [node.output_shape]
    problems, seen = [], 0
    calls: dict[str, int] = {}
    for path, size in module_outputs(model, graph.input_shape):
        if path in JOINED:
            continue
        if "denselayer" in path.rpartition(".")[2]:  # torchvision joins its output to the input one level up
            size = (outputs[path][0][0], *size[1:])
        if path not in outputs:
            if not path.rpartition(".")[2].startswith(FUNCTIONS):
                problems.append(f"module {path} is not here")
            continue
        call = calls[path] = calls.get(path, -1) + 1
        if call and len(outputs[path]) == 1:  # a scope, or what has no weights: the first call speaks for it
            continue
        seen += 1
        if outputs[path][call] != size:
            problems.append(f"{path}: output {outputs[path][call]} here, {size} there")
    return problems, seen


def module_outputs(model: nn.Module, size: tuple[int, ...]) -> list[tuple[str, tuple[int, ...]]]:
    """Paths and output shapes of all modules of a forward pass, first to last; of several maps that of the last."""
    outputs: list[tuple[str, tuple[int, ...]]] = []
    handles = []
    for path, module in model.named_modules():
        if path and not isinstance(module, nn.Identity):

            def hook(module: nn.Module, inputs: Any, output: Any, path: str = path) -> None:
                if isinstance(output, dict):
                    output = list(output.values())[-1]
                if isinstance(output, tuple):
                    output = output[0]
                    output = output[-1] if isinstance(output, list) else output
                outputs.append((path, shape(output)))

            handles.append(module.register_forward_hook(hook))
    with torch.inference_mode():
        model(torch.empty(1, *size, device="meta"))
    for handle in handles:
        handle.remove()
    return outputs


def counted_macs(model: nn.Module, size: tuple[int, ...]) -> int:
    """What PyTorch's counter counts, both products of attention included."""
    torch.backends.mha.set_fastpath_enabled(False)
    counter = FlopCounterMode(display=False)
    with counter, torch.inference_mode():
        model(torch.empty(1, *size, device="meta"))
    return counter.get_total_flops() // 2


def compare_computation(graph: Graph, model: nn.Module) -> tuple[list[str], int]:
    """Whether both graphs compute the same; else the first operations that differ."""
    table = Table()
    output = gather(graph, table)
    ours = len(table.numbers)
    known = list(table.numbers)
    walk = AxisReach(model, table)
    walk.run(torch.empty(1, *graph.input_shape, device="meta"))
    last = next(source for source in sources(next(n for n in reversed(walk.graph.nodes) if n.op == "output")))
    if walk.known[last] == output:
        return [], ours
    other = [f"there: {key}" for key in list(table.numbers)[ours:] if key[0][0] != "attribute"]
    return ["the computations differ", *other[:3], *(f"here: {key}" for key in known[:3])], ours


def dump(names: list[str], path: Path) -> None:
    """All models' keys and shapes, and the output shapes of the modules that hold tensors, at the spec's input; as
    bytes that depend on nothing else."""
    content = {
        "torch": torch.__version__.partition("+")[0],
        "torchvision": torchvision.__version__.partition("+")[0],
        "models": {name: state(name) for name in names},
        "outputs": {name: outputs_of(name) for name in names},
    }
    text = json.dumps(content, separators=(",", ":"))
    path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


def outputs_of(name: str) -> dict[str, tuple[int, ...]]:
    """The output shape of the first call of each module that holds tensors itself, by path."""
    model = build(name)
    size = load_graph(f"torchvision/{name}").input_shape
    modules = dict(model.named_modules())
    found: dict[str, tuple[int, ...]] = {}
    for path, output in module_outputs(model, size):
        own = next(modules[path].parameters(recurse=False), None) is not None or modules[path]._buffers
        if own and not path.rpartition(".")[2].startswith(FUNCTIONS):
            found.setdefault(path, output)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare architectures/torchvision with torchvision.")
    parser.add_argument("names", nargs="*", help="models; all of them without")
    parser.add_argument(
        "--dump", type=Path, metavar="FILE", help="write keys and shapes of all models, compare nothing"
    )
    options = parser.parse_args()
    with PUBLISHED.open() as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    if options.dump:
        dump(sorted(rows), options.dump)
        return
    failures = 0
    print(f"torch {torch.__version__}, torchvision {torchvision.__version__}")
    for name in options.names or rows:
        problems, compared = compare(name, rows[name])
        failures += bool(problems)
        print(f"{name}: {'differs' if problems else 'the same'} ({compared})", flush=True)
        for problem in problems[:12]:
            print(f"    {problem}")
    print(f"{len(options.names or rows) - failures} of {len(options.names or rows)} the same")
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
