"""The words of the spec language: what is taken, what else people call things, what may be a name."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from convcalc import ops
from convcalc.errors import SpecError, did_you_mean
from convcalc.language import reader
from convcalc.language.functions import FUNCTIONS
from convcalc.language.syntax import WORDS
from convcalc.ops import describe

# The keys that every layer, group and block use takes.
COMMON = ("name", "from", "if", "repeat", "copies", "first", "share", "keys")
STRUCTURES = ("group", "use", "foreach")

FIXED_IN_FIRST = ("name", "from", "if", "repeat", "copies", "first")

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*\Z")
MAX_SEGMENT = 200

# What other tools call our words, without underscores, lower case, and without 1d, 2d or 3d at the end.
KIND_SYNONYMS = {
    "linear": "dense", "fc": "dense", "fullyconnected": "dense", "innerproduct": "dense", "convolution": "conv",
    "bn": "batchnorm", "norm": "batchnorm", "batchnormalization": "batchnorm", "ln": "layernorm",
    "layernormalization": "layernorm", "pool": "maxpool", "pooling": "maxpool", "maxpooling": "maxpool",
    "averagepooling": "avgpool", "averagepool": "avgpool", "gap": "global_avgpool",
    "globalaveragepooling": "global_avgpool", "convtranspose": "deconv", "transposedconv": "deconv",
    "convolutiontranspose": "deconv", "swish": "silu", "sum": "add", "residual": "add", "shortcut": "add",
    "cat": "concat", "concatenate": "concat", "mul": "multiply", "sequential": "group", "layers": "group",
    "shuffle": "channel_shuffle", "lrelu": "leaky_relu", "interpolate": "upsample", "resize": "upsample",
    "upsampling": "upsample", "loop": "foreach", "for": "foreach", "view": "reshape", "permute": "transpose",
    "chunk": "slice", "split": "slice", "zeropad": "pad", "zeropadding": "pad", "noop": "identity",
    "localresponsenorm": "lrn",
}  # fmt: skip
FIELD_SYNONYMS = {
    "outchannels": "filters", "channels": "filters", "outfeatures": "units", "features": "units",
    "outputs": "units", "neurons": "units", "size": "kernel", "kernelsize": "kernel", "window": "kernel",
    "poolsize": "kernel", "pad": "padding", "strides": "stride", "usebias": "bias", "ceilmode": "rounding",
    "p": "rate", "probability": "rate", "drop": "rate", "epsilon": "eps", "negativeslope": "slope",
    "scalefactor": "scale", "id": "name", "times": "repeat", "count": "repeat", "n": "repeat", "input": "from",
    "inputs": "from", "when": "if", "condition": "if", "countincludepad": "count_padding",
    "outputsize": "size", "normalizedshape": "axis",
}  # fmt: skip
INPUT_WORDS = (
    "inchannels",
    "infeatures",
    "inputchannels",
    "inputs",
    "inputshape",
    "inputsize",
    "numfeatures",
)


def _folded(word: str) -> str:
    word = word.lower().replace("_", "").replace("-", "")
    return word[:-2] if word[-2:] in ("1d", "2d", "3d") else word


def suggest(word: str, known: Iterable[str], synonyms: Mapping[str, str]) -> str:
    """`"; did you mean 'dense'?"`: what the word is called here, else the closest known word, or nothing."""
    options = list(known)
    folded = _folded(word)
    meant = synonyms.get(folded, folded)
    if meant in options:
        return f"; did you mean '{meant}'?"
    return did_you_mean(word, options)


def names_input(word: str) -> bool:
    """Whether a field's name asks for what follows from the layer before."""
    return _folded(word) in INPUT_WORDS


def listed(words: Iterable[str], most: int = 16) -> str:
    """`a, b, c and 4 more`."""
    shown = list(words)
    text = ", ".join(shown[:most])
    return f"{text} and {len(shown) - most} more" if len(shown) > most else text


def circle(names: Sequence[str], most: int = 8) -> str:
    """`a → b → a`."""
    return " → ".join([*names[:most], *(["…"] if len(names) > most else []), names[0]])


def cut(word: str) -> str:
    """The word, shortened for a message."""
    return word if len(word) <= 60 else word[:57] + "..."


def is_kind(kind: str, blocks: Collection[str]) -> bool:
    """Whether an entry can be of that kind."""
    return kind in blocks or kind in STRUCTURES or kind in ops.names()


def canonical(kind: str, field: str) -> str:
    """A field's own name where `field` is its alias (conv, K: filters); else `field`."""
    if kind in ops.names():
        for info in ops.get(kind).fields().values():
            if info.alias == field:
                return info.name
    return field


def name_problem(name: str, node: reader.Scalar, what: str) -> SpecError | None:
    """Why a variable, parameter or loop variable cannot have this name, if it cannot."""
    from keyword import iskeyword

    if not _IDENTIFIER.match(name):
        return node.error(
            f"{describe(name)} cannot name a {what}",
            "use letters, digits and _, not starting with a digit; no $ where a name is given",
        )
    taken = (
        "a function"
        if name in FUNCTIONS
        else "a word of the language"
        if iskeyword(name) or name in WORDS
        else "the copy's index"
        if name == "i"
        else "the input's channel count"
        if name == "channels"
        else "a key of every layer"
        if name in COMMON
        else None
    )
    if not taken:
        return None
    return node.error(f"{describe(name)} cannot name a {what}: it is {taken}", "choose another name")


def segment_problem(segment: str) -> str | None:
    """Why a layer, group, branch or block cannot have this name, if it cannot."""
    if segment == "input":
        return "'input' is the network's input"
    if "." in segment:
        return "a name has no dots; groups and blocks make the paths"
    if not SEGMENT.match(segment) or len(segment) > MAX_SEGMENT:
        return "a name is letters, digits, _ and -"
    return None
