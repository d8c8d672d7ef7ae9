"""The spec language: YAML text in, a Graph out.

    reader       parser events → nodes with marks; slips explains the parser's errors
    syntax, functions, expressions, values
                 `$(…)` → checked syntax trees, evaluated within a budget
    documents    files and `extends` → one set of keys; variables, input and header check all keys but `layers`
    operators, blocks, networks, compiler
                 layers as written → entries, collecting every mistake; mistakes, foreign, synonyms and planned
                 suggest what was meant
    bounds       lower bound on the number of layers, before any is built
    scopes, lookup, sharing, expansion
                 entries → nodes in the graph's builder: blocks, branches, loops and networks, in one pass;
                 outputs resolves the network's outputs
    load         ARCH → Graph, the only entry point

bundled finds the architectures shipped with the package, words holds reserved words and the rules for names,
order sorts names by dependency, budget checks budgets and ignored lints, quantities reads figures as people write
them, revision reads specs as Git has them, schema generates the JSON Schema for editors.
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

# Needed only to report a mistake, so loaded on first use: callers write `language.mistakes.…`.
_ON_DEMAND = ("foreign", "mistakes", "planned", "synonyms")


def __getattr__(name: str) -> ModuleType:
    if name not in _ON_DEMAND:
        raise AttributeError(f"module 'convcalc.language' has no attribute '{name}'")
    return import_module(f"convcalc.language.{name}")
