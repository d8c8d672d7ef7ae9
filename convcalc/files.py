"""Files written whole or not at all, and the folder where convcalc caches."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

from convcalc.errors import ConvcalcError


def write_whole(path: str, data: bytes | Iterable[bytes]) -> None:
    """Write a file beside its place, then move it there, with the rights any new file gets.

    Raises ConvcalcError where the place cannot be written; whatever goes wrong, nothing is left behind.
    """
    import tempfile

    try:
        handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path) or ".", prefix=".convcalc-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.writelines([data] if isinstance(data, bytes) else data)
            mask = os.umask(0)
            os.umask(mask)
            os.chmod(temporary, 0o666 & ~mask)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise ConvcalcError(f"{path}: cannot be written: {error.strerror or error}") from None


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
