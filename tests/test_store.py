"""Rows survive kills, refuse corruption, and the same rows make the same bytes."""

import numpy as np
import pytest

from chain_of_steps.store import Store, compute, read_clips, rounded, write_clips

RUNS = [{"task": "maze", "index": i} for i in range(5)]


def result_of(run: dict) -> dict:
    return {"score": run["index"] / 4}


def test_missing_rows_are_computed_once(tmp_path):
    calls = []
    store = Store(tmp_path, "x")
    for _ in range(2):
        rows = compute(store, RUNS, lambda run: calls.append(run) or result_of(run))
    assert [row["result"] for row in rows] == [result_of(run) for run in RUNS]
    assert len(calls) == len(RUNS)


def test_rows_are_found_again_by_another_reader(tmp_path):
    compute(Store(tmp_path, "x"), RUNS, result_of)
    assert Store(tmp_path, "x").get(RUNS[3])["result"] == {"score": 0.75}
    assert Store(tmp_path, "x").get({"task": "maze", "index": 99}) is None


def test_a_line_cut_short_is_dropped_and_computed_again(tmp_path):
    compute(Store(tmp_path, "x"), RUNS, result_of)
    whole = (tmp_path / "x.jsonl").read_bytes()
    (tmp_path / "x.jsonl").write_bytes(whole[:-20])
    store = Store(tmp_path, "x")
    assert len(store.rows) == len(RUNS) - 1
    compute(store, RUNS, result_of)
    store.seal()
    again = Store(tmp_path, "y")
    compute(again, RUNS[::-1], result_of)
    again.seal()
    assert (tmp_path / "x.jsonl").read_bytes() == (tmp_path / "y.jsonl").read_bytes()


def test_a_changed_row_is_refused(tmp_path):
    compute(Store(tmp_path, "x"), RUNS, result_of)
    text = (tmp_path / "x.jsonl").read_text()
    (tmp_path / "x.jsonl").write_text(text.replace('"score":0.75', '"score":0.95'))
    with pytest.raises(ValueError, match="does not match its checksum"):
        Store(tmp_path, "x")


def test_clips_are_stored_without_loss(tmp_path):
    clips = np.random.default_rng(0).integers(0, 256, (4, 3, 16, 16, 3), dtype=np.uint8)
    write_clips(tmp_path / "a.png", clips)
    assert np.array_equal(read_clips(tmp_path / "a.png", steps=4), clips)


def test_rounding_keeps_structure_and_turns_nan_into_none():
    assert rounded(np.array([[0.12345, np.nan]]), 2) == [[0.12, None]]
