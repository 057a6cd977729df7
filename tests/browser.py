"""The browser of the browser tests: Debian's Chromium, driven by playwright."""

import fcntl
import functools
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page

SCREENSHOTS = Path(__file__).parent.parent / "scratch" / "screenshots"

ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium_is_here() -> bool:
    """Whether the browser tests can run: CI (CI=true) installs Chromium where it is missing."""
    return shutil.which("chromium") is not None or os.environ.get("CI") == "true"


@functools.cache
def chromium_path() -> str:
    """The path of Chromium. If missing, CI installs it; elsewhere the calling test is skipped."""
    if not chromium_is_here():
        pytest.skip("needs Chromium on the PATH (Debian and Ubuntu: apt install chromium)")
    with open(
        Path(tempfile.gettempdir()) / "chromium.lock", "w"
    ) as lock:  # the tests run in two processes
        fcntl.flock(lock, fcntl.LOCK_EX)
        if shutil.which("chromium") is None:
            _install()
    path = shutil.which("chromium")
    assert path, "apt-get installed chromium, but there is none on the PATH"
    return path


def _install() -> None:
    apt = ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=300"]
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run([*apt, "update"], check=True, env=quiet)
    subprocess.run(
        [*apt, "install", "-y", "--no-install-recommends", "chromium"], check=True, env=quiet
    )


def until(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    """Polls until a condition holds; pages may forbid the eval that `wait_for_function` needs.

    Raises:
        AssertionError: if it does not become true in time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"still not true after {seconds:.0f} s: {what}"
        time.sleep(0.02)


def pixels(shown: Locator) -> str:
    """The pixels of a canvas or of a loaded image, as a data URI; empty if there are none."""
    return shown.evaluate("""shown => {
        const [w, h] = [shown.naturalWidth ?? shown.width, shown.naturalHeight ?? shown.height];
        if (!w || !h) return "";
        const canvas = Object.assign(document.createElement("canvas"), {width: w, height: h});
        canvas.getContext("2d").drawImage(shown, 0, 0);
        return canvas.toDataURL();
    }""")


def screenshot(page: Page, name: str, **options) -> None:
    """Saves a screenshot, for people to look at."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", **options)


def fits(page: Page) -> bool:
    """Whether the page can be read without scrolling sideways."""
    return page.evaluate("document.documentElement.scrollWidth <= innerWidth")
