"""Helper classes and functions of generated source, for what PyTorch has no class for; written only where used."""

from __future__ import annotations

import re
from collections.abc import Iterable

# By name; a helper may use others, which then are written before it. `{n}` in a name stands for the dimensions.
HELPERS: dict[str, str] = {}


def add_helper(text: str) -> None:
    """Registers a helper: the source of one class or function."""
    source = text.strip("\n") + "\n"
    found = re.match(r"(?:class|def) (\w+)", source)
    assert found
    HELPERS[found[1]] = source


def with_needed(names: Iterable[str]) -> list[str]:
    """The names of helpers and of those that they use, each after those that it uses."""
    order: list[str] = []

    def add(name: str) -> None:
        if name in order:
            return
        for other in sorted(set(re.findall(r"\w+", HELPERS[name]))):
            if other in HELPERS and other != name:
                add(other)
        order.append(name)

    for name in sorted(set(names)):
        add(name)
    return order


for _rank, _sides in (
    (1, "left, right"),
    (2, "left, right, top, bottom"),
    (3, "left, right, top, bottom, front, back"),
):
    add_helper(f'''
class PaddedConv{_rank}d(nn.Conv{_rank}d):
    """A convolution of the input padded with zeros by `margins`: {_sides}."""

    def __init__(self, channels, filters, kernel, margins, stride=1, dilation=1, groups=1, bias=True):
        super().__init__(channels, filters, kernel, stride, dilation=dilation, groups=groups, bias=bias)
        self.margins = margins

    def forward(self, x):
        return super().forward(functional.pad(x, self.margins))
''')
    add_helper(f'''
class SameConv{_rank}d(nn.Conv{_rank}d):
    """A convolution of the input padded to ⌈size/stride⌉ positions on each axis; an odd pixel comes after."""

    def forward(self, x):
        margins = []
        for size, kernel, stride, dilation in zip(x.shape[2:], self.kernel_size, self.stride, self.dilation):
            total = max(0, (-(-size // stride) - 1) * stride + dilation * (kernel - 1) + 1 - size)
            margins = [total // 2, total - total // 2, *margins]
        return super().forward(functional.pad(x, margins))
''')
    add_helper(f'''
class CroppedConvTranspose{_rank}d(nn.ConvTranspose{_rank}d):
    """A transposed convolution whose output loses `margins`: {_sides}."""

    def __init__(
        self, channels, filters, kernel, margins, stride=1, output_padding=0, dilation=1, groups=1, bias=True
    ):
        super().__init__(
            channels,
            filters,
            kernel,
            stride,
            output_padding=output_padding,
            dilation=dilation,
            groups=groups,
            bias=bias,
        )
        self.margins = margins

    def forward(self, x):
        return functional.pad(super().forward(x), [-margin for margin in self.margins])
''')
    add_helper(f'''
class PaddedMaxPool{_rank}d(nn.MaxPool{_rank}d):
    """Max pooling over the input padded with −∞ by `margins`: {_sides}."""

    def __init__(self, kernel, margins, stride=None, dilation=1):
        super().__init__(kernel, stride, dilation=dilation)
        self.margins = margins

    def forward(self, x):
        return super().forward(functional.pad(x, self.margins, value=float("-inf")))
''')
    add_helper(f'''
class WindowAverage{_rank}d(nn.Module):
    """The mean over windows of the input, padded with zeros by `margins`.

    margins: {_sides}. counted: the part of them whose pixels count.
    divisor: divides every sum instead of the count.
    """

    def __init__(self, kernel, stride, margins, counted, dilation=1, divisor=None):
        super().__init__()
        self.kernel = kernel
        self.stride = stride
        self.margins = margins
        self.counted = counted
        self.dilation = dilation
        self.divisor = divisor

    def sums(self, x):
        window = x.new_ones(1, 1, *self.kernel)
        return functional.conv{_rank}d(x, window, stride=self.stride, dilation=self.dilation)

    def forward(self, x):
        sums = self.sums(functional.pad(x.flatten(0, 1).unsqueeze(1), self.margins))
        sums = sums.squeeze(1).unflatten(0, x.shape[:2])
        if self.divisor is not None:
            return sums / self.divisor
        outside = [margin - count for margin, count in zip(self.margins, self.counted)]
        pixels = functional.pad(x.new_ones(1, 1, *x.shape[2:]), self.counted, value=1)
        return sums / self.sums(functional.pad(pixels, outside))
''')

