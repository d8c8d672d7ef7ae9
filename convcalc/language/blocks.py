"""Block heads: a block's name, its parameters with their defaults, and its references."""

from __future__ import annotations

from collections.abc import Mapping

from convcalc import ops
from convcalc.errors import Problems
from convcalc.language import reader
from convcalc.language.entries import Block
from convcalc.language.operators import Known, Operators
from convcalc.language.values import Value
from convcalc.language.words import COMMON, STRUCTURES, name_problem, segment_problem
from convcalc.ops import describe

BLOCK_KEYS = ("params", "refs", "naming", "layers")
MAX_PARAMETERS = 200


def block_head(
    name: str, key: reader.Scalar, node: reader.Mapping, operators: Operators, known: Known
) -> Block:
    """A block with its name, parameters and references. Its layers are compiled once all blocks are known."""
    problems = operators.problems
    block = Block(name, key)
    taken = "an operator" if name in ops.names() else "a word of the language"
    if name in ops.names() or name in STRUCTURES or name in COMMON:
        problems.append(key.error(f"'{name}' cannot name a block: it is {taken}", "choose another name"))
    elif reason := segment_problem(name):
        problems.append(key.error(f"{describe(name)} cannot name a block", reason))
    only(operators, node, BLOCK_KEYS, f"block {name}", {})
    params = node.entries.get("params")
    if isinstance(params, reader.Sequence):
        for item in params.items:
            if isinstance(item, reader.Scalar):
                _parameter(block, operators, known, item.text, item, None)
            else:
                problems.append(item.error("a parameter is a name", "with defaults: params: {name: default}"))
    elif isinstance(params, reader.Mapping):
        for parameter, default in params.entries.items():
            _parameter(block, operators, known, parameter, params.keys[parameter], default)
    elif params is not None and params.value is not None:
        problems.append(params.error("params needs a list of names, or a mapping with defaults"))
    _references(block, problems, node.entries.get("refs"))
    block.indexed = indexed(node.entries.get("naming"), problems)
    return block


def _references(block: Block, problems: Problems, node: reader.YamlNode | None) -> None:
    """Add the names under `refs`: layers from outside the block that its body reads."""
    if node is None:
        return
    if not isinstance(node, reader.Sequence):
        problems.append(node.error("refs needs a list of names", "write refs: [skip]"))
        return
    for item in node.items:
        if not isinstance(item, reader.Scalar):
            problems.append(item.error("a reference is a name", "write refs: [skip]"))
            continue
        problem = name_problem(item.text, item, "reference")
        if problem:
            problems.append(problem)
        elif item.text in block.params or item.text in block.refs:
            problems.append(item.error(f"{describe(item.text)} is named twice"))
        else:
            block.refs.append(item.text)


def _parameter(
    block: Block,
    operators: Operators,
    known: Known,
    name: str,
    node: reader.Scalar,
    default: reader.YamlNode | None,
) -> None:
    problem = name_problem(name, node, "parameter")
    if problem:
        operators.problems.append(problem)
    if name in block.params:
        operators.problems.append(node.error(f"parameter '{name}' is given twice"))
    if len(block.params) >= MAX_PARAMETERS:
        raise node.error(f"block {block.name} has more than {MAX_PARAMETERS} parameters")
    value = None
    if default is not None and not reader.is_required(default):
        value = operators.value(default, known | block.params.keys())
        value = value or Value(default, None, True)
    block.params[name] = value


def indexed(node: reader.YamlNode | None, problems: Problems) -> bool:
    """Whether `naming` is given; any value but `index` is collected as a problem."""
    if node is not None and (not isinstance(node, reader.Scalar) or node.text != "index"):
        problems.append(node.error("naming takes one word: index", "leave it out for conv1, conv2, …"))
    return node is not None


def only(
    operators: Operators, node: reader.Mapping, allowed: tuple[str, ...], what: str, hints: Mapping[str, str]
) -> None:
    """Collect a problem for every key of a mapping that is not allowed."""
    operators.only(
        {name: (node.keys[name], value) for name, value in node.entries.items()}, allowed, what, hints
    )
