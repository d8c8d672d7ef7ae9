"""Measures what PyTorch keeps of single layers for their backward pass, and writes tests/data/training/layers.json.

    python tests/torchvision/kept.py                 # needs torch
    python tests/torchvision/kept.py --networks      # needs torchvision too: prints whole networks, to be compared

A storage counts once, at its whole size; storages of parameters are left out, those of buffers are not. The input of
a layer needs a gradient and belongs to the layer before it, so it counts when it is kept. Batch 2, float32, train mode.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

BATCH = 2
FILE = Path(__file__).parents[1] / "data" / "training" / "layers.json"
MAP = (6, 7, 5)
SEQUENCE = (9, 8)

Layer = Callable[..., Any]


class WindowedAttention(nn.Module):
    """What torchvision's shifted_window_attention does with windows that fit and are not shifted."""

    def __init__(self, features: int, heads: int, window: int, cosine: bool = False) -> None:
        super().__init__()
        self.qkv, self.proj = nn.Linear(features, 3 * features), nn.Linear(features, features)
        self.heads, self.window = heads, window
        self.logit_scale = nn.Parameter(torch.ones(heads, 1, 1)) if cosine else None

    def forward(self, x: Tensor) -> Tensor:
        b, h, w, c = x.shape
        m = self.window
        x = x.view(b, h // m, m, w // m, m, c).permute(0, 1, 3, 2, 4, 5)
        x = x.reshape(-1, m * m, c)
        qkv = self.qkv(x).reshape(x.size(0), m * m, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        q, k, v = qkv[0], qkv[1], qkv[2]
        if self.logit_scale is None:
            q = q * (c // self.heads) ** -0.5
            scores = q.matmul(k.transpose(-2, -1))
        else:
            scores = functional.normalize(q, dim=-1) @ functional.normalize(k, dim=-1).transpose(-2, -1)
            scores = scores * torch.clamp(self.logit_scale, max=4.605).exp()
        attended = functional.softmax(scores, dim=-1)
        x = attended.matmul(v).transpose(1, 2).reshape(-1, m * m, c)
        x = self.proj(x)
        x = x.view(b, h // m, w // m, m, m, c).permute(0, 1, 3, 2, 4, 5)
        return x.reshape(b, h, w, c)


class FrozenBatchNorm(nn.Module):
    """What torchvision's FrozenBatchNorm2d does."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        for name in ("weight", "running_var"):
            self.register_buffer(name, torch.ones(channels))
        for name in ("bias", "running_mean"):
            self.register_buffer(name, torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        w, b, rv, rm = (
            getattr(self, name).reshape(1, -1, 1, 1)
            for name in ("weight", "bias", "running_var", "running_mean")
        )
        scale = w * (rv + 1e-5).rsqrt()
        return x * scale + (b - rm * scale)


class SelfAttention(nn.Module):
    """nn.MultiheadAttention as torchvision's ViT calls it."""

    def __init__(self, features: int, heads: int) -> None:
        super().__init__()
        self.inner = nn.MultiheadAttention(features, heads, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x, x, x, need_weights=False)[0]


class Scale(nn.Module):
    """A learned factor per channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * x


# An entry of the language, the shapes of its inputs, and the layer in PyTorch.
CASES: tuple[tuple[str, tuple[tuple[int, ...], ...], Layer], ...] = (
    ("conv: {filters: 4, kernel: 3}", (MAP,), nn.Conv2d(6, 4, 3)),
    ("conv: {filters: 8, kernel: 3, groups: 2, bias: false}", (MAP,), nn.Conv2d(6, 8, 3, groups=2, bias=False)),
    ("deconv: {filters: 4, kernel: 2, stride: 2}", (MAP,), nn.ConvTranspose2d(6, 4, 2, 2)),
    ("dense: 5", ((11,),), nn.Linear(11, 5)),
    ("dense: {units: 5, axis: last}", (SEQUENCE,), nn.Linear(8, 5)),
    ("batchnorm", (MAP,), nn.BatchNorm2d(6)),
    ("batchnorm: {frozen: true}", (MAP,), FrozenBatchNorm(6)),
    ("layernorm: {axis: last}", (SEQUENCE,), nn.LayerNorm(8)),
    ("layernorm: {axis: [0, 1, 2]}", (MAP,), nn.LayerNorm(MAP)),
    ("groupnorm: {groups: 3}", (MAP,), nn.GroupNorm(3, 6)),
    ("instancenorm", (MAP,), nn.InstanceNorm2d(6)),
    ("instancenorm: {affine: true}", (MAP,), nn.InstanceNorm2d(6, affine=True)),
    ("rmsnorm: {axis: last}", (SEQUENCE,), nn.RMSNorm(8)),
    ("l2norm", (MAP,), lambda x: functional.normalize(x, dim=1)),
    ("lrn: {size: 5}", (MAP,), nn.LocalResponseNorm(5)),
    ("lrn: {size: 4}", (MAP,), nn.LocalResponseNorm(4)),
    ("relu", (MAP,), nn.ReLU()),
    ("relu6", (MAP,), nn.ReLU6()),
    ("leaky_relu", (MAP,), nn.LeakyReLU()),
    ("prelu", (MAP,), nn.PReLU(6)),
    ("elu", (MAP,), nn.ELU()),
    ("selu", (MAP,), nn.SELU()),
    ("celu", (MAP,), nn.CELU()),
    ("sigmoid", (MAP,), nn.Sigmoid()),
    ("tanh", (MAP,), nn.Tanh()),
    ("gelu", (MAP,), nn.GELU()),
    ("silu", (MAP,), nn.SiLU()),
    ("mish", (MAP,), nn.Mish()),
    ("hardsigmoid", (MAP,), nn.Hardsigmoid()),
    ("hardswish", (MAP,), nn.Hardswish()),
    ("softplus", (MAP,), nn.Softplus()),
    ("clip: {min: 0, max: 6}", (MAP,), lambda x: torch.clamp(x, 0, 6)),
    ("abs", (MAP,), torch.abs),
    ("exp", (MAP,), torch.exp),
    ("log", (MAP,), torch.log),
    ("sqrt", (MAP,), torch.sqrt),
    ("erf", (MAP,), torch.erf),
    ("negate", (MAP,), torch.neg),
    ("reciprocal", (MAP,), torch.reciprocal),
    ("softmax", (MAP,), nn.Softmax(1)),
    ("scale", (MAP,), Scale(6)),
    ("scale: {value: 0.5}", (MAP,), lambda x: x * 0.5),
    ("maxpool: {kernel: 2}", (MAP,), nn.MaxPool2d(2)),
    ("avgpool: {kernel: 2}", (MAP,), nn.AvgPool2d(2)),
    ("adaptive_avgpool: [3, 2]", (MAP,), nn.AdaptiveAvgPool2d((3, 2))),
    ("adaptive_avgpool: 1", (MAP,), nn.AdaptiveAvgPool2d(1)),
    ("adaptive_maxpool: [3, 2]", (MAP,), nn.AdaptiveMaxPool2d((3, 2))),
    ("global_avgpool", (MAP,), nn.AdaptiveAvgPool2d(1)),
    ("global_maxpool", (MAP,), nn.AdaptiveMaxPool2d(1)),
    ("reduce: {mode: mean, axis: last}", (MAP,), lambda x: x.mean(-1)),
    ("reduce: {mode: sum, axis: last}", (MAP,), lambda x: x.sum(-1)),
    ("reduce: {mode: max, axis: last}", (MAP,), lambda x: x.amax(-1)),
    ("reduce: {mode: min, axis: last}", (MAP,), lambda x: x.amin(-1)),
    ("dropout: {rate: 0.5, per: channel}", (MAP,), nn.Dropout2d(0.5)),
    ("dropout: {rate: 0.5, per: sample}", (MAP,), lambda x: x * torch.empty(BATCH, 1, 1, 1).bernoulli_(0.5)),
    ("dropout: 0.5", (MAP,), nn.Dropout(0.5)),
    ("dropout: 0", (MAP,), nn.Dropout(0)),
    ("flatten", (MAP,), nn.Flatten()),
    ("reshape: [42, 5]", (MAP,), lambda x: x.reshape(-1, 42, 5)),
    ("transpose: [1, 2, 0]", (MAP,), lambda x: x.permute(0, 2, 3, 1)),
    ("pad: 1", (MAP,), nn.ZeroPad2d(1)),
    ("pad: {padding: 1, mode: constant, value: 2}", (MAP,), nn.ConstantPad2d(1, 2)),
    ("pad: {padding: 1, mode: reflect}", (MAP,), nn.ReflectionPad2d(1)),
    ("pad: {padding: 1, mode: replicate}", (MAP,), nn.ReplicationPad2d(1)),
    ("pad: {padding: 1, mode: circular}", (MAP,), nn.CircularPad2d(1)),
    ("slice: {start: 1, stop: 4, axis: channels}", (MAP,), lambda x: x[:, 1:4]),
    ("select: [2, 0, 0, 5]", (MAP,), lambda x: x.index_select(1, torch.tensor([2, 0, 0, 5]))),
    ("crop: {size: [4, 3]}", (MAP,), lambda x: x[:, :, 1:5, 1:4]),
    ("upsample: 2", (MAP,), nn.Upsample(scale_factor=2)),
    ("upsample: {scale: 2, mode: bilinear}", (MAP,), nn.Upsample(scale_factor=2, mode="bilinear")),
    ("pixel_shuffle: 2", ((8, 5, 7),), nn.PixelShuffle(2)),
    ("pixel_unshuffle: 2", ((2, 6, 8),), nn.PixelUnshuffle(2)),
    ("channel_shuffle: 3", (MAP,), nn.ChannelShuffle(3)),
    ("roll: {shift: [1, 2]}", (MAP,), lambda x: torch.roll(x, (1, 2), (2, 3))),
    ("identity", (MAP,), nn.Identity()),
    ("attention: {heads: 2}", (SEQUENCE,), SelfAttention(8, 2)),
    ("attention: {heads: 2, window: 2}", ((4, 6, 8),), WindowedAttention(8, 2, 2)),
    ("attention: {heads: 2, window: 2, similarity: cosine}", ((4, 6, 8),), WindowedAttention(8, 2, 2, cosine=True)),
    ("add", (MAP, MAP), torch.add),
    ("subtract", (MAP, MAP), torch.sub),
    ("multiply", (MAP, MAP), torch.mul),
    ("multiply", (MAP, (6, 1, 1)), torch.mul),
    ("divide", (MAP, MAP), torch.div),
    ("maximum", (MAP, MAP), torch.maximum),
    ("minimum", (MAP, MAP), torch.minimum),
    ("concat", (MAP, (2, 7, 5)), lambda *xs: torch.cat(xs, 1)),
    ("matmul", ((3, 5), (5, 4)), torch.matmul),
)  # fmt: skip


def kept_bytes(layer: Layer, shapes: tuple[tuple[int, ...], ...], needed: bool = True) -> int:
    """The bytes of all storages that a layer keeps, without its parameters'. needed: whether the inputs need gradients;
    if not, they are left out."""
    storages: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    torch.manual_seed(0)
    given = [torch.rand(BATCH, *shape).add(0.1).requires_grad_(needed) for shape in shapes]
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        output = layer(*given)
    assert output.requires_grad
    own = list(layer.parameters()) if isinstance(layer, nn.Module) else []
    own += [] if needed else given
    for parameter in own:
        storages.pop(parameter.untyped_storage().data_ptr(), None)
    return sum(storages.values())


class DoubleConv(nn.Sequential):
    """Two convolutions without padding, each with its ReLU."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__(nn.Conv2d(channels, width, 3), nn.ReLU(), nn.Conv2d(width, width, 3), nn.ReLU())


class UNet(nn.Module):
    """U-Net of Ronneberger, Fischer & Brox 2015, figure 1."""

    def __init__(self, widths: tuple[int, ...] = (64, 128, 256, 512)) -> None:
        super().__init__()
        self.down = nn.ModuleList(DoubleConv(c, w) for c, w in zip((1, *widths), widths, strict=False))
        self.bottom = DoubleConv(widths[-1], 2 * widths[-1])
        self.dropout = nn.Dropout(0.5)
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * w, w, 2, 2) for w in reversed(widths))
        self.merge = nn.ModuleList(DoubleConv(2 * w, w) for w in reversed(widths))
        self.head = nn.Conv2d(widths[0], 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        copies = []
        for block in self.down:
            x = block(x)
            copies.append(x)
            x = functional.max_pool2d(x, 2)
        x = self.dropout(self.bottom(x))
        for up, merge, copy in zip(self.up, self.merge, reversed(copies), strict=True):
            x = up(x)
            margin = (copy.shape[-1] - x.shape[-1]) // 2
            end = margin + x.shape[-1]
            x = merge(torch.cat([copy[:, :, margin:end, margin:end], x], 1))
        return self.head(x)


def print_networks() -> None:
    """What whole networks keep in training, and without the image, with batch 2."""
    from torchvision import models

    for name in ("vgg16", "resnet50", "mobilenet_v2", "vit_b_16", "swin_t", "maxvit_t"):
        network = models.get_model(name, weights=None)
        print(f"torchvision/{name}", kept_bytes(network, ((3, 224, 224),), needed=False))
    print("unet", kept_bytes(UNet(), ((1, 572, 572),), needed=False))


def main() -> None:
    if sys.argv[1:] == ["--networks"]:
        print_networks()
        return
    found = [
        {"entry": entry, "inputs": shapes, "bytes": kept_bytes(layer, shapes)}
        for entry, shapes, layer in CASES
    ]
    FILE.parent.mkdir(exist_ok=True)
    lines = ",\n".join(f"  {json.dumps(case)}" for case in found)
    head = json.dumps({"torch": torch.__version__, "batch": BATCH, "dtype": "float32"})[1:-1]
    FILE.write_text(f'{{{head}, "layers": [\n{lines}\n]}}\n', encoding="utf-8")
    print(f"wrote {FILE}: {len(found)} layers")


if __name__ == "__main__":
    main()
