"""Files written whole or not at all; what is no regular file is written into; links, modes and owners stay."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from convcalc import files
from convcalc.errors import ConvcalcError
from convcalc.files import check_place, part_file, remove_stale_parts, write_together, write_whole

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes devices and gives files away")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def left_over(folder: Path) -> list[str]:
    return [entry for entry in os.listdir(folder) if entry.endswith(".part")]


def read_fifo(path: Path) -> tuple[threading.Thread, list[bytes]]:
    """A reader of a FIFO, already waiting, and where it puts what comes."""
    os.mkfifo(path)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(path.read_bytes()))
    reader.start()
    return reader, read


# --- what is no regular file ---------------------------------------------------------------------------------


def test_a_fifo_stays_a_fifo_and_its_reader_gets_the_file(tmp_path: Path) -> None:
    reader, read = read_fifo(tmp_path / "pipe")
    write_whole(str(tmp_path / "pipe"), [b"one ", b"two"])
    reader.join(10)
    assert read == [b"one two"]
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


@as_root
def test_a_device_stays_a_device(tmp_path: Path, convcalc) -> None:
    os.mknod(tmp_path / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    done = convcalc("worksheet", "lenet5", "--format", "html", "-o", str(tmp_path / "null"))
    assert done.returncode == 0
    assert stat.S_ISCHR((tmp_path / "null").stat().st_mode)
    assert os.listdir(tmp_path) == ["null"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has a device that is always full")
def test_a_full_device_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "full").symlink_to("/dev/full")
    with pytest.raises(ConvcalcError, match="full: cannot be written: No space left on device"):
        write_whole(str(tmp_path / "full"), b"x")
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "link"])
def test_standard_output_is_added_to(name: str, tmp_path: Path) -> None:
    if not os.path.exists(os.path.dirname(name) or "."):
        pytest.skip(f"this system has no {name}")
    (tmp_path / "link").symlink_to("/dev/stdout")
    code = f"from convcalc.files import write_whole; print('before'); write_whole({name!r}, b'it\\n')"
    with open(tmp_path / "out", "ab") as out:
        out.write(b"kept\n")
        out.flush()
        subprocess.run([sys.executable, "-c", code], cwd=tmp_path, stdout=out, check=True)
    assert (tmp_path / "out").read_text() == "kept\nbefore\nit\n"
    assert (tmp_path / "link").is_symlink()


def test_piped_standard_output(convcalc) -> None:
    plain = convcalc("worksheet", "lenet5", "--format", "csv")
    done = convcalc("worksheet", "lenet5", "--format", "csv", "-o", "/dev/stdout")
    assert (done.stdout, done.returncode) == (plain.stdout, 0)


# --- links, modes, owners ------------------------------------------------------------------------------------


def test_symbolic_links_are_followed_and_stay(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "file").write_bytes(b"old")
    (tmp_path / "second").symlink_to("real/file")
    (tmp_path / "first").symlink_to("second")
    write_whole(str(tmp_path / "first"), b"new")
    assert (tmp_path / "real" / "file").read_bytes() == b"new"
    assert (tmp_path / "first").readlink() == Path("second")
    assert (tmp_path / "second").readlink() == Path("real/file")


def test_a_link_to_nothing_makes_its_target(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("target")
    write_whole(str(tmp_path / "link"), b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"new"


def test_links_in_a_circle_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(ConvcalcError, match="cannot be written: Too many levels of symbolic links"):
        write_whole(str(tmp_path / "a"), b"x")


@pytest.mark.parametrize("kept", [0o600, 0o640, 0o755])
def test_an_existing_file_keeps_its_mode(kept: int, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old and longer")
    path.chmod(kept)
    write_whole(str(path), b"new")
    assert (path.read_bytes(), mode(path)) == (b"new", kept)


@pytest.mark.parametrize(("mask", "expected"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_new_file_gets_the_mode_that_any_new_file_gets(mask: int, expected: int, tmp_path: Path) -> None:
    before = os.umask(mask)
    try:
        write_whole(str(tmp_path / "file"), b"new")
    finally:
        os.umask(before)
    assert mode(tmp_path / "file") == expected


@as_root
def test_an_existing_file_keeps_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    os.chown(path, 1234, 5678)
    write_whole(str(path), b"new")
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 5678)


@pytest.mark.parametrize(("before", "after"), [(b"old", b"new and longer"), (b"old and longer", b"new")])
def test_other_names_of_a_file_show_the_new_contents(before: bytes, after: bytes, tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(before)
    (tmp_path / "other").hardlink_to(tmp_path / "one")
    write_whole(str(tmp_path / "one"), after)
    assert (tmp_path / "other").read_bytes() == after
    assert (tmp_path / "one").samefile(tmp_path / "other")


def test_a_read_only_file_is_refused(tmp_path: Path, convcalc) -> None:
    path = tmp_path / "kept.html"
    path.write_bytes(b"old")
    path.chmod(0o444)
    (tmp_path / "link.html").symlink_to("kept.html")
    for name in ("kept.html", "link.html"):
        done = convcalc("worksheet", "lenet5", "-o", str(tmp_path / name))
        assert done.returncode == 1
        assert f"{name}: cannot be written: the file is read-only" in done.stderr
    assert path.read_bytes() == b"old"
    with pytest.raises(ConvcalcError, match="read-only"):
        check_place(str(path))


def test_a_file_in_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch) -> None:
    """Simulated, as root may write everywhere: the complete contents are copied into the file from elsewhere."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda place, mode: place != str(tmp_path) and allowed(place, mode))
    monkeypatch.setattr(os, "replace", None)  # nothing is renamed
    write_whole(str(path), b"new")
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("failing", ["chown", "replace"])
def test_where_renaming_cannot_be_the_file_is_written_into(failing: str, tmp_path: Path, monkeypatch) -> None:
    """A file of another owner in a folder of ours; one that is a mount point of its own, as in containers."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    inode = path.stat().st_ino

    def refused(*_) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, failing, refused)
    monkeypatch.setattr(files, "_take_place", _with_owner(files._take_place, 4321))
    write_whole(str(path), b"new")
    assert (path.read_bytes(), path.stat().st_ino) == (b"new", inode)
    assert left_over(tmp_path) == []


def _with_owner(take_place, owner: int):
    """As `take_place`, told that the file belongs to this owner."""

    def with_owner(part: str, target: str, found: os.stat_result) -> bool:
        return take_place(part, target, os.stat_result((*found[:4], owner, *found[5:])))

    return with_owner


# --- whole or not at all -------------------------------------------------------------------------------------


def test_data_that_fail_leave_the_old_file(tmp_path: Path) -> None:
    def data():
        yield b"half"
        raise RuntimeError

    for name in ("old", "new"):
        if name == "old":
            (tmp_path / name).write_bytes(b"old")
        with pytest.raises(RuntimeError):
            write_whole(str(tmp_path / name), data())
    assert [entry.name for entry in tmp_path.iterdir()] == ["old"]
    assert (tmp_path / "old").read_bytes() == b"old"


@pytest.mark.parametrize("place", ["folder", "folder/", "nowhere/file", "file/below", "", "new/", "a\0b"])
def test_places_that_cannot_be_written(place: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"old")
    for refuse in (check_place, lambda path: write_whole(path, b"x")):
        with pytest.raises(ConvcalcError, match="cannot be written: ") as caught:
            refuse(place)
        assert str(caught.value).startswith(place.replace("\0", "�") or "''")
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


def test_places_that_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    os.mkfifo(tmp_path / "pipe")
    for path in ("file", "new", "pipe"):
        check_place(str(tmp_path / path))
    check_place("/dev/stdout")
    assert sorted(os.listdir(tmp_path)) == ["file", "pipe"]


def test_a_part_that_nobody_completed_goes(tmp_path: Path) -> None:
    with part_file(str(tmp_path)) as part:
        part.write(b"half")
        assert left_over(tmp_path) == [os.path.basename(part.name)]
    assert os.listdir(tmp_path) == []


def test_stale_parts_are_removed_and_nothing_else(tmp_path: Path) -> None:
    names = [".old.part", ".new.part", "mine.part", ".other"]
    for name in names:
        (tmp_path / name).touch()
        if name != ".new.part":
            os.utime(tmp_path / name, (time.time() - 7200,) * 2)
    remove_stale_parts(str(tmp_path), 3600)
    assert sorted(os.listdir(tmp_path)) == sorted(names[1:])
    remove_stale_parts(str(tmp_path / "nowhere"), 0)


WRITER = """
import sys, time
from convcalc.__main__ import run
from convcalc import files
from convcalc.cli import worksheet

