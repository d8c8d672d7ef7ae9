"""The colours of every drawing, by role, in light and dark.

A role is the name of one, such as `conv` or `muted`. Fills are the same in light and dark: only paper, ink, lines and
frames change. `conv:face`, `conv:front` and `conv:top` are shades of a fill, for solids; `ramp:0.25` is a place between
0 and 1 on the scale for numbers; `on:conv` is the text on a fill. `#rrggbb` stands for itself.
"""

from __future__ import annotations

from functools import lru_cache

INK = "#16191d"
FILLS = {
    "dense": "#4b2e83",
    "attention": "#a62156",
    "conv": "#2166ac",
    "deconv": "#2a9d8f",
    "pool": "#e58368",
    "join": "#e8a33d",
    "block": "#9ec3e6",
    "norm": "#f4d582",
    "other": "#e3e6ea",
    "input": "#e3e6ea",
    "activation": "#f9ecc7",
}
PAPER = {  # light and dark
    "paper": ("#ffffff", "#14171c"),
    "ink": (INK, "#e8ecf1"),
    "muted": ("#5b6470", "#a3adb8"),
    "line": (INK, "#dfe4ea"),
    "frame": ("#f3f5f8", "#1d232b"),
    "padding": ("#f3f5f8", "#1d232b"),
    "frame-line": ("#7c8796", "#667384"),
    "grid": ("#d5dae1", "#2d343e"),
    "accent": ("#ffd400", "#ffd400"),
    "accent-dark": (INK, INK),
    "point": ("#2166ac", "#8fbbdd"),
    # What differs between two networks. Word and dashes say it too.
    "added": ("#1b7837", "#1b7837"),
    "removed": ("#cb3038", "#cb3038"),
    "changed": ("#e8a33d", "#e8a33d"),
    "same": ("#e3e6ea", "#e3e6ea"),
}
RAMP = ("#f1f4f8", "#c9dcee", "#8fbbdd", "#4a90c4", "#1f5f9f", "#0b3365")  # lightness 96 to 22
SHADES = {"face": ("#ffffff", 0.12), "front": ("#000000", 0.14), "top": ("#ffffff", 0.45)}
WORDS = {  # what the fills are called in a legend, in its order
    "conv": "convolution",
    "deconv": "upsampling",
    "pool": "pooling",
    "dense": "dense",
    "attention": "attention",
    "norm": "normalisation",
    "activation": "activation",
    "join": "join",
    "block": "block",
    "other": "other",
}


def changes(role: str) -> bool:
    """Whether a role's colour differs between light and dark."""
    return role in PAPER and PAPER[role][0] != PAPER[role][1]


@lru_cache(maxsize=4_000)
def colour(role: str, dark: bool = False) -> str:
    """The colour of a role as `#rrggbb`. Raises KeyError for an unknown role."""
    if role.startswith("#"):
        return role
    if role in PAPER:
        return PAPER[role][dark]
    name, _, rest = role.partition(":")
    if name == "on":
        return _text_on(colour(rest, dark))
    if name == "ramp":
        return _on_ramp(float(rest))
    if not rest:
        return FILLS[name]
    onto, share = SHADES[rest]
    return mixed(colour(name, dark), onto, share)


def border(fill: str) -> str:
    """The line around a cell of a fill: as clear on paper as on a fill that stays in dark mode."""
    return {"paper": "line", "padding": "frame-line"}.get(fill, "accent-dark")


def on(fill: str) -> str:
    """The role of text on a fill."""
    return f"on:{fill}"


@lru_cache(maxsize=4_000)
def outline(fill: str) -> str:
    """The role of a line on a fill: one that is seen on it in light and dark. On a pale fill, which stands out from
    dark paper by itself, it stays dark."""
    return "line" if contrast(colour(fill), PAPER["line"][1]) >= 3 else "accent-dark"


def mixed(one: str, other: str, share: float) -> str:
    """A colour with a share, 0 to 1, of another."""
    pairs = zip(channels(one), channels(other), strict=True)
    return "#{:02x}{:02x}{:02x}".format(*[round(a + (b - a) * share) for a, b in pairs])


def channels(colour: str) -> tuple[int, int, int]:
    """Red, green and blue of `#rrggbb`, 0 to 255."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def luminance(colour: str) -> float:
    """The relative luminance, 0 to 1 (WCAG 2.2, definition of relative luminance)."""
    linear = [
        level / 12.92 if level <= 0.04045 else ((level + 0.055) / 1.055) ** 2.4
        for level in [channel / 255 for channel in channels(colour)]
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, 1 to 21 (WCAG 2.2, definition of contrast ratio)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _text_on(fill: str) -> str:
    """Ink where it is clear enough, else the better of white and black: at least 4.5 on every fill."""
    if contrast(INK, fill) >= 6:
        return INK
    return max(("#ffffff", "#000000"), key=lambda text: contrast(text, fill))


def _on_ramp(share: float) -> str:
    place = min(max(share, 0.0), 1.0) * (len(RAMP) - 1)
    low = min(int(place), len(RAMP) - 2)
    return mixed(RAMP[low], RAMP[low + 1], place - low)
