"""What a network is run on: pictures and arrays, from files or handed in, one value for each of its inputs.

A *sample* has one source per input of the graph, in their order. A source is a picture, whose file is read when its
turn comes, or an array, which has been read. An array has its input's shape, or that with one axis before it: then it
holds several samples. Pictures go through the spec's `preprocess`; arrays are taken as they are.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, TypeAlias

from convcalc.errors import ImageError, InputError, UsageError, WeightsError
from convcalc.files import with_folders
from convcalc.graph import Graph, Input
from convcalc.images.decode import SUFFIXES as IMAGE_SUFFIXES
from convcalc.images.preprocess import Preprocess
from convcalc.images.preprocess import load as load_image
from convcalc.shapes import Shape, show
from convcalc.weights.tensors import StoredTensor

ARRAY_SUFFIXES = (".npy", ".npz", ".safetensors")
# The number formats of the buffer protocol (struct's letters) that `array` has too; e, half precision, it has not.
REAL_FORMATS = "bBhHiIlLqQfd"
MAX_DEPTH = 32  # of nested lists


@dataclass(frozen=True)
class InputValues:
    """The values of one input: `values` of `shape`, row-major, channels first.

    name: the input's; path: the file they come from, None for values handed in; item: which of several in an array;
    size: a picture's own (width, height), None for an array; note: decisions that the user may want to know, or "".
    """

    name: str
    path: str | None
    shape: Shape
    values: Sequence[float]
    item: int | None = None
    size: tuple[int, int] | None = None
    note: str = ""

    @property
    def label(self) -> str:
        """`cat.jpg`, `batch.npy[3]`; `the array` for values handed in."""
        return _label(self.path, "the array" if self.size is None else "the picture", self.item)


@dataclass(frozen=True)
class PictureSource:
    """A picture for the input `name`: its file, or Pillow's `image`."""

    name: str
    path: str | None
    image: Any = None

    @property
    def label(self) -> str:
        """The path as it was given."""
        return _label(self.path, "the picture", None)


Source: TypeAlias = PictureSource | InputValues
Sample: TypeAlias = tuple[Source, ...]


def sample_label(sample: Sequence[Source]) -> str:
    """`cat.jpg`; with several inputs `left=a.png right=b.npy`."""
    if len(sample) == 1:
        return sample[0].label
    return " ".join(f"{source.name}={source.label}" for source in sample)


def read_sample(graph: Graph, sample: Sample) -> tuple[InputValues, ...]:
    """The values of all inputs. Raises ImageError for a picture that cannot be used."""
    return tuple(
        source if isinstance(source, InputValues) else _read_picture(graph, source, entry)
        for source, entry in zip(sample, graph.inputs, strict=True)
    )


def _read_picture(graph: Graph, source: PictureSource, entry: Input) -> InputValues:
    given = source.path if source.path is not None else source.image
    picture = load_image(given, Preprocess(**(graph.preprocess or {})), entry.shape)
    return InputValues(
        entry.name, source.path, picture.shape, picture.values, None, picture.size, picture.note
    )


# --- what is given ----------------------------------------------------------------------------------------------


def samples_of(graph: Graph, given: Any) -> tuple[list[Sample], bool]:
    """The samples in what a caller gives, and whether they are several even if there is only one: a folder, a list, an
    array with an axis for them.

    given: a path or a list of paths, `NAME=PATH` for an input by name, a picture of Pillow's, an array (nested lists,
    or what has the buffer protocol or `__array__`), a mapping from input names to any of these, or a list of pictures,
    arrays or mappings. Raises UsageError, InputError or ImageError; pictures are not read yet.
    """
    if _is_path(given):
        return _from_paths(graph, [os.fspath(given)])
    if isinstance(given, Mapping):
        return _from_mapping(graph, given)
    if isinstance(given, list | tuple) and given and _is_list_of_samples(given):
        if all(map(_is_path, given)):
            return _from_paths(graph, [os.fspath(path) for path in given])
        return [sample for each in given for sample in samples_of(graph, each)[0]], True
    if isinstance(given, list | tuple) and not given:
        raise UsageError("there is nothing to push through", hint="give the path of an image, or of several")
    if len(graph.inputs) > 1:
        raise UsageError(
            _has_inputs(graph),
            hint=f"give a mapping: {_mapping(graph)}",
        )
    return _combined(graph, [_sources(graph.inputs[0], given)])


