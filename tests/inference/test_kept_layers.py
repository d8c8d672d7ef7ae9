"""`keep`: outputs of layers and blocks by name, of one sample and of several, on both backends."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import convcalc
from convcalc.backends import BACKENDS, Backend
from convcalc.errors import UsageError
from convcalc.processes import processors
from convcalc.weights.load import load_weights

DIGITS = Path(__file__).parents[1] / "data" / "digits"
SPEC = """
name: net
input: [3, 9, 11]
layers:
  - conv: {filters: 5, kernel: [3, 2]}
  - relu
  - group:
      name: stage
      layers:
        - conv: {filters: 7, kernel: [2, 4], stride: [1, 2], padding: [[1, 0], [0, 2]]}
        - batchnorm
        - relu
  - flatten
  - dense: 4
"""


@pytest.fixture
def network(tmp_path: Path) -> convcalc.Network:
    path = tmp_path / "net.yaml"
    path.write_text(SPEC)
    return convcalc.load(path)


def image() -> np.ndarray:
    return np.random.default_rng(7).standard_normal((3, 9, 11))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_convolution_is_what_numpy_makes_of_its_windows(backend: Backend) -> None:
    """LeNet-5's first layer, 6 filters of 5×5, before its tanh is applied, with the trained weights."""
    net = convcalc.load("lenet5")
    found = net.forward(DIGITS / "7_1.png", keep=["conv1", "tanh1"], backend=backend)
    graph = net.graph
    file = Path(graph.directory, graph.weights)
    own = load_weights(graph, str(file), "bundled").nodes[0]
    pixels = np.array(found.inputs[0].values).reshape(32, 32)
    windows = np.lib.stride_tricks.sliding_window_view(pixels, (5, 5))
    filters = np.array(own["weight"]).reshape(6, 5, 5)
    wanted = np.einsum("yxij,cij->cyx", windows, filters) + np.array(own["bias"])[:, None, None]
    assert found.kept["conv1"] == pytest.approx(wanted, abs=1e-5 * float(np.abs(wanted).max()))
    assert found.kept["tanh1"] == pytest.approx(np.tanh(wanted), abs=1e-5)
    assert list(found.kept) == ["conv1", "tanh1"]
    assert list(found.outputs) == ["softmax1"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_block_is_its_last_layer(network: convcalc.Network, backend: Backend) -> None:
    found = network.forward(image(), keep=["stage", "stage.relu1", "stage.conv1", "dense1"], backend=backend)
    assert list(found.kept) == ["stage", "stage.relu1", "stage.conv1", "dense1"]
    assert found.kept["stage"].shape == (7, 7, 5)
    assert (found.kept["stage"] == found.kept["stage.relu1"]).all()
    assert found.kept["stage.conv1"].min() < 0 <= found.kept["stage"].min()
    assert (found.kept["dense1"] == found.outputs["dense1"]).all()


def test_nothing_is_kept_where_nothing_is_named(network: convcalc.Network) -> None:
    assert network.forward(image()).kept == {}


def test_both_backends_agree(network: convcalc.Network) -> None:
    every = [layer.name for layer in network.layers]
    fast, slow = (network.forward(image(), keep=every, backend=b).kept for b in ("numba", "reference"))
    for name in every:
        assert fast[name] == pytest.approx(slow[name], abs=1e-5 * float(np.abs(slow[name]).max()))


@pytest.mark.parametrize("count", [2, processors() + 1])
@pytest.mark.parametrize("backend", ["reference", "numba"])
def test_several_samples_have_an_axis_in_front(
    network: convcalc.Network, backend: Backend, count: int
) -> None:
    images = [image() * (place + 1) for place in range(count)]
    found = network.forward(images, keep=["conv1"], backend=backend)
    assert found.kept["conv1"].shape == (count, 5, 7, 10)
    for place, own in enumerate(images):
        alone = network.forward(own, keep=["conv1"], backend=backend).kept["conv1"]
        assert found.kept["conv1"][place] == pytest.approx(alone, abs=1e-6)
        assert (found.outcomes[place].kept["conv1"] == found.kept["conv1"][place]).all()


@pytest.mark.parametrize(
    ("name", "meant"), [("conv2", "conv1"), ("stag", "stage"), ("stage.conv2", "stage.conv1")]
)
def test_an_unknown_name_has_a_suggestion(network: convcalc.Network, name: str, meant: str) -> None:
    with pytest.raises(UsageError, match=f"net has no layer '{name}'; did you mean '{meant}'") as error:
        network.forward(image(), keep=[name])
    assert "show" in (error.value.hint or "")


def test_a_profile_keeps_nothing(network: convcalc.Network) -> None:
    with pytest.raises(UsageError, match="profile"):
        network.forward(image(), keep=["conv1"], profile=True)
