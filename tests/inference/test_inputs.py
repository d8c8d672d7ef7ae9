"""Pictures and arrays as a network's inputs, from files and handed in, and what is refused."""

from __future__ import annotations

import json
import struct
from array import array
from pathlib import Path

import numpy as np
import pytest

import convcalc
from convcalc.graph import Graph
from convcalc.inference.inputs import read_sample, sample_label, samples_of
from convcalc.language.load import load_graph

DIGIT = Path(__file__).parents[1] / "data" / "digits" / "7_1.png"

ONE = "name: one\ninput: [2, 3, 5]\nlayers: [identity: {name: same}]\n"
TWO = """
name: two
inputs: {left: [2, 3, 5], right: [4]}
outputs: {seen: same, sum: total}
layers:
  - identity: {name: same, from: left}
  - dense: {name: total, units: 7, from: right}
"""


@pytest.fixture
def one(tmp_path: Path) -> Graph:
    return written(tmp_path, "one", ONE)


@pytest.fixture
def two(tmp_path: Path) -> Graph:
    return written(tmp_path, "two", TWO)


def written(folder: Path, name: str, text: str) -> Graph:
    (folder / f"{name}.yaml").write_text(text)
    return load_graph(str(folder / f"{name}.yaml"))


def values(graph: Graph, given: object) -> list[list[float]]:
    """The first input's values, one list per sample."""
    return [list(read_sample(graph, sample)[0].values) for sample in samples_of(graph, given)[0]]


NUMBERS = np.arange(30).reshape(2, 3, 5) - 7.0
EXPECTED = [float(number - 7) for number in range(30)]


@pytest.mark.parametrize(
    "given",
    [
        NUMBERS,
        NUMBERS.astype(np.float32),
        NUMBERS.astype(np.float16),
        NUMBERS.astype(">f4"),
        NUMBERS.astype(np.int8),
        NUMBERS.astype(np.int64),
        NUMBERS.astype(">i2"),
        np.asfortranarray(NUMBERS),
        np.moveaxis(np.moveaxis(NUMBERS, 0, -1).copy(), -1, 0),
        NUMBERS.tolist(),
        tuple(map(tuple, NUMBERS.astype(int).tolist())),
        memoryview(array("d", EXPECTED)).cast("B").cast("d", (2, 3, 5)),
    ],
    ids=lambda given: f"{type(given).__name__} {getattr(given, 'dtype', '')}",
)
def test_an_array_handed_in_is_read_row_major_whatever_its_type_and_strides(
    one: Graph, given: object
) -> None:
    assert values(one, given) == [EXPECTED]
    assert samples_of(one, given)[1] is False


class Foreign:
    """What another library's array looks like: only `__array__`."""

    def __array__(self) -> np.ndarray:
        return NUMBERS


class Refusing:
    """As a tensor that still has its gradient refuses."""

    def __array__(self) -> np.ndarray:
        raise RuntimeError("call detach first")


def test_anything_with_array_is_an_array(one: Graph) -> None:
    assert values(one, Foreign()) == [EXPECTED]
    with pytest.raises(convcalc.ConvcalcError, match="call detach first"):
        samples_of(one, Refusing())


def test_truths_are_zeros_and_ones(one: Graph) -> None:
    assert values(one, NUMBERS > 0) == [[float(number > 0) for number in EXPECTED]]


def test_one_axis_more_holds_several(one: Graph) -> None:
    given = np.stack([NUMBERS, NUMBERS * 2, NUMBERS * 3])
    samples, several = samples_of(one, given)
    assert (len(samples), several) == (3, True)
    assert values(one, given)[2] == [3 * number for number in EXPECTED]
    assert samples_of(one, given[:1])[1] is True, "an axis for several, of one"


