"""Measures of an item: how many numbers of a kind a layer has, or how many operations a tool counts for it. The rules
of a convention add them up."""

from __future__ import annotations

from math import prod
from typing import Any

from convcalc.analysis.counting.items import Item
from convcalc.shapes import per_axis


def macs(item: Item) -> int:
    """Multiply-accumulates for one image, biases excluded."""
    return item.macs


def inputs(item: Item) -> int:
    """Elements of the first input."""
    return item.inputs


def outputs(item: Item) -> int:
    """Elements of the output."""
    return item.outputs


def weights(item: Item) -> int:
    """Weights; shared weights count once."""
    return item.weights * item.owns


def biases(item: Item) -> int:
    """Biases; shared biases count once."""
    return item.biases * item.owns


def buffers(item: Item) -> int:
    """Elements of buffers; shared buffers count once."""
    return item.buffers * item.owns


def count(item: Item) -> int:
    """1 per layer; 0 for a layer that reuses another's weights."""
    return item.owns


def params_per_call(item: Item) -> int:
    """A module's weights and biases, counted in every call; ConvNeXt's layer scale is a parameter of no module."""
    return (item.weights + item.biases) * item.module


def params_of_modules(item: Item) -> int:
    """A module's weights and biases; shared ones count once."""
    return (item.weights + item.biases) * item.module * item.owns


def outputs_of_modules(item: Item) -> int:
    """Elements of a module's output; 0 for a function call."""
    return item.outputs * item.module


def outputs_of_learners(item: Item) -> int:
    """Elements of the output of a module with parameters, else 0."""
    return item.outputs * (item.module and item.weights + item.biases > 0)


def outputs_not_in_place(item: Item) -> int:
    """Elements of an output with memory of its own: activations overwrite their input, flatten is only a view."""
    assert item.node is not None
    return 0 if item.role in ("activation", "identity") or item.node.op.regroups else item.outputs


def bias_additions(item: Item) -> int:
    """Additions of a bias, one per output element."""
    return item.outputs if item.macs and item.biases else 0


def biases_of_macs(item: Item) -> int:
    """Biases of layers with MACs, counted once regardless of the number of positions."""
    return item.biases if item.macs else 0


def biases_before_normalisation(item: Item) -> int:
    """Biases that a convolution would have, if it has none and a batch normalisation reads its output."""
    return item.shape[0] if item.macs and item.normalised and not item.biases else 0


def positions_left_out(item: Item) -> int:
    """Minus the multiply-accumulates at all positions but one."""
    return item.weights - item.macs


def output_positions(item: Item) -> int:
    """The change in a deconvolution's MACs if its kernel is counted once per output instead of per input position."""
    return item.weights * prod(item.shape[1:]) - item.macs


def deconvolution_in_calflops(item: Item) -> int:
    """The change in a deconvolution's MACs because calflops divides by the groups a second time."""
    filters = item.shape[0] // _groups(item)
    return item.macs // filters * (filters // _groups(item)) - item.macs


def deconvolution_biases_in_calflops(item: Item) -> int:
    """Bias additions of a deconvolution in calflops: per filter of a group, at a convolution's output positions."""
    if not item.biases or item.node is None:
        return 0
    positions = 1
    for axis in _operator(item).axes(item.node.input_shapes):
        positions *= (axis.size + 2 * axis.before - axis.extent) // axis.stride + 1
    return item.shape[0] // _groups(item) * positions


def scaled_inputs(item: Item) -> int:
    """Input elements of a normalisation with scale and shift, else 0."""
    return item.inputs if item.weights else 0


def unscaled_inputs(item: Item) -> int:
    """Input elements of a normalisation without scale and shift, else 0."""
    return 0 if item.weights else item.inputs


def inputs_and_outputs(item: Item) -> int:
    """Elements of the first input and of the output."""
    return item.inputs + item.outputs


def inputs_of_images(item: Item) -> int:
    """Input elements of a layer with two spatial dimensions, else 0."""
    return item.inputs if len(item.shape) == 3 else 0


def softmax_steps(item: Item) -> int:
    """n exponentials, n − 1 additions and n divisions per vector of n channels."""
    return 3 * item.inputs - item.inputs // item.shape[0]


def interpolation_in_thop(item: Item) -> int:
    """Operations of an interpolation in thop, by mode and rank; 0 for combinations that it does not know."""
    rank = len(item.shape) - 1
    steps = {"nearest": 1, "bilinear": {1: 5, 2: 11}.get(rank, 0), "bicubic": 224 + 35 if rank == 2 else 0}
    mode: str = _operator(item).mode
    return item.outputs * steps[mode]


def interpolation_in_fvcore(item: Item) -> int:
    """Operations of an interpolation in fvcore: 1 (nearest) or 4 (bilinear) per output element of an image."""
    steps = {"nearest": 1, "bilinear": 4} if len(item.shape) == 3 else {}
    mode: str = _operator(item).mode
    return item.outputs * steps.get(mode, 0)


def response_normalisation(item: Item) -> int:
    """Operations of PyTorch's LRN: squares, average pool over the padded channels, times alpha, plus k."""
    size: int = _operator(item).size
    return 3 * item.inputs + item.inputs // item.shape[0] * (item.shape[0] + size - 1)


def windows(item: Item) -> int:
    """Elements that all windows of a pool read, padding included."""
    return item.outputs * prod(per_axis(_operator(item).kernel, len(item.shape) - 1, "kernel"))


def arithmetic(item: Item) -> int:
    """Operations of an elementwise sum or product of branches."""
    assert item.node is not None
    return item.outputs * (len(item.node.inputs) - 1)


def weights_saved_by_groups(item: Item) -> int:
    """Additional weights that the same convolution without groups would have."""
    return item.weights * item.owns * (_groups(item) - 1)


def macs_saved_by_groups(item: Item) -> int:
    """Additional multiply-accumulates that the same convolution without groups would take."""
    return item.macs * (_groups(item) - 1)


def _groups(item: Item) -> int:
    groups: int = getattr(_operator(item), "groups", 1)
    return groups


def normaliser_of_the_input(item: Item) -> int:
    """Statistics of Keras's input normalisation: a mean and a variance per channel, and a counter."""
    return 2 * item.shape[0] + 1


def _operator(item: Item) -> Any:
    assert item.node is not None
    return item.node.op
