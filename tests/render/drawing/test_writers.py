"""Laws of all writers, on generated scenes: they refuse nothing that a layout may make, and change nothing."""

from __future__ import annotations

import io
from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from convcalc.images.rasters import Raster
from convcalc.render.drawing import pdf, png, svg, tikz
from convcalc.render.drawing.palette import FILLS, PAPER, SHADES
from convcalc.render.drawing.scene import Circle, Picture, Placed, Polygon, Polyline, Rectangle, Scene, Text
from tests.render.drawing.scenes import EVERY, HOSTILE

# On the page of 60 by 40 and beside it; small numbers and equal ones are frequent.
places = st.sampled_from([0.0, 0.001, 10.0, 10.5, 59.9]) | st.floats(-100, 200, width=32)
sizes = st.sampled_from([0.0, 0.01, 1.0]) | st.floats(0, 100, width=32)
points = st.tuples(places, places)
roles = st.sampled_from(
    [*FILLS, *PAPER, *[f"conv:{shade}" for shade in SHADES], "ramp:0", "ramp:0.37", "on:conv", "#012345"]
)
perhaps = st.none() | roles
texts = st.text(max_size=30) | st.sampled_from(["conv K64 F3", "64×112×112", "96 → 256", "( \\"])
rasters = st.tuples(st.integers(1, 5), st.integers(1, 4), st.sampled_from([1, 3])).flatmap(
    lambda size: st.builds(
        Raster,
        st.just(size[0]),
        st.just(size[1]),
        st.tuples(*[st.binary(min_size=size[0] * size[1], max_size=size[0] * size[1])] * size[2]),
    )
)
several = st.lists(points, min_size=2, max_size=6).map(tuple)
items = st.one_of(
    st.builds(Rectangle, places, places, sizes, sizes, perhaps, perhaps, sizes, sizes, st.booleans()),
    st.builds(Polygon, several, perhaps, perhaps, sizes),
    st.builds(Circle, places, places, sizes, perhaps, perhaps, sizes),
    st.builds(Polyline, several, roles, sizes, sizes, st.booleans(), st.booleans()),
    st.builds(
        Text,
        places,
        places,
        texts,
        st.floats(1, 40),
        st.booleans(),
        roles,
        st.sampled_from(["start", "middle", "end"]),
        st.none() | st.floats(1, 100),
        st.booleans(),
        st.booleans(),
    ),
    st.builds(Picture, places, places, sizes, sizes, rasters),
)
scenes = st.builds(
    Scene,
    st.just(60),
    st.just(40),
    texts,
    texts,
    st.lists(items, max_size=6).map(tuple),
    st.lists(st.builds(Placed, texts, texts, places, places, places, places), max_size=2).map(tuple),
)


@settings(max_examples=20)
@given(scenes)
def test_every_scene_is_written(scene: Scene) -> None:
    assert ElementTree.fromstring(svg.document(scene).encode()).get("width") == "60"
    ElementTree.fromstring(svg.document(scene, embedded=True, prefix="a-").encode())
    assert Image.open(io.BytesIO(png.image(scene, 90))).size == (90, 60)
    assert pdf.document(scene, 100).endswith(b"%%EOF\n")
    document = tikz.document(scene, 100)
    assert document.isascii()
    assert document.endswith("\\end{document}\n")


def test_the_same_scene_gives_the_same_bytes() -> None:
    """No date, no random name: what is drawn again can be compared, and kept under version control."""
    for scene in (EVERY, HOSTILE):
        assert svg.document(scene) == svg.document(scene)
        assert png.image(scene, 200) == png.image(scene, 200)
        assert pdf.document(scene, 100) == pdf.document(scene, 100)
        assert tikz.document(scene, 100) == tikz.document(scene, 100)
