"""Memory for the numbers of large layers.

NumPy asks the system for large pages where it has them, an array does not: room for 38 million numbers is there in a
sixth of the time, and dense layers read it sooner too. Importing NumPy takes as long as drawing or copying a million
numbers without it, so it is left out for fewer, unless it is imported already.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec

WORTH_NUMPY = 1_000_000  # numbers of a network
MANY = 1 << 16  # numbers of a tensor; an array of fewer is made as soon


def uses_numpy(count: int) -> bool:
    """Whether NumPy is to be used for a network of so many numbers; if so, it is imported from here on."""
    if "numpy" not in sys.modules and count >= WORTH_NUMPY and find_spec("numpy"):
        import numpy as np  # noqa: F401
    return "numpy" in sys.modules


def large_floats(count: int) -> memoryview[float]:
    """Room for 32-bit floats, in NumPy's memory."""
    import numpy as np

    return np.empty(count, np.float32).data  # type: ignore[return-value]  # memoryview[int] to NumPy
