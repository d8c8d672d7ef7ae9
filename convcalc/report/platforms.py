"""Worksheets as questions for learning platforms: Moodle's XML, and QTI 1.2.

Moodle's format is described at docs.moodle.org (Moodle XML format). QTI: IMS Question & Test Interoperability 1.2, one
`questestinterop` with an assessment, which Canvas, Ilias and others import. Numbers and shapes are marked by the
platform, known mistakes with their reason as feedback; what is marked by computing (a design) is left to the teacher,
with a solution beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from xml.sax.saxutils import escape, quoteattr

from convcalc.exercises.question import Question
from convcalc.exercises.question_sheets import QuestionSheet
from convcalc.exercises.worksheet import HINTS, Exercise, Sheet
from convcalc.report.questions import question_text, topic, typed_answer
from convcalc.report.worksheet import worked

Mistakes = Mapping[
    str, Sequence[tuple[Any, str]]
]  # by the exercise's key: wrong answers, and what led to them
MAX_MISTAKES = 8  # of a question


class PlatformItem(NamedTuple):
    """A question for a platform. accepted: the right answers as they may be typed, () where a person marks; solution:
    worked out; mistakes: wrong answers with their reason."""

    title: str
    text: str
    numeric: bool
    accepted: tuple[str, ...]
    solution: str
    hint: str
    mistakes: tuple[tuple[str, str], ...]


def exercise_key(exercise: Exercise | Question) -> str:
    """A name for it that no other exercise of the sheet has."""
    return f"{exercise.network or 'layer'}-{exercise.name}-{exercise.asks}"


def items(sheet: Sheet | QuestionSheet, mistakes: Mistakes) -> list[PlatformItem]:
    """The sheet's questions."""
    return [_item(exercise, mistakes.get(exercise_key(exercise), ())) for exercise in sheet.exercises]


def _item(exercise: Exercise | Question, mistakes: Sequence[tuple[Any, str]]) -> PlatformItem:
    answer = exercise.answer
    accepted = () if isinstance(answer, str) else tuple(dict.fromkeys(_forms(exercise)))
    wrong: dict[str, str] = {}
    for value, why in mistakes:
        wrong.setdefault(_typed(value), why)
    hint = exercise.hint if isinstance(exercise, Question) else HINTS[exercise.asks]
    named = exercise.name if isinstance(exercise, Question) or not exercise.network else exercise.node.name
    return PlatformItem(
        f"{named}, {topic(exercise)}",
        question_text(exercise),
        isinstance(answer, int),
        accepted,
        worked(exercise),
        hint,
        tuple(list(wrong.items())[:MAX_MISTAKES]),
    )


def _typed(answer: Any) -> str:
    """`6x28x28` of a shape; as it is typed of anything else."""
    return typed_answer(answer).replace("×", "x")


def _forms(exercise: Exercise | Question) -> list[str]:
    """The right answer as it may be typed: shapes with the channels first and last."""
    answer: Any = exercise.answer
    if isinstance(answer, int):
        return [str(answer)]
    if isinstance(answer[0], tuple):
        return [typed_answer(answer)]
    orders = [answer]
    if exercise.asks == "output" and len(answer) > 1:
        orders.append((*answer[1:], answer[0]))
    if exercise.asks == "field" and len(set(answer)) == 1:
        orders.append(answer[:1])
    return [sign.join(map(str, order)) for order in orders for sign in ("x", "×", " x ", " × ", ", ")]


# -- Moodle ----------------------------------------------------------------------------------------------------


def moodle(sheet: Sheet | QuestionSheet, mistakes: Mistakes) -> str:
    """The sheet as Moodle's XML: `Question bank`, `Import`."""
    parts = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        "<quiz>",
        '  <question type="category">',
        f"    <category><text>$course$/top/{escape(sheet.title.replace('/', '//'))}</text></category>",
        "  </question>",
    ]
    for item in items(sheet, mistakes):
        parts += _moodle_question(item)
    return "\n".join([*parts, "</quiz>", ""])


def _moodle_question(item: PlatformItem) -> list[str]:
    kind = "essay" if not item.accepted else "numerical" if item.numeric else "shortanswer"
    lines = [
        f'  <question type="{kind}">',
        f"    <name><text>{escape(item.title)}</text></name>",
        f'    <questiontext format="plain_text"><text>{escape(item.text)}</text></questiontext>',
        f'    <generalfeedback format="plain_text"><text>{escape(item.solution)}</text></generalfeedback>',
        "    <defaultgrade>1</defaultgrade>",
    ]
    if kind == "essay":
        lines += [
            "    <responseformat>editor</responseformat>\n    <responserequired>1</responserequired>",
            f'    <graderinfo format="plain_text"><text>{escape(item.solution)}</text></graderinfo>',
        ]
    if kind == "shortanswer":
        lines.append("    <usecase>0</usecase>")
    for text in item.accepted:
        lines += _moodle_answer(text, 100, "", item.numeric)
    for text, why in item.mistakes if item.accepted else ():
        lines += _moodle_answer(text, 0, why, item.numeric)
    hint = f'    <hint format="plain_text"><text>{escape(item.hint)}</text></hint>'
    return [*lines, hint, "  </question>"]


