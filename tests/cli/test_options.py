"""What holds for the options of every command: none is dropped when it is given twice."""

from __future__ import annotations

import json

import click
import pytest
from click.testing import CliRunner

from convcalc.cli import COMMANDS, main


def valued_options() -> list[tuple[str, click.Option]]:
    """Every command's options that take a value; "" is the program itself."""
    root = click.Context(main)
    commands = {"": main, **{name: main.get_command(root, name) for name in COMMANDS}}
    return [
        (name, option)
        for name, command in commands.items()
        for option in command.params
        if isinstance(option, click.Option) and not option.is_flag
    ]


OPTIONS = valued_options()
SINGLE = [(name, option) for name, option in OPTIONS if not option.multiple]


@pytest.mark.parametrize(
    ("name", "option"), SINGLE, ids=[f"{name or 'convcalc'} {option.opts[0]}" for name, option in SINGLE]
)
def test_an_option_given_twice_is_refused(name: str, option: click.Option) -> None:
    """Long or short name, whatever the values, before anything is read."""
    long, short = max(option.opts, key=len), min(option.opts, key=len)
    values = ["1"] * option.nargs
    result = CliRunner().invoke(main, [*name.split(), long, *values, short, *values])
    assert result.exit_code == 2
    assert f"{long} is given 2 times and takes one value" in result.output


def test_repeatable_options_say_so() -> None:
    for name, option in OPTIONS:
        if option.multiple:
            assert "repeat" in (option.help or "").lower(), f"{name} {option.opts}"


def test_a_global_option_before_and_behind_the_command_is_given_twice(convcalc) -> None:
    done = convcalc("--color", "never", "show", "lenet5", "--color", "always")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--color is given 2 times and takes one value" in done.stderr


def test_help_is_shown_whatever_else_is_wrong(convcalc) -> None:
    for arguments in (("size", "3", "11", "-F", "3", "-F", "4", "--help"), ("show", "lenet5", "conv1", "-h")):
        done = convcalc(*arguments)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("Usage: ")


def test_a_flag_given_twice_says_the_same(convcalc) -> None:
    assert convcalc("show", "lenet5", "--all", "--all").stdout == convcalc("show", "lenet5", "--all").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show", "lenet5", "conv1"), "'conv1' is an argument too many: --layer conv1 explains a layer"),
        (("show", "alexnet", "zfnet"), "convcalc diff compares two networks"),
        (("field", "lenet5", "conv1"), "--layer conv1 names the layer"),
        (("show", "alexnet", "--set", "F1=7", "--set", "F1=5"), "F1 is set twice: to 7 and to 5"),
        (
            ("diff", "alexnet", "zfnet", "--set-a", "F1=7", "--set-a", "F1=5"),
            "F1 is set twice: to 7 and to 5",
        ),
        (("worksheet", "sheet.csv"), "to mark it: convcalc worksheet --check sheet.csv"),
    ],
)
def test_what_sibling_commands_take_is_hinted_at(convcalc, arguments: tuple[str, ...], said: str) -> None:
    done = convcalc(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_an_image_before_the_network(convcalc) -> None:
    digit = "tests/data/digits/7_0.png"
    swapped = json.loads(convcalc("forward", digit, "lenet5", "--format", "json").stdout)
    assert (swapped["name"], swapped["image"], swapped["top"][0]["label"]) == ("lenet5", digit, "7")


def test_several_layers_are_explained_in_the_order_of_the_network(convcalc) -> None:
    arguments = ("show", "lenet5", "--layer", "dense2", "--layer", "conv1")
    shown = convcalc(*arguments).stdout
    assert [line.split()[0] for line in shown.splitlines() if line and line[0] != " "] == ["conv1", "dense2"]
    value = json.loads(convcalc(*arguments, "--format", "json").stdout)
    assert [layer["name"] for layer in value["layers"]] == ["conv1", "dense2"]
    done = convcalc("show", "lenet5", "--layer", "conv1", "--layer", "dense4")
    assert (done.returncode, "no layer 'dense4'" in done.stderr) == (2, True)


def test_choices_that_load_nothing_are_those_of_the_analysis():
    """`show` offers them without loading what they are for."""
    from convcalc.analysis.groups import BY
    from convcalc.analysis.training import OPTIMIZERS
    from convcalc.api import choices

    assert tuple(choices.groupings()) == BY
    assert tuple(choices.optimizers()) == tuple(OPTIMIZERS)