@pytest.mark.parametrize("kind", ["<f4", ">f8", "<f2", "<i4", "|u1", "|b1"])
def test_an_npy_file_as_numpy_writes_it(one: Graph, tmp_path: Path, kind: str) -> None:
    numbers = np.abs(NUMBERS).astype(kind)
    np.save(tmp_path / "x.npy", np.asfortranarray(numbers))
    assert values(one, tmp_path / "x.npy") == [[float(number) for number in numbers.ravel()]]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_an_npz_of_one_array_or_of_the_inputs_name(one: Graph, tmp_path: Path, save) -> None:
    save(tmp_path / "single.npz", anything=NUMBERS)
    save(tmp_path / "named.npz", other=NUMBERS[0], input=NUMBERS)
    assert values(one, str(tmp_path / "single.npz")) == values(one, str(tmp_path / "named.npz")) == [EXPECTED]
    save(tmp_path / "unnamed.npz", first=NUMBERS, second=NUMBERS)
    with pytest.raises(convcalc.InputError, match=r"2 arrays, and none is called input: first, second"):
        samples_of(one, str(tmp_path / "unnamed.npz"))


def test_a_safetensors_file_laid_out_by_hand(one: Graph, tmp_path: Path) -> None:
    header = json.dumps({"x": {"dtype": "I16", "shape": [2, 3, 5], "data_offsets": [0, 60]}}).encode()
    numbers = struct.pack("<30h", *map(int, EXPECTED))
    (tmp_path / "x.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + numbers)
    assert values(one, tmp_path / "x.safetensors") == [EXPECTED]


def test_what_is_not_finite_is_taken_as_it_is(one: Graph) -> None:
    given = NUMBERS.copy()
    given[1, 2, 3], given[0, 1, 4] = np.nan, -np.inf
    got = np.array(values(one, given)[0]).reshape(2, 3, 5)
    assert np.array_equal(got, given, equal_nan=True)


@pytest.mark.parametrize(
    ("given", "message", "hint"),
    [
        (np.zeros((3, 5, 2)), "the array is 3×5×2, the input takes 2×3×5", "channels come first"),
        (np.zeros((2, 15)), "2×15", "reshape it to 2×3×5"),
        (np.zeros((0, 2, 3, 5)), "0×2×3×5", "holds none"),
        (np.zeros((2, 3, 6)), "2×3×6, the input takes 2×3×5, or several of them as N×2×3×5", "--input"),
        (np.zeros((2, 3, 5), complex), "numbers of the format 'Zd', not real numbers", "floats"),
        (np.array([["a"]]), r"1×1|numbers of the format", None),
        (np.zeros((2, 3, 5), object), "numpy.ndarray of object|numbers of the format", None),
        ([[[0.0] * 5] * 3, [[0.0] * 5] * 2], "uneven: one has 2 items, another 3", "2×3×5"),
        ([[[0.0] * 5] * 3, [[0.0] * 4 + ["5"]] * 3], "takes real numbers, not '5'", "floats"),
        ([[[0.0] * 5] * 3, [[0.0] * 4 + [1j]] * 3], "takes real numbers, not 1j", "floats"),
        (3.5, "takes an array, a picture or a path, not float", "nested lists"),
        ([], "nothing to push through", None),
    ],
)  # fmt: skip
def test_what_is_no_array_for_the_input_is_refused(one: Graph, given, message: str, hint: str | None) -> None:
    with pytest.raises(convcalc.ConvcalcError, match=message) as caught:
        [read_sample(one, sample) for sample in samples_of(one, given)[0]]
    assert hint is None or hint in str(caught.value.hint)


def test_a_deep_list_is_refused_at_once(one: Graph) -> None:
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(convcalc.InputError, match="the input takes 2×3×5"):
        samples_of(one, deep)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        (np.zeros((2, 3, 5), np.complex64), "'<c8'"),
        (np.array([[["text"]]]), "of the type '<U4'"),
        (np.array([[[None]]]), "Python objects"),
    ],
)
def test_types_that_are_no_real_numbers_are_refused(
    one: Graph, tmp_path: Path, numbers, message: str
) -> None:
    np.save(tmp_path / "x.npy", numbers, allow_pickle=True)
    with pytest.raises(convcalc.InputError, match=message):
        samples_of(one, tmp_path / "x.npy")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"\x93NUMPY", "is not an .npy array of version"),
        (b"\x93NUMPY\x01\x00\xff\xff", "65,535 bytes"),
        (b"no array at all", "is not an .npy array"),
    ],
)
def test_damaged_arrays(one: Graph, tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "x.npy").write_bytes(content)
    with pytest.raises(convcalc.InputError, match=message):
        samples_of(one, tmp_path / "x.npy")


