"""Compares convcalc.images.preprocess.load with torchvision's transforms, bit by bit. Not a test; needs PyTorch.

    python3 -m venv /tmp/torchvision && /tmp/torchvision/bin/pip install torch==2.14.1 torchvision==0.29.1
    /tmp/torchvision/bin/python tests/torchvision/transforms.py PHOTOGRAPH...

For every resize, crop, interpolation, mean and std that torchvision's published classification weights ask for,
and for mean and std 0.5, the given pictures and generated ones of awkward sizes (noise, where every pixel that
lies elsewhere shows) go through torchvision's `Resize`, `CenterCrop`, `ToTensor` and `Normalize`, through the
transforms that come with the weights, and through `load`. Exit 1 unless all values are equal to the last bit.
"""

from __future__ import annotations

import random
import sys
import tempfile
from array import array
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

try:
    import torch
    import torchvision
    from torchvision import models, transforms
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms._presets import ImageClassification
except ImportError as missing:
    sys.exit(f"transforms.py needs torch and torchvision ({missing}); its docstring says how to install them")

from PIL import Image  # noqa: E402

from convcalc.images.preprocess import Preprocess, load  # noqa: E402

Recipe = tuple[int, int, str, tuple[float, ...], tuple[float, ...]]
SIZES = [
    (1, 1), (1, 7), (7, 1), (3, 2), (17, 31), (31, 17), (223, 225), (224, 224), (225, 223), (224, 299), (255, 257),
    (256, 256), (257, 255), (333, 500), (500, 333), (599, 601), (641, 479), (97, 1009), (1009, 97), (1600, 1199),
]  # fmt: skip


def published() -> dict[Recipe, str]:
    """The distinct recipes of all classification weights, each with one that asks for it."""
    recipes: dict[Recipe, str] = {}
    for name in models.list_models(module=models):
        for weights in models.get_model_weights(name):
            preset = weights.transforms()
            if isinstance(preset, ImageClassification):
                (resize,), (crop,) = preset.resize_size, preset.crop_size
                recipe = (
                    resize, crop, preset.interpolation.value, tuple(preset.mean), tuple(preset.std)
                )  # fmt: skip
                recipes.setdefault(recipe, str(weights))
    half = (0.5, 0.5, 0.5)
    recipes.setdefault((256, 224, "bilinear", half, half), "GoogLeNet, its own normalisation done beforehand")
    recipes.setdefault(
        (342, 299, "bilinear", half, half), "Inception v3, its own normalisation done beforehand"
    )
    return recipes


def generated(folder: Path) -> list[Path]:
    """Noise of awkward sizes, in colour and in grey."""
    source = random.Random(0)
    paths = []
    for width, height in SIZES:
        paths.append(folder / f"noise {width}×{height}.png")
        image = Image.frombytes("RGB", (width, height), source.randbytes(3 * width * height))
        image.save(paths[-1])
        paths.append(folder / f"grey {width}×{height}.png")
        image.convert("L").save(paths[-1])
    return paths


def differing(path: Path, recipe: Recipe) -> int:
    """How many of load's values are not bit for bit torchvision's, by its classes or by its preset."""
    resize, crop, interpolation, mean, std = recipe
    how = Preprocess(resize, crop, mean, std, interpolation=interpolation)  # type: ignore[arg-type]
    got = load(path, how, (3, crop, crop))
    ours = torch.frombuffer(bytearray(got.values.tobytes()), dtype=torch.int32)
    mode = InterpolationMode(interpolation)
    classes = transforms.Compose(
        [
            transforms.Resize(resize, mode),
            transforms.CenterCrop(crop),
            transforms.ToTensor(),
            transforms.Normalize(mean, std),
        ]
    )
    preset = ImageClassification(crop_size=crop, resize_size=resize, mean=mean, std=std, interpolation=mode)
    with Image.open(path) as opened:
        picture = opened.convert("RGB")
    worst = 0
    for transform in (classes, preset):
        theirs = torch.frombuffer(
            bytearray(array("f", transform(picture).flatten().tolist()).tobytes()), dtype=torch.int32
        )
        worst = max(worst, int((ours != theirs).sum()))
    return worst


def main(arguments: list[str]) -> int:
    """Prints a line for each recipe; 1 if any value differs anywhere."""
    recipes = published()
    print(f"torch {torch.__version__}, torchvision {torchvision.__version__}, Pillow {Image.__version__}")
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(argument) for argument in arguments] + generated(Path(folder))
        for recipe, weights in recipes.items():
            wrong = {path.name: count for path in paths if (count := differing(path, recipe))}
            failed += len(wrong)
            resize, crop, interpolation, mean, std = recipe
            verdict = "equal" if not wrong else f"DIFFERS: {wrong}"
            print(
                f"{resize:4} {crop:4} {interpolation:9} mean {mean} std {std}: {verdict}   ({weights})",
                flush=True,
            )
    print(f"{len(recipes)} recipes on {len(paths)} pictures: {failed or 'none'} differ")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
