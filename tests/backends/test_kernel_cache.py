"""Compiled kernels on disk: what is loaded is run, so only files of the user's own are, and only whole ones."""

from __future__ import annotations

import json
import os
import stat
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from convcalc.backends.numba.jit import cache

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="owners and modes as POSIX has them")

CODE = ("convcalc.copy", ["numba_unpickle", "memcpy"], b"\x7fELF and more\n with lines\n" * 40)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of kernels, with the kernel `copy` in it."""
    monkeypatch.setenv("CONVCALC_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "_refused", {})
    cache._write("copy", CODE)
    found = tmp_path / "cache" / cache.directory()
    assert [entry.name for entry in found.iterdir()] == ["copy.kernel"]
    return found


@pytest.fixture
def give_away(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Makes a file or folder another user's, or this user another."""

    def give(path: Path) -> None:
        if os.geteuid() == 0:
            os.chown(path, 12345, -1)
        else:
            monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)

    return give


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_was_written_is_read(folder: Path) -> None:
    assert cache._read("copy") == CODE
    assert cache._read("other") is None
    assert cache.notes() == ()


def test_folders_and_files_are_made_for_the_user_alone(folder: Path) -> None:
    assert [mode(path) for path in (folder.parent, folder, folder / "copy.kernel")] == [0o700, 0o700, 0o600]


# --- whose it is ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["cache", "folder"])
@pytest.mark.parametrize("bits", [0o777, 0o770, 0o702])
def test_a_folder_that_others_may_write_is_not_used(folder: Path, place: str, bits: int) -> None:
    path = folder if place == "folder" else folder.parent
    path.chmod(bits)
    assert cache._read("copy") is None
    cache._write("other", CODE)
    assert not (folder / "other.kernel").exists()
    (note,) = cache.notes()  # once, however many kernels there are
    assert note == (
        f"compiled kernels are not kept: {path} may be written by others (mode {bits:o}); "
        f"chmod go-w '{path}', after a look at what is in it; or set CONVCALC_CACHE to a folder of your own"
    )


@pytest.mark.parametrize("place", ["cache", "folder"])
def test_a_folder_of_another_user_is_not_used(
    folder: Path, place: str, give_away: Callable[[Path], None]
) -> None:
    path = folder if place == "folder" else folder.parent
    give_away(path)
    assert cache._read("copy") is None
    cache._write("other", CODE)
    assert not (folder / "other.kernel").exists()
    (note,) = cache.notes()
    assert f"{path if os.getuid() == 0 else folder.parent} belongs to another user (" in note
    assert note.endswith("; set CONVCALC_CACHE to a folder of your own")


def test_a_cache_that_anybody_may_add_to_but_not_take_from_will_do(folder: Path) -> None:
    folder.parent.chmod(0o1777)  # as /tmp is
    assert cache._read("copy") == CODE


def test_a_file_that_others_may_write_or_own_is_as_none(
    folder: Path, give_away: Callable[[Path], None]
) -> None:
    (folder / "copy.kernel").chmod(0o660)
    assert cache._read("copy") is None
    (folder / "copy.kernel").chmod(0o600)
    assert cache._read("copy") == CODE
    if os.geteuid() == 0:  # whoever is not root cannot give a single file away
        give_away(folder / "copy.kernel")
        assert cache._read("copy") is None


def test_a_folder_renamed_after_it_was_checked_is_still_the_one_that_is_read(folder: Path) -> None:
    with cache.private_folder(cache.directory()) as opened:
        folder.rename(folder.with_name("elsewhere"))
        folder.mkdir()
        (folder / "copy.kernel").write_bytes(b"forged")
        assert opened.read("copy.kernel", 1 << 20).startswith(b"{")


# --- what it is ----------------------------------------------------------------------------------------------------


def test_links_are_not_followed(folder: Path, tmp_path: Path) -> None:
    (folder / "copy.kernel").rename(tmp_path / "elsewhere.kernel")
    (folder / "copy.kernel").symlink_to(tmp_path / "elsewhere.kernel")
    assert cache._read("copy") is None
    (folder / "copy.kernel").unlink()
    (tmp_path / "elsewhere.kernel").rename(folder / "copy.kernel")
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    assert cache._read("copy") is None
    assert "is not a folder; remove it" in cache.notes()[0]


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path)])
def test_what_is_no_file_does_not_hang(folder: Path, make: Callable[[Path], None]) -> None:
    (folder / "copy.kernel").unlink()
    make(folder / "copy.kernel")
    found: list[object] = []
    reader = threading.Thread(target=lambda: found.append(cache._read("copy")), daemon=True)
    reader.start()
    reader.join(20)
    assert found == [None]


