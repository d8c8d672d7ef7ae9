"""ONNX files → OnnxModel: the file is opened, recognised and mapped; `graphs` reads the messages.

wire          fields of messages, without copying
numbers, tensors, external
              descriptions of tensors; their numbers stay where they are until they are asked for
attributes    attributes of nodes, parsed when they are asked for
graphs, order nodes and functions → graphs in the order of computation
"""

from __future__ import annotations

import mmap
import os
import stat

from convcalc.errors import ModelError
from convcalc.formats.onnx.graphs import read_model_message
from convcalc.formats.onnx.records import OnnxModel
from convcalc.formats.onnx.wire import WireFile
from convcalc.graph import MAX_LAYERS, uncollected

OLDEST_OPSET = 7
DOWNLOAD = "download the file itself, not the page about it"

# The first bytes of other files that are often called .onnx, what they are, and what would do
OTHERS: tuple[tuple[bytes, str, str], ...] = (
    (b"version https://git-lfs", "a pointer of Git LFS, not the model", "run 'git lfs pull' in its folder"),
    (b"<!doctype", "an HTML page", DOWNLOAD),
    (b"<html", "an HTML page", DOWNLOAD),
    (b"<?xml", "an XML file", DOWNLOAD),
    (b"pk\x03\x04", "a zip archive, such as PyTorch's .pth", "export the model with torch.onnx.export"),
    (b"\x89hdf", "an HDF5 file, such as Keras's .h5", "export the model with tf2onnx"),
    (b"\x1f\x8b", "a gzip archive", "unpack it with gunzip"),
    (b"\x80\x02", "a Python pickle", "export the model with torch.onnx.export"),
    (b"\x80\x04", "a Python pickle", "export the model with torch.onnx.export"),
    (b"{", "a JSON or text file", "export the model as .onnx"),
    (b"name:", "a YAML spec", "call it .yaml"),
    (b"ir_version", "ONNX in text form", "save the model with onnx.save"),
)


def read_model(path: str | os.PathLike[str], max_nodes: int = MAX_LAYERS) -> OnnxModel:
    """The model in an ONNX file; tensors stay in the file until their values are asked for.

    max_nodes: of the whole file, subgraphs and functions' bodies included. Raises ModelError for a file that is
    missing, damaged, or of an opset before 7.
    """
    name = os.fspath(path)
    with uncollected():
        file = WireFile(name, os.path.dirname(name), _mapped(name), max_nodes)
        model = read_model_message(file)
    if model.opset < OLDEST_OPSET and any(not node.domain for node in model.graph.nodes):
        raise ModelError(
            f"{name}: the model is of opset {model.opset}; {OLDEST_OPSET} and later are read",
            hint="convert it with onnx.version_converter, or export it anew",
        )
    return model


def _mapped(path: str) -> mmap.mmap:
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            kind = "a directory" if stat.S_ISDIR(found.st_mode) else "not a regular file"
            raise ModelError(
                f"{path}: this is {kind}; an ONNX file is needed", hint="give the path of the file"
            )
        if not found.st_size:
            raise ModelError(f"{path}: the file is empty", hint="download or export it again")
        with open(path, "rb") as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError:
        raise ModelError(f"{path}: there is no such file", hint="check the path of the model") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ModelError(f"{path}: cannot be read: {reason}", hint="check the path and its rights") from None
    start = data[:64].lstrip().lower()
    for magic, kind, remedy in OTHERS:
        if start.startswith(magic):
            raise ModelError(f"{path}: this is {kind}", hint=remedy)
    return data
