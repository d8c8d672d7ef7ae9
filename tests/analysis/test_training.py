"""What training keeps in memory, against PyTorch's autograd: single layers as tests/torchvision/kept.py measures them,
and whole networks as published with the counts (torch 2.14.1, torchvision 0.29.1, batch 2, float32)."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

import convcalc
from convcalc import ops
from convcalc.analysis.analyse import analyse
from convcalc.analysis.saved import saved_tensors
from convcalc.analysis.training import Training, training
from convcalc.errors import UsageError
from convcalc.language.load import load_graph
from convcalc.ops import contiguous, view_strides

DATA = Path(__file__).parents[1] / "data" / "training"
LAYERS = json.loads((DATA / "layers.json").read_text())["layers"]
KEPT = "saved_bytes_excl_param_aliases_and_input"


def networks() -> dict[tuple[str, str], dict[str, set[int]]]:
    """By network and image size: the values of each quantity, one per variant (in place, out of place)."""
    found: dict[tuple[str, str], dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    with open(DATA / "networks.csv", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found[row["network"], row["size"]][row["quantity"]].add(int(row["value"]))
    return found


NETWORKS = networks()


def trained(path: Path, text: str, batch: int = 2, **options: Any) -> Training:
    path.write_text(text, encoding="utf-8")
    return training(analyse(load_graph(str(path)), batch=batch), **options)


def with_source(entry: str, sources: list[str]) -> str:
    """The entry with its inputs named."""
    kind, _, rest = entry.partition(":")
    fields = rest.strip()
    if fields.startswith("{"):
        fields = fields[1:-1] + ", "
    elif fields:
        fields = f"{ops.get(kind).main}: {fields}, "
    where = sources[0] if len(sources) == 1 else f"[{', '.join(sources)}]"
    return f"{kind}: {{{fields}from: {where}}}"


@pytest.mark.parametrize("case", LAYERS, ids=lambda case: f"{case['entry']} {case['inputs']}")
def test_a_layer_keeps_what_pytorch_keeps(case: dict[str, Any], tmp_path: Path) -> None:
    """Each input comes from a scale, which needs a gradient and keeps nothing but the image."""
    lines = ["inputs:"]
    lines += [f"  i{place}: {shape}" for place, shape in enumerate(case["inputs"])]
    lines += ["layers:"]
    lines += [f"  - scale: {{name: s{place}, from: i{place}}}" for place in range(len(case["inputs"]))]
    lines += [f"  - {with_source(case['entry'], [f's{place}' for place in range(len(case['inputs']))])}"]
    assert trained(tmp_path / "net.yaml", "\n".join(lines)).bytes.kept == case["bytes"]


def test_every_operator_is_measured_or_keeps_nothing() -> None:
    """An operator that no measurement covers must be one that has nothing to keep."""
    measured = {case["entry"].partition(":")[0] for case in LAYERS}
    unmeasured = {kind for kind in ops.names() if kind not in measured and ops.get(kind).is_known}
    assert unmeasured == {"constant", "gather", "parameter"}


@pytest.mark.parametrize(("name", "size"), NETWORKS)
def test_a_network_keeps_what_pytorch_keeps(name: str, size: str) -> None:
    shape = (3, int(size), int(size))
    network = convcalc.load(f"torchvision/{name}", input_shape=shape, batch=2)
    published = NETWORKS[name, size]
    found = training(network.record)
    assert published[KEPT] == {found.bytes.kept}, "the same in place and out of place"
    assert published["forward_macs_by_shapes"] == {2 * found.macs.forward}
    assert published["backward_macs_by_shapes"] == {2 * found.macs.backward}


MEASURED = {  # at 224 pixels, by tests/torchvision/kept.py --networks; U-Net is written there from the paper's figure
    "torchvision/vit_b_16": 235_117_136,
    "unet": 1_464_987_648,
    "torchvision/swin_t": 212_294_704,
    "torchvision/swin_v2_t": 306_739_672,  # its table of biases comes from a network of constants, without a batch
    "torchvision/maxvit_t": 614_068_176,
}


@pytest.mark.parametrize(("name", "kept"), MEASURED.items())
def test_views_and_crops_keep_what_they_are_views_of(name: str, kept: int) -> None:
    """The class token is a view of the last normalisation's whole output; so are U-Net's crops of its copies."""
    size = None if name == "unet" else (3, 224, 224)
    assert training(convcalc.load(name, input_shape=size, batch=2).record).bytes.kept == kept


@pytest.mark.parametrize(
    ("name", "kept"), [("torchvision/swin_t", 212_294_704), ("torchvision/maxvit_t", 614_068_176)]
)
def test_skipped_branches_keep_a_factor_for_each_image(name: str, kept: int) -> None:
    """Measured by tests/torchvision/kept.py --networks: every branch with a rate above 0 keeps 4 bytes an image."""
    assert training(convcalc.load(name, batch=2).record).bytes.kept == kept


SMALL = """
input: [3, 8, 6]
layers:
  - conv: {name: a, filters: 4, kernel: 3, padding: 1, bias: false}
  - relu: {name: b}
  - conv: {name: c, filters: 5, kernel: 3, padding: 1}
  - global_avgpool: {name: d}
  - flatten: {name: e}
