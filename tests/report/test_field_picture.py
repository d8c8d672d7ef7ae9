"""Receptive fields drawn over the input, and maps of what a pixel reaches."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

import convcalc
from convcalc.errors import UsageError
from convcalc.render.drawing.measure import faults
from convcalc.render.drawing.scene import Circle, Picture, Rectangle, Scene, Text
from convcalc.report.field_picture import depth_scene, meeting_scene, pixel_scene, unit_scene
from tests.browser import screenshot
from tests.render.drawing.scenes import near


def texts(scene: Scene) -> list[str]:
    return [item.text for item in scene.items if isinstance(item, Text)]


def picture(scene: Scene) -> Picture:
    return next(item for item in scene.items if isinstance(item, Picture))


def rings(scene: Scene, stroke: str) -> list[Rectangle]:
    return [item for item in scene.items if isinstance(item, Rectangle) and item.stroke == stroke]


def test_a_window_has_its_name_its_size_and_its_pixels() -> None:
    """Of AlexNet as the lecture counts it: conv5 sees 163 pixels each way, from 32 to 194 in the middle."""
    scene = unit_scene(convcalc.load("alexnet").field("conv5").record)
    assert {"alexnet: what conv5 (2, 2) sees", "conv5  163×163", "input 3×227×227"} <= set(texts(scene))
    assert "rows 32 to 194, columns 32 to 194: 26,569 pixels, 51.6 % of the image" in texts(scene)
    assert [texts(scene).count(tick) for tick in ("0", "32", "194", "226")] == [2, 2, 2, 2]
    image, (ring,) = picture(scene), rings(scene, "accent")
    scale = image.width / 227
    assert (ring.left - image.left, ring.top - image.top) == pytest.approx((32 * scale, 32 * scale))
    assert (ring.width, ring.height) == pytest.approx((163 * scale, 163 * scale))
    assert faults(scene).clean


def test_what_a_unit_does_not_see_is_faded() -> None:
    black = Image.new("RGB", (227, 227))
    raster = picture(unit_scene(convcalc.load("alexnet").field("conv5").record, black)).raster
    row = raster.planes[0][113 * 227 : 114 * 227]
    dark = [column for column, level in enumerate(row) if level == 0]
    assert (dark[0], dark[-1], len(dark)) == (32, 194, 163)
    assert set(row) == {0, 158}  # 62 % of white


def test_a_window_in_the_padding_leaves_the_image() -> None:
    scene = unit_scene(convcalc.load("vgg16").field("conv5_3", unit=(0, 0)).record)
    image, (ring,) = picture(scene), rings(scene, "accent")
    assert (image.left - ring.left, image.top - ring.top) == pytest.approx((90, 90))  # 196 wide, to pixel 105
    assert "outside the image: padding" in texts(scene)
    assert faults(scene).clean


def test_dilated_windows_show_their_gaps(tmp_path: Path) -> None:
    """A kernel of 3 with dilation 2 on 9×11 has 5×7 units: the middle one, (2, 3), sees rows 2, 4 and 6 and columns 3,
    5 and 7."""
    spec = tmp_path / "net.yaml"
    spec.write_text("name: net\ninput: [1, 9, 11]\nlayers: [{conv: {filters: 1, kernel: 3, dilation: 2}}]\n")
    raster = picture(unit_scene(convcalc.load(spec).field("conv1").record)).raster
    seen = {place for place, level in enumerate(raster.planes[0]) if level == 0x9E}
    assert seen == {row * 11 + column for row in (2, 4, 6) for column in (3, 5, 7)}


def test_rings_over_depth_have_names_with_lines_to_them() -> None:
    """The growing windows of the lecture's AlexNet, by hand: 11, 19, 51, 67, 99, 131, 163, 195."""
    scene = depth_scene(convcalc.load("alexnet").field().record)
    for name, size in (("conv1", 11), ("maxpool1", 19), ("conv2", 51), ("maxpool2", 67), ("conv5", 163)):
        assert f"{name}  {size}×{size}" in texts(scene)
    scale = picture(scene).width / 227
    sizes = sorted({round(ring.width / scale) for ring in rings(scene, "#ffffff")})
    assert sizes == [11, 19, 51, 67, 99, 131, 163, 195]
    assert faults(scene).clean


