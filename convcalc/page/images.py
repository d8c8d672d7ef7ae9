"""With an image: the answer of a network, and the picture as it reads it."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Mapping
from math import isfinite
from typing import TYPE_CHECKING, Any

from convcalc.errors import clean
from convcalc.graph import Graph
from convcalc.inference.runner import Forward
from convcalc.report import words

if TYPE_CHECKING:
    from PIL.Image import Image as Bitmap

MAX_PICTURE = 640  # longest side of the picture in a page, in pixels
JPEG_FROM = 60_000  # bytes of PNG from which a photograph is carried as JPEG


def picture_data(picture: Bitmap) -> str:
    """A picture as a data URI: PNG, or JPEG where that is large."""
    if max(picture.size) > MAX_PICTURE:
        picture = picture.copy()
        picture.thumbnail((MAX_PICTURE, MAX_PICTURE))
    made, kind = _encoded(picture, "PNG"), "png"
    if len(made) > JPEG_FROM:
        made, kind = _encoded(picture, "JPEG", quality=85), "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(made).decode()}"


def _encoded(picture: Bitmap, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, form, optimize=True, **options)
    return file.getvalue()


def fitted_picture(graph: Graph, image: str) -> str:
    """The picture of an image file as the first input reads it, before its values are scaled. Raises ImageError."""
    from convcalc.images.preprocess import Preprocess, fitted

    return picture_data(fitted(image, Preprocess(**(graph.preprocess or {})), graph.input_shape)[0])


def answer(result: Forward, src: str | None) -> dict[str, Any]:
    """The most probable classes, or what the output is."""
    name = clean(os.path.basename(result.image))[:100]
    source = result.weights.source
    origin = f"random weights, seed {result.weights.seed}" if source == "random" else _origin(result)
    said = f"{result.graph.name} on {name}, with {origin}."
    if not result.top:
        said += (
            " Random weights predict nothing: these are shapes and numbers only."
            if source == "random"
            else (f" Its output is {words.shape(result.run.shape)}: numbers, not classes.")
        )
    if source == "model" and result.graph.preprocess is None:
        said += " It does not say how its images are prepared: resized to the input, values 0 to 1."
    return {
        "image": name,
        "src": src,
        "text": said,
        "top": [
            [
                guess.label or f"class {guess.index}",
                guess.probability if isfinite(guess.probability) else None,  # JSON has no NaN
            ]
            for guess in result.top
        ],
    }


def _origin(result: Forward) -> str:
    path = os.path.basename(result.weights.path or "")
    return {"bundled": "the weights that come with it", "model": "the model's weights"}.get(
        result.weights.source, f"the weights of {clean(path)[:100]}"
    )


def with_image(
    value: dict[str, Any], result: Forward, src: str | None, maps: Mapping[int, Any] | None = None
) -> None:
    """Put what an image gave into a network's data."""
    value["answer"] = answer(result, src)
    value["picture"] = src
    value["maps"] = maps or {}
