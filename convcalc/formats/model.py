"""A network together with its weights: what a model file or a PyTorch module opens as."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from convcalc.errors import ModelError
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

    def check_complete(self) -> None:
        """Raise ModelError if the values of some tensors are not there."""
        if not self.missing:
            return
        files = [name for name in self.missing if name]
        if not files:
            raise ModelError(
                f"{self.path}: the numbers of its weights were taken out of the file",
                hint="export the model with its weights, or give --weights FILE or random",
            )
        listing = ", ".join(files[:3]) + (f" and {len(files) - 3} more" if len(files) > 3 else "")
        raise ModelError(
            f"{self.path}: its weights should be in {listing}, and are not there",
            hint="put the file into the model's folder ('git lfs pull', if it is in Git LFS), or give --weights FILE "
            "or random",
        )
