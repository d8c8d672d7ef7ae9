"""Class names of a classifier's outputs, in order.

Two lists are bundled, one name per line in `data/`, in torchvision's names and order: `imagenet1k`, the 1,000 classes
of the ImageNet challenge (Russakovsky et al. 2015), and `kinetics400`, the 400 actions of Kinetics (Kay et al. 2017).
`cifar10` has the ten classes of CIFAR-10 (Krizhevsky 2009) in the order of its files.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

from convcalc.errors import SpecError


def labels(spec: str | tuple[str, ...] | None, count: int) -> tuple[str, ...] | None:
    """The class names that a spec's `labels` refer to, or None. Raises SpecError unless there are exactly `count`.

    spec: the name of a bundled list (`imagenet1k`, `cifar10`, `digits`), or the names themselves.
    """
    if spec is None:
        return None
    if isinstance(spec, str):
        if spec not in KNOWN:
            raise SpecError(
                f"labels: no list is called {spec!r:.40}",
                hint=f"known are {', '.join(KNOWN)}; or give a list",
            )
        said, names = f"{spec} has", KNOWN[spec]()
    else:
        said, names = "the spec gives", spec
    if len(names) != count:
        outputs = f"{count:,} output" if count == 1 else f"{count:,} outputs"
        raise SpecError(
            f"labels: {said} {len(names):,} names, but the network has {outputs}",
            hint="give one name for each output, in their order, or leave labels out",
        )
    return names


CIFAR10 = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip


def _listed(name: str) -> tuple[str, ...]:
    path = os.path.join(os.path.dirname(__file__), "data", f"{name}.txt")
    with open(path, encoding="utf-8") as file:
        return tuple(file.read().splitlines())


KNOWN: dict[str, Callable[[], tuple[str, ...]]] = {
    "imagenet1k": partial(_listed, "imagenet1k"),
    "kinetics400": partial(_listed, "kinetics400"),
    "cifar10": lambda: CIFAR10,
    "digits": lambda: tuple("0123456789"),
}
