"""Joins ES modules into one, which can be inlined: pages opened as files may not import files."""

import re
from pathlib import Path

IMPORT = re.compile(r'^import \{[^}]*\} from "\./([\w.]+)";\n', re.M)
EXPORT = re.compile(r"^export (?=(?:async )?(?:class|const|function|let))", re.M)
TOP_LEVEL = re.compile(r"^(?:export )?(?:async )?(?:class|const|let|function\*?) (\w+)", re.M)


def ordered(folder: Path, *names: str) -> list[str]:
    """The named files of a folder and what they import, each after what it imports."""
    found: list[str] = []
    for name in names:
        text = (folder / name).read_text(encoding="utf-8")
        for each in [*ordered(folder, *IMPORT.findall(text)), name]:
            if each not in found:
                found.append(each)
    return found


def bundle(folder: Path, *names: str) -> str:
    """The named modules, with what they import, as the text of one that exports nothing.

    Raises:
        ValueError: if two modules declare the same name.
    """
    owners: dict[str, str] = {}
    parts = []
    for name in ordered(folder, *names):
        text = (folder / name).read_text(encoding="utf-8")
        for declared in TOP_LEVEL.findall(text):
            if declared in owners:
                raise ValueError(
                    f"{owners[declared]} and {name} both declare {declared}; rename one of them"
                )
            owners[declared] = name
        parts.append(f"// ---- {name} ----\n" + EXPORT.sub("", IMPORT.sub("", text)))
    return "\n".join(parts)
