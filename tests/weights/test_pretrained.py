"""Fetching published weights, from a server on this machine that behaves well or badly."""

import contextlib
import errno
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from convcalc.errors import WeightsError
from convcalc.files import cache_directory
from convcalc.weights import pretrained
from convcalc.weights.pretrained import fetch

CONTENT = bytes(range(256)) * 4000  # 1 MB: several chunks
HASH = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Answers as `behaviours` says for the path."""

    behaviours: dict[str, Callable[["Handler"], None]]

    def do_GET(self):
        self.server.requests.append(self.path)
        self.behaviours[self.path](self)

    def answer(self, content=CONTENT, length: object = "", code=200, **headers):
        self.send_response(code)
        if length is not None:
            self.send_header("Content-Length", str(len(content) if length == "" else length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    """One that says nothing of clients that leave before the end, as several tests make them."""

    daemon_threads = True

    def handle_error(self, *_):
        pass


def chunked(handler: Handler, end: bytes = b"0\r\n\r\n") -> None:
    handler.protocol_version = "HTTP/1.1"
    handler.answer(b"", None, **{"Transfer-Encoding": "chunked", "Connection": "close"})
    for start in range(0, len(CONTENT), 100_000):
        piece = CONTENT[start : start + 100_000]
        handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
    handler.wfile.write(end)


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server on loopback: `.url(path)`, `.requests`, and an event that ends its silences."""
    monkeypatch.setenv("CONVCALC_CACHE", str(tmp_path / "cache"))
    released = threading.Event()

    def silent(handler):
        released.wait(30)

    def stops(handler):
        handler.answer(CONTENT[:300_000], len(CONTENT))
        handler.wfile.flush()
        released.wait(30)

    def drips(handler):
        """A byte now and then, and never a silence."""
        handler.answer(b"", len(CONTENT))
        for place in range(len(CONTENT)):
            handler.wfile.write(CONTENT[place : place + 1])
            handler.wfile.flush()
            if released.wait(0.05):
                return

    def slow(handler):
        handler.answer(b"", len(CONTENT))
        for start in range(0, len(CONTENT), 128_000):
            handler.wfile.write(CONTENT[start : start + 128_000])
            released.wait(0.2)

    def drips_its_head(handler):
        for letter in b"HTTP/1.0 200 OK\r\nX: " + b"x" * 60_000:
            handler.wfile.write(bytes([letter]))
            handler.wfile.flush()
            if released.wait(0.05):
                return

    def to(address, code=302):
        return lambda handler: handler.answer(b"", code=code, Location=address)

    http = Server(("127.0.0.1", 0), Handler)
    http.requests = []
    here = f"http://127.0.0.1:{http.server_port}"
    Handler.behaviours = {
        "/good.pth": Handler.answer,
        "/unannounced.pth": lambda handler: handler.answer(length=None),
        "/chunked.pth": chunked,
        "/cut.pth": lambda handler: handler.answer(CONTENT[:-1], len(CONTENT)),
        "/cut-chunks.pth": lambda handler: chunked(handler, b"ffff\r\n..."),
        "/nothing.pth": lambda handler: None,
        "/nonsense.pth": lambda handler: handler.wfile.write(b"220 ready\r\n"),
        "/gone.pth": lambda handler: handler.answer(b"gone", code=404),
        "/broken.pth": lambda handler: handler.answer(b"sorry", code=503),
        "/huge.pth": lambda handler: handler.answer(b"", 1 << 50),
        "/negative.pth": lambda handler: handler.answer(b"", -1),
        "/silent.pth": silent,
        "/stops.pth": stops,
        "/drips.pth": drips,
        "/slow.pth": slow,
        "/drips-its-head.pth": drips_its_head,
        "/moved.pth": to("/good.pth"),
        "/moved-for-good.pth": to(f"{here}/good.pth", 301),
        "/to-file.pth": to("file:///etc/passwd"),
        "/to-ftp.pth": to("ftp://example.org/good.pth"),
        "/to-plain.pth": to("http://example.org/good.pth"),
        "/round.pth": to("/round.pth"),
    }
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield SimpleNamespace(url=lambda path: here + path, requests=http.requests, released=released)
    released.set()
    http.shutdown()
    thread.join()
    http.server_close()


def kept(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "cache").rglob("*") if path.is_file())


@pytest.mark.parametrize("sha256", [HASH, HASH[:8], HASH[:12].upper()])
def test_fetched_once(server, tmp_path, sha256):
    seen = []
    path = fetch(server.url("/good.pth"), sha256, lambda done, total: seen.append((done, total)))
    assert Path(path).read_bytes() == CONTENT
    assert Path(path).is_relative_to(tmp_path / "cache")
    assert seen[0] == (0, len(CONTENT))
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert seen == sorted(seen)
    assert len(seen) > 3
    assert fetch(server.url("/good.pth"), sha256, lambda *_: pytest.fail("nothing is to be fetched")) == path
    assert server.requests == ["/good.pth"]
    name = f"{HASH[:8]}-good.pth"
    assert kept(tmp_path) == [name, f"{name}.verified"]


