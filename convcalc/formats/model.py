"""A network together with its weights: what a model file or a PyTorch module opens as."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from convcalc.graph import Graph
from convcalc.weights.tensors import Tensors


@dataclass(frozen=True, eq=False)
class Model:
    """A network with weights of its own.

    tensors: by our keys, the layer's path and the parameter's name; their values are read on demand, and reading
    raises ModelError where the data are missing. path: the file, or the name of the module. notes: remarks on how it
    was read, each a sentence. missing: files that hold data and are not there. classes: the class of the module behind
    a scope or layer by path, as far as known.
    """

    graph: Graph
    tensors: Tensors
    path: str = ""
    notes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    classes: Mapping[str, str] = field(default_factory=dict)
