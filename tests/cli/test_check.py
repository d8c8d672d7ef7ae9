"""`convcalc check`: exit codes, the JSON contract, reports for CI, revisions of Git, the hook and the action."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from tests.conftest import ROOT, environment

SMALL, BEFORE, WRONG = (f"tests/data/check/{name}.yaml" for name in ("small", "before", "wrong"))
git_is_there = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def test_exit_codes(convcalc):
    assert convcalc("check", BEFORE).returncode == 0
    assert convcalc("check", SMALL).returncode == 1
    assert convcalc("check", SMALL, "--max-params", "8k", "--max-macs", "1M").returncode == 0
    assert convcalc("check", BEFORE, "--strict").returncode == 1
    assert convcalc("check", BEFORE, "--max-layers", "9").returncode == 1


def test_a_spec_in_error_is_reported_and_the_others_are_checked(convcalc):
    done = convcalc("check", WRONG, "tests/data/check/nowhere.yaml", SMALL)
    assert done.returncode == 1
    assert f"{WRONG}:4:24: no field 'kernal' for conv" in done.stdout
    assert "nowhere.yaml: no such file" in done.stdout
    assert "params 7,625 over the budget of 5,000" in done.stdout
    assert "Check of 3 specs: 3 failed" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([SMALL, "--max-param", "3"], "No such option '--max-param'"),
        ([SMALL, "--max-params", "many"], "--max-params needs the largest number allowed, not 'many'"),
        ([SMALL, "--max-param-bytes", "3 macs"], "--max-param-bytes needs the largest size allowed"),
        ([SMALL, "--ignore", "dropped_pixel"], "did you mean 'dropped_pixels'?"),
        ([SMALL, "--max-growth", "5%"], "--max-growth needs --against"),
        ([SMALL, "--against", BEFORE, "--max-growth", "5"], "--max-growth 5: needs a percentage"),
        ([SMALL, BEFORE, "--against", BEFORE], "one file to compare several specs with"),
        (["lenet5", "--against", "main"], "lenet5 is no file of a spec in a repository"),
        (["-", "-"], "only one of the specs can come from standard input"),
        ([SMALL, "--set", "mots=3"], "the spec has no variable 'mots'"),
        ([], "Missing argument 'SPEC...'"),
    ],
)
def test_wrong_usage(convcalc, arguments, message):
    done = convcalc("check", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stdout == ""


def test_json_has_the_contracts_keys(convcalc):
    done = convcalc("check", SMALL, WRONG, "--against", "HEAD", "--format", "json")
    if done.returncode == 2:  # the tests of a package without its repository
        done = convcalc("check", SMALL, WRONG, "--format", "json")
    value = json.loads(done.stdout)
    assert value.keys() >= {"passed", "specs", "conventions"}
    small, wrong = value["specs"]
    keys = {"name", "file", "passed", "figures", "budget", "growth", "lints", "error"}
    assert small.keys() == wrong.keys() >= keys
    for verdict in small["budget"]:
        assert verdict.keys() == {"quantity", "limit", "value", "passed", "line", "largest", "remedies"}
        assert all(costly.keys() >= {"layer", "value", "line"} for costly in verdict["largest"])
    for lint in small["lints"]:
        assert lint.keys() >= {"lint", "layer", "line", "severity", "message", "silenced"}
    assert small["error"] is None
    assert wrong["error"].keys() >= {"line", "column", "message", "hint"}
    assert (wrong["error"]["line"], wrong["error"]["column"]) == (4, 24)
    grown = json.loads(convcalc("check", SMALL, "--against", BEFORE, "--format", "json").stdout)
    for growth in grown["specs"][0]["growth"]:
        assert growth.keys() >= {"quantity", "before", "after", "limit", "passed"}
        assert growth["limit"] is None
        assert growth["passed"]


def test_annotations_escape_what_github_reads(convcalc, tmp_path):
    """GitHub's runner decodes %25, %0D, %0A everywhere, and %3A and %2C in properties."""
    path = tmp_path / "a,b:100%.yaml"
    path.write_text(
        "name: t\ninput: [3, 9, 9]\nbudget: {params: 1}\nlayers:\n  - conv: {filters: 4, kernel: 2}\n"
    )
    lines = convcalc("check", str(path), "--format", "github").stdout.splitlines()
    commands = [re.fullmatch(r"::(error|warning) ([^:]*)::(.*)", line) for line in lines[:-1]]
    assert all(commands)
    properties = dict(part.split("=", 1) for part in commands[0][2].split(","))
    name = properties["file"].replace("%3A", ":").replace("%2C", ",").replace("%25", "%")
    assert name == str(path)
    assert properties["line"] == "3"
    message = commands[0][3].replace("%0A", "\n").replace("%25", "%")
    assert message.startswith("params 52 over the budget of 1 by 51 (5100.0 %)\nmost in conv1: 52")
    assert dict(part.split("=", 1) for part in commands[1][2].split(","))["line"] == "5"


