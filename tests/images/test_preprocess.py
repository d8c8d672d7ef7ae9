"""Pictures as networks read them: hand-made images, torchvision's arithmetic, and files of every wrong kind."""

import contextlib
import io
import random
import struct
import warnings
from array import array
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageDraw, ImageOps

from convcalc.errors import ImageError
from convcalc.images.preprocess import Preprocess, load

PLAIN = Preprocess()
GREY = Preprocess(mode="grey")
DIGIT = Preprocess(mode="grey", fit="digit")


@pytest.fixture
def save(tmp_path):
    def save(image: Image.Image, name: str = "picture.png", **options) -> Path:
        image.save(tmp_path / name, **options)
        return tmp_path / name

    return save


def gradient(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """A picture without symmetry: no two of its rows, columns or channels are alike."""
    source = random.Random(width * 1000 + height)
    return Image.frombytes("RGB", (width, height), source.randbytes(3 * width * height)).convert(mode)


def levels(values: array) -> list[int]:
    return [round(value * 255) for value in values]


def channel_first(image: Image.Image) -> list[int]:
    return [level for band in image.split() for level in band.tobytes()]


# --- stretch ------------------------------------------------------------------------------------------------


def test_values_by_hand(save):
    image = Image.new("RGB", (3, 2))
    for place, colour in enumerate(
        [(0, 51, 102), (255, 1, 2), (3, 4, 5), (6, 7, 8), (9, 10, 11), (12, 13, 255)]
    ):
        image.putpixel((place % 3, place // 3), colour)
    picture = load(save(image), Preprocess(mean=(0.5, 0.0, 0.25), std=(0.5, 2.0, 0.25)), (3, 2, 3))
    assert picture.shape == (3, 2, 3)
    assert picture.size == (3, 2)
    assert picture.note == ""
    red, green, blue = [0, 255, 3, 6, 9, 12], [51, 1, 4, 7, 10, 13], [102, 2, 5, 8, 11, 255]
    expected = [(v / 255 - 0.5) / 0.5 for v in red] + [v / 255 / 2 for v in green]
    expected += [(v / 255 - 0.25) / 0.25 for v in blue]
    assert list(picture.values) == pytest.approx(expected, abs=1e-6)


def test_each_step_is_rounded_to_32_bits(save):
    def single(value: float) -> float:
        return struct.unpack("<f", struct.pack("<f", value))[0]

    mean, std = single(0.485), single(0.229)
    expected = [single(single(single(level / 255) - mean) / std) for level in range(256)]
    image = Image.frombytes("L", (256, 1), bytes(range(256)))
    assert list(load(save(image), Preprocess(mean=(0.485,), std=(0.229,)), (1, 1, 256)).values) == expected


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos"])
def test_plain_resize_is_pillows(save, interpolation):
    image = gradient(53, 31)
    got = load(save(image), Preprocess(interpolation=interpolation), (3, 17, 40))
    expected = image.resize((40, 17), Image.Resampling[interpolation.upper()])
    assert levels(got.values) == channel_first(expected)


@pytest.mark.parametrize(
    ("size", "resized", "corner"),
    [
        # shorter side to 20, longer int(20·long/short); corner round((side − 15)/2), halves to even
        ((40, 31), (25, 20), (5, 2)),
        ((31, 40), (20, 25), (2, 5)),
        ((20, 20), (20, 20), (2, 2)),
        ((7, 30), (20, 85), (2, 35)),
        ((61, 43), (28, 20), (6, 2)),
    ],
)
def test_resize_and_crop_are_torchvisions(save, size, resized, corner):
    image = gradient(*size)
    got = load(save(image), Preprocess(resize=20, crop=15), (3, 15, 15))
    cut = image.resize(resized, Image.Resampling.BILINEAR)
    cut = cut.crop((*corner, corner[0] + 15, corner[1] + 15))
    assert levels(got.values) == channel_first(cut)


def test_a_crop_larger_than_the_picture_is_padded_with_0(save):
    got = levels(load(save(Image.new("L", (2, 5), 9)), Preprocess(crop=5), (1, 5, 5)).values)
    # 3 columns are missing: one goes left, two right
    assert got == [0, 9, 9, 0, 0] * 5


def test_padding_and_cropping_at_once(save):
    image = gradient(9, 2, "L")
    got = levels(load(save(image), Preprocess(crop=4, mode="grey"), (1, 4, 4)).values)
    rows = [list(image.crop((2, row, 6, row + 1)).tobytes()) for row in range(2)]  # round(2.5) is 2
    assert got == [0] * 4 + rows[0] + rows[1] + [0] * 4


def test_an_overridden_input_scales_resize_and_crop(save):
    image = gradient(60, 40)
    got = load(save(image), Preprocess(resize=20, crop=16), (3, 32, 32))
    twice = image.resize((60, 40), Image.Resampling.BILINEAR)
    assert levels(got.values) == channel_first(twice.crop((14, 4, 46, 36)))


def test_resize_alone_covers_the_input_and_is_cut_to_it(save):
    image = gradient(60, 40)
    got = load(save(image), Preprocess(resize=20), (3, 20, 20))
    cut = image.resize((30, 20), Image.Resampling.BILINEAR).crop((5, 0, 25, 20))
    assert levels(got.values) == channel_first(cut)


@given(
    st.integers(1, 40), st.integers(1, 40), st.none() | st.integers(1, 30), st.none() | st.integers(1, 30),
    st.integers(1, 30), st.integers(1, 30), st.sampled_from([1, 3]),
)  # fmt: skip
def test_any_combination_fills_the_input(
    tmp_path_factory, width, height, resize, crop, down, across, channels
):
    path = tmp_path_factory.getbasetemp() / "any.png"
    Image.new("RGB", (width, height), "white").save(path)
    picture = load(path, Preprocess(resize=resize, crop=crop), (channels, down, across))
    assert picture.shape == (channels, down, across)
    assert len(picture.values) == channels * down * across


def test_grey_and_colour_networks_read_either(save):
    colour = save(Image.new("RGB", (1, 1), (200, 100, 50)), "c.png")
    grey = save(Image.new("L", (1, 1), 77), "g.png")
    luma = (200 * 299 + 100 * 587 + 50 * 114) / 1000
    assert levels(load(colour, PLAIN, (1, 1, 1)).values) == [round(luma)]
    assert levels(load(colour, GREY, (3, 1, 1)).values) == [round(luma)] * 3
    assert levels(load(grey, PLAIN, (3, 1, 1)).values) == [77, 77, 77]


# --- kinds of files -----------------------------------------------------------------------------------------


def one_pixel(path: Path) -> list[int]:
    return levels(load(path, PLAIN, (3, 1, 1)).values)


def test_transparency_is_laid_on_white(save):
    assert one_pixel(save(Image.new("RGBA", (1, 1), (0, 100, 200, 0)))) == [255, 255, 255]
    assert one_pixel(save(Image.new("RGBA", (1, 1), (0, 100, 255, 51)))) == [204, 224, 255]
    assert one_pixel(save(Image.new("LA", (1, 1), (0, 51)))) == [204] * 3


def test_a_transparent_palette_colour(save):
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    path = save(image, transparency=1)
    assert levels(load(path, PLAIN, (3, 1, 2)).values) == [10, 255, 20, 255, 30, 255]
    path = save(image, "bytes.png", transparency=bytes([255, 0]))
    assert levels(load(path, PLAIN, (3, 1, 2)).values) == [10, 255, 20, 255, 30, 255]


@pytest.mark.parametrize(
    ("image", "name", "expected"),
    [
        (Image.new("1", (1, 1), 1), "p.png", [255] * 3),
        (Image.new("P", (1, 1), 0), "p.png", [0] * 3),
        (Image.new("I;16", (1, 1), 0x80FF), "p.png", [128] * 3),
        (Image.new("I;16", (1, 1), 0x80FF), "p.tiff", [128] * 3),
        (Image.new("I", (1, 1), 257 * 51), "p.tiff", [51] * 3),
        (Image.new("I", (1, 1), 51), "p.tiff", [51] * 3),
        (Image.new("F", (1, 1), 0.2), "p.tiff", [51] * 3),
        (Image.new("CMYK", (1, 1), (0, 255, 255, 0)), "p.tiff", [255, 0, 0]),
        (Image.new("YCbCr", (1, 1), (128, 128, 128)), "p.jpg", [128] * 3),
    ],
)
def test_other_kinds_of_pixels(save, image, name, expected):
    assert one_pixel(save(image, name)) == pytest.approx(expected, abs=1)


def test_exif_orientation(save):
    image = gradient(5, 3)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned a quarter clockwise
    picture = load(save(image, exif=exif), PLAIN, (3, 5, 3))
    assert picture.size == (3, 5)
    assert levels(picture.values) == channel_first(image.transpose(Image.Transpose.ROTATE_270))


def test_an_animation_gives_its_first_frame(save):
    red, blue = (Image.new("RGB", (1, 1), colour) for colour in ("red", "blue"))
    path = save(red, "a.gif", save_all=True, append_images=[blue, red])
    assert one_pixel(path) == [255, 0, 0]
    assert load(path, PLAIN, (3, 1, 1)).note == "the first of 3 frames is used"


# --- what is refused ----------------------------------------------------------------------------------------


def refused(path, shape=(3, 4, 4), preprocess=PLAIN) -> ImageError:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ImageError) as caught:
            load(path, preprocess, shape)
    return caught.value


def encoded(image: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"hello", "not an image that can be read"),
        (b"<svg></svg>", "not an image that can be read"),
        (encoded(gradient(40, 30), "PNG")[:900], "damaged or cut short"),
        (encoded(gradient(40, 30), "JPEG")[:900], "damaged or cut short"),
        (encoded(gradient(40, 30), "PNG").replace(b"IDAT", b"IDOT"), "PNG"),
        (b"P5 0 0 255\n", ""),
        (b"P5 1000000 1000000 255\n", "has more than"),
    ],
)
def test_bad_files(tmp_path, content, message):
    path = tmp_path / "bad.png"
    path.write_bytes(content)
    error = refused(path)
    assert message in str(error)
    assert str(path) in str(error)


