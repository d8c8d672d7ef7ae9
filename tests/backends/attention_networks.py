"""Networks of attention, by hand and by chance."""

from __future__ import annotations

from random import Random

from numba_support import Network

from convcalc.graph import Graph


def add_attention(network: Network, heads: int, bias: bool = False, mask: str = "", **fields: object) -> int:
    """Attention over the channels of the last layer. bias, and mask of `all` windows or of `each`: learned tensors."""
    source = network.last
    positions = network.builder.shape(source)[1:]
    window = fields.get("window") or positions
    per_axis = (window,) * len(positions) if isinstance(window, int) else tuple(window)  # type: ignore[arg-type]
    places, windows = 1, 1
    for size, own in zip(positions, per_axis, strict=True):
        places, windows = places * own, windows * -(-size // own)
    inputs = [source]
    if bias:
        inputs.append(network.add("parameter", shape=(heads, places, places)))
        fields["bias"] = "bias"
    if mask:
        shape = (places, places) if mask == "all" else (windows, places, places)
        inputs.append(network.add("parameter", shape=shape))
        fields["mask"] = "mask"
    return network.add("attention", *inputs, axis="channels", heads=heads, **fields)


def three_attentions() -> Graph:
    """All that the kernel takes: windows that wrap and are filled up, with a bias, then a mask for each window, then
    cosines; heads of whole blocks and of parts of them."""
    network = Network(21, 7, 10)
    start = network.add("conv", filters=32, kernel=1)
    add_attention(network, 2, bias=True, window=(3, 4), shift=(1, 2))
    network.add("add", start, network.last)
    network.add("relu")
    network.add("conv", filters=21, kernel=1)
    add_attention(network, 3, mask="each", window=(4, 5), in_bias=False, out_bias=False)
    add_attention(network, 7, window=(4, 5), similarity="cosine")
    network.add("conv", filters=5, kernel=1)
    return network.graph()


def any_attention(source: Random) -> Graph:
    """One of any form, read by a convolution."""
    rank = source.choice([1, 1, 2, 2, 3])
    limit = {1: 90, 2: 11, 3: 5}[rank]
    heads = source.choice([1, 2, 3, 5])
    depth = source.choice([1, 3, 8, 16, 17, 32, 40])
    network = Network(heads * depth, *(source.randint(1, limit) for _ in range(rank)))
    start = -1
    if source.random() < 0.5:
        start = network.add("conv", filters=heads * depth, kernel=1)
    fields: dict[str, object] = {"in_bias": source.random() < 0.7, "out_bias": source.random() < 0.7}
    if source.random() < 0.6:
        window = tuple(source.randint(1, 5) for _ in range(rank))
        fields["window"] = window
        if source.random() < 0.6:
            fields["shift"] = tuple(source.randrange(size) for size in window)
    if source.random() < 0.3:
        fields["similarity"] = "cosine"
    elif source.random() < 0.2:
        fields["scale"] = source.uniform(0.1, 1.5)
    add_attention(
        network, heads, bias=source.random() < 0.4, mask=source.choice(["", "", "all", "each"]), **fields
    )
    if source.random() < 0.5:
        network.add("add", start, network.last)
    if source.random() < 0.5:
        network.add("conv", filters=3, kernel=1)
    return network.graph()
