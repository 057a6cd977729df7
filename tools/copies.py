"""`make lab`: JupyterLab on the reader's own copies of the notebooks, in my-notebooks/, which git
ignores. It opens the walkthrough.

A copy that was changed is never written again; one that was not follows the original.
"""

import hashlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from surroundings import surroundings

from chain_of_steps.common.errors import run_command
from chain_of_steps.common.files import atomic

ROOT = Path(__file__).parent.parent
COPIES = "my-notebooks"
RECORD = ".originals.json"  # of each copy, the hash of the original that it was made of
FIRST = "0_walkthrough.ipynb"
KINDS = ("*.ipynb", "*_solutions.py")  # what a reader opens; notebooks find the rest by its path


def prepare(root: Path = ROOT, say: Callable[[str], None] = print) -> Path:
    """Brings the copies up to date; returns their folder.

    Raises:
        OSError: if it cannot be written.
    """
    folder = root / COPIES
    folder.mkdir(exist_ok=True)
    record = folder / RECORD
    made = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}
    for original in sorted(file for kind in KINDS for file in (root / "notebooks").glob(kind)):
        name, copy, content = original.name, folder / original.name, original.read_bytes()
        now, there = _hash(content), _hash(copy.read_bytes()) if copy.exists() else None
        if there not in (None, now, made.get(name)):
            if made.get(name) != now:
                say(
                    f"{COPIES}/{name} has changes of your own, so it stays, although "
                    f"notebooks/{name} is newer; delete your copy to get the new one"
                )
            continue
        if there != now:
            with atomic(copy) as temporary:
                temporary.write_bytes(content)
        made[name] = now
    with atomic(record) as temporary:
        temporary.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    return folder


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def main(arguments: list[str]) -> int:
    folder = prepare()
    print(f"Your own copies of the notebooks are in {COPIES}/; delete one to start it afresh.")
    options = ["--ServerApp.ip=127.0.0.1", f"--LabApp.default_url=/lab/tree/{FIRST}"]
    with surroundings():
        os.environ["JUPYTER_CONFIG_PATH"] = str(ROOT / "tools" / "jupyter")
        os.chdir(folder)
        os.execv(sys.executable, [sys.executable, "-m", "jupyterlab", *options, *arguments])


if __name__ == "__main__":
    sys.exit(run_command(lambda: main(sys.argv[1:]), "lab"))
