"""Results of VBVR-EvalKit: read, and printed next to their floor.

EvalKit scores a frozen first frame between .38 and .86, so a score means nothing without that
floor, on the same samples. Rows in which a scorer failed are counted separately, not as zeros.
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ..puzzles.suite import CATEGORIES, DOMAINS
from .vbvr import DOMAIN_FOLDERS, TASK_SUFFIX

COMMAND, ENDING = "vbvr-run-evaluation", "_vbvr_results.json"
DOMAIN_OF = {folder: domain for domain, folder in DOMAIN_FOLDERS.items()}
SAMPLE = ["domain", "task", "index"]
COLUMNS = [*SAMPLE, "category", "score", "error"]
FROZEN = "frozen first frame"


def read_results(file: str | Path) -> pd.DataFrame:
    """One line per sample of a result file: domain, task, index, category, score (NaN if it
    failed), error.

    Raises:
        ValueError: if the file is not such a result.
    """
    try:
        samples = json.loads(Path(file).read_text(encoding="utf-8"))["samples"]
        lines = [_line(sample) for sample in samples]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{file} is not a result of VBVR-EvalKit ({type(error).__name__}: {error}); expected "
            f"the <model>_vbvr_results.json that {COMMAND} writes"
        ) from error
    return pd.DataFrame(lines, columns=COLUMNS).sort_values(SAMPLE, ignore_index=True)


def _line(sample: dict) -> dict:
    score, error = sample["score"], sample["error"]
    if error is None and isinstance(score, float) and math.isnan(score):
        error = "EvalKit's score is not a number"
    if error is None and not (isinstance(score, (int, float)) and 0.0 <= score <= 1.0 + 1e-6):
        raise ValueError(f"score {score!r} of {sample['video_path']} lies outside of [0, 1]")
    return {
        "domain": DOMAIN_OF[sample["folder"]],
        "task": sample["task_name"].removesuffix(TASK_SUFFIX),
        "index": Path(sample["video_file"]).stem,
        "category": sample["category"],
        "score": np.nan if error is not None else float(score),
        "error": error,
    }


def names(files: Sequence[Path]) -> list[str]:
    """A name for each result file: that of its model, with as many folders before it as tell all
    files apart.

    Raises:
        ValueError: if a file is named twice.
    """
    whole = [file.resolve() for file in files]
    if len(set(whole)) < len(whole):
        raise ValueError("a result file is named twice; name every file once")
    parts = [(*file.parent.parts, file.name.removesuffix(ENDING)) for file in whole]
    found: list[str] = []
    for count in range(1, max(map(len, parts)) + 1):
        found = ["/".join(part[-count:]) for part in parts]
        if len(set(found)) == len(found):
            break
    return found


def table(
    models: dict[str, pd.DataFrame], floor: pd.DataFrame | None = None, commit: str = "unknown"
) -> str:
    """Scores as a Markdown table, per-sample means over the samples that all rows have: overall, by
    domain, by domain and category; errors counted separately.

    Args:
        models: results by name.
        floor: results of the frozen first frames.
        commit: of the EvalKit that computed them.
    """
    domains = ("ID", "OOD")
    head = ["overall", *(f"{d} {part}" for d in domains for part in ("all", *CATEGORIES))]
    lines = [f"| model | n | errors | {' | '.join(head)} |", "|---" * (len(head) + 3) + "|"]
    rows = models if floor is None else models | {FROZEN: floor}
    good = {name: each.dropna(subset=["score"]).set_index(SAMPLE) for name, each in rows.items()}
    shared = set.intersection(*(set(each.index) for each in good.values()))
    for name, scored in good.items():
        used = scored[scored.index.isin(shared)]
        numbers = [f"{cell.mean():.3f}" if len(cell) else "" for cell in _cells(used)]
        errors = len(rows[name]) - len(scored)
        lines.append(f"| {name} | {len(used)} | {errors} | {' | '.join(numbers)} |")
    most = max(len(each) for each in good.values())
    if len(shared) < most:
        lines.append(f"\nOver the {len(shared)} samples that all rows have, of up to {most}.")
    if floor is None:
        lines.append("\nNo floor was given: a frozen first frame scores .38 to .86 on these tasks.")
    return "\n".join(lines) + f"\n\nVBVR-EvalKit commit: {commit}\n"


def _cells(scored: pd.DataFrame) -> list[pd.Series]:
    """The scores of each column of the table."""
    domain, scores = scored.index.get_level_values("domain"), scored["score"]
    cells = [scores]
    for each in DOMAINS:
        cells.append(scores[domain == each])
        cells += [scores[(domain == each) & (scored["category"] == c)] for c in CATEGORIES]
    return cells
