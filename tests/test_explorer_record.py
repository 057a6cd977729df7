"""Speed of the explorer: the record exists, is within the limits, and agrees with the README."""

import json
from pathlib import Path

ROOT = Path(__file__).parent.parent
RECORD = json.loads((ROOT / "benchmarks" / "explorer.json").read_text())
README = " ".join((ROOT / "README.md").read_text().split())


def test_a_rerun_takes_three_seconds_at_most_and_a_scrub_fifty_milliseconds():
    assert RECORD["steps"] == 20 and RECORD["rerun_seconds"]["worst"] <= 3.0
    assert RECORD["scrub_ms"]["median"] <= 50.0


def test_it_says_how_often_and_on_what_machine_it_was_measured():
    assert RECORD["rerun_seconds"]["n"] >= 10 and RECORD["scrub_ms"]["n"] >= 200
    assert RECORD["machine"]["processor"] and RECORD["machine"]["cores"] >= 1


def test_the_readme_says_the_same():
    seconds, scrub = RECORD["rerun_seconds"]["median"], RECORD["scrub_ms"]
    assert f"a changed run of {RECORD['steps']} steps takes {seconds:.2f} s" in README
    assert (
        f"on the screen {scrub['median']:.0f} ms after the key (95 % within {scrub['p95']:.0f} ms;"
        in README
    )
