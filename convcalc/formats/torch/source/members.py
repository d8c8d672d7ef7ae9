"""The statements of an `__init__`: what a class registers, and the modules without weights that its layers share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from convcalc.formats.naming import says_nothing
from convcalc.formats.torch.source.flow import broken
from convcalc.formats.torch.source.layout import statement
from convcalc.formats.torch.source.site import Call, Form, quoted
from convcalc.formats.torch.source.symbols import identifier, is_identifier, names_in, unique
from convcalc.ops import Operator

# Names that nn.Module has itself; a layer of that name is reached through the dictionary of modules.
_MODULE_NAMES = """
T_destination add_module apply bfloat16 buffers call_super_init children compile cpu cuda double dump_patches eval
extra_repr float forward get_buffer get_extra_state get_parameter get_submodule half ipu load_state_dict modules mtia
named_buffers named_children named_modules named_parameters parameters register_backward_hook register_buffer
register_forward_hook register_forward_pre_hook register_full_backward_hook register_full_backward_pre_hook
register_load_state_dict_post_hook register_load_state_dict_pre_hook register_module register_parameter
register_state_dict_post_hook register_state_dict_pre_hook requires_grad_ set_extra_state set_submodule share_memory
state_dict to to_empty train training type xpu zero_grad
"""
MODULE_NAMES = frozenset(_MODULE_NAMES.split())


def reached(owner: str, segment: str, kind: str = "_modules") -> str:
    """The source that reads a child of a module: `self.conv1`, or through its dictionary for other names."""
    if is_identifier(segment) and segment not in MODULE_NAMES and not segment.startswith("_"):
        return f"{owner}.{segment}"
    return f"{owner}.{kind}[{quoted(segment)}]"


def defined(owner: str, segment: str, found: Form, depth: int) -> list[str]:
    """The statement that registers a layer's module, parameter or buffer under its segment."""
    plain = is_identifier(segment) and segment not in MODULE_NAMES and not segment.startswith("_")
    if found.is_buffer:
        words = (quoted(segment), found.value, *([] if found.is_saved else ["persistent=False"]))
        return statement("", Call(f"{owner}.register_buffer", words), depth)
    if found.value:
        if plain:
            return broken(f"{owner}.{segment} = ", found.value, depth)
        return statement("", Call(f"{owner}.register_parameter", (quoted(segment), found.value)), depth)
    assert found.module is not None
    if plain:
        return statement(f"{owner}.{segment} = ", found.module, depth)
    return statement("", Call(f"{owner}.add_module", (quoted(segment), found.module)), depth)


@dataclass(slots=True)
class Members:
    """What a class keeps besides its layers with weights: shared modules without weights, and plain attributes.

    taken: names of attributes that are used otherwise. modules: attribute by the source of its constructor.
    """

    taken: set[str] = field(default_factory=set)
    modules: dict[str, str] = field(default_factory=dict)
    calls: dict[str, Call] = field(default_factory=dict)
    stored: dict[str, str] = field(default_factory=dict)

    def module(self, op: Operator, segment: str | None, call: Call) -> str:
        """The attribute of a module without weights; layers with equal constructors share it."""
        source = str(call)
        if source not in self.modules:
            telling = segment is not None and not says_nothing(segment, op)
            base = identifier(segment if telling and segment else op.kind)
            name = unique(base, self.taken | MODULE_NAMES)
            self.taken.add(name)
            self.modules[source] = name
            self.calls[name] = call
        return self.modules[source]

    def attributes(self, stored: Mapping[str, str]) -> dict[str, str]:
        """Names for attributes that `forward` reads: those that are new, and those that have the same value."""
        names = {}
        for wanted, value in stored.items():
            name = next((name for name, known in self.stored.items() if known == value), None)
            if name is None:
                name = unique(identifier(wanted), self.taken | MODULE_NAMES)
                self.taken.add(name)
                self.stored[name] = value
            names[wanted] = name
        return names

    def lines(self, depth: int) -> Iterator[str]:
        """The statements, in order of first use."""
        for name, value in self.stored.items():
            yield from broken(f"self.{name} = ", value, depth)
        for name, call in self.calls.items():
            yield from statement(f"self.{name} = ", call, depth)


def uses(call: Call | str) -> set[str]:
    """The names that a constructor reads."""
    return names_in(str(call))
