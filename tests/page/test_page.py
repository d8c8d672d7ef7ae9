"""`convcalc page`: the file, and the page in a browser."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

import convcalc as package
from convcalc.api.net import Network
from convcalc.cli import main
from convcalc.page import build, drawings
from convcalc.page.document import embedded, stylesheet
from convcalc.render.drawing import palette
from tests.browser import Browser, Page
from tests.formats.onnx import messages

DATA = re.compile(r'<script type="application/json" id="data">(.*?)</script>', re.DOTALL)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """The file of a network's page, or of two networks'."""
    folder = tmp_path_factory.mktemp("pages")

    def made(*names: str, **options: object) -> Path:
        path = folder / f"{'-'.join(names)}{len(options)}.html".replace("/", "_")
        if not path.exists():
            first, *others = [package.load(name) for name in names]
            first.page(path, *others, **options)  # type: ignore[arg-type]
        return path

    return made


def data(path: Path) -> dict:
    found = DATA.search(path.read_text(encoding="utf-8"))
    assert found is not None
    return json.loads(found[1])


class Outline(HTMLParser):
    """The elements of a page, and what was in its scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.within: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, text: str) -> None:
        if self.tags and self.tags[-1][0] in ("script", "style"):
            self.within.append((self.tags[-1][0], text))


# --- the file -------------------------------------------------------------------------------------------------


def test_the_data_are_the_figures_of_show(pages) -> None:
    """The layers of AlexNet as the lecture counts them; conv2 by hand: 5·5·96·256 weights, 23·23 places."""
    network = data(pages("alexnet"))["networks"][0]
    layer = next(layer for layer in network["layers"] if layer[0] == "conv2")
    assert layer[:10] == [
        "conv2", "conv", "conv K256 F5", "conv", [256, 23, 23], 614_400, 256, 0, 614_400 * 23 * 23,
        256 * 23 * 23 * 4,
    ]  # fmt: skip
    assert ["weights", "(5·5·96)·256 = 614,400"] in layer[11]
    assert sum(each[5] for each in network["layers"]) == 28_813_344


def test_the_policy_allows_this_script_and_this_style_alone(pages) -> None:
    text = pages("lenet5").read_text(encoding="utf-8")
    outline = Outline(text)
    (policy,) = [
        attributes["content"]
        for tag, attributes in outline.tags
        if tag == "meta" and "http-equiv" in attributes
    ]
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    parts = re.findall(r"<(script|style)>(.*?)</\1>", text, re.DOTALL)
    assert [name for name, _ in parts] == ["style", "script"]
    for name, body in parts:
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in policy
    names = [tag for tag, _ in outline.tags]
    assert names[:4] == ["html", "head", "meta", "meta"]  # the policy comes before whatever it is to govern


def test_no_element_has_a_style_or_a_handler_of_its_own(pages) -> None:
    for names in (("lenet5",), ("alexnet", "zfnet")):
        for tag, attributes in Outline(pages(*names).read_text(encoding="utf-8")).tags:
            assert not [name for name in attributes if name == "style" or name.startswith("on")], tag


def test_the_data_end_no_script_and_begin_no_comment() -> None:
    text = embedded({"name": "a</script><!--<script>\u2028"})
    assert "<" not in text
    assert "\u2028" not in text
    assert json.loads(text) == {"name": "a</script><!--<script>\u2028"}


def test_the_page_of_resnet_152_is_small(pages) -> None:
    assert pages("resnet152").stat().st_size < 1_000_000


@pytest.mark.parametrize("dark", [False, True])
def test_text_and_lines_can_be_seen(dark: bool) -> None:
    """WCAG 2.2: 4.5 for text, 3 for lines that mean something."""
    (rule,) = re.findall(r"@media screen and \(prefers-color-scheme: dark\)\{:root\{([^}]*)\}", stylesheet())
    if not dark:
        rule = stylesheet().partition("}")[0]
    colour = dict(re.findall(r"--([a-z-]+):(#[0-9a-f]{6})", rule))
    for paper in ("paper", "frame", "chosen"):
        for ink in ("ink", "muted", "point"):
            assert palette.contrast(colour[ink], colour[paper]) >= 4.5, (ink, paper)
    for line in ("edge", "point", "bar-edge"):
        assert palette.contrast(colour[line], colour["paper"]) >= 3, line
    for status in ("added", "removed", "changed", "same"):
        assert palette.contrast(colour[f"on-{status}"], colour[status]) >= 4.5, status


