"""Measures the trained LeNet-5 on its held-out digits drawn as people draw and photograph them. Not a test.

    python tests/training/guises.py package/src/digits architectures/lenet5.safetensors
    python tests/training/guises.py package/src/digits architectures/lenet5.safetensors --samples tests/data/digits

Digits and NumPy as in lenet5.py. Every picture goes through a file and the `digit` fit of convcalc.images.preprocess.
With `--samples` some of them are kept as PNG files, the first held-out ones of each class: none is chosen
for being recognised.
"""

from __future__ import annotations

import argparse
import io
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from lenet5 import MEAN, SEED, STD, forward, network_input, split
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from convcalc.errors import ImageError
from convcalc.images.preprocess import Preprocess, load
from convcalc.weights.files import open_weights

Drawing = Callable[[Image.Image, np.random.Generator], Image.Image]


def enlarged(image: Image.Image, times: int, how: Image.Resampling = Image.Resampling.BICUBIC) -> Image.Image:
    return image.resize((image.width * times, image.height * times), how)


def off_centre(image: Image.Image, random: np.random.Generator) -> Image.Image:
    canvas = Image.new("L", (200, 300))
    canvas.paste(
        image, tuple(int(random.integers(0, room)) for room in (200 - image.width, 300 - image.height))
    )
    return canvas


def transparent(image: Image.Image, colour: str) -> Image.Image:
    layer = Image.new("RGBA", image.size, colour)
    layer.putalpha(image)
    return layer


def coloured(image: Image.Image, ink: str, paper: str) -> Image.Image:
    return ImageOps.colorize(image, paper, ink)


