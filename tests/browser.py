"""A real browser for tests: Chromium, driven over its debugging pipe with the standard library alone.

    def test_the_page(browser):                       # a fixture of tests/conftest.py
        page = browser.open(path, width=1280, height=800)
        page.click("#search"); page.type("conv"); page.press("Enter")
        assert page.evaluate("document.title") == "AlexNet"
        assert (page.requests, page.errors) == ([path.as_uri()], [])

`screenshot(browser, path, 640, 480, dark=True)` is the short way to a picture. Each page is a context of its own,
without the cookies and the storage of others. Every wait ends after WAIT seconds with an error that says what was
waited for. The protocol: https://chromedevtools.github.io/devtools-protocol/; Chromium reads it from descriptor 3 and
writes it to descriptor 4, JSON objects each ended by a zero byte.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from PIL import Image

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
ABSENT = f"none of {', '.join(NAMES)} is installed"
WAIT = 60.0  # seconds, for a busy machine

FLAGS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-gpu",
    "--disable-sync",
    "--font-render-hinting=none",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
    "--mute-audio",
)

# Gives the two ends of the pipes the numbers 3 and 4, whatever numbers they had, and becomes the browser.
START = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3]]
os.dup2(ends[0], 3), os.dup2(ends[1], 4)
for end in ends: os.close(end)
os.execv(sys.argv[3], sys.argv[3:])
"""

# Of keys that write nothing, and of Enter and the space: the number that the protocol wants.
KEYS = {
    "Backspace": 8, "Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "PageUp": 33, "PageDown": 34, "End": 35, "Home": 36,
    "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Delete": 46,
}  # fmt: skip
MODIFIERS = {"alt": 1, "control": 2, "meta": 4, "shift": 8}


class BrowserError(Exception):
    """What the browser refused, an exception in the page, or a wait that had no end."""


