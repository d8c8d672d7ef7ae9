"""Features that are planned but not built, and those out of scope, with the alternatives that errors suggest.

This is the only such list. Remove an entry when its feature is built; a test fails for entries that are built.
"""

from __future__ import annotations

from typing import NamedTuple

from convcalc.language.synonyms import folded

NOT_YET = "not built yet"


class Absence(NamedTuple):
    """The text of an error about a missing feature, and a hint with an alternative."""

    message: str
    hint: str | None


# Planned fields by operator and field name, each with an alternative.
FIELDS: dict[tuple[str, str], str] = {
    ("conv", "padding_mode"): "the margin holds zeros; a pad before the layer holds another value",
}
# Other tools' names for these fields.
_FIELD_WORDS = {"paddingmode": "padding_mode"}

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
    """The absence of a layer that is out of scope; None for any other."""
    for what, words in OUTSIDE.items():
        if folded(kind) in words:
            return Absence("is outside convcalc's scope", f"it does not count {what}; leave them out")
    return None


def field(kind: str, written: str) -> Absence | None:
    """The absence of a planned field of an operator; None if it is not planned."""
    own = {name: instead for (operator, name), instead in FIELDS.items() if operator == kind}
    word = folded(written)
    name = written if written in own else _FIELD_WORDS.get(word, word)
    if name not in own:
        return None
    return Absence(f"{kind}'s {written} is {NOT_YET}", own[name] or None)
