"""Scenes as TikZ: what is written, and pdflatex where it is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from convcalc.errors import UsageError
from convcalc.images.rasters import Raster
from convcalc.render.drawing import tikz
from convcalc.render.drawing.scene import Picture, Polyline, Rectangle, Scene, Text
from tests.render.drawing.scenes import EVERY, HOSTILE


def has_tikz() -> bool:
    """Whether pdflatex, TikZ and the Helvetica that the drawings are set in are installed."""
    if not all(map(shutil.which, ("pdflatex", "kpsewhich"))):
        return False
    done = subprocess.run(
        ["kpsewhich", "tikz.sty", "phvr8t.tfm"], capture_output=True, text=True, check=False
    )
    return len(done.stdout.split()) == 2


needs_latex = pytest.mark.skipif(not has_tikz(), reason="pdflatex with TikZ and Helvetica is not installed")


def compiled(document: str, folder: Path) -> str:
    """The log of pdflatex, which found no error."""
    (folder / "drawing.tex").write_text(document, encoding="utf-8")
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "drawing.tex"],
        cwd=folder,
        capture_output=True,
        text=True,
        errors="replace",
        stdin=subprocess.DEVNULL,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2_000:]
    assert (folder / "drawing.pdf").read_bytes().startswith(b"%PDF")
    return done.stdout


@needs_latex
@pytest.mark.parametrize("scene", [EVERY, HOSTILE], ids=["every", "hostile"])
def test_pdflatex_compiles_it(scene: Scene, tmp_path: Path) -> None:
    log = compiled(tikz.document(scene, 180), tmp_path)
    assert "Missing character" not in log
    assert "Overfull" not in log
    if shutil.which("pdfinfo"):  # 180 mm are 510.24 points of PDF
        told = subprocess.run(
            ["pdfinfo", "drawing.pdf"], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        width, height = map(float, re.findall(r"Page size: +([\d.]+) x ([\d.]+)", told.stdout)[0])
        assert width == pytest.approx(510.24, abs=0.1)
        assert height == pytest.approx(510.24 * scene.height / scene.width, abs=0.1)
        assert re.search(r"Pages: +1\n", told.stdout)


@needs_latex
def test_without_the_class_standalone(tmp_path: Path) -> None:
    document = tikz.document(EVERY, 180).replace("standalone.cls", "no-such.cls")
    log = compiled(document, tmp_path)
    assert "article.cls" in log
    assert "Output written on drawing.pdf (1 page" in log


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("conv K64 F3 P1", "conv K64 F3 P1"),
        ("64×112×112", r"64\texttimes{}112\texttimes{}112"),
        ("a_b%c#d&e$f", r"a\_b\%c\#d\&e\$f"),
        (r"\input{x}", r"\textbackslash{}input\{x\}"),
        ("x^2~y", r"x\textasciicircum{}2\textasciitilde{}y"),
        ("--, <<", r"-{}-{},{} <{}<{}"),
        ("é ç", r"\'{e} \c{c}"),
        ("e\u0301", r"\'{e}"),
        ("漢", r"\missing{}"),
        ("a  b", "a \\ b"),
        (" a", "\\ a"),
        ("96 → 256", r"96 $\rightarrow$ 256"),
        ('"it\'s"', r"\textquotedbl{}it\textquotesingle{}s\textquotedbl{}"),
    ],
)
def test_what_text_becomes(text: str, written: str) -> None:
    assert tikz.escaped(text) == written


def test_the_file_is_ascii_and_its_braces_match() -> None:
    for scene in (EVERY, HOSTILE):
        document = tikz.document(scene, 180)
        assert document.isascii()
        bare = re.sub(r"\\[{}]", "", document.partition("\n")[2])  # without the title's comment
        assert bare.count("{") == bare.count("}")
        assert "\\input" not in document.partition("\\begin{document}")[2]


def test_lines_and_colours() -> None:
    """At 100 mm for 200 pixels a pixel is half a millimetre: 1.42 points of TeX."""
    items = (
        Rectangle(10, 20, 30, 40, "conv", "line", 2),
        Polyline(((0, 0), (50, 0), (50, 60)), radius=10),
        Text(5, 6, "x", 11),
    )
    document = tikz.document(Scene(200, 80, "t", "d", items), 100)
    assert r"\definecolor{conv}{HTML}{2166AC}" in document
    assert r"\path[fill=conv,draw=line,line width=2.85pt] (10,20) rectangle (40,60);" in document
    # A quadratic curve with its control point in the corner: two thirds of the way to it from either end.
    assert r"(0,0) -- (40,0) .. controls (46.67,0) and (50,3.33) .. (50,10) -- (50,60);" in document
    assert r"\pgftext[left,base,at={\pgfpointxy{5}{6}}]{\color{ink}\size{15.65pt}x}" in document


def test_pictures_are_rectangles_of_equal_pixels() -> None:
    raster = Raster(4, 1, (bytes([9, 9, 9, 200]),))
    document = tikz.document(Scene(40, 10, "t", "d", (Picture(0, 0, 40, 10, raster),)), 40)
    assert document.count(r"\fill[c090909] (0,0) rectangle (30.3,10);") == 1
    assert document.count(r"\fill[c") == 2
    large = Raster(300, 200, (bytes(60_000),))
    assert tikz.document(Scene(40, 30, "t", "d", (Picture(0, 0, 40, 30, large),)), 40).count(r"\fill[c") == 43


@pytest.mark.parametrize(
    ("width", "message"), [(2, "mm wide"), (6_000, "mm wide"), (float("nan"), "mm wide")]
)
def test_a_width_tex_cannot_set_is_refused(width: float, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        tikz.document(EVERY, width)


def test_a_drawing_too_high_for_tex_is_refused() -> None:
    with pytest.raises(UsageError, match="9,000 mm high") as error:
        tikz.document(Scene(100, 5_000, "t", "d", ()), 180)
    assert error.value.hint is not None
    assert "--width 100" in error.value.hint
