"""Compares bundled networks with second implementations, written here in PyTorch from the papers. Not a test.

    python3 -m venv /tmp/papers && /tmp/papers/bin/pip install torch==2.14.1 safetensors -e ".[fast]"
    /tmp/papers/bin/python tests/torchvision/papers.py                               # counts, keys and shapes
    /tmp/papers/bin/python tests/torchvision/papers.py --backend numba               # outputs too
    /tmp/papers/bin/python tests/torchvision/papers.py --backend reference srcnn lenet5-paper
    /tmp/papers/bin/python tests/torchvision/papers.py --dump tests/data/papers.json.gz

modules.py tells what is compared. Keys are those of a public implementation where a spec takes over its paths: the
CIFAR networks, FCN-8s, Attention U-Net, DCGAN, ESPCN, SRCNN and YOLOv3 also load into those modules.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import torch
from modules import Peer, main
from torch import Tensor, nn
from torch.nn import functional

Maps = tuple[Tensor, ...]


def chain(*modules: nn.Module) -> nn.Sequential:
    return nn.Sequential(*modules)


def conv3(channels: int, filters: int, stride: int = 1, bias: bool = False) -> nn.Conv2d:
    return nn.Conv2d(channels, filters, 3, stride, 1, bias=bias)


class Named(nn.Module):
    """Modules by name, called one after another."""

    def __init__(self, **modules: nn.Module) -> None:
        super().__init__()
        for name, module in modules.items():
            self.add_module(name, module)

    def forward(self, x: Tensor) -> Tensor:
        for module in self.children():
            x = module(x)
        return x


# --- LeNet-5: LeCun et al. 1998, section II.B ---------------------------------------------------------------

# Table I: a row for each map of S2, a column for each map of C3.
TABLE = """
    X . . . X X X . . X X X X . X X
    X X . . . X X X . . X X X X . X
    X X X . . . X X X . . X . X X X
    . X X X . . X X X X . . X . X X
    . . X X X . . X X X X . X X . X
    . . . X X X . . X X X X . X X X
