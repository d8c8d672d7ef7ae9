"""A peer's whole process, for `first.py`: reads a model file and a picture, runs once, prints the first class.

    python tests/benchmarks/first_peers.py onnxruntime alexnet.onnx cat.jpg

Nothing is imported that the peer does not need. Pictures are prepared as torchvision's transforms do for AlexNet.
"""

from __future__ import annotations

import sys
from typing import Any

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def picture(path: str) -> Any:
    """(1, 3, 224, 224) in float32."""
    import numpy as np
    from PIL import Image

    with Image.open(path) as image:
        width, height = image.size
        scale = 256 / min(width, height)
        size = (int(width * scale), int(height * scale))
        resized = image.convert("RGB").resize(size, Image.Resampling.BILINEAR)
    left, top = (size[0] - 224) // 2, (size[1] - 224) // 2
    pixels = np.asarray(resized.crop((left, top, left + 224, top + 224)), np.float32) / 255
    normal = (pixels - np.array(MEAN, np.float32)) / np.array(DEVIATION, np.float32)
    return np.ascontiguousarray(normal.transpose(2, 0, 1)[None])


def onnxruntime(model: str, x: Any) -> Any:
    """Scores by ONNX Runtime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def openvino(model: str, x: Any) -> Any:
    """Scores by OpenVINO, from its own format or from ONNX."""
    import openvino

    return openvino.Core().compile_model(model, "CPU")(x)[0]


def ncnn(model: str, x: Any) -> Any:
    """Scores by ncnn, from its .param and the .bin beside it."""
    import ncnn
    import numpy as np

    network = ncnn.Net()
    network.load_param(model)
    network.load_model(model.removesuffix(".param") + ".bin")
    extractor = network.create_extractor()
    extractor.input("in0", ncnn.Mat(x[0]))
    return np.array(extractor.extract("out0")[1])


if __name__ == "__main__":
    peer, model, path = sys.argv[1:]
    scores = {"onnxruntime": onnxruntime, "openvino": openvino, "ncnn": ncnn}[peer](model, picture(path))
    print(f"{peer}: class {scores.argmax()}")
