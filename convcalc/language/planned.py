"""What the language is going to have and does not yet, and what stays outside: an error says so, and what would do.

The one home of that list. An entry goes when its feature is built; a test holds that none of them is built.
"""

from __future__ import annotations

from typing import NamedTuple

from convcalc.errors import closest
from convcalc.language.synonyms import folded, meaning
from convcalc.ops import describe

NOT_YET = "not built yet"


class Absence(NamedTuple):
    """What an error says of a thing that is not there, after its name; and what would do instead."""

    message: str
    hint: str | None


_HOLDS_PLACE = "identity holds its place in the counts: no weights, no MACs"

# Operators, and what would do instead.
LAYERS: dict[str, str] = {
    "global_maxpool": "maxpool with the map's own height and width as kernel does the same",
    "adaptive_maxpool": "where the sizes divide, maxpool with their quotient as kernel and stride does the same",
    "crop": "",
    "pixel_shuffle": "with factor r, reshape: [C, r, r, H, W], transpose: [0, 3, 1, 4, 2] and reshape: [C, r·H, r·W] "
    "do the same",
    "pixel_unshuffle": "with factor r, reshape: [C, H/r, r, W/r, r], transpose: [0, 2, 4, 1, 3] and "
    "reshape: [r·r·C, H/r, W/r] do the same",
    "reduce": "global_avgpool is the mean over the whole map",
    "roll": _HOLDS_PLACE,
    "unknown": "identity holds the place of a layer that keeps the shape",
    "network": "extends takes over a whole spec; a block holds layers that are used several times",
}

# Fields of operators that are there, and what would do instead.
_CHANNELS_ONLY = "it works over the channels, the first dimension; transpose brings another one there"
FIELDS: dict[tuple[str, str], str] = {
    ("upsample", "size"): "give scale, how many times as large",
    ("upsample", "like"): "give scale, how many times as large",
    ("upsample", "align_corners"): "bilinear is as with align_corners: false",
    ("avgpool", "dilation"): "",
    ("avgpool", "divisor"): "",
    ("slice", "axis"): _CHANNELS_ONLY,
    ("slice", "step"): "",
    ("pad", "mode"): "the margin holds one value: value",
    ("pad", "channels"): "",
    ("conv", "padding_mode"): "the margin holds zeros; a pad before the layer holds another value",
}
# What other tools call these fields.
_FIELD_WORDS = {
    "dim": "axis", "axes": "axis", "targetsize": "size", "outputsize": "size", "divisoroverride": "divisor",
    "steps": "step", "bordermode": "mode", "paddingmode": "padding_mode", "constant": "value", "factor": "value",
    "dilationrate": "dilation", "dilations": "dilation",
}  # fmt: skip

# Values of fields that are there, and what would do instead.
VALUES: dict[tuple[str, str], str] = {
    ("upsample", "mode"): "bilinear gives the same sizes",
    ("upsample", "scale"): "scale is a whole number",
}

# Keys of a file, and what would do instead.
KEYS: dict[str, str] = {
    "task": "say it in title or notes",
    "published": "say it in notes",
    "budget": "",
    "lint": "",
}

# Keys of layers that groups and blocks are going to take, and keys of blocks; and what would do instead.
SCOPE_KEYS: dict[str, str] = {"share": "give it to the layers within"}
BLOCK_KEYS: dict[str, str] = {
    "refs": "from takes a name within the block; write the layers out where they are used"
}

# Variables that bundled networks are going to have, and what would do instead.
VARIABLES: dict[str, tuple[str, str]] = {
    "classes": ("another number of classes", "copy the spec's file and change the units of its last layer"),
    "auxiliary": ("an auxiliary output", "the networks are without their auxiliary classifiers"),
}

SLICES = Absence(f"slices are {NOT_YET}", "name the items: [list[1], list[2]]")

# Words of an expression that stand for a size.
SIZES = ("shape", "height", "width", "length", "depth")

OUTSIDE: dict[str, tuple[str, ...]] = {
    "recurrent layers": (
        "lstm", "gru", "rnn", "simplernn", "bilstm", "bidirectional", "lstmcell", "grucell", "rnncell", "convlstm",
        "timedistributed", "recurrent",
    ),
    "embeddings of text": (
        "embedding", "embeddingbag", "wordembedding", "tokenembedding", "textvectorization", "tokenizer",
    ),
    "the post-processing of boxes": (
        "nms", "nonmaxsuppression", "nonmaximumsuppression", "detectionoutput", "priorbox", "anchorgenerator",
        "roialign", "roipool", "roipooling", "proposal", "regionproposal", "boxdecoder", "yolo", "detect",
    ),
}  # fmt: skip


def layer(kind: str) -> Absence | None:
    """What to say of a layer that is not there; None where it is neither planned nor outside."""
    for what, words in OUTSIDE.items():
        if folded(kind) in words:
            return Absence("is outside convcalc's scope", f"it does not count {what}; leave them out")
    name = meaning(kind, LAYERS, "layer")
    if name is None:
        return None
    ours = "" if name == kind else f": convcalc will call it '{name}'"
    return Absence(f"is {NOT_YET}{ours}", LAYERS[name] or None)


def field(kind: str, written: str) -> Absence | None:
    """What to say of an operator's field that is not there; None where it is not planned."""
    own = {name: instead for (operator, name), instead in FIELDS.items() if operator == kind}
    word = folded(written)
    name = written if written in own else _FIELD_WORDS.get(word, word)
    if name not in own:
        return None
    return Absence(f"{kind}'s {written} is {NOT_YET}", own[name] or None)


def value(kind: str, name: str, given: object) -> str | None:
    """A hint for a value that is planned; None where it is not."""
    is_planned = {
        ("upsample", "mode"): given == "bicubic",
        ("upsample", "scale"): isinstance(given, float),
    }
    if not is_planned.get((kind, name)):
        return None
    return f"{kind} with {name}: {_plain(given)} is {NOT_YET}; {VALUES[kind, name]}"


def _plain(given: object) -> str:
    return f"[{', '.join(map(str, given[:8]))}]" if isinstance(given, list) else str(given)


def variable(name: str) -> Absence | None:
    """What to say of a variable that bundled networks do not have yet; None where it is not planned."""
    word = {"numclasses": "classes", "nclasses": "classes", "nc": "classes", "aux": "auxiliary"}.get(
        folded(name), name
    )
    meant = closest(word, VARIABLES) or (word if word in VARIABLES else None)
    if meant is None:
        return None
    what, instead = VARIABLES[meant]
    return Absence(f"{what} is {NOT_YET}", instead)


def scope_key(name: str, kind: str) -> Absence | None:
    """What to say of a layer's key on a group or block; None where it is not planned."""
    return Absence(f"{name} on {kind} is {NOT_YET}", SCOPE_KEYS[name]) if name in SCOPE_KEYS else None


def block_key(name: str) -> Absence | None:
    """What to say of a block's key that is not there; None where it is not planned."""
    return (
        Absence(f"{describe(name)} of a block is {NOT_YET}", BLOCK_KEYS[name]) if name in BLOCK_KEYS else None
    )


def key(word: str) -> Absence | None:
    """What to say of a key of a file that is not there; None where it is not planned."""
    name = meaning(word, KEYS, "key")
    return None if name is None else Absence(f"{describe(word)} is {NOT_YET}", KEYS[name] or None)