"""


class Pool(nn.Module):
    """The sum of 2×2 inputs times a coefficient, and a bias, for each map."""

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.trainable = nn.Conv2d(maps, maps, 1, groups=maps)

    def forward(self, x: Tensor) -> Tensor:
        return self.trainable(x[..., ::2, ::2] + x[..., 1::2, ::2] + x[..., ::2, 1::2] + x[..., 1::2, 1::2])


class Connected(nn.Module):
    """A 5×5 convolution whose filters read the maps of their column. The tensors of filters that read as many maps, and
    stand side by side, are one."""

    GROUPS = (("threes", 6), ("fours", 6), ("apart", 3), ("all", 1))

    def __init__(self) -> None:
        super().__init__()
        rows = [line.split() for line in TABLE.strip().splitlines()]
        self.reads = [
            [m for m, mark in enumerate(column) if mark == "X"] for column in zip(*rows, strict=True)
        ]
        first = 0
        for name, count in self.GROUPS:
            part = nn.Module()
            part.weight = nn.Parameter(torch.empty(count, len(self.reads[first]), 5, 5))
            part.bias = nn.Parameter(torch.empty(count))
            self.add_module(name, part)
            first += count

    def forward(self, x: Tensor) -> Tensor:
        filters = [
            (part.weight[n : n + 1], part.bias[n : n + 1])
            for part in self.children()
            for n in range(len(part.bias))
        ]
        maps = [
            functional.conv2d(x[:, reads], weight, bias)
            for reads, (weight, bias) in zip(self.reads, filters, strict=True)
        ]
        return torch.cat(maps, 1)


class LeNet5(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.C1, self.S2, self.C3, self.S4 = nn.Conv2d(1, 6, 5), Pool(6), Connected(), Pool(16)
        self.C5, self.F6, self.output = nn.Conv2d(16, 120, 5), nn.Linear(120, 84), nn.Module()
        self.output.register_buffer("codes", torch.empty(10, 84))

    def forward(self, x: Tensor) -> Tensor:
        for layer in (self.C1, self.S2, self.C3, self.S4, self.C5):
            x = 1.7159 * torch.tanh(layer(x) * 2 / 3)
        x = 1.7159 * torch.tanh(self.F6(x.flatten(1)) * 2 / 3)
        return -(torch.cdist(x, self.output.codes) ** 2)


# --- classifiers of CIFAR-10 --------------------------------------------------------------------------------


class NetworkInNetwork(nn.Module):
    """Lin et al. 2013, section 3.1, with the kernels and channels of its authors' definition."""

    def __init__(self) -> None:
        super().__init__()
        channels = 3
        rows = [(192, 160, 96, 5), (192, 192, 192, 5), (192, 192, 10, 3)]
        for n, (wide, hidden, narrow, kernel) in enumerate(rows, 1):
            part = Named(
                conv=nn.Conv2d(channels, wide, kernel, padding=kernel // 2),
                relu1=nn.ReLU(),
                cccp1=nn.Conv2d(wide, hidden, 1),
                relu2=nn.ReLU(),
                cccp2=nn.Conv2d(hidden, narrow, 1),
                relu3=nn.ReLU(),
            )
            self.add_module(f"mlpconv{n}", part)
            channels = narrow

    def forward(self, x: Tensor) -> Tensor:
        x = functional.max_pool2d(self.mlpconv1(x), 3, 2, ceil_mode=True)
        x = functional.avg_pool2d(self.mlpconv2(x), 3, 2, ceil_mode=True)
        return self.mlpconv3(x).mean((2, 3)).softmax(1)


class Basic(nn.Module):
    """He et al. 2015, figure 5, left, with option A of section 3.3; zeros on both sides."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.stride, self.added = stride, (width - channels) // 2
        self.conv1, self.bn1 = conv3(channels, width, stride), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = conv3(width, width), nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        short = functional.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.added, self.added))
        return (short + self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))).relu()


class CifarResNet(nn.Module):
    """He et al. 2015, section 4.2: 6n + 2 layers."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv3(3, 16), nn.BatchNorm2d(16)
        channels = 16
        for stage, width in enumerate((16, 32, 64), 1):
            blocks = [
                Basic(channels if k == 0 else width, width, 1 + (k == 0 and stage > 1)) for k in range(n)
            ]
            self.add_module(f"layer{stage}", chain(*blocks))
            channels = width
        self.linear = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer3(self.layer2(self.layer1(self.bn1(self.conv1(x)).relu())))
        return self.linear(x.mean((2, 3)))


class Wide(nn.Module):
    """Zagoruyko & Komodakis 2016, figure 1(d); a convolution as the shortcut of a block that widens."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(channels), conv3(channels, width, stride)
        self.bn2, self.conv2 = nn.BatchNorm2d(width), conv3(width, width)
        self.convShortcut = nn.Conv2d(channels, width, 1, stride, bias=False) if channels != width else None

    def forward(self, x: Tensor) -> Tensor:
        active = self.bn1(x).relu()
        short = x if self.convShortcut is None else self.convShortcut(active)
        return short + self.conv2(self.bn2(self.conv1(active)).relu())


class WideResNet(nn.Module):
    """Zagoruyko & Komodakis 2016, table 1."""

    def __init__(self, depth: int, widen: int) -> None:
        super().__init__()
        self.conv1 = conv3(3, 16)
        channels = 16
        for stage, base in enumerate((16, 32, 64), 1):
            width = base * widen
            count = (depth - 4) // 6
            blocks = [
                Wide(channels if k == 0 else width, width, 1 + (k == 0 and stage > 1)) for k in range(count)
            ]
            self.add_module(f"block{stage}", Named(layer=chain(*blocks)))
            channels = width
        self.bn1, self.fc = nn.BatchNorm2d(channels), nn.Linear(channels, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.block3(self.block2(self.block1(self.conv1(x))))
        return self.fc(self.bn1(x).relu().mean((2, 3)))


class Dense(nn.Module):
    """Huang et al. 2016, section 3, bottleneck layers: BN, ReLU, 1×1 to 4k, BN, ReLU, 3×3 to k."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(channels), nn.Conv2d(channels, 4 * growth, 1, bias=False)
        self.bn2, self.conv2 = nn.BatchNorm2d(4 * growth), conv3(4 * growth, growth)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.conv2(self.bn2(self.conv1(self.bn1(x).relu())).relu())], 1)


