"""A photograph through torchvision's models and through `convcalc`, with the same weights file. Needs PyTorch.

    python3 -m venv /tmp/torchvision && /tmp/torchvision/bin/pip install torch==2.14.1 torchvision==0.29.1 pyyaml
    /tmp/torchvision/bin/python tests/torchvision/logits.py [--backend numba] [--image FILE] [NAME ...]

Classifiers of pictures; outputs.py gives random numbers to the other networks too.
Each model gets seeded random weights and running statistics, saved by torch.save; torchvision runs it behind the
transforms of its own published weights, convcalc reads the .pth file and prepares the picture as the spec says. The
outputs may differ by 1e-4 of the largest. Without names: one of every family, the smallest that has one.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

try:
    import torch
    from PIL import Image
    from torchvision import models
except ImportError as missing:
    sys.exit(f"logits.py needs torch and torchvision ({missing}); its docstring says how to install them")

import convcalc  # noqa: E402

FAMILIES = (
    "alexnet", "squeezenet1_1", "mobilenet_v2", "mobilenet_v3_small", "mnasnet0_5", "shufflenet_v2_x0_5",
    "efficientnet_b0", "regnet_x_400mf", "regnet_y_400mf", "resnet18", "densenet121", "googlenet", "inception_v3",
    "resnext50_32x4d", "convnext_tiny", "wide_resnet50_2", "efficientnet_v2_s", "vgg11_bn", "vit_b_16", "swin_t",
    "swin_v2_t", "maxvit_t",
)  # fmt: skip
TOLERANCE = 1e-4


def seeded(name: str) -> torch.nn.Module:
    """A model with random weights and statistics that keep its numbers in bounds."""
    torch.manual_seed(20)
    options = (
        {"transform_input": True, "init_weights": False} if name in ("googlenet", "inception_v3") else {}
    )
    model = models.get_model(name, weights=None, **options).eval()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.8, 1.2)
            torch.nn.init.uniform_(module.bias, -0.2, 0.2)
            torch.nn.init.uniform_(module.running_mean, -0.1, 0.1)
            torch.nn.init.uniform_(module.running_var, 0.8, 1.2)
    return model


def compare(name: str, image: Path, backend: str) -> bool:
    """Print one line; whether the outputs agree."""
    model = seeded(name)
    transforms = models.get_model_weights(name).DEFAULT.transforms()
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        path = Path(folder) / "weights.pth"
        torch.save(model.state_dict(), path)
        theirs = model(transforms(Image.open(image).convert("RGB")).unsqueeze(0))[0].double()
        start = time.perf_counter()
        result = convcalc.load(f"torchvision/{name}").forward(image, weights=str(path), backend=backend)
        seconds = time.perf_counter() - start
    ours = torch.tensor(list(result.run.values), dtype=torch.float64)
    difference = float((ours - theirs).abs().max() / theirs.abs().max())
    same_order = bool((ours.topk(5).indices == theirs.topk(5).indices).all())
    verdict = "same" if difference <= TOLERANCE else "DIFFERENT"
    order = "equal" if same_order else "differs"
    print(
        f"{name:20} {difference:8.1e} of the largest, top 5 {order}, {seconds:6.1f} s  {verdict}", flush=True
    )
    return difference <= TOLERANCE


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("names", nargs="*", default=FAMILIES)
    parser.add_argument("--backend", default="reference", choices=("reference", "numba"))
    parser.add_argument("--image", type=Path, default=ROOT / "tests" / "data" / "chelsea.png")
    arguments = parser.parse_args()
    wrong = [name for name in arguments.names if not compare(name, arguments.image, arguments.backend)]
    sys.exit(f"different: {', '.join(wrong)}" if wrong else 0)


if __name__ == "__main__":
    main()
