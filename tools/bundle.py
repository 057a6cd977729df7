"""Joins ES modules into one, which can be inlined: pages opened as files may not import files."""

import re
from pathlib import Path

WEB = Path(__file__).parent.parent / "web"
IMPORT = re.compile(r'^import \{[^}]*\} from "\./([\w.]+)";\n', re.M)
EXPORT = re.compile(r"^export (?=(?:async )?(?:class|const|function|let))", re.M)
TOP_LEVEL = re.compile(r"^(?:export )?(?:async )?(?:class|const|let|function\*?) (\w+)", re.M)


def ordered(*names: str) -> list[str]:
    """The named files of web/ and what they import, each after what it imports."""
    found: list[str] = []
    for name in names:
        text = (WEB / name).read_text(encoding="utf-8")
        for each in [*ordered(*IMPORT.findall(text)), name]:
            if each not in found:
                found.append(each)
    return found


def bundle(*names: str) -> str:
    """The named modules of web/, with what they import, as the text of one module that exports
    nothing.

    Raises:
        ValueError: if two modules declare the same name.
    """
    owners: dict[str, str] = {}
    parts = []
    for name in ordered(*names):
        text = (WEB / name).read_text(encoding="utf-8")
        for declared in TOP_LEVEL.findall(text):
            if declared in owners:
                raise ValueError(
                    f"{owners[declared]} and {name} both declare {declared}; rename one of them"
                )
            owners[declared] = name
        parts.append(f"// ---- {name} ----\n" + EXPORT.sub("", IMPORT.sub("", text)))
    return "\n".join(parts)