@pytest.mark.parametrize("path", ["/unannounced.pth", "/chunked.pth", "/moved.pth", "/moved-for-good.pth"])
def test_other_good_answers(server, path):
    totals = set()
    got = fetch(server.url(path), HASH, lambda _, total: totals.add(total))
    assert Path(got).read_bytes() == CONTENT
    assert totals == ({len(CONTENT)} if "moved" in path else {None})


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/cut.pth", "the connection was cut after 1,023,999 of 1,024,000 bytes"),
        ("/cut-chunks.pth", "the connection failed"),
        ("/nothing.pth", "the connection failed"),
        ("/nonsense.pth", "the connection failed"),
        ("/gone.pth", "the server answers 404 Not Found"),
        ("/broken.pth", "the server answers 503 Service Unavailable"),
        ("/huge.pth", "the server announces 1125899906842624 bytes"),
        ("/negative.pth", "the server announces -1 bytes"),
        ("/silent.pth", "the server was silent for 0.2 seconds"),
        ("/stops.pth", "the server was silent for 0.2 seconds"),
        ("/to-file.pth", "Redirection to url 'file:///etc/passwd' is not allowed"),
        ("/to-ftp.pth", "'ftp://example.org/good.pth' is not an address to fetch from"),
        ("/to-plain.pth", "'http://example.org/good.pth' is not an address to fetch from"),
        ("/round.pth", "the server answers 302"),
    ],
)
def test_bad_answers_leave_nothing(server, tmp_path, path, message):
    with pytest.raises(WeightsError) as caught:
        fetch(server.url(path), HASH, timeout=0.2)
    assert message in str(caught.value)
    assert "--weights FILE" in str(caught.value.hint)
    assert kept(tmp_path) == []


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (
            "/drips.pth",
            r"too slow: \d+ of 1,024,000 bytes came in 0\.\d+ seconds; at this rate the rest would take ",
        ),
        ("/drips-its-head.pth", r"had not answered after 0\.5 seconds"),
    ],
)
def test_a_server_that_drips_is_given_up(server, tmp_path, path, message):
    with pytest.raises(WeightsError, match=message) as caught:
        fetch(server.url(path), HASH, timeout=20, limit=0.5)
    assert "--weights FILE" in str(caught.value.hint)
    assert kept(tmp_path) == []


def test_a_slow_server_has_time_while_it_sends_enough(server, monkeypatch):
    monkeypatch.setattr(pretrained, "MIN_RATE", 1000)
    assert Path(fetch(server.url("/slow.pth"), HASH, limit=0.5)).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.5, "0.5 seconds"), (90, "90 seconds"), (600, "10 minutes"), (86400, "24 hours"), (9e6, "104 days")],
)
def test_durations(seconds, said):
    assert pretrained._duration(seconds) == said


def test_what_killed_processes_left_is_swept(server, tmp_path):
    folder = tmp_path / "cache" / "weights"
    folder.mkdir(parents=True)
    for name, age in ((".old.part", 7200), (".new.part", 60)):
        (folder / name).touch()
        os.utime(folder / name, (time.time() - age,) * 2)
    fetch(server.url("/good.pth"), HASH)
    assert [name for name in kept(tmp_path) if name.endswith(".part")] == [".new.part"]


def test_a_wrong_hash_leaves_nothing(server, tmp_path):
    with pytest.raises(WeightsError) as caught:
        fetch(server.url("/good.pth"), "0123456789abcdef")
    assert f"has the sha256 {HASH[:16]}…, and 0123456789abcdef… was expected" in str(caught.value)
    assert server.url("/good.pth") in str(caught.value.hint)
    assert kept(tmp_path) == []


def test_interrupting_leaves_nothing(server, tmp_path):
    def interrupt(done, _):
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(server.url("/good.pth"), HASH, interrupt)
    assert kept(tmp_path) == []


def test_more_than_the_most(server, tmp_path, monkeypatch):
    monkeypatch.setattr(pretrained, "MAX_SIZE", 500_000)
    for path, message in (("/good.pth", "announces 1024000"), ("/chunked.pth", "sends more than 500,000")):
        with pytest.raises(WeightsError, match=message):
            fetch(server.url(path), HASH)
    assert kept(tmp_path) == []


