"""Atomic file writing, and the cache folder, which must be private to the user."""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import BinaryIO

from convcalc.errors import ConvcalcError

# Names of this process's open files. Writing to /dev/stdout must respect redirection and append mode.
_OPEN_FILE = re.compile(r"/dev/(stdout|stderr)|(?:/dev|/proc/self)/fd/([0-9]{1,9})")
MAX_LINKS = 40  # the limit of Linux


def write_whole(path: str, data: bytes | Iterable[bytes]) -> None:
    """Write a file atomically: the old contents stay until the new ones are complete, and a failure leaves nothing
    behind.

    Symbolic links are followed and kept. An existing file keeps its mode, owner and hard links; one without write
    permission is refused. Devices, FIFOs and /dev/stdout are written to directly. Raises ConvcalcError if the file
    cannot be written, BrokenPipeError if a pipe's reader is gone.
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


def write_together(files: Mapping[str, Callable[[], Iterable[bytes]]]) -> None:
    """Write several files, all or none: what fails before all are complete leaves the old ones as they were.

    files: by path, a function that makes the contents in parts. Raises ConvcalcError if one cannot be written.
    """
    if len(files) == 1:
        for path, parts in files.items():
            write_whole(path, parts())
        return
    with ExitStack() as stack:
        complete = []
        for path, parts in files.items():
            try:
                target, found = _existing(path)
                if found is not None:
                    if not stat.S_ISREG(found.st_mode):
                        raise OSError(
                            errno.EINVAL, "one of several files written together is no regular file"
                        )
                    _check_permission(path, target, found)
                part = stack.enter_context(part_file(os.path.dirname(target)))
                part.writelines(parts())
                part.close()
                if found is not None:
                    os.chmod(part.name, stat.S_IMODE(found.st_mode))
            except OSError as error:
                raise ConvcalcError(
                    f"{path or repr(path)}: cannot be written: {error.strerror or error}"
                ) from None
            complete.append((path, target, part.name))
        _put_in_place(complete)


def _put_in_place(complete: Sequence[tuple[str, str, str]]) -> None:
    """Rename complete files to their targets; if one cannot be, those before it are put back."""
    old: list[tuple[str, str | None]] = []  # target, and the name that its old file has meanwhile
    try:
        for path, target, part in complete:
            kept = f"{part}.old" if os.path.exists(target) else None
            try:
                if kept is not None:
                    os.replace(target, kept)
                old.append((target, kept))
                os.replace(part, target)
            except OSError as error:
                raise ConvcalcError(f"{path}: cannot be written: {error.strerror or error}") from None
    except BaseException:
        for target, kept in reversed(old):
            with suppress(OSError):
                if kept is not None:
                    os.replace(kept, target)
                else:
                    os.unlink(target)
        raise
    for _, kept in old:
        if kept is not None:
            os.unlink(kept)


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


def check_folder(folder: str) -> None:
    """Raise ConvcalcError for a folder that holds anything, or that is none; one that is missing may be made."""
    try:
        held = os.listdir(folder)
    except FileNotFoundError:
        return
    except NotADirectoryError:
        raise ConvcalcError(f"{folder}: is no folder", hint="name a new one, or one that is empty") from None
    except OSError as error:
        raise ConvcalcError(f"{folder}: cannot be read: {error.strerror or error}") from None
    if held:
        raise ConvcalcError(
            f"{folder}: the folder is not empty ({min(held)}{', …' if len(held) > 1 else ''})",
            hint="name a new one, or empty it: nothing in it is written over",
        )


def write_folder(folder: str, files: Mapping[str, bytes]) -> None:
    """Write files by their paths in a folder, which is made with the folders in it. Raises ConvcalcError."""
    for name, data in files.items():
        path = os.path.join(folder, *name.split("/"))
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
        except OSError as error:
            raise ConvcalcError(f"{folder}: cannot be made: {error.strerror or error}") from None
        write_whole(path, data)


def check_place(path: str) -> None:
    """Raises ConvcalcError if `write_whole` would fail, before any work is done."""
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
    """A temporary file in the folder, with a name that ends in .part.

    The caller closes and renames it when complete; otherwise it is removed, also on Ctrl-C and SIGTERM.
    """
    name = os.path.join(folder, f".convcalc-{os.urandom(8).hex()}.part")
    try:  # includes the opening: a signal may arrive right after it
        with open(name, "xb", opener=lambda place, flags: os.open(place, flags, mode)) as file:
            yield file
    finally:
        with suppress(OSError):
            os.unlink(name)


def remove_stale_parts(folder: str, older: float) -> None:
    """Remove .part files of killed processes: those not written to for so many seconds."""
    import time

    with suppress(OSError):
        for entry in os.scandir(folder):
            with suppress(OSError):
                if entry.name.startswith(".") and entry.name.endswith(".part"):
                    found = entry.stat(follow_symlinks=False)
                    if stat.S_ISREG(found.st_mode) and found.st_mtime < time.time() - older:
                        os.unlink(entry.path)


def _open_file(path: str) -> int | None:
    """The file descriptor that a path means, directly or through links: 1 for /dev/stdout."""
    for _ in range(MAX_LINKS):
        match = _OPEN_FILE.fullmatch(os.path.normpath(path))
        if match:
            return int(match[2] or {"stdout": 1, "stderr": 2}[match[1]])
        if "\0" in path or not os.path.islink(path):
            break
        path = os.path.join(os.path.dirname(path), os.readlink(path))
    return None


def _existing(path: str) -> tuple[str, os.stat_result | None]:
    """The path with all links resolved, and its status; None if the file does not exist."""
    if "\0" in path:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    try:
        return os.path.realpath(path), os.stat(path)
    except FileNotFoundError:
        if not os.path.basename(path):  # no file is called `folder/`
            raise
    return os.path.realpath(path), None


def _check_permission(path: str, target: str, found: os.stat_result) -> None:
    """Raises ConvcalcError for a read-only file: renaming another file into its place would bypass its permissions."""
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
    """Put a new file in the old one's place. If that would break hard links or change the owner, copy the contents
    instead."""
    import tempfile

    folder = os.path.dirname(target)
    beside = os.access(folder, os.W_OK)
    with part_file(folder if beside else tempfile.gettempdir(), 0o600) as part:
        part.writelines(parts)
        part.close()
        if not (beside and found.st_nlink == 1 and _take_place(part.name, target, found)):
            _copy_into(target, part.name)


def _take_place(part: str, target: str, found: os.stat_result) -> bool:
    """Rename the temporary file to the target with the target's mode, owner and extended attributes. Returns
    whether that was possible."""
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
    """Overwrite the target, with its space reserved before the first byte changes."""
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
    """Write to a device or pipe, after anything printed there before."""
    with open(descriptor, "wb") as file:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        file.writelines(parts)


def cache_directory() -> str:
    """The cache folder: $CONVCALC_CACHE, else the platform's place for caches."""
    given = os.environ.get("CONVCALC_CACHE")
    if given:
        return os.path.abspath(os.path.expanduser(given))
    home = os.path.expanduser("~")
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local")
        return os.path.join(base, "convcalc", "Cache")
    if sys.platform == "darwin":
        return os.path.join(home, "Library", "Caches", "convcalc")
    base = os.environ.get("XDG_CACHE_HOME", "")  # must be absolute according to the XDG specification
    return os.path.join(base if os.path.isabs(base) else os.path.join(home, ".cache"), "convcalc")