def slowly(path, data):
    def parts():
        yield data
        print("writing", flush=True)
        time.sleep(60)
    return write_whole(path, parts())

write_whole, files.write_whole = files.write_whole, slowly
sys.argv[1:] = ["worksheet", "lenet5", "-o", sys.argv[1]]
run()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda n: n.name)
def test_a_signal_leaves_no_part_file(number: signal.Signals, tmp_path: Path) -> None:
    path = tmp_path / "sheet.html"
    path.write_bytes(b"old")
    command = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"writing\n"
        assert len(left_over(tmp_path)) == 1
        process.send_signal(number)
        assert process.wait(20) == 128 + number
        assert process.stderr.read() == b""
    assert os.listdir(tmp_path) == ["sheet.html"]
    assert path.read_bytes() == b"old"


# --- several files together ------------------------------------------------------------------------------------


def test_several_files_are_there_together(tmp_path: Path) -> None:
    old, new, link = tmp_path / "old", tmp_path / "new", tmp_path / "link"
    old.write_text("before")
    old.chmod(0o640)
    link.symlink_to("old")
    write_together({str(link): lambda: [b"a", b"b"], str(new): lambda: [b"c"]})
    assert (old.read_text(), new.read_text(), mode(old), link.is_symlink()) == ("ab", "c", 0o640, True)
    assert sorted(os.listdir(tmp_path)) == ["link", "new", "old"]


def test_a_failure_in_one_of_several_files_changes_none(tmp_path: Path) -> None:
    def failing() -> list[bytes]:
        raise ConvcalcError("no numbers")

    (tmp_path / "first").write_text("before")
    with pytest.raises(ConvcalcError, match="no numbers"):
        write_together({str(tmp_path / "first"): lambda: [b"after"], str(tmp_path / "second"): failing})
    assert (tmp_path / "first").read_text() == "before"
    assert os.listdir(tmp_path) == ["first"]


@pytest.mark.parametrize("existed", [True, False])
def test_files_put_in_place_before_a_failure_are_put_back(tmp_path: Path, monkeypatch, existed: bool) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    if existed:
        first.write_text("before")
    replace = os.replace

    def refused(source: str, target: str) -> None:
        if target == str(second):
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", refused)
    with pytest.raises(ConvcalcError, match="second: cannot be written: No space left on device"):
        write_together({str(first): lambda: [b"after"], str(second): lambda: [b"x"]})
    monkeypatch.undo()
    assert os.listdir(tmp_path) == (["first"] if existed else [])
    assert not existed or first.read_text() == "before"
