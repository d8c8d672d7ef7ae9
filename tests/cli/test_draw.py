"""`convcalc draw`: what it writes, what it chooses, what it refuses."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from PIL import Image

import convcalc as package
from convcalc.api import drawing
from convcalc.errors import UsageError
from convcalc.render.drawing.measure import faults
from convcalc.render.drawing.scene import Rectangle, Text

SVG = "{http://www.w3.org/2000/svg}"


def words(path: Path) -> list[str]:
    return ["".join(text.itertext()) for text in ElementTree.parse(path).iter(f"{SVG}text")]


def test_alexnets_figure_has_every_size(convcalc, tmp_path: Path) -> None:
    """The sizes of the lecture's AlexNet: 227, 55, 27, 23, 11, 9, 7, 5, 2, then three dense layers."""
    done = convcalc("draw", "alexnet", "-o", tmp_path / "alexnet.svg")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.endswith("alexnet.svg\n")
    found = words(tmp_path / "alexnet.svg")
    sizes = [
        "3×227×227",
        "96×55×55",
        "96×27×27",
        "256×23×23",
        "256×11×11",
        "384×9×9",
        "384×7×7",
        "256×5×5",
        "256×2×2",
    ]
    assert [text for text in found if text in sizes] == sizes
    assert found.count("4096") == 2


def test_the_lectures_order_of_sizes(convcalc, tmp_path: Path) -> None:
    convcalc("draw", "alexnet", "--sizes", "hwc", "-o", tmp_path / "a.svg")
    assert "55×55×96" in words(tmp_path / "a.svg")


@pytest.mark.parametrize(
    ("suffix", "begins"),
    [
        (".svg", b"<svg"), (".png", b"\x89PNG"), (".pdf", b"%PDF-1."), (".tex", b"%"),
        (".mmd", b"---"), (".dot", b"digraph"),
    ],
)  # fmt: skip
def test_every_suffix(tmp_path: Path, suffix: str, begins: bytes) -> None:
    path = tmp_path / f"net{suffix.upper()}"
    package.load("resnet18").draw().save(path)
    assert path.read_bytes().lstrip().startswith(begins)


def test_the_width_of_a_png(convcalc, tmp_path: Path) -> None:
    convcalc("draw", "lenet5", "-o", tmp_path / "a.png", "--width", "701")
    assert Image.open(io.BytesIO((tmp_path / "a.png").read_bytes())).size[0] == 701


@pytest.mark.parametrize(
    ("name", "style"),
    [
        ("lenet5", "maps"), ("alexnet", "volumes"), ("vgg16", "volumes"), ("zfnet", "volumes"),
        ("googlenet", "graph"), ("resnet50", "graph"), ("unet", "graph"), ("torchvision/densenet121", "graph"),
    ],
)  # fmt: skip
def test_the_style_that_fits(name: str, style: str) -> None:
    assert package.load(name).draw().style == style


def test_colour_by_macs_is_darkest_where_most_are() -> None:
    drawn = package.load("alexnet").draw(color_by="macs", style="graph")
    by_name = {box.name: drawn.figures[0].values[box.key] for box in drawn.figures[0].boxes.boxes}
    dark = next(item for item in drawn.scene.items if isinstance(item, Rectangle) and item.fill == "ramp:1.0")
    darkest = max((name for name in by_name if by_name[name] is not None), key=lambda name: by_name[name])
    placed = next(box for box in drawn.scene.boxes if box.name == darkest)
    assert (placed.left, placed.top) == (dark.left, dark.top)
    legend = [item.text for item in drawn.scene.items if isinstance(item, Text)]
    assert "MACs" in legend
    assert "0" in legend


def test_two_networks_say_what_differs(convcalc, tmp_path: Path) -> None:
    convcalc("draw", "alexnet", "zfnet", "-o", tmp_path / "two.svg")
    found = words(tmp_path / "two.svg")
    assert {"same", "changed"} <= set(found)
    assert "only in A" not in found
    assert {"K96 F11 S4", "K96 F7 S4"} <= set(found)


@pytest.mark.parametrize(
    ("a", "b"), [("alexnet", "zfnet"), ("vgg16", "vgg19"), ("resnet18", "resnet34"), ("unet", "resnet18")]
)
def test_two_networks_overlap_nowhere(a: str, b: str) -> None:
    found = faults(package.load(a).draw(package.load(b)).scene)
    assert found.clean, [sentence for sentences in found for sentence in sentences][:5]


def test_corresponding_boxes_are_level() -> None:
    drawn = package.load("resnet18").draw(package.load("resnet34"))
    places = {box.name: box.top for box in drawn.scene.boxes}
    assert places["A conv5.1.conv1"] == places["B conv5.1.conv1"]
    assert places["A fc1"] == places["B fc1"]


def test_variables_of_both(convcalc, tmp_path: Path) -> None:
    name = "torchvision/mobilenet_v2"
    done = convcalc(
        "draw", name, name, "--set", "width=0.5", "--set-b", "width=0.75", "-o", tmp_path / "two.svg"
    )
    assert done.returncode == 0, done.stderr
    assert {"conv K16 F3 S2 P1", "conv K24 F3 S2 P1"} <= set(
        words(tmp_path / "two.svg")
    )  # 32·0.5 and 32·0.75


def test_a_notebook_shows_the_svg() -> None:
    drawn = package.load("lenet5").draw()
    assert drawn._repr_svg_().startswith("<svg")
    assert drawn._repr_html_() is None


def test_the_default_folds_what_is_too_much_to_take_in(monkeypatch: pytest.MonkeyPatch) -> None:
    net = package.load("torchvision/inception_v3")
    whole = len(net.draw().figures[0].boxes.boxes)
    monkeypatch.setattr(drawing, "COMFORTABLE", whole - 1)
    folded = net.draw()
    assert len(folded.figures[0].boxes.boxes) < whole
    assert re.fullmatch(
        r"folded at depth \d: (--depth \d shows more, )?--depth \d shows all", folded.notes[0]
    )