def test_nobody_answers(tmp_path, monkeypatch):
    monkeypatch.setenv("CONVCALC_CACHE", str(tmp_path / "cache"))
    with pytest.raises(WeightsError, match="the connection failed: Connection refused") as caught:
        fetch("http://127.0.0.1:9/good.pth", HASH)  # the discard port, where nobody listens
    assert "online" in str(caught.value.hint)
    assert kept(tmp_path) == []


# --- the cache ----------------------------------------------------------------------------------------------


def test_a_damaged_file_is_fetched_again(server):
    path = Path(fetch(server.url("/good.pth"), HASH))
    for damage in (CONTENT[:-1], b"", CONTENT[:-1] + b"!"):
        path.write_bytes(damage)
        assert fetch(server.url("/good.pth"), HASH) == str(path)
        assert path.read_bytes() == CONTENT
    assert len(server.requests) == 4


@pytest.mark.parametrize("note", ["", "{", "[]", "{}", '{"sha256": 3}', '"x"', None])
def test_a_file_without_a_sound_note_is_hashed(server, note):
    path = Path(fetch(server.url("/good.pth"), HASH))
    beside = path.with_name(path.name + ".verified")
    good = beside.read_text()
    if note is None:
        beside.unlink()
    else:
        beside.write_text(note)
    assert fetch(server.url("/good.pth"), HASH) == str(path)
    assert beside.read_text() == good
    assert server.requests == ["/good.pth"]


@pytest.mark.parametrize("place", ["the file", "the folder", "the note"])
def test_what_others_may_write_is_hashed_each_time(server, place):
    """Whoever can replace the file can write the note that says it has the hash, too."""
    path = Path(fetch(server.url("/good.pth"), HASH))
    before = path.stat()
    forged = b"X" + CONTENT[1:]
    path.write_bytes(forged)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert fetch(server.url("/good.pth"), HASH) == str(path)  # in the user's own cache the note is believed
    assert path.read_bytes() == forged
    if place == "the file":
        path.chmod(0o666)
    elif place == "the folder":
        path.parent.chmod(0o777)
    else:
        path.with_name(path.name + ".verified").chmod(0o666)
    assert fetch(server.url("/good.pth"), HASH) == str(path)
    assert path.read_bytes() == CONTENT
    assert server.requests == ["/good.pth"] * 2


def test_the_cache_is_made_for_the_user_alone(server, tmp_path):
    path = Path(fetch(server.url("/good.pth"), HASH))
    assert [folder.stat().st_mode & 0o777 for folder in (path.parent, tmp_path / "cache")] == [0o700, 0o700]


@pytest.mark.parametrize("name", ["", ".verified"])
def test_a_pipe_in_the_cache_does_not_hang(server, name):
    path = Path(fetch(server.url("/good.pth"), HASH))
    place = path.with_name(path.name + name)
    place.unlink()
    os.mkfifo(place)
    reader = threading.Thread(target=fetch, args=(server.url("/good.pth"), HASH), daemon=True)
    reader.start()
    reader.join(20)
    assert not reader.is_alive()
    assert path.read_bytes() == CONTENT


def test_another_file_of_the_same_name(server):
    path = Path(fetch(server.url("/good.pth"), HASH[:8]))
    other = HASH[:8] + "0" * 56  # agrees where the cached one's name does
    with pytest.raises(WeightsError, match="was expected"):
        fetch(server.url("/good.pth"), other)
    assert path.read_bytes() == CONTENT
    assert server.requests == ["/good.pth"] * 2


def test_a_cache_that_can_only_be_read(server, monkeypatch):
    path = fetch(server.url("/good.pth"), HASH)
    os.unlink(f"{path}.verified")

    @contextlib.contextmanager
    def refused(*_):
        raise PermissionError(errno.EACCES, "Permission denied")
        yield

    monkeypatch.setattr(pretrained, "part_file", refused)
    assert fetch(server.url("/good.pth"), HASH) == path
    with pytest.raises(WeightsError, match="cannot be written: Permission denied") as caught:
        fetch(server.url("/moved.pth"), HASH)
    assert "CONVCALC_CACHE" in str(caught.value.hint)


