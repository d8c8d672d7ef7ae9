"""Writes tests/data/pytorch/programs.json.gz: small PyTorch modules as they are traced, with what they compute.

    /tmp/torchvision/bin/python tests/torchvision/record_programs.py        # needs torch 2.14.1, as from_torch.py does

Each module is a class below. Recorded are the traced program as plain data, the values of its tensors, random inputs
and PyTorch's own outputs for them, so that tests without PyTorch map the program, run it and compare.
"""

from __future__ import annotations

import base64
import gzip
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

try:
    import torch
    import torch.nn.functional as F  # noqa: N812
    from torch import nn
except ImportError as missing:
    sys.exit(f"record_programs.py needs torch ({missing})")

from convcalc.formats.torch.read.records import Program, Ref  # noqa: E402
from convcalc.formats.torch.read.trace import traced  # noqa: E402

FILE = ROOT / "tests" / "data" / "pytorch" / "programs.json.gz"


class Convolutions(nn.Module):
    """Groups, even kernels with same padding, dilation, depthwise, transposed."""

    shapes = ((3, 11, 13),)

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 8, (3, 2), stride=(2, 1), padding=(1, 2), bias=False), nn.BatchNorm2d(8), nn.ReLU()
        )
        self.same = nn.Conv2d(8, 6, (4, 3), padding="same")
        self.grouped = nn.Conv2d(6, 12, 3, dilation=(1, 2), groups=3, padding="valid")
        self.depthwise = nn.Conv2d(12, 12, 3, padding=1, groups=12, bias=False)
        self.up = nn.ConvTranspose2d(12, 6, (3, 2), stride=2, padding=1, output_padding=(1, 0))
        self.heads = nn.Conv2d(3, 3, 3, groups=3, bias=False)

    def forward(self, x: Any) -> Any:
        x = self.deep(x)
        heads = x.unflatten(1, (2, 3))
        return x, self.heads(heads.flatten(0, 1)).unflatten(0, (-1, 2))

    def deep(self, x: Any) -> Any:
        return self.up(self.depthwise(self.grouped(self.same(self.stem(x)))))


class Signals(nn.Module):
    """One and three dimensions."""

    shapes = ((2, 19), (2, 5, 7, 6))

    def __init__(self) -> None:
        super().__init__()
        self.line = nn.Sequential(
            nn.Conv1d(2, 4, 3, stride=2), nn.BatchNorm1d(4), nn.MaxPool1d(3, 2), nn.AvgPool1d(2)
        )
        self.volume = nn.Sequential(
            nn.Conv3d(2, 3, (2, 3, 2), padding=(0, 1, 0)), nn.InstanceNorm3d(3), nn.AdaptiveAvgPool3d(2)
        )

    def forward(self, line: Any, volume: Any) -> Any:
        return {"line": self.line(line).flatten(1), "volume": self.volume(volume).flatten(1)}


class LayerNorm2d(nn.LayerNorm):
    """Over the channels of a map."""

    def forward(self, x: Any) -> Any:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Normalisations(nn.Module):
    """Each once, statistics random."""

    shapes = ((6, 5, 7),)

    def __init__(self) -> None:
        super().__init__()
        self.batch = nn.BatchNorm2d(6, eps=1e-3, affine=False)
        self.group = nn.GroupNorm(3, 6)
        self.instance = nn.InstanceNorm2d(6, affine=True)
        self.channels = LayerNorm2d(6, eps=1e-6)
        self.response = nn.LocalResponseNorm(4, alpha=1e-2, beta=0.6, k=1.5)
        self.last = nn.LayerNorm((5, 7))
        self.rms = nn.RMSNorm(7)
        self.rows = nn.BatchNorm1d(7)

    def forward(self, x: Any) -> Any:
        x = self.response(self.channels(self.instance(self.group(self.batch(x)))))
        x = self.rms(self.last(x))
        x = self.rows(x.flatten(0, 2)).view(x.shape)
        return F.normalize(x, dim=1)


