"""Generated chains, of one to three dimensions, in volumes and maps: nothing lies on anything, whatever the sizes."""

from __future__ import annotations

import random
from pathlib import Path
from types import ModuleType

import pytest

from convcalc.errors import ConvcalcError
from convcalc.render.drawing import maps, volumes
from convcalc.render.drawing.banks import COMPACT, SLIDE
from convcalc.render.drawing.measure import faults
from convcalc.render.layout import cells
from tests.render.drawing.chains import written

NETWORKS = 40


def generated(seed: int) -> str:
    """A spec: layers that need not fit one another."""
    pick = random.Random(seed)
    sizes = [pick.choice([1, 5, 16, 33, 120, 300]) for _ in range(pick.choice([1, 2, 2, 2, 3]))]
    layers = []
    for _ in range(pick.randint(1, 25)):
        kernel, stride, padding = (
            pick.choice([1, 3, 5, 11]),
            pick.choice([1, 1, 2, 4]),
            pick.choice([0, 1, 2, 5]),
        )
        filters = pick.choice([1, 3, 16, 64, 512, 3000])
        layers.append(
            pick.choice(
                [
                    f"conv: {{filters: {filters}, kernel: {kernel}, stride: {stride}, padding: {padding}}}",
                    f"conv: {{filters: {filters}, kernel: {kernel}, stride: {stride}, padding: {padding}}}",
                    "maxpool: {kernel: 3, stride: 2, padding: 1}",
                    "relu",
                    "batchnorm",
                    "deconv: {filters: 40, kernel: 4, stride: 2}",
                ]
            )
        )
    if pick.random() < 0.6:
        layers += [
            "flatten",
            *[f"dense: {pick.choice([1, 10, 300, 5000])}" for _ in range(pick.randint(0, 6))],
        ]
    lines = "".join(f"  - {layer}\n" for layer in layers)
    return f"name: n\ninput: [{pick.choice([1, 3, 20])}, {', '.join(map(str, sizes))}]\nlayers:\n{lines}"


@pytest.mark.parametrize("style", [volumes, maps], ids=["volumes", "maps"])
def test_generated_chains_are_drawn_without_a_fault(style: ModuleType, tmp_path: Path) -> None:
    drawn = 0
    for seed in range(NETWORKS):
        try:
            boxes = written(generated(seed), tmp_path)
        except ConvcalcError:  # a window larger than its map
            continue
        drawn += 1
        for compact, look in ((False, SLIDE), (True, COMPACT)):
            scene = style.draw(boxes, compact=compact)
            assert faults(scene).clean, (seed, faults(scene))
            assert scene.width <= look.room, seed
        for width in (40, 80):
            for line in style.lines(boxes, width):
                assert sum(cells(span.text) for span in line) <= width, seed
    assert drawn > NETWORKS / 4
