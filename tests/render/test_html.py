"""HTML of every command is a whole page that is read anywhere."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from convcalc.render.html import fragment, table_page
from convcalc.render.table import Column, Table, Total, notes

COMMANDS = {
    "show": ["show", "resnet18"],
    "show --explain": ["show", "lenet5", "--explain"],
    "show --columns": ["show", "lenet5", "--columns", "layer,macs"],
    "show --reconcile": ["show", "alexnet", "--reconcile", "61.1M params"],
    "diff": ["diff", "alexnet", "zfnet"],
    "list": ["list", "vgg*"],
    "field": ["field", "lenet5"],
    "size": ["size", "227", "-F", "11", "-S", "4"],
    "apply": ["apply", "--weights", "1 2; 3 4", "1 0 2; 0 3 0; 4 0 5", "--mode", "all"],
    "apply to an image": ["apply", "edges", "tests/data/digits/7_0.png"],
    "matrix": ["matrix", "--input", "4x4", "--kernel", "2x2"],
    "forward": ["forward", "lenet5", "tests/data/digits/7_0.png", "--backend", "reference"],
    "worksheet": ["worksheet", "lenet5"],
    "worksheet --check": ["worksheet", "--check", "tests/data/worksheets/lenet5.csv"],
}
VOID = {"meta", "br", "hr", "img", "link"}


class Page(HTMLParser):
    """The elements of a page; each that is opened must be closed, in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS)
def test_every_command_gives_a_whole_page(convcalc, arguments: list[str]) -> None:
    text = convcalc(*arguments, "--format", "html").stdout
    page = Page(text)
    assert text.startswith("<!DOCTYPE html>")
    assert [page.seen.count(tag) for tag in ("html", "head", "body", "title")] == [1, 1, 1, 1]
    assert ("charset", "utf-8") in page.attributes
    assert "table" in page.seen
    assert "prefers-color-scheme: dark" in text
    assert "http" not in text, "a page must not fetch anything"


def test_text_is_escaped_and_rows_keep_their_styles() -> None:
    columns = (Column("a", "<a>", style="cyan"), Column("b", "b", right=True, adds=True))

    class Row:
        a, b = "x & <y>", 12_345

    table = Table(
        columns=columns, rows=[Row()], title="T<1>", subtitle="s", footer=[Total(Row(), {"a": ("total",)})],
        lines=["weights:", "  3·3 < 10"], notes=notes(["n"], "B"), styles=["dim"],
    )  # fmt: skip
    text = table_page([table])
    Page(text)
    for expected in (
        "<title>T&lt;1&gt;</title>", "<th>&lt;a&gt;</th>", '<tr class="dim"><td>x &amp; &lt;y&gt;</td>',
        '<td class="right">12,345</td>', '<th>total</th><th class="right">12,345</th>',
        '<p style="margin-left: 2ch">3·3 &lt; 10</p>', "<b>note on B: </b>n",
    ):  # fmt: skip
        assert expected in text
    part = fragment([table])
    Page(part)
    assert "<html" not in part
