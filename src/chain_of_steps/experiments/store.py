"""Rows of results: one line of JSON per run, addressed by the hash of everything that determines it.

A row is only used if its checksum is right. Several processes may write to the same file at once.
"""

import json
import os
import tempfile
import warnings
from pathlib import Path
from typing import Any

from filelock import FileLock

from ..common.files import atomic
from ..common.hashing import digest


class Store:
    """A file of rows, `<folder>/<experiment>.jsonl`.

    While an experiment runs, finished rows are appended. A line that was cut short or changed is named, never used,
    and its run computed again. `seal` sorts the rows, so that the same runs always give the same bytes.

    Args:
        folder: where the file lies; made if missing.
        experiment: name of the experiment.

    Attributes:
        rows: by key.
        damaged: numbers of the lines that are not used.
    """

    def __init__(self, folder: str | Path, experiment: str):
        self.file = Path(folder) / f"{experiment}.jsonl"
        self.rows, bad = _read(self.file)
        self.damaged = sorted(bad)
        if bad:
            warnings.warn(
                f"{self.file}: line {_listed(self.damaged)} damaged; computed again", stacklevel=2
            )

    def get(self, identity: dict) -> dict | None:
        """The row of a run, or None if it was not computed yet."""
        return self.rows.get(key_of(identity))

    def put(self, identity: dict, result: dict) -> dict:
        """Stores a row for good (appended and flushed to disk) and returns it."""
        row = {"key": key_of(identity), "run": identity, "result": result}
        row = json.loads(_line(row))  # what a reader will see
        with _locked(self.file.parent), open(self.file, "a+b") as file:
            file.write(b"\n" * _torn(file) + _line(row).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self.rows[row["key"]] = row
        return row

    def seal(self, keys: set[str] | None = None) -> None:
        """Rewrites the file with its rows (only those of `keys`, if given) in order of their keys, atomically.

        Rows that others have written meanwhile are kept too; damaged lines are set aside in `<experiment>.damaged`.
        """
        with _locked(self.file.parent):
            found, bad = _read(self.file)
            self.rows = {
                k: row
                for k, row in sorted((self.rows | found).items())
                if keys is None or k in keys
            }
            if bad:
                with open(self.file.with_suffix(".damaged"), "a", encoding="utf-8") as aside:
                    aside.writelines(line + "\n" for line in bad.values())
            with atomic(self.file) as temporary:
                temporary.write_text(
                    "".join(_line(row) + "\n" for row in self.rows.values()), encoding="utf-8"
                )


def key_of(identity: dict) -> str:
    """Hash of what determines a run: experiment, weights, schedule, sample, seed, interventions, version."""
    return digest(identity)[:32]


def _read(file: Path) -> tuple[dict[str, dict], dict[int, str]]:
    """The good rows of a file by key, and its damaged lines by number."""
    rows, bad = {}, {}
    text = file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""
    for number, line in enumerate(text.split("\n"), 1):
        row = _row_of(line)
        if row is not None:
            rows[row["key"]] = row
        elif line:
            bad[number] = line
    return rows, bad


def _row_of(line: str) -> dict | None:
    """The row that a line holds, None if its checksum is missing or wrong."""
    try:
        row = json.loads(line)
        check = row.pop("check")
    except (json.JSONDecodeError, KeyError, AttributeError, TypeError):
        return None
    return row if check == digest(row)[:16] and row["key"] == key_of(row["run"]) else None


def _line(row: dict) -> str:
    body = {name: row[name] for name in ("key", "run", "result")}
    return json.dumps({**body, "check": digest(body)[:16]}, sort_keys=True, separators=(",", ":"))


def _torn(file: Any) -> bool:
    """Whether a kill cut the last line of a file, open for reading, short."""
    if file.seek(0, os.SEEK_END) == 0:
        return False
    file.seek(-1, os.SEEK_END)
    return file.read(1) != b"\n"


def _locked(folder: Path) -> FileLock:
    """Keeps other processes from writing into a folder; the system lets go of it when one dies.

    The lock's file lies outside of the folder, which holds rows and nothing else.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = digest([str(folder.resolve()), os.getuid()])[:16]
    return FileLock(Path(tempfile.gettempdir()) / f"chain-of-steps-{name}.lock")


def _listed(numbers: list[int], most: int = 5) -> str:
    more = (
        f" and {len(numbers) - most} more are"
        if len(numbers) > most
        else " is"
        if len(numbers) == 1
        else " are"
    )
    return ", ".join(map(str, numbers[:most])) + more
