"""The architectures bundled with convcalc: their names and files."""

from __future__ import annotations

import os
from functools import cache

SUFFIXES = (".yaml", ".yml")  # of spec files; bundled specs are named without it
MODEL_SUFFIXES = (".onnx",)  # of model files, which `formats` opens
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


@cache
def directory() -> str:
    """The folder of bundled specs: inside the package in an installed wheel, next to it in a checkout."""
    inside = os.path.join(_PACKAGE, "architectures")
    return inside if os.path.isdir(inside) else os.path.join(os.path.dirname(_PACKAGE), "architectures")


def names() -> list[str]:
    """The sorted names of all bundled specs, families included: `alexnet`, `torchvision/resnet50`, …"""
    root = directory()
    found = []
    for folder, folders, files in os.walk(root):
        folders.sort()
        relative = os.path.relpath(folder, root)
        prefix = "" if relative == "." else relative.replace(os.sep, "/") + "/"
        found += [prefix + file.removesuffix(".yaml") for file in files if file.endswith(".yaml")]
    return sorted(found)


def path(name: str) -> str | None:
    """The file of a bundled spec, or None. Names that would leave the folder give None."""
    if not name or any(part in ("", ".", "..") for part in name.split("/")) or "\\" in name or "\0" in name:
        return None
    file = os.path.join(directory(), *name.split("/")) + ".yaml"
    return file if os.path.isfile(file) else None


def is_model(arch: str) -> bool:
    """Whether ARCH is a model file or a PyTorch module rather than a spec, by its form; it need not exist."""
    return arch.lower().endswith(MODEL_SUFFIXES) or module_parts(arch) is not None


def module_parts(arch: str) -> tuple[str, str] | None:
    """The file or importable module, and the name in it, of a PyTorch module: `mynet.py:Net`, `timm.models:vgg11`.
    None for anything else, such as `C:\\net.yaml` or a file that is there whatever it is called.
    """
    place, colon, name = arch.rpartition(":")
    if not colon or not all(part.isidentifier() for part in name.split(".")):
        return None
    if not place.endswith(".py") and not (
        len(place) > 1 and all(part.isidentifier() for part in place.split("."))
    ):
        return None
    return None if os.path.exists(arch) else (place, name)


def members() -> list[str]:
    """The names of the bundled networks: all specs except families."""
    return [name for name in names() if not is_family(name)]


def is_family(name: str) -> bool:
    """Whether a bundled spec is a family, which needs a value for a variable: its `vars` has a `required`."""
    file = path(name)
    assert file is not None
    with open(file, encoding="utf-8") as stream:
        text = stream.read()
    if "required" not in text:
        return False
    from convcalc.language import reader

    root = reader.read(reader.YamlSource(name, text))
    variables = root.entries.get("vars") if isinstance(root, reader.Mapping) else None
    return isinstance(variables, reader.Mapping) and any(
        reader.is_required(node) for node in variables.entries.values()
    )


def ancestry(name: str) -> list[str]:
    """The name of a bundled spec, then those of the specs it extends, nearest first."""
    from convcalc.language import reader

    chain: list[str] = []
    while name not in chain:
        file = path(name)
        if file is None:
            break
        chain.append(name)
        with open(file, encoding="utf-8") as stream:
            root = reader.read(reader.YamlSource(name, stream.read()))
        base = root.entries.get("extends") if isinstance(root, reader.Mapping) else None
        if not isinstance(base, reader.Scalar):
            break
        name = base.text
    return chain