def test_paths_that_are_no_file(tmp_path):
    assert "no such file" in str(refused(tmp_path / "none.png"))
    assert "a directory" in str(refused(tmp_path))
    assert "cannot be opened" in str(refused("a\0b"))


@pytest.mark.parametrize("factor", [1.5, 3])  # Pillow only warns below twice its limit
def test_more_pixels_than_pillow_allows(save, monkeypatch, factor):
    path = save(Image.new("L", (50, 60)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", round(3000 / factor))
    assert f"more than {round(3000 / factor):,} pixels" in str(refused(path))


def test_a_picture_that_grows_beyond_measure(save):
    path = save(Image.new("L", (1, 60_000)))
    error = refused(path, (3, 224, 224), Preprocess(resize=256, crop=224))
    assert "would be 256×15360000" in str(error)
    assert "too long and thin" in str(error)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((3, 10), "2 spatial dimensions, but this network's input is 3×10, with 1"),
        ((1, 4, 4, 4), "with 3"),
        ((2, 4, 4), "1 channel (grey) or 3 (red, green, blue), but this network's input 2×4×4 has 2"),
        ((3, 0, 4), "no picture can be made to fit"),
        ((3, 100_000, 100_000), "no picture can be made to fit"),
    ],
)
def test_networks_that_read_no_pictures(save, shape, message):
    assert message in str(refused(save(gradient(4, 4)), shape))


