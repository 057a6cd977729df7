"""The browser of the browser tests: Debian's Chromium, driven by playwright."""

import functools
import os
import shutil
import subprocess

import pytest

ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@functools.cache
def chromium_path() -> str:
    """Where Chromium is. Without one, CI (CI=true) installs Debian's; elsewhere the calling test is skipped."""
    path = shutil.which("chromium")
    if path is None and os.environ.get("CI") == "true":
        apt = ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=300"]
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run([*apt, "update"], check=True, env=quiet)
        subprocess.run([*apt, "install", "-y", "--no-install-recommends", "chromium"], check=True, env=quiet)
        path = shutil.which("chromium")
        assert path, "apt-get installed chromium, but there is none on the PATH"
    if path is None:
        pytest.skip("needs Chromium on the PATH (Debian and Ubuntu: apt install chromium)")
    return path
