"""The spec language: YAML text in, a Graph out.

    reader       events → nodes with marks; slips says what a stumbling parser saw
    syntax, functions, expressions, values
                 `$(…)` → checked trees, and their values within a budget
    documents    files, extends → one set of keys; variables, input and header check those that are no layers
    operators, blocks, networks, compiler
                 layers as written → entries, every mistake collected; mistakes, foreign, synonyms and planned
                 say what was meant
    bounds       how many layers that comes to, before one is built
    scopes, lookup, sharing, expansion
                 entries → the graph's builder: blocks, branches, loops, networks, in one pass; outputs finds the
                 layers that are the network's
    load         ARCH → Graph, the one entry

bundled knows the architectures that come along, words what is taken and what may be a name, order settles
what depends on one another, schema describes the language to editors.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from convcalc.language import foreign as foreign
    from convcalc.language import mistakes as mistakes
    from convcalc.language import planned as planned
    from convcalc.language import synonyms as synonyms

# Only a spec with a mistake needs them: who reads specs writes `language.mistakes`, which loads the module.
_ON_DEMAND = ("foreign", "mistakes", "planned", "synonyms")


def __getattr__(name: str) -> ModuleType:
    if name not in _ON_DEMAND:
        raise AttributeError(f"module 'convcalc.language' has no attribute '{name}'")
    return import_module(f"convcalc.language.{name}")
