"""Counting conventions of tools: CONVENTIONS has a row for each figure that a tool prints.

As in the tools, the rules apply to PyTorch's modules and functions. They come from reading each tool's source, and
are tested against what the tools print for the bundled torchvision networks (tests/data/counters).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from convcalc.analysis.counting import measures
from convcalc.analysis.counting.items import Rule
from convcalc.analysis.counting.rules import (
    ACTIVATED,
    ACTIVATION,
    BATCH_NORMALISED,
    BATCHNORM,
    BLOCK,
    BY_OUTPUTS,
    CONV_BIASES,
    CONV_MACS,
    DENSE,
    DENSE_BIASES,
    DENSE_MACS,
    FLOPS,
    INPUT,
    LAYERNORMS,
    MACS,
    NORM_BIASES,
    NORMALISATION,
    NORMALISED,
    PARAMS,
    POOL_CALLS,
    POOLED,
    POOLS,
    STATISTICS,
    UNSCALED,
    VALUES,
    WEIGHTS,
    in_bytes,
    kinds,
    outputs_by_role,
)

Quantity = Literal["params", "macs", "flops", "bytes"]


class Option(NamedTuple):
    """A feature that the network behind a figure may have, but the spec lacks.

    words: its description. rules: what it adds to the count. networks: prefixes of the names of networks known to
    have it in the libraries that the tool's figures come from, keras.applications and torchvision.
    """

    words: str
    rules: tuple[Rule, ...]
    networks: tuple[str, ...]

    def holds(self, name: str) -> bool:
        """Whether a network, such as torchvision/resnet50, is known to have the feature."""
        return name.rpartition("/")[2].startswith(self.networks)


class Convention(NamedTuple):
    """How a tool computes one of its figures.

    tool, version: "" for our own. label: the words that the tool prints before the figure. quantity: what the tool
    calls it; fvcore's "flops" are MACs. rules: what it counts. unit: what it divides bytes by. options: any subset of
    them may apply. departure: distance from the usual meaning of the quantity.
    """

    tool: str
    version: str
    label: str
    quantity: Quantity
    rules: tuple[Rule, ...]
    unit: int = 1
    options: tuple[Option, ...] = ()
    departure: float = 0.0


LEARNERS_OUTPUTS = in_bytes(outputs_by_role(measures.outputs_of_learners), 8)
MODULES_OUTPUTS = in_bytes(
    (
        *outputs_by_role(measures.outputs_of_modules),
        Rule("outputs of blocks, besides their layers'", measures.outputs, roles=BLOCK),
    ),
    8,
)
MODULES_PARAMS = (Rule("weights and biases of modules", measures.params_of_modules),)
CALLED_PARAMS = (Rule("weights and biases of modules, in every call", measures.params_per_call),)
MEGA, MEBI = 10**6, 2**20
NO_SCALES = Rule("weights of normalisation left out", measures.weights, -1, roles=NORMALISATION)
KERAS = (
    Option("with biases before normalisation", (NORM_BIASES,), ("resnet",)),
    Option("normalisation without scales", (NO_SCALES,), ("inception_v3",)),
)
KERAS_INPUT = Option(
    "with a normalisation of the input",
    (Rule("statistics of the input's normalisation", measures.normaliser_of_the_input, roles=INPUT),),
    ("efficientnet_b",),
)
SIZES = (
    "Input size (MB)",
    "Forward/backward pass size (MB)",
    "Params size (MB)",
    "Estimated Total Size (MB)",
)

# thop only counts the parameters of modules that it has a rule for.
THOP_MODULES = kinds(
    "Conv ConvTranspose BatchNorm LayerNorm PReLU Softmax ReLU ReLU6 LeakyReLU MaxPool AvgPool AdaptiveAvgPool Linear "
    "Dropout Upsample ZeroPad"
)
THOP_MACS = (
    CONV_MACS,
    BY_OUTPUTS,
    DENSE_MACS,
    NORMALISED.times(4),
    UNSCALED.times(2),
    Rule(LAYERNORMS, measures.inputs, 4, kinds("LayerNorm")),
    Rule(ACTIVATED, measures.inputs, 1, kinds("PReLU")),
    Rule("steps of softmax", measures.softmax_steps, 1, kinds("Softmax")),
    Rule("outputs of average pools", measures.outputs, 1, kinds("AvgPool")),
    Rule("inputs and outputs of adaptive pools", measures.inputs_and_outputs, 1, kinds("AdaptiveAvgPool")),
    Rule("steps of interpolation", measures.interpolation_in_thop, 1, kinds("Upsample")),
)
THOP_PARAMS = (Rule("weights and biases of modules", measures.params_of_modules, names=THOP_MODULES),)
OLD_THOP_MACS = (
    CONV_MACS,
    DENSE_MACS.times(2),
    CONV_BIASES,
    DENSE_BIASES,
    Rule("elements normalised by batch", measures.inputs, 4, BATCHNORM),
)
INTERPOLATION = kinds("Upsample interpolate")
RESPONSE_NORMALISED = Rule(
    "steps of local response normalisation",
    measures.response_normalisation,
    names=kinds("LocalResponseNorm local_response_norm"),
)
# ptflops counts both a module such as nn.ReLU and the function that it calls, so its elements count twice.
PTFLOPS_MACS = (
    *MACS,
    CONV_BIASES,
    DENSE_BIASES,
    *BATCH_NORMALISED,
    Rule(LAYERNORMS, measures.inputs, 1, kinds("LayerNorm")),
    Rule(ACTIVATED, measures.outputs, 2, kinds("ReLU PReLU ELU GELU")),
    Rule(
        ACTIVATED,
        measures.outputs,
        1,
        kinds("LeakyReLU ReLU6 SiLU Softmax relu elu gelu relu6 silu softmax"),
    ),
    Rule(POOLED, measures.inputs, 2, POOLS),
    Rule(POOLED, measures.inputs, 1, POOL_CALLS),
    Rule("outputs of interpolation", measures.outputs, 2, kinds("Upsample")),
    Rule("outputs of interpolation", measures.outputs, 1, kinds("interpolate")),
    RESPONSE_NORMALISED,
)
PTFLOPS_MODULES = (
    *MACS,
    CONV_BIASES,
    DENSE_BIASES,
    *BATCH_NORMALISED,
    Rule(LAYERNORMS, measures.inputs, 1, kinds("LayerNorm")),
    Rule(ACTIVATED, measures.outputs, 1, kinds("ReLU PReLU ELU LeakyReLU ReLU6 GELU")),
    Rule(POOLED, measures.inputs, 1, POOLS),
    Rule("outputs of interpolation", measures.outputs, 1, kinds("Upsample")),
)
FVCORE_FLOPS = (
    *MACS,
    *BATCH_NORMALISED,
    Rule(LAYERNORMS, measures.inputs, 5, kinds("LayerNorm LayerNorm2d")),
    Rule(
        "inputs of adaptive pools", measures.inputs_of_images, 1, kinds("AdaptiveAvgPool adaptive_avg_pool")
    ),
    Rule("steps of interpolation", measures.interpolation_in_fvcore, 1, INTERPOLATION),
)
CALLED_FLOPS = (
    *FLOPS,
    *BATCH_NORMALISED,
    Rule(LAYERNORMS, measures.inputs, 5, kinds("LayerNorm LayerNorm2d")),
    Rule(
        ACTIVATED,
        measures.inputs,
        1,
        kinds("ReLU PReLU ELU LeakyReLU SiLU GELU Softmax relu elu leaky_relu relu6 silu gelu softmax"),
    ),
    Rule(POOLED, measures.inputs, 1, POOLS | POOL_CALLS),
    RESPONSE_NORMALISED,
)
DEEPSPEED_FLOPS = (
    *CALLED_FLOPS,
    CONV_BIASES,
    Rule("outputs of interpolation", measures.outputs, 1, INTERPOLATION),
)
CALFLOPS_DECONVOLUTIONS = Rule(
    "deconvolutions, by the square of their groups",
    measures.deconvolution_in_calflops,
    names=kinds("ConvTranspose"),
)
CALFLOPS_MACS = (*MACS, CALFLOPS_DECONVOLUTIONS)
CALFLOPS_FLOPS = (
    *CALLED_FLOPS,
    CALFLOPS_DECONVOLUTIONS.times(2),
    CONV_BIASES._replace(names=kinds("Conv")),
    Rule(
        "additions of deconvolutions' biases, as if these made maps smaller",
        measures.deconvolution_biases_in_calflops,
        names=kinds("ConvTranspose"),
    ),
    Rule("inputs of interpolation", measures.inputs, 1, INTERPOLATION),
)
TORCHINFO_MULT_ADDS = (
    *MACS,
    BY_OUTPUTS,
    CONV_BIASES,
    Rule("dense layers at all positions but one left out", measures.positions_left_out, roles=DENSE),
    Rule("biases of dense layers", measures.biases_of_macs, roles=DENSE),
    Rule("weights and biases of normalisation", measures.params_per_call, roles=NORMALISATION),
    Rule("weights of activations", measures.params_per_call, roles=ACTIVATION),
)


def _rows(
    tool: str, version: str, *figures: tuple[str, Quantity, tuple[Rule, ...]]
) -> tuple[Convention, ...]:
    """The conventions of a tool. figures: label, quantity and rules of each."""
    return tuple([Convention(tool, version, *figure) for figure in figures])


def _sizes(tool: str, version: str, unit: int, *parts: tuple[Rule, ...]) -> tuple[Convention, ...]:
    """The four sizes of a summary: input, outputs, parameters and their total."""
    sizes = (*parts, sum(parts, ()))
    return tuple(
        [
            Convention(tool, version, label, "bytes", rules, unit)
            for label, rules in zip(SIZES, sizes, strict=True)
        ]
    )


COMPLEXITY = "Computational complexity"
CONVENTIONS: tuple[Convention, ...] = (
    *_rows("", "", ("params", "params", PARAMS), ("MACs", "macs", MACS)),
    *_rows("", "", ("FLOPs, 2 per MAC", "flops", FLOPS), ("params as float32", "bytes", in_bytes(PARAMS))),
    Convention("", "", "weights, biases left out", "params", WEIGHTS, departure=0.5),
    Convention(
        "",
        "",
        "the input and all outputs as float32, activations in place",
        "bytes",
        in_bytes((VALUES, *outputs_by_role(measures.outputs_not_in_place))),
        departure=1.0,
    ),
    *_rows(
        "torchinfo",
        "1.8.0",
        ("Total params", "params", PARAMS),
        ("Total mult-adds", "macs", TORCHINFO_MULT_ADDS),
    ),
    *_sizes("torchinfo", "1.8.0", MEGA, in_bytes((VALUES,)), LEARNERS_OUTPUTS, in_bytes(MODULES_PARAMS)),
    *_rows("thop", "0.1.1", ("params", "params", THOP_PARAMS), ("macs", "macs", THOP_MACS)),
    *_rows(
        "ptflops",
        "0.7.5",
        ("Number of parameters", "params", PARAMS),
        (COMPLEXITY, "macs", PTFLOPS_MACS),
    ),
    *_rows("ptflops", "0.7.5, backend aten", (COMPLEXITY, "macs", (*MACS, CONV_BIASES, DENSE_BIASES))),
    *_rows("ptflops", "0.7.5, functions not counted", (COMPLEXITY, "macs", PTFLOPS_MODULES)),
    *_rows("fvcore", "0.1.5", ("#parameters", "params", PARAMS), ("#flops", "flops", FVCORE_FLOPS)),
    *_rows(
        "calflops",
        "0.3.2",
        ("Total Training Params", "params", PARAMS),
        ("fwd MACs", "macs", CALFLOPS_MACS),
        ("fwd FLOPs", "flops", CALFLOPS_FLOPS),
    ),
    *_rows(
        "DeepSpeed",
        "0.19.8",
        ("params per GPU", "params", PARAMS),
        ("fwd MACs per GPU", "macs", MACS),
        ("fwd flops per GPU", "flops", DEEPSPEED_FLOPS),
    ),
    *_rows("torchsummary", "1.5.1", ("Total params", "params", CALLED_PARAMS)),
    *_sizes(
        "torchsummary",
        "1.5.1",
        MEBI,
        in_bytes((VALUES,)),
        MODULES_OUTPUTS,
        in_bytes(CALLED_PARAMS),
    ),
    Convention(
        "Keras", "3.15.1", "Total params", "params", (*PARAMS, STATISTICS), options=(*KERAS, KERAS_INPUT)
    ),
    Convention("Keras", "3.15.1", "Trainable params", "params", PARAMS, options=KERAS),
    Convention("Keras", "3.15.1", "Non-trainable params", "params", (STATISTICS,), options=(KERAS_INPUT,)),
    # The tables in the tools' READMEs of 2021 are still quoted often.
    *_rows("thop", "of 2021", ("MACs(G)", "macs", OLD_THOP_MACS)),
    *_rows("ptflops", "of 2021", ("MACs(G)", "macs", PTFLOPS_MODULES)),
)
