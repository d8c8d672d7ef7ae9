"""What the language is going to have and does not yet, and what stays outside: an error says so, and what would do.

The one home of that list. An entry goes when its feature is built; a test holds that none of them is built.
"""

from __future__ import annotations

from typing import NamedTuple

from convcalc.language.synonyms import folded, meaning
from convcalc.ops import describe

NOT_YET = "not built yet"


class Absence(NamedTuple):
    """What an error says of a thing that is not there, after its name; and what would do instead."""

    message: str
    hint: str | None


# Fields of operators that are there, and what would do instead.
FIELDS: dict[tuple[str, str], str] = {
    ("conv", "padding_mode"): "the margin holds zeros; a pad before the layer holds another value",
}
# What other tools call these fields.
_FIELD_WORDS = {"paddingmode": "padding_mode"}

# Keys of a file, and what would do instead.
KEYS: dict[str, str] = {
    "budget": "",
    "lint": "",
}

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
    """What to say of a layer that is outside; None where it is not."""
    for what, words in OUTSIDE.items():
        if folded(kind) in words:
            return Absence("is outside convcalc's scope", f"it does not count {what}; leave them out")
    return None


def field(kind: str, written: str) -> Absence | None:
    """What to say of an operator's field that is not there; None where it is not planned."""
    own = {name: instead for (operator, name), instead in FIELDS.items() if operator == kind}
    word = folded(written)
    name = written if written in own else _FIELD_WORDS.get(word, word)
    if name not in own:
        return None
    return Absence(f"{kind}'s {written} is {NOT_YET}", own[name] or None)


def key(word: str) -> Absence | None:
    """What to say of a key of a file that is not there; None where it is not planned."""
    name = meaning(word, KEYS, "key")
    return None if name is None else Absence(f"{describe(word)} is {NOT_YET}", KEYS[name] or None)