class Pools(nn.Module):
    """Rounding up, dilation, divisors, sizes that do not divide."""

    shapes = ((4, 23, 19),)

    def __init__(self) -> None:
        super().__init__()
        self.maximum = nn.MaxPool2d(3, 2, padding=1, dilation=(1, 2), ceil_mode=True)
        self.mean = nn.AvgPool2d((3, 2), (2, 1), padding=(1, 0), count_include_pad=False, ceil_mode=True)
        self.adaptive = nn.AdaptiveAvgPool2d((4, None))
        self.peaks = nn.AdaptiveMaxPool2d((3, 2))

    def forward(self, x: Any) -> Any:
        x = self.adaptive(self.mean(self.maximum(x)))
        summed = F.avg_pool2d(x, 2, divisor_override=3)
        return (
            self.peaks(x).flatten(1),
            x.mean((2, 3)),
            x.amax(dim=(2, 3), keepdim=True),
            summed.sum(1),
            x.mean((1, 3)),
        )


class Activations(nn.Module):
    """One after another, each scaled so that its both sides are met."""

    shapes = ((5, 4, 6),)

    def __init__(self) -> None:
        super().__init__()
        self.slopes = nn.PReLU(5)
        self.slope = nn.PReLU()
        self.parts = nn.ModuleList(
            [nn.GELU(), nn.GELU(approximate="tanh"), nn.SiLU(), nn.Mish(), nn.ELU(0.7), nn.SELU(), nn.CELU(0.6),
             nn.Hardswish(), nn.Hardsigmoid(), nn.LeakyReLU(0.2), nn.Softplus(2.0, 3.0), nn.Tanh(), nn.Sigmoid(),
             nn.ReLU6(), nn.Hardtanh(-0.3, 0.8)]
        )  # fmt: skip

    def forward(self, x: Any) -> Any:
        total = self.slopes(x) + self.slope(x - 0.5)
        for part in self.parts:
            total = total + part(4 * x - 2)
        return F.softmax(total, 1) + F.log_softmax(total, dim=-1)


class Arithmetic(nn.Module):
    """Numbers before and after, powers, gates, factors per channel."""

    shapes = ((4, 6, 5),)

    def __init__(self) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.rand(4, 1, 1))
        self.offset = nn.Parameter(torch.rand(1, 5))
        self.register_buffer("mean", torch.rand(4, 1, 1))
        self.squeeze = nn.Conv2d(4, 2, 1)
        self.expand = nn.Conv2d(2, 4, 1)

    def forward(self, x: Any) -> Any:
        x = (x - self.mean) / 0.25
        gate = self.expand(F.relu(self.squeeze(x.mean((2, 3), keepdim=True)))).sigmoid()
        y = x * gate.expand_as(x)
        y = y * torch.sigmoid(y) + x * F.relu6(x + 3) / 6
        y = self.gamma * y + self.offset
        y = torch.addcmul(y, x, gate, value=0.5)
        z = torch.maximum(1 - y, y**2) + torch.minimum(y, x) - 2 * torch.sqrt(x.abs() + 1e-3)
        return torch.rsqrt(z.square() + 1) + z.clamp(min=-0.5) + torch.exp(-z.abs()) + z.clamp(-1, 1).pow(3)


class Movements(nn.Module):
    """Shuffles, cuts, joins, rolls, pads."""

    shapes = ((8, 6, 10),)

    def __init__(self) -> None:
        super().__init__()
        self.shuffle = nn.PixelShuffle(2)
        self.register_buffer("places", torch.tensor([5, 0, 3, 3]))

    def forward(self, x: Any) -> Any:
        n, c, h, w = x.shape
        mixed = x.view(n, 4, 2, h, w).transpose(1, 2).contiguous().view(n, c, h, w)
        first, second = mixed.chunk(2, dim=1)
        one, *_ = x.split([3, 4, 1], dim=1)
        pieces = [first, second.flip(3), x[:, 2:6, :, ::1], torch.roll(second, (1, -2), (2, 3))]
        joined = torch.cat(pieces, 1)
        joined = torch.cat([*pieces, joined], 1)
        padded = F.pad(one, (1, 2, 0, 3), mode="reflect") if h > 3 else one
        cut = F.pad(x, (-1, 2, 0, 0, 1, 0), value=0.5)
        rows = x.permute(0, 2, 3, 1).flatten(1, 2)
        picked = x[:, :, :, self.places].sum((2, 3)) + x.repeat_interleave(3, dim=2).mean((2, 3))
        with torch.autocast("cpu", enabled=False):
            windows = x.float().unfold(3, 4, 3).sum((2, 4)) * 2
        picked = picked + windows.mean(2)
        return (
            joined,
            padded,
            cut,
            self.shuffle(x),
            F.pixel_unshuffle(x, 2),
            rows[:, 0],
            torch.stack([first, second], 2),
            picked,
        )


