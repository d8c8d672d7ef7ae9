"""Names of blocks: the class in the original source, what the instances' names share, or what is in them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping

from convcalc import ops
from convcalc.formats.spec.parameters import DraftBlock
from convcalc.formats.spec.parts import Body, Part
from convcalc.formats.spec.patterns import Pattern
from convcalc.language.words import COMMON, STRUCTURES, segment_problem

# Classes and segments that say nothing of what is in them.
PLAIN_CLASSES = {
    "sequential",
    "conv2d_norm_activation",
    "conv_norm_activation",
    "module_list",
    "basic_conv2d",
}
PLAIN_WORDS = {
    "layer",
    "layers",
    "block",
    "blocks",
    "stage",
    "conv",
    "features",
    "module",
    "net",
    "unit",
}
MAX_NAME = 40


def block_name(
    pattern: Pattern, body: Body, classes: Mapping[str, str], blocks: Mapping[str, DraftBlock]
) -> tuple[str, str | None]:
    """A name for the block of a pattern, and the class behind it if that is known. blocks: those made so far."""
    found = Counter(
        classes[part.body.path] for part in pattern.instances if part.body and part.body.path in classes
    )
    class_name = found.most_common(1)[0][0].rpartition(".")[2] if found else None
    candidates = [] if class_name is None else [_snake(class_name)]
    if candidates and candidates[0] in PLAIN_CLASSES:
        candidates = []
        class_name = None
    word = _common_word(pattern)
    content = _content(body, blocks)
    candidates += [content if word.lower() in PLAIN_WORDS and content != "stage" else word, content]
    stem = next((name for name in candidates if name and _allowed(name)), "block")
    name, number = stem, 2
    while name in blocks:
        name = f"{stem}_{number}"
        number += 1
    return name, class_name


def _allowed(name: str) -> bool:
    return (
        name not in ops.names()
        and name not in STRUCTURES
        and name not in COMMON
        and segment_problem(name) is None
        and len(name) <= MAX_NAME
    )


def _snake(name: str) -> str:
    """`InvertedResidual` as `inverted_residual`, `CNBlock` as `cn_block`, `_DenseLayer` as `dense_layer`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name.strip("_"))
    return re.sub(r"[^a-z0-9_]", "_", words.lower())


def _common_word(pattern: Pattern) -> str:
    """The word that the instances' segments have in common without their numbers: `denselayer`."""
    words = {
        re.sub(r"[0-9_-]*[0-9][0-9_a-z-]?\Z|[_-]+\Z", "", part.segment or "") for part in pattern.instances
    }
    if len(words) > 1:  # left_branch, right_branch
        words = {word.rpartition("_")[2] if "_" in word else "" for word in words}
    word = words.pop() if len(words) == 1 else ""
    return "" if not word or word[0].isdigit() else word


def _content(body: Body, blocks: Mapping[str, DraftBlock]) -> str:
    """A name from what is in the block."""
    parts = list(_inner(body, blocks))
    kinds = {part.kind for part in parts}
    joins = [part for part in body.parts if part.branches is not None]
    if not joins:
        if any(part.is_use for part in body.parts):
            return "stage"
        convs = sum(part.kind == "conv" for part in parts)
        if sum(part.kind == "dense" for part in parts) == 2 and not convs:
            return "mlp"
        return {1: "unit", 2: "double_conv"}.get(convs, "")
    outer = joins[0]
    branches = outer.branches or []
    if outer.kind == "multiply" and "global_avgpool" in kinds:
        return "squeeze_excite"
    if outer.kind == "add":
        if "attention" in kinds:
            return "encoder_layer"
        if any("depthwise" in part.fields for part in parts):
            return "inverted_residual"
        convs = max(sum(part.kind == "conv" for part in _inner(branch, blocks)) for branch in branches)
        return {2: "basic", 3: "bottleneck"}.get(convs, "residual")
    if outer.kind == "concat":
        if any(not branch.parts for branch in branches):
            return "dense_layer"
        return "inception" if len(branches) > 2 and "conv" in kinds else "joined"
    return ""


def _inner(body: Body, blocks: Mapping[str, DraftBlock]) -> Iterator[Part]:
    """All parts within, those of the blocks that are used included."""
    for part in body.parts:
        yield part
        for inner in [blocks[part.kind].body] if part.is_use else part.lists():
            yield from _inner(inner, blocks)
