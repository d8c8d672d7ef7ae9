"""Rules shared by the conventions: what each kind of layer adds to a count."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from convcalc.analysis.counting import measures
from convcalc.analysis.counting.items import Item, Rule


def kinds(text: str) -> frozenset[str]:
    """The set of names in a text, separated by spaces."""
    return frozenset(text.split())


CONVOLUTION, DENSE, NORMALISATION = kinds("convolution"), kinds("dense"), kinds("normalisation")
ACTIVATION, POOLING, IDENTITY, JOIN = kinds("activation"), kinds("pooling"), kinds("identity"), kinds("join")
RESHAPE, INPUT, BLOCK, PEAK = kinds("reshape"), kinds("input"), kinds("block"), kinds("peak")
ATTENTION, TENSOR = kinds("attention"), kinds("tensor")
LAYERS = (
    CONVOLUTION
    | DENSE
    | NORMALISATION
    | ACTIVATION
    | POOLING
    | IDENTITY
    | JOIN
    | RESHAPE
    | ATTENTION
    | TENSOR
)
POOLS, POOL_CALLS = kinds("MaxPool AvgPool AdaptiveAvgPool"), kinds("max_pool avg_pool adaptive_avg_pool")
BATCHNORM = kinds("BatchNorm")

CONV_MACS = Rule("multiply-accumulates of convolutions", measures.macs, roles=CONVOLUTION)
DENSE_MACS = Rule("multiply-accumulates of dense layers", measures.macs, roles=DENSE)
OTHER_MACS = Rule("multiply-accumulates of other layers", measures.macs, roles=LAYERS - CONVOLUTION - DENSE)
MACS = (CONV_MACS, DENSE_MACS, OTHER_MACS)
FLOPS = tuple([rule.times(2) for rule in MACS])
CONV_BIASES = Rule("additions of convolutions' biases", measures.bias_additions, roles=CONVOLUTION)
DENSE_BIASES = Rule("additions of dense layers' biases", measures.bias_additions, roles=DENSE)
BY_OUTPUTS = Rule(
    "deconvolutions by output, not input positions", measures.output_positions, names=kinds("ConvTranspose")
)
NORMALISED = Rule("elements normalised by batch", measures.scaled_inputs, names=BATCHNORM)
UNSCALED = Rule("elements normalised by batch, without scale", measures.unscaled_inputs, names=BATCHNORM)
BATCH_NORMALISED = (NORMALISED.times(2), UNSCALED)
LAYERNORMS = "elements normalised by layer"
ACTIVATED = "elements of activations"
POOLED = "elements read by pools"

CONV_WEIGHTS = Rule("weights of convolutions", measures.weights, roles=CONVOLUTION)
DENSE_WEIGHTS = Rule("weights of dense layers", measures.weights, roles=DENSE)
SCALES = Rule("weights of normalisation", measures.weights, roles=NORMALISATION)
OTHER_WEIGHTS = Rule(
    "weights of other layers", measures.weights, roles=LAYERS - CONVOLUTION - DENSE - NORMALISATION
)
BIASES = Rule("biases", measures.biases, roles=LAYERS - NORMALISATION)
SHIFTS = Rule("biases of normalisation", measures.biases, roles=NORMALISATION)
STATISTICS = Rule("running statistics", measures.buffers, roles=LAYERS)
WEIGHTS = (CONV_WEIGHTS, DENSE_WEIGHTS, SCALES, OTHER_WEIGHTS)
PARAMS = (*WEIGHTS, BIASES, SHIFTS)
NORM_BIASES = Rule(
    "biases of convolutions before normalisation", measures.biases_before_normalisation, roles=CONVOLUTION
)

VALUES = Rule("values of the input", measures.outputs, roles=INPUT)


def in_bytes(rules: Iterable[Rule], each: int = 4) -> tuple[Rule, ...]:
    """The rules with every number counted as `each` bytes."""
    return tuple([rule.times(each) for rule in rules])


def outputs_by_role(measure: Callable[[Item], int]) -> tuple[Rule, ...]:
    """A rule with this measure for the outputs of each kind of layer."""
    return tuple(
        [
            Rule(f"outputs of {what}", measure, roles=roles)
            for what, roles in (
                ("convolutions", CONVOLUTION),
                ("dense layers", DENSE),
                ("normalisation", NORMALISATION),
                ("activations", ACTIVATION),
                ("pools", POOLING),
                ("joins", JOIN),
                ("attention", ATTENTION),
                ("layers that only move values", RESHAPE),
                ("dropout and identities", IDENTITY),
            )
        ]
    )
