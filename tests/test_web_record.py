"""The networks in the page: the record says that they decide what torch decides, within limits."""

import json
from pathlib import Path

from chain_of_steps.explorer import in_page

NETWORKS = {name for named in in_page.NETWORKS.values() for name in named.values()}
RECORD = json.loads((Path(__file__).parent.parent / "benchmarks" / "web.json").read_text())


def test_every_answer_is_that_of_torch():
    assert RECORD["answers_equal"] and set(RECORD["networks"]) == NETWORKS
    for name, each in RECORD["networks"].items():
        assert each["answers_equal"] == each["boards"] == 200
        rounded = name in in_page.ROUNDED
        assert each["weights_equal"] != rounded
        assert each["weights"] == ("int8" if rounded else "float16")
        assert each["max_latent_difference"] < (5e-3 if rounded else 1e-3)
        assert each["max_latent_difference"] <= RECORD["max_latent_difference"]


def test_the_page_is_small_and_the_networks_are_fast():
    assert RECORD["page_mb"] < 3.0 and RECORD["steps"] == 20
    assert RECORD["networks"]["latin-L4-0"]["seconds"]["median"] < 2.0


def test_the_video_model_decides_what_torch_decides():
    found = RECORD["video_model"]
    assert found["answers_equal"] == found["samples"] == 200
    assert found["max_latent_difference"] < 0.05, "latents go from -10 to 10"


def test_the_video_model_is_loaded_and_runs_in_seconds():
    assert RECORD["seconds_20_steps"] <= 8.0 and RECORD["download_mb"] <= 25.0
    assert RECORD["video_model"]["seconds"]["n"] >= 10
    assert RECORD["video_model"]["machine"]["cores"] <= 2


def test_it_says_how_often_and_on_what_machine_it_was_measured():
    assert all(each["seconds"]["n"] >= 20 for each in RECORD["networks"].values())
    assert RECORD["machine"]["processor"] and RECORD["machine"]["cores"] >= 1