def _is_path(given: object) -> bool:
    return isinstance(given, str | os.PathLike)


def _is_picture(given: object) -> bool:
    return type(given).__module__.partition(".")[0] == "PIL" and hasattr(given, "getbands")


def _is_list_of_samples(given: Sequence[object]) -> bool:
    """Whether a list holds samples, and not numbers or lists of numbers."""
    return all(
        _is_path(item) or _is_picture(item) or isinstance(item, Mapping) or len(_shape_of_buffer(item)) > 0
        for item in given
    )


def _shape_of_buffer(item: object) -> tuple[int, ...]:
    """The shape of what says that it is an array, () for anything else."""
    shape = getattr(item, "shape", ())
    return tuple(shape) if isinstance(shape, tuple) else ()


def _from_mapping(graph: Graph, given: Mapping[Any, Any]) -> tuple[list[Sample], bool]:
    _check_names(graph, list(given), _mapping(graph))
    return _combined(graph, [_sources(entry, given[entry.name]) for entry in graph.inputs])


def _from_paths(graph: Graph, paths: Sequence[str]) -> tuple[list[Sample], bool]:
    """Paths, or one `NAME=PATH` for each input."""
    names = {entry.name for entry in graph.inputs}
    parts = [path.partition("=") for path in paths]
    named = [part for part in parts if part[1] and part[0] in names]
    if named:
        if len(named) < len(paths):
            stray = next(path for path, part in zip(paths, parts, strict=True) if part not in named)
            raise UsageError(
                f"{stray}: which input of {graph.name} is this for?",
                hint=f"give each input by name: {_usage(graph)}",
            )
        _check_names(graph, [name for name, _, _ in named], _usage(graph))
        by_name = {name: path for name, _, path in named}
        return _combined(graph, [_sources(entry, by_name[entry.name]) for entry in graph.inputs])
    if len(graph.inputs) > 1:
        if len(paths) == 1 and paths[0].lower().endswith((".npz", ".safetensors")):
            tensors = _tensors(paths[0])
            missing = [entry.name for entry in graph.inputs if entry.name not in tensors]
            if missing:
                raise InputError(
                    f"{paths[0]}: no array for {_listed(missing)}; it holds {_listed(list(tensors))}",
                    hint=f"save one array for each input under its name, or give {_usage(graph)}",
                )
            return _combined(graph, [_items(entry, paths[0], tensors[entry.name]) for entry in graph.inputs])
        raise UsageError(_has_inputs(graph), hint=f"give one value for each: {_usage(graph)}")
    files = _image_files(paths)
    found = [_sources(graph.inputs[0], path) for path in files]
    several = len(paths) != 1 or files != list(paths) or any(several for _, several in found)
    return [(source,) for sources, _ in found for source in sources], several


def _image_files(paths: Sequence[str]) -> list[str]:
    """The paths with each folder replaced by the images in it, by name. Raises ImageError if there are none."""
    return with_folders(
        paths,
        IMAGE_SUFFIXES,
        lambda folder: ImageError(
            f"{folder}: no images in this folder", hint=f"looked for {', '.join(IMAGE_SUFFIXES)}"
        ),
    )


def _check_names(graph: Graph, given: Sequence[Any], usage: str) -> None:
    """Raises UsageError unless exactly one value is given for each input. usage: how that is written."""
    names = [entry.name for entry in graph.inputs]
    unknown = [str(name) for name in given if name not in names]
    twice = [name for name in names if given.count(name) > 1]
    missing = [name for name in names if name not in given]
    if unknown:
        reason = f"{graph.name} has no input {_listed(unknown)}: {_has_inputs(graph)}"
    elif twice:
        reason = f"the input {twice[0]} is given {given.count(twice[0])} times"
    elif missing:
        reason = f"{_has_inputs(graph)}; nothing is given for {_listed(missing)}"
    else:
        return
    raise UsageError(reason, hint=f"give one value for each: {usage}")


def _has_inputs(graph: Graph) -> str:
    names = [entry.name for entry in graph.inputs]
    plural = "inputs" if len(names) > 1 else "input"
    return f"{graph.name} has {len(names)} {plural}: {', '.join(names[:8])}" + (
        " …" if len(names) > 8 else ""
    )


