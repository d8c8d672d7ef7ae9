"""Files written whole or not at all."""

from __future__ import annotations

import os
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