# --- folders that only the user may write into ---------------------------------------------------------------


class NotPrivate(Exception):
    """Somebody else can change files in a cache folder. The message names the folder and the reason; hint: what to
    do."""

    def __init__(self, path: str, why: str, hint: str) -> None:
        super().__init__(f"{path} {why}")
        self.hint = hint


class PrivateFolder:
    """An open folder in the cache. Its files are those of the folder that was checked, even if it is renamed
    meanwhile.

    On systems with file owners, neither the cache nor the folder nor its files may belong to another user (except
    root) or be writable by others, and only regular files are read. Elsewhere, as on Windows, the platform's cache
    folder is trusted.
    """

    def __init__(self, path: str, handle: int | None) -> None:
        self.path = path
        self._handle = handle

    def close(self) -> None:
        """Close the folder."""
        if self._handle is not None:
            os.close(self._handle)

    def read(self, name: str, most: int) -> bytes:
        """A file's bytes. Raises OSError if it does not exist, cannot be trusted or exceeds `most` bytes."""
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
        """Write a file atomically. Raises OSError if it cannot be written."""
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
    """A folder in the cache directory. make: create it, private to the user, if it does not exist.

    Raises NotPrivate, or OSError if it does not exist or cannot be created.
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
    """Create a folder in the cache directory, and the directory itself, private to the user. Existing ones are
    unchanged."""
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
        # In a sticky folder such as /tmp, where anybody may add but not remove, only the inner folder must be private.
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
    """How somebody else could change the file, "" if nobody can. sticky: accept a folder in which only owners can
    remove and rename files."""
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
