"""Sums by kind, role and block."""

from __future__ import annotations

import json
from typing import Any

import pytest

import convcalc
from convcalc.analysis.groups import BY, By, grouped


@pytest.mark.parametrize("by", BY)
@pytest.mark.parametrize(
    "name", ["lenet5", "siamese", "torchvision/mobilenet_v3_small", "torchvision/vit_b_16"]
)
def test_groups_sum_to_the_totals(name: str, by: By) -> None:
    record = convcalc.load(name, batch=3).record
    groups = grouped(record, by, depth=2).groups
    for key in ("layers", "weights", "biases", "params", "macs", "activation_bytes"):
        assert sum(getattr(group, key) for group in groups) == getattr(record.totals, key)


def test_vgg16s_dense_layers_have_most_weights() -> None:
    """Lecture: 138,357,544 parameters of VGG-16, of which the dense layers have 123,642,856 (102,764,544 + 16,781,312 +
    4,097,000, biases included); Simonyan & Zisserman 2015, table 2."""
    groups = {group.name: group for group in convcalc.load("vgg16").by("kind").groups}
    assert groups["dense"].params == 102_764_544 + 16_781_312 + 4_097_000
    assert groups["conv"].params == 138_357_544 - groups["dense"].params
    assert groups["conv"].layers == 13


def test_json_has_the_contracts_keys(convcalc: Any) -> None:
    done = convcalc("show", "alexnet", "--by", "role", "--format", "json")
    value = json.loads(done.stdout)
    assert set(value) == {"name", "conventions", "by", "groups", "totals"}
    keys = {"name", "layers", "weights", "biases", "params", "macs", "activation_bytes"}
    assert all(set(group) == keys for group in value["groups"])


def test_one_question_at_a_time(convcalc: Any) -> None:
    done = convcalc("show", "alexnet", "--by", "kind", "--explain")
    assert done.returncode == 2
    assert "--explain and --by show different things" in done.stderr