def _usage(graph: Graph) -> str:
    return " ".join(f"{entry.name}=FILE" for entry in graph.inputs[:8])


def _mapping(graph: Graph) -> str:
    return f"{{{', '.join(f'{entry.name!r}: …' for entry in graph.inputs[:8])}}}"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(f"{name:.60}" for name in names[:5])
    return shown + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _combined(graph: Graph, found: Sequence[tuple[Sequence[Source], bool]]) -> tuple[list[Sample], bool]:
    """Sample i takes item i of each input. Raises UsageError where the inputs have different numbers of items."""
    counts = [len(sources) for sources, _ in found]
    if len(set(counts)) > 1:
        texts = [f"{entry.name} {count:,}" for entry, count in zip(graph.inputs, counts, strict=True)]
        raise UsageError(
            f"the inputs of {graph.name} have different numbers of items: {', '.join(texts)}",
            hint="give as many for each",
        )
    several = any(several for _, several in found)
    return list(zip(*(sources for sources, _ in found), strict=True)), several


def _sources(entry: Input, given: Any) -> tuple[Sequence[Source], bool]:
    """What is given for one input, and whether it is an array with an axis for several samples."""
    if _is_path(given):
        path = os.fspath(given)
        if not path.lower().endswith(ARRAY_SUFFIXES):
            return [PictureSource(entry.name, path)], False
        return _items(entry, path, _chosen(path, entry))
    if _is_picture(given):
        return [PictureSource(entry.name, None, given)], False
    shape, values = _array(entry, given)
    return _split(entry, None, shape, values)


# --- arrays -----------------------------------------------------------------------------------------------------


def _tensors(path: str) -> Mapping[str, StoredTensor]:
    """The arrays of a file by name. Raises InputError."""
    if not os.path.isfile(path):
        reason = "this is a directory" if os.path.isdir(path) else "there is no such file"
        raise InputError(f"{path}: {reason}", hint="check the path")
    try:
        if path.lower().endswith(".npy"):
            from convcalc.weights.npz import read_npy

            tensor = read_npy(path)
            return {tensor.name: tensor}
        from convcalc.weights.files import open_weights

        return open_weights(path)
    except WeightsError as error:
        raise InputError(error.message, hint=error.hint) from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", hint="check its permissions") from None


def _chosen(path: str, entry: Input) -> StoredTensor:
    """The array of a file for an input: the one of that name, or the only one."""
    tensors = _tensors(path)
    if entry.name in tensors:
        return tensors[entry.name]
    if len(tensors) == 1:
        return next(iter(tensors.values()))
    raise InputError(
        f"{path}: {len(tensors)} arrays, and none is called {entry.name}: {_listed(list(tensors))}",
        hint=f"save the array under the input's name, {entry.name}, or by itself",
    )


def _items(entry: Input, path: str, tensor: StoredTensor) -> tuple[Sequence[Source], bool]:
    """The samples of a stored array. Its values are read once its shape is known to fit. Raises InputError."""
    _check_shape(entry, path, tensor.shape)
    try:
        values = tensor.values()
    except WeightsError as error:
        raise InputError(error.message, hint=error.hint) from None
    return _split(entry, path, tensor.shape, values)


def _split(
    entry: Input, path: str | None, shape: Shape, values: Sequence[float]
) -> tuple[Sequence[Source], bool]:
    _check_shape(entry, path or "the array", shape)
    if shape == entry.shape:
        return [InputValues(entry.name, path, entry.shape, values)], False
    size = prod(entry.shape)
    return [
        InputValues(entry.name, path, entry.shape, values[item * size : (item + 1) * size], item)
        for item in range(shape[0])
    ], True


def _check_shape(entry: Input, what: str, shape: Shape) -> None:
    """Raises InputError unless the shape is the input's, or that with an axis of at least 1 before it."""
    if shape == entry.shape or (shape[1:] == entry.shape and shape[0] > 0):
        return
    hint = None
    if len(shape) >= 3 and (*shape[-1:], *shape[-3:-1]) == entry.shape[-3:]:
        hint = "channels come first: move the last axis to the front of the others, as numpy.moveaxis(x, -1, -3) does"
    elif prod(shape) == prod(entry.shape):
        hint = f"as many numbers: reshape it to {show(entry.shape)}"
    elif shape[1:] == entry.shape:
        hint = "it has room for several samples and holds none"
    raise InputError(
        f"{what}: the array is {show(shape) or 'a single number'}, {entry.described} takes {show(entry.shape)}, "
        f"or several of them as N×{show(entry.shape)}",
        hint=hint or "--input SHAPE makes the network as large as the array, where its layers can take it",
    )


