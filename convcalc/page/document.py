"""The page as one HTML file: markup, style, script and data, with a policy that lets nothing else run or load."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Sequence
from functools import cache
from html import escape
from typing import Any

from convcalc.render.drawing import palette, svg

FOLDER = os.path.dirname(os.path.abspath(__file__))
# The parts of the script, in their order: all are in one scope.
SCRIPTS = (
    "base", "panel", "table", "drawing", "charts", "field", "compare", "answer", "digits",
    "evaluator", "sliders", "main",
)  # fmt: skip
SECTIONS = (
    ("drawing", "Drawing"),
    ("differences", "Differences"),
    ("answer", "Answer"),
    ("digits", "Write a digit"),
    ("layers", "Layers"),
    ("memory", "Memory"),
    ("where", "Weights and MACs"),
)


def document(data: dict[str, Any], drawings: Sequence[Sequence[str]]) -> str:
    """The HTML of a page. data: as `convcalc.page.data` describes it; drawings: of each network, an SVG per depth."""
    networks = data["networks"]
    title = " and ".join(network["title"] for network in networks)
    css, script = stylesheet(), program()
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(css)}'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
    body = _read("page.html").format(
        links="".join(
            f'<a href="#{name}">{label}</a>' for name, label in SECTIONS if _has(name, data, drawings)
        ),
        key=_key() if len(networks) > 1 else "",
        two=" two" if len(networks) > 1 else "",
        stages="".join(
            _stage(place, network, drawings[place], len(networks)) for place, network in enumerate(networks)
        ),
    )
    body = body.replace('<h1 id="title"></h1>', f'<h1 id="title">{escape(title)}</h1>')
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f'<title>{escape(title)}</title>\n<link rel="icon" href="data:,">\n<style>{css}</style>\n</head>\n'
        f'<body>\n{body}<script type="application/json" id="data">{embedded(data)}</script>\n'
        f"<script>{script}</script>\n</body>\n</html>\n"
    )


def _has(section: str, data: dict[str, Any], drawings: Sequence[Sequence[str]]) -> bool:
    """Whether the page has a section."""
    return {
        "drawing": any(drawings),
        "differences": data["diff"] is not None,
        "answer": data["networks"][0]["answer"] is not None,
        "digits": data["digits"] is not None,
    }.get(section, True)


def _stage(place: int, network: dict[str, Any], drawings: Sequence[str], networks: int) -> str:
    letter = "AB"[place]
    name = f'<p class="stage-name">{letter}: {escape(network["title"])}</p>'
    return (
        f"<div>{name if networks > 1 else ''}"
        f'<div class="stage" id="stage-{place}">{"".join(drawings)}</div></div>'
    )


def _key() -> str:
    marks = "".join(
        f'<span class="status {status}">{status}</span>' for status in ("changed", "added", "removed")
    )
    return f'<span class="key">{marks}</span>'


def embedded(data: Any) -> str:
    """JSON that may stand in a script element: nothing in it ends the element or begins a comment."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def _read(name: str) -> str:
    with open(os.path.join(FOLDER, name), encoding="utf-8") as file:
        return file.read()


@cache
def program() -> str:
    """The script: its parts in one scope of their own."""
    parts = "\n".join(_read(os.path.join("script", f"{name}.js")) for name in SCRIPTS)
    return f'"use strict";(() => {{\n{parts}}})();'


@cache
def stylesheet() -> str:
    """The style sheet, colours first."""
    chips = "".join(f".chip.{name}{{background:{palette.colour(name)}}}" for name in palette.FILLS)
    dark = "@media screen and (prefers-color-scheme: dark)"
    return (
        f":root{{color-scheme:light;{_colours(False)}}}"
        f"{dark}{{:root{{color-scheme:dark;{_colours(True)}}}}}"
        f"{chips}{svg.style()}\n{_read('page.css')}"
    )


def _colours(dark: bool) -> str:
    """The variables of the style sheet, in light or dark."""
    paper, point = palette.colour("paper", dark), palette.colour("point", dark)
    colours = {role: palette.colour(role, dark) for role in palette.PAPER}
    colours |= {
        f"on-{role}": palette.colour(f"on:{role}", dark) for role in ("added", "removed", "changed", "same")
    }
    colours |= {
        "edge": palette.colour("muted", dark),
        "chosen": palette.mixed(paper, point, 0.12),
        "area": palette.mixed(paper, point, 0.3),
        "bar": palette.colour("ramp:0.6") if not dark else palette.colour("ramp:0.45"),
        "bar-edge": point,
        "dark": palette.INK,
    }
    return "".join(f"--{name}:{colour};" for name, colour in colours.items())
