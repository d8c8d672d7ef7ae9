r"""A scene as TikZ: a LaTeX file of its own, which pdflatex compiles, to be changed by hand.

It needs TikZ and the free Helvetica (Debian: texlive-pictures and texlive-fonts-recommended), and takes the class
standalone where that is installed, else an article of the drawing's size.
The text is ASCII whatever the names hold: accents are written as commands, signs by their names, and an empty box
stands for letters of scripts that pdflatex does not set. LaTeX has no pixels: a picture is drawn as rectangles, reduced
to `MAX_CELLS` each way.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from convcalc.errors import UsageError
from convcalc.render.drawing import palette
from convcalc.render.drawing.paths import course, cubic, written
from convcalc.render.drawing.scene import (
    Circle,
    Item,
    Picture,
    Point,
    Polygon,
    Polyline,
    Rectangle,
    Scene,
    Text,
    head,
)

MIN_WIDTH, MAX_SIDE = 5, 5_000  # millimetres; TeX knows no length over 5,758
POINTS_PER_MM = 72.27 / 25.4
MAX_CELLS = 64

PREAMBLE = r"""\RequirePackage{fix-cm}
\IfFileExists{standalone.cls}{\documentclass[border=0pt]{standalone}}{\documentclass{article}
  \usepackage[margin=0pt,paperwidth=PAGE_WIDTH,paperheight=PAGE_HEIGHT]{geometry}
  \pagestyle{empty}\parindent=0pt\topskip=0pt}