class Attention(nn.Module):
    """PyTorch's own, one by hand with a table of relative positions, and one by einsum."""

    shapes = ((4, 4, 12),)

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.rand(1, 1, 12))
        self.own = nn.MultiheadAttention(12, 3, batch_first=True)
        self.qkv = nn.Linear(12, 36)
        self.table = nn.Parameter(torch.rand(49, 3))
        offsets = torch.stack(torch.meshgrid(torch.arange(4), torch.arange(4), indexing="ij")).flatten(1)
        relative = (offsets[:, :, None] - offsets[:, None, :]).permute(1, 2, 0) + 3
        self.register_buffer("index", relative[..., 0] * 7 + relative[..., 1])
        self.out = nn.Linear(12, 12, bias=False)

    def forward(self, x: Any) -> Any:
        x = x.flatten(1, 2)
        n, length, width = x.shape
        q, k, v = self.qkv(x).reshape(n, length, 3, 3, 4).permute(2, 0, 3, 1, 4).unbind(0)
        bias = self.table[self.index.view(-1)].view(length, length, -1).permute(2, 0, 1).contiguous()
        shares = (q @ k.transpose(-2, -1) * 0.5 + bias.unsqueeze(0)).softmax(-1)
        x = x + self.out((shares @ v).transpose(1, 2).reshape(n, length, width))
        scores = torch.einsum("bhid,bhjd->bhij", q, k).softmax(-1)
        mixed = torch.einsum("bhij,bhjd->bihd", scores, v).flatten(2)
        fused = F.scaled_dot_product_attention(q, k, v, attn_mask=bias).transpose(1, 2).flatten(2)
        x = torch.cat([self.token.expand(n, -1, -1), x + mixed + fused], dim=1)
        return self.own(x, x, x, need_weights=False)[0][:, 0]


class Heads(nn.Module):
    """Self-attention as it is usually written, with PyTorch's fused product."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(12, 36, bias=False)
        self.proj = nn.Linear(12, 12)

    def forward(self, x: Any) -> Any:
        n, length, width = x.shape
        q, k, v = self.qkv(x).reshape(n, length, 3, 4, 3).permute(2, 0, 3, 1, 4).unbind(0)
        x = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, length, width)
        return self.proj(x)


class Encoder(nn.Module):
    """A block of a transformer whose attention is not PyTorch's module."""

    shapes = ((5, 12),)

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(12)
        self.attn = Heads()
        self.mlp = nn.Sequential(nn.Linear(12, 20), nn.GELU(), nn.Linear(20, 12))

    def forward(self, x: Any) -> Any:
        x = x + self.attn(self.norm(x))
        return x + self.mlp(x)


class InPlace(nn.Module):
    """Values that change after they have been read, and are read again."""

    shapes = ((3, 5, 7),)

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.drop = nn.Dropout(0.3)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Any) -> Any:
        y = self.conv(x)
        z = self.drop(y)
        before, flat = z * 2, z.flatten(1)
        self.relu(z)
        y += 1
        return y + before, flat.softmax(1)


class Parts(nn.Module):
    """A part that is written into, when the whole is read again: that is not known."""

    shapes = ((4, 5, 7),)

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 6, 3)
        self.last = nn.Conv2d(6, 2, 1)

    def forward(self, x: Any) -> Any:
        x = self.conv(x)
        x[:, 2:4].relu_()
        return self.last(x)


