"""Parameters and multiply-accumulates of architectures/torchvision/* against timm's own modules. Needs PyTorch.

    python3 -m venv /tmp/timm && /tmp/timm/bin/pip install torch==2.14.1 torchvision==0.29.1 timm==1.0.31 pyyaml
    /tmp/timm/bin/python tests/torchvision/timm_classifiers.py                  # all of TIMM, a minute
    /tmp/timm/bin/python tests/torchvision/timm_classifiers.py resnet50 swin_t

timm's modules are written by other people under other names, so that this is a second witness beside compare.py, which
compares torchvision's. They live on PyTorch's meta device, and PyTorch's counter counts them, attention multiplied out.
Swin V2 has fewer parameters there by the biases of keys, which torchvision holds at 0; timm's MaxViT-T is another.
"""

from __future__ import annotations

import argparse
import os
import sys
from math import prod
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
os.environ["TIMM_FUSED_ATTN"] = "0"

try:
    import timm
    import torch
    from torch.utils.flop_counter import FlopCounterMode
except ImportError as missing:
    sys.exit(f"timm_classifiers.py needs torch and timm ({missing}); its docstring says how to install them")

from convcalc.language.load import load_graph  # noqa: E402

SAME_NAMES = (
    "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext50_32x4d", "resnext101_32x8d",
    "resnext101_64x4d", "wide_resnet50_2", "wide_resnet101_2", "vgg11", "vgg11_bn", "vgg13", "vgg13_bn", "vgg16",
    "vgg16_bn", "vgg19", "vgg19_bn", "densenet121", "densenet161", "densenet169", "densenet201", "efficientnet_b0",
    "efficientnet_b1", "efficientnet_b2", "efficientnet_b3", "efficientnet_b4", "efficientnet_b5", "efficientnet_b6",
    "efficientnet_b7", "inception_v3", "convnext_tiny", "convnext_small", "convnext_base", "convnext_large",
)  # fmt: skip
TIMM = {
    **{name: name for name in SAME_NAMES},
    "mobilenet_v2": "mobilenetv2_100", "mobilenet_v3_large": "mobilenetv3_large_100",
    "mobilenet_v3_small": "mobilenetv3_small_100", "mnasnet0_5": "mnasnet_050", "mnasnet0_75": "mnasnet_075",
    "mnasnet1_0": "mnasnet_100", "efficientnet_v2_s": "tf_efficientnetv2_s", "efficientnet_v2_m": "tf_efficientnetv2_m",
    "efficientnet_v2_l": "tf_efficientnetv2_l", "regnet_x_400mf": "regnetx_004_tv", "regnet_x_800mf": "regnetx_008",
    "regnet_x_1_6gf": "regnetx_016", "regnet_x_3_2gf": "regnetx_032", "regnet_x_8gf": "regnetx_080",
    "regnet_x_16gf": "regnetx_160", "regnet_x_32gf": "regnetx_320", "regnet_y_400mf": "regnety_004",
    "regnet_y_800mf": "regnety_008_tv", "regnet_y_1_6gf": "regnety_016", "regnet_y_3_2gf": "regnety_032",
    "regnet_y_8gf": "regnety_080_tv", "regnet_y_16gf": "regnety_160", "regnet_y_32gf": "regnety_320",
    "regnet_y_128gf": "regnety_1280", "vit_b_16": "vit_base_patch16_224", "vit_b_32": "vit_base_patch32_224",
    "vit_l_16": "vit_large_patch16_224", "vit_l_32": "vit_large_patch32_224", "vit_h_14": "vit_huge_patch14_224",
    "swin_t": "swin_tiny_patch4_window7_224", "swin_s": "swin_small_patch4_window7_224",
    "swin_b": "swin_base_patch4_window7_224", "swin_v2_t": "swinv2_tiny_window8_256",
    "swin_v2_s": "swinv2_small_window8_256", "swin_v2_b": "swinv2_base_window8_256",
}  # fmt: skip


def compare(name: str) -> bool:
    """Print one line; whether both figures agree."""
    graph = load_graph(f"torchvision/{name}")
    sized = {"img_size": graph.input_shape[-1]} if name.startswith(("vit", "swin")) else {}
    with torch.device("meta"):
        model = timm.create_model(TIMM[name], num_classes=1000, **sized).eval()
        counter = FlopCounterMode(display=False)
        with counter, torch.inference_mode():
            model(torch.empty(1, *graph.input_shape))
    macs, params = counter.get_total_flops() // 2, sum(parameter.numel() for parameter in model.parameters())
    own_macs = sum(node.op.macs(node.input_shapes) for node in graph)
    own_params = sum(
        prod(p.shape) for node in graph if node.shares is None for p in node.parameters if p.role != "buffer"
    )
    unread = sum(
        node.input_shapes[0][-1] for node in graph if node.op.shown_fields().get("similarity") == "cosine"
    )
    same = (own_params - unread, own_macs) == (params, macs)
    figures = f"{own_params:>12,} {params - own_params:>+10,} {own_macs:>18,} {macs - own_macs:>+14,}"
    print(f"{name:20} {TIMM[name]:32} {figures}  {'same' if same else 'DIFFERENT'}", flush=True)
    return same


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("names", nargs="*", default=list(TIMM))
    print(
        f"{'here':20} {'timm ' + timm.__version__:32} {'params':>12} {'less':>10} {'MACs':>18} {'less':>14}"
    )
    wrong = [name for name in parser.parse_args().names if not compare(name)]
    sys.exit(f"different: {', '.join(wrong)}" if wrong else 0)


if __name__ == "__main__":
    main()
