"""What a case of somebody else is: an operator, its fields, its inputs and what comes out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Numbers = tuple[tuple[int, ...], list[float]]  # shape and values, row-major


@dataclass
class Case:
    """An operator with its fields as a spec writes them, and samples of what it makes of its inputs."""

    name: str
    kind: str
    fields: dict[str, Any]
    samples: list[tuple[list[Numbers], Numbers]]
    weights: dict[str, Numbers] = field(default_factory=dict)


@dataclass
class Left:
    """A case that is left out, and why."""

    name: str
    kind: str
    reason: str


def numbers(array: Any) -> Numbers:
    """Shape and values of a NumPy array or a tensor."""
    return tuple(array.shape), [float(value) for value in array.reshape(-1).tolist()]