def test_junit_is_xml_whatever_the_names(convcalc, tmp_path):
    path = tmp_path / "net.yaml"
    path.write_text(
        'name: "<&\\a\\uFFFF>"\ninput: [3, 9, 9]\nbudget: {params: 1}\nlayers:\n  - conv: {filters: 4, kernel: 2}\n'
    )
    done = convcalc("check", str(path), SMALL, WRONG, "--format", "junit")
    root = ElementTree.fromstring(done.stdout)
    assert root.tag == "testsuites"
    assert [suite.get("name") for suite in root] == [str(path), SMALL, WRONG]
    assert [suite.get("failures") for suite in root] == ["1", "2", "1"]
    for suite in root:
        assert len(suite.findall("testcase")) == int(suite.get("tests"))
        assert len(suite.findall("testcase/failure")) == int(suite.get("failures"))
    failure = root[1].find("testcase[@name='budget: params']/failure").text
    assert f"wide: 5,784 ({SMALL}:15)" in failure


def test_standard_input_is_checked_at_the_budgets_input(convcalc):
    text = (
        "name: t\ninput: [2, 6, 7]\nlayers: [relu]\n"
        "budget: {activation_bytes: 100, batch: 5, dtype: float16, input: [2, 3, 11]}\n"
    )
    done = convcalc("check", "-", "--format", "json", stdin=text)
    assert done.returncode == 1, done.stderr
    (spec,) = json.loads(done.stdout)["specs"]
    assert spec["file"] == "<stdin>"
    assert spec["figures"]["activation_bytes"] == 5 * 2 * 2 * 3 * 11
    assert spec["budget"][0]["line"] == 4
    assert any(text.startswith("an input of 2×") for text in spec["budget"][0]["remedies"])


def test_an_input_that_does_not_fit_is_an_error_of_the_spec(convcalc, tmp_path):
    path = tmp_path / "net.yaml"
    path.write_text(
        "name: t\ninput: [3, 9, 9]\nbudget: {params: 9k, input: [3, 2, 9]}\nlayers:\n"
        "  - conv: {filters: 4, kernel: 3}\n"
    )
    done = convcalc("check", str(path), SMALL, "--max-params", "9k", "--max-macs", "1M")
    assert done.returncode == 1
    assert f"{path}:5:" in done.stdout
    assert "a window of 3 does not fit an axis of 2" in done.stdout
    assert f"{SMALL}  passed" in done.stdout


def test_several_inputs(convcalc, tmp_path):
    path = tmp_path / "net.yaml"
    path.write_text(
        "name: t\ninputs: {left: [3, 9, 8], right: [3, 9, 8]}\n"
        "budget: {activation_bytes: 1k, input: {left: [3, 5, 7], right: [3, 5, 7]}}\n"
        "layers:\n  - concat: {from: [left, right]}\n"
    )
    done = convcalc("check", str(path), "--format", "json")
    spec = json.loads(done.stdout)["specs"][0]
    assert spec["inputs"] == [[3, 5, 7], [3, 5, 7]]
    assert spec["figures"]["activation_bytes"] == 6 * 5 * 7 * 4
    other = convcalc(
        "check", str(path), "--input", "left=3x4x6", "--input", "right=3x4x6", "--format", "json"
    )
    assert json.loads(other.stdout)["specs"][0]["figures"]["activation_bytes"] == 6 * 4 * 6 * 4


# -- Git ------------------------------------------------------------------------------------------------------

BASE = """\
name: base
vars: {filters: 8}
input: [3, 15, 20]
layers:
  - conv: {name: stem, filters: $filters, kernel: 3}
"""
EXTENDING = "name: net\nextends: parts/base.yaml\n"
NESTING = """\
name: outer
input: [3, 15, 20]
budget: {params: 500}
layers:
  - network: {name: backbone, arch: parts/base.yaml}
  - conv: {name: head, filters: 5, kernel: 1}
"""


