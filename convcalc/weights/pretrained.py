"""Published weights: downloaded once from the address in a spec, verified, and cached.

The standard library's urllib suffices for one file, one address and one hash. It is imported only if something has
to be downloaded.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import stat
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from time import monotonic
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, NoReturn

from convcalc.errors import WeightsError
from convcalc.files import (
    NotPrivate,
    cache_directory,
    make_private,
    not_private,
    part_file,
    private_folder,
    remove_stale_parts,
)

if TYPE_CHECKING:
    from http.client import HTTPResponse

Progress = Callable[[int, int | None], None]

TIMEOUT = 30.0  # seconds without a byte
LIMIT = 600.0  # seconds in total, plus one for each MIN_RATE bytes received
MIN_RATE = 10_000
CHUNK = 1 << 18  # bytes between two progress reports, at most every INTERVAL seconds
INTERVAL = 0.5
STALE = 3600.0  # seconds without a write after which an incomplete file is abandoned
FOLDER = "weights"  # in the cache
MAX_NOTE = 1 << 16
MAX_SIZE = 1 << 34  # 16 GiB; the largest of torchvision's files has 2.6 GB
LOCAL = ("localhost", "127.0.0.1", "::1")


class _TimeLimit(NamedTuple):
    """Time limits of a download. timeout: seconds of silence; limit: seconds in total, see LIMIT."""

    timeout: float
    limit: float
    began: float

    def ended(self, done: int) -> bool:
        """Whether the time for this many bytes is exceeded."""
        return monotonic() - self.began > self.limit + done / MIN_RATE


def fetch(
    url: str,
    sha256: str,
    progress: Progress | None = None,
    *,
    timeout: float = TIMEOUT,
    limit: float = LIMIT,
) -> str:
    """The path of the file from `url`, from the cache or downloaded and verified.

    sha256: all 64 hexadecimal digits, or at least the first 8, as in torchvision's file names. progress: called
    with the bytes received and the total if the server states it. timeout: seconds that a server may be silent;
    limit: seconds in total, extended only while at least MIN_RATE bytes a second arrive. Raises WeightsError for
    any failure, and then leaves nothing behind.
    """
    expected = sha256.strip().lower()
    if not re.fullmatch("[0-9a-f]{8,64}", expected):
        raise WeightsError(
            f"pretrained weights: the sha256 of {url} is not a hash: {sha256!r:.80}",
            hint="give at least its first 8 hexadecimal digits, so that the file can be verified",
        )
    local = _checked_address(url)
    folder = os.path.join(cache_directory(), FOLDER)
    target = os.path.join(folder, _file_name(url, expected))
    if not _verified(target, expected):
        _download(url, expected, folder, target, progress, _TimeLimit(timeout, limit, monotonic()), local)
    return target


def _file_name(url: str, expected: str) -> str:
    """The address's last part, made safe, prefixed by the hash unless it contains it."""
    last = url.partition("?")[0].partition("#")[0].rsplit("/", 1)[-1]
    name = re.sub("[^A-Za-z0-9._-]", "_", last).lstrip(".")[-100:] or "weights"
    return name if expected[:8] in name else f"{expected[:8]}-{name}"