def test_an_array_cut_short(one: Graph, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", NUMBERS)
    (tmp_path / "x.npy").write_bytes((tmp_path / "x.npy").read_bytes()[:-8])
    with pytest.raises(convcalc.InputError, match=r"needs 368 bytes and has 360"):  # 128 of header, 30·8
        samples_of(one, tmp_path / "x.npy")


@pytest.mark.parametrize(("path", "message"), [("no.npy", "no such file"), ("folder.npz", "a directory")])
def test_missing_arrays(one: Graph, tmp_path: Path, path: str, message: str) -> None:
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(convcalc.InputError, match=message):
        samples_of(one, {"input": tmp_path / path})


# --- several inputs -----------------------------------------------------------------------------------------------


def test_each_input_by_name_from_python_and_from_words(two: Graph, tmp_path: Path) -> None:
    np.save(tmp_path / "l.npy", NUMBERS)
    np.save(tmp_path / "r.npy", np.arange(4))
    np.savez(tmp_path / "both.npz", left=NUMBERS, right=np.arange(4), unread=np.zeros(3))
    for given in (
        {"right": [0, 1, 2, 3], "left": NUMBERS},
        {"left": tmp_path / "l.npy", "right": str(tmp_path / "r.npy")},
        [f"right={tmp_path / 'r.npy'}", f"left={tmp_path / 'l.npy'}"],
        tmp_path / "both.npz",
    ):
        samples, several = samples_of(two, given)
        left, right = read_sample(two, samples[0])
        assert (list(left.values), list(right.values)) == (EXPECTED, [0.0, 1.0, 2.0, 3.0])
        assert (len(samples), several) == (1, False)


def test_several_samples_of_several_inputs(two: Graph) -> None:
    samples, several = samples_of(two, {"left": np.stack([NUMBERS, -NUMBERS]), "right": np.eye(4)[:2]})
    assert several is True
    assert [list(read_sample(two, sample)[1].values) for sample in samples] == [[1, 0, 0, 0], [0, 1, 0, 0]]
    assert sample_label(samples[1]) == "left=the array[1] right=the array[1]"
    with pytest.raises(convcalc.UsageError, match="different numbers of items: left 2, right 1"):
        samples_of(two, {"left": np.stack([NUMBERS, -NUMBERS]), "right": np.ones(4)})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("x.npy", "two has 2 inputs: left, right"),
        (["left=x.npy"], "nothing is given for right"),
        (["left=x.npy", "y.npy"], "y.npy: which input of two is this for?"),
        (["left=x.npy", "left=y.npy", "right=z.npy"], "the input left is given 2 times"),
        ({"left": NUMBERS, "middle": NUMBERS, "right": [0] * 4}, "no input middle"),
        ({"left": NUMBERS}, "nothing is given for right"),
        (NUMBERS, "two has 2 inputs"),
    ],
)
def test_exactly_one_value_for_each_input(two: Graph, given, message: str) -> None:
    with pytest.raises(convcalc.UsageError, match=message):
        samples_of(two, given)


def test_the_hint_is_in_the_users_words(two: Graph) -> None:
    for given, hint in (
        ({"left": NUMBERS}, "{'left': …, 'right': …}"),
        (["left=x.npy"], "left=FILE right=FILE"),
    ):
        with pytest.raises(convcalc.UsageError) as caught:
            samples_of(two, given)
        assert caught.value.hint == f"give one value for each: {hint}"


def test_an_equals_sign_is_a_file_name_unless_an_input_is_called_so(one: Graph, tmp_path: Path) -> None:
    path = tmp_path / "a=b.npy"
    np.save(path, NUMBERS)
    assert values(one, str(path)) == [EXPECTED]
    assert values(one, [f"input={path}"]) == [EXPECTED]


