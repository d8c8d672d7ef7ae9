"""The file of the bundled networks' figures says what their specs give.

After a change to a spec, or with a new one: python -m pytest tests/analysis/test_catalogue.py --update-golden.
"""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest

from convcalc.analysis import catalogue
from convcalc.language import bundled
from convcalc.language.tasks import TASKS

PATH = Path(bundled.directory()) / catalogue.FILE


def test_the_file_says_what_the_specs_give(request: pytest.FixtureRequest) -> None:
    members = bundled.members()
    families = [name for name in bundled.names() if name not in members]
    text = catalogue.to_csv([catalogue.counted(name) for name in members], families)
    if request.config.getoption("--update-golden"):
        PATH.write_text(text, encoding="utf-8")
    assert PATH.read_text(encoding="utf-8") == text, f"{catalogue.FILE}: run with --update-golden"


def test_entries_are_the_networks_the_lecture_s_first() -> None:
    found = [entry.name for entry in catalogue.entries()]
    assert sorted(found) == bundled.members()
    assert found[: len(catalogue.LECTURE)] == list(catalogue.LECTURE)
    assert found[:3] == ["lenet5", "lenet5-paper", "alexnet"]


def test_the_others_by_task_with_families_together() -> None:
    """Each task, each folder in it and each family is one run."""
    others = [entry for entry in catalogue.entries() if entry.name not in catalogue.LECTURE]
    for key in (
        lambda entry: entry.task,
        lambda entry: (entry.task, "/" in entry.name),
        lambda entry: (entry.task, "/" in entry.name, entry.extends[:1] or entry.name),
    ):
        runs = [value for value, _ in itertools.groupby(others, key)]
        assert len(runs) == len(set(runs))
    assert [task for task, _ in catalogue.groups(catalogue.entries())] == [None, *TASKS]
    assert {entry.task for entry in others} == set(TASKS)


def test_a_spec_that_the_file_does_not_know_is_counted(monkeypatch, tmp_path) -> None:
    (tmp_path / "mine.yaml").write_text(
        "name: mine\ninput: [1, 5, 4]\nlayers: [conv: {K: 2, F: 3}]\n", "utf-8"
    )
    (tmp_path / "kin.yaml").write_text("name: kin\nvars: {k: required}\nlayers: [relu]\n", "utf-8")
    (tmp_path / catalogue.FILE).write_text(",".join(catalogue.CatalogueEntry._fields) + "\n", "utf-8")
    monkeypatch.setattr(bundled, "directory", lambda: os.fspath(tmp_path))
    (entry,) = catalogue.entries()
    assert (entry.name, entry.input, entry.params, entry.macs) == ("mine", (1, 5, 4), 2 * 9 + 2, 18 * 3 * 2)
