"""Names of layers from the paths of modules."""

from __future__ import annotations

from collections.abc import Sequence

from convcalc.formats.naming import Item, clean_path, names
from convcalc.ops import get


def item(path: str, kind: str, inputs: int = 1, weighted: bool | None = None) -> Item:
    required: dict[str, dict[str, object]] = {
        "conv": {"filters": 4, "kernel": 3}, "dense": {"units": 5}, "maxpool": {"kernel": 2}, "pad": {"padding": 1},
        "batchnorm": {}, "parameter": {"shape": (1, 7)},
    }  # fmt: skip
    own = kind in ("conv", "dense", "batchnorm", "parameter") if weighted is None else weighted
    return Item(path, get(kind)(**required.get(kind, {})), own, inputs)


def named(*items: Item) -> list[str]:
    return [name.name for name in names(items)]


def scopes(items: Sequence[Item]) -> list[str]:
    return [name.scope for name in names(items)]


def test_a_block_of_resnet_whose_relu_module_is_called_three_times() -> None:
    items = [
        item("layer1.0.conv1", "conv"),
        item("layer1.0.relu", "relu"),
        item("layer1.0.conv2", "conv"),
        item("layer1.0.relu", "relu"),
        item("layer1.0.downsample.0", "conv"),
        item("layer1.0", "add", 2),
        item("layer1.0.relu", "relu"),
        item("fc", "dense"),
    ]
    assert named(*items) == [
        "layer1.0.conv1", "layer1.0.relu1", "layer1.0.conv2", "layer1.0.relu2", "layer1.0.downsample.0",
        "layer1.0.add1", "layer1.0.relu3", "fc",
    ]  # fmt: skip
    assert scopes(items)[:5] == ["layer1.0"] * 4 + ["layer1.0.downsample"]


def test_a_layer_with_parameters_keeps_the_path_that_it_shares_with_others() -> None:
    assert named(item("head", "flatten"), item("head", "dense"), item("", "softmax")) == [
        "flatten1", "head", "softmax1",
    ]  # fmt: skip
    twice = [item("cell", "dense"), item("", "relu"), item("cell", "dense", weighted=False)]
    assert named(*twice) == ["cell", "relu1", "dense2"]


def test_several_layers_with_parameters_make_a_scope() -> None:
    assert named(item("attn", "dense"), item("attn", "softmax"), item("attn", "dense")) == [
        "attn.dense1", "attn.softmax1", "attn.dense2",
    ]  # fmt: skip


def test_a_path_with_others_below_it_is_a_scope() -> None:
    assert named(item("attn", "dense"), item("attn.out", "dense")) == ["attn.dense1", "attn.out"]


def test_names_that_say_nothing_go_and_telling_ones_stay() -> None:
    items = [
        item("act1", "silu"),
        item("pool0", "maxpool"),
        item("relu_7", "relu6"),
        item("avgpool", "global_avgpool"),
    ]
    assert named(*items) == ["silu1", "pool0", "relu61", "avgpool"]
    assert [name.named for name in names(items)] == [False, True, False, True]


def test_layers_without_parameters_close_gaps_of_numbered_scopes() -> None:
    """Batch normalisation, at 1 and 4, was folded into the convolutions."""
    items = [item("features.0", "conv"), item("features.2", "relu"), item("features.3", "conv"),
             item("features.5", "relu"), item("features.6", "maxpool")]  # fmt: skip
    assert named(*items) == ["features.0", "features.1", "features.3", "features.4", "features.5"]


def test_gaps_stay_where_a_scope_has_a_join_or_names() -> None:
    items = [item("f.0", "conv"), item("f.2", "relu"), item("f", "add", 2)]
    assert named(*items) == ["f.0", "f.2", "f.add1"]
    assert named(item("f.0", "conv"), item("f.2", "relu"), item("f.end", "pad")) == ["f.0", "f.2", "f.end"]


def test_a_default_name_never_meets_a_module_s() -> None:
    assert named(item("a.conv2", "conv"), item("a", "conv"), item("a.conv2_2.x", "conv")) == [
        "a.conv2", "a.conv2_3", "a.conv2_2.x",
    ]  # fmt: skip


def test_paths_are_made_of_what_a_spec_takes() -> None:
    assert clean_path("block/3:x..-y.é") == "block_3_x._-y._"
    assert clean_path("a." * 40).count(".") == 31