def _moodle_answer(text: str, fraction: int, feedback: str, numeric: bool) -> list[str]:
    tolerance = "<tolerance>0</tolerance>" if numeric else ""
    shown = text if numeric else text.replace("*", r"\*")  # a * stands for anything there
    return [
        f'    <answer fraction="{fraction}" format="plain_text"><text>{escape(shown)}</text>{tolerance}',
        f'      <feedback format="plain_text"><text>{escape(feedback)}</text></feedback>',
        "    </answer>",
    ]


# -- QTI 1.2 ---------------------------------------------------------------------------------------------------

NAMESPACE = "http://www.imsglobal.org/xsd/ims_qtiasiv1p2"


def qti(sheet: Sheet | QuestionSheet, mistakes: Mistakes) -> str:
    """The sheet as QTI 1.2."""
    name = f"convcalc-{sheet.network or 'questions'}-{sheet.seed if sheet.seed is not None else 'all'}"
    parts = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<questestinterop xmlns="{NAMESPACE}">',
        f"  <assessment ident={quoteattr(name)} title={quoteattr(sheet.title)}>",
        '    <section ident="root_section">',
    ]
    for number, item in enumerate(items(sheet, mistakes), 1):
        parts += _qti_item(item, f"question-{number}")
    return "\n".join([*parts, "    </section>", "  </assessment>", "</questestinterop>", ""])


def _qti_item(item: PlatformItem, ident: str) -> list[str]:
    kind = (
        "essay_question"
        if not item.accepted
        else "numerical_question"
        if item.numeric
        else "short_answer_question"
    )
    render = '<render_fib fibtype="Integer">' if item.numeric else "<render_fib>"
    conditions = [
        '          <respcondition continue="Yes"><conditionvar><other/></conditionvar>'
        '<displayfeedback feedbacktype="Response" linkrefid="general_fb"/></respcondition>'
    ]
    conditions += [_qti_condition(text, 100, "", item.numeric) for text in item.accepted]
    feedback = [(f"mistake-{number}", why) for number, (_, why) in enumerate(item.mistakes, 1)]
    if item.accepted:
        conditions += [
            _qti_condition(text, 0, name, item.numeric)
            for (text, _), (name, _) in zip(item.mistakes, feedback, strict=True)
        ]
    else:
        feedback = []
    return [
        f"      <item ident={quoteattr(ident)} title={quoteattr(item.title)}>",
        "        <itemmetadata><qtimetadata>",
        _qti_metadata("question_type", kind),
        _qti_metadata("points_possible", "1"),
        "        </qtimetadata></itemmetadata>",
        "        <presentation>",
        f'          <material><mattext texttype="text/plain">{escape(item.text)}</mattext></material>',
        f'          <response_str ident="response1" rcardinality="Single">{render}<response_label ident="answer1"/>'
        "</render_fib></response_str>",
        "        </presentation>",
        "        <resprocessing>",
        '          <outcomes><decvar maxvalue="100" minvalue="0" varname="SCORE" vartype="Decimal"/></outcomes>',
        *conditions,
        "        </resprocessing>",
        _qti_feedback("general_fb", item.solution),
        *(_qti_feedback(name, why) for name, why in feedback),
        "      </item>",
    ]


def _qti_metadata(label: str, entry: str) -> str:
    return (
        f"          <qtimetadatafield><fieldlabel>{label}</fieldlabel><fieldentry>{entry}</fieldentry>"
        "</qtimetadatafield>"
    )


def _qti_condition(text: str, score: int, feedback: str, numeric: bool) -> str:
    case = "" if numeric else ' case="No"'
    shown = f'<displayfeedback feedbacktype="Response" linkrefid="{feedback}"/>' if feedback else ""
    return (
        f'          <respcondition continue="No"><conditionvar><varequal respident="response1"{case}>{escape(text)}'
        f'</varequal></conditionvar><setvar action="Set" varname="SCORE">{score}</setvar>{shown}</respcondition>'
    )


def _qti_feedback(name: str, text: str) -> str:
    return (
        f'        <itemfeedback ident="{name}"><flow_mat><material><mattext texttype="text/plain">{escape(text)}'
        "</mattext></material></flow_mat></itemfeedback>"
    )