def test_normalisation_that_does_not_fit(save):
    path = save(gradient(4, 4))
    assert "mean has 2 values for 3 channel" in str(refused(path, preprocess=Preprocess(mean=(1, 2))))
    assert "std is 0" in str(refused(path, preprocess=Preprocess(std=(0.0,))))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "TGA", "ICO"])
def test_damaged_files_are_read_or_refused(tmp_path, kind):
    """No exception but ImageError, and no warning, whatever bytes are changed or missing."""
    sound, source = encoded(gradient(24, 17), kind), random.Random(kind)
    for _ in range(60):
        content = bytearray(sound[: source.choice([len(sound), source.randrange(len(sound))])] or b"x")
        for _ in range(source.randrange(4)):
            content[source.randrange(min(len(content), 120))] = source.randrange(256)
        path = tmp_path / "damaged"
        path.write_bytes(content)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with contextlib.suppress(ImageError):
                load(path, PLAIN, (3, 5, 7))


# --- digits -------------------------------------------------------------------------------------------------


def drawn_seven(width=28, height=28, box=(8, 4, 20, 24), thick=3) -> Image.Image:
    """A white 7 on black, 20 pixels high."""
    image = Image.new("L", (width, height))
    left, top, right, bottom = box
    draw = ImageDraw.Draw(image)
    draw.rectangle((left, top, right - 1, top + thick - 1), fill=255)
    draw.line((right - 1 - thick // 2, top, left + thick, bottom - 1), fill=255, width=thick)
    return image.crop((0, 0, width, height))


def mnist_like() -> list[int]:
    """The 7, shifted to where its centre of mass is on row and column 14, in a field of 28×28."""
    image = drawn_seven()
    ink = [(x, y) for y in range(28) for x in range(28) if image.getpixel((x, y))]
    across, down = (round(14 - sum(axis) / len(ink)) for axis in zip(*ink, strict=True))
    moved = Image.new("L", (28, 28))
    moved.paste(image, (across, down))
    return list(moved.tobytes())


def read_digit(path: Path, side: int = 28) -> list[int]:
    return levels(load(path, DIGIT, (1, side, side)).values)


def difference(one: list[int], other: list[int]) -> float:
    """The mean difference in levels, by pixels of ink."""
    return sum(abs(a - b) for a, b in zip(one, other, strict=True)) / max(1, sum(map(bool, other)))


def test_an_mnist_digit_is_left_as_it_is(save):
    assert read_digit(save(drawn_seven())) == mnist_like()


def test_a_larger_input_has_the_digit_in_its_middle(save):
    got = read_digit(save(drawn_seven()), 32)
    rows = [got[32 * row : 32 * row + 32] for row in range(32)]
    assert [row[2:30] for row in rows[2:30]] == [mnist_like()[28 * row : 28 * row + 28] for row in range(28)]
    assert sum(map(sum, rows)) == sum(mnist_like())


def test_much_larger_and_smaller_inputs_scale_it(save):
    path = save(drawn_seven())
    for side in (12, 64):
        got = read_digit(path, side)
        assert len(got) == side * side
        assert max(got) > 200


GUISES = {
    "inverted": ImageOps.invert,
    "5 times larger": lambda image: image.resize((140, 140), Image.Resampling.NEAREST),
    "in a corner": lambda image: ImageOps.expand(image, (0, 150, 170, 0)),
    "in the other corner": lambda image: ImageOps.invert(ImageOps.expand(image, (170, 0, 0, 150))),
    "yellow on white": lambda image: ImageOps.colorize(image, "white", "yellow"),
    "green on red of one brightness": lambda image: ImageOps.colorize(image, "#820000", "#004200"),
    "grey on grey": lambda image: image.point([100 + level // 5 for level in range(256)]),
    "black on nothing": lambda image: Image.merge("RGBA", [*[Image.new("L", image.size)] * 3, image]),
    "white on nothing": lambda image: Image.merge("RGBA", [*[Image.new("L", image.size, 255)] * 3, image]),
    "its own transparency": lambda image: Image.merge("RGBA", [image] * 4),
    "opaque": lambda image: Image.merge("LA", [ImageOps.invert(image), Image.new("L", image.size, 255)]),
    "palette": lambda image: image.convert("P"),
    "1 bit": lambda image: image.convert("1"),
}  # fmt: skip


@pytest.mark.parametrize("guise", GUISES)
def test_a_digit_in_any_guise(save, guise):
    got = read_digit(save(GUISES[guise](drawn_seven())))
    assert difference(got, mnist_like()) < 4


def test_a_drawing_in_a_large_picture_is_scaled_into_the_box(save):
    image = drawn_seven(900, 700, box=(300, 100, 540, 500), thick=60)
    got = read_digit(save(ImageOps.invert(image)))
    assert difference(got, mnist_like()) < 80  # the lines of the small one are not smooth
    rows = [row for row in range(28) if any(level > 30 for level in got[28 * row : 28 * row + 28])]
    assert len(rows) == 20


def test_hairlines_are_thickened(save):
    image = drawn_seven(900, 700, box=(300, 100, 540, 500), thick=4)
    got = read_digit(save(image))
    assert max(got) >= 240
    assert sum(got) > 0.5 * sum(mnist_like())


def test_grain_specks_and_uneven_light(save):
    source = random.Random(3)
    ink = drawn_seven(280, 280, box=(80, 40, 200, 240), thick=30)
    image = Image.new("L", ink.size)
    for place in range(280 * 280):
        x, y = place % 280, place // 280
        paper = 210 - x // 5 + source.gauss(0, 5)
        image.putpixel((x, y), max(0, min(255, round(paper - 130 * (ink.getpixel((x, y)) > 0)))))
    for x, y in ((20, 250), (250, 30), (265, 265)):
        image.paste(90, (x, y, x + 3, y + 3))
    got = read_digit(save(image, "p.jpg", quality=50))
    assert difference(got, mnist_like()) < 80
    rows = [row for row in range(28) if any(got[28 * row : 28 * row + 28])]
    assert rows == list(range(rows[0], rows[0] + 20))


def noise(spread: int) -> Image.Image:
    source = random.Random(spread)
    return Image.frombytes("L", (90, 70), bytes(128 + source.randint(-spread, spread) for _ in range(6300)))


def scattered() -> Image.Image:
    image = Image.new("L", (100, 100))
    for place in range(25):
        image.paste(
            255, (place % 5 * 18 + 10, place // 5 * 18 + 10, place % 5 * 18 + 16, place // 5 * 18 + 16)
        )
    return image


@pytest.mark.parametrize(
    ("image", "reason", "remedy"),
    [
        (Image.new("L", (28, 28)), "one colour", "draw darker"),
        (Image.new("RGB", (500, 300), "white"), "one colour", "saved with the picture"),
        (Image.new("RGBA", (40, 40), (0, 0, 0, 0)), "one colour", "draw darker"),
        (Image.new("L", (1, 1), 7), "one colour", "draw darker"),
        (noise(4), "differs from the background by more than 4 of 255", "draw darker"),
        (
            drawn_seven().point([100 + level // 20 for level in range(256)]),
            "by more than 12 of 255",
            "darker",
        ),
        (noise(40), "background is as rough", "plain paper"),
        (noise(127), "background is as rough", "plain paper"),
        (Image.linear_gradient("L"), "no strokes", "evenly lit"),
        (scattered(), "25 separate marks", "cut the picture to the one digit"),
        (ImageOps.expand(scattered(), 2, 255), "25 separate marks", "cut the picture to the one digit"),
    ],
)
def test_pictures_without_a_digit(save, image, reason, remedy):
    error = refused(save(image), (1, 32, 32), DIGIT)
    assert "no digit found" in str(error)
    assert reason in str(error)
    assert remedy in str(error.hint)


@pytest.mark.parametrize(
    "path", sorted(Path(__file__).parents[1].glob("data/digits/*.png")), ids=lambda path: path.stem
)
def test_samples_of_mnist_fill_its_box(path):
    got = read_digit(path)
    ink = [(place // 28, place % 28) for place, level in enumerate(got) if level]
    assert max(max(axis) - min(axis) + 1 for axis in zip(*ink, strict=True)) == 20
    if path.stem.endswith("_0"):
        with Image.open(path) as image:
            assert difference(got, list(image.tobytes())) < 3


# A line around the picture, and no margin. What the same digit gives without them is the witness.

SAMPLES = {str(digit): Path(__file__).parents[1] / f"data/digits/{digit}_0.png" for digit in range(10)}
POLARITIES = {"bright": lambda image: image, "dark": ImageOps.invert}


def sample(digit: str, times: int) -> Image.Image:
    with Image.open(SAMPLES[digit]) as image:
        return image.resize((28 * times, 28 * times), Image.Resampling.BICUBIC)


def cut_to_its_ink(image: Image.Image) -> Image.Image:
    return image.crop(image.point([255 * (level >= 64) for level in range(256)]).getbbox())


def far_apart(got: list[int], wanted: list[int]) -> float:
    """0 for the same digit, 1 for two without a common stroke; a shift of one pixel is no difference."""
    one, other = (Image.frombytes("L", (28, 28), bytes(values)) for values in (got, wanted))
    shifts = [ImageChops.offset(one, x, y) for x in (-1, 0, 1) for y in (-1, 0, 1)]
    return min(sum(ImageChops.difference(moved, other).tobytes()) for moved in shifts) / sum(got + wanted)


LINES = {
    "around": lambda image: ImageOps.expand(image, 2, 255),
    "over the edge": lambda image: Image.composite(
        image, Image.new("L", image.size, 255), ImageOps.expand(ImageOps.crop(Image.new("L", image.size, 255), 2), 2)
    ),
    "with a margin": lambda image: ImageOps.expand(ImageOps.expand(image, 2, 255), 4),
    "grey": lambda image: ImageOps.expand(image, 2, 120),
    "double": lambda image: ImageOps.expand(ImageOps.expand(ImageOps.expand(image, 2, 255), 3), 2, 255),
    "turned": lambda image: ImageOps.expand(ImageOps.expand(image, 3, 255), 6).rotate(
        1.5, Image.Resampling.BICUBIC
    ),
}  # fmt: skip


@pytest.mark.parametrize("polarity", POLARITIES)
@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("digit", SAMPLES)
def test_a_line_around_a_digit_is_none_of_it(save, digit, line, polarity):
    for times in (4,) if line == "turned" else (1, 4):
        image = sample(digit, times)
        plain = read_digit(save(POLARITIES[polarity](image), "plain.png"))
        got = read_digit(save(POLARITIES[polarity](LINES[line](image))))
        assert far_apart(got, plain) < 0.2, times


@pytest.mark.parametrize("polarity", POLARITIES)
@pytest.mark.parametrize("digit", SAMPLES)
def test_a_digit_without_a_margin(save, digit, polarity):
    for times in (1, 4):
        image = sample(digit, times)
        plain = read_digit(save(POLARITIES[polarity](image), "plain.png"))
        tight = cut_to_its_ink(image)
        for room in (0, 1, (0, tight.height // 4)):
            got = read_digit(save(POLARITIES[polarity](ImageOps.expand(tight, room))))
            assert far_apart(got, plain) < 0.2, (times, room)


@pytest.mark.parametrize("polarity", POLARITIES)
def test_bold_strokes_along_the_border(save, polarity):
    """A 2 and a 5 of bars: most of the border is ink, and its median too."""
    for bends in ("right", "left"):
        image = Image.new("L", (110, 150), 255)
        first, second = ((0, 32, 80, 59), (30, 91, 110, 118))
        image.paste(0, first)
        image.paste(0, second)
        image = image if bends == "right" else ImageOps.mirror(image)
        wide = ImageOps.expand(image, 60)
        got = read_digit(save(POLARITIES[polarity](image)))
        assert far_apart(got, read_digit(save(POLARITIES[polarity](wide), "wide.png"))) < 0.05


def test_a_square_0_is_not_taken_for_a_line(save):
    image = Image.new("L", (60, 100), 255)
    image.paste(0, (9, 9, 51, 91))
    wide = ImageOps.expand(image, 50)
    for margin in (4, 10, 20):
        narrow = ImageOps.expand(image, margin)
        assert far_apart(read_digit(save(narrow)), read_digit(save(wide, "wide.png"))) < 0.05


def test_lines_within_lines_end(save):
    """A hundred of them, which are no digit's; each could be cut off in two ways."""
    image = Image.new("L", (400, 400))
    for edge in range(0, 200, 2):
        ImageDraw.Draw(image).rectangle((edge, edge, 399 - edge, 399 - edge), outline=255)
    with contextlib.suppress(ImageError):
        load(save(image), DIGIT, (1, 32, 32))
