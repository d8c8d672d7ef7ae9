"""Names in the order in which they can be settled."""

from __future__ import annotations

import pytest

from convcalc.language.order import in_order


@pytest.mark.parametrize(
    ("needs", "circles"),
    [
        ({}, []),
        ({"a": []}, []),
        ({"a": ["b"], "b": ["c"], "c": []}, []),
        ({"a": ["elsewhere"]}, []),
        ({"a": ["a"]}, [["a"]]),
        ({"a": ["b"], "b": ["a"], "c": ["a"], "d": ["c"]}, [["a", "b"]]),
        ({"z": ["a"], "a": ["b"], "b": ["a"]}, [["a", "b"]]),
        ({"a": ["b"], "b": ["a"], "c": ["d"], "d": ["c"]}, [["a", "b"], ["c", "d"]]),
    ],
)
def test_in_order(needs, circles):
    order, found = in_order(needs)
    assert found == circles
    apart = {name for circle in circles for name in circle}
    assert sorted([*order, *apart]) == sorted(needs)
    for place, name in enumerate(order):
        assert all(other in order[:place] or other in apart or other not in needs for other in needs[name])
