"""Reads PyTorch's own modules through convcalc.from_torch and compares. Not a test; needs PyTorch.

    python3 -m venv /tmp/torchvision
    /tmp/torchvision/bin/pip install torch==2.14.1 torchvision==0.29.1 timm==1.0.31 -e ".[fast]"
    /tmp/torchvision/bin/python tests/torchvision/from_torch.py                  # torchvision's classifiers
    /tmp/torchvision/bin/python tests/torchvision/from_torch.py --set timm       # one network of each of 40 families
    /tmp/torchvision/bin/python tests/torchvision/from_torch.py --set segmentation --set video
    /tmp/torchvision/bin/python tests/torchvision/from_torch.py --outputs 64 resnet18 timm:ghostnet_100

Compared for each network, at its own input size:

* parameters: PyTorch's own, in all modules;
* multiply-accumulates: half of what torch's FlopCounterMode counts, attention's fast path off;
* the shape of each output, and how many layers are of unknown operators;
* with --outputs N, on a random input of N pixels a side: every output of the fast backend against PyTorch's, as a
  share of the largest value. Norms' statistics and all one-dimensional parameters are random, too.

A table goes to stdout, a network a line; the exit code is 1 if one differs.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from array import array
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

try:
    import torch
    import torchvision
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode
except ImportError as missing:
    sys.exit(f"from_torch.py needs torch and torchvision ({missing}); its docstring says how to install them")

import convcalc  # noqa: E402

SEGMENTATION = (
    "deeplabv3_mobilenet_v3_large", "deeplabv3_resnet50", "fcn_resnet50", "lraspp_mobilenet_v3_large",
)  # fmt: skip
VIDEO = ("r3d_18", "mc3_18", "r2plus1d_18", "s3d", "mvit_v1_b", "swin3d_t")
TIMM = (
    "beit_base_patch16_224", "bat_resnext26ts", "botnet26t_256", "caformer_s18", "cait_xxs24_224", "coat_tiny",
    "coatnet_0_rw_224", "convit_tiny", "convmixer_768_32", "convnextv2_atto", "crossvit_9_240", "cspresnet50",
    "davit_tiny", "deit_tiny_patch16_224", "densenet121", "dla34", "dm_nfnet_f0", "dpn68", "edgenext_xx_small",
    "efficientnet_b0", "efficientformer_l1", "efficientvit_b0", "fastvit_t8", "focalnet_tiny_srf", "gcvit_xxtiny",
    "ghostnet_100", "gmixer_24_224", "halonet26t", "hardcorenas_a", "hgnet_tiny", "hrnet_w18_small",
    "inception_next_tiny", "inception_resnet_v2", "lcnet_050", "levit_128s", "maxvit_tiny_rw_224", "mixer_s16_224",
    "mixnet_s", "mnasnet_100", "mobilenetv3_small_100", "mobilenetv4_conv_small", "mobileone_s0", "mobilevit_s",
    "mvitv2_tiny", "nasnetalarge", "nest_tiny", "nf_resnet50", "pit_ti_224", "poolformer_s12", "pvt_v2_b0",
    "regnety_002", "repghostnet_050", "repvgg_a0", "repvit_m1", "res2net50_26w_4s", "resmlp_12_224", "resnest14d",
    "resnet50d", "rexnet_100", "selecsls42", "semnasnet_075", "sequencer2d_s", "seresnet18", "skresnet18",
    "starnet_s1", "swin_tiny_patch4_window7_224", "swinv2_tiny_window8_256", "tf_efficientnetv2_b0", "tinynet_e",
    "tiny_vit_5m_224", "tresnet_m", "twins_pcpvt_small", "vgg11", "visformer_tiny", "volo_d1_224", "vovnet39a",
    "wide_resnet50_2", "xception41", "xcit_nano_12_p16_224", "xception71",
)  # fmt: skip
LARGE = ("regnet_y_128gf", "vit_h_14")  # built without values
CLOSE = 1e-4  # of the largest output


def names_of(sets: list[str]) -> list[str]:
    """The networks of the named sets; timm's begin with `timm:`."""
    found = []
    for name in sets:
        if name == "classifiers":
            found += torchvision.models.list_models(torchvision.models)
        elif name == "segmentation":
            found += SEGMENTATION
        elif name == "video":
            found += VIDEO
        else:
            found += [f"timm:{network}" for network in TIMM]
    return found


