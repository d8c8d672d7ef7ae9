"""Damaged files: whatever the bytes are, a model or one error, in bounded time and memory.

`python tests/formats/onnx/test_fuzz.py [COUNT] [SEED]` tries more than the normal run.
"""

from __future__ import annotations

import random
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import pytest

from convcalc.errors import ConvcalcError, ModelError
from convcalc.formats.onnx.load import load_onnx
from convcalc.formats.onnx.reader import read_model
from tests.cli.test_onnx import classifier
from tests.formats.onnx import messages as m
from tests.formats.onnx.test_quantised import quantised_net
from tests.formats.onnx.test_reader import conv_relu, function, reference, walk

COUNT, SEED = 2_000, 12
MOST_SECONDS, MOST_MEMORY = 1.0, 200 << 20  # for one file, on an idle machine


def samples() -> list[bytes]:
    """Small models with every kind of message that is read."""
    branch = m.graph([m.node("Neg", ["x"], ["z"])], outputs=[m.value("z")])
    body = function(
        "Leaky",
        ["a"],
        ["b"],
        m.node("LeakyRelu", ["a"], ["b"], reference("alpha", 1, "slope")),
        names=["slope"],
    )
    graph = m.graph(
        [
            m.node("Leaky", ["x"], ["l"], m.attribute("slope", 1, 0.5), domain="here", name="leaky"),
            m.node(
                "If",
                ["c"],
                ["i"],
                m.attribute("then_branch", 5, branch),
                m.attribute("else_branch", 5, branch),
            ),
            m.node("Concat", ["l", "i", "w"], ["y"], m.attribute("axis", 2, -1)),
            m.node(
                "Constant",
                [],
                ["k"],
                m.attribute("value", 4, m.tensor("", [3], 7, more=m.packed(7, [1, -2, 3]))),
            ),
        ],
        [m.value("x", ["batch", 2, 5, 4])],
        [m.value("y"), m.value("k", [3], 7)],
        [m.tensor("c", [], 9, b"\1"), m.floats("w", [2, 3], range(6)), m.stored("e", [2, 2], "w.bin", 0, 16)],
        m.fields(13, [m.value("l", [None, 2, 5, 4])]),
    )
    return [m.model(graph, more=body), conv_relu().SerializeToString()]


def damaged(data: bytes, chance: random.Random) -> bytes:
    """The file cut, with changed bits, a piece taken out, doubled or overwritten, or lengths made huge."""
    found = bytearray(data)
    for _ in range(chance.choice([1, 1, 2, 4])):
        place = chance.randrange(len(found) + 1)
        size = chance.randrange(1, 20)
        way = chance.randrange(6)
        if way == 0:
            del found[place:]
        elif way == 1 and place < len(found):
            found[place] ^= 1 << chance.randrange(8)
        elif way == 2:
            del found[place : place + size]
        elif way == 3:
            found[place:place] = found[place : place + size]
        elif way == 4:
            found[place : place + size] = chance.randbytes(size)
        else:
            found[place:place] = chance.choice(
                [b"\xff" * 9 + b"\x01", b"\x80\x80\x80\x80\x20", b"\0", b"\x0a"]
            )
        if not found:
            break
    return bytes(found)


def attempt(path: Path, data: bytes) -> bool:
    """Whether the file is a model. Anything but a ModelError with a remedy is an error of ours."""
    path.unlink(missing_ok=True)  # the file before is still mapped
    path.write_bytes(data)
    try:
        walk(read_model(path).graph)
    except ModelError as caught:
        error = caught
    else:
        return True
    assert error.hint
    assert str(path) in str(error) or "tensor" in str(error)
    return False


def fuzz(folder: Path, count: int, seed: int) -> int:
    """The number of damaged files that were models still."""
    chance = random.Random(seed)
    originals = samples()
    (folder / "w.bin").write_bytes(bytes(16))
    models = 0
    for number in range(count):
        data = damaged(originals[number % len(originals)], chance)
        start = perf_counter()
        try:
            models += attempt(folder / "net.onnx", data)
        except BaseException:
            kept = Path(tempfile.gettempdir()) / f"fuzz-{seed}-{number}.onnx"
            kept.write_bytes(data)
            print(f"seed {seed}, file {number}: {kept}")
            raise
        assert perf_counter() - start < 20 * MOST_SECONDS, (
            f"seed {seed}, file {number}"
        )  # a hang, on any machine
    return models


