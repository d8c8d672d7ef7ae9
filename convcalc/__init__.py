"""convcalc: a calculator for convolutional networks.

>>> import convcalc
>>> net = convcalc.load("alexnet")
>>> net
<Network alexnet: 20 layers, 28,823,912 params, 614,310,432 MACs>
>>> net.totals.weights
28813344

`convcalc docs python` shows the rest.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from convcalc._version import __version__

if TYPE_CHECKING:
    from convcalc.api.functions import (
        apply,
        check_sheet,
        compare,
        docs,
        list,
        matrix,
        schema,
        size,
        worksheet,
    )
    from convcalc.api.models import from_torch
    from convcalc.api.net import Network, load
    from convcalc.api.quizzes import quiz
    from convcalc.api.sweeps import sweep
    from convcalc.errors import (
        ConvcalcError,
        ImageError,
        InputError,
        ModelError,
        ShapeError,
        SpecError,
        SpecErrors,
        UsageError,
        WeightsError,
    )

# Where each public name is: it is imported when it is first used, so that `import convcalc` costs nothing.
_PLACES = {
    "Network": "api.net",
    "apply": "api.functions",
    "check_sheet": "api.functions",
    "compare": "api.functions",
    "docs": "api.functions",
    "from_torch": "api.models",
    "list": "api.functions",
    "load": "api.net",
    "matrix": "api.functions",
    "quiz": "api.quizzes",
    "schema": "api.functions",
    "size": "api.functions",
    "sweep": "api.sweeps",
    "worksheet": "api.functions",
    "ConvcalcError": "errors",
    "ImageError": "errors",
    "InputError": "errors",
    "ModelError": "errors",
    "ShapeError": "errors",
    "SpecError": "errors",
    "SpecErrors": "errors",
    "UsageError": "errors",
    "WeightsError": "errors",
}
__all__ = [  # noqa: RUF022 - as in the table above
    "__version__",
    "Network",
    "apply",
    "check_sheet",
    "compare",
    "docs",
    "from_torch",
    "list",
    "load",
    "matrix",
    "quiz",
    "schema",
    "size",
    "sweep",
    "worksheet",
    "ConvcalcError",
    "ImageError",
    "InputError",
    "ModelError",
    "ShapeError",
    "SpecError",
    "SpecErrors",
    "UsageError",
    "WeightsError",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'convcalc' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(f"convcalc.{_PLACES[name]}"), name)


def __dir__() -> Iterable[str]:
    return sorted(__all__)
