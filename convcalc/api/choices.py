"""Choices that the command line offers and completes, and checks that it makes before it calls a command."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from convcalc.errors import UsageError
from convcalc.render.view import View

if TYPE_CHECKING:
    from convcalc.graph import Graph


def number_types() -> Sequence[str]:
    """The values of `dtype`."""
    from convcalc.analysis.analyse import DTYPES

    return tuple(DTYPES)


def groupings() -> Sequence[str]:
    """What `show --by` can sum by."""
    return ("kind", "block", "role")


def listed(text: str) -> tuple[str, ...]:
    """The values of a list such as `160,192,224`. Raises UsageError if one is empty."""
    from convcalc.analysis.sweep import parts

    return parts(text)


def listed_values(settings: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The values of options such as `width=0.25,0.5`, by name. Raises UsageError."""
    found: dict[str, tuple[str, ...]] = {}
    for setting in settings:
        name, equals, text = (part.strip() for part in setting.partition("="))
        if not equals or not name:
            raise UsageError(f"--set {setting}: needs NAME=VALUES", hint="for example --set width=0.25,0.5,1")
        if name in found:
            raise UsageError(f"{name} is set twice", hint=f"give all its values at once: --set {name}=…,…")
        found[name] = listed(text)
    return found


def limits(texts: Iterable[str]) -> dict[str, int]:
    """Limits such as `macs=300M` and `memory=20MB`, by quantity. Raises UsageError."""
    from convcalc.language.quantities import parse_bytes

    found: dict[str, int] = {}
    for text in texts:
        name, equals, limit = (part.strip() for part in text.partition("="))
        if not equals or not limit:
            raise UsageError(f"--at-most {text}: needs QUANTITY=LIMIT", hint="such as --at-most macs=300M")
        if name in found:
            raise UsageError(f"{name} is limited twice", hint="keep the lower limit")
        found[name] = parse_bytes(limit) if name == "memory" else count(limit)
    return found


def optimizers() -> Sequence[str]:
    """The optimisers whose state `training` knows."""
    return ("sgd", "momentum", "adam", "adamw")


def orders() -> Sequence[str]:
    """The sort orders of `list`."""
    from convcalc.analysis.catalogue import ORDERS

    return ORDERS


def tasks() -> Sequence[str]:
    """What networks can be for."""
    from convcalc.language.tasks import TASKS

    return TASKS


def backends() -> Sequence[str]:
    """The backends that can compute a forward pass."""
    from convcalc.backends import BACKENDS

    return BACKENDS


def precisions() -> Sequence[str]:
    """The precisions of a forward pass."""
    from convcalc.backends import PRECISIONS

    return PRECISIONS


def winograds() -> Sequence[str]:
    """The tiles of Winograd's method that a forward pass can be limited to."""
    from convcalc.backends import WINOGRADS

    return WINOGRADS


def image_suffixes() -> Sequence[str]:
    """The suffixes of image files."""
    from convcalc.images.decode import SUFFIXES

    return SUFFIXES


def check_output(path: str) -> None:
    """Raise UsageError or ConvcalcError if the outputs of `forward` cannot be written to this file."""
    from convcalc.inference.outputs import check_output as check

    check(path)


def check_page(path: str) -> None:
    """Raise UsageError or ConvcalcError if a page cannot be written to this file."""
    from convcalc.api.pages import check_page as check

    check(path)


def check_output_name(path: str, network: View[Any], name: str | None) -> None:
    """Raise UsageError if the network has no output of that name, or has several and the format only holds one."""
    from convcalc.inference.outputs import check_choice as check

    check(path, [output.name for output in network.record.graph.outputs], name)


def is_bundled(name: str) -> bool:
    """Whether a bundled spec has this name."""
    from convcalc.language import bundled

    return bundled.path(name) is not None


def conversion_suffixes() -> Sequence[str]:
    """The suffixes of files that `convert` writes."""
    from convcalc.formats.convert import FORMATS

    return tuple(FORMATS)


def max_layers() -> int:
    """The default limit on the number of layers."""
    from convcalc.graph import MAX_LAYERS

    return MAX_LAYERS


def is_model(arch: str) -> bool:
    """Whether ARCH is a model file rather than a spec, by its form."""
    from convcalc.language import bundled

    return bundled.is_model(arch)


def is_module(arch: str) -> bool:
    """Whether ARCH is a PyTorch module: `mynet.py:Net`, `torchvision.models:resnet50`."""
    from convcalc.language import bundled

    return bundled.module_parts(arch) is not None


def is_spec(name: str) -> bool:
    """Whether a name is that of a spec file."""
    from convcalc.language.bundled import SUFFIXES

    return name.endswith(SUFFIXES)


def sheet_suffixes() -> tuple[str, ...]:
    """The suffixes of worksheets that can be marked."""
    from convcalc.exercises.filled import SUFFIXES

    return SUFFIXES