def test_a_cache_that_cannot_be_made(server, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("CONVCALC_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(WeightsError, match="cannot be written: Not a directory"):
        fetch(server.url("/good.pth"), HASH)


def test_a_disk_without_room(server, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(WeightsError, match="it takes 1,024,000 bytes and 1,000 are free"):
        fetch(server.url("/good.pth"), HASH)
    assert kept(tmp_path) == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has a device that is always full")
def test_a_disk_that_fills_up(server, tmp_path, monkeypatch):
    real = os.open
    monkeypatch.setattr(
        os,
        "open",
        lambda path, *rest: real("/dev/full", os.O_WRONLY) if ".part" in str(path) else real(path, *rest),
    )
    with pytest.raises(WeightsError, match="cannot be written: No space left on device"):
        fetch(server.url("/good.pth"), HASH)
    assert kept(tmp_path) == []


def test_several_at_once(server, tmp_path):
    paths, errors = [], []

    def one():
        try:
            paths.append(fetch(server.url("/good.pth"), HASH))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(set(paths)) == 1
    assert Path(paths[0]).read_bytes() == CONTENT
    assert len(kept(tmp_path)) == 2


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://example.org/models/vgg16-0123abcd.pth", "vgg16-0123abcd.pth"),
        ("https://example.org/vgg16.pth?download=1#x", "0123abcd-vgg16.pth"),
        ("https://example.org/", "0123abcd-weights"),
        ("https://example.org/..", "0123abcd-weights"),
        ("https://example.org/a/..%2F..%2Fetc", "0123abcd-_2F.._2Fetc"),
        ("https://example.org/a\\b:c\0d", "0123abcd-a_b_c_d"),
        ("https://example.org/" + "x" * 999, "0123abcd-" + "x" * 100),
    ],
)
def test_file_names(url, name):
    assert pretrained._file_name(url, "0123abcd" + "0" * 8) == name


@pytest.mark.parametrize(
    "url",
    ["http://example.org/a.pth", "ftp://example.org/a.pth", "file:///etc/passwd", "data:,x", "a.pth", "", "https://",
     "http://[::1", "http://127.0.0.1.example.org/a", "http://localhost@example.org/a", "HTTP://example.org/a"],
)  # fmt: skip
def test_addresses_that_are_not_fetched(url, tmp_path, monkeypatch):
    monkeypatch.setenv("CONVCALC_CACHE", str(tmp_path / "cache"))
    with pytest.raises(WeightsError, match="is not an address to fetch from"):
        fetch(url, HASH)


@pytest.mark.parametrize("sha256", ["", "0123abc", "0123abcg", "0" * 65, "../../x", "0123 abcd"])
def test_hashes_that_are_none(sha256):
    with pytest.raises(WeightsError, match="is not a hash") as caught:
        fetch("https://example.org/a.pth", sha256)
    assert "8 hexadecimal digits" in str(caught.value.hint)


def test_an_outside_address_never_leads_to_this_machine(monkeypatch):
    handlers = []

    def build_opener(*given):
        handlers.extend(given)
        raise OSError("no network in this test")

    monkeypatch.setattr("urllib.request.build_opener", build_opener)
    with pytest.raises(WeightsError, match="no network in this test"):
        pretrained._opened("https://example.org/a.pth", 1, local=False)
    closed = SimpleNamespace(close=lambda: None)
    for address in ("http://127.0.0.1/a", "http://localhost:8080/a", "https://[::1]/a"):
        with pytest.raises(WeightsError, match="leads back to this machine"):
            handlers[0]().redirect_request(None, closed, 302, "Found", {}, address)


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("linux", {"CONVCALC_CACHE": "/there", "XDG_CACHE_HOME": "/xdg"}, "/there"),
        ("linux", {"CONVCALC_CACHE": "~/there"}, "/home/me/there"),
        ("linux", {"XDG_CACHE_HOME": "/xdg"}, "/xdg/convcalc"),
        ("linux", {"XDG_CACHE_HOME": "relative"}, "/home/me/.cache/convcalc"),
        ("linux", {"CONVCALC_CACHE": ""}, "/home/me/.cache/convcalc"),
        ("darwin", {}, "/home/me/Library/Caches/convcalc"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/convcalc/Cache"),
        ("win32", {}, "/home/me/AppData/Local/convcalc/Cache"),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="paths are written as on other systems")
def test_where_the_cache_is(monkeypatch, platform, environment, expected):
    for name in ("CONVCALC_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": "/home/me", **environment}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    assert cache_directory() == expected


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_signal_while_it_downloads_leaves_nothing(server, tmp_path, number):
    spec = tmp_path / "net.yaml"
    spec.write_text(
        "name: net\ninput: [1, 28, 28]\n"
        f"weights: {{url: '{server.url('/drips.pth')}', sha256: '{HASH}'}}\nlayers:\n  - flatten\n  - dense: 2\n"
    )
    picture = Path(__file__).parent.parent / "data" / "digits" / "7_0.png"
    command = [
        sys.executable,
        "-m",
        "convcalc",
        "forward",
        str(spec),
        str(picture),
        "--weights",
        "pretrained",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        for _ in range(600):
            if any(name.endswith(".part") for name in kept(tmp_path)):
                break
            time.sleep(0.05)
        process.send_signal(number)
        assert process.wait(30) == 128 + number
        assert process.stderr.read() == b""
    assert kept(tmp_path) == []