def test_hostile_names_stay_text(browser: Browser, tmp_path: Path) -> None:
    title = "x</script><script>document.title='pwned'</script>\u202e\\\"'" + "n" * 10_000
    spec = {"title": title, "source": title, "input": [3, 9, 8], "layers": [{"conv": {"K": 4, "F": 3}}]}
    path = tmp_path / "net.yaml"
    path.write_text(json.dumps(spec), encoding="utf-8")
    package.load(path).page(tmp_path / "net.html")
    long = "w" * 10_000 + "</script>"
    weight = messages.floats(long, [3, 2, 2, 1], range(12))
    model = tmp_path / "net.onnx"
    node = messages.node("Conv", ["x", long], ["y"], name="a</script>" + "n" * 10_000)
    model.write_bytes(messages.chain(node, tensors=[weight]))
    package.load(model).page(tmp_path / "model.html")
    for file in ("net.html", "model.html"):
        text = (tmp_path / file).read_text(encoding="utf-8")
        assert len(re.findall("<script", text)) == len(re.findall("</script", text)) == 2
        page = browser.open(tmp_path / file, width=1000, height=800)
        page.evaluate("document.querySelector('#table-body tr').click()")
        assert page.evaluate("document.title") != "pwned"
        assert page.evaluate("document.documentElement.scrollWidth") <= 1000
        said = page.evaluate(
            "[...document.body.querySelectorAll(':not(script)')].flatMap((element) => "
            "[element.getAttribute('aria-label') ?? '', ...[...element.childNodes]"
            ".filter((node) => node.nodeType === Node.TEXT_NODE).map((node) => node.textContent)])"
        )
        assert max(map(len, said)) < 2_500
        assert not any("\u202e" in each for each in said)
        assert page.evaluate("document.querySelector('#panel').textContent.length") < 8_000
        assert page.errors == []
        page.close()


def test_what_is_no_page_is_refused(tmp_path: Path) -> None:
    for arguments, code, told in (
        (("alexnet", "-o", tmp_path / "a.svg"), 2, "a page is HTML, not .svg"),
        (("alexnet", "-o", tmp_path / "nowhere" / "a.html"), 1, "nowhere"),
        (("alexnet", "-o", tmp_path / "a.html", "--weights", "w.npz"), 2, "--image FILE"),
        (("alexnet", "-o", tmp_path / "a.html", "--set-b", "classes=3"), 2, "second network"),
        (("-", "-", "-o", tmp_path / "a.html"), 2, "standard input"),
        (
            ("siamese", "-o", tmp_path / "a.html", "--image", "a.png"),
            2,
            "2 inputs, and a page takes one image",
        ),
        (("lenet5", "-o", tmp_path / "a.html", "--image", tmp_path / "none.png"), 1, "none.png"),
    ):
        done = CliRunner().invoke(main, ["page", *map(str, arguments)])
        assert done.exit_code == code, done.output
        assert told in done.output
        assert not (tmp_path / "a.html").exists()