def git(folder: Path, *arguments: str) -> str:
    identity = {
        f"GIT_{who}_{what}": value
        for who in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "Ada"), ("EMAIL", "ada@example.org"))
    }
    done = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**environment(), **identity, "HOME": str(folder.parent), "GIT_CONFIG_NOSYSTEM": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def commit(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_yaml", ".yaml")
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "nets")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two specs that read a third; the last commit doubles the third's filters."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "--quiet")
    commit(
        folder,
        nets__net_yaml=EXTENDING,
        nets__outer_yaml=NESTING,
        nets__parts__base_yaml=BASE,
    )
    commit(folder, nets__parts__base_yaml=BASE.replace("filters: 8", "filters: 16"))
    return folder


def run(folder: Path, command: list[str], **extra: str) -> subprocess.CompletedProcess[str]:
    """A command in the folder, with `convcalc` on its path."""
    programs = folder.parent / "bin"
    programs.mkdir(exist_ok=True)
    program = programs / "convcalc"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m convcalc "$@"\n')
    program.chmod(0o755)
    own = environment()
    return subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        env={**own, "PATH": f"{programs}:{own['PATH']}", "PYTHONPATH": str(ROOT), **extra},
    )


@git_is_there
def test_a_revision_is_read_with_the_files_that_a_spec_reads(repository):
    done = run(repository, ["convcalc", "check", "nets/net.yaml", "nets/outer.yaml", "--against", "HEAD~1",
                            "--max-growth", "5%", "--format", "json"])  # fmt: skip
    assert done.returncode == 1, done.stderr
    net, outer = json.loads(done.stdout)["specs"]
    growth = {change["quantity"]: change for change in net["growth"]}
    # 8 filters of 3·3·3 with a bias each, and 16
    assert (growth["params"]["before"], growth["params"]["after"]) == (224, 448)
    assert growth["params"]["limit"] == 235  # 5% of 224 is 11.2
    assert growth["params"]["largest"] == [
        {"layer": "stem", "value": 224, "file": "nets/parts/base.yaml", "line": 5}
    ]
    inner = {change["quantity"]: change for change in outer["growth"]}
    assert (inner["params"]["before"], inner["params"]["after"]) == (224 + 45, 448 + 85)
    assert not outer["passed"]


@git_is_there
def test_a_revision_from_within_a_folder(repository):
    done = run(
        repository / "nets", ["convcalc", "check", "net.yaml", "--against", "HEAD~1", "--max-growth", "100%"]
    )
    assert done.returncode == 0, done.stderr
    assert "+100.00%" in done.stdout


@git_is_there
def test_what_a_revision_does_not_have_is_not_compared(repository):
    (repository / "nets" / "new.yaml").write_text(BASE)
    done = run(repository, ["convcalc", "check", "nets/new.yaml", "--against", "HEAD", "--max-growth", "0%"])
    assert done.returncode == 0
    assert "note: not in HEAD: nothing to compare with" in done.stdout


@git_is_there
@pytest.mark.parametrize(
    ("revision", "message"),
    [
        ("nowhere", "--against nowhere: the repository has no such revision"),
        ("-x", "--against -x: not a revision"),
        ("--upload-pack=touch x", "not a revision"),
        ("HEAD:nets", "--against HEAD:nets: the repository has no such revision"),
        ("a\tb", "not a revision"),
        ("", "not a revision"),
    ],
)
def test_revisions_that_there_are_not(repository, revision, message):
    done = run(repository, ["convcalc", "check", "nets/net.yaml", f"--against={revision}"])
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("Error") == 1
    assert {path.name for path in repository.iterdir()} == {".git", "nets"}


@git_is_there
def test_no_repository(tmp_path):
    (tmp_path / "net.yaml").write_text(BASE)
    done = run(
        tmp_path,
        ["convcalc", "check", "net.yaml", "--against", "main"],
        GIT_CEILING_DIRECTORIES=str(tmp_path.parent),
    )
    assert done.returncode == 2
    assert "is in no Git repository" in done.stderr


def test_no_git(tmp_path):
    (tmp_path / "net.yaml").write_text(BASE)
    done = run(
        tmp_path,
        [sys.executable, "-m", "convcalc", "check", "net.yaml", "--against", "main"],
        PATH=os.devnull,
    )
    assert done.returncode == 2
    assert "git cannot be started" in done.stderr


# -- the hook and the action ----------------------------------------------------------------------------------

BUDGETED = """\
name: budgeted
input: [3, 24, 32]
budget:
  params: 6k
layers:
  - conv: {name: stem, filters: 16, kernel: 3, bias: false}
  - batchnorm
  - conv: {name: body, filters: 32, kernel: 3}
"""


