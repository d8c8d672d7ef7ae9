"""The browser of the tests tells what happens in a page: tests that see no error there have looked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser import Browser, BrowserError, Page, screenshot

PAGE = """<!doctype html><html><head><title>A page</title><style>
body { margin: 0; background: #102030 } @media (prefers-color-scheme: dark) { body { background: #405060 } }
@media print { body { background: #ffffff } } #wide { width: 200px; height: 50px; background: #ff8000 }
</style></head><body><div id="wide"></div><input id="field"><button id="button">Press</button><script>
const seen = [];
for (const kind of ["keydown", "wheel", "mousedown", "mousemove", "mouseup"])
  addEventListener(kind, event => seen.push(kind + (event.key ? " " + event.key : "")));
button.onclick = event => { seen.push("click " + event.detail); console.log("pressed", 7) };
</script></body></html>"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "page with a blank.html"
    file.write_text(PAGE, encoding="utf-8")
    return file


@pytest.fixture
def page(browser: Browser, path: Path):
    opened = browser.open(path, width=640, height=480)
    yield opened
    opened.close()


def test_what_a_page_asks_for_and_says(page: Page, path: Path) -> None:
    assert page.evaluate("document.title") == "A page"
    assert (page.requests, page.errors, page.log) == ([path.as_uri()], [], [])
    page.click("#button")
    assert page.log == ["log: pressed 7"]
    page.evaluate(
        "setTimeout(() => { throw new Error('from the page') }), fetch('missing.txt').catch(e => 0)"
    )
    page.evaluate("new Promise(done => setTimeout(done, 50))")
    assert page.requests == [path.as_uri(), (path.parent / "missing.txt").as_uri()]
    assert any("from the page" in error for error in page.errors)


def test_keys_and_the_mouse(page: Page) -> None:
    page.click("#field")
    page.type("a×")
    page.press("ArrowLeft")
    page.press("b", "shift")
    assert page.evaluate("field.value") == "ab×"
    page.press("Tab")
    assert page.evaluate("document.activeElement.id") == "button"
    page.press("Enter")
    assert page.evaluate("seen.filter(name => !name.startsWith('mouse'))") == [
        "keydown a", "keydown ×", "keydown ArrowLeft", "keydown b", "keydown Tab", "keydown Enter", "click 0",
    ]  # fmt: skip
    page.evaluate("seen.length = 0")
    page.drag([(300, 200), (310, 220), (320, 240)])
    page.wheel((300, 300), 120)
    page.wait_for("seen.includes('wheel')")
    assert page.evaluate("seen.filter(name => name !== 'mousemove')") == ["mousedown", "mouseup", "wheel"]
    assert page.evaluate("seen.filter(name => name === 'mousemove').length") >= 3


def test_pictures_in_light_dark_and_print(browser: Browser, page: Page, path: Path) -> None:
    picture = page.screenshot()
    assert (picture.size, picture.getpixel((10, 10)), picture.getpixel((300, 10))) == (
        (640, 480),
        (255, 128, 0),
        (16, 32, 48),
    )
    page.emulate(media="print")
    assert page.screenshot().getpixel((300, 10)) == (255, 255, 255)
    assert screenshot(browser, path, 320, 200, dark=True).getpixel((300, 10)) == (64, 80, 96)
    assert page.pdf().startswith(b"%PDF-")


def test_what_fails_is_told(browser: Browser, page: Page, tmp_path: Path) -> None:
    with pytest.raises(BrowserError, match="undefined_name"):
        page.evaluate("undefined_name")
    with pytest.raises(BrowserError, match="no element #none"):
        page.click("#none")
    with pytest.raises(BrowserError, match="FILE_NOT_FOUND"):
        page.navigate(tmp_path / "none.html")
    with pytest.raises(BrowserError, match="not within"):
        page.wait_for("false", 0.05)
