"""convcalc: a calculator for convolutional networks.

>>> import convcalc
>>> net = convcalc.load("alexnet")
>>> net.totals.weights
28813344
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from convcalc._version import __version__

if TYPE_CHECKING:
    from convcalc.api import Network, load
    from convcalc.errors import ConvcalcError

__all__ = ["ConvcalcError", "Network", "__version__", "load"]


def __getattr__(name: str) -> Any:
    """The public names, imported when first used so that `import convcalc` costs nothing."""
    if name in ("Network", "load"):
        from convcalc import api

        return getattr(api, name)
    if name == "ConvcalcError":
        from convcalc.errors import ConvcalcError

        return ConvcalcError
    raise AttributeError(f"module 'convcalc' has no attribute '{name}'")
