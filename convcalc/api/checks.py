"""Checks of several specs: `convcalc check`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from convcalc.api import net
from convcalc.api.checking import Limits, Load, check_view, checked, demands, is_file, shown
from convcalc.errors import ConvcalcError, ShapeError, SpecError, UsageError
from convcalc.graph import MAX_LAYERS
from convcalc.render.view import View

if TYPE_CHECKING:
    from convcalc.analysis.check import Check
    from convcalc.language.input import Given


def check_specs(
    archs: Sequence[str],
    *,
    limits: Limits | None = None,
    against: str | None = None,
    max_growth: str | None = None,
    strict: bool = False,
    ignore: Sequence[str] = (),
    settings: Mapping[str, str] | None = None,
    input_shape: Given | None = None,
    batch: int | None = None,
    dtype: str | None = None,
) -> View[Check]:
    """Several specs one after another: `convcalc check`. One that is wrong is reported, and the others are checked.

    Raises UsageError.
    """
    from convcalc.analysis.check import Check, failed

    asked = demands(limits, against, max_growth, strict, ignore)
    if asked.against is not None and is_file(asked.against) and len(archs) > 1:
        raise UsageError(
            f"--against {asked.against}: one file to compare several specs with",
            hint="a Git revision gives each spec its own",
        )
    layers = max(MAX_LAYERS, asked.limits.get("layers", 0))

    def load(arch: str) -> Load:
        return lambda shape: net.load(arch, settings=settings, input_shape=shape, max_layers=layers).record

    results = []
    for arch in archs:
        try:
            network = load(arch)(input_shape)
        except UsageError:
            raise
        except ConvcalcError as error:
            results.append(failed(shown(arch), error))
            continue
        try:
            results.append(
                checked(
                    network, arch, asked, load(arch), settings, given=input_shape, batch=batch, dtype=dtype
                )
            )
        except (SpecError, ShapeError) as error:  # at the budget's own input
            results.append(failed(shown(arch), error))
    return check_view(Check(all(result.passed for result in results), tuple(results)))