def built(name: str) -> tuple[Any, tuple[int, ...]]:
    """A network with random weights, in evaluation mode, and the shape of its input."""
    if name.startswith("timm:"):
        import timm

        module = timm.create_model(name[5:], pretrained=False)
        return module.eval(), tuple(module.default_cfg["input_size"])
    options: dict[str, Any] = {}
    if name in SEGMENTATION:
        options = {"weights_backbone": None}
    if name in ("googlenet", "inception_v3"):
        options = {"init_weights": False, "aux_logits": False}
    size: tuple[int, ...] = (3, 299, 299) if name == "inception_v3" else (3, 224, 224)
    if name in VIDEO:
        size = (3, 16, 224, 224) if name.startswith(("mvit", "swin")) else (3, 16, 112, 112)
        size = {"swin3d_t": (3, 32, 224, 224), "s3d": (3, 16, 224, 224)}.get(name, size)
    if name in LARGE:
        with torch.device("meta"):
            module = torchvision.models.get_model(name, weights=None, **options)
        return module.to_empty(device="cpu").eval(), size
    return torchvision.models.get_model(name, weights=None, **options).eval(), size
    if name.startswith("maxvit"):
        return torchvision.models.get_model(name, weights=None).eval(), size
    return torchvision.models.get_model(name, weights=None, **options).eval(), size


def randomised(module: Any) -> None:
    """Random one-dimensional parameters and statistics, so that none of them is neutral."""
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        if tensor.dim() == 1 and tensor.is_floating_point():
            with torch.no_grad():
                tensor.uniform_(0.5, 1.5) if name.endswith(("weight", "var")) else tensor.normal_(0, 0.1)


def counted(module: Any, shape: tuple[int, ...]) -> int:
    """Multiply-accumulates by PyTorch's counter."""
    torch.backends.mha.set_fastpath_enabled(False)
    counter = FlopCounterMode(display=False)
    parameters = list(module.parameters())
    for parameter in parameters:
        parameter.requires_grad_(False)  # the counter follows gradients, which inference has none of
    device = parameters[0].device if parameters else "cpu"
    with (
        torch.no_grad(),
        sdpa_kernel(SDPBackend.MATH),
        counter,
    ):  # the products of the fused one are not counted
        module(torch.zeros((1, *shape), device=device))
    return counter.get_total_flops() // 2


def difference(module: Any, net: Any, shape: tuple[int, ...]) -> float:
    """The largest difference between outputs, as a share of the largest value."""
    torch.manual_seed(1)
    values = torch.rand((1, *shape))
    with torch.no_grad():
        expected = module(values)
    expected = list(expected.values()) if isinstance(expected, dict) else [expected]
    expected = list(expected[0]) if isinstance(expected[0], (tuple, list)) else expected
    run = net.forward(values.numpy()[0], threads=1).run
    worst = 0.0
    for found, right in zip(run.outputs.values(), expected, strict=False):
        flat = right.flatten().tolist()
        largest = max(abs(value) for value in flat) or 1.0
        worst = max(
            worst, max(abs(a - b) for a, b in zip(flat, array("d", found.values), strict=True)) / largest
        )
    return worst


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*")
    parser.add_argument("--set", action="append", choices=("classifiers", "segmentation", "video", "timm"))
    parser.add_argument(
        "--outputs", type=int, metavar="PIXELS", help="compare outputs on inputs of this size"
    )
    parser.add_argument(
        "--verbose", action="store_true", help="print the layers of unknown operators and the notes"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    networks = arguments.networks or names_of(arguments.set or ["classifiers"])
    failed = 0
    print(
        f"{'network':34} {'seconds':>8} {'layers':>6} {'parameters':>12} {'MACs':>15} {'unknown':>7} {'output':>9}"
    )
    for name in networks:
        try:
            module, shape = built(name)
            if arguments.outputs:
                randomised(module)
                shape = (shape[0], *(arguments.outputs for _ in shape[1:]))
            start = time.perf_counter()
            net = convcalc.from_torch(module, shape, name=name)
            seconds = time.perf_counter() - start
        except Exception as error:
            failed += 1
            print(f"{name:34} {type(error).__name__}: {str(error).splitlines()[0]:.120}", flush=True)
            continue
        unknown = [node for node in net.graph if not node.op.is_known]
        params = sum(tensor.numel() for tensor in module.parameters())
        macs = counted(module, shape)
        marks = [
            f"{net.totals.params - params:+,}" if net.totals.params != params else "equal",
            f"{net.totals.macs - macs:+,}" if net.totals.macs != macs else "equal",
        ]
        output = ""
        if arguments.outputs and not unknown:
            try:
                share = difference(module, net, shape)
                output = f"{share:.0e}"
                failed += share > CLOSE
            except Exception as error:
                failed += 1
                output = f"{type(error).__name__}: {str(error).splitlines()[0]:.100}"
        failed += bool(unknown) or marks != ["equal", "equal"]
        print(
            f"{name:34} {seconds:8.1f} {len(net.graph):6} {marks[0]:>12} {marks[1]:>15} {len(unknown):7} {output:>9}",
            flush=True,
        )
        if arguments.verbose:
            for node in unknown[:8]:
                print(f"    {node.name}: {node.op.shown_fields()}")
            for note in net.graph.notes:
                print(f"    note: {note}")
    print(f"{len(networks)} networks, {failed} differ")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
