"""A PyTorch module traced with torch.export into a `Program`. Needs PyTorch, which is imported when it is called.

torch.export runs the module on tensors without data, so any batch size costs the same. The batch is a large prime: it
is found again in every shape, also where the module merges it with other dimensions.
"""

from __future__ import annotations

import contextlib
import inspect
import logging
import operator
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from math import prod
from typing import Any

from convcalc.errors import UsageError
from convcalc.formats.torch.read.plain import DTYPES, batch_share, labelled, node_shapes, tensor_bytes
from convcalc.formats.torch.read.records import BATCHES, Call, ModuleCall, Program, Ref, Stored
from convcalc.shapes import Shape

MAX_COMPUTED = 1 << 26  # numbers of a tensor that is computed ahead
# Operators that make a tensor from the shape of another, not from its values.
SHAPE_ONLY = {
    "new_zeros", "new_ones", "new_full", "new_empty", "zeros_like", "ones_like", "full_like", "empty_like",
}  # fmt: skip
# Operators whose result holds the numbers of the first argument in their order.
ORDER_KEPT = {
    "view", "reshape", "_unsafe_view", "flatten", "unflatten", "unsqueeze", "squeeze", "expand", "expand_as",
    "contiguous", "detach", "alias", "clone", "lift_fresh_copy", "detach_", "requires_grad_",
}  # fmt: skip
# Modules that are one operator: attributes that tell which.
WHOLE_MODULES: dict[str, tuple[str, ...]] = {
    "torch.nn.modules.activation.MultiheadAttention": (
        "num_heads", "embed_dim", "batch_first", "_qkv_same_embed_dim", "add_zero_attn", "bias_k",
    ),
    "torch.nn.modules.normalization.LocalResponseNorm": ("size", "alpha", "beta", "k"),
    "torch.nn.modules.channelshuffle.ChannelShuffle": ("groups",),
}  # fmt: skip


def traced(
    module: Any, shapes: Sequence[Shape] | Mapping[str, Shape], name: str, dtype: Any = None
) -> Program:
    """The program of a module in evaluation mode, without gradients. shapes: of the inputs, without the batch, in order
    or by the names of `forward`'s parameters. The module is left as it was. Raises ModelError if it cannot be traced,
    UsageError if it has no such input."""
    import torch

    names = _input_names(module, shapes)
    sizes = list(shapes.values()) if isinstance(shapes, Mapping) else list(shapes)
    batch = _batch(module, sizes)
    with _evaluating(module), torch.no_grad(), warnings.catch_warnings(), quiet():
        warnings.simplefilter("ignore")
        exported = _exported(module, names, sizes, batch, by_name=isinstance(shapes, Mapping))
        return _Recorder(exported, module, batch, name).program(names)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Sends what a module prints to stderr, so that results on stdout stay whole, and leaves out what PyTorch logs
    besides the errors that it raises."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        logging.disable(before)


@contextlib.contextmanager
def _evaluating(module: Any) -> Iterator[None]:
    """The module in evaluation mode, attention in plain operators; both are restored."""
    import torch

    modes = {part: part.training for part in module.modules()}
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    module.eval()
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for part, mode in modes.items():
            part.training = mode


def _input_names(module: Any, shapes: Sequence[Shape] | Mapping[str, Shape]) -> list[str]:
    """The names of the inputs: of `forward`'s parameters, or `input` for the only one."""
    parameters = [
        entry
        for entry in inspect.signature(module.forward).parameters.values()
        if entry.kind in (entry.POSITIONAL_ONLY, entry.POSITIONAL_OR_KEYWORD, entry.KEYWORD_ONLY)
    ]
    known = [entry.name for entry in parameters]
    if isinstance(shapes, Mapping):
        unknown = [name for name in shapes if name not in known]
        if unknown:
            raise UsageError(
                f"the module has no input {unknown[0]}", hint=f"its forward takes {', '.join(known)}"
            )
        return list(shapes)
    needed = [entry.name for entry in parameters if entry.default is entry.empty]
    if len(shapes) < len(needed):
        raise UsageError(
            f"the module has {len(needed)} inputs: {', '.join(needed)}",
            hint=" ".join(f"--input {entry}=SHAPE" for entry in needed),
        )
    return ["input"] if len(shapes) == 1 else known[: len(shapes)]


def _batch(module: Any, shapes: Sequence[Shape]) -> int:
    """A prime that no dimension of a parameter, a buffer or an input is a multiple of."""
    sizes = {size for shape in shapes for size in shape}
    for tensor in (*module.parameters(), *module.buffers()):
        sizes.update(tensor.shape)
    return next(prime for prime in BATCHES if all(size % prime for size in sizes if size))


