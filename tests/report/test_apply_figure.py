"""`apply` as figures: numbered cells, and the window step by step."""

from __future__ import annotations

import io
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

import convcalc
from convcalc.errors import UsageError
from convcalc.render.drawing import cells, palette
from convcalc.render.drawing.animation import strip
from convcalc.render.drawing.measure import faults
from convcalc.render.drawing.scene import Picture, Polyline, Rectangle, Scene, Text
from convcalc.report.apply_figure import applied_animation, applied_scene
from tests.browser import screenshot
from tests.render.drawing.scenes import near

POOL = "1 4 2 1; 5 8 3 4; 7 6 4 5; 1 3 1 2"
CASES = {
    "pool": (("maxpool: 2", POOL), {}),
    "padded pool": (("avgpool: {kernel: 3, padding: [[0, 1], 1], stride: 2}", POOL), {}),
    "letters": (("a b c d; e f g h; i j k l",), {"weights": "w x; y z"}),
    "padding": (("1 4 2; 5 -8 3",), {"weights": "1 0; 0 -1/3", "padding": "1+0x0+2", "bias": "2"}),
    "dilation": (("1 2 3 4 5; 6 7 8 9 0; 1 2 3 4 5; 6 7 8 9 0",), {"weights": "1 2; 3 4", "dilation": "2x3"}),
    "modes": (("1 0 2; 0 3 0; 4 0 5",), {"weights": "1 2; 3 4", "mode": "all"}),
    "channels": (("1 2 3; 4 5 6|1 1 1; 0 0 2",), {"weights": ["1 2; 3 4|1 0; 0 1", "0 1; 1 0|-1 0; 0 2"]}),
    "groups": (("blur", "1 2 3 1; 4 5 6 2; 0 0 7 8|1 1 1 9; 0 0 2 9; 4 4 4 4"), {"per_channel": True}),
    "signal": (("1.00 1.10 1.20 1.40 1.70",), {"weights": ".01 .4 .5", "mode": "convolution"}),
    "dilated signal": (("1 2 3 4 5 6 7|7 6 5 4 3 2 1",), {"weights": "1 -1|2 1/2", "dilation": 3}),
    "deconv": (
        ("deconv: {stride: 2, padding: 1}", "1 0; 2 3"),
        {"weights": "1 2 1; 3 4 0; 1 0 -1", "bias": "2"},
    ),
    "dilated deconv": (("deconv: {dilation: 2}", "1 2|3 4"), {"weights": ["1 2|3 4", "0 1|1/3 -1"]}),
    "wide": (("1e12 2e12; 3e11 -4e12",), {"weights": "1/7 1/13; 3/17 2/19", "padding": 1}),
}


def record(name: str, steps: bool):
    arguments, options = CASES[name]
    return convcalc.apply(*arguments, **options, steps=steps).record


def texts(scene: Scene) -> list[str]:
    return [item.text for item in scene.items if isinstance(item, Text)]


def fills(scene: Scene, role: str) -> list[tuple[float, float]]:
    return [(i.left, i.top) for i in scene.items if isinstance(i, Rectangle) and i.fill == role]


@pytest.mark.parametrize("name", CASES)
def test_nothing_overlaps_or_leaves_the_page(name: str) -> None:
    scene = applied_scene(record(name, steps=False))
    assert faults(scene).clean
    animation = applied_animation(record(name, steps=True))
    for number in range(len(animation.seconds)):
        assert faults(animation.frame(number)).clean, number
    if len(animation.seconds) <= 12:
        assert faults(strip(animation)).clean


@pytest.mark.parametrize("name", CASES)
def test_every_text_stands_within_its_cell(name: str) -> None:
    for scene in (
        applied_scene(record(name, steps=False)),
        applied_animation(record(name, steps=True)).frame(0),
    ):
        for item in scene.items:
            if isinstance(item, Text) and item.anchor == "middle" and item.fit:
                around = [
                    box
                    for box in scene.items
                    if isinstance(box, Rectangle)
                    and box.fill is not None
                    and box.left < item.x < box.left + box.width
                    and box.top < item.y - 2 < box.top + box.height
                ]
                assert around
                assert min(box.width for box in around) >= item.fit + 4


def test_the_figure_has_all_numbers_sizes_and_the_formula() -> None:
    scene = applied_scene(record("padding", steps=False))
    found = texts(scene)
    assert found[0] == "conv K1 F2 P1+0×0+2: 2×3 → 2×4"
    assert {"input 2×3", "kernel 2×2", "output 2×4", "bias 2"} <= set(found)
    assert "S[i,j] = Σ I[i+a, j+b]·K[a,b]" in found
    assert "output height: (2 − 2 + 1 + 0)/1 + 1 = 2" in found
    assert "output width: (3 − 2 + 0 + 2)/1 + 1 = 4" in found
    # 2 + 1·0 + 0·0 + 0·1 − 4/3 = 2/3 and 2 + 1 + 8/3 = 17/3, worked by hand
    assert {"2/3", "17/3"} <= set(found)


