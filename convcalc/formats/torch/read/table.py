"""The table of aten operators, by name without overload; an operator that works in place has the same entry."""

from __future__ import annotations

from convcalc.formats.draft import Built
from convcalc.formats.torch.read import arithmetic, layers, shaping
from convcalc.formats.torch.read.mapping import Handler, Mapper
from convcalc.formats.torch.read.modules import whole_modules
from convcalc.formats.torch.read.records import Program
from convcalc.graph import MAX_LAYERS

HANDLERS: dict[str, Handler] = {**layers.HANDLERS, **arithmetic.HANDLERS, **shaping.HANDLERS}


def map_program(program: Program, max_layers: int = MAX_LAYERS) -> Built:
    """The graph of a traced module with its tensors. Raises SpecError beyond max_layers."""
    mapper = Mapper(program, max_layers, HANDLERS)
    return mapper.run(whole_modules(mapper)).built(program.name)
