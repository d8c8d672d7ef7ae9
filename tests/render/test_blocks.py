"""Matrices as text blocks."""

from __future__ import annotations

import pytest

from convcalc.render import blocks

pytestmark = pytest.mark.quick


def test_each_block_is_measured_once_whatever_its_height(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measuring reads every cell of a block: once per line, a matrix of 200×200 took ten seconds."""
    measured = []
    width = blocks.TextBlock.width.fget
    assert width is not None
    monkeypatch.setattr(
        blocks.TextBlock, "width", property(lambda block: measured.append(block.heading) or width(block))
    )
    for rows in (3, 30):
        measured.clear()
        lines = blocks.beside(
            [blocks.matrix("a", [["1", "2"]] * rows), blocks.matrix("b", [["5"]] * (rows + 1))], None
        )
        assert len(lines) == rows + 2
        assert len(measured) <= 4
    assert "".join(span.text for span in lines[1]) == "1  2    5"
