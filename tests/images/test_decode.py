"""Which files are images, what decoding one may cost, and strips that together are Pillow's whole."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageOps, features

from convcalc.errors import ImageError
from convcalc.images import decode as decoding
from convcalc.images.decode import FORMATS, ORIENTATION, SUFFIXES, decode, opaque
from convcalc.images.preprocess import Preprocess, load, pixels

ROOT = Path(__file__).parent.parent.parent


def noise(mode: str, width: int, height: int, seed: int = 1) -> Image.Image:
    import random

    source = random.Random(seed)
    size = len(mode.replace("I;16", "xx")) if mode != "P" else 1
    image = Image.frombytes(mode, (width, height), source.randbytes(size * width * height))
    if mode == "P":
        image.putpalette(source.randbytes(768))
    return image


# --- which files ---------------------------------------------------------------------------------------------

EPS = (
    b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n%%EndProlog\n"
    b"0 0 10 10 rectfill\nshowpage\n%%EOF\n"
)


@pytest.fixture
def ghostscript(tmp_path: Path) -> dict[str, str]:
    """An environment whose `gs` leaves a mark, tmp_path/started."""
    (tmp_path / "bin").mkdir()
    for name in ("gs", "gswin64c", "djpeg", "ppmquant"):
        program = tmp_path / "bin" / name
        program.write_text(f"#!/bin/sh\ntouch {tmp_path / 'started'}\n")
        program.chmod(0o755)
    return {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}


@pytest.mark.parametrize("name", ["picture.png", "picture.jpg", "picture.eps", "picture"])
@pytest.mark.parametrize(
    "arguments",
    [
        ("forward", "lenet5"),
        ("apply", "blur"),
        ("field", "alexnet", "--layer", "conv5", "-o", "/dev/null.png", "--image"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_no_image_starts_a_program(
    arguments: tuple[str, ...], name: str, tmp_path: Path, ghostscript: dict[str, str], convcalc
) -> None:
    path = tmp_path / name
    path.write_bytes(EPS)
    done = convcalc(*arguments, str(path), **ghostscript)
    assert done.returncode == 1
    assert "picture" in done.stderr
    assert not (tmp_path / "started").exists()


def test_pillow_would_have_started_it(tmp_path: Path, ghostscript: dict[str, str]) -> None:
    """Else the test above shows nothing."""
    (tmp_path / "picture.png").write_bytes(EPS)
    code = f"from PIL import Image; Image.open({str(tmp_path / 'picture.png')!r}).load()"
    subprocess.run([sys.executable, "-c", code], env={**os.environ, **ghostscript}, capture_output=True)
    assert (tmp_path / "started").exists()


NEEDED = {"WEBP": "webp", "AVIF": "avif", "JPEG2000": "jpg_2000"}


@pytest.mark.parametrize("kind", FORMATS)
def test_each_format_is_read(kind: str, tmp_path: Path) -> None:
    if kind in NEEDED and not features.check(NEEDED[kind]):
        pytest.skip("Pillow was built without it")
    path = tmp_path / "picture"  # its name says nothing
    Image.new("RGB", (40, 30), (200, 100, 50)).save(path, kind)
    assert decode(str(path)).size == (40, 30)


def test_each_format_that_pillow_has_not_is_no_image(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "picture").write_bytes(b"what is this?")
    monkeypatch.setitem(FORMATS, "NONESUCH", decoding.ImageFormat((".none",), 4))
    with pytest.raises(ImageError, match="not an image that can be read"):
        decode(str(tmp_path / "picture"))


@pytest.mark.parametrize("kind", ["TGA", "ICO", "PCX", "SGI", "EPS", "DDS"])
def test_other_formats_are_no_images(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    Image.new("RGB", (16, 16)).save(path, kind)
    with pytest.raises(ImageError, match="not an image that can be read") as caught:
        decode(str(path))
    assert "PNG, JPEG, GIF" in str(caught.value.hint)


def test_there_is_one_list_of_suffixes() -> None:
    texts = {path: path.read_text("utf-8") for path in (ROOT / "convcalc").rglob("*.py")}
    assert [path.name for path, text in texts.items() if re.search(r"""["']\.jpe?g["']""", text)] == [
        "decode.py"
    ]


def test_every_suffix_is_an_image_to_apply_and_in_folders(tmp_path: Path, convcalc) -> None:
    folder = tmp_path / "scans"
    folder.mkdir()
    for suffix in SUFFIXES:
        assert "there is no such file" in convcalc("apply", "blur", f"none{suffix}").stderr
        Image.new("L", (28, 28)).save(folder / f"{suffix[1:]}{suffix.upper()}", "PNG")
    done = convcalc("forward", "lenet5", str(folder))
    assert done.stderr.count("no digit found") == len(SUFFIXES)


# --- strips --------------------------------------------------------------------------------------------------


@pytest.fixture(params=[1, 200, 1 << 18])
def strip_pixels(request: pytest.FixtureRequest, monkeypatch) -> None:
    monkeypatch.setattr(decoding, "STRIP_PIXELS", request.param)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.usefixtures("strip_pixels")