add_helper('''
class LayerNormOver(nn.LayerNorm):
    """Layer normalisation over other dimensions than the last ones. dims, size: which, and their sizes."""

    def __init__(self, size, dims, eps=1e-5, affine=True):
        super().__init__(size, eps, affine)
        self.dims = dims

    def forward(self, x):
        last = tuple(range(-len(self.dims), 0))
        return super().forward(x.movedim(self.dims, last)).movedim(last, self.dims)
''')
add_helper('''
class LayerNorm2d(nn.LayerNorm):
    """Layer normalisation over the channels of each pixel."""

    def forward(self, x):
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
''')
add_helper('''
class RMSNormOver(nn.RMSNorm):
    """Normalisation by the root mean square over other dimensions than the last ones.

    dims, size: which, and their sizes.
    """

    def __init__(self, size, dims, eps=None, affine=True):
        super().__init__(size, eps, affine)
        self.dims = dims

    def forward(self, x):
        last = tuple(range(-len(self.dims), 0))
        return super().forward(x.movedim(self.dims, last)).movedim(last, self.dims)
''')
add_helper('''
class Scale(nn.Module):
    """A learned factor for each channel."""

    def __init__(self, channels, initial=1.0):
        super().__init__()
        self.weight = nn.Parameter(torch.full((channels,), initial))

    def forward(self, x):
        return x * self.weight.view(-1, *[1] * (x.dim() - 2))
''')
add_helper('''
class FrozenBatchNorm(nn.Module):
    """Batch normalisation that is not trained: all four tensors are buffers."""

    def __init__(self, channels, eps=1e-5, affine=True):
        super().__init__()
        self.eps = eps
        self.register_buffer("weight", torch.ones(channels) if affine else None)
        self.register_buffer("bias", torch.zeros(channels) if affine else None)
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x):
        statistics = self.running_mean, self.running_var
        return functional.batch_norm(x, *statistics, self.weight, self.bias, eps=self.eps)
''')
add_helper('''
class StochasticDepth(nn.Module):
    """Leaves out a residual branch for a fraction `rate` of the samples, in training."""

    def __init__(self, rate):
        super().__init__()
        self.rate = rate

    def forward(self, x):
        if not self.training or self.rate == 0:
            return x
        kept = x.new_empty(x.shape[0], *[1] * (x.dim() - 1)).bernoulli_(1 - self.rate)
        return x * kept / max(1 - self.rate, 1e-9)
''')
add_helper('''
class Lambda(nn.Module):
    """A function as a layer."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)
''')
add_helper('''
def crop_like(x, other):
    """The centre of x, with the spatial size of the other tensor."""
    for dim in range(2, x.dim()):
        x = x.narrow(dim, (x.shape[dim] - other.shape[dim]) // 2, other.shape[dim])
    return x
''')
add_helper('''
def pad_by_index(x, margins, mode):
    """x with margins of its own values. margins: (before, after) for each dimension."""
    for dim, (before, after) in enumerate(margins):
        size = x.shape[dim]
        index = torch.arange(-before, size + after, device=x.device)
        if mode == "reflect":
            index = size - 1 - (size - 1 - index.abs()).abs()
        elif mode == "replicate":
            index = index.clamp(0, size - 1)
        else:
            index = index % size
        x = x.index_select(dim, index)
    return x
''')
add_helper('''
def channel_shuffle(x, groups):
    """The first channel of each group, then the second of each, and so on."""
    return x.unflatten(1, (groups, -1)).transpose(1, 2).flatten(1, 2)
''')
add_helper('''
def to_pixels(x, factor):
    """Groups of channels as blocks of factor pixels on each side."""
    rank = x.dim() - 2
    x = x.unflatten(1, (-1, *[factor] * rank))
    places = [place for axis in range(rank) for place in (2 + rank + axis, 2 + axis)]
    x = x.permute(0, 1, *places)
    for axis in range(rank):
        x = x.flatten(2 + axis, 3 + axis)
    return x
''')
add_helper('''
def to_channels(x, factor):
    """Blocks of factor pixels on each side as groups of channels: the inverse of to_pixels."""
    rank = x.dim() - 2
    for axis in range(rank):
        x = x.unflatten(2 + 2 * axis, (-1, factor))
    inside = [3 + 2 * axis for axis in range(rank)]
    return x.permute(0, 1, *inside, *[place - 1 for place in inside]).flatten(1, 1 + rank)
''')
add_helper('''
def relative_positions(window):
    """The number of the offset between each two places of a window: (places, places)."""
    places = torch.stack(torch.meshgrid(*map(torch.arange, window), indexing="ij"), -1).flatten(0, -2)
    offsets = places[:, None] - places[None]
    index = torch.zeros_like(offsets[..., 0])
    for axis, size in enumerate(window):
        index = index * (2 * size - 1) + offsets[..., axis] + size - 1
    return index
''')
add_helper('''
def log_relative_positions(window):
    """All offsets between two places of a window, on a logarithmic scale: (*(2 * window - 1), dimensions)."""
    ranges = [torch.arange(1 - size, size) / (size - 1) for size in window]
    offsets = 8 * torch.stack(torch.meshgrid(*ranges, indexing="ij"), -1)
    return offsets.sign() * (offsets.abs() + 1).log2() / 3
''')
add_helper('''
def windows_of(x, window):
    """The windows that tile x, with the places of each in one dimension. x: (batch, *positions, features)."""
    rank = len(window)
    for axis, size in enumerate(window):
        x = x.unflatten(1 + 2 * axis, (-1, size))
    tiles = [1 + 2 * axis for axis in range(rank)]
    x = x.permute(0, *tiles, *[place + 1 for place in tiles], -1)
    return x.flatten(1, rank).flatten(2, -2)
''')
add_helper('''
def window_mask(size, window, shift):
    """-100 for places that share a window only because it is shifted: (windows, places, places)."""
    regions = torch.zeros(1, *[-(-whole // part) * part for whole, part in zip(size, window)], 1)
    for axis, (part, moved) in enumerate(zip(window, shift), 1):
        if moved and regions.shape[axis] > part:
            regions.narrow(axis, regions.shape[axis] - moved, moved).add_(2 ** (axis - 1))
    regions = windows_of(regions, window)[0, ..., 0]
    return -100.0 * (regions[:, :, None] != regions[:, None, :])
''')
add_helper('''
class SelfAttention(nn.Module):
    """Multi-head self-attention over the positions of (batch, *positions, features).

    bias, mask: added to the scores: (heads, N, N); (N, N) or (1, N, N). scale: of the dot products, else
    1 / sqrt(features per head). cosine: scores are cosines times a learned factor, and keys have no bias.
    """

    def __init__(self, features, heads, in_bias=True, out_bias=True, cosine=False, scale=None):
        super().__init__()
        self.heads = heads
        self.scale = scale
        self.logit_scale = nn.Parameter(torch.full((heads, 1, 1), 10.0).log()) if cosine else None
        self.in_proj_weight = nn.Parameter(torch.empty(3 * features, features))
        nn.init.xavier_uniform_(self.in_proj_weight)
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * features)) if in_bias else None
        self.out_proj = nn.Linear(features, features, bias=out_bias)

    def attend(self, x, added):
        in_bias, scale = self.in_proj_bias, self.scale
        if self.logit_scale is not None and in_bias is not None:
            in_bias = torch.cat([part * used for part, used in zip(in_bias.chunk(3), (1, 0, 1))])
        x = functional.linear(x, self.in_proj_weight, in_bias)
        query, key, value = x.unflatten(-1, (3, self.heads, -1)).movedim(-3, 0).transpose(-2, -3)
        if self.logit_scale is not None:
            factor = self.logit_scale.exp().clamp(max=100)
            query = functional.normalize(query, dim=-1) * factor
            key, scale = functional.normalize(key, dim=-1), 1
        x = functional.scaled_dot_product_attention(query, key, value, attn_mask=added, scale=scale)
        return self.out_proj(x.transpose(-2, -3).flatten(-2))

    def forward(self, x, bias=None, mask=None):
        added = bias
        if mask is not None:
            added = mask if bias is None else bias + mask
        return self.attend(x.flatten(1, -2), added).view(x.shape)
''')
add_helper('''
class WindowAttention(SelfAttention):
    """Self-attention within the windows that tile (batch, *positions, features), shifted by `shift`.

    The positions are padded with zeros to whole windows. Regions that share a window because of the shift
    do not attend to each other, unless a mask is given: (windows, N, N) or (N, N). bias: (heads, N, N).
    """

    def __init__(self, features, heads, window, shift, **options):
        super().__init__(features, heads, **options)
        self.window = window
        self.shift = shift

    def forward(self, x, bias=None, mask=None):
        shape = x.shape
        sizes = shape[1:-1]
        margins = [-size % part for size, part in zip(sizes, self.window)]
        x = functional.pad(x, [0, 0, *(side for margin in reversed(margins) for side in (0, margin))])
        padded = x.shape[1:-1]
        shift = [move if part < size else 0 for move, part, size in zip(self.shift, self.window, padded)]
        dims = list(range(1, len(shape) - 1))
        x = x.roll([-move for move in shift], dims)
        if mask is None and any(shift):
            mask = window_mask(padded, self.window, shift).to(x)
            mask = mask.masked_fill(mask < 0, float("-inf"))
        added = bias
        if mask is not None:
            added = mask if mask.dim() == 2 else mask[:, None]
            added = added if bias is None else added + bias
        x = self.attend(windows_of(x, self.window), added)
        counts = [size // part for size, part in zip(padded, self.window)]
        x = x.unflatten(2, self.window).unflatten(1, counts)
        for axis in range(len(counts)):
            x = x.movedim(1 + len(counts) + axis, 2 + 2 * axis)
        for axis in range(len(counts)):
            x = x.flatten(1 + axis, 2 + axis)
        x = x.roll(shift, dims)
        for dim, size in enumerate(sizes, 1):
            x = x.narrow(dim, 0, size)
        return x
''')
