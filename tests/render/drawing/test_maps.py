"""Maps: the figure of LeNet-5, lengths worked by hand."""

from __future__ import annotations

import pytest

from convcalc.errors import UsageError
from convcalc.render.drawing import maps
from convcalc.render.drawing.banks import COMPACT, SLIDE
from convcalc.render.drawing.measure import faults
from convcalc.render.drawing.scene import Polygon, Rectangle, Scene, Text
from tests.render.drawing.chains import bundled, is_drawn, names


def rectangles(scene: Scene, fill: str | None = None) -> list[Rectangle]:
    return [item for item in scene.items if isinstance(item, Rectangle) and fill in (None, item.fill)]


def test_lenets_maps_are_counted_as_in_the_paper() -> None:
    """Figure 2 of LeCun et al. 1998: 6@28×28, 6@14×14, 16@10×10 and 16@5×5."""
    texts = [item.text for item in maps.draw(bundled("lenet5")).items if isinstance(item, Text)]
    drawn = [text for text in texts if "@" in text]
    assert drawn == ["1@32×32", "6@28×28", "6@14×14", "16@10×10", "16@5×5"]


def test_each_map_up_to_sixteen_is_drawn() -> None:
    """1 + 6 + 6 + 16 + 16 maps, and four windows with a unit each."""
    scene = maps.draw(bundled("lenet5"))
    assert len(rectangles(scene, "accent")) == 8
    assert len(rectangles(scene)) == 45 + 8
    assert "Of a layer" not in " ".join(item.text for item in scene.items if isinstance(item, Text))
    more = maps.draw(bundled("alexnet"))
    assert "Of a layer at most 16 maps are drawn." in " ".join(
        item.text for item in more.items if isinstance(item, Text)
    )


def test_sides_of_maps_by_the_power_three_quarters() -> None:
    """110·(28/32)^0.75 = 99.52, 110·(5/32)^0.75 = 27.34; 6 maps 5 apart, 16 maps 3.4 apart."""
    scene = maps.draw(bundled("lenet5"))
    boxes = {box.name: box for box in scene.boxes}
    assert boxes["conv1"].right - boxes["conv1"].left == pytest.approx(99.52 + 25, abs=0.01)
    assert boxes["maxpool2"].bottom - boxes["maxpool2"].top == pytest.approx(27.34 + 51, abs=0.01)


def test_windows_on_maps_are_true_to_scale() -> None:
    """5 of 32 pixels of 110; 2 of 28 pixels of 99.52; 5 of 14 pixels of 59.17; 2 of 10 pixels of 45.99."""
    windows = rectangles(maps.draw(bundled("lenet5")), "accent")[::2]
    sides = [window.width for window in windows]
    assert sides == pytest.approx([17.19, 7.11, 21.13, 9.20], abs=0.01)
    assert [window.height for window in windows] == sides


def test_dense_layers_lean_and_are_joined() -> None:
    """9·√120 = 98.59, 9·√84 = 82.49, 9·√10 = 28.46 high."""
    bars = [item for item in maps.draw(bundled("lenet5")).items if isinstance(item, Polygon)]
    heights = [bar.points[2][1] - bar.points[0][1] for bar in bars]
    assert heights == pytest.approx([98.59, 82.49, 28.46], abs=0.01)
    assert bars[0].points[3][0] - bars[0].points[0][0] == pytest.approx(0.28 * 98.59, abs=0.01)


@pytest.mark.parametrize("name", names())
def test_nothing_lies_on_anything_in_any_bundled_chain(name: str) -> None:
    if not is_drawn(name, "maps"):
        return
    for compact, look in ((False, SLIDE), (True, COMPACT)):
        scene = maps.draw(bundled(name), compact=compact)
        assert faults(scene).clean, faults(scene)
        assert scene.width <= look.room
        assert 226.8 * min(item.size for item in scene.items if isinstance(item, Text)) / scene.width >= (
            6 if compact else 0
        )


def test_no_chain_is_refused_by_the_name_of_the_style() -> None:
    with pytest.raises(UsageError, match="--style maps needs a chain"):
        maps.draw(bundled("siamese"))
