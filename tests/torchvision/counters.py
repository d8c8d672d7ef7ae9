"""What counting tools print for torchvision's networks, as tests/data/counters/tools.csv holds it. Not a test.

    python3 -m venv /tmp/counters && /tmp/counters/bin/pip install torch==2.14.1 torchvision==0.29.1 pyyaml \
        torchinfo==1.8.0 thop==0.1.1.post2209072238 ptflops==0.7.5 fvcore==0.1.5.post20221221 torchsummary==1.5.1 \
        calflops==0.3.2 transformers deepspeed==0.19.8 keras==3.15.1
    /tmp/counters/bin/python tests/torchvision/counters.py > tests/data/counters/tools.csv          # hours, on a CPU
    /tmp/counters/bin/python tests/torchvision/counters.py resnet50 googlenet

Each network runs once per tool and figure, on zeros at its spec's input size, with random weights, in eval mode and
without auxiliary heads. What a tool fails on is left empty, and the error goes to stderr.
"""

from __future__ import annotations

import contextlib
import csv
import io
import logging
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from math import prod
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
os.environ |= {"CUDA_VISIBLE_DEVICES": "", "KERAS_BACKEND": "torch"}
warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)

try:
    import keras
    import ptflops
    import thop
    import torch
    import torchinfo
    import torchsummary
    from calflops import calculate_flops
    from deepspeed.profiling.flops_profiler import get_model_profile
    from fvcore.nn import FlopCountAnalysis
    from networks import WITH_AUXILIARY, make
    from torch import nn
    from torchvision import models
except ImportError as missing:
    sys.exit(f"counters.py needs the tools it runs ({missing}); its docstring says how to install them")

from convcalc.language import bundled  # noqa: E402
from convcalc.language.load import load_graph  # noqa: E402
from convcalc.shapes import Shape  # noqa: E402

AUXILIARY = ("aux1", "aux2", "AuxLogits")
SIZES = (
    "Input size (MB)",
    "Forward/backward pass size (MB)",
    "Params size (MB)",
    "Estimated Total Size (MB)",
)
KERAS = {
    "vgg16": "VGG16", "vgg19": "VGG19", "resnet50": "ResNet50", "resnet101": "ResNet101", "resnet152": "ResNet152",
    "inception_v3": "InceptionV3", "densenet121": "DenseNet121", "densenet169": "DenseNet169",
    "densenet201": "DenseNet201", "mobilenet_v2": "MobileNetV2", "mobilenet_v3_large": "MobileNetV3Large",
    "mobilenet_v3_small": "MobileNetV3Small", "efficientnet_b0": "EfficientNetB0", "efficientnet_b1": "EfficientNetB1",
    "efficientnet_b3": "EfficientNetB3", "efficientnet_b7": "EfficientNetB7", "efficientnet_v2_s": "EfficientNetV2S",
    "efficientnet_v2_m": "EfficientNetV2M", "convnext_tiny": "ConvNeXtTiny", "convnext_base": "ConvNeXtBase",
}  # fmt: skip
Figures = dict[str, object]


def module(name: str) -> nn.Module:
    """The network with random weights, without the heads that only training uses."""
    if name in ("googlenet", "inception_v3"):
        network = models.get_model(name, weights=None, init_weights=False)
        network.aux_logits = False
        for head in AUXILIARY:
            setattr(network, head, None)
        return network.eval()
    network = make(name)
    if name.startswith(WITH_AUXILIARY):
        network.aux_classifier = None
    return network


def by_torchinfo(name: str, shape: Shape) -> Figures:
    """Its totals in bytes, before it prints them as megabytes."""
    found = torchinfo.summary(module(name), input_size=(1, *shape), verbose=0, device="cpu")
    return {
        "torchinfo 1.8.0: Total params": found.total_params,
        "torchinfo 1.8.0: Total mult-adds": found.total_mult_adds,
        "torchinfo 1.8.0: Forward/backward pass size (MB)": found.total_output_bytes,
        "torchinfo 1.8.0: Params size (MB)": found.total_param_bytes,
    }


def by_thop(name: str, shape: Shape) -> Figures:
    """MACs and parameters, which it gives as floats."""
    macs, params = thop.profile(module(name), inputs=(torch.zeros(1, *shape),), verbose=False)
    return {"thop 0.1.1: macs": int(macs), "thop 0.1.1: params": int(params)}