def found() -> str | None:
    """The browser's program, None if there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """A running browser; a context manager. Raises BrowserError if it does not start."""

    def __init__(self) -> None:
        program = found()
        if program is None:
            raise BrowserError(ABSENT)
        self._profile = tempfile.TemporaryDirectory(prefix="convcalc-browser-", ignore_cleanup_errors=True)
        theirs, self._out = os.pipe()
        self._in, ours = os.pipe()
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # as root it does not start with one
        command = [program, *FLAGS, *sandbox, f"--user-data-dir={self._profile.name}"]
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-c", START, str(theirs), str(ours), *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(theirs, ours),
            start_new_session=True,
        )
        os.close(theirs)
        os.close(ours)
        self._buffer = bytearray()
        self._number = 0
        self._pages: dict[str, Page] = {}  # by session
        try:
            self.call("Browser.getVersion")
        except BrowserError:
            self.close()
            raise

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the browser, all its processes, and remove its profile."""
        os.close(self._out)
        os.close(self._in)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(2)  # it ends by itself when the pipe is closed
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._profile.cleanup()

    def open(
        self, path: Path | str, *, width: int = 1280, height: int = 800, dark: bool = False, scale: float = 1
    ) -> Page:
        """A page with a file or an address, loaded. width, height: of the window; scale: pixels per CSS pixel."""
        context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = self._pages[session] = Page(self, session, context)
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.call(f"{domain}.enable")
        page.resize(width, height, scale)
        page.emulate(dark=dark)
        page.navigate(path)
        return page

    def call(self, method: str, session: str = "", **parameters: object) -> Any:
        """The answer to a command of the protocol. Raises BrowserError if it is refused, or not answered in time."""
        self._number += 1
        message: dict[str, object] = {"id": self._number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        try:
            os.write(self._out, json.dumps(message).encode() + b"\0")
        except BrokenPipeError:
            raise BrowserError(f"{method}: the browser has ended") from None
        end = time.monotonic() + WAIT
        while True:
            answer = self.receive(end, method)
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error']['message']}")
                return answer["result"]

    def receive(self, end: float, waited_for: str) -> dict[str, Any]:
        """The next message; events are noted by their page. end: when to give up, by time.monotonic."""
        while (stop := self._buffer.find(0)) < 0:
            ready, _, _ = select.select([self._in], [], [], max(0.0, end - time.monotonic()))
            part = os.read(self._in, 1 << 20) if ready else b""
            if not ready:
                raise BrowserError(f"{waited_for}: no answer within {WAIT:g} s")
            if not part:
                raise BrowserError(f"{waited_for}: the browser has ended")
            self._buffer += part
        message: dict[str, Any] = json.loads(self._buffer[:stop])
        del self._buffer[: stop + 1]
        page = self._pages.get(message.get("sessionId", ""))
        if page is not None and "method" in message:
            page.note(message["method"], message["params"])
        return message

    def forget(self, page: Page) -> None:
        """Close a page and its context."""
        del self._pages[page.session]
        self.call("Target.disposeBrowserContext", browserContextId=page.context)


class Page:
    """A page that is open."""

    def __init__(self, browser: Browser, session: str, context: str) -> None:
        self.browser, self.session, self.context = browser, session, context
        self._requests: list[str] = []
        self._log: list[str] = []
        self._errors: list[str] = []
        self._loaded = 0
        self._mouse = (0.0, 0.0)

    def call(self, method: str, **parameters: object) -> Any:
        """As Browser.call, to this page."""
        return self.browser.call(method, self.session, **parameters)

    def close(self) -> None:
        """Close it."""
        self.browser.forget(self)

    def note(self, event: str, values: Mapping[str, Any]) -> None:
        """Keep what an event tells."""
        if event == "Page.loadEventFired":
            self._loaded += 1
        elif event == "Network.requestWillBeSent":
            self._requests.append(values["request"]["url"])
        elif event == "Runtime.consoleAPICalled":
            words = [str(part.get("value", part.get("description", ""))) for part in values["args"]]
            self._log.append(f"{values['type']}: {' '.join(words)}")
            if values["type"] in ("error", "assert"):
                self._errors.append(" ".join(words))
        elif event == "Log.entryAdded":
            entry = values["entry"]
            self._log.append(f"{entry['level']}: {entry['text']}")
            if entry["level"] == "error":
                self._errors.append(entry["text"])
        elif event == "Runtime.exceptionThrown":
            self._errors.append(_exception(values["exceptionDetails"]))

    @property
    def requests(self) -> list[str]:
        """The addresses asked for since the page was made, its own first; data: and blob: among them."""
        self.evaluate("0")  # what happened before it has been told by now
        return list(self._requests)

    @property
    def log(self) -> list[str]:
        """The console's lines, `level: text`."""
        self.evaluate("0")
        return list(self._log)

    @property
    def errors(self) -> list[str]:
        """Exceptions, and errors of the console: refused loads are among them."""
        self.evaluate("0")
        return list(self._errors)

    def navigate(self, path: Path | str) -> None:
        """Go to a file or an address, and wait until it has loaded."""
        address = path.resolve().as_uri() if isinstance(path, Path) else path
        before, end = self._loaded, time.monotonic() + WAIT
        answer = self.call("Page.navigate", url=address)
        if "errorText" in answer:
            raise BrowserError(f"{address}: {answer['errorText']}")
        while self._loaded == before:
            self.browser.receive(end, f"{address} to load")

    def resize(self, width: int, height: int, scale: float = 1) -> None:
        """Set the size of the window, in CSS pixels."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=False,
        )

    def emulate(self, *, dark: bool = False, media: str = "", reduced_motion: bool = False) -> None:
        """Prefer dark, or show the page as for a medium such as `print`."""
        features = {
            "prefers-color-scheme": "dark" if dark else "light",
            "prefers-reduced-motion": "reduce" if reduced_motion else "no-preference",
        }
        listed = [{"name": name, "value": value} for name, value in features.items()]
        self.call("Emulation.setEmulatedMedia", media=media, features=listed)

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, as JSON; promises are awaited. Raises BrowserError if it throws."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True, userGesture=True
        )
        if "exceptionDetails" in answer:
            raise BrowserError(f"{expression[:200]}: {_exception(answer['exceptionDetails'])}")
        return answer["result"].get("value")

    def wait_for(self, expression: str, seconds: float = WAIT) -> Any:
        """The value of an expression as soon as it is truthy. Raises BrowserError when the time is over."""
        end = time.monotonic() + seconds
        while not (value := self.evaluate(expression)):
            if time.monotonic() > end:
                raise BrowserError(f"{expression[:200]}: not within {seconds:g} s")
            time.sleep(0.02)
        return value

    def press(self, key: str, *modifiers: str) -> None:
        """Press a key and let it go: `a`, `Enter`, `ArrowDown` …; modifiers: of shift, control, alt, meta."""
        number = KEYS.get(
            key, ord(key.upper()) if len(key) == 1 and key.isalnum() else 0
        )  # "." is not Delete, 46
        if not number and len(key) != 1:
            raise ValueError(f"no key {key!r}; a character, or one of {', '.join(KEYS)}")
        mask = sum(MODIFIERS[name] for name in modifiers)
        text = "\r" if key == "Enter" else key if len(key) == 1 and not mask & ~MODIFIERS["shift"] else ""
        code = f"Key{key.upper()}" if len(key) == 1 and key.isascii() and key.isalpha() else key
        common = {
            "key": key,
            "code": "Space" if key == " " else code,
            "windowsVirtualKeyCode": number,
            "modifiers": mask,
        }
        down = {"type": "keyDown", "text": text} if text else {"type": "rawKeyDown"}
        self.call("Input.dispatchKeyEvent", **down, **common)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def type(self, text: str) -> None:
        """Press the keys of a text, where the focus is."""
        for character in text:
            self.press(character)

    def place(self, selector: str) -> tuple[float, float]:
        """The middle of the first element of a CSS selector in the window, scrolled into view."""
        found = self.evaluate(
            f"(() => {{ const element = document.querySelector({json.dumps(selector)});"
            "if (!element) return null;"
            "element.scrollIntoView({block: 'nearest', inline: 'nearest', behavior: 'instant'});"
            "const box = element.getBoundingClientRect();"
            "return [box.left + box.width / 2, box.top + box.height / 2] })()"
        )
        if found is None:
            raise BrowserError(f"no element {selector}")
        return found[0], found[1]

    def click(self, at: str | tuple[float, float], *, count: int = 1, modifiers: Sequence[str] = ()) -> None:
        """Click on the middle of an element, by its CSS selector, or on a point of the window."""
        place = self.place(at) if isinstance(at, str) else at
        self.hover(place)
        self._button("mousePressed", 1, count, modifiers)
        self._button("mouseReleased", 0, count, modifiers)

    def hover(self, at: str | tuple[float, float]) -> None:
        """Move the mouse, no button pressed."""
        self._mouse = self.place(at) if isinstance(at, str) else at
        x, y = self._mouse
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def drag(self, points: Sequence[tuple[float, float]]) -> None:
        """Press the left button at the first point, move through the others, and let go at the last."""
        self.hover(points[0])
        self._button("mousePressed", 1)
        for point in points[1:]:
            self._mouse = point
            self._button("mouseMoved", 1)
        self._button("mouseReleased", 0)

    def wheel(self, at: str | tuple[float, float], down: float, *modifiers: str) -> None:
        """Turn the wheel so many pixels downwards over an element or a point."""
        x, y = self.place(at) if isinstance(at, str) else at
        mask = sum(MODIFIERS[name] for name in modifiers)
        self.call(
            "Input.dispatchMouseEvent", type="mouseWheel", x=x, y=y, deltaX=0, deltaY=down, modifiers=mask
        )

    def _button(self, kind: str, buttons: int, count: int = 1, modifiers: Sequence[str] = ()) -> None:
        x, y = self._mouse
        self.call(
            "Input.dispatchMouseEvent",
            type=kind,
            x=x,
            y=y,
            button="left",
            buttons=buttons,
            clickCount=count,
            modifiers=sum(MODIFIERS[name] for name in modifiers),
        )

    def screenshot(self, *, whole: bool = False) -> Image.Image:
        """The window as a picture (RGB); whole: all of the page, beyond the window too."""
        answer = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        with Image.open(io.BytesIO(base64.b64decode(answer["data"]))) as image:
            return image.convert("RGB")

    def pdf(self, **options: object) -> bytes:
        """The page printed. options: of Page.printToPDF, such as landscape=True."""
        answer = self.call("Page.printToPDF", printBackground=True, preferCSSPageSize=True, **options)
        return base64.b64decode(answer["data"])


def _exception(details: Mapping[str, Any]) -> str:
    thrown = details.get("exception", {})
    return str(thrown.get("description") or thrown.get("value") or details.get("text", ""))


def screenshot(browser: Browser, path: Path, width: int, height: int, dark: bool = False) -> Image.Image:
    """A file as the browser shows it in a window of so many pixels (RGB)."""
    page = browser.open(path, width=width, height=height, dark=dark)
    try:
        return page.screenshot()
    finally:
        page.close()
