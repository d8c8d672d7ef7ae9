"""Networks from what Python holds: PyTorch modules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from convcalc.api import choices
from convcalc.api.arguments import check_choice, check_whole
from convcalc.api.net import Network
from convcalc.graph import MAX_LAYERS


def from_torch(
    module: Any,
    shape: Sequence[int] | Sequence[Sequence[int]] | Mapping[str, Sequence[int]],
    *,
    name: str | None = None,
    batch: int = 1,
    dtype: str = "float32",
    max_layers: int = MAX_LAYERS,
) -> Network:
    """The network of a torch.nn.Module, with its weights: paths are the module's.

    shape: of the input without the batch, such as (3, 224, 224); of several inputs a list, or a mapping from the names
    of the parameters of `forward`. name: by default the module's class. batch, dtype: as in `load`.

    The module is traced by torch.export in evaluation mode and left as it was, in training mode or not. Its weights are
    not copied: `forward` computes with what they are then. An operator that convcalc does not know becomes a layer of
    kind `unknown`, and a warning says so. Raises ModelError if it cannot be traced, UsageError for a wrong shape.

    >>> net = convcalc.from_torch(torchvision.models.resnet18(), (3, 224, 224))  # doctest: +SKIP
    >>> net  # doctest: +SKIP
    <Network ResNet: 69 layers, 11,689,512 params, 1,814,073,344 MACs>
    """
    from convcalc.analysis.analyse import analyse
    from convcalc.formats.torch.module import model_of

    check_choice("dtype", dtype, choices.number_types())
    check_whole("batch", batch)
    check_whole("max_layers", max_layers)
    given: Any = shape
    sizes: list[Any] = list(shape.values()) if isinstance(shape, Mapping) else list(shape)
    for entry in sizes:
        for size in entry if isinstance(entry, Sequence) else (entry,):
            check_whole("shape", size, given=given)
    title = name or type(module).__name__
    model = model_of(module, given, name=title, path=title, max_layers=max_layers)
    return Network(analyse(model.graph, batch=batch, dtype=dtype), title, model=model)