@pytest.mark.parametrize("name", ["vgg16", "googlenet", "resnet18", "unet", "lenet5"])
def test_nothing_overlaps(name: str) -> None:
    scene = depth_scene(convcalc.load(name).field().record)
    assert faults(scene).clean
    assert min(item.size for item in scene.items if isinstance(item, Text)) >= 11


def test_two_pixels_are_pointed_out() -> None:
    scene = meeting_scene(convcalc.load("lenet5").field(between=((0, 0), (5, 5))).record)
    image = picture(scene)
    scale = image.width / 32
    centres = [(item.x, item.y) for item in scene.items if isinstance(item, Circle)]
    assert centres == [
        pytest.approx((image.left + (place + 0.5) * scale, image.top + (place + 0.5) * scale))
        for place in (0, 5)
    ]
    assert {"pixel (0, 0)", "pixel (5, 5)", "maxpool1  6×6"} <= set(texts(scene))
    assert faults(scene).clean


def test_maps_of_what_a_pixel_reaches() -> None:
    """Pixel (5, 5) of LeNet-5: rows and columns 1 to 5 of conv1's 28, 0 to 2 of maxpool1's 14."""
    scene = pixel_scene(convcalc.load("lenet5").field(pixel=(5, 5)).record)
    assert texts(scene)[1:5] == ["conv1", "28×28", "maxpool1", "14×14"]
    maps = [item for item in scene.items if isinstance(item, Rectangle) and item.fill == "input"]
    filled = [item for item in scene.items if isinstance(item, Rectangle) and item.fill == "conv"]
    side = maps[0].width / 28
    assert (filled[0].left - maps[0].left, filled[0].width) == pytest.approx((side, 5 * side))
    side = maps[1].width / 14
    assert (filled[1].left - maps[1].left, filled[1].width) == pytest.approx((0, 3 * side))
    assert faults(scene).clean
    many = pixel_scene(convcalc.load("resnet18").field(pixel=(100, 90)).record)
    assert faults(many).clean


def test_in_a_browser_over_an_image(browser, tmp_path: Path) -> None:
    red = tmp_path / "red.png"
    Image.new("RGB", (64, 64), (200, 30, 10)).save(red)
    view = convcalc.load("alexnet").field("conv5", image=red)
    for suffix in (".svg", ".png", ".pdf"):
        view.save(tmp_path / f"field{suffix}")
    image = picture(unit_scene(view.record))
    shown = screenshot(browser, tmp_path / "field.svg", 500, 400)
    assert near(shown.getpixel((round(image.left + 113), round(image.top + 113))), "#c81e0a")
    with Image.open(tmp_path / "field.png") as png:
        assert near(png.getpixel((round(2 * image.left + 226), round(2 * image.top + 226))), "#c81e0a")


def test_what_is_seen_of_the_other_input_is_said(tmp_path: Path) -> None:
    """Unit (2, 3): 2…4 × 3…5 of left; of right by 5×5 with one pixel of padding 1…5 × 2…6, 25 of 8·9 pixels."""
    (tmp_path / "two.yaml").write_text(
        "name: two\ninputs:\n  left: [3, 8, 9]\n  right: [3, 8, 9]\nlayers:\n"
        "  - conv: {name: a, filters: 4, kernel: 3, from: left}\n"
        "  - conv: {name: b, filters: 4, kernel: 5, padding: 1, from: right}\n"
        "  - add: {name: s, from: [a, b]}\n"
    )
    found = convcalc.load(tmp_path / "two.yaml").field("s", unit=(2, 3)).record
    assert "rows 2 to 4, columns 3 to 5: 9 pixels, 12.5 % of the image" in texts(unit_scene(found))
    assert "not drawn: right, rows 1 to 5, columns 2 to 6: 25 pixels, 34.7 % of the image" in texts(
        unit_scene(found)
    )
    assert "not drawn: left, rows 2 to 4, columns 3 to 5: 9 pixels, 12.5 % of the image" in texts(
        unit_scene(found, None, "right")
    )
    assert not any(faults(unit_scene(found)))


def test_an_axis_alone_is_no_picture(tmp_path: Path) -> None:
    (tmp_path / "row.yaml").write_text(
        "name: row\ninput: {channels: 3, length: 40}\nlayers: [conv: {K: 5, F: 4}]\n"
    )
    with pytest.raises(UsageError, match="row has 1 spatial dimension; only two"):
        convcalc.load(tmp_path / "row.yaml").field("conv1").save(tmp_path / "a.svg")
