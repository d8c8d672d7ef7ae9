"""What the command line offers and completes, and what it asks before it calls a command."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from convcalc.render.view import View


def number_types() -> Sequence[str]:
    """What `dtype` may be."""
    from convcalc.analysis.analyse import DTYPES

    return tuple(DTYPES)


def orders() -> Sequence[str]:
    """What a list may be sorted by."""
    from convcalc.analysis.catalogue import ORDERS

    return ORDERS


def backends() -> Sequence[str]:
    """What computes a forward pass."""
    from convcalc.backends import BACKENDS

    return BACKENDS


def image_suffixes() -> Sequence[str]:
    """How the names of images end."""
    from convcalc.images.decode import SUFFIXES

    return SUFFIXES


def check_output(path: str) -> None:
    """Raise UsageError or ConvcalcError for a file that the outputs of `forward` cannot be written to."""
    from convcalc.inference.outputs import check_output as check

    check(path)


def check_output_name(path: str, network: View[Any], name: str | None) -> None:
    """Raise UsageError if the network has no output of that name, or several for a file that holds one."""
    from convcalc.inference.outputs import check_choice as check

    check(path, [output.name for output in network.record.graph.outputs], name)


def are_several(network: View[Any], files: Sequence[str]) -> bool:
    """Whether the files of `forward` are, or hold, several samples. Raises UsageError, InputError or ImageError."""
    from convcalc.inference.inputs import samples_of

    return samples_of(network.record.graph, files)[1]


def is_bundled(name: str) -> bool:
    """Whether a spec of that name is bundled."""
    from convcalc.language import bundled

    return bundled.path(name) is not None


def max_layers() -> int:
    """The most layers that a network may have by default."""
    from convcalc.graph import MAX_LAYERS

    return MAX_LAYERS


def is_spec(name: str) -> bool:
    """Whether a name is that of a spec's file."""
    from convcalc.language.bundled import SUFFIXES

    return name.endswith(SUFFIXES)


def sheet_suffixes() -> tuple[str, ...]:
    """How the names of worksheets that can be marked end."""
    from convcalc.exercises.filled import SUFFIXES

    return SUFFIXES


def extent_notation() -> str:
    """How an extent is written, in a few words."""
    from convcalc.layer.windows import NOTATION

    return NOTATION


def roundings() -> Sequence[str]:
    """What a window does where the stride does not divide."""
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
    """The names that a spec's `vars` set. Raises SpecError or UsageError."""
    from convcalc.language.documents import read_spec

    return tuple(read_spec(arch).variables)


def layer_names(
    arch: str, *, settings: Mapping[str, str], input_shape: str | Mapping[str, str] | None, max_layers: int
) -> Sequence[str]:
    """A network's layers, then the blocks that enclose them. Raises SpecError, ShapeError or UsageError."""
    from convcalc.language.load import load_graph

    graph = load_graph(arch, settings=settings, input_shape=input_shape, max_layers=max_layers)
    scopes = {node.scope: None for node in graph if node.scope}
    return [*(node.name for node in graph), *scopes]


def output_names(
    arch: str, *, settings: Mapping[str, str], input_shape: str | None, max_layers: int
) -> Sequence[str]:
    """A network's outputs. Raises SpecError, ShapeError or UsageError."""
    from convcalc.language.load import load_graph

    graph = load_graph(arch, settings=settings, input_shape=input_shape, max_layers=max_layers)
    return [output.name for output in graph.outputs]


def convolution_names(
    arch: str, *, settings: Mapping[str, str], input_shape: str | Mapping[str, str] | None, max_layers: int
) -> Sequence[str]:
    """A network's convolutions. Raises SpecError, ShapeError or UsageError."""
    from convcalc.language.load import load_graph
    from convcalc.layer.unroll import convolutions

    graph = load_graph(arch, settings=settings, input_shape=input_shape, max_layers=max_layers)
    return [layer.name for layer in convolutions(graph)]


def operators() -> Sequence[str]:
    """The operators of the spec language."""
    from convcalc import ops

    return ops.names()


def filters() -> Sequence[str]:
    """The filters that `apply` knows by name."""
    from convcalc.layer.filters import FILTERS

    return tuple(FILTERS)


def asks() -> Sequence[str]:
    """What a worksheet may ask."""
    from convcalc.exercises.worksheet import ASKS

    return tuple(ASKS)


def modes() -> Sequence[str]:
    """How `apply` can index a convolution."""
    from convcalc.layer.apply import MODES

    return MODES


def tones() -> Sequence[str]:
    """How `apply` can show values outside 0 to 255."""
    from convcalc.images.rasters import TONES

    return TONES


def is_picture(view: View[Any]) -> bool:
    """Whether `apply` was given an image."""
    from convcalc.layer.typed_input import AppliedPicture

    return isinstance(view.record, AppliedPicture)


def is_backward(view: View[Any]) -> bool:
    """Whether `apply` was asked for gradients."""
    from convcalc.layer.backward import Backward

    return isinstance(view.record, Backward)


def unknowns() -> Sequence[str]:
    """What `size` solves for."""
    from convcalc.layer.solve import UNKNOWNS

    return UNKNOWNS


def topics() -> Sequence[str]:
    """The topics of the manual."""
    from convcalc.manual.topics import names

    return names()


def count(text: str) -> int:
    """A count as people write it: 5000000, 5M, 4.11G. Raises UsageError if the text is not one."""
    from convcalc.analysis.quantities import parse_count

    return parse_count(text)


def suggest_command(word: str, commands: Iterable[str]) -> str:
    """What the command line says of a command that is not there: what it is called here, or spelled like.

    >>> suggest_command("summary", ["show", "size"])
    ": convcalc calls it 'show'"
    """
    from convcalc.language.synonyms import suggest

    return suggest(word, commands, "command")


def platforms() -> Sequence[str]:
    """The formats of learning platforms that worksheets have besides the common ones."""
    from convcalc.api.sheets import PLATFORMS

    return tuple(PLATFORMS)


def quiz_topics() -> Sequence[str]:
    """What a quiz asks."""
    from convcalc.exercises.quiz import TOPICS

    return tuple(TOPICS)