def _array(entry: Input, given: Any) -> tuple[Shape, Sequence[float]]:
    """Shape and values of an array handed in, real numbers widened to floats. Raises InputError."""
    if isinstance(given, list | tuple):
        shape = _nested_shape(given)
        _check_shape(entry, "the array", shape)
        return shape, array("d", _numbers(entry, given, shape))
    if not _has_buffer(given) and hasattr(given, "__array__"):
        try:
            given = given.__array__()
        except Exception as error:
            raise InputError(
                f"{_type_name(given)} makes no array: {error!s:.200}", hint="hand in its values as floats"
            ) from None
    try:
        view = memoryview(given)
    except (TypeError, ValueError, BufferError):
        dtype = getattr(given, "dtype", None)
        raise InputError(
            f"{entry.described} takes an array, a picture or a path, not {_type_name(given)}"
            + (f" of {dtype!s:.40}" if dtype is not None else ""),
            hint="nested lists of numbers and anything with the buffer protocol or __array__ are arrays",
        ) from None
    return view.shape or (), _from_buffer(entry, view)


def _has_buffer(given: Any) -> bool:
    try:
        memoryview(given)
    except (TypeError, ValueError, BufferError):
        return False
    return True


def _from_buffer(entry: Input, view: memoryview) -> array[float]:
    kind = view.format.lstrip("@=|")
    _check_shape(entry, "the array", tuple(view.shape or ()))
    data = view.tobytes()  # row-major, whatever the strides
    if kind == "?":
        return array("f", array("B", data))
    if kind in ("e", "<e"):
        import struct

        return array("f", (number for (number,) in struct.iter_unpack("<e" if kind == "<e" else "=e", data)))
    swapped = kind[:1] in (">", "!") or (kind[:1] == "<" and array("H", b"\1\0")[0] != 1)
    kind = kind.lstrip("<>!")
    if len(kind) != 1 or kind not in REAL_FORMATS:
        raise InputError(
            f"the array holds numbers of the format {view.format!r}, not real numbers", hint="give floats"
        )
    standard = view.format[:1] in "<>!=" and kind in "lL"  # 4 bytes in struct's standard sizes
    numbers: array[Any] = array({"l": "i", "L": "I"}[kind] if standard else kind)
    numbers.frombytes(data)
    if swapped:
        numbers.byteswap()
    return numbers if kind in "fd" else array("d", numbers)


def _type_name(given: object) -> str:
    return f"{type(given).__module__}.{type(given).__qualname__}".removeprefix("builtins.")


def _nested_shape(given: Any) -> Shape:
    """The shape of nested lists by their first items."""
    shape: list[int] = []
    while isinstance(given, list | tuple):
        shape.append(len(given))
        if not given or len(shape) > MAX_DEPTH:
            break
        given = given[0]
    return tuple(shape)


def _numbers(entry: Input, given: Any, shape: Shape) -> Iterable[float]:
    """The numbers of nested lists in order. Raises InputError where one is no number or a list has another length."""
    if not shape:
        yield _number(entry, given)
        return
    if not isinstance(given, list | tuple) or len(given) != shape[0]:
        held = f"{len(given):,} items" if isinstance(given, list | tuple) else "a number"
        raise InputError(
            f"the lists for {entry.described} are uneven: one has {held}, another {shape[0]:,}",
            hint=f"it takes {show(entry.shape)}",
        )
    for item in given:
        yield from _numbers(entry, item, shape[1:])


def _number(entry: Input, given: Any) -> float:
    try:
        if not isinstance(given, str | bytes):  # which float reads
            return float(given)
    except (TypeError, ValueError, OverflowError):
        pass
    raise InputError(f"{entry.described} takes real numbers, not {given!r:.60}", hint="give floats")


def _label(path: str | None, otherwise: str, item: int | None) -> str:
    return f"{otherwise if path is None else path}" + ("" if item is None else f"[{item}]")
