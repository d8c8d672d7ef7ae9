"""ARCH → the network it names, by its form: a model file, or anything that the spec language reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from convcalc.errors import UsageError
from convcalc.formats.model import Model
from convcalc.graph import MAX_LAYERS, Graph
from convcalc.language.bundled import is_model, module_parts

if TYPE_CHECKING:
    from convcalc.language.input import Given


def open_model(
    arch: str,
    *,
    settings: Mapping[str, str] | None = None,
    input_shape: Given | None = None,
    max_layers: int = MAX_LAYERS,
    seed: int = 0,
) -> Model:
    """The network of a model file or a PyTorch module with its weights, which are not read yet.

    input_shape: shapes of inputs without the batch; free sizes and modules need one. seed: of a module's random
    weights. Raises ModelError for what cannot be read as layers, UsageError for settings, which only specs have, and
    for an input that does not fit.
    """
    module = module_parts(arch)
    if settings:
        kind = "a PyTorch module" if module else "a model file"
        raise UsageError(
            f"--set {next(iter(settings))}: {arch} is {kind}, and --set changes the vars of a spec",
            hint=f"convcalc convert {arch} -o FILE.yaml makes a spec of it",
        )
    if module is not None:
        from convcalc.formats.torch.module import open_module

        return open_module(*module, input_shape, seed=seed, max_layers=max_layers)
    from convcalc.formats.onnx.load import load_onnx

    return load_onnx(arch, input_shape, max_layers)


def open_graph(
    arch: str,
    *,
    settings: Mapping[str, str] | None = None,
    input_shape: Given | None = None,
    max_layers: int = MAX_LAYERS,
) -> Graph:
    """The network of ARCH, a spec, a model file or a PyTorch module, without weights.

    Raises as `open_model` and `load_graph` do.
    """
    if is_model(arch):
        model = open_model(arch, settings=settings, input_shape=input_shape, max_layers=max_layers)
        return model.graph
    from convcalc.language.load import load_graph

    return load_graph(arch, settings=settings, input_shape=input_shape, max_layers=max_layers)
