"""bfloat16 against float32: the outputs of two runs of one network on the same inputs and weights, compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from convcalc.backends import Backend, Precision, Run, Winograd
from convcalc.errors import UsageError
from convcalc.inference.classes import likeliest

FIRST = 5  # likeliest classes that are compared


@dataclass(frozen=True)
class OutputDifference:
    """One output in bfloat16 less the same output in float32.

    largest: the largest |difference|; rms: its root mean square; relative_rms: that over the rms of the float32
    output. They are over the numbers that are finite in both and None if there are none, relative_rms also where the
    output is 0 in float32. not_finite: the numbers left out; NaN equals NaN, and an infinity itself.
    """

    name: str
    largest: float | None
    rms: float | None
    relative_rms: float | None
    not_finite: int = 0


@dataclass(frozen=True)
class PrecisionCheck:
    """bfloat16 compared with float32.

    outputs: each output's difference, in the network's order. classes: the output whose classes are compared, None
    if none is classes. same_top5: whether the five likeliest classes are the same, in any order, None also if there
    are no more than five; same_top1: whether the likeliest is. Both are None where a class is NaN.
    """

    outputs: tuple[OutputDifference, ...]
    classes: str | None = None
    same_top5: bool | None = None
    same_top1: bool | None = None

    @property
    def largest(self) -> float | None:
        """Of the first output."""
        return self.outputs[0].largest

    @property
    def rms(self) -> float | None:
        """Of the first output."""
        return self.outputs[0].rms

    @property
    def relative_rms(self) -> float | None:
        """Of the first output."""
        return self.outputs[0].relative_rms


def compare_precisions(float32: Run, bf16: Run, classes: str | None = None) -> PrecisionCheck:
    """The differences of a run in bfloat16 from one in float32. classes: the output that is one number per class, if
    one is."""
    outputs = tuple(
        output_difference(name, tensor.values, bf16.outputs[name].values)
        for name, tensor in float32.outputs.items()
    )
    if classes is None:
        return PrecisionCheck(outputs)
    if any(number != number for run in (float32, bf16) for number in run.outputs[classes].values):
        return PrecisionCheck(outputs, classes)  # NaN has no place in an order
    ours, others = (likeliest(run.outputs[classes].values, FIRST) for run in (float32, bf16))
    many = len(float32.outputs[classes].values) > FIRST
    return PrecisionCheck(
        outputs,
        classes,
        same_top5=set(ours) == set(others) if many else None,
        same_top1=ours[0] == others[0],
    )


def output_difference(name: str, float32: Sequence[float], bf16: Sequence[float]) -> OutputDifference:
    """The difference of one output's numbers, flat."""
    import numpy as np  # the only backend that has bfloat16 needs it too

    expected, found = np.asarray(float32, np.float64), np.asarray(bf16, np.float64)
    finite = np.isfinite(expected) & np.isfinite(found)
    same = (expected == found) | (np.isnan(expected) & np.isnan(found))
    left_out = int(np.count_nonzero(~finite & ~same))
    if not finite.any():
        return OutputDifference(name, None, None, None, left_out)
    difference = np.abs(found[finite] - expected[finite])
    rms = sqrt(float(np.mean(difference**2)))
    scale = sqrt(float(np.mean(expected[finite] ** 2)))
    return OutputDifference(name, float(difference.max()), rms, rms / scale if scale else None, left_out)


def is_fast_only(precision: Precision, winograd: Winograd, check: bool) -> bool:
    """Whether only the fast backend has what a run is asked for."""
    return precision != "float32" or winograd != "auto" or check


def check_precision_backend(
    backend: Backend, precision: Precision, winograd: Winograd, check: bool, *, available: bool
) -> None:
    """Raise UsageError if a run is asked for what its backend does not have. available: whether the fast backend is
    installed."""
    if not is_fast_only(precision, winograd, check):
        return
    if precision != "float32":
        option = f"precision {precision}"
    else:
        option = "check-precision" if check else f"winograd {winograd}"
    if backend == "reference":
        raise UsageError(
            f"--{option}: the reference backend computes in float64 only, without Winograd's transforms",
            hint="--backend numba has both precisions, and so has auto, the default",
        )
    if not available:
        raise UsageError(
            f"--{option}: needs the numba backend, which is not installed",
            hint='pip install "convcalc[fast]" installs it',
        )