def test_pictures_of_pillow_are_as_their_files() -> None:
    from PIL import Image

    lenet5 = convcalc.load("lenet5")
    with Image.open(DIGIT) as picture:
        result = lenet5.forward(picture, backend="reference")
        both = lenet5.forward([picture, str(DIGIT)], backend="reference")
    alone = lenet5.forward(DIGIT, backend="reference")
    assert list(result.run.values) == list(alone.run.values)
    assert [list(outcome.run.values) for outcome in both.outcomes] == [list(alone.run.values)] * 2


def test_an_array_is_not_preprocessed(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(
        "input: [1, 2, 3]\npreprocess: {mean: 0.5, std: 0.25}\nlayers: [identity: {name: same}]\n"
    )
    result = convcalc.load(path).forward([[[0.5, 1.5, -2.0], [4.0, 8.0, 16.0]]])
    assert list(result.run.values) == [0.5, 1.5, -2.0, 4.0, 8.0, 16.0]


# --- all outputs --------------------------------------------------------------------------------------------------


@pytest.fixture
def result(tmp_path: Path):
    written(tmp_path, "two", TWO)
    return convcalc.load(tmp_path / "two.yaml").forward(
        {"left": NUMBERS, "right": [1, 2, 3, 4]}, backend="reference"
    )


def test_outputs_by_name_as_numpy_arrays(result) -> None:
    assert list(result.outputs) == ["seen", "sum"]
    assert np.array_equal(result.outputs["seen"], NUMBERS)
    assert result.outputs["sum"].shape == (7,)


def test_saved_outputs_are_read_back_by_numpy_and_json(result, tmp_path: Path) -> None:
    result.save(str(tmp_path / "o.npz"))
    with np.load(tmp_path / "o.npz") as saved:
        assert {name: saved[name].shape for name in saved} == {"seen": (2, 3, 5), "sum": (7,)}
        assert np.array_equal(saved["seen"], NUMBERS)
        assert np.array_equal(saved["sum"], result.outputs["sum"])
    result.save(str(tmp_path / "o.json"))
    value = json.loads((tmp_path / "o.json").read_text())
    assert value["seen"] == {"shape": [2, 3, 5], "values": EXPECTED}
    result.save(str(tmp_path / "o.safetensors"))
    graph = written(tmp_path, "one", ONE)
    content = (tmp_path / "o.safetensors").read_bytes()
    header = json.loads(content[8 : 8 + struct.unpack("<Q", content[:8])[0]])
    assert {name: entry["shape"] for name, entry in header.items()} == {"seen": [2, 3, 5], "sum": [7]}
    with pytest.raises(convcalc.InputError, match="none is called input: seen, sum"):
        samples_of(graph, tmp_path / "o.safetensors")


@pytest.mark.parametrize("suffix", [".npy", ".csv"])
def test_a_file_of_one_output_needs_its_name(result, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"o{suffix}"
    with pytest.raises(convcalc.UsageError, match="holds one output, and there are 2: seen, sum"):
        result.save(str(path))
    assert not path.exists()
    chosen = convcalc.load(tmp_path / "two.yaml").forward(
        {"left": NUMBERS, "right": [1, 2, 3, 4]}, backend="reference", output_name="seen"
    )
    chosen.save(str(path))
    read = np.load(path) if suffix == ".npy" else np.loadtxt(path, delimiter=",").reshape(2, 3, 5)
    assert np.array_equal(read, NUMBERS)


def test_an_output_that_is_not_finite_says_which(tmp_path: Path) -> None:
    written(tmp_path, "two", TWO)
    result = convcalc.load(tmp_path / "two.yaml").forward(
        {"left": NUMBERS, "right": [1, np.inf, 3, 4]}, backend="reference"
    )
    assert result.finite is False
    assert [note for note in result.notes if "finite" in note] == [
        "the output sum is not finite: 7 of 7 numbers are NaN or infinite"
    ]
    value = result.to_dict()
    assert value["finite"] is False
    assert list(value["outputs"]) == ["seen", "sum"]
    assert value["outputs"]["sum"]["layer"] == "total"
    assert value["outputs"]["sum"]["values"] == [None] * 7
    assert value["inputs"] == [
        {"name": "left", "path": None, "item": None, "shape": [2, 3, 5]},
        {"name": "right", "path": None, "item": None, "shape": [4]},
    ]
