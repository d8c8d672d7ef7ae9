"""An animation as SVG: moved by style rules alone, still where the reader prefers it, without rules, and on paper.

What is seen in the same frames is a group, and each kind of group has one rule: `visibility` at the times of its
frames. Still, the frames stand in rows: they are the same groups, referred to. Nothing is written twice.
"""

from __future__ import annotations

from itertools import accumulate, groupby

from convcalc.render.drawing import svg
from convcalc.render.drawing.animation import APART, Animation, Timed, chosen, columns_of
from convcalc.render.drawing.scene import Rectangle

MOTION = "screen and (prefers-reduced-motion:no-preference)"
MAX_STILL = 36  # frames of the still drawing


def document(animation: Animation) -> str:
    """An animation as an SVG document."""
    frames = len(animation.seconds)
    starts = [0.0, *accumulate(animation.seconds)]
    total = starts[-1]
    groups: list[tuple[str, int, int]] = []  # id, first and last frame
    written = []
    for number, (span, items) in enumerate(groupby(animation.items, key=_span)):
        groups.append((f"g{number}", *span))
        whole = span == (0, frames - 1)
        classes = "" if whole else f' class="f{span[0]}-{span[1]}"'
        written.append(f'<g id="g{number}"{classes}>{svg.fragment(timed.item for timed in items)}</g>')
    rules = [".still{display:none}.film{display:inline}"]
    times = []
    for first, last in sorted({(first, last) for _, first, last in groups} - {(0, frames - 1)}):
        name = f"f{first}-{last}"
        begin, end = 100 * starts[first] / total, 100 * starts[last + 1] / total
        rules.append(f".{name}{{visibility:hidden;animation:{name} {total:g}s step-end infinite}}")
        times.append(f"@keyframes {name}{{{_keys(begin, end)}}}")
    used = svg.roles(timed.item for timed in animation.items)
    return "\n".join(
        [
            *svg.opening(animation.width, animation.height, animation.title, animation.description),
            f"<style>{svg.style(used, scope='')}\n@media {MOTION}{{{''.join(rules)}}}\n{''.join(times)}</style>",
            svg.fragment([Rectangle(0, 0, animation.width, animation.height, "paper", None)]),
            '<g class="film" display="none">',
            *written,
            "</g>",
            _still(animation, groups),
            "</svg>\n",
        ]
    )


def _span(timed: Timed) -> tuple[int, int]:
    return timed.first, timed.last


def _keys(begin: float, end: float) -> str:
    """`0%{visibility:hidden}25%{visibility:visible}50%,to{visibility:hidden}`."""
    keys = f"{begin:.4g}%{{visibility:visible}}"
    if begin > 0:
        keys = "0%{visibility:hidden}" + keys
    return keys + (f"{end:.4g}%,to{{visibility:hidden}}" if end < 100 else "to{visibility:visible}")


def _still(animation: Animation, groups: list[tuple[str, int, int]]) -> str:
    """The frames in rows on one page; of many, some at equal distances."""
    numbers = chosen(len(animation.seconds), MAX_STILL)
    width, height = animation.width, animation.height
    columns = columns_of(len(numbers), width, height, width / height)
    rows = -(-len(numbers) // columns)
    scale = min(width / (columns * (width + APART) - APART), height / (rows * (height + APART) - APART))
    parts = []
    for place, number in enumerate(numbers):
        right, down = place % columns * (width + APART), place // columns * (height + APART)
        uses = "".join(f'<use href="#{name}"/>' for name, first, last in groups if first <= number <= last)
        parts.append(f'<g transform="translate({right:g} {down:g})">{uses}</g>')
    return f'<g class="still" transform="scale({scale:.5g})">{"".join(parts)}</g>'