def test_a_file_put_in_anothers_place_is_as_none(folder: Path) -> None:
    """Also one of other sources, though its own hash is right."""
    (folder / "other.kernel").write_bytes((folder / "copy.kernel").read_bytes())
    (folder / "other.kernel").chmod(0o600)
    assert cache._read("other") is None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cache, "directory", lambda: "kernels-of-old")
        cache._write("copy", CODE)
    (folder.parent / "kernels-of-old" / "copy.kernel").replace(folder / "copy.kernel")
    assert cache._read("copy") is None


def changed(**facts: object) -> Callable[[dict[str, object], bytes], bytes]:
    return lambda head, code: json.dumps(head | facts).encode() + b"\n" + code


@pytest.mark.parametrize(
    "change",
    [
        changed(symbol="convcalc.other"),
        changed(symbol=5),
        changed(needs=[]),
        changed(needs=5),
        changed(needs=[5]),
        changed(needs="memcpy"),
        changed(sha256=None),
        lambda head, code: json.dumps(head).encode() + b"\n" + code[:-1],
        lambda head, code: json.dumps(head).encode() + b"\n" + code.replace(b"ELF", b"ELG", 1),
        lambda head, code: b"[]\n" + code,
        lambda head, code: b"5\n" + code,
        lambda head, code: b"[" * 200_000 + b"\n" + code,
        lambda head, code: b"\xff\xfe\n" + code,
        lambda head, code: b"",
    ],
)
def test_a_damaged_file_is_as_none(folder: Path, change: Callable[[dict[str, object], bytes], bytes]) -> None:
    file = folder / "copy.kernel"
    head, _, code = file.read_bytes().partition(b"\n")
    file.write_bytes(change(json.loads(head), code))
    assert cache._read("copy") is None
    cache._write("copy", CODE)
    assert cache._read("copy") == CODE


def test_a_file_too_large_is_as_none(folder: Path) -> None:
    with open(folder / "copy.kernel", "r+b") as file:
        file.truncate(cache.MAX_FILE + 1)
    assert cache._read("copy") is None


def test_nothing_is_left_of_a_file_that_could_not_be_written(folder: Path) -> None:
    (folder / "other.kernel").mkdir()
    cache._write("other", CODE)
    assert sorted(entry.name for entry in folder.iterdir()) == ["copy.kernel", "other.kernel"]


def test_a_run_says_that_its_kernels_are_not_kept(convcalc, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    digit = Path(__file__).parent.parent / "data" / "digits"
    spec = tmp_path / "tiny.yaml"
    spec.write_text("name: tiny\ninput: [1, 6, 5]\npreprocess: {mode: grey}\nlayers: [relu, flatten]\n")
    done = convcalc(
        "forward", spec, sorted(digit.glob("*.png"))[0], "--backend", "numba", CONVCALC_CACHE=str(tmp_path)
    )
    assert done.returncode == 0, done.stderr
    said = " ".join((done.stdout + done.stderr).split())
    assert "compiled kernels are not kept" in said
    assert "may be written by others (mode 777)" in said
    assert list(tmp_path.iterdir()) == [spec]


# --- who compiles --------------------------------------------------------------------------------------------------


class Pretended(cache.Kernel):
    """A kernel whose code is the number of the process that compiled it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._address = 0
        self.code: cache.Code | None = None

    def load(self) -> bool:
        return False

    def compiled(self) -> cache.Code:
        return self.name, [], str(os.getpid()).encode()

    def take(self, code: cache.Code) -> None:
        self.code = code


def test_processors_share_the_compiling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "processors", lambda: 2)
    kernels = [Pretended(name) for name in ("conv", "pool", "dense")]
    told: list[tuple[int, int, str]] = []
    cache.compile_all([*kernels, kernels[0]], lambda *what: told.append(what))
    codes = [kernel.code for kernel in kernels]
    assert [code[0] for code in codes if code] == ["conv", "pool", "dense"]
    assert all(code and int(code[2]) != os.getpid() for code in codes)
    assert told == [(0, 3, "conv"), (1, 3, "pool"), (2, 3, "dense"), (3, 3, "")]


def test_a_process_with_threads_compiles_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "processors", lambda: 2)
    kernels = [Pretended("conv"), Pretended("pool")]
    rest = threading.Event()
    thread = threading.Thread(target=rest.wait)
    thread.start()
    try:
        cache.compile_all(kernels)
    finally:
        rest.set()
        thread.join()
    assert all(kernel.code and int(kernel.code[2]) == os.getpid() for kernel in kernels)
