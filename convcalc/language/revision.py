"""Specs as Git has them at a revision: read from the repository, nothing is checked out.

Git is started directly, never through a shell. A revision that begins with `-` is refused, paths are given after the
object's name, and no more is read than a spec may have.
"""

from __future__ import annotations

import os
import subprocess
from errno import ENOENT

from convcalc.errors import ConvcalcError, UsageError, printable
from convcalc.language.reader import MAX_BYTES

TIMEOUT = 30  # seconds for one answer of Git
MAX_REVISION = 250  # characters


class Revision:
    """The commit that a revision names, in the repository around a folder."""

    def __init__(self, name: str, folder: str) -> None:
        """Raises UsageError if Git is missing, there is no repository, or the revision is unknown."""
        shown = printable(name)
        if name.startswith("-") or not name or len(name) > MAX_REVISION or not name.isprintable():
            raise UsageError(
                f"--against {shown}: not a revision",
                hint="a branch, tag or commit such as main, v1.2 or HEAD~3",
            )
        self.name = name
        root = _git(folder, "rev-parse", "--show-toplevel")
        if root is None:
            raise UsageError(
                f"--against {shown}: {folder} is in no Git repository",
                hint="a spec to compare with is a file that ends in .yaml",
            )
        self._root = os.path.realpath(os.fsdecode(root.rstrip(b"\n")))
        commit = _git(
            self._root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"
        )
        if commit is None:
            raise UsageError(
                f"--against {shown}: the repository has no such revision",
                hint="git log shows commits, git branch -a branches; a shallow clone has only the newest: "
                "fetch-depth: 0",
            )
        self._commit = commit.decode("ascii").strip()

    def read(self, path: str) -> bytes:
        """The file's bytes as of the commit. Raises OSError if it has none, or if the path is outside."""
        whole = os.path.join(os.path.realpath(os.path.dirname(path) or "."), os.path.basename(path))
        inside = os.path.relpath(whole, self._root).replace(os.sep, "/")
        if inside.startswith("../"):
            raise OSError(ENOENT, f"outside of the repository, so {self.name} has no such file", path)
        data = _git(self._root, "cat-file", "blob", f"{self._commit}:{inside}", most=MAX_BYTES + 1)
        if data is None:
            raise FileNotFoundError(ENOENT, f"not in {self.name}", path)
        return data

    def has(self, path: str) -> bool:
        """Whether the commit has the file."""
        try:
            self.read(path)
        except OSError:
            return False
        return True


def _git(folder: str, *arguments: str, most: int = 65_536) -> bytes | None:
    """The first `most` bytes of Git's output; None if it fails. Raises UsageError if Git cannot be started."""
    environment = {
        **os.environ,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "LC_ALL": "C",
    }
    try:
        process = subprocess.Popen(
            ["git", "--no-pager", "-c", "core.fsmonitor=false", "-C", folder, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
    except OSError:
        raise UsageError(
            "--against: git cannot be started", hint="install Git, or give a file to compare with"
        ) from None
    from threading import Timer

    timer = Timer(TIMEOUT, process.kill)
    timer.start()
    try:
        assert process.stdout is not None
        data = process.stdout.read(most)
        process.stdout.close()  # a longer output ends Git with a closed pipe
        code = process.wait()
    finally:
        timer.cancel()
    if not timer.is_alive() and code == -9:
        raise ConvcalcError(f"git did not answer within {TIMEOUT} seconds")
    return data if code == 0 or len(data) == most else None
