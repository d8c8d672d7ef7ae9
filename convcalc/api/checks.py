"""Checks of several specs: `convcalc check`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from convcalc.api import net
from convcalc.api.checking import Limits, Load, check_view, checked, demands, is_file, shown
from convcalc.errors import ConvcalcError, UsageError
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

    def loader(arch: str) -> Load:
        if arch != "-":
            return lambda shape: (
                net.load(arch, settings=settings, input_shape=shape, max_layers=layers).record
            )
        from convcalc.analysis.analyse import analyse
        from convcalc.language.load import Loader

        spec = Loader(arch, layers)  # standard input is read once, and its network may be asked for again
        return lambda shape: analyse(spec.load(settings or {}, shape))

    results = []
    for arch in archs:
        try:
            load = loader(arch)
            network = load(input_shape)
            result = checked(
                network, arch, asked, load, settings, given=input_shape, batch=batch, dtype=dtype
            )
        except UsageError:
            raise
        except ConvcalcError as error:
            result = failed(shown(arch), error)
        results.append(result)
    return check_view(Check(all(result.passed for result in results), tuple(results)))
