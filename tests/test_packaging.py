"""Bundled architectures are found from a checkout, an editable install and a wheel installed elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SHOW = "import convcalc; print(convcalc.load('torchvision/resnet18').totals.params)"
RESNET18 = "11689512"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)],
        check=True,
        capture_output=True,
    )
    (path,) = out.glob("*.whl")
    return path


def test_the_wheel_holds_what_a_user_needs_and_no_more(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {
        "convcalc/architectures/alexnet.yaml",
        "convcalc/architectures/catalogue.csv",
        "convcalc/architectures/lenet5.safetensors",
        "convcalc/architectures/torchvision/resnet18.yaml",
        "convcalc/py.typed",
        "convcalc/docs/index.md",
        "convcalc/docs/operators/conv.md",
        "convcalc/page/page.css",
        "convcalc/page/page.html",
        "convcalc/page/script/main.js",
    } <= names
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"convcalc"}


def test_the_sdist_is_enough_to_build_and_test_from(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)],
        check=True,
        capture_output=True,
    )
    (path,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for wanted in (
        "convcalc/docs/start.md",
        "architectures/alexnet.yaml",
        "tests/conftest.py",
        ".ci/run",
        "README.md",
        "LICENSE",
    ):
        assert wanted in names


def test_an_installed_wheel(wheel: Path, tmp_path: Path) -> None:
    """Unpacked by pip into a folder of its own, run from another, with nothing of the checkout in sight."""
    target = tmp_path / "site"
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target), str(wheel)],
        check=True,
        capture_output=True,
    )
    env = {**os.environ, "PYTHONPATH": str(target)}
    done = subprocess.run(
        [sys.executable, "-c", SHOW + "; print(convcalc.__file__)"],
        cwd=tmp_path, env=env, capture_output=True, text=True, check=True,
    )  # fmt: skip
    params, file = done.stdout.split()
    assert params == RESNET18
    assert Path(file).is_relative_to(target)


def test_a_checkout(tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", SHOW], cwd=tmp_path, env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [RESNET18]


def test_an_editable_install(tmp_path: Path) -> None:
    """The wheel that an editable install puts into site-packages, unpacked into a folder of its own."""
    built = subprocess.run(
        [sys.executable, "-c", f"import hatchling.build as b; print(b.build_editable({str(tmp_path)!r}))"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    target = tmp_path / "site"
    zipfile.ZipFile(tmp_path / built.stdout.split()[-1]).extractall(target)
    # the dependencies are this environment's: only where convcalc itself is found is at stake
    packages = [path for path in sys.path if path.endswith("site-packages")]
    start = (
        "import site, sys; "
        f"sys.path[:] = [path for path in sys.path if path not in {packages!r}]; "
        f"site.addsitedir({str(target)!r}); sys.path += {packages!r}"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"{start}; {SHOW}; print(convcalc.__file__)"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    params, file = done.stdout.split()
    assert params == RESNET18
    assert Path(file).is_relative_to(ROOT)
