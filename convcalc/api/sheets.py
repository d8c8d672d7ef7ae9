"""Views of worksheets: a single worksheet, or different versions for a class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from convcalc.render.formats import FORMATS
from convcalc.render.view import FolderView, Look, View

if TYPE_CHECKING:
    from convcalc.analysis.analyse import Analysis
    from convcalc.exercises.question_sheets import QuestionSheet
    from convcalc.exercises.versions import Versions
    from convcalc.exercises.worksheet import Sheet

# Learning-platform formats with their file suffix. The files contain the answers, so their separate key is a CSV file.
PLATFORMS = {"moodle": ".xml", "qti": ".xml"}


def sheet_view(sheet: Sheet | QuestionSheet, answers: bool) -> View[Any]:
    """The view of a worksheet, or of its key if `answers`."""
    from convcalc.exercises.question_sheets import QuestionSheet

    look = (
        _questions_look(sheet, answers) if isinstance(sheet, QuestionSheet) else _layers_look(sheet, answers)
    )
    return View(sheet, look._replace(texts={**look.texts, **_platforms(sheet)}))


def _layers_look(sheet: Sheet, answers: bool) -> Look:
    from convcalc.report import worksheet as report

    return Look(
        summary=lambda: report.sheet_summary(sheet),
        value=lambda: report.sheet_value(sheet, answers=answers),
        tables=lambda: [report.sheet_table(sheet, answers=answers)],
        texts={
            "html": lambda: report.page_html(sheet, answers=answers),
            "latex": lambda: report.page_latex(sheet, answers=answers),
            "markdown": lambda: report.page_markdown(sheet, answers=answers),
        },
    )


def _questions_look(sheet: QuestionSheet, answers: bool) -> Look:
    from convcalc.report import questions as report

    return Look(
        summary=lambda: f"Worksheet {sheet.title}: {report.questions_subtitle(sheet)}",
        value=lambda: report.questions_value(sheet, answers=answers),
        tables=lambda: [report.questions_table(sheet, answers=answers)],
        texts={
            "html": lambda: report.questions_html(sheet, answers=answers),
            "latex": lambda: report.questions_latex(sheet, answers=answers),
        },
    )


def _platforms(sheet: Sheet | QuestionSheet) -> Mapping[str, Callable[[], str]]:
    """The writers for learning platforms, which give feedback on known mistakes."""
    from convcalc.exercises.marking import known_mistakes
    from convcalc.report import platforms as report

    def mistakes() -> Mapping[str, Any]:
        return {report.exercise_key(exercise): known_mistakes(exercise) for exercise in sheet.exercises}

    return {
        "moodle": lambda: report.moodle(sheet, mistakes()),
        "qti": lambda: report.qti(sheet, mistakes()),
    }


def versions_view(found: Versions) -> View[Versions]:
    """The view of a class's worksheets: `save` writes a folder with the sheets, and their keys in its folder `keys`."""
    from convcalc.report import versions as report

    def files(form: str) -> Mapping[str, bytes]:
        key_form = "csv" if form in PLATFORMS else form
        key_ending = FORMATS[key_form].suffixes[0]
        ending = PLATFORMS.get(form, key_ending)
        made = {}
        for name, sheet in found.sheets:
            made[f"{name}{ending}"] = sheet_view(sheet, answers=False).to_text(form).encode()
            made[f"keys/{name}{key_ending}"] = sheet_view(sheet, answers=True).to_text(key_form).encode()
        return made

    look = Look(
        summary=lambda: report.versions_summary(found),
        value=lambda: report.versions_value(found),
        tables=lambda: [report.versions_table(found)],
    )
    return FolderView(found, look, files)


def worksheet_view(
    analysis: Analysis | None, *, versions: int | None = None, answers: bool = False, **options: Any
) -> View[Any]:
    """The view of a worksheet, or of this many versions. options: those of `exercises.versions.any_sheet`."""
    from convcalc.errors import UsageError
    from convcalc.exercises import versions as exercises

    if versions is None:
        return sheet_view(exercises.any_sheet(analysis, **options), answers)
    if answers:
        raise UsageError(
            "--versions writes the keys too, in a folder of their own", hint="leave --answers out"
        )
    return versions_view(exercises.versions(versions, analysis, **options))
