"""What `forward.py` measured of a network, and its text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import exp, inf, log
from statistics import median
from typing import Any, NamedTuple

from engines import ENGINES, OURS, OURS_BF16, THEIRS_BF16

WRONG = 1e-3  # a float32 engine's difference, relative to the largest value, above which it computes something else


class Times(NamedTuple):
    """Median, lower quartile and minimum, in seconds."""

    median: float
    quartile: float
    minimum: float


@dataclass
class Result:
    """One network with one number of threads, by engine.

    seconds: of each counted run; spun: seconds that threads were busy after it; memory: MB at most; differences:
    the largest of the output from our float32 one, relative to its largest value; failed: why an engine does not run.
    outputs: until they are compared.
    """

    network: str
    threads: int
    seconds: dict[str, list[float]] = field(default_factory=dict)
    spun: dict[str, list[float]] = field(default_factory=dict)
    memory: dict[str, float] = field(default_factory=dict)
    differences: dict[str, float] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, list[float]] = field(default_factory=dict)

    def compare_outputs(self) -> None:
        """Fills `differences`. Without ours, the first float32 engine is what the others are held against."""
        exact = next((name for name in self.outputs if not ENGINES[name].bf16), None)
        right = self.outputs.get(OURS if OURS in self.outputs else exact or OURS, [])
        scale = max(map(abs, right), default=0.0)
        for name, output in self.outputs.items():
            if len(output) == len(right) and scale:
                worst = max(abs(a - b) for a, b in zip(output, right, strict=True)) / scale
                self.differences[name] = worst if worst == worst else inf
            elif right:
                self.failed[name] = f"gives {len(output)} numbers, not {len(right)}"
        self.outputs.clear()

    def values(self) -> dict[str, Any]:
        """What a file keeps."""
        return {name: value for name, value in vars(self).items() if name != "outputs"}

    def times(self, name: str) -> Times | None:
        """None if the engine did not run, or not rightly."""
        seconds = sorted(self.seconds.get(name, ()))
        if not seconds or name in self.failed or self.is_wrong(name):
            return None
        return Times(median(seconds), seconds[len(seconds) // 4], seconds[0])

    def is_wrong(self, name: str) -> bool:
        """Whether a float32 engine computes something else than we do."""
        return not ENGINES[name].bf16 and self.differences.get(name, 0.0) > WRONG

    def ratio(self, ours: Iterable[str], peers: Iterable[str], place: str = "median") -> float | None:
        """The best peer's time to our best. place: which of `Times`."""
        own = [getattr(times, place) for name in ours if (times := self.times(name))]
        others = [getattr(times, place) for name in peers if (times := self.times(name))]
        return min(others) / min(own) if own and others else None

    def ratios(self) -> dict[str, float | None]:
        """By name: of the best float32 peer's median, lower quartile and minimum, of OpenVINO's as it comes, of all."""
        peers = [name for name in ENGINES if name not in (OURS, OURS_BF16)]
        exact = [name for name in peers if not ENGINES[name].bf16]
        return {
            "float32": self.ratio([OURS], exact),
            "quartile": self.ratio([OURS], exact, "quartile"),
            "minimum": self.ratio([OURS], exact, "minimum"),
            "bf16": self.ratio([OURS_BF16], [THEIRS_BF16]),
            "bf16 quartile": self.ratio([OURS_BF16], [THEIRS_BF16], "quartile"),
            "best of all": self.ratio([OURS, OURS_BF16], peers),
        }


