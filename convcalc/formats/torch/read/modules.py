"""Modules of PyTorch that are one operator of ours, whatever their `forward` is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from convcalc.formats.torch.read.layers import operator
from convcalc.formats.torch.read.mapping import UNREADABLE, Mapper, Unmapped
from convcalc.formats.torch.read.records import Call, ModuleCall


class Region:
    """The consecutive calls of one use of a module. inputs: the values from outside that it reads, in order; outputs:
    its values that are read outside."""

    def __init__(self, path: str, calls: list[Call]) -> None:
        self.path = path
        self.calls = calls
        own = {call.name for call in calls}
        self.own = own
        read = [name for call in calls for name in call.refs() if name not in own]
        self.inputs = list(dict.fromkeys(read))
        self.outputs: list[str] = []


def whole_modules(mapper: Mapper) -> Mapping[str, Callable[[], None]]:
    """What to do in place of the table at the calls of modules that are one operator, by the call's name."""
    program = mapper.program
    read_by: dict[str, list[str]] = {}
    for call in program.calls:
        for name in call.refs():
            read_by.setdefault(name, []).append(call.name)
    final = {name for _, name in program.outputs}
    instead: dict[str, Callable[[], None]] = {}
    for region in _regions(mapper):
        module = program.modules[region.path]
        region.outputs = [
            name
            for name in region.own
            if name in final or any(reader not in region.own for reader in read_by.get(name, []))
        ]
        try:
            replace = MODULES[module.kind](mapper, region, module)
        except UNREADABLE:
            continue
        for call in region.calls:
            instead[call.name] = _nothing
        instead[region.calls[-1].name] = replace
    return instead


def _nothing() -> None:
    """At the calls of a region but the last."""


def _regions(mapper: Mapper) -> list[Region]:
    """The uses of modules that are one operator: their consecutive calls, those of inner modules included."""
    program = mapper.program
    regions: list[Region] = []
    calls: list[Call] = []
    path = ""
    for call in program.calls:
        if call.name in program.stored or call.op.startswith(("_assert", "sym_")):
            continue
        place = next((p for p in program.modules if call.path == p or call.path.startswith(f"{p}.")), "")
        if not call.path and call.op == "getitem" and calls and calls[-1].name in call.refs():
            place = path
        if place != path and calls:
            regions.append(Region(path, calls))
            calls = []
        path = place
        if place:
            calls.append(call)
    if calls:
        regions.append(Region(path, calls))
    return regions


def _single(mapper: Mapper, region: Region) -> tuple[str, str]:
    """The only input and the only output."""
    inputs = [name for name in region.inputs if name not in mapper.program.stored]
    if len(inputs) != 1 or len(region.outputs) != 1:
        raise Unmapped("it has several inputs or outputs")
    return inputs[0], region.outputs[0]


def attention(mapper: Mapper, region: Region, module: ModuleCall) -> Callable[[], None]:
    """MultiheadAttention of a sequence on itself."""
    fields = module.fields
    if fields["add_zero_attn"] or fields["bias_k"] or not fields["_qkv_same_embed_dim"]:
        raise Unmapped("it adds to its keys")
    source, result = _single(mapper, region)
    shape = next(call.shapes[0] for call in region.calls if call.name == result)
    if shape is None or len(shape) != 3:
        raise Unmapped("it is no sequence")
    if any(call.op not in PLAIN_ATTENTION for call in region.calls):
        raise Unmapped("it does more")
    keys = module.keys
    by_key = {
        stored.key: stored for stored in mapper.program.stored.values() if stored.key and not stored.call
    }
    tensors = {
        name: by_key[keys[name]] for name in ATTENTION_TENSORS if name in keys and keys[name] in by_key
    }
    if "in_proj_weight" not in tensors or "out_proj.weight" not in tensors:
        raise Unmapped("its weights are elsewhere")

    def replace() -> None:
        mapper.call = region.calls[-1]
        op = operator(
            "attention", heads=fields["num_heads"], in_bias="in_proj_bias" in tensors,
            out_bias="out_proj.bias" in tensors,
        )  # fmt: skip
        value = mapper.value_of(source)
        mapper.env[result] = mapper.add(op, (value.index,), shape, tensors, path=region.path)

    return replace


ATTENTION_TENSORS = ("in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias")
PLAIN_ATTENTION = {
    "linear", "transpose", "permute", "unflatten", "unsqueeze", "squeeze", "contiguous", "select", "view", "reshape",
    "scaled_dot_product_attention", "dropout", "softmax", "bmm", "baddbmm", "mul", "matmul", "getitem", "mean",
    "chunk", "split", "div",
}  # fmt: skip


def response_norm(mapper: Mapper, region: Region, module: ModuleCall) -> Callable[[], None]:
    """LocalResponseNorm."""
    source, result = _single(mapper, region)

    def replace() -> None:
        mapper.call = region.calls[-1]
        value = mapper.value_of(source)
        op = operator("lrn", **module.fields)
        mapper.env[result] = mapper.add(op, (value.index,), value.shape, path=region.path)

    return replace


def channel_shuffle(mapper: Mapper, region: Region, module: ModuleCall) -> Callable[[], None]:
    """ChannelShuffle."""
    source, result = _single(mapper, region)

    def replace() -> None:
        mapper.call = region.calls[-1]
        value = mapper.value_of(source)
        op = operator("channel_shuffle", groups=module.fields["groups"])
        mapper.env[result] = mapper.add(op, (value.index,), value.shape, path=region.path)

    return replace


MODULES: dict[str, Callable[[Mapper, Region, ModuleCall], Callable[[], None]]] = {
    "torch.nn.modules.activation.MultiheadAttention": attention,
    "torch.nn.modules.normalization.LocalResponseNorm": response_norm,
    "torch.nn.modules.channelshuffle.ChannelShuffle": channel_shuffle,
}
