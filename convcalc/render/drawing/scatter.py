"""A scatter of named points as a scene: axes, points, those on the front joined, and a name beside each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from convcalc.render.drawing import lettering
from convcalc.render.drawing.scene import Circle, Item, Placed, Polyline, Scene, Text
from convcalc.render.plot import Dot, Scale, short

WIDTH, HEIGHT = 760, 480
LEFT, RIGHT, TOP, BOTTOM = 70, 24, 40, 56
FONT, SMALL = 13, 12
RADIUS = 5
LONGEST = 260  # pixels of a name
# Distances of a name from its point; of one that is not on the front the first three.
REACHES = (10, 18, 28, 40, 55, 72, 92, 115)
SIDES = ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (1, 1), (-1, -1), (-1, 1))


class Box(NamedTuple):
    """A rectangle that something takes."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Box) -> bool:
        """Whether two boxes overlap."""
        across = self.left < other.right and other.left < self.right
        return across and self.top < other.bottom and other.top < self.bottom


def scene(title: str, dots: Sequence[Dot], x: Scale, y: Scale) -> Scene:
    """The scatter; strong dots are filled and joined."""
    wide, tall = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    at = {dot: (LEFT + wide * x.place(dot.x), TOP + tall * (1 - y.place(dot.y))) for dot in dots}
    items: list[Item] = [Text(LEFT, 24, title, 15, bold=True)]
    for tick in x.ticks:
        place = LEFT + wide * x.place(tick)
        items.append(Polyline(((place, TOP), (place, TOP + tall)), "grid", 1))
        items.append(Text(place, TOP + tall + 18, short(tick), SMALL, ink="muted", anchor="middle"))
    for tick in y.ticks:
        place = TOP + tall * (1 - y.place(tick))
        items.append(Polyline(((LEFT, place), (LEFT + wide, place)), "grid", 1))
        items.append(Text(LEFT - 8, place + 4, short(tick), SMALL, ink="muted", anchor="end"))
    items += [
        Polyline(((LEFT, TOP), (LEFT, TOP + tall), (LEFT + wide, TOP + tall)), "line", 1),
        Text(LEFT + wide / 2, HEIGHT - 14, x.title, FONT, anchor="middle"),
        Text(18, TOP + tall / 2, y.title, FONT, anchor="middle", turned=True),
    ]
    front = sorted(at[dot] for dot in dots if dot.strong)
    if len(front) > 1:
        items.append(Polyline(tuple(front), "point", 1, dashed=True))
    items += [
        Circle(left, top, RADIUS, "point" if dot.strong else "paper", "point", 2)
        for dot, (left, top) in at.items()
    ]
    items += _labels(dots, at)
    boxes = [
        Placed(
            dot.name,
            f"{dot.name}: {short(dot.x)}, {short(dot.y)}",
            left - RADIUS,
            top - RADIUS,
            left + RADIUS,
            top + RADIUS,
        )
        for dot, (left, top) in at.items()
    ]
    listed = "; ".join(f"{dot.name} {short(dot.x)}, {short(dot.y)}" for dot in dots)
    return Scene(WIDTH, HEIGHT, title, f"{y.title} against {x.title}: {listed}", tuple(items), tuple(boxes))


def _labels(dots: Sequence[Dot], at: dict[Dot, tuple[float, float]]) -> Iterator[Item]:
    """The dots' names, each in the first place around its dot where it meets nothing, further away on a line. One
    that finds no place is left out: pointing at its dot shows it."""
    taken = [Box(left - 6, top - 6, left + 6, top + 6) for left, top in at.values()]
    for dot in sorted(dots, key=lambda dot: not dot.strong):
        left, top = at[dot]
        name = lettering.cut(dot.name, LONGEST, SMALL, bold=dot.strong)
        wide = lettering.width(name, SMALL, bold=dot.strong)
        found = _place(left, top, wide, REACHES if dot.strong else REACHES[:3], taken)
        if found is None:
            continue
        box, reach = found
        taken.append(box)
        base = box.top + SMALL
        if reach > 18:
            edge = min(max(left, box.left), box.right)
            end = box.top + 3 if base > top else box.bottom - 3
            yield Polyline(((left, top), (edge, end)), "grid", 1)
        yield Text(box.left + 1, base, name, SMALL, bold=dot.strong)


def _place(
    left: float, top: float, wide: float, reaches: Sequence[int], taken: Sequence[Box]
) -> tuple[Box, int] | None:
    """The box of a name so wide around the point (left, top), and how far away it is."""
    for reach in reaches:
        for right, down in SIDES:
            start = left + right * reach - (wide if right < 0 else wide / 2 if not right else 0)
            base = top + down * reach + 4
            box = Box(start - 1, base - SMALL, start + wide + 1, base + 4)
            inside = box.left >= LEFT + 1 and box.right <= WIDTH - 2 and box.top >= TOP + 1
            if inside and box.bottom <= HEIGHT - BOTTOM - 1 and not any(map(box.meets, taken)):
                return box, reach
    return None
