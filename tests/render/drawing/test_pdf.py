"""Scenes as PDF, read by poppler."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from PIL import Image

import convcalc
from convcalc.analysis.analyse import analyse
from convcalc.analysis.boxes import boxes
from convcalc.errors import UsageError
from convcalc.render.drawing import lettering, pdf
from convcalc.render.drawing.graph import draw as graph
from convcalc.render.drawing.scene import Rectangle, Scene, Text
from tests.render.drawing.scenes import BARE, EVERY, HOSTILE, POINTS, near

needs_poppler = pytest.mark.skipif(
    not all(map(shutil.which, ("pdftotext", "pdftoppm", "pdfinfo"))), reason="poppler-utils is not installed"
)


def poppler(program: str, *arguments: str | Path) -> str:
    """What a program of poppler prints; it complains of nothing."""
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    return done.stdout


def text_of(scene: Scene, path: Path) -> str:
    path.write_bytes(pdf.document(scene, 180))
    return poppler("pdftotext", "-layout", path, "-")


def rendered(scene: Scene, path: Path, width: int, width_mm: float = 180) -> Image.Image:
    path.write_bytes(pdf.document(scene, width_mm))
    poppler(
        "pdftoppm",
        "-png",
        "-singlefile",
        "-scale-to-x",
        str(width),
        "-scale-to-y",
        "-1",
        path,
        path.with_suffix(""),
    )
    with Image.open(path.with_suffix(".png")) as image:
        return image.convert("RGB")


@needs_poppler
def test_every_label_is_found(tmp_path: Path) -> None:
    found = " ".join(text_of(EVERY, tmp_path / "every.pdf").split())
    for item in EVERY.items:
        if isinstance(item, Text):
            assert " ".join(item.text.split()) in found


@needs_poppler
@pytest.mark.parametrize("name", ["alexnet", "resnet50", "unet"])
def test_every_label_of_a_network_is_found(tmp_path: Path, name: str) -> None:
    scene = graph.draw(boxes(analyse(convcalc.load(name).graph)))
    found = " ".join(text_of(scene, tmp_path / "net.pdf").split())
    labels = [item.text for item in scene.items if isinstance(item, Text)]
    assert len(labels) > 15
    assert [label for label in labels if " ".join(label.split()) not in found] == []


@needs_poppler
def test_colours_at_known_places(tmp_path: Path) -> None:
    picture = rendered(EVERY, tmp_path / "every.pdf", 1200)
    for (x, y), colour, _ in POINTS:
        assert near(picture.getpixel((3 * x, 3 * y)), colour, 5), (x, y)
    for x, y in BARE:
        assert picture.getpixel((3 * x, 3 * y)) == (255, 255, 255), (x, y)


@needs_poppler
def test_the_page_and_what_is_said_of_it(tmp_path: Path) -> None:
    path = tmp_path / "every.pdf"
    path.write_bytes(pdf.document(EVERY, 127))  # 5 inches
    told = dict(line.split(":", 1) for line in poppler("pdfinfo", path).splitlines())
    assert (told["Title"].strip(), told["Pages"].strip()) == (EVERY.title, "1")
    assert told["Page size"].split()[:3] == ["360", "x", "270"]
    fonts = subprocess.run(["pdffonts", path], capture_output=True, text=True, check=True).stdout
    assert all(f"{name} " in fonts for name in ("Helvetica", "Helvetica-Bold", "Courier", "Symbol"))


@needs_poppler
@pytest.mark.parametrize("fit", [None, 200.0])
def test_text_is_set_to_its_width(tmp_path: Path, fit: float | None) -> None:
    text = "H96 → 256H"
    wide = fit or lettering.width(text, 20)
    for anchor, left in (("start", 150.0), ("middle", 150 - wide / 2), ("end", 150 - wide)):
        scene = Scene(400, 60, "t", "d", (Text(150, 40, text, 20, ink="#000000", anchor=anchor, fit=fit),))
        picture = rendered(scene, tmp_path / "text.pdf", 800)
        box = Image.eval(picture.convert("L"), lambda level: 255 * (level < 128)).getbbox()
        assert box is not None
        assert (box[0] / 2, box[2] / 2) == (
            pytest.approx(max(left, 0), abs=4),
            pytest.approx(left + wide, abs=4),
        )
        assert (box[1] / 2, box[3] / 2) == (
            pytest.approx(40 - 0.72 * 20, abs=1.5),
            pytest.approx(40, abs=1.5),
        )


@needs_poppler
def test_hostile_names(tmp_path: Path) -> None:
    """Found as they are, also in scripts whose letters no standard font draws."""
    path = tmp_path / "hostile.pdf"
    found = text_of(HOSTILE, path)
    for name in (
        "</script><script>alert(1)</script>",
        "back\\slash \\input{/etc/passwd} $x^2$ %{}#_~^&",
        "(paren) ) \\) \\\\",
        "漢字 😀 é",
    ):
        assert name in found
    assert path.stat().st_size < 30_000
    assert "\u202e" not in found


@needs_poppler
def test_characters_beyond_the_codes_of_a_font(tmp_path: Path) -> None:
    """The 254 first keep their own code."""
    name = "".join(map(chr, range(0x4E00, 0x4E00 + 300)))
    found = text_of(Scene(4_000, 40, "t", "d", (Text(5, 20, name, 11),)), tmp_path / "many.pdf")
    assert name[:254] in found.replace(" ", "")


@needs_poppler
def test_a_drawing_longer_than_a_page_can_be(tmp_path: Path) -> None:
    """14,400 units are 5.08 m: 180 mm times 100 are 18 m, in units of 3.54 points."""
    path = tmp_path / "long.pdf"
    path.write_bytes(pdf.document(Scene(100, 10_000, "t", "d", (Rectangle(10, 10, 20, 20, "conv"),)), 180))
    assert "14400" in poppler("pdfinfo", path)
    assert b"/UserUnit 3.543307" in path.read_bytes()


def test_each_object_is_where_the_table_says() -> None:
    data = pdf.document(EVERY, 180)
    start = int(data.rsplit(b"startxref\n", 1)[1].split()[0])
    assert data[start:].startswith(b"xref\n")
    lines = data[start:].split(b"\n")[3:]
    for number, line in enumerate(lines[: lines.index(b"trailer")], 1):
        assert data[int(line[:10]) :].startswith(b"%d 0 obj" % number)


@pytest.mark.parametrize("width", [0, -3, 4.9, 5_001, 1e30, float("nan")])
def test_a_width_no_page_has_is_refused(width: float) -> None:
    with pytest.raises(UsageError, match="mm wide"):
        pdf.document(EVERY, width)