def _exported(module: Any, names: list[str], shapes: Sequence[Shape], batch: int, *, by_name: bool) -> Any:
    """torch.export's program for inputs without data, of the parameters' type and device."""
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode

    first = next((tensor for tensor in module.parameters() if tensor.is_floating_point()), None)
    options = {} if first is None else {"dtype": first.dtype, "device": first.device}
    with FakeTensorMode(allow_non_fake_inputs=True):
        tensors = [torch.empty((batch, *shape), **options) for shape in shapes]
    given: dict[str, Any] = dict(zip(names, tensors, strict=True)) if by_name else {}
    return torch.export.export(module, () if by_name else tuple(tensors), given)


class _Recorder:
    """Makes a Program of an exported one, and computes on the way what does not depend on the inputs."""

    def __init__(self, exported: Any, module: Any, batch: int, name: str) -> None:
        self.exported = exported
        self.module = module
        self.batch = batch
        self.name = name
        self.values: dict[str, Any] = {}  # tensors that do not depend on the inputs
        self.stored: dict[str, Stored] = {}
        self.calls: list[Call] = []
        self.classes: dict[str, str] = {}
        self.names: dict[
            Any, str
        ] = {}  # of nodes in inner graphs, and of those that stand for one of their values

    def program(self, names: list[str]) -> Program:
        """The program; names: those of the inputs."""
        from torch.utils import _pytree as pytree

        signature = self.exported.graph_signature
        kinds = {spec.arg.name: spec for spec in signature.input_specs if hasattr(spec.arg, "name")}
        inputs: list[tuple[str, str, Shape]] = []
        for node in self.exported.graph.nodes:
            if node.op == "placeholder":
                spec = kinds[node.name]
                if spec.kind.name == "USER_INPUT":
                    inputs.append((node.name, names[len(inputs)], tuple(node.meta["val"].shape)))
                else:
                    self._store_given(node.name, spec.target)
            elif node.op == "call_function":
                self._call(node)
        given = {node.name: node for node in self.exported.graph.nodes}
        results = [spec.arg for spec in signature.output_specs if spec.kind.name == "USER_OUTPUT"]
        tree = pytree.tree_unflatten(list(range(len(results))), self.exported.call_spec.out_spec)
        outputs = [
            (label, self._name(given[results[place].name]))
            for label, place in labelled(tree)
            if type(results[place]).__name__ == "TensorArgument"
        ]
        return Program(
            self.name, self.batch, inputs, outputs, self.stored, self.calls, self.classes, self._modules()
        )

    def _store_given(self, name: str, target: str) -> None:
        """Keep a parameter, a buffer or a tensor made while tracing."""
        exported = self.exported
        tensor = exported.state_dict.get(target)
        learned = tensor is not None and target in exported.graph_signature.parameters
        if tensor is None:
            tensor = exported.constants[target]
        if not hasattr(tensor, "detach"):
            return
        tensor = tensor.detach()
        self.values[name] = tensor
        self._store(name, tensor, tuple(tensor.shape), target, frozenset({target} if learned else ()), None)

    def _store(
        self, name: str, tensor: Any, shape: Shape, key: str, learned: frozenset[str], call: Call | None
    ) -> None:
        share = tensor
        for dimension, size in reversed(list(enumerate(shape))):
            if size == self.batch:
                share = share.squeeze(dimension)
        dtype = DTYPES.get(str(share.dtype).partition(".")[2], "F32")
        self.stored[name] = Stored(
            shape, tuple(share.shape), dtype, partial(tensor_bytes, share, dtype), key, learned, call
        )

    def _name(self, node: Any) -> str:
        return str(self.names.get(node, node.name))

    def _call(self, node: Any, path: str = "") -> None:
        """Record a call. path: of the enclosing call, for nodes of an inner graph."""
        name = self._name(node)
        if node.target is operator.getitem:
            source, place = node.args
            if node in self.names:
                return  # a result of an inner graph
            call = Call(
                name, "getitem", "", {"self": Ref(self._name(source)), "index": place}, node_shapes(node)
            )
        elif str(node.target).startswith("wrap_with_"):
            self._inline(node)
            return
        elif not hasattr(node.target, "_schema"):
            call = Call(name, str(node.target), "", self._by_place(node), node_shapes(node))
        else:
            schema = node.target._schema
            op = schema.name.partition("::")[2]
            call = Call(
                name, op, schema.overload_name or "default", self._arguments(node, schema), node_shapes(node),
                self._path(node) or path,
            )  # fmt: skip
        self.calls.append(call)
        self._compute(node, call)

    def _inline(self, node: Any) -> None:
        """The calls of an inner graph, such as that of a block in which autocast is off, in place of its call."""
        place = next(at for at, entry in enumerate(node.args) if getattr(entry, "op", "") == "get_attr")
        graph = getattr(self.exported.graph_module, node.args[place].target).graph
        path = self._path(node)
        given = iter(node.args[place + 1 :])
        for inner in graph.nodes:
            if inner.op == "placeholder":
                self.names[inner] = self._name(next(given))
            elif inner.op == "call_function":
                self.names[inner] = f"{node.name}.{inner.name}"
                self._call(inner, path)
            elif inner.op == "output":
                results = inner.args[0]
                for reader in node.users:
                    if reader.target is operator.getitem:
                        self.names[reader] = self._name(results[reader.args[1]])

    def _arguments(self, node: Any, schema: Any) -> dict[str, Any]:
        """The arguments by name, defaults filled in."""
        given = dict(zip((argument.name for argument in schema.arguments), node.args, strict=False))
        given.update(node.kwargs)
        return {
            argument.name: self._plain(given.get(argument.name, argument.default_value))
            for argument in schema.arguments
        }

    def _by_place(self, node: Any) -> dict[str, Any]:
        return {str(place): self._plain(value) for place, value in enumerate(node.args)}

    def _plain(self, value: Any) -> Any:
        """An argument as plain data: tensors as Refs, PyTorch's own types as text."""
        if hasattr(value, "op") and hasattr(value, "meta"):
            return Ref(self._name(value))
        if isinstance(value, (list, tuple)):
            return tuple(self._plain(item) for item in value)
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        return str(value)

    def _path(self, node: Any) -> str:
        """The path of the innermost module, with the classes of all on the way noted."""
        path = ""
        for path, kind in (node.meta.get("nn_module_stack") or {}).values():
            self.classes.setdefault(
                path, kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}"
            )
        return path

    def _compute(self, node: Any, call: Call) -> None:
        """The value of a call that depends on no input, if it is of a reasonable size."""
        sources = call.refs()
        if call.op.startswith("_assert") or call.op in ("sym_constrain_range_for_size",):
            return
        if call.op not in SHAPE_ONLY and not all(source in self.values for source in sources):
            return
        if call.op.endswith("_") and sources[0] in self.stored and self.stored[sources[0]].call is None:
            return  # it would change the module
        shape = call.shapes[0] if call.shapes else None
        if shape is not None and prod(batch_share(shape, self.batch)) > MAX_COMPUTED:
            return
        value = self._computed(node, call)
        if value is None:
            return
        self.values[call.name] = value
        if not hasattr(value, "detach") or shape is None:
            return
        given = [self.stored[source] for source in sources if source in self.stored]
        kept = (
            call.op in ORDER_KEPT
            and bool(given)
            and prod(given[0].size) == prod(batch_share(shape, self.batch))
        )
        learned = (
            frozenset().union(*(source.learned for source in given))
            if call.op not in SHAPE_ONLY
            else frozenset()
        )
        self._store(call.name, value, shape, given[0].key if kept else "", learned, call)

    def _computed(self, node: Any, call: Call) -> Any:
        """The value for a batch of one image; None if it cannot be computed."""
        import torch
        from torch.fx.node import map_arg

        def value(source: Any) -> Any:
            if self._name(source) in self.values:
                return self.values[self._name(source)]
            like = source.meta["val"]
            return torch.empty((1,), dtype=like.dtype).expand(batch_share(tuple(like.shape), self.batch))

        try:
            arguments = self._for_one(node.args), self._for_one(node.kwargs)
            return node.target(*map_arg(arguments[0], value), **map_arg(arguments[1], value))
        except Exception:
            return None

    def _for_one(self, argument: Any) -> Any:
        """An argument with sizes that hold the batch, for one image."""
        if (
            type(argument) is int
            and argument
            and not argument % self.batch
            and argument < MAX_COMPUTED * self.batch
        ):
            return argument // self.batch
        if isinstance(argument, (list, tuple)):
            return type(argument)(self._for_one(item) for item in argument)
        if isinstance(argument, dict):
            return {name: self._for_one(item) for name, item in argument.items()}
        return argument

    def _modules(self) -> dict[str, ModuleCall]:
        found = {}
        for path, kind in self.classes.items():
            if kind in WHOLE_MODULES:
                with contextlib.suppress(AttributeError):
                    module = self.module.get_submodule(path)
                    fields = {name: getattr(module, name) for name in WHOLE_MODULES[kind]}
                    fields = {
                        name: value if isinstance(value, (bool, int, float, str, type(None))) else True
                        for name, value in fields.items()
                    }
                    keys = {name: f"{path}.{name}" if path else name for name, _ in module.named_parameters()}
                    found[path] = ModuleCall(kind, fields, keys)
        return found