def test_frames_of_the_lecture_s_pool() -> None:
    animation = applied_animation(record("pool", steps=True))
    assert animation.seconds == (1.2, 1.2, 1.2, 3.0)
    workings = ["max(1, 4, 5, 8) = 8", "max(2, 1, 3, 4) = 4", "max(7, 6, 1, 3) = 7", "max(4, 5, 1, 2) = 5"]
    for number, working in enumerate(workings):
        scene = animation.frame(number)
        assert {f"step {number + 1} of 4", working} <= set(texts(scene))
        assert len(fills(scene, cells.WINDOW)) == 4
        assert len(fills(scene, cells.RESULT)) == 1
        assert len(fills(scene, cells.DONE)) == number


def test_the_window_stands_on_its_cells() -> None:
    """Of step 3 of the pool: rows 2 and 3, columns 0 and 1 of the input; row 1, column 0 of the output."""
    animation = applied_animation(record("pool", steps=True))
    scene = animation.frame(2)
    source, output = scene.boxes
    side = (source.right - source.left) / 4
    assert sorted(fills(scene, cells.WINDOW)) == [
        (source.left + column * side, source.top + row * cells.SIDE) for column in (0, 1) for row in (2, 3)
    ]
    assert fills(scene, cells.RESULT) == [(output.left, output.top + cells.SIDE)]


def test_a_dilated_window_leaves_cells_out_and_is_dashed() -> None:
    """Dilation 2×3 on 4×5: the first window reads rows 0 and 2, columns 0 and 3, within 3×4 cells."""
    scene = applied_animation(record("dilation", steps=True)).frame(0)
    source = scene.boxes[0]
    assert sorted(fills(scene, cells.WINDOW))[:4] == [
        (source.left + column * cells.SIDE, source.top + row * cells.SIDE)
        for column in (0, 3)
        for row in (0, 2)
    ]
    outline = next(i for i in scene.items if isinstance(i, Rectangle) and i.dashed)
    assert (outline.width, outline.height) == pytest.approx((4 * cells.SIDE, 3 * cells.SIDE))


def test_padding_is_marked_and_weights_stand_in_the_corners() -> None:
    scene = applied_animation(record("padding", steps=True)).frame(0)
    # 3×5 with padding; 9 of them padding, 2 of which the window covers
    assert len(fills(scene, "padding")) == 9 - 2
    assert [text for text in texts(scene) if text.startswith("×")] == ["×1", "×0", "×0", "×−1/3"]
    assert "0·1 + 0·0 + 1·0 + 4·(−1/3) + 2 = 2/3" in texts(scene)


def test_a_signal_s_kernel_lies_below_its_window() -> None:
    animation = applied_animation(record("dilated signal", steps=True))
    scene = animation.frame(2)  # window at places 2 and 5
    source = scene.boxes[0]
    wide = (source.right - source.left) / 7
    lefts = {round(left, 3) for left, _ in fills(scene, cells.WINDOW)}
    assert lefts == {round(source.left + 2 * wide, 3), round(source.left + 5 * wide, 3)}
    # 3·1 − 6 + 5·2 + 2/2 = 8
    assert "3·1 + 6·(−1) + 5·2 + 2·(1/2) = 8" in texts(scene)


def test_a_deconvolution_adds_to_the_output() -> None:
    """Step 3 of 4: 2 times the kernel, two rows down; its first column is cropped off."""
    scene = applied_animation(record("deconv", steps=True)).frame(2)
    assert "adds 2·1, 2·2, 2·1, 2·3, 2·4, 2·0, 2·1, 2·0, 2·(−1)" in texts(scene)
    added = ["+0", "+0", "+2", "+2", "+2", "+4", "+6", "+8", "−2"]
    assert sorted(text for text in texts(scene) if text[0] in "+−" and text != "−1") == added
    output = scene.boxes[-1]
    side = cells.SIDE
    written = [place for place in fills(scene, cells.WINDOW) if place[0] >= output.left]
    assert sorted(written) == [
        pytest.approx((output.left + column * side, output.top + row * side))
        for column in range(3)
        for row in range(2, 5)
    ]


