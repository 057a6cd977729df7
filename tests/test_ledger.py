"""The ledger on metrics made by hand."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from chain_of_steps.experiments import ledger, verdict_bar
from chain_of_steps.measures.intervals import share

SAYS = {"glance": False, "blur": True, "one refinement": True, "chain": True}
CLAIM = {
    "id": "gain",
    "claim": "The gain is above .3",
    "where": "section 3.1",
    "paper": "shown",
    "figure": "1_step_visualization",
    "cell": "latin log2=5",
    "metric": "gain",
    "above": 0.3,
}


def interval(mean: float, low: float, high: float, n: int = 100) -> dict:
    return {"mean": mean, "low": low, "high": high, "n": n}


def judged(
    tmp_path: Path, claims: list[dict], cells: dict, room: dict | None = None, strict: bool = False
) -> list:
    (tmp_path / "claims.yaml").write_text(yaml.safe_dump({"claims": claims}))
    metrics = {"cells": cells, "room": room or {}}
    (tmp_path / "1_step_visualization.json").write_text(json.dumps(metrics))
    return ledger.judge(tmp_path / "claims.yaml", tmp_path, strict=strict)


@pytest.mark.parametrize(
    ("rule", "found", "verdict"),
    [
        ({"above": 0.3}, (0.5, 0.31, 0.6), "supported"),
        ({"above": 0.3}, (0.5, 0.3, 0.6), "undecided"),  # the mean alone would support it
        ({"above": 0.3}, (0.2, 0.1, 0.3), "undecided"),
        ({"above": 0.3}, (0.2, 0.1, 0.29), "not supported"),
        ({"below": 0.3}, (0.2, 0.1, 0.29), "supported"),
        ({"below": 0.3}, (0.5, 0.31, 0.6), "not supported"),
        ({"within": [-1, 1]}, (0.5, -0.9, 0.99), "supported"),
        ({"within": [-1, 1]}, (0.5, -1.1, 0.9), "undecided"),
        ({"within": [-1, 1]}, (2, 1.1, 3), "not supported"),
    ],
)
def test_the_whole_interval_decides(tmp_path, rule, found, verdict):
    claim = {k: v for k, v in CLAIM.items() if k != "above"} | rule
    (line,) = judged(tmp_path, [claim], {"latin log2=5": {"gain": interval(*found)}})
    assert line.verdict == verdict


@pytest.mark.parametrize(
    ("n", "a_0", "verdict"),
    [(20, 0.9, "supported"), (19, 0.9, ledger.UNTESTABLE), (20, 0.91, ledger.UNTESTABLE)],
)
def test_untestable_with_few_samples_or_without_room(tmp_path, n, a_0, verdict):
    cells = {"latin log2=5": {"gain": interval(0.5, 0.4, 0.6, n)}}
    room = {"latin log2=5": interval(a_0, 0.0, 1.0)}
    (line,) = judged(tmp_path, [CLAIM], cells, room)
    assert line.verdict == verdict
    (line,) = judged(tmp_path, [CLAIM | {"room": "any"}], cells, room)
    assert line.verdict == (ledger.UNTESTABLE if n < 20 else "supported")


def test_a_control_is_judged_by_the_same_rule_next_to_its_claim(tmp_path):
    claim = CLAIM | {"control": {"cell": "latin rounds=1"}}
    cells = {
        "latin log2=5": {"gain": interval(0.5, 0.4, 0.6)},
        "latin rounds=1": {"gain": interval(0.0, -0.1, 0.1)},
    }
    effect, control = judged(tmp_path, [claim], cells, {"latin rounds=1": interval(1, 0.9, 1)})
    assert (effect.verdict, control.verdict) == ("supported", "not supported")
    assert control.record()["id"] == "gain/control" and control.record()["mean"] == 0.0
    assert not control.record()["primary"]


def test_claims_that_were_not_measured_are_left_out_but_in_the_ledger_itself(tmp_path):
    cells = {"latin log2=5": {"gain": interval(0.5, 0.4, 0.6)}}
    room = {"latin log2=5": interval(0.1, 0.0, 0.2)}
    assert judged(tmp_path, [CLAIM], {"mark": {}}) == []
    assert judged(tmp_path, [CLAIM | {"figure": "9"}], cells, room, strict=True) == []
    assert len(judged(tmp_path, [CLAIM], cells, room, strict=True)) == 1
    for faulty, why in (
        ({"metric": "gains"}, "needs 'gains' of 'latin log2=5'"),
        ({"cell": "maze"}, "needs 'gain' of 'maze'"),
        ({"control": {"cell": "mark"}}, "needs 'gain' of 'mark'"),
        ({"guard": "at_end"}, "needs 'at_end'"),
    ):
        with pytest.raises(ValueError, match=why):
            judged(tmp_path, [CLAIM | faulty], cells, room, strict=True)
    with pytest.raises(ValueError, match="needs the room of"):
        judged(tmp_path, [CLAIM], cells, {}, strict=True)


def test_nothing_informative_is_a_line_not_a_gap(tmp_path):
    nothing = {"mean": None, "low": None, "high": None, "n": 0}
    (line,) = judged(tmp_path, [CLAIM], {"latin log2=5": {"gain": nothing}})
    assert line.verdict == ledger.UNTESTABLE and line.record()["n"] == 0
    assert "| none |" in ledger.markdown([line])


def test_states_count_where_they_are_fewer_than_samples(tmp_path):
    for clusters, verdict in ((19, ledger.UNTESTABLE), (20, "supported")):
        found = interval(0.5, 0.4, 0.6) | {"clusters": clusters}
        (line,) = judged(tmp_path, [CLAIM], {"latin log2=5": {"gain": found}})
        assert line.verdict == verdict


@pytest.mark.parametrize(
    ("networks", "note"), [(1, "1 training seed;"), (2, "2 training seeds;"), (3, "")]
)
def test_the_networks_of_a_depth_are_three_or_nothing_is_said_of_them(tmp_path, networks, note):
    found = interval(0.5, 0.4, 0.6) | {"networks": networks}
    (line,) = judged(tmp_path, [CLAIM], {"latin log2=5": {"gain": found}})
    assert line.verdict == ("supported" if networks == 3 else ledger.UNTESTABLE)
    assert line.note.startswith(note)


def test_an_interval_without_width_decides_nothing(tmp_path):
    (line,) = judged(tmp_path, [CLAIM], {"latin log2=5": {"gain": interval(0.5, 0.5, 0.5)}})
    assert line.verdict == "undecided" and "no width" in line.note
    assert ledger.p_value(line.interval, (0.3, float("inf"))) == 1.0


@pytest.mark.parametrize(("high", "verdict"), [(0.19, ledger.UNTESTABLE), (0.2, "supported")])
def test_losses_need_something_to_lose(tmp_path, high, verdict):
    cell = {"gain": interval(0.5, 0.4, 0.6), "at_end": interval(0.1, 0.05, high)}
    (line,) = judged(tmp_path, [CLAIM | {"guard": "at_end"}], {"latin log2=5": cell})
    assert line.verdict == verdict


@pytest.mark.parametrize(
    ("headroom", "verdict"),
    [
        (0.04, ledger.UNTESTABLE),
        (0.05, "supported"),
        (0.95, "supported"),
        (0.96, "untestable here"),
    ],
)
def test_merging_needs_runs_that_are_neither_all_wrong_nor_all_right(tmp_path, headroom, verdict):
    cell = {"gain": interval(0.5, 0.4, 0.6), "headroom": interval(headroom, 0.0, 1.0)}
    claim = CLAIM | {"room": "at the end"}
    (line,) = judged(tmp_path, [claim], {"latin log2=5": cell}, {"latin log2=5": interval(1, 1, 1)})
    assert line.verdict == verdict


def test_a_control_that_passes_as_well_leaves_its_claim_undecided(tmp_path):
    claim = CLAIM | {"control": {"metric": "other"}}
    for low, verdict in ((0.31, "undecided"), (0.29, "supported")):
        cell = {"gain": interval(0.5, 0.4, 0.6), "other": interval(0.4, low, 0.5)}
        effect, control = judged(tmp_path, [claim], {"latin log2=5": cell})
        assert effect.verdict == verdict
        assert control.record()["metric"] == "other" and control.record()["id"] == "gain/control"


def test_a_figure_of_other_models_has_strata_and_room_of_its_own(tmp_path):
    claim = CLAIM | {"cell": "latin log2=5/L4/S50", "figure": "7"}
    metrics = {
        "cells": [],
        "strata": {"latin log2=5/L4/S50": {"gain": interval(0.5, 0.4, 0.6)}},
        "room": {"latin log2=5/L4/S50": interval(0.95, 0.9, 1.0)},
    }
    (tmp_path / "claims.yaml").write_text(yaml.safe_dump({"claims": [claim]}))
    (tmp_path / "7.json").write_text(json.dumps(metrics))
    (line,) = ledger.judge(tmp_path / "claims.yaml", tmp_path, strict=True)
    assert line.verdict == ledger.UNTESTABLE and "no room: 0.95" in line.note


def test_holms_correction_is_over_primary_claims_only(tmp_path):
    """Each p is about .03: alone it passes, of two primaries the smaller would have to be under
    .025."""
    primary = CLAIM | {"kind": "primary", "predicts": SAYS}
    cells = {"latin log2=5": {"gain": interval(0.5, 0.3194, 0.6806)}}  # p = .03
    p = ledger.p_value(cells["latin log2=5"]["gain"], (0.3, float("inf")))
    assert p == pytest.approx(0.03, abs=0.001)
    (line,) = judged(tmp_path, [primary], cells)
    assert line.verdict == "supported"
    lines = judged(tmp_path, [primary, primary | {"id": "again"}], cells)
    assert [line.verdict for line in lines] == ["undecided", "undecided"]
    lines = judged(tmp_path, [primary, CLAIM | {"id": "again"}], cells)
    assert [line.verdict for line in lines] == ["supported", "supported"]


def test_an_untestable_primary_costs_the_others_nothing(tmp_path):
    primary = CLAIM | {"kind": "primary", "predicts": SAYS}
    other = primary | {"id": "other", "cell": "mark"}
    cells = {
        "latin log2=5": {"gain": interval(0.5, 0.3194, 0.6806)},
        "mark": {"gain": interval(0.5, 0.3194, 0.6806)},
    }
    lines = judged(tmp_path, [primary, other], cells, {"mark": interval(0.95, 0.9, 1.0)})
    assert [line.verdict for line in lines] == ["supported", ledger.UNTESTABLE]


@pytest.mark.parametrize(
    ("bounds", "p"),
    [
        ((0.3, float("inf")), 0.05),  # the bound is the interval's own
        ((0.1, float("inf")), 8.9e-5),  # 2 x .2 below: z = 2 x 1.96
        ((float("-inf"), 0.7), 0.3271),  # half of .4 above: z = 1.96 / 2
        ((0.4, 0.9), 0.3271),  # the nearer bound
    ],
)
def test_p_by_hand(bounds, p):
    assert ledger.p_value(interval(0.5, 0.3, 0.9), bounds) == pytest.approx(p, rel=5e-3)


def test_p_is_below_five_percent_just_if_the_interval_excludes_the_bound():
    found = share(30, 50)  # .6 (.4618 to .7239)
    assert ledger.p_value(found, (found["low"] - 0.001, float("inf"))) < 0.05
    assert ledger.p_value(found, (found["low"] + 0.001, float("inf"))) > 0.05
    assert ledger.p_value(found, (float("-inf"), found["high"] + 0.001)) < 0.05
    assert ledger.p_value(found, (float("-inf"), found["high"] - 0.001)) > 0.05


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"below": 0.5}, "exactly one rule"),
        ({"above": None}, "exactly one rule"),
        ({"kind": "primary"}, "different outcomes"),
        ({"kind": "primary", "predicts": dict.fromkeys(SAYS, True)}, "different outcomes"),
        ({"predicts": {"glance": True}}, "predicts needs"),
        ({"kind": "main"}, "kind"),
        ({"metrics": "gain"}, "metrics"),
        ({"id": None}, "id"),
    ],
)
def test_faulty_claims_are_named(tmp_path, change, why):
    with pytest.raises(ValueError, match=f"claim 1 of .*{why}"):
        judged(tmp_path, [CLAIM | change], {})


def test_two_claims_of_one_id_are_refused(tmp_path):
    with pytest.raises(ValueError, match="two claims of one id"):
        judged(tmp_path, [CLAIM, CLAIM], {})


def test_the_table_shows_effect_and_control_and_the_record_has_every_key(tmp_path):
    claim = CLAIM | {"control": {"cell": "latin rounds=1"}, "kind": "primary", "predicts": SAYS}
    cells = {
        "latin log2=5": {"gain": interval(0.5, 0.4, 0.6)},
        "latin rounds=1": {"gain": interval(0.0, -0.1, 0.1)},
    }
    lines = judged(tmp_path, [claim], cells, {"latin log2=5": interval(0.05, 0.02, 0.1)})
    text = ledger.markdown(lines)
    assert "Primary claims" in text and "Exploratory" not in text
    assert "| 0.50 (n = 100, 0.40 to 0.60) | 0.05 | **supported** |" in text
    assert "must not pass" in text
    wanted = {"id", "claim", "primary", "verdict", "mean", "low", "high", "n", "room"}
    assert all(wanted <= set(line.record()) for line in lines)


def test_the_bar_of_verdicts_is_as_wide_as_their_counts():
    verdicts = ["supported"] * 3 + ["undecided"]
    drawn = ElementTree.fromstring(verdict_bar.svg(verdicts))
    space = "{http://www.w3.org/2000/svg}"
    assert drawn.find(f"{space}title").text == (
        "Verdicts on 4 claims: 3 supported, 0 not supported, 1 undecided, 0 untestable here"
    )
    parts = [p for p in drawn.iter(f"{space}rect") if p.get("y") is None]
    wide = {part.get("fill"): float(part.get("width")) for part in parts}
    whole = verdict_bar.WIDTH / 4
    assert wide == {
        verdict_bar.COLOURS["supported"]: 3 * whole - verdict_bar.GAP,
        verdict_bar.COLOURS["not supported"]: 0,
        verdict_bar.COLOURS["undecided"]: whole - verdict_bar.GAP,
        verdict_bar.COLOURS["untestable here"]: 0,
    }
    with pytest.raises(ValueError, match="no verdict"):
        verdict_bar.svg([])