"""


def test_peak_of_a_small_network_by_hand(tmp_path: Path) -> None:
    """Image 144 numbers, a and b 192 each, c 240, d 5; parameters 108 of a, 185 of c; batch 1.

    Kept: b's output, 192, which is c's input. While c's gradients are made there are the image, the weights 293, b's
    output, the gradients of c's output 240, of its input 192 and of its parameters 185; the result, 5, is gone with its
    own gradient: 144 + 293 + 192 + 240 + 192 + 185 = 1246. At b, with the gradients of its output and input:
    144 + 293 + 192 + 192 + 192 + 185 = 1198. Forward, at c: 144 + 293 + 192 + 240 = 869.
    """
    found = trained(tmp_path / "net.yaml", SMALL, batch=1)
    assert found.bytes.kept == 4 * 192
    assert found.bytes.peak == 4 * 1246
    assert (found.peak_layer, found.peak_pass) == ("c", "backward")
    assert (found.bytes.weights, found.bytes.gradients, found.bytes.optimizer) == (4 * 293, 4 * 293, 0)
    # a's weights are 108 at 48 positions, its image needs no gradient; c's weights are 180
    assert found.macs.backward == 108 * 48 + 2 * 180 * 48


@pytest.mark.parametrize(("optimizer", "state"), [("sgd", 0), ("momentum", 1), ("adam", 2), ("adamw", 2)])
def test_optimisers_hold_state_per_parameter(tmp_path: Path, optimizer: str, state: int) -> None:
    plain = trained(tmp_path / "net.yaml", SMALL)
    found = trained(tmp_path / "net.yaml", SMALL, optimizer=optimizer)
    assert found.bytes.optimizer == state * 293 * 4
    assert found.bytes.peak - plain.bytes.peak == state * 293 * 4


def test_checkpointed_blocks_keep_only_what_they_read() -> None:
    network = convcalc.load("torchvision/resnet18", batch=2).record
    plain = training(network)
    found = training(network, checkpoint=["layer1", "layer2.0"])
    # the relu of layer1's last block is the input of layer2.0, and layer1's input is the stem's pool output
    graph = network.graph
    inside = [node for node in graph if node.name.startswith(("layer1.", "layer2.0."))]
    saved = saved_tensors(graph, 4)
    freed = {
        (node.index, use.saved.what): use.amount.bytes(2)
        for node in inside
        for use in saved.uses[node.index]
        if use.first == node.index and use.storage is None
    }
    storages = {
        use.storage
        for node in inside
        for use in saved.uses[node.index]
        if use.storage is not None and graph.nodes[use.storage] in inside
    }
    kept = {
        graph.nodes[index].index
        for index in storages
        if graph.nodes[index].name in ("layer1.1.relu2", "layer2.0.relu2")
    }
    sizes = sum(4 * 2 * _elements(graph, index) for index in storages - kept)
    assert plain.bytes.kept - found.bytes.kept == sum(freed.values()) + sizes
    assert found.bytes.peak < plain.bytes.peak
    assert found.macs.backward - plain.macs.backward == sum(
        node.op.macs(node.input_shapes) for node in inside
    )


def _elements(graph: Any, index: int) -> int:
    channels, height, width = graph.shape(index)
    return int(channels * height * width)


@pytest.mark.parametrize("name", ["lenet5", "googlenet", "torchvision/mobilenet_v2"])
@pytest.mark.parametrize("memory", [3 * 10**9, 24 * 2**30])
def test_largest_batch_fits_and_one_more_does_not(name: str, memory: int) -> None:
    network = convcalc.load(name)
    most = training(network.record, optimizer="adam", memory=memory).largest_batch
    assert most
    for batch, fits in ((most, True), (most + 1, False)):
        record = analyse(network.graph, batch=batch)
        assert (training(record, optimizer="adam").bytes.peak <= memory) is fits


def test_no_batch_fits_where_the_weights_do_not() -> None:
    assert training(convcalc.load("vgg16").record, memory=10**6).largest_batch == 0


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        (["layer9"], "has no block 'layer9'"),
        (["layer1", "layer1.0"], "overlap"),
        ([""], "has no block ''"),
    ],
)
def test_blocks_that_cannot_be_checkpointed(blocks: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        training(convcalc.load("torchvision/resnet18").record, checkpoint=blocks)


@pytest.mark.parametrize(
    ("shape", "order", "wanted", "viewed"),
    [
        ((5, 4, 3), (0, 1, 2), (60,), True),
        ((5, 4, 3), (0, 1, 2), (5, 12), True),
        ((5, 4, 3), (0, 1, 2), (10, 6), True),
        ((5, 4, 3), (1, 2, 0), (60,), False),
        ((5, 4, 3), (1, 2, 0), (12, 5), True),
        ((5, 4, 3), (1, 2, 0), (2, 6, 5), True),
        ((5, 4, 3), (1, 2, 0), (4, 15), False),
        ((1, 4, 1), (2, 1, 0), (4,), True),
    ],
)
def test_which_shapes_are_views(
    shape: tuple[int, ...], order: tuple[int, ...], wanted: tuple[int, ...], viewed: bool
) -> None:
    """As torch.Tensor.view decides; the expected answers are PyTorch's."""
    strides = contiguous(shape)
    turned = tuple(shape[place] for place in order)
    assert (view_strides(turned, [strides[place] for place in order], wanted) is not None) is viewed