def test_too_many_boxes_are_refused(tmp_path: Path) -> None:
    spec = tmp_path / "long.yaml"
    lines = "".join(f"  - conv: {{filters: {4 + place}, kernel: 3, padding: 1}}\n" for place in range(2_001))
    spec.write_text(f"name: long\ninput: [3, 9, 11]\nlayers:\n{lines}", encoding="utf-8")
    with pytest.raises(UsageError, match="2,002 boxes are too many to draw; at most 2,000") as error:
        package.load(spec).draw(style="graph")
    assert "group layers that belong together into blocks" in str(error.value)


def test_too_many_skips_inside_one_another_are_refused(tmp_path: Path) -> None:
    """400 skips, each around all that follow: what lies beside what grows with their square."""
    down = "".join(
        f"  - conv: {{filters: 4, kernel: 3, padding: 1, name: a{place}}}\n" for place in range(400)
    )
    up = "".join(
        f"  - conv: {{filters: 4, kernel: 3, padding: 1, name: b{place}}}\n"
        f"  - add: {{from: [b{place}, a{399 - place}], name: s{place}}}\n"
        for place in range(400)
    )
    spec = tmp_path / "nested.yaml"
    spec.write_text(f"name: nested\ninput: [4, 9, 11]\nlayers:\n{down}{up}", encoding="utf-8")
    with pytest.raises(UsageError, match="too many to draw; at most 30,000"):
        assert package.load(spec).draw(style="graph").scene


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["alexnet", "-o", "a.gif"], "cannot draw .gif"),
        (["alexnet", "-o", "a"], "a file without a suffix"),
        (["alexnet", "-o", "a.mmd", "--style", "volumes"], ".mmd holds a graph, not volumes"),
        (["alexnet", "zfnet", "-o", "a.dot"], ".dot holds one network"),
        (["alexnet", "-o", "a.svg", "--width", "100"], "--width is of .png"),
        (["alexnet", "--width", "100"], "--width is of a file"),
        (["resnet50", "--compact"], "--compact is of volumes and maps"),
        (["resnet50", "--scale", "log"], "--scale is of volumes, not of graph"),
        (["alexnet", "--columns", "2"], "--columns is of the graph, not of volumes"),
        (["resnet18", "resnet34", "--columns", "2"], "--columns is of one network"),
        (["alexnet", "zfnet", "--color-by", "macs"], "two networks are coloured by what differs"),
        (["torchvision/mobilenet_v2", "--set-b", "width=0.5"], "--set-b sets vars of a second network"),
        (["-", "-"], "only one of the networks can come from standard input"),
        (["alexnet", "-o", "a.png", "--width", "0"], "--width"),
    ],
)
def test_wrong_usage(convcalc, tmp_path: Path, arguments: list[str], message: str) -> None:
    done = convcalc(
        "draw",
        *[str(tmp_path / word) if word.startswith("a.") or word == "a" else word for word in arguments],
    )
    assert done.returncode == 2
    assert message in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_time_is_measured_layer_by_layer() -> None:
    pytest.importorskip("numba")
    drawn = package.load("lenet5").draw(color_by="time")
    values = [value for value in drawn.figures[0].values.values() if value is not None]
    assert min(values) >= 0 < max(values)


def test_times_are_of_whole_layers_not_of_one_thread() -> None:
    """No processor of today does 10¹³ multiply-accumulates a second; on two threads, parts of layers seemed to."""
    pytest.importorskip("numba")
    drawn = package.load("alexnet").draw(style="graph", color_by="time")
    (figure,) = drawn.figures
    for box in figure.boxes.boxes:
        seconds = figure.values[box.key]
        if box.macs:
            assert seconds is not None, box.name
            assert box.macs / seconds < 1e13, box.name
    assert figure.values[0] is None
    pools = [figure.values[box.key] for box in figure.boxes.boxes if box.words[:1] == ("maxpool F3 S2",)]
    assert len(pools) == 3
    assert all(pools)


def test_characters_say_what_the_marks_of_two_networks_mean(run_screen) -> None:
    last = run_screen(["draw", "resnet18", "resnet50"], 80).splitlines()[-1]
    assert last == "~ changed · + only in B"
    assert "~" not in run_screen(["draw", "resnet18"], 80)


@pytest.mark.parametrize("suffix", [".svg", ".pdf", ".tex", ".mmd", ".dot"])
def test_a_name_of_ten_kilobytes_is_cut_in_every_file(tmp_path: Path, suffix: str) -> None:
    spec = tmp_path / "long.yaml"
    name = "".join(f"n{place} " for place in range(2500))
    spec.write_text(f'name: "{name}"\ninput: [3, 9, 11]\nlayers:\n  - conv: {{filters: 4, kernel: 3}}\n')
    path = tmp_path / f"long{suffix}"
    package.load(spec).draw(style="graph").save(path)
    written = path.read_bytes()
    assert (
        b"n0 n1 n2" in written or "n0 n1 n2".encode("utf-16-be").hex().encode() in written or suffix == ".pdf"
    )
    for ending in ("n499", "n900", "n2499"):
        assert ending.encode() not in written
        assert ending.encode("utf-16-be").hex().encode() not in written


def test_without_a_file_it_is_drawn_in_characters(run_screen) -> None:
    assert "█" in run_screen(["draw", "alexnet"], 80)
    graph = run_screen(["draw", "resnet18", "--color-by", "params"], 0)
    assert "├─╮" in graph
    assert "513K" in graph  # dense 1000: (512 + 1)·1000