def wide_canvas(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Black on white, 100×80, the digit anywhere."""
    canvas = Image.new("L", (100, 80))
    large = image.resize((60, 60), Image.Resampling.BICUBIC)
    canvas.paste(large, (int(random.integers(0, 40)), int(random.integers(0, 20))))
    return ImageOps.invert(canvas)


def photo(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Blue ink on warm paper, lit from one side, with grain, specks and JPEG's traces."""
    side = int(random.integers(120, 200))
    large = Image.new("L", (320, 240))
    large.paste(
        image.resize((side, side), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(1.2)),
        (int(random.integers(0, 320 - side)), int(random.integers(0, 240 - side))),
    )
    ink = np.asarray(large, np.float32)[..., None] / 255
    rows, columns = np.mgrid[0:240, 0:320]
    turn = random.uniform(0, 2 * np.pi)
    light = 1 - 0.25 * (0.5 + (np.cos(turn) * (rows - 120) + np.sin(turn) * (columns - 160)) / 400)
    paper, pen = np.array([235, 228, 210]), np.array([50, 60, 120])
    shown = (paper * (1 - 0.85 * ink) + pen * 0.85 * ink) * light[..., None]
    shown += random.normal(0, 6, (240, 320, 1)) + random.normal(0, 3, (240, 320, 3))
    for _ in range(3):
        y, x = random.integers(2, 238), random.integers(2, 318)
        shown[y : y + 2, x : x + 2] *= 0.5
    return through_jpeg(Image.fromarray(shown.clip(0, 255).astype(np.uint8)))


def through_jpeg(image: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=60)
    buffer.seek(0)
    return Image.open(buffer).convert("RGB")


def thin_pen(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """A 280×280 drawing with its strokes worn down to a third."""
    large = enlarged(image, 10).point([255 * (level > 110) for level in range(256)])
    for _ in range(3):
        worn = large.filter(ImageFilter.MinFilter(5))
        if sum(worn.histogram()[128:]) < 0.35 * sum(large.histogram()[128:]):
            break
        large = worn
    return ImageOps.invert(large)


def framed(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """A white card with black ink and rounded corners on nothing."""
    card = Image.new("RGBA", (180, 180))
    ImageDraw.Draw(card).rounded_rectangle((10, 10, 169, 169), 12, fill="white")
    card.paste("black", (26, 26), enlarged(image, 4).resize((128, 128)))
    return card


def in_a_line(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """A line of 2 pixels around the whole picture, small or large, dark or bright."""
    lined = ImageOps.expand(enlarged(image, int(random.choice([1, 4, 10]))), 2, 255)
    return ImageOps.invert(lined) if random.random() < 0.5 else lined


def cropped(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Cut to where the ink is at least a quarter of black, small or large, dark or bright."""
    tight = image.crop(image.point([255 * (level >= 64) for level in range(256)]).getbbox())
    tight = enlarged(tight, int(random.choice([1, 4, 10])))
    return ImageOps.invert(tight) if random.random() < 0.5 else tight


GUISES: dict[str, Drawing] = {
    "white on black, 28×28": lambda image, _: image,
    "black on white, 28×28": lambda image, _: ImageOps.invert(image),
    "enlarged 5×, nearest": lambda image, _: enlarged(image, 5, Image.Resampling.NEAREST),
    "enlarged 5×, bicubic": lambda image, _: enlarged(image, 5),
    "enlarged 40×, black on white": lambda image, _: ImageOps.invert(enlarged(image, 40)),
    "28×28 somewhere on 200×300": off_centre,
    "84×84 somewhere on 200×300": lambda image, random: off_centre(enlarged(image, 3), random),
    "on 100×80, black on white": wide_canvas,
    "transparent, black ink": lambda image, _: transparent(enlarged(image, 3), "black"),
    "transparent, white ink": lambda image, _: transparent(image, "white"),
    "transparent, premultiplied grey": lambda image, _: Image.merge("RGBA", [image] * 4),
    "card on transparent": framed,
    "inside a line of 2 pixels": in_a_line,
    "cropped to the ink": cropped,
    "yellow on white": lambda image, _: coloured(enlarged(image, 4), "yellow", "white"),
    "red on green, JPEG": lambda image, _: through_jpeg(coloured(enlarged(image, 4), "#c02020", "#20a020")),
    "1 bit": lambda image, _: enlarged(image, 4).convert("1", dither=Image.Dither.NONE),
    "16 bit": lambda image, _: Image.fromarray(np.asarray(image, np.uint16) * 257),
    "thin pen, 280×280": thin_pen,
    "photo, 320×240": photo,
}
SAMPLES = {
    "white on black, 28×28": "0123456789",
    "on 100×80, black on white": "257",
    "transparent, black ink": "48",
    "photo, 320×240": "136",
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure LeNet-5 on digits in many guises.")
    parser.add_argument("digits", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--samples", type=Path, help="keep some pictures in this folder")
    parser.add_argument("--most", type=int, default=1000)
    options = parser.parse_args()
    stored = open_weights(options.weights)
    weights = {n: np.array(t.values(), np.float32).reshape(t.shape) for n, t in stored.items()}
    pixels, classes, _ = (part[: options.most] for part in split(options.digits)["held out"])
    scores = forward(weights, network_input(pixels))[0]
    print(f"{'the numbers themselves':32} {np.mean(scores.argmax(1) == classes):.2%}")
    preprocess = Preprocess(mean=(MEAN,), std=(STD,), mode="grey", fit="digit")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "digit.png"
        for guise, draw in GUISES.items():
            random, inputs, refused = np.random.default_rng(SEED), [], 0
            wanted = list(SAMPLES.get(guise, "")) if options.samples else []
            for image, digit in zip(map(Image.fromarray, pixels), classes, strict=True):
                drawn = draw(image, random)
                drawn.save(file)
                if str(digit) in wanted:
                    wanted.remove(str(digit))
                    taken = len(list(options.samples.glob(f"{digit}_*.png")))
                    drawn.save(options.samples / f"{digit}_{taken}.png", optimize=True)
                try:
                    inputs.append(np.array(load(file, preprocess, (1, 32, 32)).values, np.float32))
                except ImageError:
                    inputs.append(np.zeros(1024, np.float32))
                    refused += 1
            best = forward(weights, np.stack(inputs).reshape(-1, 1, 32, 32))[0].argmax(1)
            said = f", {refused} refused" if refused else ""
            print(f"{guise:32} {np.mean(best == classes):.2%}{said}", flush=True)


if __name__ == "__main__":
    main()
