"""`convcalc docs` on a terminal, through a pager, and piped."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from convcalc.manual.topics import docs
from tests.conftest import on_terminal


@pytest.fixture
def pager(tmp_path: Path) -> Path:
    """A pager that says what it was called with and what it read."""
    script = tmp_path / "pager"
    script.write_text('#!/bin/sh\necho "PAGER $# $1"\nsed "s/^/> /"\n', encoding="utf-8")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return script


def test_piped_it_is_the_markdown_of_the_file(convcalc) -> None:
    done = convcalc("docs", "conv")
    assert (done.returncode, done.stdout) == (0, docs("conv").text)


def test_without_a_topic_it_shows_the_contents(convcalc) -> None:
    assert convcalc("docs").stdout == docs().text


def test_on_a_terminal_it_goes_through_the_pager(pager: Path) -> None:
    screen = on_terminal(["docs", "language"], 80, PAGER=f"{pager} --option")
    assert screen.startswith("PAGER 1 --option\n> The spec language")


def test_less_is_told_to_take_colours(pager: Path) -> None:
    less = pager.rename(pager.parent / "less")
    screen = on_terminal(
        ["docs", "language"], 80, PAGER="", PATH=f"{less.parent}{os.pathsep}{os.environ['PATH']}"
    )
    assert screen.startswith("PAGER 2 -R\n> The spec language")


def test_what_fits_the_screen_needs_no_pager(pager: Path) -> None:
    assert "PAGER" not in on_terminal(["docs", "identity"], 80, PAGER=str(pager))


def test_no_pager_prints_at_once(pager: Path) -> None:
    assert on_terminal(["docs", "language", "--no-pager"], 80, PAGER=str(pager)).startswith(
        "The spec language"
    )


def test_without_the_pager_named_it_is_printed() -> None:
    assert on_terminal(["docs", "language"], 80, PAGER="no-such-pager").startswith("The spec language")


def test_a_pager_left_before_the_end_is_no_error() -> None:
    assert on_terminal(["docs", "language"], 80, PAGER="true") == ""


def test_a_pager_with_an_open_quotation_mark_is_passed_over(pager: Path) -> None:
    less = pager.rename(pager.parent / "less")
    path = f"{less.parent}{os.pathsep}{os.environ['PATH']}"
    assert on_terminal(["docs", "language"], 80, PAGER="'less", PATH=path).startswith("PAGER 2 -R")


def test_screens_in_a_page_are_not_broken(run_screen) -> None:
    """A row of a shown table stays one line on a narrow terminal."""
    row = next(line for line in docs("start").text.splitlines() if line.startswith("conv1     conv K96"))
    assert f"    {row}\n" in run_screen(["docs", "start", "--no-pager"], 80)


def test_no_color_has_no_escapes(run_screen) -> None:
    assert "\x1b" not in run_screen(["docs", "conv", "--no-pager"], 80)


def test_colour_on_request_even_when_piped(convcalc) -> None:
    assert "\x1b[" in convcalc("docs", "conv", "--color", "always").stdout


def test_search_shows_topic_line_heading_and_text(convcalc) -> None:
    done = convcalc("docs", "--search", "dilation")
    assert done.returncode == 0
    assert any(line.startswith("conv ") and "Fields" in line for line in done.stdout.splitlines())


def test_search_takes_no_topic(convcalc) -> None:
    done = convcalc("docs", "conv", "--search", "dilation")
    assert done.returncode == 2
    assert "--search looks in every topic" in done.stderr


def test_a_misspelled_topic_is_wrong_usage(convcalc) -> None:
    done = convcalc("docs", "langauge")
    assert done.returncode == 2
    assert "did you mean 'language'?" in done.stderr


def test_a_commands_name_leads_to_its_help(convcalc) -> None:
    done = convcalc("docs", "forward")
    assert done.returncode == 2
    assert "convcalc forward --help" in done.stderr


def test_operators_leads_to_the_contents(convcalc) -> None:
    assert convcalc("docs", "operators").stdout == docs().text


def test_topics_are_completed(convcalc) -> None:
    done = convcalc(_CONVCALC_COMPLETE="bash_complete", COMP_WORDS="convcalc docs le", COMP_CWORD="2")
    assert done.stdout.split() == ["plain,leaky_relu", "plain,lecture"] or done.stdout.split() == [
        "plain,lecture",
        "plain,leaky_relu",
    ]
