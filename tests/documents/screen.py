"""A terminal's screen as an SVG, for the README: python tests/documents/screen.py

It runs each command of SCREEN on a terminal and draws what came, colours and all; light or dark as the reader's
browser is. tests/test_docs.py holds the committed picture equal to what is drawn here, and writes it anew with
--update-docs.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent.parent
PICTURE = ROOT / "convcalc" / "docs" / "screen.svg"
SCREEN = (["show", "alexnet"], ["show", "alexnet", "--layer", "conv1"])
COLUMNS = 88

SIZE, ADVANCE, LEADING, MARGIN = 14, 8.4, 19, 20  # pixels; ADVANCE is what a character is given
ESCAPE = re.compile(r"\x1b\[([0-9;]*)m")
STYLES = {
    1: "bold",
    2: "dim",
    3: "italic",
    31: "red",
    32: "green",
    33: "yellow",
    34: "blue",
    35: "magenta",
    36: "cyan",
}
SHEET = """
  rect { fill: #ffffff; stroke: #d0d7de }
  text { fill: #1f2328; white-space: pre }
  text { font: 14px ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace }
  .bold { font-weight: 700 } .italic { font-style: italic } .dim { fill: #59636e } .prompt { fill: #59636e }
  .red { fill: #c4232f } .green { fill: #1a7f37 } .yellow { fill: #8a5a00 } .blue { fill: #0757ba }
  .magenta { fill: #8046c4 } .cyan { fill: #096b7a }
  @media (prefers-color-scheme: dark) {
    rect { fill: #0d1117; stroke: #3d444d }
    text { fill: #e6edf3 } .dim, .prompt { fill: #9198a1 }
    .red { fill: #ff7b72 } .green { fill: #56d364 } .yellow { fill: #e3b341 } .blue { fill: #79c0ff }
    .magenta { fill: #d2a8ff } .cyan { fill: #56c8d8 }
  }
"""


class Piece(NamedTuple):
    """Text in one style, and the column it begins in."""

    column: int
    text: str
    classes: str


def pieces(line: str) -> Iterator[Piece]:
    """A line with escape codes, piece by piece; runs of blanks are left out."""
    column = 0
    classes: list[str] = []
    for number, part in enumerate(ESCAPE.split(line)):
        if number % 2:
            for code in map(int, part.split(";") if part else ["0"]):
                classes = [] if code == 0 else [*classes, *filter(None, [STYLES.get(code)])]
            continue
        for found in re.finditer(r"\S+(?: \S+)*", part):
            yield Piece(column + found.start(), found.group(), " ".join(classes))
        column += len(part)


def svg(lines: list[str], title: str) -> str:
    """The picture of a screen's lines, escape codes included."""
    width = round(COLUMNS * ADVANCE + 2 * MARGIN)
    height = len(lines) * LEADING + 2 * MARGIN
    texts = []
    for row, line in enumerate(lines):
        for column, text, classes in pieces(line):
            style = f' class="{classes}"' if classes else ""
            x, y = MARGIN + column * ADVANCE, MARGIN + row * LEADING + SIZE
            length = len(text) * ADVANCE
            texts.append(
                f'<text x="{x:.1f}" y="{y}" textLength="{length:.1f}" lengthAdjust="spacingAndGlyphs"{style}>'
                f"{escape(text, quote=False)}</text>"
            )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"',
            f'     width="{width}" height="{height}">',
            f"<title>{escape(title)}</title>",
            f"<style>{SHEET}</style>",
            f'<rect x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8"/>',
            *texts,
            "</svg>",
            "",
        ]
    )


def screen() -> str:
    """The picture of SCREEN as the program shows it now."""
    from tests.conftest import on_terminal

    lines: list[str] = []
    for arguments in SCREEN:
        shown = on_terminal(arguments, COLUMNS, NO_COLOR="")
        lines += [f"\x1b[2m$\x1b[0m \x1b[1mconvcalc {' '.join(arguments)}\x1b[0m", *shown.splitlines(), ""]
    return svg(lines[:-1], "convcalc " + " and convcalc ".join(" ".join(arguments) for arguments in SCREEN))


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    PICTURE.write_text(screen(), encoding="utf-8")
