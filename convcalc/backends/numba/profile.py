"""Where a run's time goes: per layer, against what this machine can do at most.

    profile(graph, weights, values) -> Profile: rows in running order, totals, and the machine's measured peaks

A row's FLOPs are two per multiply-accumulate as the network counts them. Winograd's method multiplies less often than
that, so its layers have no share of the roof.
A row's bytes are what its steps read and write at least once: maps, weights, what lies between steps. Its roof is that
of the cache they fit into, or of memory: a roofline (Williams, Waterman & Patterson 2009) with a slope for each level.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import NamedTuple

import numpy as np

from convcalc.backends import Values
from convcalc.backends.numba.jit.sizes import BLOCK, PIXELS, TILE
from convcalc.backends.numba.kernels.conv import TileRow, direct
from convcalc.backends.numba.kernels.dense import dense
from convcalc.backends.numba.kernels.tile import sweep
from convcalc.backends.numba.plan import Plan, prepare
from convcalc.backends.numba.runtime.driver import StepRow
from convcalc.backends.numba.runtime.program import Word, record_of
from convcalc.backends.numba.runtime.step_table import StepTable
from convcalc.graph import Graph
from convcalc.processes import processors
from convcalc.weights.load import Weights

# Data of these sizes is read to find the rates of caches: within the first, second and third of most processors, and
# beyond any. At least READ_BYTES are read for a measurement.
READ_SIZES = (2**16, 2**19, 2**22, 2**27)
READ_BYTES = 2**25
MAX_UNITS = 8192


@dataclass(frozen=True)
class Row:
    """One layer with what was fused into it. kernels: what computed it, in order."""

    name: str
    kind: str
    kernels: tuple[str, ...]
    seconds: float
    macs: int
    bytes: int

    @property
    def flops_per_second(self) -> float:
        """2·MACs a second."""
        return 2 * self.macs / self.seconds if self.seconds else 0.0

    @property
    def intensity(self) -> float:
        """FLOPs per byte: below peak_flops/peak_bytes, memory is the limit."""
        return 2 * self.macs / self.bytes if self.bytes else 0.0

    @property
    def bytes_per_second(self) -> float:
        """Bytes moved a second."""
        return self.bytes / self.seconds if self.seconds else 0.0

    @property
    def counted(self) -> bool:
        """Whether its FLOPs as counted are those its kernels do: not where they are Winograd's."""
        return not any(kernel.startswith("winograd") for kernel in self.kernels)


class Rate(NamedTuple):
    """Bytes a second read again and again from data of a size: of the cache they fit into, or of memory."""

    size: int
    bytes_per_second: float


@dataclass(frozen=True)
class Peaks:
    """What this machine does at most. flops: FLOPs a second of the register tile, in the plan's precision, on data in
    cache; rates: by size of the data, rising, the last from memory."""

    flops: float
    rates: tuple[Rate, ...]

    def rate(self, size: int) -> Rate:
        """The rate for so many bytes: that of the largest measured size not above them, so never too low a roof."""
        return max((rate for rate in self.rates if rate.size <= size), default=self.rates[0])

    def raised(self, rows: Sequence[Row]) -> Peaks:
        """The peaks, none below what one of the rows did: a measurement may meet a slower moment than the run."""
        flops = max([self.flops, *(row.flops_per_second for row in rows if row.counted)])
        rates = tuple(
            rate._replace(
                bytes_per_second=max(
                    [rate.bytes_per_second]
                    + [row.bytes_per_second for row in rows if self.rate(row.bytes).size == rate.size]
                )
            )
            for rate in self.rates
        )
        return Peaks(flops, rates)


@dataclass(frozen=True)
class Profile:
    """A profiled run. peaks: measured now with the same threads, and not below what a row did."""

    rows: tuple[Row, ...]
    seconds: float
    threads: int
    peaks: Peaks

    @property
    def peak_flops(self) -> float:
        """FLOPs a second on data in cache."""
        return self.peaks.flops

    @property
    def peak_bytes(self) -> float:
        """Bytes a second from memory."""
        return self.peaks.rates[-1].bytes_per_second

    @property
    def macs(self) -> int:
        """Of all rows."""
        return sum(row.macs for row in self.rows)

    def share(self, row: Row) -> float | None:
        """A row's part of the roof at its arithmetic intensity and size; None where FLOPs as counted are not done."""
        if not row.counted:
            return None
        roof = min(self.peaks.flops, row.intensity * self.peaks.rate(row.bytes).bytes_per_second)
        return row.flops_per_second / roof if roof else 0.0