def block(result: Result) -> str:
    """All that was measured of a network, a line an engine."""
    lines = [f"{result.network}, {result.threads} thread{'s' * (result.threads != 1)}"]
    heads = ("median", "quartile", "minimum", "difference", "MB", "spin ms")
    lines.append(f"  {'':22}" + "".join(f"{head:>11}" for head in heads))
    for name, engine in ENGINES.items():
        if name in result.failed:
            lines.append(f"  {engine.title:22}  {result.failed[name]}")
        elif result.is_wrong(name):
            lines.append(f"  {engine.title:22}  wrong by {result.differences[name]:.1e}")
        elif times := result.times(name):
            lines.append(
                f"  {engine.title:22}" + "".join(f"{time * 1e3:11.2f}" for time in times)
                + f"{result.differences.get(name, 0.0):11.1e}{result.memory[name]:11.0f}"
                + f"{median(result.spun[name]) * 1e3:11.1f}"
            )  # fmt: skip
    shown = (f"{name} {value:.2f}" for name, value in result.ratios().items() if value is not None)
    return "\n".join([*lines, f"  peer/ours: {', '.join(shown)}"])


def tables(results: Sequence[Result]) -> str:
    """A table in Markdown per number of threads, medians in ms, the geometric means last; then what failed."""
    counts = dict.fromkeys(result.threads for result in results)
    texts = [_table([result for result in results if result.threads == count], count) for count in counts]
    return "\n\n".join([*texts, *_failures(results)])


def _table(results: Sequence[Result], threads: int) -> str:
    ran = {name for result in results for name in result.seconds}
    exact = [name for name in ENGINES if name in ran and not ENGINES[name].bf16]
    bf16 = [name for name in ENGINES if name in ran and ENGINES[name].bf16]
    heads = [
        f"{threads} thread{'s' * (threads != 1)}", *(ENGINES[name].title for name in exact), "times", "quartile",
        *(ENGINES[name].title for name in bf16), "times", "difference f32", "bf16",
    ]  # fmt: skip
    rows = []
    for result in results:
        ratios = result.ratios()
        differences = [max((result.differences.get(n, 0) for n in exact if result.times(n)), default=None)]
        differences.append(result.differences.get(OURS_BF16))
        rows.append([
            result.network.removeprefix("torchvision/"),
            *(_ms(result.times(name)) for name in exact), _times(ratios["float32"]), _times(ratios["quartile"]),
            *(_ms(result.times(name)) for name in bf16), _times(ratios["bf16"]),
            *("–" if value is None else f"{value:.0e}" for value in differences),
        ])  # fmt: skip
    means = {
        name: _mean([result.ratios()[name] for result in results]) for name in ("float32", "quartile", "bf16")
    }
    rows.append([
        "geometric mean", *("" for _ in exact), _times(means["float32"]), _times(means["quartile"]),
        *("" for _ in bf16), _times(means["bf16"]), "", "",
    ])  # fmt: skip
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    lines = [_line(heads, widths), "| " + " | ".join(_rule(n, w) for n, w in enumerate(widths)) + " |"]
    lines += [_line(row, widths) for row in rows]
    every = {name: _mean([result.ratios()[name] for result in results]) for name in Result("", 0).ratios()}
    said = ", ".join(f"{name} {value:.3f}" for name, value in every.items() if value is not None)
    return "\n".join([*lines, "", f"Geometric means of {len(results)}, {heads[0]}: {said}."])


def _failures(results: Sequence[Result]) -> list[str]:
    """Which engine does not run which network, and why."""
    lines = {}
    for result in results:
        for name, reason in result.failed.items():
            lines[f"{ENGINES[name].title}, {result.network}: {reason}"] = None
        for name in filter(result.is_wrong, result.differences):
            wrong = f"its output differs by {result.differences[name]:.1e}"
            lines[f"{ENGINES[name].title}, {result.network}: left out, {wrong}"] = None
    return ["\n".join(lines)] if lines else []


def _mean(values: Iterable[float | None]) -> float | None:
    logs = [log(value) for value in values if value is not None]
    return exp(sum(logs) / len(logs)) if logs else None


def _ms(times: Times | None) -> str:
    return "–" if times is None else f"{times.median * 1e3:.1f}"


def _times(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _rule(place: int, width: int) -> str:
    return "-" * width if place == 0 else "-" * (width - 1) + ":"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (f"{c:{'<' if n == 0 else '>'}{w}}" for n, (c, w) in enumerate(zip(cells, widths, strict=True)))
    return "| " + " | ".join(padded) + " |"
