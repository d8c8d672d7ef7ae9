"""Views of backward passes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from convcalc.errors import UsageError
from convcalc.render.view import Look, View

if TYPE_CHECKING:
    from convcalc.layer.backward import Backward
    from convcalc.layer.matrices import Typed
    from convcalc.layer.transposed import Transposed
    from convcalc.layer.typed_input import Applied, AppliedPicture
    from convcalc.layer.unroll import Unrolled


def check_backward(backward: bool, **others: object) -> None:
    """Raise UsageError if an option of the backward pass is given without `backward`."""
    given = next((name for name, value in others.items() if value is not None), None)
    if given is not None and not backward:
        raise UsageError(f"--{given} goes with --backward", hint="add --backward")


def backward_view(
    applied: Applied | AppliedPicture, gradient: Typed | None, rate: str | float | None, steps: bool
) -> View[Backward]:
    """The backward pass of an applied operator. Raises UsageError for an image."""
    from convcalc.layer.backward import backward_typed
    from convcalc.layer.typed_input import Applied
    from convcalc.report import backward as report

    if not isinstance(applied, Applied):
        raise UsageError("--backward is for matrices", hint="an image has too many gradients to look at")
    found = backward_typed(applied, gradient, rate, steps=steps)
    look = Look(
        summary=lambda: report.backward_summary(found),
        value=lambda: report.backward_value(found),
        tables=lambda: report.backward_tables(found),
        lines=lambda width: report.backward_lines(found, width),
        texts={"csv": lambda: report.backward_csv(found)},
        file=lambda path: report.backward_file(found, path),
    )
    return View(found, look)


def transposed_view(layer: Unrolled, gradient: Typed | None) -> View[Transposed]:
    """The backward pass of a layer, computed with its transposed matrix. Raises UsageError."""
    from convcalc.layer.transposed import transpose
    from convcalc.report import transposed as report
    from convcalc.report.matrix_file import unrolled_file

    found = transpose(layer, gradient)
    look = Look(
        summary=lambda: report.transposed_summary(found),
        value=lambda: report.transposed_value(found),
        tables=lambda: report.transposed_tables(found),
        lines=lambda width: report.transposed_lines(found, width),
        texts={"csv": lambda: report.transposed_csv(found)},
        file=lambda path: unrolled_file(layer, path, transposed=True),
    )
    return View(found, look)
