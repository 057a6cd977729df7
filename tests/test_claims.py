"""Verdicts follow from intervals and the written rule, and from nothing else."""

import json
from pathlib import Path

import pytest
import yaml

from chain_of_steps.experiments.claims import brief, judge, markdown, open_questions, verdict

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    ("low", "high", "rule", "expected"),
    [
        (0.6, 0.8, {"above": 0.5}, "supported"),
        (0.1, 0.4, {"above": 0.5}, "not supported"),
        (0.4, 0.6, {"above": 0.5}, "undecided"),
        (-0.2, 0.1, {"within": [-0.5, 0.5]}, "supported"),
        (0.6, 0.9, {"within": [-0.5, 0.5]}, "not supported"),
        (-0.9, -0.6, {"within": [-0.5, 0.5]}, "not supported"),
        (0.4, 0.9, {"within": [-0.5, 0.5]}, "undecided"),
        (None, None, {"above": 0.5}, "undecided"),
    ],
)
def test_verdict(low, high, rule, expected):
    assert verdict({"low": low, "high": high, "n": 10}, rule) == expected
    assert verdict({"low": low, "high": high, "n": 9}, rule) == "undecided"


def test_every_claim_has_one_rule_and_says_where_it_comes_from():
    claims = yaml.safe_load((ROOT / "claims.yaml").read_text())["claims"]
    assert len({claim["id"] for claim in claims}) == len(claims)
    for claim in claims:
        assert {"id", "claim", "where", "paper", "figure", "metric", "controls"} <= set(claim)
        assert ("above" in claim) != ("within" in claim)


def test_ledger_is_computed_from_the_metrics(tmp_path):
    (tmp_path / "claims.yaml").write_text(
        yaml.safe_dump(
            {
                "claims": [
                    {
                        "id": "a",
                        "claim": "It rises",
                        "where": "Fig. 9",
                        "paper": "yes",
                        "controls": "none",
                    }
                    | {"figure": "f", "metric": "all.gain", "above": 0.2}
                ]
            }
        )
    )
    (tmp_path / "f.json").write_text(
        json.dumps({"all": {"gain": {"mean": 0.5, "low": 0.4, "high": 0.6, "n": 30}}})
    )
    (judged,) = judge(tmp_path / "claims.yaml", tmp_path)
    assert judged["verdict"] == "supported"
    assert (
        "| It rises | Fig. 9 | yes | 0.50 (n = 30, 0.40 to 0.60) | none | **supported** |"
        in markdown([judged])
    )


def test_the_readme_shows_what_the_paper_says():
    text = brief(judge(ROOT / "claims.yaml", ROOT / "figures"))
    assert text in (ROOT / "README.md").read_text(), (
        f"`chain-of-steps claims --brief` says:\n{text}"
    )
    assert (
        (ROOT / "figures" / "claims.md").read_text().endswith(open_questions(ROOT / "claims.yaml"))
    )


def test_every_figure_of_the_paper_has_a_claim():
    where = {
        claim["where"] for claim in yaml.safe_load((ROOT / "claims.yaml").read_text())["claims"]
    }
    for place in (
        "Fig. 1 and 2",
        "Fig. 3b",
        "Fig. 3c",
        "Fig. 4",
        "Fig. 5",
        "Fig. 6a",
        "Fig. 6b",
        "ensemble table",
        "limits",
    ):
        assert place in where


def test_claims_without_metrics_are_left_out(tmp_path):
    assert judge(ROOT / "claims.yaml", tmp_path) == []
