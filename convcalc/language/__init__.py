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
