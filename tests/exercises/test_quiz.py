"""Quizzes: their questions in turn, their answers marked, hints and scores."""

from __future__ import annotations

import pytest

import convcalc
from convcalc.errors import UsageError
from convcalc.exercises.quiz import TOPICS, hint, quiz
from convcalc.report.questions import typed_answer


def test_topics_come_in_turn_and_levels_rise() -> None:
    found = quiz((), "1-4", 12, 5)
    assert [exercise.asks for exercise in found.questions[:5]] == list(TOPICS.values())
    levels = [
        int(exercise.name.removeprefix(f"{exercise.asks}.").split(".")[0]) for exercise in found.questions
    ]
    assert levels == sorted(levels)
    assert {*levels} == {1, 2, 3, 4}
    names = [[exercise.name for exercise in quiz((), "1-4", 12, seed).questions] for seed in (5, 5, 6)]
    assert names[0] == names[1] != names[2]


@pytest.mark.parametrize("topic", TOPICS)
def test_every_topic_at_every_level_takes_its_own_answers(topic: str) -> None:
    for level in range(1, 5):
        found = quiz([topic], level, 8, 3)
        for exercise in found.questions:
            assert hint(exercise)
            found = found.answered(typed_answer(exercise.answer))
        assert (found.right, found.total, found.next) == (8, 8, None)


def test_json_calls_a_topic_as_the_option_does() -> None:
    asked = convcalc.quiz(amount=5, seed=3).to_dict()
    assert [question["topic"] for question in asked["questions"]] == asked["topics"] == list(TOPICS)


def test_macs_are_asked_of_what_has_some() -> None:
    assert all(exercise.answer for exercise in quiz(["macs"], "2-3", 60, 1).questions)


def test_a_hint_is_counted_with_a_right_answer_only() -> None:
    found = quiz(["weights"], 1, 3, 2)
    found = found.answered(typed_answer(found.questions[0].answer), hinted=True)
    found = found.answered("1", hinted=True).answered("")
    assert (found.right, found.hinted, found.total) == (1, 1, 3)
    assert [turn.marked.verdict for turn in found.turns] == ["right", "wrong", "blank"]
    with pytest.raises(UsageError, match="all are answered"):
        found.answered("1")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"topic": "wieghts"}, "did you mean 'weights'"),
        ({"level": 5}, "--level 5"),
        ({"amount": 0}, "--amount 0"),
        ({"amount": 101}, "--amount 101"),
        ({"seed": -1}, "--seed -1"),
    ],
)
def test_what_makes_no_quiz(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        convcalc.quiz(**options)  # type: ignore[arg-type]