def extent_notation() -> str:
    """The notation of an extent, in a few words."""
    from convcalc.layer.windows import NOTATION

    return NOTATION


def roundings() -> Sequence[str]:
    """The rounding modes of a window whose stride does not divide the input."""
    from convcalc.shapes import ROUNDINGS

    return ROUNDINGS


def architectures() -> Sequence[str]:
    """The bundled networks."""
    from convcalc.language import bundled

    return bundled.members()


def families() -> Sequence[str]:
    """The bundled specs that others extend."""
    from convcalc.language import bundled

    return sorted(set(bundled.names()) - set(bundled.members()))


def variables(arch: str) -> Sequence[str]:
    """The names in a spec's `vars`. Raises SpecError or UsageError."""
    from convcalc.language.documents import read_spec

    return tuple(read_spec(arch).variables)


def _graph(
    arch: str, settings: Mapping[str, str], input_shape: str | Mapping[str, str] | None, max_layers: int
) -> Graph:
    from convcalc.formats.open import open_graph

    return open_graph(arch, settings=settings, input_shape=input_shape, max_layers=max_layers)


def layer_names(
    arch: str, *, settings: Mapping[str, str], input_shape: str | Mapping[str, str] | None, max_layers: int
) -> Sequence[str]:
    """The names of a network's layers, then of its blocks. Raises ConvcalcError."""
    graph = _graph(arch, settings, input_shape, max_layers)
    scopes = {node.scope: None for node in graph if node.scope}
    return [*(node.name for node in graph), *scopes]


def output_names(
    arch: str, *, settings: Mapping[str, str], input_shape: str | None, max_layers: int
) -> Sequence[str]:
    """The names of a network's outputs. Raises ConvcalcError."""
    graph = _graph(arch, settings, input_shape, max_layers)
    return [output.name for output in graph.outputs]


def convolution_names(
    arch: str, *, settings: Mapping[str, str], input_shape: str | Mapping[str, str] | None, max_layers: int
) -> Sequence[str]:
    """The names of a network's convolutions. Raises SpecError, ShapeError or UsageError."""
    from convcalc.layer.unroll import convolutions

    graph = _graph(arch, settings, input_shape, max_layers)
    return [layer.name for layer in convolutions(graph)]


def operators() -> Sequence[str]:
    """The operators of the spec language."""
    from convcalc import ops

    return ops.names()


def filters() -> Sequence[str]:
    """The filters that `apply` knows by name."""
    from convcalc.layer.filters import FILTERS

    return tuple(FILTERS)


def lints() -> Sequence[str]:
    """The names of the lints of `check`."""
    from convcalc.language.budget import LINTS

    return tuple(LINTS)


def asks() -> Sequence[str]:
    """The columns that a worksheet can leave blank."""
    from convcalc.exercises.worksheet import ASKS

    return tuple(ASKS)


def modes() -> Sequence[str]:
    """The modes of `apply`: ways to index a convolution."""
    from convcalc.layer.apply import MODES

    return MODES


def tones() -> Sequence[str]:
    """The ways in which `apply` can display values outside 0 to 255."""
    from convcalc.images.rasters import TONES

    return TONES


def is_picture(view: View[Any]) -> bool:
    """Whether the view is of an image processed by `apply`."""
    from convcalc.layer.typed_input import AppliedPicture

    return isinstance(view.record, AppliedPicture)


def is_backward(view: View[Any]) -> bool:
    """Whether the view is of gradients computed by `apply`."""
    from convcalc.layer.backward import Backward

    return isinstance(view.record, Backward)


def unknowns() -> Sequence[str]:
    """The unknowns that `size` can solve for; the output padding only of a transposed convolution."""
    from convcalc.layer.spread import UNKNOWNS

    return UNKNOWNS


def topics() -> Sequence[str]:
    """The topics of the manual."""
    from convcalc.manual.topics import names

    return names()


def count(text: str) -> int:
    """A count as people write it: 5000000, 5M, 4.11G. Raises UsageError if the text is not one."""
    from convcalc.language.quantities import parse_count

    return parse_count(text)


def suggest_command(word: str, commands: Iterable[str]) -> str:
    """The suggestion for an unknown command: its name in convcalc, or a command with a similar spelling.

    >>> suggest_command("summary", ["show", "size"])
    ": convcalc calls it 'show'"
    """
    from convcalc.language.synonyms import suggest

    return suggest(word, commands, "command")


def platforms() -> Sequence[str]:
    """The learning-platform formats of worksheets, in addition to the common formats."""
    from convcalc.api.sheets import PLATFORMS

    return tuple(PLATFORMS)


def quiz_topics() -> Sequence[str]:
    """The topics of a quiz."""
    from convcalc.exercises.quiz import TOPICS

    return tuple(TOPICS)
