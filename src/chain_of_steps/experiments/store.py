"""The rows of an experiment: one per run, addressed by the hash of everything that determines it.

While an experiment runs, finished rows are appended to `<experiment>.jsonl`; `seal` moves them,
sorted and compressed, to `<experiment>.jsonl.gz`. A row is only used if its checksum is right.
Several processes may write at once.
"""

import json
import os
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock

from ..common.files import atomic
from ..common.hashing import digest
from ..common.rounding import rounded
from .lines import Row, key_of, read, sealed

REQUIRED = ("answer", "valid", "score")  # what every result says, None where it cannot
GROWING, SEALED = ".jsonl", ".jsonl.gz"


PUBLISHED = Path(
    "results"
)  # rows of the committed figures; notebooks read them and write elsewhere


class Store:
    """The rows of one experiment in a folder.

    A line that was cut short or changed is named, never used, and its run computed again. Sealing
    the same rows always gives the same bytes.

    Args:
        folder: where the files lie; made if missing.
        experiment: its name.
        beneath: a folder whose rows are found as well, and never written.

    Attributes:
        damaged: lines that are not used, as `<file>, line <number>`; none after `seal`.
    """

    def __init__(self, folder: str | Path, experiment: str, beneath: str | Path | None = None):
        self.folder, self.experiment = Path(folder), experiment
        self._beneath: dict[str, Row] = {}
        if beneath and Path(beneath).resolve() != self.folder.resolve():
            lower = Path(beneath) / experiment
            self._beneath, _ = read([Path(f"{lower}{SEALED}"), Path(f"{lower}{GROWING}")])
        self.growing = self.folder / f"{experiment}{GROWING}"
        self.sealed = self.folder / f"{experiment}{SEALED}"
        self._rows, damaged = read([self.sealed, self.growing])
        self.damaged = list(damaged)
        if damaged:
            more = f" and {len(damaged) - 1} more are" if len(damaged) > 1 else " is"
            warnings.warn(
                f"{self.folder / self.damaged[0]}{more} damaged; computed again", stacklevel=2
            )

    @property
    def rows(self) -> dict[str, dict]:
        """All rows by key, each as `get` gives it."""
        return {key: _plain(key, row) for key, row in (self._beneath | self._rows).items()}

    def get(self, identity: dict) -> dict | None:
        """The row of a run: its `key`, the `run` (with what the header says) and the `result`; None
        if it has not been computed yet."""
        key = key_of(identity)
        row = self._rows.get(key) or self._beneath.get(key)
        return _plain(key, row) if row else None

    def put(
        self, header: dict, run: dict, result: dict, digits: Mapping[str, int] | None = None
    ) -> dict:
        """Stores a row for good (appended and flushed to disk) and returns it.

        Args:
            header: what all rows of the experiment share; plain JSON data.
            run: what determines this run besides.
            result: everything in `REQUIRED`, and what else was measured.
            digits: see `as_stored`.

        Raises:
            ValueError: if the result lacks one of `REQUIRED`.
        """
        if missing := [name for name in REQUIRED if name not in result]:
            raise ValueError(f"a result needs {', '.join(REQUIRED)}; it lacks {missing[0]!r}")
        row = Row(_as_json(header), _as_json(run), as_stored(result, digits))
        with _locked(self.folder), open(self.growing, "a+b") as file:
            file.write(b"\n" * _torn(file) + row.line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        key = key_of(row.identity)
        self._rows[key] = row
        return _plain(key, row)

    def seal(self, keys: set[str] | None = None) -> None:
        """Compresses the rows (only those of `keys`, if given) in order of their keys, atomically.

        Rows that others have written meanwhile are kept too; damaged lines are set aside in
        `<experiment>.damaged`.
        """
        with _locked(self.folder):
            found, damaged = read([self.sealed, self.growing])
            if damaged:
                with open(
                    self.folder / f"{self.experiment}.damaged", "a", encoding="utf-8"
                ) as aside:
                    aside.writelines(line + "\n" for line in damaged.values())
            everything = self._rows | found
            self._rows = {k: everything[k] for k in sorted(everything) if keys is None or k in keys}
            with atomic(self.sealed) as temporary:
                temporary.write_bytes(sealed(self._rows.values()))
            self.growing.unlink(missing_ok=True)
            self.damaged = []


def as_stored(result: dict, digits: Mapping[str, int] | None = None) -> dict:
    """A result as a row holds it. This is the only place where the numbers of rows are rounded.

    Args:
        digits: after the point, for what stands under a name; 4 for everything else.
    """
    return _as_json(rounded(result, 4, digits))


def names(folder: Path) -> list[str]:
    """The experiments that have rows in a folder."""
    files = [*folder.glob(f"*{GROWING}"), *folder.glob(f"*{SEALED}")]
    return sorted({file.name.removesuffix(".gz").removesuffix(GROWING) for file in files})


def _plain(key: str, row: Row) -> dict:
    return {"key": key, "run": row.identity, "result": row.result}


def _as_json(data: dict) -> dict:
    return json.loads(json.dumps(data))


def _torn(file: Any) -> bool:
    """Whether a kill cut the last line of a file, open for reading, short."""
    if file.seek(0, os.SEEK_END) == 0:
        return False
    file.seek(-1, os.SEEK_END)
    return file.read(1) != b"\n"


def _locked(folder: Path) -> FileLock:
    """Keeps other processes from writing into a folder; the system lets go of it when one dies.

    The lock's file lies outside the folder, which holds rows and nothing else.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = digest([str(folder.resolve()), os.getuid()])[:16]
    return FileLock(Path(tempfile.gettempdir()) / f"chain-of-steps-{name}.lock")