def by_ptflops(name: str, shape: Shape) -> Figures:
    """Its default backend, aten, and the default without functions."""
    figures: Figures = {}
    for suffix, options in (
        ("", {}),
        (", backend aten", {"backend": "aten"}),
        (", functions not counted", {"backend_specific_config": {"count_functional": False}}),
    ):
        macs, params = ptflops.get_model_complexity_info(
            module(name), shape, as_strings=False, print_per_layer_stat=False, **options
        )
        figures[f"ptflops 0.7.5{suffix}: Computational complexity"] = macs
        if not suffix:
            figures["ptflops 0.7.5: Number of parameters"] = params
    return figures


def by_fvcore(name: str, shape: Shape) -> Figures:
    """MACs under the name of FLOPs."""
    found = FlopCountAnalysis(module(name), torch.zeros(1, *shape))
    found.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    return {"fvcore 0.1.5: #flops": found.total()}


def by_calflops(name: str, shape: Shape) -> Figures:
    """Operations, MACs and parameters."""
    flops, macs, params = calculate_flops(
        model=module(name),
        input_shape=(1, *shape),
        output_as_string=False,
        print_results=False,
        print_detailed=False,
    )
    return {
        "calflops 0.3.2: fwd FLOPs": flops,
        "calflops 0.3.2: fwd MACs": macs,
        "calflops 0.3.2: Total Training Params": params,
    }


def by_deepspeed(name: str, shape: Shape) -> Figures:
    """Operations, MACs and parameters."""
    flops, macs, params = get_model_profile(
        model=module(name),
        input_shape=(1, *shape),
        print_profile=False,
        detailed=False,
        warm_up=0,
        as_string=False,
    )
    return {
        "DeepSpeed 0.19.8: fwd flops per GPU": flops,
        "DeepSpeed 0.19.8: fwd MACs per GPU": macs,
        "DeepSpeed 0.19.8: params per GPU": params,
    }


def by_torchsummary(name: str, shape: Shape) -> Figures:
    """What its page says: it returns nothing."""
    page = io.StringIO()
    with contextlib.redirect_stdout(page):
        torchsummary.summary(module(name), shape, device="cpu")
    return {
        f"torchsummary 1.5.1: {label}": number[1].replace(",", "")
        for label in ("Total params", *SIZES)
        if (number := re.search(rf"{re.escape(label)}: ([\d.,]+)", page.getvalue()))
    }


def by_keras(name: str, shape: Shape) -> Figures:
    """The network of the same name in keras.applications, where there is one."""
    if name not in KERAS:
        return {}
    network = getattr(keras.applications, KERAS[name])(weights=None)
    trainable, other = (
        sum(prod(weight.shape) for weight in weights)
        for weights in (network.trainable_weights, network.non_trainable_weights)
    )
    return {
        "Keras 3.15.1: Total params": network.count_params(),
        "Keras 3.15.1: Trainable params": trainable,
        "Keras 3.15.1: Non-trainable params": other,
    }


TOOLS: tuple[Callable[[str, Shape], Figures], ...] = (
    by_torchinfo,
    by_thop,
    by_ptflops,
    by_fvcore,
    by_calflops,
    by_deepspeed,
    by_torchsummary,
    by_keras,
)


def figures(name: str, shape: Shape) -> Iterator[tuple[str, object]]:
    """Every figure that a tool gives for a network."""
    for tool in TOOLS:
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                found = tool(name, shape)
        except Exception as error:  # whatever a tool raises
            print(f"{name}: {tool.__name__}: {error!r}", file=sys.stderr)
        else:
            yield from found.items()


def main(names: list[str]) -> None:
    """The table on stdout, a row per network."""
    torch.set_grad_enabled(False)
    rows: list[dict[str, Any]] = []
    for arch in bundled.members():
        folder, _, name = arch.rpartition("/")
        if folder == "torchvision" and (not names or name in names):
            rows.append({"network": name, **dict(figures(name, load_graph(arch).input_shape))})
            print(name, file=sys.stderr)
    columns = dict.fromkeys(column for row in rows for column in row)
    table = csv.DictWriter(sys.stdout, list(columns), restval="", lineterminator="\n")
    table.writeheader()
    table.writerows(rows)


if __name__ == "__main__":
    main(sys.argv[1:])
