"""Rows survive kills, refuse corruption, and the same rows make the same bytes."""

import numpy as np
import pytest

from chain_of_steps.store import Store, key_of, rounded

RUNS = [{"task": "maze", "index": i} for i in range(5)]


def result_of(run: dict) -> dict:
    return {"score": run["index"] / 4}


def fill(folder, name="x", runs=RUNS) -> Store:
    """A store with the rows of all runs: those it has, and the missing ones."""
    store = Store(folder, name)
    for run in runs:
        if store.get(run) is None:
            store.put(run, result_of(run))
    return store


def test_rows_are_found_again_by_another_reader(tmp_path):
    fill(tmp_path)
    assert Store(tmp_path, "x").get(RUNS[3])["result"] == {"score": 0.75}
    assert Store(tmp_path, "x").get({"task": "maze", "index": 99}) is None


def test_a_line_cut_short_is_dropped_and_computed_again(tmp_path):
    fill(tmp_path)
    whole = (tmp_path / "x.jsonl").read_bytes()
    (tmp_path / "x.jsonl").write_bytes(whole[:-20])
    assert len(Store(tmp_path, "x").rows) == len(RUNS) - 1
    fill(tmp_path)
    assert len(Store(tmp_path, "x").rows) == len(RUNS), "the new line does not continue the torn one"
    Store(tmp_path, "x").seal()
    fill(tmp_path, "y", RUNS[::-1]).seal()
    assert (tmp_path / "x.jsonl").read_bytes() == (tmp_path / "y.jsonl").read_bytes()


def test_a_changed_row_is_refused(tmp_path):
    fill(tmp_path)
    text = (tmp_path / "x.jsonl").read_text()
    (tmp_path / "x.jsonl").write_text(text.replace('"score":0.75', '"score":0.95'))
    with pytest.raises(ValueError, match="does not match its checksum"):
        Store(tmp_path, "x")


def test_rounding_keeps_structure_and_turns_nan_into_none():
    assert rounded(np.array([[0.12345, np.nan]]), 2) == [[0.12, None]]


def test_sealing_keeps_only_the_rows_asked_for(tmp_path):
    store = fill(tmp_path)
    store.seal({key_of(RUNS[1]), key_of(RUNS[3])})
    assert [row["run"]["index"] for row in Store(tmp_path, "x").rows.values()] in ([1, 3], [3, 1])
