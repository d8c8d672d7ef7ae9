"""Worksheets for learning platforms, read back by a parser."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest

import convcalc
from convcalc.exercises.marking import mark

QTI = {"q": "http://www.imsglobal.org/xsd/ims_qtiasiv1p2"}
SHEETS: dict[str, Any] = {
    "network": lambda: convcalc.load("alexnet").worksheet(
        blank="output,weights,biases,params,macs,field,memory"
    ),
    "layers": lambda: convcalc.worksheet(amount=12, seed=2),
    "questions": lambda: convcalc.worksheet(design=2, field=4, memory=4, backward=8, seed=2),
}


@pytest.mark.parametrize("name", SHEETS)
def test_moodle_takes_the_right_answers_and_names_the_mistakes(name: str) -> None:
    sheet = SHEETS[name]()
    root = ElementTree.fromstring(sheet.to_text("moodle"))
    assert root.tag == "quiz"
    category, *questions = root.findall("question")
    assert (category.get("type"), category.findtext("category/text")) == (
        "category",
        f"$course$/top/{sheet.title}",
    )
    assert len(questions) == len(sheet.exercises)
    for element, exercise in zip(questions, sheet.exercises, strict=True):
        answers = element.findall("answer")
        kind = element.get("type")
        assert element.findtext("name/text")
        assert len(element.findtext("questiontext/text") or "") > 20
        if exercise.asks == "design":
            assert kind == "essay"
            assert exercise.answer in (element.findtext("graderinfo/text") or "")
            continue
        assert kind == ("numerical" if isinstance(exercise.answer, int) else "shortanswer")
        right = [answer.findtext("text") for answer in answers if answer.get("fraction") == "100"]
        assert right
        assert {mark(exercise, text or "").verdict for text in right} == {"right"}
        wrong = [answer for answer in answers if answer.get("fraction") == "0"]
        for answer in wrong:
            found = mark(exercise, answer.findtext("text") or "")
            assert found.verdict == "wrong"
            assert answer.findtext("feedback/text")
        if kind == "numerical":
            assert {answer.findtext("tolerance") for answer in answers} == {"0"}
            assert all((answer.findtext("text") or "").lstrip("-").isdigit() for answer in answers)


@pytest.mark.parametrize("name", SHEETS)
def test_qti_takes_the_right_answers_and_names_the_mistakes(name: str) -> None:
    sheet = SHEETS[name]()
    root = ElementTree.fromstring(sheet.to_text("qti"))
    assert root.tag == f"{{{QTI['q']}}}questestinterop"
    items = root.findall("q:assessment/q:section/q:item", QTI)
    assert len(items) == len(sheet.exercises)
    assert len({item.get("ident") for item in items}) == len(items)
    for item, exercise in zip(items, sheet.exercises, strict=True):
        known = {element.get("ident") for element in item.findall("q:itemfeedback", QTI)}
        linked = {element.get("linkrefid") for element in item.iterfind(".//q:displayfeedback", QTI)}
        assert linked == known
        scored = [
            (
                condition.findtext("q:conditionvar/q:varequal", namespaces=QTI),
                condition.findtext("q:setvar", namespaces=QTI),
            )
            for condition in item.findall("q:resprocessing/q:respcondition", QTI)
            if condition.find("q:setvar", QTI) is not None
        ]
        verdicts = {
            score: {mark(exercise, text or "").verdict for text, scored_as in scored if scored_as == score}
            for score in ("0", "100")
        }
        if exercise.asks == "design":
            assert scored == []
            continue
        assert verdicts["100"] == {"right"}
        assert verdicts["0"] <= {"wrong"}


def test_signs_of_xml_are_escaped(tmp_path: Any) -> None:
    spec = tmp_path / "odd.yaml"
    spec.write_text(
        'name: odd\ntitle: a < b & "c"\ninput: [1, 8, 8]\nlayers: [{conv: {filters: 2, kernel: 3}}]\n'
    )
    for form in ("moodle", "qti"):
        text = convcalc.load(spec).worksheet().to_text(form)
        assert "a < b" not in text
        ElementTree.fromstring(text)