class Shared(nn.Module):
    """One module called twice, one kernel of two modules, one parameter read by two layers."""

    shapes = ((3, 8, 9),)

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 3, 3, padding=1)
        self.second = nn.Conv2d(3, 3, 3, padding=1)
        self.second.weight, self.second.bias = self.first.weight, self.first.bias
        self.scale = nn.Parameter(torch.rand(3, 1, 1))

    def forward(self, x: Any) -> Any:
        x = self.first(torch.relu(self.first(x)))
        return self.second(x) * self.scale + x * self.scale


class Sizes(nn.Module):
    """Resizing by factor and to a size."""

    shapes = ((3, 5, 7),)

    def forward(self, x: Any) -> Any:
        return (
            F.interpolate(x, scale_factor=2),
            F.interpolate(x, size=(9, 8), mode="bilinear"),
            F.interpolate(x, size=(9, 8), mode="bilinear", align_corners=True),
            F.interpolate(x, scale_factor=(3, 2), mode="bicubic"),
            x.mean((2, 3), keepdim=True).expand(-1, -1, 4, 6).flatten(1),
            x[:, :1].repeat(1, 3, 1, 1),
        )


class Foreign(nn.Module):
    """An operator that is not known, between two that are."""

    shapes = ((3, 8, 9),)

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.fc = nn.Linear(4, 2)

    def forward(self, x: Any) -> Any:
        return self.fc(torch.cumsum(self.conv(x), 2).mean((2, 3)))


MODULES = (
    Convolutions, Signals, Normalisations, Pools, Activations, Arithmetic, Movements, Attention, Encoder, InPlace,
    Parts, Shared, Sizes,
    Foreign,
)  # fmt: skip


def plain(value: Any) -> Any:
    """An argument as JSON."""
    if isinstance(value, Ref):
        return {"ref": value.name}
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return value


def recorded(program: Program) -> dict[str, Any]:
    """A program as JSON."""

    def call(entry: Any) -> list[Any]:
        return [
            entry.name, entry.op, entry.overload, {name: plain(value) for name, value in entry.arguments.items()},
            entry.shapes, entry.path,
        ]  # fmt: skip

    return {
        "name": program.name,
        "batch": program.batch,
        "inputs": program.inputs,
        "outputs": program.outputs,
        "stored": {
            name: [
                entry.shape,
                entry.size,
                entry.dtype,
                base64.b64encode(bytes(entry.read())).decode(),
                entry.key,
                sorted(entry.learned),
                call(entry.call) if entry.call else None,
            ]
            for name, entry in program.stored.items()
        },
        "calls": [call(entry) for entry in program.calls],
        "classes": program.classes,
        "modules": {path: [entry.kind, entry.fields, entry.keys] for path, entry in program.modules.items()},
    }


def rounded(values: Any) -> list[float]:
    return [float(f"{value:.7g}") for value in values.flatten().tolist()]


def main() -> None:
    torch.manual_seed(12)
    torch.set_num_threads(1)
    found = []
    for kind in MODULES:
        module = kind()
        for name, tensor in (*module.named_parameters(), *module.named_buffers()):
            if tensor.is_floating_point() and tensor.dim() == 1:
                with torch.no_grad():
                    tensor.uniform_(0.5, 1.5) if name.endswith(("weight", "var")) else tensor.normal_(0, 0.2)
        module.train()
        program = traced(module, kind.shapes, kind.__name__)
        assert module.training
        module.eval()
        inputs = [torch.rand((1, *shape)) for shape in kind.shapes]
        with torch.no_grad():
            results = module(*inputs)
        results = results.values() if isinstance(results, dict) else results
        results = [results] if isinstance(results, torch.Tensor) else list(results)
        found.append(
            {
                "program": recorded(program),
                "parameters": sum(tensor.numel() for tensor in module.parameters()),
                "inputs": [rounded(values) for values in inputs],
                "outputs": [[list(values.shape[1:]), rounded(values)] for values in results],
            }
        )
    text = json.dumps({"torch": torch.__version__, "modules": found}, separators=(",", ":"))
    FILE.write_bytes(gzip.compress(text.encode(), mtime=0))
    print(f"{FILE}: {FILE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
