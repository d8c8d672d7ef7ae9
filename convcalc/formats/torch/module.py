"""The user's own PyTorch modules: `FILE.py:NAME`, `package.module:NAME`, or one that Python holds.

The user's code runs as Python would run it. What goes wrong in it is told with its file and line; what it prints goes
to stderr. PyTorch is imported here and nowhere else without being asked for.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import importlib.util
import inspect
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any, NamedTuple

from convcalc.errors import ConvcalcError, Mark, ModelError, UsageError, did_you_mean
from convcalc.formats.model import Model
from convcalc.formats.torch.read.records import BATCHES
from convcalc.graph import MAX_LAYERS, Output
from convcalc.language.input import Given, parse_input
from convcalc.shapes import Shape, show

INSTALL = "pip install torch"
MAX_NAMES = 8  # that a file offers, in a message

# The shape of the only input, those of several in order, or by name; without the batch.
Shapes = Shape | Sequence[Shape] | Mapping[str, Shape]


class Reference(NamedTuple):
    """Where a module is found. file: a path ending in .py, or the dotted name of an importable module."""

    file: str
    name: str

    @property
    def is_file(self) -> bool:
        """Whether it is a file rather than an importable module."""
        return self.file.endswith(".py")

    def __str__(self) -> str:
        return f"{self.file}:{self.name}"


def open_module(
    file: str, name: str, given: Given | None, *, seed: int = 0, max_layers: int = MAX_LAYERS
) -> Model:
    """The model of the module called `name` in a file or an importable module. given: the shapes of its inputs, as
    `--input` gives them; seed: of its random weights.

    Raises UsageError without shapes, ModelError if PyTorch is missing, the code fails or holds no such module.
    """
    place = Reference(file, name)
    if given is None:
        raise UsageError(
            f"{place} is a PyTorch module, which does not tell the shape of its input",
            hint="give it: --input 3x224x224",
        )
    shapes = _shapes(given)
    need_torch()
    import torch

    torch.manual_seed(seed)
    module = _made(_found(place), place)
    return model_of(module, shapes, name=name.rpartition(".")[2], path=str(place), max_layers=max_layers)


def _shapes(given: Given) -> Shapes:
    """Shapes from `--input`: a text, or texts by name. Raises UsageError."""
    if isinstance(given, str) and "=" in given:
        name, _, text = given.partition("=")
        given = {name.strip(): text}
    if isinstance(given, Mapping):
        return {key: _shape(value) for key, value in given.items()}
    return _shape(given)


def _shape(given: Shape | str) -> Shape:
    if not isinstance(given, str):
        return given
    return (int(given),) if given.strip().isdecimal() and int(given) else parse_input(given)


def model_of(
    module: Any, shapes: Shapes, *, name: str | None = None, path: str = "", max_layers: int = MAX_LAYERS
) -> Model:
    """The model of a module. shapes: that of the only input, those of several in order, or by the names of `forward`'s
    parameters, without the batch. Raises ModelError if torch.export cannot trace it."""
    need_torch()
    import torch

    from convcalc.formats.torch.read.table import map_program
    from convcalc.formats.torch.read.trace import traced

    if not isinstance(module, torch.nn.Module):
        raise UsageError(f"a torch.nn.Module is needed, not a {type(module).__name__}")
    given = _as_inputs(shapes)
    title = name or type(module).__name__
    with _shown(f"torch.export cannot trace {title}", _described(given)):
        program = traced(module, given, title)
    built = map_program(program, max_layers)
    nodes = built.graph.nodes
    if not nodes:
        raise ModelError(f"{title} has no layers: it returns its input")
    labels = [label for label, _ in program.outputs]
    outputs = tuple(
        output if label else Output(nodes[output.node].name if output.node >= 0 else output.name, output.node)
        for label, output in zip(labels, built.graph.outputs, strict=True)
    )
    graph = dataclasses.replace(built.graph, outputs=_distinct(outputs), notes=built.notes)
    return Model(graph, built.tensors, path, built.notes, classes=built.classes)


def _distinct(outputs: Sequence[Output]) -> tuple[Output, ...]:
    """The outputs with names that differ: a layer that is given twice has a number the second time."""
    taken: dict[str, int] = {}
    found = []
    for output in outputs:
        taken[output.name] = taken.get(output.name, 0) + 1
        count = taken[output.name]
        found.append(output if count == 1 else Output(f"{output.name}_{count}", output.node))
    return tuple(found)


def need_torch() -> None:
    """Raise ModelError unless PyTorch can be imported and has torch.export."""
    if importlib.util.find_spec("torch") is None:
        raise ModelError(
            "PyTorch modules are read with PyTorch, which this Python does not have",
            hint=f"{INSTALL}    in the environment that convcalc is in: {sys.prefix}",
        )
    try:
        importlib.import_module("torch.export")
    except ImportError as error:
        raise ModelError(
            f"this PyTorch has no torch.export, or does not load: {error}",
            hint=f"{INSTALL} --upgrade: 2.5 or later",
        ) from error


def _as_inputs(shapes: Shapes) -> list[Shape] | dict[str, Shape]:
    if isinstance(shapes, Mapping):
        return {name: tuple(shape) for name, shape in shapes.items()}
    if shapes and isinstance(shapes[0], int):
        return [tuple(shapes)]  # type: ignore[arg-type]
    return [tuple(shape) for shape in shapes]  # type: ignore[arg-type]


def _described(shapes: list[Shape] | dict[str, Shape]) -> str:
    if isinstance(shapes, dict):
        return ", ".join(f"{name} {show(shape)}" for name, shape in shapes.items())
    return ", ".join(map(show, shapes))


# -- the user's code -----------------------------------------------------------------------------------------


def _found(place: Reference) -> Any:
    """The object of that name. Raises ModelError if the code fails or has no such name."""
    module = _run(place) if place.is_file else _imported(place)
    found: Any = module
    for segment in place.name.split("."):
        if not hasattr(found, segment):
            names = _offered(module)
            raise ModelError(
                f"{place.file} has no {place.name}{did_you_mean(place.name, names)}",
                hint=f"it has {', '.join(names[:MAX_NAMES])}" if names else None,
            )
        found = getattr(found, segment)
    return found


def _offered(module: ModuleType) -> list[str]:
    """The names of a module that could be meant: modules of PyTorch, and classes of them and functions of its own."""
    import torch

    def could_be(value: Any) -> bool:
        if isinstance(value, torch.nn.Module):
            return True
        own = getattr(value, "__module__", "").startswith(module.__name__.partition(".")[0])
        return own and (
            inspect.isfunction(value) or (inspect.isclass(value) and issubclass(value, torch.nn.Module))
        )

    return [name for name, value in vars(module).items() if not name.startswith("_") and could_be(value)]


def _run(place: Reference) -> ModuleType:
    """The file run as a module, its folder on the path as Python would have it."""
    path = os.path.abspath(place.file)
    if not os.path.isfile(path):
        raise ModelError(
            f"{place.file}: there is no such file", hint="FILE.py:NAME names a module in a Python file"
        )
    folder, base = os.path.split(path)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    name = base[:-3]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(name)
    sys.modules[name] = module  # dataclasses and pickles look their module up
    with _shown(f"{place.file} cannot be run", "", path):
        try:
            spec.loader.exec_module(module)
        except BaseException:
            if before is None:
                del sys.modules[name]
            else:
                sys.modules[name] = before
            raise
    return module


def _imported(place: Reference) -> ModuleType:
    here = os.getcwd()
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)
    try:
        known = importlib.util.find_spec(place.file) is not None
    except (ImportError, ValueError):
        known = False
    if not known:
        raise ModelError(
            f"{place.file} is no module that this Python can import",
            hint=f"install it here ({sys.prefix}), or write {place.file.rpartition('.')[2]}.py:{place.name} for a file",
        )
    with _shown(f"{place.file} cannot be imported", ""):
        return importlib.import_module(place.file)


def _made(found: Any, place: Reference) -> Any:
    """The module itself: an instance, or what a class or function gives without arguments."""
    import torch

    if isinstance(found, torch.nn.Module):
        return found
    if not callable(found):
        raise ModelError(
            f"{place.file}:{place.name} is of type {type(found).__name__}",
            hint="name a torch.nn.Module, or a class or function that gives one without arguments",
        )
    missing = _missing_arguments(found)
    if missing:
        raise ModelError(
            f"{place.file}:{place.name} needs arguments: {', '.join(missing)}",
            hint="name a function without arguments that gives the module, such as def net(): return "
            f"{place.name}(…)",
        )
    with _shown(f"{place.name}() failed", ""):
        made = found()
    if not isinstance(made, torch.nn.Module):
        raise ModelError(
            f"{place.file}:{place.name}() gives an object of type {type(made).__name__}",
            hint="it should give a torch.nn.Module",
        )
    return made


def _missing_arguments(found: Callable[..., Any]) -> list[str]:
    try:
        parameters = inspect.signature(found).parameters.values()
    except (TypeError, ValueError):
        return []
    return [
        entry.name
        for entry in parameters
        if entry.default is entry.empty and entry.kind not in (entry.VAR_POSITIONAL, entry.VAR_KEYWORD)
    ]


@contextlib.contextmanager
def _shown(what: str, given: str, path: str | None = None) -> Any:
    """Turns what the user's code raises into a ModelError at its line, and sends what it prints to stderr.

    given: the inputs, for the message; path: the user's file, if known.
    """
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except ConvcalcError:
        raise
    except SystemExit as end:
        raise ModelError(f"{what}: it called exit({end.code!r})") from end
    except Exception as error:
        text = str(error).strip().splitlines()
        first = text[0][:300] if text else ""
        for batch in BATCHES:  # the stand-in for the number of images
            first = first.replace(str(batch), "N")
        inputs = f" on {given}" if given else ""
        raise ModelError(
            f"{what}{inputs}: {type(error).__name__}: {first}",
            mark=_mark(error, path),
            hint="convcalc --debug shows the whole traceback",
        ) from error


def _mark(error: BaseException, path: str | None) -> Mark | None:
    """The line of the user's code where an error comes from: the innermost that is neither ours nor PyTorch's."""
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        text = (error.text or "").rstrip("\n")
        return Mark(os.path.relpath(error.filename), error.lineno, error.offset or 1, text)
    frames = traceback.extract_tb(error.__traceback__)
    ours = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    for frame in reversed(frames):
        name = os.path.abspath(frame.filename)
        foreign = f"{os.sep}torch{os.sep}" in name or name.startswith(ours) or frame.filename.startswith("<")
        if name == path or (not foreign and path is None):
            text = frame.line or ""
            return Mark(_short(name), frame.lineno or 1, 1, text, max(1, len(text)))
    return None


def _short(path: str) -> str:
    """The path relative to the current folder, unless that goes up."""
    with contextlib.suppress(ValueError):
        relative = os.path.relpath(path)
        return path if relative.startswith("..") else relative
    return path