def _checked_address(url: str) -> bool:
    """Whether the address is on this machine. Raises WeightsError unless it is, or is https."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        host, scheme = parts.hostname or "", parts.scheme
    except ValueError:
        host = scheme = ""
    if host and (scheme == "https" or (scheme == "http" and host in LOCAL)):
        return host in LOCAL
    raise WeightsError(
        f"pretrained weights: {url!r:.200} is not an address to fetch from",
        hint="only https:// is fetched; give a file with --weights FILE",
    )


# --- the cache ----------------------------------------------------------------------------------------------


def _verified(path: str, expected: str) -> bool:
    """Whether the file exists and has the hash. A file unchanged since it was last hashed is not hashed again.

    The note of an earlier hash counts only if nobody but this user can have written it or the file.
    """
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):  # opening a FIFO would wait for a writer
            return False
        known = {"size": found.st_size, "changed": found.st_mtime_ns}
        if not not_private(found):
            with suppress(OSError, ValueError, NotPrivate, RecursionError), private_folder(FOLDER) as folder:
                note = json.loads(folder.read(os.path.basename(_note(path)), MAX_NOTE))
                if isinstance(note, dict) and note.items() >= known.items():
                    return str(note.get("sha256")).startswith(expected)
        with open(path, "rb") as file_:
            if not stat.S_ISREG(os.fstat(file_.fileno()).st_mode):
                return False
            digest = hashlib.file_digest(file_, "sha256").hexdigest()
    except OSError:
        return False
    if not digest.startswith(expected):
        return False
    _record_hash(path, digest)
    return True


def _note(path: str) -> str:
    return f"{path}.verified"


def _record_hash(path: str, digest: str) -> None:
    """Record the hash and the file's modification time. This only saves time, so failure is ignored."""
    with suppress(OSError):
        found = os.stat(path)
        note = {"sha256": digest, "size": found.st_size, "changed": found.st_mtime_ns}
        with part_file(os.path.dirname(path)) as part:
            part.write(json.dumps(note).encode())
            part.close()
            os.replace(part.name, _note(path))  # replaces anything there, even a FIFO


# --- fetching -----------------------------------------------------------------------------------------------


def _download(
    url: str,
    expected: str,
    folder: str,
    target: str,
    progress: Progress | None,
    patience: _TimeLimit,
    local: bool,
) -> None:
    """Download to a temporary file beside the target, verify, then rename: concurrent downloads are safe, the last
    one stays."""
    with _answer(url, patience, local) as response:
        total = _length(url, response)
        try:
            make_private(FOLDER)
            remove_stale_parts(folder, STALE)
            _room(folder, total)
            with part_file(folder) as part:
                digest = _copied(url, response, part, total, progress, patience)
                part.close()
                if not digest.startswith(expected):
                    _refuse(
                        url,
                        f"the file at this address has the sha256 {digest[: max(16, len(expected))]}…, "
                        f"and {expected}… was expected",
                        "it was changed or replaced on the way; it was not kept",
                    )
                _moved(part.name, target, expected)
        except OSError as error:
            _unwritable(url, folder, error)
    _record_hash(target, digest)


def _answer(url: str, patience: _TimeLimit, local: bool) -> HTTPResponse:
    """The response once its header has arrived. A thread waits for it: a server that sends its header drop by drop
    would never be silent for long."""
    outcome: list[HTTPResponse | BaseException] = []

    def ask() -> None:
        try:
            outcome.append(_opened(url, patience.timeout, local))
        except BaseException as error:
            outcome.append(error)

    thread = Thread(target=ask, daemon=True)
    thread.start()
    thread.join(patience.limit)
    if not outcome:
        _refuse(
            url,
            f"the server had not answered after {_duration(patience.limit)}",
            "try again later; nothing was kept",
        )
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]


def _opened(url: str, timeout: float, local: bool) -> HTTPResponse:
    from urllib.error import HTTPError
    from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

    from convcalc import __version__

    class SafeRedirects(HTTPRedirectHandler):
        """Follows redirects only to addresses that would have been accepted at first, and never from outside to
        this machine."""

        def redirect_request(self, req: Any, fp: Any, code: Any, msg: Any, headers: Any, newurl: str) -> Any:
            try:
                if _checked_address(newurl) and not local:
                    _refuse(url, "the address leads back to this machine", "check the spec's weights")
            except WeightsError:
                fp.close()
                raise
            return super().redirect_request(req, fp, code, msg, headers, newurl)

    handlers: list[Any] = [SafeRedirects]
    if local:
        handlers.append(ProxyHandler({}))
    request_headers = {"User-Agent": f"convcalc/{__version__}", "Accept-Encoding": "identity"}
    try:
        opener = build_opener(*handlers)
        response: HTTPResponse = opener.open(Request(url, headers=request_headers), timeout=timeout)
    except HTTPError as error:
        with error:
            _refuse(url, f"the server answers {error.code} {error.reason!s:.80}", "try again later")
    except WeightsError:
        raise
    except Exception as error:  # urllib, http, ssl and socket each have their own exceptions
        _unreachable(url, error, timeout)
    return response