def test_the_samples_are_models(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(16))
    for data in samples():
        assert attempt(tmp_path / "net.onnx", data)


def test_damaged_files_give_one_error(tmp_path: Path) -> None:
    print(f"seed {SEED}")
    models = fuzz(tmp_path, COUNT, SEED)
    assert 0 < models < COUNT / 2


def test_damaged_models_are_mapped_or_refused(tmp_path: Path) -> None:
    """The whole way to layers and the values of their weights."""
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    originals = [classifier([1, 3, 20, 26]).SerializeToString(), Path(quantised_net(tmp_path)).read_bytes()]
    mapped = 0
    for number in range(500):
        path = tmp_path / "damaged.onnx"
        path.unlink(missing_ok=True)
        path.write_bytes(damaged(originals[number % 2], chance))
        try:
            model = load_onnx(str(path))
            for tensor in model.tensors.values():
                tensor.values()
            mapped += model.graph.macs >= 0
        except ConvcalcError:
            pass
    assert 0 < mapped < 500


def test_an_output_without_values(tmp_path: Path) -> None:
    """A constant of no elements, which no layer can hold."""
    empty = m.packed(1, [0, 3]) + m.field(2, 1) + m.field(8, "w")
    path = tmp_path / "net.onnx"
    path.write_bytes(m.chain(m.node("Identity", ["w"], ["y"]), tensors=[empty]))
    with pytest.raises(ModelError, match="output 'y': a constant without values"):
        load_onnx(str(path))


def many_nodes(count: int) -> bytes:
    node = m.field(1, m.node("Relu", ["x"], ["y"], name="a node with a name of its own that is rather long"))
    return m.field(1, 8) + m.field(7, node * count)


BOMBS = {
    "nodes": lambda: many_nodes(100_000_000 // 80),
    "empty fields of the model": lambda: m.model(m.graph([])) + b"\x0a\0" * 10_000_000,
    "empty fields of the graph": lambda: m.model(b"\x6a\0" * 10_000_000),
    "empty inputs of a node": lambda: m.model(m.graph([b"\x0a\0" * 10_000_000])),
    "tensors": lambda: m.model(m.graph([], tensors=[m.floats("w", [1], [1])] * 500_000)),
    "dimensions": lambda: m.chain(m.node("Relu", ["x"], ["y"]), tensors=[m.field(1, b"\1" * 20_000_000)]),
    "attributes": lambda: m.model(
        m.graph([m.node("Relu", ["x"], ["y"]) + b"\x2a\0" * 20_000_000], [m.value("x", [1])], [m.value("y")])
    ),
    "dimensions of the input": lambda: m.model(
        m.graph(
            [], [m.field(1, "x") + m.field(2, m.field(1, m.field(1, 1) + m.field(2, b"\x0a\0" * 20_000_000)))]
        )
    ),
}

READ = """
import sys, time
from convcalc.errors import ModelError
from convcalc.formats.onnx.reader import read_model
start = time.perf_counter()
try:
    dict(read_model(sys.argv[1]).graph.nodes[0].attributes)
except ModelError as error:
    print(str(error).splitlines()[0])
seconds = time.perf_counter() - start
status = open("/proc/self/status").read() if sys.platform == "linux" else ""
print(seconds, *[int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM")])
"""


@pytest.mark.slow
@pytest.mark.parametrize("case", BOMBS)
def test_large_files_of_nothing(tmp_path: Path, case: str) -> None:
    """Files of 10 to 80 MB that describe nothing are refused in bounded memory, pages of the file included."""
    path = tmp_path / "bomb.onnx"
    path.write_bytes(BOMBS[case]())
    size = path.stat().st_size
    done = subprocess.run([sys.executable, "-c", READ, path], capture_output=True, text=True, check=True)
    error, figures = done.stdout.splitlines()
    assert "bomb.onnx" in error
    seconds, *memory = map(float, figures.split())
    print(
        f"{case}: {size:,} bytes, {seconds:.2f} s, {[f'{peak / 2**20:.0f} MB' for peak in memory]}: {error[-60:]}"
    )
    assert all(peak < MOST_MEMORY for peak in memory)


if __name__ == "__main__":
    count, seed = (int(text) for text in (*sys.argv[1:], *("20000", "1")[len(sys.argv) - 1 :]))
    with tempfile.TemporaryDirectory() as folder:
        print(f"seed {seed}: {fuzz(Path(folder), count, seed):,} of {count:,} damaged files are models still")
    print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB at most")
