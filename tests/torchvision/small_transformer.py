"""Exports a small vision transformer of torchvision by both of PyTorch's exporters, for tests/formats/onnx.

    python tests/torchvision/small_transformer.py FOLDER     needs torch, torchvision, onnx, onnxscript

Writes FOLDER/vision_transformer_ts.onnx.gz (`dynamo=False`), …_dy.onnx.gz (`dynamo=True`), and vision_transformer.npz,
an image and its output. All parameters are random, as torchvision's head is 0. Where a module lies stays in the file,
how the exporter came to it does not.
"""

from __future__ import annotations

import gzip
import sys
from pathlib import Path
from typing import Any

KEPT = {"namespace", "pkg.torch.onnx.class_hierarchy", "pkg.torch.onnx.name_scopes"}


def main(folder: Path) -> None:
    import numpy as np
    import torch
    from torchvision.models import VisionTransformer

    torch.set_num_threads(1)
    torch.backends.mha.set_fastpath_enabled(False)  # the older exporter has no form for it
    torch.manual_seed(3)
    model = VisionTransformer(
        image_size=12, patch_size=4, num_layers=2, num_heads=4, hidden_dim=16, mlp_dim=24, num_classes=7
    ).eval()
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for key, value in model.state_dict().items():
            noise = torch.randn(value.shape, generator=generator)
            if value.dim() == 1:
                value.copy_(1 + 0.2 * noise if key.endswith("weight") else 0.1 * noise)
            elif not value.any():  # the head, and the token of the class
                value.copy_(0.3 * noise)
        image = torch.rand(1, 3, 12, 12, generator=torch.Generator().manual_seed(5))
        output = model(image)
    np.savez(folder / "vision_transformer.npz", x=image.numpy(), y=output.numpy())
    for part, dynamo in (("ts", False), ("dy", True)):
        file = folder / f"vision_transformer_{part}.onnx"
        options = {"external_data": False} if dynamo else {}
        torch.onnx.export(model, (image,), file, dynamo=dynamo, **options)
        (folder / f"{file.name}.gz").write_bytes(gzip.compress(stripped(file), mtime=0))
        file.unlink()


def stripped(file: Path) -> bytes:
    """The model without the exporter's notes, but for those that name modules."""
    import onnx

    model = onnx.load(file)
    graph = model.graph
    entries: list[Any] = [
        graph,
        *graph.node,
        *graph.value_info,
        *graph.input,
        *graph.output,
        *graph.initializer,
    ]
    for entry in [model, *entries]:
        named = [(prop.key, prop.value) for prop in entry.metadata_props if prop.key in KEPT]
        del entry.metadata_props[:]
        for key, value in named:
            entry.metadata_props.add(key=key, value=value)
        entry.doc_string = ""
    data: bytes = model.SerializeToString()
    return data


if __name__ == "__main__":
    main(Path(sys.argv[1]))