class DenseNet(nn.Module):
    """Huang et al. 2016, section 3: DenseNet-BC on 32×32, with half of the channels after a dense block."""

    def __init__(self, depth: int, growth: int) -> None:
        super().__init__()
        channels, count = 2 * growth, (depth - 4) // 6
        self.conv1 = conv3(3, channels)
        for b in (1, 2, 3):
            layers = [Dense(channels + k * growth, growth) for k in range(count)]
            self.add_module(f"block{b}", Named(layer=chain(*layers)))
            channels += count * growth
            if b < 3:
                half = nn.Conv2d(channels, channels // 2, 1, bias=False)
                parts = {
                    "bn1": nn.BatchNorm2d(channels),
                    "relu": nn.ReLU(),
                    "conv1": half,
                    "pool": nn.AvgPool2d(2),
                }
                self.add_module(f"trans{b}", Named(**parts))
                channels //= 2
        self.bn1, self.fc = nn.BatchNorm2d(channels), nn.Linear(channels, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.trans1(self.block1(self.conv1(x)))
        x = self.block3(self.trans2(self.block2(x)))
        return self.fc(self.bn1(x).relu().mean((2, 3)))


# --- pictures made of noise and of smaller pictures ---------------------------------------------------------


def dcgan(width: int, kernel: int) -> nn.Module:
    """Radford et al. 2015, figure 1."""
    widths = [100, 8 * width, 4 * width, 2 * width, width, 3]
    layers: list[nn.Module] = []
    for n, (a, b) in enumerate(pairwise(widths)):
        if n == 0:
            layers.append(nn.ConvTranspose2d(a, b, 4, 1, 0, bias=False))
        else:
            layers.append(nn.ConvTranspose2d(a, b, kernel, 2, (kernel - 1) // 2, kernel % 2, bias=False))
        layers += [nn.Tanh()] if b == 3 else [nn.BatchNorm2d(b), nn.ReLU()]
    return Named(main=chain(*layers))


def srcnn(middle: int) -> nn.Module:
    """Dong et al. 2014, section 3.1: 9-1-5, 64 and 32 filters."""
    convs = {"conv1": nn.Conv2d(1, 64, 9), "conv2": nn.Conv2d(64, 32, middle), "conv3": nn.Conv2d(32, 1, 5)}
    return Named(conv1=convs["conv1"], a=nn.ReLU(), conv2=convs["conv2"], b=nn.ReLU(), conv3=convs["conv3"])


def espcn(factor: int) -> nn.Module:
    """Shi et al. 2016, section 3.3: kernels 5, 3, 3; 64 and 32 filters."""
    first = chain(nn.Conv2d(1, 64, 5, 1, 2), nn.Tanh(), conv3(64, 32, bias=True), nn.Tanh())
    return Named(first_part=first, last_part=chain(conv3(32, factor**2, bias=True), nn.PixelShuffle(factor)))


# --- a class for each pixel ---------------------------------------------------------------------------------


class FCN8s(nn.Module):
    """Long et al. 2015, figure 3, with the padding and the offsets of the authors' voc-fcn8s file."""

    STAGES = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))

    def __init__(self, classes: int) -> None:
        super().__init__()
        channels = 3
        for stage, (depth, width) in enumerate(self.STAGES, 1):
            for k in range(1, depth + 1):
                padding = 100 if channels == 3 else 1
                self.add_module(f"conv{stage}_{k}", nn.Conv2d(channels, width, 3, padding=padding))
                channels = width
        self.fc6, self.fc7 = nn.Conv2d(512, 4096, 7), nn.Conv2d(4096, 4096, 1)
        for name, width in (("score_fr", 4096), ("score_pool3", 256), ("score_pool4", 512)):
            self.add_module(name, nn.Conv2d(width, classes, 1))
        for name, factor in (("upscore2", 2), ("upscore_pool4", 2), ("upscore8", 8)):
            self.add_module(name, nn.ConvTranspose2d(classes, classes, 2 * factor, factor, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        image, pools = x, []
        for stage, (depth, _) in enumerate(self.STAGES, 1):
            for k in range(1, depth + 1):
                x = self.get_submodule(f"conv{stage}_{k}")(x).relu()
            x = functional.max_pool2d(x, 2, ceil_mode=True)
            pools.append(x)
        x = self.upscore2(self.score_fr(self.fc7(self.fc6(x).relu()).relu()))
        x = self.upscore_pool4(x + cropped(self.score_pool4(pools[3]), x, 5))
        x = self.upscore8(x + cropped(self.score_pool3(pools[2]), x, 9))
        return cropped(x, image, 31)


def cropped(x: Tensor, like: Tensor, offset: int) -> Tensor:
    height, width = like.shape[-2:]
    return x[..., offset : offset + height, offset : offset + width]


def double(channels: int, width: int) -> nn.Module:
    """Two 3×3 convolutions with biases, normalised."""
    first, second = conv3(channels, width, bias=True), conv3(width, width, bias=True)
    return Named(
        conv=chain(first, nn.BatchNorm2d(width), nn.ReLU(), second, nn.BatchNorm2d(width), nn.ReLU())
    )


class Gate(nn.Module):
    """Oktay et al. 2018, figure 2: σ(ψ(relu(W_x·x + W_g·g))) times x, with normalisations."""

    def __init__(self, width: int) -> None:
        super().__init__()
        hidden = width // 2
        self.W_g = chain(nn.Conv2d(width, hidden, 1), nn.BatchNorm2d(hidden))
        self.W_x = chain(nn.Conv2d(width, hidden, 1), nn.BatchNorm2d(hidden))
        self.psi = chain(nn.Conv2d(hidden, 1, 1), nn.BatchNorm2d(1), nn.Sigmoid())

    def forward(self, coarse: Tensor, skipped: Tensor) -> Tensor:
        return skipped * self.psi((self.W_g(coarse) + self.W_x(skipped)).relu())


class AttentionUNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        widths = [3, 64, 128, 256, 512, 1024]
        for n, (a, b) in enumerate(pairwise(widths), 1):
            self.add_module(f"Conv{n}", double(a, b))
            if n > 1:
                up = chain(nn.Upsample(scale_factor=2), conv3(b, a, bias=True), nn.BatchNorm2d(a), nn.ReLU())
                self.add_module(f"Up{n}", Named(up=up))
                self.add_module(f"Att{n}", Gate(a))
                self.add_module(f"Up_conv{n}", double(b, a))
        self.Conv_1x1 = nn.Conv2d(64, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        for n in range(1, 6):
            x = self.get_submodule(f"Conv{n}")(x if n == 1 else functional.max_pool2d(x, 2))
            skips.append(x)
        for n in range(5, 1, -1):
            up = self.get_submodule(f"Up{n}")(x)
            gated = self.get_submodule(f"Att{n}")(up, skips[n - 2])
            x = self.get_submodule(f"Up_conv{n}")(torch.cat([gated, up], 1))
        return self.Conv_1x1(x)


# --- YOLOv3: Redmon & Farhadi 2018 --------------------------------------------------------------------------

Step = tuple[object, ...]


class Darknet(nn.Module):
    """A list of Darknet's layers: ("conv", filters, kernel, stride), ("head",), ("max", stride), ("up",),
    ("add", index), ("route", *indices), where negative indices count from the layer itself, and ("yolo",), which
    changes nothing."""

    def __init__(self, steps: list[Step]) -> None:
        super().__init__()
        self.steps, self.module_list = steps, nn.ModuleList()
        widths: list[int] = []
        for n, (kind, *rest) in enumerate(steps):
            before = widths[-1] if widths else 3
            parts: dict[str, nn.Module] = {}
            width = before
            if kind == "conv":
                width, kernel, stride = rest  # type: ignore[assignment]
                parts[f"conv_{n}"] = nn.Conv2d(before, width, kernel, stride, kernel // 2, bias=False)
                parts[f"batch_norm_{n}"], parts[f"leaky_{n}"] = nn.BatchNorm2d(width), nn.LeakyReLU(0.1)
            elif kind == "head":
                width = 3 * (80 + 5)
                parts[f"conv_{n}"] = nn.Conv2d(before, width, 1)
            elif kind == "route":
                width = sum(widths[place % n] for place in rest)  # type: ignore[operator]
            widths.append(width)
            self.module_list.append(Named(**parts))

    def forward(self, x: Tensor) -> Maps:
        done: list[Tensor] = []
        heads = []
        for n, ((kind, *rest), module) in enumerate(zip(self.steps, self.module_list, strict=True)):
            if kind == "max":  # beyond the edge is nothing, not 0
                edge = 1 if rest == [1] else 0
                x = functional.max_pool2d(functional.pad(x, (0, edge, 0, edge), value=-torch.inf), 2, rest[0])
            elif kind == "up":
                x = functional.interpolate(x, scale_factor=2)
            elif kind == "add":
                x = x + done[rest[0]]  # type: ignore[call-overload]
            elif kind == "route":
                x = torch.cat([done[place % n] for place in rest], 1)  # type: ignore[operator]
            else:
                x = module(x)
            if kind == "head":
                heads.append(x)
            done.append(x)
        return tuple(heads)


def yolov3() -> nn.Module:
    """Table 1 and section 2.3, in the order of the authors' yolov3.cfg."""
    steps: list[Step] = [("conv", 32, 3, 1)]
    for width, count in ((64, 1), (128, 2), (256, 8), (512, 8), (1024, 4)):
        steps.append(("conv", width, 3, 2))
        for _ in range(count):
            steps += [("conv", width // 2, 1, 1), ("conv", width, 3, 1), ("add", len(steps) - 1)]
    for width, finer in ((512, None), (256, 61), (128, 36)):
        if finer is not None:
            steps += [("route", -4), ("conv", width, 1, 1), ("up",), ("route", -1, finer)]
        steps += [("conv", width, 1, 1), ("conv", 2 * width, 3, 1)] * 3
        steps += [("head",), ("yolo",)]
    return Darknet(steps[:-1])


def yolov3_tiny() -> nn.Module:
    """yolov3-tiny.cfg of the authors' Darknet."""
    steps: list[Step] = []
    for width in (16, 32, 64, 128, 256, 512):
        steps += [("conv", width, 3, 1), ("max", 1 if width == 512 else 2)]
    steps += [("conv", 1024, 3, 1), ("conv", 256, 1, 1), ("conv", 512, 3, 1), ("head",), ("yolo",)]
    steps += [("route", -4), ("conv", 128, 1, 1), ("up",), ("route", -1, 8), ("conv", 256, 3, 1), ("head",)]
    return Darknet(steps)


# --- sound --------------------------------------------------------------------------------------------------


class M5(nn.Module):
    """Dai et al. 2016, table 1, with the padding that its sizes need: 38 before and after a kernel of 80."""

    def __init__(self) -> None:
        super().__init__()
        channels = 1
        for n, (width, kernel, stride) in enumerate([(128, 80, 4), (128, 3, 1), (256, 3, 1), (512, 3, 1)], 1):
            conv = nn.Conv1d(channels, width, kernel, stride, (kernel - stride) // 2)
            self.add_module(f"unit{n}", Named(conv=conv, bn=nn.BatchNorm1d(width), relu=nn.ReLU()))
            channels = width
        self.fc = nn.Linear(512, 10)

    def forward(self, x: Tensor) -> Tensor:
        for n in range(1, 5):
            x = functional.max_pool1d(self.get_submodule(f"unit{n}")(x), 4, ceil_mode=True)
        return self.fc(x.mean(2)).softmax(1)


class Gated(nn.Module):
    """Van den Oord et al. 2016, equation 2 and figure 4; the last layer's output goes into the skips only."""

    def __init__(self, dilation: int, last: bool) -> None:
        super().__init__()
        self.dilation = dilation
        self.filter = nn.Conv1d(32, 32, 2, dilation=dilation)
        self.gate = nn.Conv1d(32, 32, 2, dilation=dilation)
        self.skip = nn.Conv1d(32, 512, 1)
        self.dense = None if last else nn.Conv1d(32, 32, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        before = functional.pad(x, (self.dilation, 0))
        z = torch.tanh(self.filter(before)) * torch.sigmoid(self.gate(before))
        return (x if self.dense is None else x + self.dense(z)), self.skip(z)


class WaveNet(nn.Module):
    """Van den Oord et al. 2016, with the channels of tensorflow-wavenet's wavenet_params.json."""

    def __init__(self) -> None:
        super().__init__()
        self.causal_layer = nn.Conv1d(256, 32, 2, bias=False)
        for n in range(50):
            self.add_module(f"layer{n}", Gated(2 ** (n % 10), n == 49))
        self.postprocess1, self.postprocess2 = nn.Conv1d(512, 512, 1), nn.Conv1d(512, 256, 1)

    def forward(self, x: Tensor) -> Tensor:
        x, total = self.causal_layer(functional.pad(x, (1, 0))), torch.zeros(())
        for n in range(50):
            x, skip = self.get_submodule(f"layer{n}")(x)
            total = total + skip
        return self.postprocess2(self.postprocess1(total.relu()).relu()).softmax(1)


PEERS = [
    Peer("lenet5-paper", LeNet5),
    Peer("nin", NetworkInNetwork),
    Peer("resnet20-cifar", partial(CifarResNet, 3)),
    Peer("resnet20-cifar", partial(CifarResNet, 9), {"depth": "9"}),
    Peer("wrn-28-10", partial(WideResNet, 28, 10)),
    Peer("densenet-bc-100-12", partial(DenseNet, 100, 12)),
    Peer("dcgan-generator", partial(dcgan, 128, 5)),
    Peer("dcgan-generator", partial(dcgan, 64, 4), {"width": "64", "kernel": "4"}),
    Peer("srcnn", partial(srcnn, 1)),
    Peer("srcnn", partial(srcnn, 5), {"middle": "5"}),
    Peer("espcn", partial(espcn, 3)),
    Peer("fcn8s", partial(FCN8s, 21), input=(3, 30, 41)),
    Peer("attention-unet", AttentionUNet, input=(3, 48, 80)),
    Peer("yolov3", yolov3, input=(3, 64, 96)),
    Peer("yolov3-tiny", yolov3_tiny, input=(3, 96, 160)),
    Peer("m5", M5),
    Peer("wavenet", WaveNet, input=(256, 700)),
]

if __name__ == "__main__":
    main(PEERS, __doc__ or "")
