"""What every analysis begins with: rows to shares, means and differences, clustered by state."""

import pytest

from chain_of_steps.figures import summaries
from chain_of_steps.measures.intervals import clustered, difference, proportion

VALID, OTHER, STATES = [1, 1, 0, 0, 1, 0], [0, 1, 0, 0, 0, 0], list("aabbcc")
ROWS = [
    {"result": {"valid": bool(v), "other": bool(o), "sample": {"cluster": c}}}
    for v, o, c in zip(VALID, OTHER, STATES, strict=True)
]


def test_shares_means_and_differences_draw_whole_states():
    found = {
        "share": summaries.share(ROWS, lambda result: result["valid"]),
        "mean": summaries.mean(ROWS, lambda result: float(result["valid"])),
        "paired": summaries.paired(ROWS, lambda r: r["valid"], lambda r: r["other"]),
    }
    assert found == {
        "share": proportion(VALID, STATES),
        "mean": clustered(VALID, STATES),
        "paired": difference(VALID, OTHER, STATES),
    }
    assert found["paired"]["mean"] == pytest.approx(1 / 3, abs=1e-4)
    assert all(each["clusters"] == 3 and each["n"] == 6 for each in found.values())


def test_nothing_has_no_share():
    none = {"mean": None, "low": None, "high": None, "n": 0, "clusters": 0}
    assert summaries.share([], bool) == summaries.paired([], bool, bool) == none
