"""Ways to count that belong to no known tool: the parts of a count, and the alternatives for each part.

For a figure that no convention gives, all combinations of alternatives are tried.
"""

from __future__ import annotations

from typing import NamedTuple

from convcalc.analysis.counting import measures
from convcalc.analysis.counting.items import Rule
from convcalc.analysis.counting.rules import (
    ACTIVATED,
    ACTIVATION,
    BATCHNORM,
    CONVOLUTION,
    LAYERS,
    MACS,
    NORM_BIASES,
    PARAMS,
    PEAK,
    POOLED,
    POOLING,
    STATISTICS,
    VALUES,
    in_bytes,
    kinds,
    outputs_by_role,
)


class Alternative(NamedTuple):
    """A way to count one part of a network. words: a description, "" for our own way. departure: how unusual it is."""

    words: str
    rules: tuple[Rule, ...]
    departure: float = 0.0


Part = tuple[Alternative, ...]  # our own way comes first
# The number types that memory may be counted in, each with its departure.
NUMBER_TYPES = {"float32": 0.0, "float16": 1.0, "int8": 1.0, "float64": 1.5}


def _also(words: str, departure: float, *rules: Rule) -> Part:
    """A part that we leave out and others may count."""
    return (Alternative("", ()), Alternative(words, rules, departure))


def operations(factor: int) -> tuple[Part, ...]:
    """The parts of a count of multiply-accumulates (factor 1) or FLOPs (factor 2), with alternatives for each."""
    conv, dense, other = (rule.times(factor) for rule in MACS)
    groups = Rule(
        "multiply-accumulates that groups save", measures.macs_saved_by_groups, factor, roles=CONVOLUTION
    )
    base = "MACs" if factor == 1 else "FLOPs, 2 per MAC"
    twice = (Alternative("dense layers at 2 per MAC", (dense.times(2),), 2.0),) if factor == 1 else ()
    normalised = Rule("elements normalised by batch", measures.inputs, names=BATCHNORM)
    averaged = (
        Rule("values averaged", measures.windows, names=kinds("AvgPool avg_pool")),
        Rule(
            "additions and divisions of average pools",
            measures.inputs_and_outputs,
            names=kinds("AdaptiveAvgPool adaptive_avg_pool mean"),
        ),
    )
    return (
        (
            Alternative(base, (conv, other)),
            Alternative(f"{base}, groups ignored", (conv, groups, other), 1.0),
        ),
        (Alternative("", (dense,)), Alternative("dense layers left out", (), 1.5), *twice),
        _also("with biases", 1.0, Rule("additions of biases", measures.bias_additions, roles=LAYERS)),
        (
            *_also("with batch normalisation at 2", 1.0, normalised.times(2)),
            Alternative("with batch normalisation at 1", (normalised,), 1.5),
            Alternative("with batch normalisation at 4", (normalised.times(4),), 2.0),
        ),
        _also("with activations", 1.25, Rule(ACTIVATED, measures.outputs, roles=ACTIVATION)),
        _also("with average pooling", 1.25, *averaged),
        _also("with pooling", 1.5, Rule(POOLED, measures.inputs, roles=POOLING)),
        _also(
            "with joins of branches",
            1.5,
            Rule("elements joined", measures.arithmetic, names=kinds("add mul")),
        ),
    )


def parameters(each: int = 1) -> tuple[Part, ...]:
    """The parts of a count of parameters, with alternatives for each. each: 1, or the bytes of a number."""
    conv, dense, scales, other, biases, shifts = in_bytes(PARAMS, each)
    statistics, norm_biases = in_bytes((STATISTICS, NORM_BIASES), each)
    groups = Rule("weights that groups save", measures.weights_saved_by_groups, each, roles=CONVOLUTION)
    counters = Rule("counters of batches seen", measures.count, each, BATCHNORM)
    return (
        (
            Alternative("params", (conv, other)),
            Alternative("params, groups ignored", (conv, groups, other), 1.0),
        ),
        (Alternative("", (dense,)), Alternative("dense layers left out", (), 1.5)),
        (Alternative("", (biases,)), Alternative("biases left out", (), 1.0)),
        _also("with biases before normalisation", 1.5, norm_biases),
        (
            Alternative("", (scales, shifts)),
            Alternative("normalisation without scales", (shifts,), 1.5),
            Alternative("normalisation left out", (), 1.5),
        ),
        (
            *_also("with running statistics", 1.0, statistics),
            Alternative(
                "with running statistics and batch counters, as in a file", (statistics, counters), 1.5
            ),
        ),
    )


def memory(each: int, dtype: str, departure: float) -> tuple[tuple[Part, ...], ...]:
    """The ways to count memory in bytes: parameters, outputs or the peak. each: bytes per number of type `dtype`."""
    typed = (Alternative(f"as {dtype}", (), departure),)
    every = in_bytes(outputs_by_role(measures.outputs), each)
    kept = in_bytes(outputs_by_role(measures.outputs_not_in_place), each)
    peak = (Rule("values alive at once", measures.outputs, each, roles=PEAK),)
    values = _also("with the input", 0.5, VALUES.times(each))
    return (
        (*parameters(each), typed),
        (
            (Alternative("activations", every, 1.0), Alternative("activations in place", kept, 1.25)),
            values,
            typed,
        ),
        ((Alternative("activations twice, for gradients", in_bytes(every, 2), 1.75),), values, typed),
        ((Alternative("peak of activations", peak, 1.0),), typed),
    )
