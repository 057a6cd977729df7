"""A separate JupyterLab for the browser tests, on a free local port, with a token."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nbformat
from browser import until
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook
from playwright.sync_api import Locator, Page

from chain_of_steps.experiments.parameters import read

ROOT = Path(__file__).parent.parent
TOKEN = "a-token-of-the-tests"
PATIENCE = 120  # seconds until a test gives up; a busy machine is slow
# Only what tests look at: no news, and every cell rendered even if it is far down.
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "notebook-extension/tracker": {"windowingMode": "none"},
}
NOTEBOOK = "jupyterapp.shell.currentWidget"


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab."""

    url: str

    def open(self, page: Page, name: str) -> None:
        """Opens a notebook and waits for its kernel."""
        page.goto(f"{self.url}/lab/tree/{name}.ipynb?token={TOKEN}&reset")
        ready = (
            f"window.jupyterapp && {NOTEBOOK}?.sessionContext?.session?.kernel?.status === 'idle'"
        )
        page.wait_for_function(ready, timeout=PATIENCE * 1000)
        page.evaluate("jupyterapp.shell.collapseLeft()")

    def run(self, page: Page) -> list[dict]:
        """Runs all cells from top to bottom; returns the cells with their outputs."""
        page.evaluate("jupyterapp.commands.execute('notebook:run-all-cells')")
        return page.evaluate(f"{NOTEBOOK}.content.model.toJSON()")["cells"]


@contextmanager
def running(folder: Path) -> Iterator[Lab]:
    """JupyterLab as `make lab` starts it, on copies of the notebooks in `folder`, where they write.

    Raises:
        RuntimeError: if it does not start; with its output.
    """
    furnish(folder)
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        "--expose-app-in-browser",
        "--allow-root",
    ]
    command += [
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        "--ServerApp.ip=127.0.0.1",
    ]
    command += [f"--IdentityProvider.token={TOKEN}"]
    with (folder / "lab.log").open("w") as log:
        server = subprocess.Popen(
            command, cwd=folder / "notebooks", env=surroundings(folder), stdout=log, stderr=log
        )
        try:
            url = f"http://127.0.0.1:{port}"
            wait_for(f"{url}/api/status", server, folder / "lab.log")
            yield Lab(url)
        finally:
            server.terminate()  # it ends its kernels, then itself
            server.wait(PATIENCE)


def furnish(folder: Path) -> None:
    """Copies of the notebooks, and links to the other files that they expect in the project's
    root."""
    (folder / "notebooks").mkdir()
    for file in (ROOT / "notebooks").iterdir():
        if file.suffix in (".ipynb", ".py"):
            (folder / "notebooks" / file.name).write_bytes(file.read_bytes())
    for name in ("data", "params.yaml", "claims.yaml", "figures.yaml"):
        (folder / name).symlink_to(ROOT / name)
    for name, values in SETTINGS.items():
        file = folder / "jupyterlab_settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values))


def parameterize(folder: Path, name: str, scale: str) -> None:
    """Gives a notebook's copy its parameters of that scale, as papermill does."""
    file = folder / "notebooks" / f"{name}.ipynb"
    notebook = load_notebook_node(str(file))
    given = {"section": read(ROOT / "params.yaml", scale, name)}
    nbformat.write(parameterize_notebook(notebook, given), file)


def surroundings(folder: Path) -> dict[str, str]:
    """The settings of `make lab`, isolated from the user's settings, workspaces and servers."""
    names = (
        "JUPYTER_CONFIG",
        "JUPYTER_DATA",
        "JUPYTER_RUNTIME",
        "JUPYTERLAB_SETTINGS",
        "JUPYTERLAB_WORKSPACES",
    )
    own = {f"{name}_DIR": str(folder / name.lower()) for name in names}
    return {**os.environ, **own, "JUPYTER_CONFIG_PATH": str(ROOT / "tools" / "jupyter")}


def free_port() -> int:
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        return chosen.getsockname()[1]


def wait_for(url: str, server: subprocess.Popen, log: Path) -> None:
    """Waits until the server answers."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and server.poll() is None:
        try:
            urllib.request.urlopen(
                urllib.request.Request(url, headers={"Authorization": f"token {TOKEN}"}), timeout=5
            )
            return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"JupyterLab did not start: {log.read_text()[-2000:]}")


def explorer(page: Page) -> Locator:
    """The explorer that has a kernel."""
    return page.locator(".cos:not(.cos-recorded)")


def press_run(page: Page) -> None:
    """Presses the explorer's *Run*, and waits until the runs have ended."""
    explorer(page).get_by_role("button", name="Run", exact=True).click()
    stop = explorer(page).get_by_role("button", name="Stop", exact=True)
    until(stop.is_enabled, "a run begins", PATIENCE)
    until(lambda: stop.is_disabled() and ended(page), "the runs end", PATIENCE)


def ended(page: Page) -> bool:
    """Whether every run of the history has ended, and stays so: a second one may follow."""
    names = lambda: explorer(page).locator(".cos-history .cos-name").all_inner_texts()  # noqa: E731
    before = names()
    page.wait_for_timeout(1000)
    return before == names() and not any(name.startswith("…") for name in before)