def test_modes_follow_one_another() -> None:
    animation = applied_animation(record("modes", steps=True))
    assert len(animation.seconds) == 3 * 4
    assert "correlation: S[i,j] = Σ I[i+a, j+b]·K[a,b]" in texts(animation.frame(3))
    assert "convolution: S[i,j] = Σ I[i−a, j−b]·K[a,b]" in texts(animation.frame(4))
    assert "kernel 2×2, turned" in texts(animation.frame(4))


def test_a_large_matrix_is_a_picture() -> None:
    rows = "; ".join(" ".join(str(i * j) for j in range(50)) for i in range(40))
    scene = applied_scene(convcalc.apply("relu", rows).record)
    pictures = [item for item in scene.items if isinstance(item, Picture)]
    assert [(p.raster.width, p.raster.height) for p in pictures] == [(50, 40), (50, 40)]
    assert [p.raster.planes[0][-1] for p in pictures] == [255, 255]  # 39·49, the largest, is white
    assert texts(scene).count("black 0, white 1911") == 2
    assert faults(scene).clean


def test_a_name_and_a_number_that_are_too_long_are_cut() -> None:
    letters = "; ".join(" ".join(f"x{'y' * 12}{i}{j}" for j in range(4)) for i in range(3))
    weights = "; ".join(" ".join(f"k{'z' * 12}{i}{j}" for j in range(2)) for i in range(3))
    scene = applied_scene(convcalc.apply(letters, weights=weights).record)
    assert faults(scene).clean
    assert scene.width < 2_000


def test_gif_by_save(tmp_path: Path) -> None:
    path = tmp_path / "pool.gif"
    convcalc.apply("maxpool: 2", POOL, steps=True, delay=0.5).save(path)
    with Image.open(path) as image:
        assert image.n_frames == 4
        image.seek(1)
        assert image.info["duration"] == 500
        scene = applied_animation(record("pool", steps=True)).frame(1)
        scale = image.width / scene.width
        frame = image.convert("RGB")
        for role in (cells.WINDOW, cells.RESULT, cells.DONE):
            for left, top in fills(scene, role):  # in the corner of the cell, beside its number
                point = round((left + 5) * scale), round((top + 5) * scale)
                assert near(frame.getpixel(point), palette.colour(role)), role


def test_png_and_pdf_by_save(tmp_path: Path) -> None:
    view = convcalc.apply("a b c; d e f", weights="w x; y z")
    view.save(tmp_path / "toy.png")
    view.save(tmp_path / "toy.pdf")
    assert (tmp_path / "toy.pdf").read_bytes().startswith(b"%PDF")
    with Image.open(tmp_path / "toy.png") as image:
        assert image.width == 2 * round(applied_scene(view.record).width) or image.width > 600
    convcalc.apply("relu", "0 1; 2 4", tone="stretch").save(tmp_path / "levels.png")
    with Image.open(io.BytesIO((tmp_path / "levels.png").read_bytes())) as image:
        assert (image.size, list(image.tobytes())) == ((2, 2), [0, 64, 128, 255])


def test_svg_in_a_browser(browser, tmp_path: Path) -> None:
    path = tmp_path / "pool.svg"
    convcalc.apply("maxpool: 2", POOL, steps=True).save(path)
    ElementTree.fromstring(path.read_text())
    scene = applied_animation(record("pool", steps=True)).frame(0)
    picture = screenshot(browser, path, round(scene.width), round(scene.height))
    for left, top in fills(scene, cells.WINDOW):
        assert near(picture.getpixel((round(left + 5), round(top + 5))), palette.colour(cells.WINDOW))


def test_other_operators() -> None:
    for arguments, options in (
        (("softmax", "1 2 3"), {}),
        (("dense", "x y"), {"weights": "p q; r s"}),
        (("deconv: {stride: 2}", "1 0; 0 2"), {"weights": "1 2; 3 4"}),
        (("relu", "1 -2; 0 3"), {}),
    ):
        scene = applied_scene(convcalc.apply(*arguments, **options).record)
        assert faults(scene).clean
        assert not any(isinstance(item, Polyline) and not item.arrow for item in scene.items)


def test_what_is_refused() -> None:
    with pytest.raises(UsageError, match=r"225 steps are more than a figure shows \(200\)"):
        applied_animation(convcalc.apply("maxpool: 1", ("1 " * 15 + ";") * 15, steps=True).record)
    with pytest.raises(UsageError, match="40×40 is too large to be drawn as cells"):
        applied_animation(convcalc.apply("maxpool: 10", ("1 " * 40 + ";") * 40, steps=True).record)
    with pytest.raises(UsageError, match="17 channels are more than a figure shows"):
        applied_scene(convcalc.apply("relu", "|".join(["1 2; 3 4"] * 17)).record)