def _length(url: str, response: HTTPResponse) -> int | None:
    said = response.headers.get("Content-Length", "")
    total = int(said) if re.fullmatch("[0-9]{1,18}", said) else None
    if said and (total is None or total > MAX_SIZE):
        _refuse(url, f"the server announces {said:.40} bytes; {MAX_SIZE:,} are the most", "check the address")
    return total


def _room(folder: str, total: int | None) -> None:
    from shutil import disk_usage

    free = disk_usage(folder).free
    if total is not None and total > free:
        raise OSError(errno.ENOSPC, f"it takes {total:,} bytes and {free:,} are free")


def _copied(
    url: str,
    response: HTTPResponse,
    file: BinaryIO,
    total: int | None,
    progress: Progress | None,
    patience: _TimeLimit,
) -> str:
    """Copy the response to the file; returns the SHA-256."""
    digest, done = hashlib.sha256(), 0
    told, told_at = 0, monotonic()
    if progress:
        progress(0, total)
    while piece := _next_bytes(url, response, patience.timeout):
        done += len(piece)
        if done > MAX_SIZE:
            _refuse(url, f"the server sends more than {MAX_SIZE:,} bytes", "check the address")
        digest.update(piece)
        file.write(piece)
        if progress and (done - told >= CHUNK or monotonic() - told_at > INTERVAL):
            progress(done, total)
            told, told_at = done, monotonic()
        if patience.ended(done) and done != total:
            _too_slow(url, done, total, monotonic() - patience.began)
    if total is not None and done < total:
        _refuse(
            url, f"the connection was cut after {done:,} of {total:,} bytes", "try again; nothing was kept"
        )
    if progress and told < done:
        progress(done, total)
    return digest.hexdigest()


def _too_slow(url: str, done: int, total: int | None, seconds: float) -> NoReturn:
    came = f"{done:,} of {total:,} bytes" if total is not None else f"{done:,} bytes"
    rest = ""
    if total is not None:
        rest = f"; at this rate the rest would take {_duration((total - done) * seconds / done)}"
    _refuse(
        url,
        f"the server is too slow: {came} came in {_duration(seconds)}{rest}",
        "try again later; nothing was kept",
    )


def _duration(seconds: float) -> str:
    """Seconds in words: 40 seconds, 12 minutes, 3 hours, 20 days."""
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {unit}s"
    return f"{seconds:.3g} seconds"


def _next_bytes(url: str, response: HTTPResponse, timeout: float) -> bytes:
    """The next bytes as soon as there are any."""
    try:
        return response.read1(CHUNK)
    except Exception as error:  # as in _opened; none of these concern the local file
        _unreachable(url, error, timeout)


def _moved(temporary: str, target: str, expected: str) -> None:
    try:
        os.replace(temporary, target)
    except PermissionError:  # Windows does not replace a file that is being read; then it exists already
        if not _verified(target, expected):
            raise


def _unreachable(url: str, error: Exception, timeout: float) -> NoReturn:
    reason = getattr(error, "reason", None) or error
    if isinstance(reason, TimeoutError):
        _refuse(url, f"the server was silent for {timeout:g} seconds", "try again; nothing was kept")
    said = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    _refuse(url, f"the connection failed: {said!s:.200}", "check that this machine is online")


def _unwritable(url: str, folder: str, error: OSError) -> NoReturn:
    _refuse(
        url,
        f"the cache {folder} cannot be written: {error.strerror or error}",
        "make room there or set CONVCALC_CACHE to another folder",
    )


def _refuse(url: str, reason: str, hint: str) -> NoReturn:
    by_hand = f"or fetch it by hand and give it with --weights FILE:\n{url}"
    raise WeightsError(f"pretrained weights: {reason}", hint=f"{hint}\n{by_hand}") from None
