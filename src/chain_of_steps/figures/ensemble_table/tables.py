"""The ensemble table as text."""

from collections.abc import Sequence

from ...puzzles.first.suites import CATEGORIES, SPLITS


def markdown(summary: dict, names: Sequence[str]) -> str:
    """The table in VBVR-Bench's columns, in points: overall, in and out of domain, each by
    category; gains in brackets."""
    head = [
        "overall",
        *(
            f"{split} {part}"
            for split in ("ID", "OOD")
            for part in ("all", *(c[:5] for c in CATEGORIES))
        ),
    ]
    lines = [f"| | cost | {' | '.join(head)} |", "|---" * (len(head) + 2) + "|"]
    for name in names:
        row = summary["table"][name]
        cells = [
            row["overall"],
            *(row[split][part] for split in SPLITS for part in ("all", *CATEGORIES)),
        ]
        lines.append(f"| {name} | {row['cost']:.2f} | {' | '.join(map(_cell, cells))} |")
    return "\n".join(lines) + "\n"


def again_markdown(again: dict) -> str:
    """Both scores of every row in percent; is the second within the first's interval?"""
    if not again["n"]:
        return "No sample was run again.\n"
    out = [f"| n = {again['n']} | score | from other seeds | within |", "|---|---|---|---|"]
    for name, both in again["names"].items():
        first, second = (
            "{mean:.0%} ({low:.0%} to {high:.0%})".format(**both[part])
            for part in ("first", "again")
        )
        out.append(f"| {name} | {first} | {second} | {'yes' if both['within'] else 'no'} |")
    return (
        "\n".join([*out, "", f"{again['within']} of {len(again['names'])} rows are replicated."])
        + "\n"
    )


def _cell(value: dict) -> str:
    gain = value["gain"]
    return (
        f"{100 * value['mean']:.0f} ({100 * gain['mean']:+.1f})" if value["n"] and gain["n"] else ""
    )
