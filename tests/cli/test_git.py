"""git uses convcalc as the manual says: as a difftool, and to turn files into text."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import convcalc
from tests.conftest import ROOT, environment

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")

SPEC = """
name: net
input: [3, 11, 13]
layers:
  - conv: {filters: 4, kernel: 3}
  - relu
  - flatten
  - dense: 7
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with two versions of net.yaml; the second has a larger kernel."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "--quiet")
    for text in (SPEC, SPEC.replace("kernel: 3", "kernel: 5")):
        (folder / "net.yaml").write_text(text)
        git(folder, "add", "net.yaml")
        git(folder, "commit", "--quiet", "--message", "net")
    return folder


@pytest.fixture
def models(repository: Path) -> Path:
    """The repository with two versions of model.onnx, made of those of net.yaml."""
    for version in ("HEAD~1", "HEAD"):
        text = git(repository, "show", f"{version}:net.yaml")
        spec = repository.parent / "net.yaml"
        spec.write_text(text)
        convcalc.load(spec).convert(repository / "model.onnx", force=True)
        git(repository, "add", "model.onnx")
        git(repository, "commit", "--quiet", "--message", f"model of {version}")
    return repository


def git(folder: Path, *arguments: str) -> str:
    """What git prints; nothing outside the folder is read or written."""
    command = folder.parent / "bin" / "convcalc"
    command.parent.mkdir(exist_ok=True)
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m convcalc "$@"\n')
    command.chmod(0o755)
    own = environment()
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
        encoding="utf-8",
        check=False,
        env={
            **own, **identity,
            "PATH": f"{command.parent}:{own['PATH']}", "HOME": str(folder.parent), "GIT_CONFIG_NOSYSTEM": "1",
            "PYTHONPATH": str(ROOT),
        },
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def documented(word: str) -> list[list[str]]:
    """The git commands of the manual's block of shell lines that has the word."""
    text = (ROOT / "convcalc/docs/formats.md").read_text(encoding="utf-8")
    block = next(
        block for block in re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL) if word in block
    )
    return [shlex.split(line)[1:] for line in block.splitlines() if line.startswith("git ")]


def test_difftool(repository: Path) -> None:
    configure, show = documented("difftool")
    git(repository, *configure)
    shown = git(repository, *show)
    assert "F 3 → 5" in shown
    # 3·3·3·4 + 9·11·4·7 = 108 + 2,772 and 5·5·3·4 + 7·9·4·7 = 300 + 1,764
    assert re.search(r"weights +2,880 → 2,064", shown)


def test_textconv(repository: Path) -> None:
    for command in documented("textconv"):
        git(repository, *command)
    (repository / ".gitattributes").write_text("*.yaml diff=convcalc\n")
    shown = git(repository, "diff", "HEAD~1", "--", "net.yaml").splitlines()
    assert "-conv1,conv,input,4x9x11,108,4,112,0,10692,1584,3x3,conv K4 F3,," in shown
    assert "+conv1,conv,input,4x7x9,300,4,304,0,18900,1008,5x5,conv K4 F5,," in shown


def test_model_files_are_compared_as_text(models: Path) -> None:
    assert "Binary files" in git(models, "diff", "HEAD~1", "--", "model.onnx")
    for command in documented("textconv"):
        git(models, *command)
    (models / ".gitattributes").write_text("*.onnx diff=convcalc\n")
    shown = git(models, "diff", "HEAD~1", "--", "model.onnx").splitlines()
    assert "-conv1,conv,input,4x9x11,108,4,112,0,10692,1584,3x3,conv K4 F3,," in shown
    assert "+conv1,conv,input,4x7x9,300,4,304,0,18900,1008,5x5,conv K4 F5,," in shown


def test_difftool_on_model_files(models: Path) -> None:
    configure, show = documented("difftool")
    git(models, *configure)
    shown = git(models, *[word.replace("net.yaml", "model.onnx") for word in show])
    assert "F 3 → 5" in shown
    git(models, "config", "difftool.convcalc.cmd", 'convcalc diff --values "$LOCAL" "$REMOTE"')
    shown = git(models, *[word.replace("net.yaml", "model.onnx") for word in show])
    assert "weight shape 4×3×3×3 → 4×3×5×5" in shown
