"""Verdicts on claims: computed from metrics by the rules of claims.yaml, nothing else."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from .parameters import read

LEAST = (
    10  # samples without which there is no verdict: a bootstrap of a few equal values has no width
)


def verdict(interval: dict, rule: dict) -> str:
    """`supported`, `not supported` or `undecided`.

    Args:
        interval: {low, high, n} of the statistic; fewer than `LEAST` samples or missing bounds are
            undecided.
        rule: has `above: x` or `within: [a, b]`.
    """
    low, high = interval["low"], interval["high"]
    if low is None or high is None or interval["n"] < LEAST:
        return "undecided"
    if "above" in rule:
        inside, outside = low > rule["above"], high < rule["above"]
    else:
        a, b = rule["within"]
        inside, outside = a < low and high < b, high < a or low > b
    return "supported" if inside else "not supported" if outside else "undecided"


def judge(claims_file: Path, figures: Path, figure: str | None = None) -> list[dict]:
    """Every claim (of one figure, if named) with its `interval` and `verdict`; claims that have not
    been measured are left out.

    Args:
        figures: folder of a `Report`.
    """
    judged = []
    for claim in _claims(claims_file):
        file = Path(figures) / f"{claim['figure']}.json"
        if not file.exists() or (figure and claim["figure"] != figure):
            continue
        interval = _at(json.loads(file.read_text(encoding="utf-8")), claim["metric"])
        if interval is not None:
            judged.append({**claim, "interval": interval, "verdict": verdict(interval, claim)})
    return judged


def markdown(judged: list[dict]) -> str:
    """The ledger of claims as a Markdown table."""
    head = ("claim", "where", "paper", "ours (n, 95 % interval)", "controls", "verdict")
    return _table(
        head,
        ([c["claim"], c["where"], c["paper"], _ours(c), c["controls"], _bold(c)] for c in judged),
    )


def brief(judged: list[dict]) -> str:
    """What the paper itself says, as a smaller table."""
    shown = [claim for claim in judged if claim["paper"] != "not tested"]
    return _table(
        ("the paper", "ours (n, 95 % interval)", "verdict"),
        ([c["claim"], _ours(c), _bold(c)] for c in shown),
    )


def open_questions(claims_file: Path) -> str:
    """What no verdict here can say, as a Markdown section."""
    questions = read(claims_file, "needs_a_large_model")
    return (
        "\n".join(
            [
                "",
                "## What a 14B run is needed for",
                "",
                *(f"- {question}" for question in questions),
            ]
        )
        + "\n"
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [
        f"| {' | '.join(head)} |",
        "|---" * len(head) + "|",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


def _ours(claim: dict) -> str:
    i = claim["interval"]
    return (
        f"{i['mean']:.2f} (n = {i['n']}, {i['low']:.2f} to {i['high']:.2f})" if i["n"] else "none"
    )


def _bold(claim: dict) -> str:
    return f"**{claim['verdict']}**"


def _claims(file: str | Path) -> list[dict]:
    claims = read(file, "claims")
    if not isinstance(claims, list):
        raise ValueError(f"{file} holds no list of claims")
    for number, claim in enumerate(claims, 1):
        ruled = isinstance(claim, dict) and ("above" in claim or "within" in claim)
        if not ruled or not all(isinstance(claim.get(name), str) for name in ("figure", "metric")):
            raise ValueError(
                f"claim {number} of {file} needs a figure, a metric, and a rule: above or within"
            )
    return claims


def _at(metrics: dict, path: str) -> Any:
    for name in path.split("."):
        if not isinstance(metrics, dict) or name not in metrics:
            return None
        metrics = metrics[name]
    return metrics
