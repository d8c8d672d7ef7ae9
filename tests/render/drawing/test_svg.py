"""Scenes as SVG, read by an XML parser and by Chromium."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from convcalc.render.drawing import svg
from convcalc.render.drawing.scene import Polyline, Rectangle, Scene, Text
from tests.browser import screenshot
from tests.render.drawing.scenes import BARE, EVERY, HOSTILE, HOSTILE_NAMES, POINTS, near

SPACE = "{http://www.w3.org/2000/svg}"


def parsed(document: str) -> ElementTree.Element:
    return ElementTree.fromstring(document.encode())


def texts(document: str) -> list[str]:
    return [element.text or "" for element in parsed(document).iter(f"{SPACE}text")]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_in_a_browser(browser, tmp_path: Path, dark: bool) -> None:
    path = tmp_path / "every.svg"
    path.write_text(svg.document(EVERY), encoding="utf-8")
    picture = screenshot(browser, path, 400, 300, dark)
    for point, light_colour, dark_colour in POINTS:
        assert near(picture.getpixel(point), dark_colour if dark else light_colour), point
    for point in BARE:
        assert near(picture.getpixel(point), "#14171c" if dark else "#ffffff"), point


def test_a_fitted_text_is_set_to_its_width(browser, tmp_path: Path) -> None:
    path = tmp_path / "every.svg"
    path.write_text(svg.document(EVERY), encoding="utf-8")
    page = browser.open(path)
    wide = "[...document.querySelectorAll('text')].find(text => text.textContent === 'WIDE').getBBox().width"
    assert page.evaluate(wide) == pytest.approx(160, abs=1)
    assert page.errors == []
    page.close()


def test_texts_title_and_names_of_boxes() -> None:
    document = svg.document(EVERY)
    root = parsed(document)
    assert texts(document) == [item.text for item in EVERY.items if isinstance(item, Text)]
    assert (root.get("role"), root.get("aria-labelledby"), root.get("aria-describedby")) == (
        "img",
        "title",
        "description",
    )
    ids = {element.get("id"): element.text for element in root.iter() if element.get("id")}
    assert ids == {"title": EVERY.title, "description": EVERY.description}
    hovers = [element.text for element in root.iterfind(f".//{SPACE}rect/{SPACE}title")]
    assert hovers == ["conv1: conv K64 F3 P1, output 64×112×112"]


def test_only_what_changes_in_the_dark_has_a_rule() -> None:
    document = svg.document(Scene(10, 10, "t", "d", (Rectangle(1, 1, 5, 5, "conv", "line"),)))
    (rules,) = re.findall(r"<style>(.*)</style>", document)
    assert rules.startswith("@media screen and (prefers-color-scheme: dark){")
    assert set(re.findall(r"\.([\w-]+)\{", rules)) == {"paper-f", "paper-s", "line-f", "line-s"}
    assert "var(" not in document


def test_several_drawings_of_a_page_share_rules_but_no_ids() -> None:
    first, second = (svg.document(EVERY, prefix=prefix, embedded=True) for prefix in ("d1-", "d2-"))
    ids = [{element.get("id") for element in parsed(text).iter()} - {None} for text in (first, second)]
    assert ids == [{"d1-title", "d1-description"}, {"d2-title", "d2-description"}]
    root = parsed(first)
    assert (root.get("role"), root.find(f".//{SPACE}style")) == ("group", None)
    assert ".drawing .ink-f{fill:#e8ecf1}" in svg.style()
    (box,) = [element for element in root.iter() if element.get("role") == "button"]
    assert (box.get("aria-label"), box.get("data-layers")) == (EVERY.boxes[0].label, "0 1")
    assert " style=" not in first  # a page that forbids inline style shows it all the same


@pytest.mark.parametrize("embedded", [False, True])
def test_hostile_names_stay_text(embedded: bool) -> None:
    document = svg.document(HOSTILE, embedded=embedded)
    root = parsed(document)  # well-formed: no control character, nothing closed early
    assert "</script" not in document
    assert "\u202e" not in document
    assert {element.tag.removeprefix(SPACE) for element in root.iter()} <= {
        *("svg", "title", "desc", "style", "rect", "text", "g"),
    }
    found = texts(document)
    assert (found[3], found[4], found[8]) == (HOSTILE_NAMES[3], HOSTILE_NAMES[4], HOSTILE_NAMES[8])
    assert max(map(len, found)) == 400
    assert len(document) < 60_000


def test_hostile_names_in_a_browser(browser, tmp_path: Path) -> None:
    path = tmp_path / "hostile.svg"
    path.write_text(svg.document(HOSTILE), encoding="utf-8")
    page = browser.open(path)
    assert (page.errors, page.log, page.requests) == ([], [], [path.as_uri()])
    page.close()


def test_numbers_are_short() -> None:
    points = ((0.1 + 0.2, 1 / 3), (10.0, 1 / 3), (10.0, -0.001))
    document = svg.document(Scene(100, 50.5, "t", "d", (Polyline(points, thickness=1.25),)))
    assert '<path d="M0.3 0.33H10V0" stroke="#16191d" stroke-width="1.25" class="line-s"/>' in document
    assert 'width="100" height="50.5"' in document