def test_what_has_too_many_boxes_is_not_drawn_and_says_so(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (build, drawings):
        monkeypatch.setattr(module, "MAX_BOXES", 5)
    package.load("lenet5").page(tmp_path / "lenet5.html")
    page = browser.open(tmp_path / "lenet5.html")
    assert "not drawn: it has more than 5 boxes" in text(page, "#details")
    assert page.evaluate("document.querySelector('#drawing').hidden")
    page.click("#table-body tr")
    assert "(5·5·1)·6 = 150" in text(page, "#details")
    assert page.errors == []
    page.close()


def test_the_command_says_what_it_wrote(convcalc, tmp_path: Path) -> None:
    path = tmp_path / "alexnet.html"
    done = convcalc("page", "alexnet", "-o", str(path))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", f"wrote {path}\n")
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")


# --- in a browser ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def resnet(browser: Browser, pages) -> Page:
    return browser.open(pages("resnet152"), width=1400, height=900)


def text(page: Page, selector: str) -> str:
    return str(page.evaluate(f"document.querySelector({json.dumps(selector)}).textContent"))


SHOWN = "#stage-0 svg.shown"


def test_it_loads_from_a_file_and_asks_for_nothing(resnet: Page, pages) -> None:
    assert resnet.evaluate("document.documentElement.className") == "ready"
    assert [address for address in resnet.requests if not address.startswith("data:")] == [
        pages("resnet152").as_uri()
    ]
    assert resnet.errors == []
    assert resnet.evaluate("fetch('https://example.com/').then(() => 'asked', () => 'refused')") == "refused"


def test_a_click_on_a_box_shows_the_working(resnet: Page) -> None:
    """conv1 of He et al. 2015, table 1: 7×7, 64, stride 2: 7·7·3·64 = 9,408 weights on 112×112 places."""
    resnet.click(f"{SHOWN} rect.box[data-layers^='0 ']")
    panel = text(resnet, "#details")
    assert "(7·7·3)·64 = 9,408" in panel
    assert "9,408 · 112×112 = 118,013,952" in panel
    assert "⌊(224 − 7 + 2·3)/2⌋ + 1 = 112" in panel
    assert text(resnet, "#table-body tr.selected .row-name") == "conv1"
    rings = resnet.evaluate(
        "[...document.querySelectorAll('.ring')].map((ring) => getComputedStyle(ring).stroke)"
    )
    first, second = ("#{:02x}{:02x}{:02x}".format(*map(int, re.findall(r"\d+", ring))) for ring in rings)
    assert palette.contrast(first, second) >= 3


def test_the_drawing_is_read_by_keyboard(resnet: Page) -> None:
    def focused() -> str:
        return str(resnet.evaluate("document.activeElement.getAttribute('aria-label')"))

    resnet.evaluate("document.querySelector('#find').focus()")
    resnet.press("Tab")
    resnet.evaluate(f"document.querySelector('{SHOWN} rect.box').focus()")
    assert focused().startswith("input")
    resnet.press("ArrowDown")
    assert focused().startswith("conv K64 F7 S2 P3")
    resnet.press("End")
    assert focused().startswith("dense 1000")
    resnet.press("Enter")
    assert "2,048·1000 = 2,048,000" in text(resnet, "#details").replace("2048·1000", "2,048·1000")
    resnet.press("Home")
    assert focused().startswith("input")
    assert resnet.evaluate(f"document.querySelectorAll('{SHOWN} rect.box[tabindex=\"0\"]').length") == 1


def test_zoom_and_moving_change_what_is_seen_and_fit_puts_it_back(resnet: Page) -> None:
    def view() -> list[float]:
        box = resnet.evaluate(f"document.querySelector('{SHOWN}').getAttribute('viewBox')")
        return [float(number) for number in box.split()]

    resnet.click("#zoom-fit")
    whole = view()
    resnet.click("#zoom-in")
    assert view()[2] == pytest.approx(whole[2] / 1.3, rel=1e-3)
    before = view()
    x, y = resnet.place("#stage-0")
    resnet.drag([(x, y), (x + 30, y + 20), (x + 60, y + 40)])
    assert view()[0] < before[0]
    assert view()[1] < before[1]
    resnet.wheel("#stage-0", -120)
    assert view()[2] < before[2]
    resnet.evaluate(f"document.querySelector('{SHOWN} rect.box').focus()")
    resnet.press("0")
    assert view() == pytest.approx(whole, abs=0.01)


def test_folding_shows_another_drawing(resnet: Page) -> None:
    boxes = f"document.querySelectorAll('{SHOWN} rect.box').length"
    whole = resnet.evaluate(boxes)
    resnet.click("#depths button:first-child")
    folded = resnet.evaluate(boxes)
    assert 4 < folded < whole
    resnet.click(f"{SHOWN} rect.box[aria-label^='conv4']")
    assert "layers" in text(resnet, "#details")
    resnet.click("#depths button:last-child")
    assert resnet.evaluate(boxes) == whole


def test_search_finds_names_also_of_copies(resnet: Page) -> None:
    resnet.click("#find")
    resnet.type("conv4.17.conv2")
    assert text(resnet, "#find-count").startswith("1 of ")
    resnet.press("Enter")
    assert "conv4.2.conv2" in text(resnet, "#details")
    assert "Drawn once for 35" in text(resnet, "#details")
    resnet.press("Escape")
    assert text(resnet, "#find-count") == ""


def column(page: Page, number: int) -> list[str]:
    return list(
        page.evaluate(
            "[...document.querySelectorAll('#table-body tr:not([hidden])')]"
            f".map((row) => row.children[{number}].textContent)"
        )
    )


def test_a_header_sorts_numbers_downwards_first_and_sizes_as_numbers(resnet: Page) -> None:
    order = column(resnet, 0)
    resnet.click("#table-head th:nth-child(6) button")
    numbers = [int(cell.replace(",", "")) for cell in column(resnet, 5)]
    assert numbers == sorted(numbers, reverse=True)
    assert numbers[0] > 0
    resnet.click("#table-head th:nth-child(3) button")
    assert resnet.evaluate("document.querySelector('#table-head th:nth-child(3)').ariaSort") == "descending"
    assert column(resnet, 2)[0] == "64×112×112"
    resnet.click("#table-head th:nth-child(3) button")
    assert column(resnet, 2)[0] == "1000"
    resnet.click("#table-head th:nth-child(3) button")
    assert column(resnet, 0) == order


def test_the_filter_and_the_arrows_of_the_table(resnet: Page) -> None:
    resnet.click("#filter")
    resnet.type("conv5 f3")
    assert [name.partition("conv5.")[2] for name in column(resnet, 0)] == ["1.conv2", "2.conv2", "3.conv2"]
    assert text(resnet, "#filter-count") == "3 of 516 layers"
    resnet.evaluate("document.querySelector('#table-body .row-name[tabindex=\"0\"]').focus()")
    resnet.press("ArrowDown")
    resnet.press("Enter")
    assert "(3·3·512)·512 = 2,359,296" in text(resnet, "#details")
    resnet.evaluate("document.querySelector('#filter').value = ''")
    resnet.evaluate("document.querySelector('#filter').dispatchEvent(new Event('input'))")


def test_memory_over_time_peaks_where_show_says(browser: Browser, pages) -> None:
    for name in ("alexnet", "unet", "googlenet"):
        page = browser.open(pages(name))
        totals = data(pages(name))["networks"][0]["totals"]
        size = totals["peak_activation_bytes"]
        shown = next(
            f"{size / 1000**n:.1f} {unit}" for n, unit in ((3, "GB"), (2, "MB"), (1, "KB")) if size >= 1000**n
        )
        assert f"peak {shown} while" in text(page, "#memory-0 .peak-text"), name
        page.close()


def test_a_unit_dragged_sees_what_field_says(browser: Browser, pages) -> None:
    """`field alexnet --layer conv2 --unit 3,7`: rows 24…74, columns 56…106 by 8·u and 51 pixels wide."""
    page = browser.open(pages("alexnet"), width=1400, height=900)
    page.click(f"{SHOWN} rect.box[aria-label^='conv K256 F5']")
    sight = package.load("alexnet").field("conv2", unit=(3, 7))
    page.evaluate(
        "[...document.querySelectorAll('#field input')].forEach((input, axis) => {"
        " input.value = [3, 7][axis]; input.dispatchEvent(new Event('input')) })"
    )
    expected = [(8 * place, 8 * place + 50) for place in (3, 7)]
    assert text(page, "#field .reading") == "Unit (3, 7) sees rows {} … {}, columns {} … {}.".format(
        *expected[0], *expected[1]
    )
    assert str(sight).count(f"{expected[0][0]}…{expected[0][1]}") >= 1
    page.place("#field .picture")
    box = page.evaluate(
        "(({left, top, width, height}) => [left, top, width, height])"
        "(document.querySelector('#field .picture').getBoundingClientRect())"
    )
    corner, middle = (box[0] + 2, box[1] + 2), (box[0] + box[2] / 2, box[1] + box[3] / 2)
    page.drag([middle, corner])
    assert text(page, "#field .reading").startswith("Unit (0, 0) sees rows 0 … 50, columns 0 … 50")
    page.close()


def test_every_control_has_a_name(browser: Browser, pages) -> None:
    """By the browser's own accessibility tree."""
    for names in (("lenet5",), ("alexnet", "zfnet")):
        page = browser.open(pages(*names))
        page.click(f"{SHOWN} rect.box:nth-of-type(2)")
        page.call("Accessibility.enable")
        nodes = page.call("Accessibility.getFullAXTree")["nodes"]
        controls = [
            node
            for node in nodes
            if not node.get("ignored")
            and node["role"]["value"]
            in (
                "button",
                "checkbox",
                "slider",
                "searchbox",
                "textbox",
                "link",
                "image",
                "application",
                "combobox",
                "spinbutton",
            )
        ]
        assert len(controls) > 20
        assert [node for node in controls if not node.get("name", {}).get("value", "").strip()] == []
        page.close()


def test_tab_reaches_every_part_and_leaves_it(browser: Browser, pages) -> None:
    """From the top to the panel, in no more steps than there are controls."""
    page = browser.open(pages("lenet5"), width=1400, height=900)
    page.click(f"{SHOWN} rect.box:nth-of-type(2)")
    page.click("#title")
    reached: list[str] = []
    for _ in range(90):
        page.press("Tab")
        part = page.evaluate("document.activeElement.closest('section, aside, header, .skip')?.id || 'top'")
        if not reached or reached[-1] != part:
            reached.append(part)
        if part == "field":
            break
    order = ["settings", "drawing", "digits", "layers", "memory", "where", "panel", "field"]
    assert [part for part in dict.fromkeys(reached) if part in order] == order
    page.close()


def test_a_narrow_window_scrolls_tables_not_the_page(browser: Browser, pages) -> None:
    """320 pixels wide, as a window of 1280 zoomed to 400 % is."""
    page = browser.open(pages("alexnet", "zfnet"), width=320, height=700)
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    page.close()


def test_two_networks_show_what_differs(browser: Browser, pages) -> None:
    """ZFNet against AlexNet as the lecture counts them: (7² − 11²)·3·96 = −20,736, and +11,693,824 in all."""
    page = browser.open(pages("alexnet", "zfnet"), width=1400, height=900)
    rows = page.evaluate("[...document.querySelectorAll('#diff-body tr')].map((row) => row.innerText)")
    assert len(rows) == 5
    assert "F 11 → 7" in rows[0]
    assert "−20,736" in rows[0]
    assert "+11,693,824" in text(page, "#diff-totals")
    page.click("#diff-body tr:nth-child(2) td:nth-child(3) button")
    assert text(page, "#details").startswith("B: ZFNet")
    assert "K 384 → 512" in text(page, "#details")
    page.click("#diff-all")
    assert page.evaluate("document.querySelectorAll('#diff-body tr').length") == 20
    assert page.errors == []
    page.close()


def test_inputs_of_other_kinds(browser: Browser, pages) -> None:
    """Two inputs, a film, tokens, a signal: each has its page, and boxes of all of it can be selected."""
    for name in ("siamese", "torchvision/r3d_18", "torchvision/vit_b_16", "wavenet"):
        page = browser.open(pages(name))
        selected = page.evaluate(
            f"[...document.querySelectorAll('{SHOWN} rect.box')].filter((_, place) => place % 7 === 1).map((box) => {{"
            " box.dispatchEvent(new MouseEvent('click', {bubbles: true}));"
            " return document.querySelector('#details h2').textContent.length })"
        )
        assert min(selected) > 0
        assert (page.errors, page.evaluate("document.documentElement.className")) == ([], "ready"), name
        page.close()


def test_dark_screens_and_paper(browser: Browser, pages) -> None:
    page = browser.open(pages("resnet152"), dark=True)

    def paper() -> str:
        return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    assert paper() == "rgb({}, {}, {})".format(*palette.channels(palette.colour("paper", dark=True)))
    page.emulate(dark=True, media="print")
    assert paper() == "rgb(255, 255, 255)"
    printed = page.pdf()
    assert printed.startswith(b"%PDF")
    if shutil.which("pdftotext"):
        pages_text = subprocess.run(
            ["pdftotext", "-layout", "-", "-"], input=printed, capture_output=True, check=True
        ).stdout.decode()
        sheets = pages_text.split("\f")
        assert "conv K64 F7 S2 P3" in sheets[0]  # the drawing is first
        assert len(sheets) < 30
        assert re.search(r"layer\s+operator\s+output", sheets[2])  # the table's head again
    page.close()


DIGITS = Path(__file__).parent.parent / "data" / "digits"
WHITE_ON_BLACK = [f"{digit}_0.png" for digit in range(10)]
BLACK_ON_WHITE = ["2_1.png", "5_1.png", "7_1.png", "4_1.png", "8_1.png"]  # the last two on nothing
STROKES = {  # of a digit, in a square of 8 by 8
    "0": [(4, 0), (2, 1), (1, 4), (2, 7), (4, 8), (6, 7), (7, 4), (6, 1), (4, 0)],
    "1": [(4, 0), (4, 8)],
    "2": [(2, 2), (3, 0), (5, 0), (6, 2), (5, 4), (2, 8), (6, 8)],
    "3": [(2, 1), (4, 0), (6, 2), (4, 4), (6, 6), (4, 8), (2, 7)],
    "7": [(1, 0), (7, 0), (3, 8)],
}
DRAW = """
(async () => {
  const image = new Image();
  image.src = SRC;
  await image.decode();
  document.querySelector("#wipe").click();
  const pad = document.querySelector("#pad"), pen = pad.getContext("2d");
  const factor = Math.min(pad.width / image.width, pad.height / image.height);
  pen.imageSmoothingEnabled = false;
  pen.drawImage(image, 0, 0, factor * image.width, factor * image.height);
  if (INVERTED) {
    pen.globalCompositeOperation = "difference";
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, pad.width, pad.height);
    pen.globalCompositeOperation = "source-over";
  }
  pad.dispatchEvent(new Event("drawn"));
  return [document.querySelector("#digit").textContent, document.querySelector("#digit-said").textContent];
})()
"""


def test_the_canvas_reads_the_digits_that_forward_reads(browser: Browser, pages) -> None:
    """15 pictures as large as the canvas, MNIST's own with forward's probability too, and five written with the mouse,
    whose pictures forward reads."""
    lenet5 = package.load("lenet5")
    page = browser.open(pages("lenet5"), width=1400, height=1100)
    for name in (*WHITE_ON_BLACK, *BLACK_ON_WHITE):
        source = "data:image/png;base64," + base64.b64encode((DIGITS / name).read_bytes()).decode()
        white = name in WHITE_ON_BLACK
        script = DRAW.replace("SRC", json.dumps(source)).replace("INVERTED", json.dumps(white))
        digit, said = page.evaluate(script)
        best = lenet5.forward(DIGITS / name).top[0]
        assert digit == best.label, name
        if white:
            printed = float(said.partition(": ")[2].removesuffix(" %."))
            assert printed == pytest.approx(100 * best.probability, abs=0.06), name
    for digit, stroke in STROKES.items():
        page.click("#wipe")
        assert "Nothing is written" in text(page, "#digit-said")
        x, y = page.place("#pad")
        corners = [(x - 80 + 20 * across, y - 88 + 22 * down) for across, down in stroke]
        page.drag(
            [
                (left + (right - left) * step / 3, top + (bottom - top) * step / 3)
                for (left, top), (right, bottom) in pairwise(corners)
                for step in range(4)
            ]
        )
        assert read_by_forward(page, lenet5) == text(page, "#digit") == digit
    page.click("#wipe")
    page.evaluate("document.querySelector('#pad').focus()")
    page.press(" ")
    for _ in range(15):
        page.press("ArrowDown")
    assert text(page, "#digit") == "1"
    assert page.errors == []
    page.close()


def test_a_model_file_takes_preparation_and_names_from_a_spec(browser: Browser, tmp_path: Path) -> None:
    """LeNet-5 as an ONNX file, like its spec: the answer, and the canvas, with the model's own weights."""
    package.load("lenet5").convert(tmp_path / "mine.onnx")
    model = package.load(tmp_path / "mine.onnx")
    model.page(tmp_path / "mine.html", image=DIGITS / "3_0.png", like="lenet5")
    page = browser.open(tmp_path / "mine.html")
    assert text(page, "#answer tbody tr th") == "3"
    assert "with the model's weights" in text(page, "#answer")
    source = "data:image/png;base64," + base64.b64encode((DIGITS / "5_0.png").read_bytes()).decode()
    digit, _ = page.evaluate(DRAW.replace("SRC", json.dumps(source)).replace("INVERTED", "true"))
    assert digit == "5"
    model.page(tmp_path / "alone.html", image=DIGITS / "3_0.png")
    page.navigate(tmp_path / "alone.html")
    assert "does not say how its images are prepared" in text(page, "#answer")
    assert page.evaluate("document.querySelector('#digits').hidden")
    page.close()


def read_by_forward(page: Page, lenet5: Network) -> str:
    """What `forward` says of the canvas's picture."""
    source = page.evaluate("document.querySelector('#pad').toDataURL('image/png')")
    with Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))) as image:
        return str(lenet5.forward(image.convert("RGB")).top[0].label)


def test_an_image_gives_the_answer(browser: Browser, pages) -> None:
    """The picture of a 7 that forward reads as one."""
    page = browser.open(pages("lenet5", image=DIGITS / "7_0.png"))
    expected = package.load("lenet5").forward(DIGITS / "7_0.png").top
    rows = page.evaluate("[...document.querySelectorAll('#answer tbody tr')].map((row) => row.textContent)")
    assert rows == [f"{guess.label}{100 * guess.probability:.1f} %" for guess in expected]
    assert "the weights that come with it" in text(page, "#answer")
    assert page.errors == []
    page.close()
