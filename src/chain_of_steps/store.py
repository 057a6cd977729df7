"""Rows of results: one line of JSON per run, addressed by the hash of everything that determines it."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .tasks.base import digest


class Store:
    """A file of rows, `<folder>/<experiment>.jsonl`.

    While an experiment runs, finished rows are appended; a line that a kill cut short is dropped when read again.
    `seal` sorts the rows, so that the same runs always give the same bytes.

    Args:
        folder: where the file lies; made if missing.
        experiment: name of the experiment.
    """

    def __init__(self, folder: str | Path, experiment: str):
        self.file = Path(folder) / f"{experiment}.jsonl"
        self._torn = False  # whether a kill cut the last line short
        self.rows = {row["key"]: row for row in self._read()}

    def get(self, identity: dict) -> dict | None:
        """The row of a run, or None if it was not computed yet."""
        return self.rows.get(key_of(identity))

    def put(self, identity: dict, result: dict) -> dict:
        """Stores a row for good (appended and flushed to disk) and returns it."""
        row = {"key": key_of(identity), "run": identity, "result": result}
        row = json.loads(_line(row))  # what a reader will see
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with open(self.file, "a", encoding="utf-8") as file:
            file.write("\n" * self._torn + _line(row) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self.rows[row["key"]], self._torn = row, False
        return row

    def seal(self, keys: set[str] | None = None) -> None:
        """Rewrites the file with its rows (only those of `keys`, if given) in order of their keys, atomically."""
        self.rows = {key: row for key, row in sorted(self.rows.items()) if keys is None or key in keys}
        partial = self.file.with_suffix(".partial")
        self.file.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text("".join(_line(row) + "\n" for row in self.rows.values()), encoding="utf-8")
        os.replace(partial, self.file)

    def _read(self) -> Iterator[dict]:
        if not self.file.exists():
            return
        text = self.file.read_text(encoding="utf-8")
        self._torn = bool(text) and not text.endswith("\n")
        for number, line in enumerate(text.splitlines(), 1):
            try:
                row = json.loads(line)
                check = row.pop("check")
            except (json.JSONDecodeError, KeyError):
                continue  # cut short by a kill: this run is computed again
            if check != digest(row)[:16]:
                raise ValueError(
                    f"row {number} of {self.file} does not match its checksum; restore the file with "
                    f"`dvc checkout --force`, or delete that line to compute it again"
                )
            yield row


def key_of(identity: dict) -> str:
    """Hash of what determines a run: experiment, weights, schedule, sample, seed, interventions, version."""
    return digest(identity)[:32]


def rounded(values: Any, digits: int = 4) -> Any:
    """Nested lists of floats, rounded for storage; NaN becomes None."""
    if hasattr(values, "tolist"):
        values = values.tolist()
    if isinstance(values, (list, tuple)):
        return [rounded(value, digits) for value in values]
    if isinstance(values, float):
        return None if values != values else round(values, digits)
    return values


def _line(row: dict) -> str:
    body = {name: row[name] for name in ("key", "run", "result")}
    return json.dumps({**body, "check": digest(body)[:16]}, sort_keys=True, separators=(",", ":"))