@pytest.fixture
def guarded(tmp_path: Path) -> Path:
    """A repository with two specs, one with a budget, in two commits: the second breaks the budget."""
    folder = tmp_path / "guarded"
    folder.mkdir()
    git(folder, "init", "--quiet")
    commit(folder, nets__budgeted_yaml=BUDGETED, nets__other_yaml=BASE, README="no spec")
    commit(folder, nets__budgeted_yaml=BUDGETED.replace("name: body, filters: 32", "name: body, filters: 48"))
    return folder


def hook(folder: Path) -> subprocess.CompletedProcess[str]:
    """The hook's command on the files that it asks for, as pre-commit calls it."""
    (entry,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    files = [name for name in git(folder, "ls-files").splitlines() if re.search(entry["files"], name)]
    assert files == ["nets/budgeted.yaml", "nets/other.yaml"]
    return run(folder, [*shlex.split(entry["entry"]), *entry.get("args", []), *files])


def action(folder: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
    """The action's step `check` with these inputs and the others' defaults."""
    text = (ROOT / ".github/actions/convcalc-check/action.yml").read_text()
    described = yaml.safe_load(text)
    values = {name: given.get("default", "") for name, given in described["inputs"].items()} | inputs
    step = next(step for step in described["runs"]["steps"] if step["name"] == "check")
    variables = {
        name: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda found: values[found[1]], value)
        for name, value in step["env"].items()
    }
    assert "${{" not in step["run"], "inputs reach the script as variables only"
    return run(folder, ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]], **variables)


# 32 filters of 16·9 and a bias: 4,640; the stem 432, the norm 32
BROKEN = "params 7,424 over the budget of 6,000 by 1,424"


@git_is_there
def test_the_hook_fails_on_the_commit_that_breaks_the_budget(guarded):
    done = hook(guarded)
    assert done.returncode == 1
    assert f"nets/budgeted.yaml:4: {BROKEN}" in done.stdout
    assert "body: 6,960 (nets/budgeted.yaml:8)" in done.stdout
    git(guarded, "checkout", "--quiet", "HEAD~1")
    assert hook(guarded).returncode == 0


@git_is_there
@pytest.mark.skipif(shutil.which("bash") is None, reason="the action's shell is bash")
def test_the_action_fails_on_the_commit_that_breaks_the_budget(guarded):
    done = action(guarded, specs="nets/**/*.yaml")
    assert done.returncode == 1, done.stderr
    assert (
        "::error file=nets/budgeted.yaml,line=4,title=budgeted%3A params over budget::params 7,424"
        in done.stdout
    )
    assert "::error file=nets/budgeted.yaml,line=8," in done.stdout
    assert "body: 6,960 of 7,424 params" in done.stdout
    grown = action(
        guarded, specs="nets/other.yaml\nnets/budgeted.yaml", against="HEAD~1", **{"max-growth": "50%"}
    )
    assert grown.returncode == 1
    git(guarded, "checkout", "--quiet", "HEAD~1")
    assert action(guarded, specs="nets/**/*.yaml").returncode == 0
    # the bias of `body` stays, so nothing is found until a normalisation follows it
    loose = BUDGETED + "  - batchnorm\n"
    (guarded / "nets" / "budgeted.yaml").write_text(loose)
    strict = action(guarded, specs="nets/*.yaml", strict="true")
    assert strict.returncode == 1
    assert "title=budgeted%3A bias_before_normalisation::body:" in strict.stdout
    silenced = action(guarded, specs="nets/*.yaml", strict="true", ignore="bias_before_normalisation")
    assert silenced.returncode == 0, silenced.stdout
    assert action(guarded, specs="none/*.yaml").returncode == 2


def test_the_action_installs_the_repository_that_it_is_in():
    folder = ROOT / ".github/actions/convcalc-check"
    step = yaml.safe_load((folder / "action.yml").read_text())["runs"]["steps"][0]
    assert '"$ACTION/../../.."' in step["run"]
    assert (folder / "../../.." / "pyproject.toml").exists()


def test_an_unknown_budget_key_is_wrong_usage(convcalc, tmp_path):
    (tmp_path / "net.yaml").write_text("budget: {prams: 3}\ninput: [1, 4, 5]\nlayers: [relu]\n")
    done = convcalc("check", tmp_path / "net.yaml")
    assert done.returncode == 2
    assert "net.yaml:1:10: no key 'prams' in budget; did you mean 'params'?" in done.stdout + done.stderr