\usepackage[T1]{fontenc}
\usepackage{textcomp}
\usepackage{helvet}
\renewcommand{\familydefault}{\sfdefault}
\usepackage{tikz}
\newcommand{\size}[1]{\fontsize{#1}{#1}\selectfont}
\newcommand{\fit}[2]{\resizebox{#1}{\height}{#2}}
\newcommand{\missing}{\begingroup\fboxsep=0pt\fboxrule=.04em\fbox{\rule{0pt}{.65em}\rule{.5em}{0pt}}\endgroup}"""

# Signs, and ASCII characters that mean something to TeX or join with the next one ({} parts them).
SIGNS = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "#": r"\#", "$": r"\$", "%": r"\%", "&": r"\&", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", '"': r"\textquotedbl{}", "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}", "-": "-{}", "<": "<{}", ">": ">{}", ",": ",{}", "|": r"\textbar{}",
    "×": r"\texttimes{}", "·": r"\textperiodcentered{}", "→": r"$\rightarrow$", "←": r"$\leftarrow$",
    "↑": r"$\uparrow$", "↓": r"$\downarrow$", "⇒": r"$\Rightarrow$", "−": r"$-$", "–": r"\textendash{}",
    "—": r"\textemdash{}", "…": r"\textellipsis{}", "°": r"\textdegree{}", "²": r"\texttwosuperior{}",
    "³": r"\textthreesuperior{}", "¹": r"\textonesuperior{}", "±": r"\textpm{}", "÷": r"\textdiv{}",
    "µ": r"\textmu{}", "μ": r"\textmu{}", "√": r"$\surd$", "≤": r"$\leq$", "≥": r"$\geq$", "≠": r"$\neq$",
    "≈": r"$\approx$", "∞": r"$\infty$", "∑": r"$\Sigma$", "Σ": r"$\Sigma$", "∏": r"$\Pi$", "∪": r"$\cup$",
    "∩": r"$\cap$", "∈": r"$\in$", "∂": r"$\partial$", "⌊": r"$\lfloor$", "⌋": r"$\rfloor$", "⌈": r"$\lceil$",
    "⌉": r"$\rceil$", "α": r"$\alpha$", "β": r"$\beta$", "γ": r"$\gamma$", "δ": r"$\delta$", "ε": r"$\varepsilon$",
    "θ": r"$\theta$", "λ": r"$\lambda$", "π": r"$\pi$", "σ": r"$\sigma$", "τ": r"$\tau$", "φ": r"$\varphi$",
    "ω": r"$\omega$", "Δ": r"$\Delta$", "Ω": r"$\Omega$", "ß": r"\ss{}", "æ": r"\ae{}", "Æ": r"\AE{}",
    "ø": r"\o{}", "Ø": r"\O{}", "œ": r"\oe{}", "Œ": r"\OE{}", "ł": r"\l{}", "Ł": r"\L{}", "ı": r"\i{}",
    "‘": r"\textquoteleft{}", "’": r"\textquoteright{}", "“": r"\textquotedblleft{}", "”": r"\textquotedblright{}",
    "«": r"\guillemotleft{}", "»": r"\guillemotright{}", "•": r"\textbullet{}", "§": r"\S{}", "\xa0": "~",
}  # fmt: skip
ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0306": "u", "\u0307": ".",
    "\u0308": '"', "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0327": "c", "\u0328": "k",
}  # fmt: skip


def document(scene: Scene, width_mm: float) -> str:
    """A scene as a LaTeX document. width_mm: of the picture in millimetres, the height follows. Raises UsageError for
    a size that TeX cannot set."""
    scale = width_mm / scene.width
    if not MIN_WIDTH <= width_mm <= MAX_SIDE:
        raise UsageError(
            f"a drawing {width_mm:g} mm wide",
            hint=f"--width in millimetres, from {MIN_WIDTH} to {MAX_SIDE:,}",
        )
    tall = scene.height * scale
    if tall > MAX_SIDE:
        raise UsageError(
            f"a drawing {width_mm:g} mm wide would be {tall:,.0f} mm high: TeX sets up to {MAX_SIDE:,}",
            hint=f"--width {int(MAX_SIDE / scene.height * scene.width)} is the most for this drawing",
        )
    writer = _Writer(scale)
    corner = _number(scene.width), _number(scene.height)
    lines = [f"\\fill[{writer.colour('paper')}] (0,0) rectangle ({corner[0]},{corner[1]});"]
    for item in scene.items:
        lines += writer.written(item)
    colours = [
        f"\\definecolor{{{name}}}{{HTML}}{{{palette.colour(role)[1:].upper()}}}"
        for name, role in sorted(writer.colours.items())
    ]
    preamble = PREAMBLE.replace("PAGE_WIDTH", f"{width_mm:.3f}mm").replace("PAGE_HEIGHT", f"{tall:.3f}mm")
    title = written(scene.title, 200).encode("ascii", "replace").decode()
    body = "\n".join([f"  {line}" for line in lines])
    return (
        f"% {title}\n{preamble}\n" + "\n".join(colours) + "\n\\begin{document}\n"
        f"\\begin{{tikzpicture}}[x={scale:.6f}mm,y=-{scale:.6f}mm,line join=round,inner sep=0pt]\n"
        f"  \\useasboundingbox (0,0) rectangle ({corner[0]},{corner[1]});\n"
        f"  \\clip (0,0) rectangle ({corner[0]},{corner[1]});\n"
        f"{body}\n\\end{{tikzpicture}}\n\\end{{document}}\n"
    )


def escaped(text: str) -> str:
    """A text in ASCII that LaTeX sets as it is."""
    if _PLAIN.fullmatch(text):
        return text
    signs = [_escaped(character) for character in unicodedata.normalize("NFC", text)]
    return re.sub(r"(?<= ) |^ | $", r"\\ ", "".join(signs))


_PLAIN = re.compile(r"[A-Za-z0-9.:;+=*/()@!?\[\]]+(?: [A-Za-z0-9.:;+=*/()@!?\[\]]+)*")


@lru_cache(maxsize=2_000)
def _escaped(character: str) -> str:
    if character in SIGNS:
        return SIGNS[character]
    if character.isascii():
        return character if character.isprintable() else " "
    if unicodedata.combining(character):
        return ""
    parts = unicodedata.normalize("NFD", character)
    if len(parts) == 2 and parts[0].isascii() and parts[0].isalpha() and parts[1] in ACCENTS:
        return f"\\{ACCENTS[parts[1]]}{{{parts[0]}}}"
    return r"\missing{}"


class _Writer:
    """Items as lines of TikZ; scale: millimetres per pixel of the scene."""

    def __init__(self, scale: float) -> None:
        self._scale = scale
        self.colours: dict[str, str] = {}  # names in the file, and their roles

    def written(self, item: Item) -> Iterator[str]:
        """The lines of an item."""
        if isinstance(item, Rectangle):
            round_by = f"rounded corners={self._length(item.radius)}" if item.radius > 0 else ""
            paint = self._paint(item.fill, item.stroke, item.thickness, item.dashed, round_by)
            corner = _point((item.left + item.width, item.top + item.height))
            yield f"\\path[{paint}] {_point((item.left, item.top))} rectangle {corner};"
        elif isinstance(item, Polygon):
            path = " -- ".join(map(_point, item.points))
            yield f"\\path[{self._paint(item.fill, item.stroke, item.thickness)}] {path} -- cycle;"
        elif isinstance(item, Circle):
            paint = self._paint(item.fill, item.stroke, item.thickness)
            yield f"\\path[{paint}] {_point((item.x, item.y))} circle[radius={self._length(item.radius)}];"
        elif isinstance(item, Polyline):
            yield self._line(item)
            tip = head(item)
            if tip is not None:
                yield from self.written(tip)
        elif isinstance(item, Text):
            text = escaped(written(item.text))
            if text.replace("\\ ", "").strip():
                yield self._text(item, text)
        else:
            yield from self._picture(item)

    def colour(self, role: str) -> str:
        """The name of a role's colour in the file."""
        plain = re.fullmatch(r"[a-z:-]+", role)
        name = role.replace(":", "-") if plain else f"c{palette.colour(role)[1:]}"
        self.colours[name] = role
        return name

    def _paint(
        self, fill: str | None, stroke: str | None, thickness: float, dashed: bool = False, more: str = ""
    ) -> str:
        options = [f"fill={self.colour(fill)}"] if fill is not None else []
        if stroke is not None and thickness > 0:
            options += [f"draw={self.colour(stroke)}", f"line width={self._length(thickness)}"]
        if dashed:
            options.append(f"dash pattern=on {self._length(4)} off {self._length(3)}")
        return ",".join([*options, more] if more else options)

    def _line(self, item: Polyline) -> str:
        at, steps = course(item)
        parts = [_point(at)]
        for to, control in steps:
            if control is None:
                parts.append(f"-- {_point(to)}")
            else:
                first, second = cubic(at, control, to)
                parts.append(f".. controls {_point(first)} and {_point(second)} .. {_point(to)}")
            at = to
        return f"\\path[{self._paint(None, item.stroke, item.thickness, item.dashed)}] {' '.join(parts)};"

    def _text(self, item: Text, text: str) -> str:
        """Set by pgf itself: TikZ remembers every node, and runs out of memory after some hundred."""
        anchor = {"start": "left,", "middle": "", "end": "right,"}[item.anchor]
        turn = ",rotate=90" if item.turned else ""
        font = ("\\bfseries " if item.bold else "") + ("\\ttfamily " if item.mono else "")
        if item.fit:
            text = f"\\fit{{{self._length(item.fit)}}}{{{text}}}"
        size = f"\\size{{{item.size * self._scale * POINTS_PER_MM:.2f}pt}}"
        place = f"\\pgfpointxy{{{_number(item.x)}}}{{{_number(item.y)}}}"
        ink = f"\\color{{{self.colour(item.ink)}}}"
        return f"\\pgftext[{anchor}base,at={{{place}}}{turn}]{{{ink}{size}{font}{text}}}"

    def _picture(self, item: Picture) -> Iterator[str]:
        """Each run of equal pixels as a rectangle, a little too long and too high: the next ones cover it."""
        raster = item.raster
        if max(raster.width, raster.height) > MAX_CELLS:
            from convcalc.images.rasters import scaled

            raster = scaled(raster, MAX_CELLS, MAX_CELLS)
        planes = raster.planes if len(raster.planes) >= 3 else raster.planes[:1] * 3
        wide, tall = item.width / raster.width, item.height / raster.height
        right, bottom = item.left + item.width, item.top + item.height
        for row in range(raster.height):
            pixels = [
                tuple(plane[row * raster.width + column] for plane in planes)
                for column in range(raster.width)
            ]
            start = 0
            for column in range(1, raster.width + 1):
                if column < raster.width and pixels[column] == pixels[start]:
                    continue
                red, green, blue = pixels[start][:3]
                corner = (item.left + start * wide, item.top + row * tall)
                end = (min(right, item.left + column * wide + 0.3), min(bottom, corner[1] + tall + 0.3))
                fill = self.colour(f"#{red:02x}{green:02x}{blue:02x}")
                yield f"\\fill[{fill}] {_point(corner)} rectangle {_point(end)};"
                start = column

    def _length(self, pixels: float) -> str:
        return f"{_number(pixels * self._scale * POINTS_PER_MM)}pt"


def _number(number: float) -> str:
    text = f"{number:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _point(point: Point) -> str:
    return f"({_number(point[0])},{_number(point[1])})"
