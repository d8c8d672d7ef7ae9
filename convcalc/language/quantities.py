"""Parsing of figures as people write them: `4.11G`, `61.1M params`, `7.8 GFLOPs`, `97.8 MB`, with the range of numbers
that round to them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Literal, NamedTuple

from convcalc.errors import UsageError

Unit = Literal["params", "macs", "flops", "bytes", "any"]

SCALES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "b": 10**9, "t": 10**12}
SCALE_WORDS = {"thousand": "k", "million": "m", "mio": "m", "billion": "b", "bn": "b", "trillion": "t"}
UNITS: dict[str, Unit] = {
    "param": "params", "params": "params", "parameter": "params", "parameters": "params", "weight": "params",
    "weights": "params", "mac": "macs", "macs": "macs", "madd": "macs", "madds": "macs", "multadd": "macs",
    "multadds": "macs", "multiplyadds": "macs", "multiplyaccumulates": "macs", "flop": "flops", "flops": "flops",
    "op": "flops", "ops": "flops", "byte": "bytes", "bytes": "bytes", "ib": "bytes", "bytesize": "bytes",
}  # fmt: skip
_PATTERN = re.compile(
    r"(?P<digits>\d[\d,_ ']*)(?:\.(?P<decimals>\d+))?(?:e\+?(?P<power>\d{1,2}))?\s*(?P<words>[a-z×.\- ]*)"
)
_IN_TEXT = re.compile(r"(?<![\w.,])(?P<number>\d+(?:,\d{3})*(?:\.\d+)?)(?P<scale>[KkMGBT])?(?![\w])")


class Figure(NamedTuple):
    """A figure as written, and the numbers that round to it: low ≤ n ≤ high.

    step: one unit of its last digit; scale: what K, M, G or T multiplies by; binary: True for bytes in powers of
    1,024, such as MiB; None where the unit does not tell, such as MB.
    """

    text: str
    unit: Unit
    value: Fraction
    step: Fraction
    scale: int
    binary: bool | None = None

    @property
    def low(self) -> Fraction:
        """The smallest number that rounds to it."""
        return self.value - self.step / 2

    @property
    def high(self) -> Fraction:
        """The largest number that rounds to it."""
        return self.value + self.step / 2

    def in_powers_of_1024(self) -> Figure:
        """The same figure with its unit read as a power of 1,024, such as 2²⁰ bytes per megabyte."""
        kilos = {10**3: 1, 10**6: 2, 10**9: 3, 10**12: 4}.get(self.scale, 0)
        factor = Fraction(1024**kilos, 1000**kilos)
        return self._replace(value=self.value * factor, step=self.step * factor, binary=True)

    def without_zero(self) -> Figure | None:
        """The same figure with its last zero read as an unknown digit, as in `60k` but not `6.0k`; None without one."""
        if self.exact or self.step < self.scale or self.value / self.step % 10:
            return None
        return self._replace(step=10 * self.step)

    @property
    def digits(self) -> int:
        """The number of significant digits."""
        return len(str(int(self.value / self.step)))

    @property
    def exact(self) -> bool:
        """Whether the figure was written in full, down to the last digit."""
        return self.step == 1 and self.scale == 1

    def matches(self, number: int | Fraction) -> bool:
        """Whether a number, rounded to the same digits, gives this figure."""
        return number == self.value if self.exact else self.low <= number <= self.high

    def cut(self, number: int | Fraction) -> bool:
        """Whether a number, truncated to the same digits, gives this figure."""
        return not self.exact and self.value <= number < self.value + self.step


def parse_count(text: str) -> int:
    """A count as people write it: 5000000, 5M, 4.11G. Raises UsageError if the text is not one."""
    figure = parse(text)
    if figure.unit != "any":
        raise _refused(text)
    return int(figure.value)


def parse_bytes(text: str) -> int:
    """A size of memory: 24GiB, 16 GB, 512M. Raises UsageError if the text is not one."""
    try:
        figure = parse(text)
    except UsageError:
        figure = None
    if figure is None or figure.unit not in ("bytes", "any"):
        shown = text if len(text) <= 40 else text[:37] + "..."
        raise UsageError(
            f"{shown}: needs a size of memory", hint="such as 24GiB (2³⁰ bytes each), 16GB (10⁹) or 512MB"
        )
    return int(figure.value)


def parse(text: str) -> Figure:
    """A quantity as people write it. Raises UsageError if the text is not one."""
    match = _PATTERN.fullmatch(text.strip().lower())
    if match is None or len(text) > 80:
        raise _refused(text)
    digits = re.sub(r"[,_ ']", "", match["digits"])
    decimals = match["decimals"] or ""
    letters = re.sub(r"[×.\- ]", "", match["words"])
    for word, letter in SCALE_WORDS.items():
        if letters.startswith(word):
            letters = letter + letters[len(word) :]
    scale, unit, binary = _suffix(letters, text)
    power = 10 ** int(match["power"] or 0)
    value = Fraction(int(digits + decimals), 10 ** len(decimals)) * scale * power
    step = Fraction(scale * power, 10 ** len(decimals))
    if step == 1 and scale == 1:  # 61,000,000 without a suffix is hardly exact; 61,100,840 is
        zeros = len(digits) - len(digits.rstrip("0"))
        step = Fraction(10**zeros if zeros >= 3 else 1)
    if not value:
        raise _refused(text)
    return Figure(text.strip(), unit, value, step, scale * power, binary)


def figures_in(text: str) -> Iterator[Fraction]:
    """The numbers in a text, such as `28,813,344` and `27.55M`."""
    for match in _IN_TEXT.finditer(text):
        scale = SCALES[(match["scale"] or "").lower()]
        yield Fraction(match["number"].replace(",", "")) * scale


def _suffix(letters: str, text: str) -> tuple[int, Unit, bool | None]:
    """Scale, unit and kind of byte: `g`, `gflops`, `mb`, `mib`, `params`, `bparams`."""
    if letters in SCALES:
        return SCALES[letters], "any", None
    if letters in UNITS:
        return 1, UNITS[letters], None
    head, rest = letters[0], letters[1:]
    if head in SCALES and rest in ("b", "bytes", "byte"):
        return SCALES[head], "bytes", None
    if head in SCALES and rest in ("ib", "ibytes"):
        return {"k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}.get(head, 1), "bytes", True
    if head in SCALES and rest in UNITS:
        return SCALES[head], UNITS[rest], None
    raise _refused(text)


def _refused(text: str) -> UsageError:
    shown = text if len(text) <= 40 else text[:37] + "..."
    return UsageError(
        f"--reconcile {shown}: needs a figure",
        hint="a number above 0 with K, M, G or T, and what it counts if known: 4.11G, '61.1M params', "
        "'7.8 GFLOPs', '97.8 MB'",
    )
