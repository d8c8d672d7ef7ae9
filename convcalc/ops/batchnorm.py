"""Batch normalisation (Ioffe & Szegedy 2015) at inference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, ClassVar

from convcalc.ops._base import (
    Gradient,
    Inputs,
    Operator,
    Order,
    Parameter,
    Reordered,
    Tensor,
    Working,
)
from convcalc.ops._fields import flag, number
from convcalc.ops._gradients import planes
from convcalc.ops._ieee import quotient, square_root
from convcalc.ops._saved import Saved


@dataclass(frozen=True, kw_only=True)
class Batchnorm(Operator):
    """Normalises each channel: (x − running_mean)/√(running_var + eps)·weight + bias.

    All four tensors have shape (C); the running statistics are buffers, not parameters. Frozen, as detectors have it
    that are trained on few images at once, weight and bias are buffers too, and training uses the running statistics.
    """

    kind: ClassVar[str] = "batchnorm"
    abbreviation: ClassVar[str] = "bn"
    torch_module: ClassVar[str] = "BatchNorm"
    torch_function: ClassVar[str] = "batch_norm"
    role: ClassVar[str] = "normalisation"
    pointwise: ClassVar[bool] = True
    is_channel_affine: ClassVar[bool] = True

    eps: float = number(1e-5, minimum=0, doc="added to the variance for numerical stability")
    affine: bool = flag(True, doc="learn a scale and a bias per channel")
    frozen: bool = flag(False, doc="not trained: scale and bias are buffers, the statistics stay")

    @property
    def centres_channels(self) -> bool:
        """True unless frozen: the mean of each channel is subtracted."""
        return not self.frozen

    def parameters(self, inputs: Inputs) -> tuple[Parameter, ...]:
        """weight and bias if affine, running_mean, running_var: (C) each."""
        channels = inputs[0][:1]
        learned = (
            Parameter("weight", channels, "buffer" if self.frozen else "weight", initial=1.0),
            Parameter("bias", channels, "buffer" if self.frozen else "bias"),
        )
        return (
            *(learned if self.affine else ()),
            Parameter("running_mean", channels, "buffer"),
            Parameter("running_var", channels, "buffer", initial=1.0),
        )

    def working(self, inputs: Inputs) -> tuple[Working, ...]:
        """Per channel a weight, a bias, a mean and a variance."""
        channels = inputs[0][0]
        buffers = Working("buffers", f"2·{channels} = {2 * channels:,}")
        if not self.affine:
            return (buffers,)
        if self.frozen:
            return (Working("buffers", f"4·{channels} = {4 * channels:,}"),)
        return (Working("weights", f"{channels:,}"), Working("biases", f"{channels:,}"), buffers)

    def reordered(self, order: Order) -> Reordered | None:
        """The same operator if the channels are stored first, else None."""
        return Reordered(self, order) if order[0] == 0 else None

    def saved(self, inputs: Inputs) -> tuple[Saved, ...]:
        """The input; mean and inverse deviation of each channel over the batch; the running statistics. Frozen, the
        factor of each channel."""
        channels = inputs[0][0]
        if self.frozen:
            return (Saved("factors", elements=channels, once=True),)
        return (
            Saved("input", 0),
            Saved("mean and deviation", elements=2 * channels, once=True),
            Saved("running statistics", elements=2 * channels, once=True, buffer=True),
        )

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """Applies a single scale and shift per channel."""
        shape, values = inputs[0]
        plane = len(values) // shape[0]
        result: list[Any] = []
        for channel, mean in enumerate(weights["running_mean"]):
            variance = weights["running_var"][channel] + self.eps
            factor = quotient(1, square_root(variance))
            offset = -mean * factor
            if self.affine:
                weight = weights["weight"][channel]
                factor, offset = factor * weight, offset * weight + weights["bias"][channel]
            channel_values = values[channel * plane : (channel + 1) * plane]
            result += [value * factor + offset for value in channel_values]
        return Tensor(shape, result)

    def in_training(
        self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]
    ) -> Mapping[str, Sequence[Any]]:
        """The tensors with running statistics replaced by the mean and variance of each channel of the input; frozen,
        unchanged."""
        if self.frozen:
            return weights
        shape, values = inputs[0]
        channels = planes(values, shape[0])
        means = [sum(plane) / len(plane) for plane in channels]
        variances = [
            sum((value - mean) * (value - mean) for value in plane) / len(plane)
            for plane, mean in zip(channels, means, strict=True)
        ]
        return {**weights, "running_mean": means, "running_var": variances}

    def backward(
        self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]], gradient: Tensor
    ) -> dict[str, Gradient]:
        """Gradients in training mode, where mean and variance depend on the input (Ioffe & Szegedy 2015, section 3).

        input: γ/√(σ² + ε)·(δ − mean(δ) − x̂·mean(δ·x̂)), with x̂ the normalised input and means taken per channel.
        Frozen, it is γ/√(σ² + ε)·δ.
        """
        shape, values = inputs[0]
        if self.frozen:
            return {"input": self._scaled(weights, gradient)}
        result: list[Any] = []
        scales: list[Any] = []
        offsets: list[Any] = []
        for channel, (plane, deltas) in enumerate(
            zip(planes(values, shape[0]), planes(gradient.values, shape[0]), strict=True)
        ):
            factor = 1 / sqrt(weights["running_var"][channel] + self.eps)
            mean = weights["running_mean"][channel]
            normalised = [(value - mean) * factor for value in plane]
            scales.append(sum(delta * value for delta, value in zip(deltas, normalised, strict=True)))
            offsets.append(sum(deltas))
            gain = weights["weight"][channel] if self.affine else 1
            result += [
                gain * factor * (delta - offsets[-1] / len(plane) - value * scales[-1] / len(plane))
                for delta, value in zip(deltas, normalised, strict=True)
            ]
        how = "γ/√(σ² + ε)·(δ − mean of δ − x̂·mean of δ·x̂), x̂ the normalised input"
        found = {"input": Gradient(Tensor(shape, result), how)}
        if self.affine:
            found["weight"] = Gradient(Tensor((shape[0],), scales), "the sum of δ·x̂ of each channel")
            found["bias"] = Gradient(Tensor((shape[0],), offsets), "the sum of δ of each channel")
        return found

    def _scaled(self, weights: Mapping[str, Sequence[Any]], gradient: Tensor) -> Gradient:
        """The gradient of the input where nothing else depends on it."""
        shape, deltas = gradient
        result: list[Any] = []
        for channel, plane in enumerate(planes(deltas, shape[0])):
            factor = 1 / sqrt(weights["running_var"][channel] + self.eps)
            factor *= weights["weight"][channel] if self.affine else 1
            result += [delta * factor for delta in plane]
        return Gradient(Tensor(shape, result), "γ/√(σ² + ε)·δ")
