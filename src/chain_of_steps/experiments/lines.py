"""How rows are written: lines of JSON, each with a checksum, in a file that grows or a sealed one.

A line of a file that grows has everything: header, run and result. In a sealed file, which is
compressed, the headers come first, and a row has the short name of its own in `of`.
"""

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..common.hashing import digest


@dataclass(frozen=True)
class Row:
    """One row, taken apart.

    Attributes:
        header: what all rows of an experiment share.
        run: what determines this run besides.
        result: what was measured.
    """

    header: dict
    run: dict
    result: dict

    @property
    def identity(self) -> dict:
        return self.header | self.run

    @property
    def line(self) -> str:
        return _line({"header": self.header, "run": self.run, "result": self.result})


def key_of(identity: dict) -> str:
    """Hash of what determines a run: experiment, weights, schedule, sample, seed, interventions,
    version."""
    return digest(identity)[:32]


def read(files: Iterable[Path]) -> tuple[dict[str, Row], dict[str, str]]:
    """The rows of files by key, and their damaged lines by `<file>, line <number>`. Of rows with
    the same key the last one counts: that of a later file, or of a later line."""
    rows: dict[str, Row] = {}
    damaged: dict[str, str] = {}
    for file in files:
        headers: dict[str, dict] = {}
        for number, line in enumerate(_text(file).split("\n"), 1):
            try:
                row = _row_of(line, headers) if line else None
            except (KeyError, AttributeError, TypeError, ValueError):
                damaged[f"{file.name}, line {number}"] = line
            else:
                rows |= {key_of(row.identity): row} if row else {}
    return rows, damaged


def sealed(rows: Iterable[Row]) -> bytes:
    """A sealed file: the same rows in the same order always give the same bytes."""
    rows = list(rows)
    headers = {_short(row.header): row.header for row in rows}
    lines = [_line({"header": headers[name]}) for name in sorted(headers)]
    lines += [_line({"of": _short(r.header), "run": r.run, "result": r.result}) for r in rows]
    return gzip.compress("".join(f"{line}\n" for line in lines).encode(), mtime=0)


def _row_of(line: str, headers: dict[str, dict]) -> Row | None:
    """The row that a line holds; None for a header, which is added to `headers`."""
    data = json.loads(line)
    if data.pop("check") != digest(data)[:8]:
        raise ValueError("another checksum")
    if "result" not in data:
        headers[_short(data["header"])] = data["header"]
        return None
    header = data["header"] if "header" in data else headers[data["of"]]
    return Row(header, data["run"], data["result"])


def _line(data: dict) -> str:
    checked = {**data, "check": digest(data)[:8]}
    return json.dumps(checked, sort_keys=True, separators=(",", ":"))


def _short(header: dict) -> str:
    return digest(header)[:8]


def _text(file: Path) -> str:
    """What a file holds; of a damaged compressed one, what comes before the damage."""
    if not file.exists():
        return ""
    if file.suffix != ".gz":
        return file.read_text(encoding="utf-8", errors="replace")
    return b"".join(_blocks(file)).decode("utf-8", errors="replace")


def _blocks(file: Path) -> Iterator[bytes]:
    with gzip.open(file) as stream:
        while True:
            try:
                block = stream.read(1 << 16)
            except (EOFError, gzip.BadGzipFile, zlib.error):
                yield b"\ncannot be decompressed from here on"
                return
            if not block:
                return
            yield block
