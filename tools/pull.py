"""Brings data/ and results/ from dvc-store/ with DVC; a failure is one sentence with what to do.

Without a git repository, as in an unpacked ZIP file, DVC is first told to do without one.
"""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from surroundings import own

from chain_of_steps.common.errors import run_command

ROOT = Path(__file__).parent.parent
NO_GIT = "is not a git repository"
# Part of DVC's message -> what it means, and what to do.
REASONS = {
    "unsaved files": "a pull would overwrite changes of your own, see below; move them elsewhere, "
    "or drop them with `.venv/bin/dvc pull --force`",
    "Unable to acquire lock": "another DVC command is running in this folder; wait until it ends",
    "No space left": "the disk is full; free some space and run again",
    "Disk quota exceeded": "your disk quota is used up; free some space and run again",
    "Permission denied": "a file cannot be read or written, see below; change its permissions",
    "Read-only file system": "this folder cannot be written; copy the project elsewhere",
    "config file error": "a settings file of DVC is damaged, see below; correct or delete it",
    "No module named dvc": "DVC is not installed in this environment; run `make env`",
}


def pull(root: Path = ROOT, say: Callable[[str], None] = print) -> None:
    """Brings data/ and results/ up to date.

    Raises:
        RuntimeError: if DVC fails, with the reason.
    """
    code, said = _dvc(root, "pull")
    if code and NO_GIT in said:
        say("This folder is no git repository; DVC is set to work without one.")
        _dvc(root, "config", "--local", "core.no_scm", "true")
        code, said = _dvc(root, "pull")
    if code:
        raise RuntimeError(reason(root, said))


def reason(root: Path, said: str) -> str:
    """Why a pull failed, from what DVC said and the state of the store; and what to do."""
    if faulty := damaged(root):
        return (
            f"{len(faulty)} of the files in dvc-store/ are damaged, such as {faulty[0]}; restore "
            "them with `git checkout -- dvc-store`, or fetch the project again"
        )
    lines = [line for line in said.splitlines() if line.strip() and "dvc.org" not in line]
    last = " ".join(line.strip() for line in lines[-3:]).removeprefix("ERROR: ")
    for part, meaning in REASONS.items():
        if part in said:
            return f"data/ and results/ could not be fetched: {meaning} (DVC: {last})"
    if "failed to transfer" in said or "missing" in said:
        return (
            "dvc-store/ lacks files that data.dvc or results.dvc name; fetch the project again "
            f"(DVC: {last})"
        )
    return f"data/ and results/ could not be fetched with DVC, which says: {last or 'nothing'}"


def damaged(root: Path) -> list[str]:
    """The files of the store whose content is not what their name says."""
    store = root / "dvc-store" / "files" / "md5"
    files = sorted(file for file in store.glob("??/*") if file.is_file())
    return [str(f.relative_to(root)) for f in files if _md5(f) != f.parent.name + f.name[:30]]


def _md5(file: Path) -> str:
    return hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()


def _dvc(root: Path, *arguments: str) -> tuple[int, str]:
    """Runs DVC; its exit code, and what it wrote."""
    command = [sys.executable, "-m", "dvc", *arguments]
    settings = {"cwd": root, "env": own(dict(os.environ)), "stdin": subprocess.DEVNULL}
    run = subprocess.run(command, capture_output=True, text=True, errors="replace", **settings)
    return run.returncode, run.stdout + run.stderr


if __name__ == "__main__":
    sys.exit(run_command(pull, "pull"))