def test_a_turned_picture_in_strips_is_pillows_whole(orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    noise("RGB", 37, 23).save(tmp_path / "a.png", exif=exif)
    upright = ImageOps.exif_transpose(Image.open(tmp_path / "a.png"))
    picture = decode(str(tmp_path / "a.png"))
    assert picture.size == upright.size
    assert picture.reduced(1, lambda strip: strip).tobytes() == upright.tobytes()
    assert picture.reduced(4, lambda strip: strip).tobytes() == upright.reduce(4).tobytes()


@pytest.mark.parametrize("resampling", list(Image.Resampling), ids=lambda filter: filter.name)
@pytest.mark.parametrize("size", [(19, 11), (60, 50), (37, 11), (19, 23), (37, 23), (1, 1)])
@pytest.mark.usefixtures("strip_pixels")
def test_resizing_in_strips_is_pillows_resizing(
    size: tuple[int, int], resampling: Image.Resampling, tmp_path: Path
) -> None:
    image = noise("RGBA", 37, 23)
    image.save(tmp_path / "a.png")
    whole = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    resized = decode(str(tmp_path / "a.png")).resized(size, resampling, opaque)
    assert resized.tobytes() == whole.resize(size, resampling).tobytes()


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_kind_of_pixels_in_strips(mode: str, tmp_path: Path, monkeypatch) -> None:
    noise(mode, 31, 17).save(tmp_path / "a.png")
    whole = load(tmp_path / "a.png", Preprocess(), (3, 9, 9))
    monkeypatch.setattr(decoding, "STRIP_PIXELS", 1)
    assert load(tmp_path / "a.png", Preprocess(), (3, 9, 9)) == whole


def test_a_scaled_picture_is_pillows_thumbnail(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(decoding, "STRIP_PIXELS", 500)
    image = noise("RGB", 640, 480)
    image.save(tmp_path / "a.png")
    picture = pixels(tmp_path / "a.png", 64)
    image.thumbnail((64, 64), Image.Resampling.BOX)
    assert picture.shape == (3, 48, 64)
    assert bytes(map(int, picture.values)) == b"".join(band.tobytes() for band in image.split())
    assert picture.note == "scaled from 640×480 to 64×48"


# --- what decoding may cost ----------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def large_picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """9400×9400 pixels in RGBA, hardly below Pillow's limit: 353 MB once decoded."""
    path = tmp_path_factory.mktemp("large") / "large.png"
    image = Image.new("RGBA", (9400, 9400))
    image.paste((0, 0, 0, 255), (3000, 2000, 6000, 2500))
    image.paste((0, 0, 0, 255), (5500, 2000, 6000, 7500))
    image.save(path, compress_level=1)
    return path


@pytest.mark.parametrize(
    "arguments",
    [("forward", "lenet5"), ("forward", "torchvision/squeezenet1_1"), ("apply", "edges")],
    ids=" ".join,
)
def test_a_picture_of_88_million_pixels_takes_its_own_size_and_little_else(
    arguments: tuple[str, ...], large_picture: Path, measured
) -> None:
    done = measured(*arguments, large_picture)
    assert done.returncode == 0
    assert done.memory < 430e6


@pytest.mark.parametrize(
    ("kind", "options", "cost"),
    [
        ("PNG", {}, 4),
        ("JPEG", {}, 4),
        ("JPEG", {"progressive": True}, 10),
        ("WEBP", {}, 16),
        ("TIFF", {}, 4),
        ("TIFF", {"compression": "tiff_lzw", "tiffinfo": {278: 40}}, 8),
        ("AVIF", {}, 10),
        ("JPEG2000", {}, 20),
    ],
)
def test_pictures_whose_decoder_takes_too_much_are_refused_before_it_does(
    kind: str, options: dict[str, object], cost: int, tmp_path: Path, monkeypatch
) -> None:
    if kind in NEEDED and not features.check(NEEDED[kind]):
        pytest.skip("Pillow was built without it")
    path = tmp_path / "a"
    noise("RGB", 50, 40).save(path, kind, **options)
    monkeypatch.setattr(decoding, "MAX_DECODER_BYTES", cost * 2000)
    decode(str(path))
    monkeypatch.setattr(decoding, "MAX_DECODER_BYTES", cost * 2000 - 1)
    kind = "a progressive JPEG" if options.get("progressive") else kind
    with pytest.raises(ImageError, match=f"more than 1,999 pixels, the most that are read from {kind}"):
        decode(str(path))


def test_more_frames_than_can_be_counted_at_once_are_several(tmp_path: Path) -> None:
    frames = [noise("L", 60, 60, seed) for seed in range(100)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert (tmp_path / "a.gif").stat().st_size > decoding.MAX_COUNTED_BYTES
    assert decode(str(tmp_path / "a.gif")).notes == ["the first of several frames is used"]


def test_a_small_file_of_very_many_pixels_is_refused_at_once(tmp_path: Path, measured) -> None:
    """A decompression bomb."""
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer, packed = zlib.compressobj(1), io.BytesIO()
    for _ in range(20):
        packed.write(packer.compress(bytes(10_000_000)))
    packed.write(packer.flush())
    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 0, 0, 0, 0)
    path = tmp_path / "bomb.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", packed.getvalue())
        + chunk(b"IEND", b"")
    )
    done = measured("forward", "lenet5", path)
    assert done.returncode == 1
    assert "more than 89,478,485 pixels" in done.stderr
    assert done.memory < 100e6


def test_a_long_thin_picture_is_refused(tmp_path: Path) -> None:
    """Scaled to the width first, it would be 224×1,000,000 in between."""
    Image.new("L", (2, 1_000_000)).save(tmp_path / "a.png")
    with pytest.raises(ImageError, match="too long and thin"):
        load(tmp_path / "a.png", Preprocess(), (3, 224, 224))
