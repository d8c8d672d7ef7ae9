"""Files written whole or not at all, and the folder where convcalc caches."""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from convcalc.errors import ConvcalcError

# The names of this process's open files: /dev/stdout is where standard output goes, appended to if it appends.
_OPEN_FILE = re.compile(r"/dev/(stdout|stderr)|(?:/dev|/proc/self)/fd/([0-9]{1,9})")
MAX_LINKS = 40  # as Linux has it


def write_whole(path: str, data: bytes | Iterable[bytes]) -> None:
    """Write a file: its new contents are complete before the old ones go, and a failure leaves nothing behind.

    A symbolic link is followed and stays. An existing file keeps its mode and its owner, and its other names (hard
    links) show the new contents; one without write permission is refused. A device, a FIFO or /dev/stdout is
    written into. Raises ConvcalcError where the place cannot be written, BrokenPipeError where a pipe's reader is
    gone.
    """
    parts: Iterable[bytes] = [data] if isinstance(data, bytes) else data
    try:
        opened = _open_file(path)
        if opened is not None:
            _write_into(os.dup(opened), parts)
            return
        target, found = _existing(path)
        if found is None:
            _create(target, parts)
        elif stat.S_ISREG(found.st_mode):
            _check_permission(path, target, found)
            _replace(target, found, parts)
        else:
            _write_into(os.open(target, os.O_WRONLY | getattr(os, "O_NOCTTY", 0)), parts)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ConvcalcError(f"{path or repr(path)}: cannot be written: {error.strerror or error}") from None


def check_place(path: str) -> None:
    """Refuse early what `write_whole` would refuse after the work. Raises ConvcalcError."""
    try:
        if _open_file(path) is not None:
            return
        target, found = _existing(path)
        if found is None:
            os.stat(os.path.dirname(target))
        elif stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        else:
            _check_permission(path, target, found)
    except OSError as error:
        raise ConvcalcError(f"{path or repr(path)}: cannot be written: {error.strerror or error}") from None


@contextmanager
def part_file(folder: str, mode: int = 0o666) -> Iterator[BinaryIO]:
    """A new file in the folder, for what is not complete yet; its name ends in .part.

    Whoever completes it closes and renames it; otherwise it is removed, also on Ctrl-C and SIGTERM.
    """
    name = os.path.join(folder, f".convcalc-{os.urandom(8).hex()}.part")
    try:  # around the opening too: a signal may come at once after it
        with open(name, "xb", opener=lambda place, flags: os.open(place, flags, mode)) as file:
            yield file
    finally:
        with suppress(OSError):
            os.unlink(name)


def remove_stale_parts(folder: str, older: float) -> None:
    """Remove the .part files in the folder that nobody has written to for so many seconds: of killed processes."""
    import time

    with suppress(OSError):
        for entry in os.scandir(folder):
            with suppress(OSError):
                if entry.name.startswith(".") and entry.name.endswith(".part"):
                    found = entry.stat(follow_symlinks=False)
                    if stat.S_ISREG(found.st_mode) and found.st_mtime < time.time() - older:
                        os.unlink(entry.path)


def _open_file(path: str) -> int | None:
    """The descriptor of this process that a path or the links it leads through name, as /dev/stdout does 1."""
    for _ in range(MAX_LINKS):
        match = _OPEN_FILE.fullmatch(os.path.normpath(path))
        if match:
            return int(match[2] or {"stdout": 1, "stderr": 2}[match[1]])
        if "\0" in path or not os.path.islink(path):
            break
        path = os.path.join(os.path.dirname(path), os.readlink(path))
    return None


def _existing(path: str) -> tuple[str, os.stat_result | None]:
    """The path that all links lead to, and what is there."""
    if "\0" in path:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    try:
        return os.path.realpath(path), os.stat(path)
    except FileNotFoundError:
        if not os.path.basename(path):  # no file is called `folder/`
            raise
    return os.path.realpath(path), None


def _check_permission(path: str, target: str, found: os.stat_result) -> None:
    """ConvcalcError for a file that nobody, or not this user, may write: renaming would get around that."""
    if stat.S_ISREG(found.st_mode) and not (found.st_mode & 0o222 and os.access(target, os.W_OK)):
        raise ConvcalcError(
            f"{path}: cannot be written: the file is read-only",
            hint="name another file, or make it writable first",
        )


def _create(target: str, parts: Iterable[bytes]) -> None:
    with part_file(os.path.dirname(target)) as part:
        part.writelines(parts)
        part.close()
        os.replace(part.name, target)


def _replace(target: str, found: os.stat_result, parts: Iterable[bytes]) -> None:
    """Put a new file in the old one's place, or, where that would part it from its other names or its owner,
    copy the complete contents into it."""
    import tempfile

    folder = os.path.dirname(target)
    beside = os.access(folder, os.W_OK)
    with part_file(folder if beside else tempfile.gettempdir(), 0o600) as part:
        part.writelines(parts)
        part.close()
        if not (beside and found.st_nlink == 1 and _take_place(part.name, target, found)):
            _copy_into(target, part.name)


def _take_place(part: str, target: str, found: os.stat_result) -> bool:
    """Rename the part to the target with the target's mode, owner and extended attributes; whether that could be."""
    import shutil

    try:
        made = os.stat(part)
        if (made.st_uid, made.st_gid) != (found.st_uid, found.st_gid):
            os.chown(part, found.st_uid, found.st_gid)
        shutil.copystat(target, part)
        os.utime(part)
        os.replace(part, target)
    except OSError as error:
        if error.errno in (errno.EPERM, errno.EACCES, errno.EBUSY, errno.EXDEV):
            return False
        raise
    return True


def _copy_into(target: str, part: str) -> None:
    """Overwrite the target; the room is there before the first byte changes."""
    import shutil

    with open(part, "rb") as source, open(target, "r+b") as file:
        size, before = os.fstat(source.fileno()).st_size, os.fstat(file.fileno()).st_size
        if size > before and hasattr(os, "posix_fallocate"):
            try:
                os.posix_fallocate(file.fileno(), before, size - before)
            except OSError as error:
                if error.errno == errno.ENOSPC:
                    file.truncate(before)
                    raise
        shutil.copyfileobj(source, file)
        file.truncate(size)


def _write_into(descriptor: int, parts: Iterable[bytes]) -> None:
    """Write to what is no regular file, behind what was printed there before."""
    with open(descriptor, "wb") as file:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        file.writelines(parts)


def cache_directory() -> str:
    """Where files are kept: $CONVCALC_CACHE, else a folder where the platform keeps caches."""
    given = os.environ.get("CONVCALC_CACHE")
    if given:
        return os.path.abspath(os.path.expanduser(given))
    home = os.path.expanduser("~")
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local")
        return os.path.join(base, "convcalc", "Cache")
    if sys.platform == "darwin":
        return os.path.join(home, "Library", "Caches", "convcalc")
    base = os.environ.get("XDG_CACHE_HOME", "")  # which must be absolute, says its specification
    return os.path.join(base if os.path.isabs(base) else os.path.join(home, ".cache"), "convcalc")
