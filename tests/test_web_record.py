"""The networks in the page: the record says that they decide what torch decides, within limits."""

import json
from pathlib import Path

RECORD = json.loads((Path(__file__).parent.parent / "benchmarks" / "web.json").read_text())


def test_every_answer_is_that_of_torch():
    assert RECORD["answers_equal"] and set(RECORD["networks"]) >= {"latin-L1-0", "latin-L4-0"}
    for each in RECORD["networks"].values():
        assert each["answers_equal"] == each["boards"] == 200 and each["weights_equal"]
        assert each["max_latent_difference"] <= RECORD["max_latent_difference"] < 1e-3


def test_the_page_is_small_and_the_networks_are_fast():
    assert RECORD["page_mb"] < 3.0 and RECORD["steps"] == 20
    assert RECORD["networks"]["latin-L4-0"]["seconds"]["median"] < 2.0


def test_it_says_how_often_and_on_what_machine_it_was_measured():
    assert all(each["seconds"]["n"] >= 20 for each in RECORD["networks"].values())
    assert RECORD["machine"]["processor"] and RECORD["machine"]["cores"] >= 1
