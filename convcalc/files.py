"""Files written whole or not at all, and the folder where convcalc caches, which must be the user's own."""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
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


def with_folders(
    paths: Sequence[str], suffixes: tuple[str, ...], nothing_in: Callable[[str], ConvcalcError]
) -> list[str]:
    """The paths, each folder replaced by the files in it that end in one of the suffixes, by name.

    Raises the error that `nothing_in` makes for a folder without such files.
    """
    found: list[str] = []
    for path in paths:
        if not os.path.isdir(path):
            found.append(path)
            continue
        names = sorted(name for name in os.listdir(path) if name.lower().endswith(suffixes))
        if not names:
            raise nothing_in(path)
        found += [os.path.join(path, name) for name in names]
    return found


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
    """Refuses a file that nobody, or not this user, may write: to rename another into its place gets around that."""
    if not stat.S_ISREG(found.st_mode):
        return
    if not found.st_mode & 0o222:
        raise ConvcalcError(
            f"{path}: cannot be written: the file is read-only",
            hint="name another file, or make it writable first",
        )
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


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


# --- folders that only the user may write into ---------------------------------------------------------------


class NotPrivate(Exception):
    """Somebody else can change what is in a folder of the cache. The message says of which and why; the hint what
    would do."""

    def __init__(self, path: str, why: str, hint: str) -> None:
        super().__init__(f"{path} {why}")
        self.hint = hint


class PrivateFolder:
    """A folder in the cache, open: its files are those of the folder that was checked, whatever is renamed meanwhile.

    Where the system knows owners, neither the cache nor the folder may belong to another user (root is none), or be
    writable for others; of its files the same holds, and what is no regular file is none. Where it does not, as on
    Windows, the platform's place for caches is the user's own.
    """

    def __init__(self, path: str, handle: int | None) -> None:
        self.path = path
        self._handle = handle

    def close(self) -> None:
        """Let go of it."""
        if self._handle is not None:
            os.close(self._handle)

    def read(self, name: str, most: int) -> bytes:
        """A file's bytes. OSError where there is no such file, it is not to be trusted or larger than `most`."""
        flags = (
            os.O_RDONLY
            | getattr(os, "O_NOFOLLOW", 0)
            | getattr(os, "O_NONBLOCK", 0)
            | getattr(os, "O_BINARY", 0)
        )
        handle = os.open(self._at(name), flags, dir_fd=self._handle)
        try:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode) or not_private(found) or found.st_size > most:
                raise PermissionError(errno.EPERM, "not to be trusted", name)
            with open(handle, "rb", closefd=False) as file:
                return file.read(most)
        finally:
            os.close(handle)

    def write(self, name: str, data: bytes) -> None:
        """A file, complete from the moment it is there under its name. OSError where it cannot be written."""
        part = self._at(f".{os.urandom(8).hex()}.part")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        try:
            with open(os.open(part, flags, 0o600, dir_fd=self._handle), "wb") as file:
                file.write(data)
            os.replace(part, self._at(name), src_dir_fd=self._handle, dst_dir_fd=self._handle)
        except BaseException:
            with suppress(OSError):
                os.unlink(part, dir_fd=self._handle)
            raise

    def _at(self, name: str) -> str:
        return os.path.join(self.path, name) if self._handle is None else name


@contextmanager
def private_folder(name: str, make: bool = False) -> Iterator[PrivateFolder]:
    """A folder in the cache directory; make: where it is not there yet, for the user alone.

    Raises NotPrivate, and OSError where it is not there or cannot be made.
    """
    cache = cache_directory()
    if make:
        _make_private(cache, parents=True)
    handle = None
    if os.open in os.supports_dir_fd and hasattr(os, "geteuid"):
        handle = _open_private(cache, name, make)
    elif make:
        _make_private(os.path.join(cache, name))
    folder = PrivateFolder(os.path.join(cache, name), handle)
    try:
        yield folder
    finally:
        folder.close()


def make_private(name: str) -> None:
    """Make a folder in the cache directory, and this, for the user alone; one that is there stays as it is."""
    _make_private(cache_directory(), parents=True)
    _make_private(os.path.join(cache_directory(), name))


def _make_private(path: str, parents: bool = False) -> None:
    if parents and not os.path.exists(os.path.dirname(path)):
        os.makedirs(os.path.dirname(path), exist_ok=True)
    with suppress(FileExistsError):
        os.mkdir(path, 0o700)


def _open_private(cache: str, name: str, make: bool) -> int:
    root = os.open(cache, os.O_RDONLY | os.O_DIRECTORY)
    try:
        # Of a folder that anybody may add to, but not take from, as /tmp is, the folder in it is asked alone.
        found = os.fstat(root)
        _check_private(cache, found, not_private(found, sticky=True))
        if make:
            with suppress(FileExistsError):
                os.mkdir(name, 0o700, dir_fd=root)
        try:
            handle = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=root)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOTDIR):
                path = os.path.join(cache, name)
                raise NotPrivate(path, "is not a folder", "remove it") from None
            raise
    finally:
        os.close(root)
    try:
        found = os.fstat(handle)
        _check_private(os.path.join(cache, name), found, not_private(found))
    except BaseException:
        os.close(handle)
        raise
    return handle


def not_private(found: os.stat_result, sticky: bool = False) -> str:
    """How somebody else can change what was found; empty where nobody can. sticky: a folder in which only owners
    remove and rename will do."""
    if not hasattr(os, "geteuid"):
        return ""
    if found.st_uid not in (os.geteuid(), 0):
        return f"belongs to another user ({_user(found.st_uid)})"
    if found.st_mode & 0o022 and not (sticky and found.st_mode & stat.S_ISVTX):
        return f"may be written by others (mode {stat.S_IMODE(found.st_mode):o})"
    return ""


def _check_private(path: str, found: os.stat_result, why: str) -> None:
    if why:
        own = found.st_uid == os.geteuid()
        remedy = f"chmod go-w '{path}', after a look at what is in it; or " if own else ""
        raise NotPrivate(path, why, f"{remedy}set CONVCALC_CACHE to a folder of your own")


def _user(number: int) -> str:
    try:
        import pwd

        return pwd.getpwuid(number).pw_name
    except (ImportError, KeyError):
        return f"number {number}"