def profile_network(
    graph: Graph, weights: Weights, values: Values, *, threads: int | None = None, runs: int = 5
) -> Profile:
    """The fastest of some runs in which every step waits for the one before."""
    return profile_plan(prepare(graph, weights, threads), values, runs)


def profile_plan(plan: Plan, values: Values, runs: int = 5, peaks: Peaks | None = None) -> Profile:
    """As profile_network, of a plan already made. peaks: where they were measured before."""
    seconds, work = plan.profile(values, runs)
    merged: dict[int, list[float | int]] = {}
    kernels: dict[int, list[str]] = {}
    for step in work:
        row = merged.setdefault(step.node, [0.0, 0, 0])
        row[0] += step.seconds
        row[1] += step.macs
        row[2] += step.bytes
        kernels.setdefault(step.node, []).append(step.kernel)
    rows = tuple(
        Row(
            plan.graph.nodes[node].name,
            plan.graph.nodes[node].kind,
            tuple(kernels[node]),
            row[0],
            int(row[1]),
            int(row[2]),
        )
        for node, row in sorted(merged.items())
    )
    peaks = peaks or measured_peaks(plan.threads, plan.element)
    return Profile(rows, seconds, plan.threads, peaks.raised(rows))


def measured_peaks(threads: int | None = None, element: int = 4) -> Peaks:
    """The peaks of all threads together, for maps of elements of so many bytes."""
    return Peaks(
        measured_flops(threads, element),
        tuple(Rate(size, measured_bytes(size, threads)) for size in READ_SIZES),
    )


def measured_flops(threads: int | None = None, element: int = 4) -> float:
    """FLOPs a second of all threads in the register tile, on data in their nearest cache."""
    count = threads or processors()
    depth, tiles, calls = 64, 64, 40
    pixels = PIXELS * tiles
    keep: list[object] = []
    places = np.arange(pixels + PIXELS) % PIXELS  # the same few pixels again and again
    tables: dict[str, Word] = {
        "runs": np.zeros(1, np.int32), "run_count": 1, "run_length": depth, "last_length": depth,
        "source_pixels": (places * depth * 4).astype(np.int32),
        "target_pixels": (places * BLOCK * 4).astype(np.int32), "target_block": BLOCK * 4 * PIXELS,
        "residual_pixels": 0, "residual_block": 0, "next_weights": 0, "wide": 1, "low": -np.inf, "high": np.inf,
        "fill": 0,
    }  # fmt: skip
    own = record_of(sweep.of(element), tables, keep)
    values: dict[str, Word] = {
        "sweep": sweep.of(element), "narrow": sweep.of(element),
        "tile_table": np.array(TileRow(own.ctypes.data, 0, 0, 0, TILE // BLOCK), np.int64),
        "tiles": 1, "item_tiles": 1,
        "weights": np.ones(depth * TILE, np.float32), "bias": np.zeros(TILE, np.float32),
        "source": np.ones(depth * PIXELS, np.float32), "target_block": 0, "residual": 0, "residual_block": 0,
        "pixels": pixels, "chunk_pixels": pixels, "finish": 0, "finish_record": 0,
    }  # fmt: skip
    rows = []
    for _ in range(count):  # a target of its own for each thread
        record = record_of(direct, values | {"target": np.empty(PIXELS * TILE, np.float32)}, keep)
        rows.append(StepRow(direct.address, record.ctypes.data, 1, 0))
    products = 4 // element * depth * pixels * TILE  # a word of two elements is two
    return 2.0 * products * count * calls / _fastest(rows * calls, keep, count)


def measured_bytes(size: int, threads: int | None = None) -> float:
    """Bytes a second at which all threads read so many bytes again and again, by a dense layer of that size."""
    item_units = 16
    features = max(256, size // (4 * MAX_UNITS))
    units = size // (4 * features)
    calls = max(1, READ_BYTES // size)
    weights = np.ones(features * units, np.float32)
    keep: list[object] = []
    values: dict[str, Word] = {
        "weights": weights, "bias": np.zeros(units, np.float32), "source": np.ones(features, np.float32),
        "target": np.empty(units, np.float32), "features": features, "units": units, "item_units": item_units,
        "low": -np.inf, "high": np.inf,
    }  # fmt: skip
    record = record_of(dense, values, keep)
    rows = [StepRow(dense.address, record.ctypes.data, units // item_units, 0)]
    return weights.nbytes * calls / _fastest(rows * calls, keep, threads or processors())


def _fastest(rows: list[StepRow], keep: object, threads: int) -> float:
    table = StepTable(rows, keep, threads)
    best = float("inf")
    for _ in range(5):
        began = perf_counter()
        table.run(0, len(rows))
        best = min(best, perf_counter() - began)
    return best
