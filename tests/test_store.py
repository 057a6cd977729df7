"""Rows survive kills, refuse corruption, and the same rows make the same bytes."""

import multiprocessing

import numpy as np
import pytest

from chain_of_steps.common.rounding import rounded
from chain_of_steps.experiments.store import Store, key_of

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
    with pytest.warns(UserWarning, match="line 5 is damaged"):
        assert len(Store(tmp_path, "x").rows) == len(RUNS) - 1
        fill(tmp_path)
        assert len(Store(tmp_path, "x").rows) == len(RUNS), (
            "the new line does not continue the torn one"
        )
        Store(tmp_path, "x").seal()
    fill(tmp_path, "y", RUNS[::-1]).seal()
    assert (tmp_path / "x.jsonl").read_bytes() == (tmp_path / "y.jsonl").read_bytes()


def test_a_changed_row_is_named_never_used_and_set_aside(tmp_path):
    fill(tmp_path)
    file = tmp_path / "x.jsonl"
    whole = file.read_bytes()
    file.write_text(file.read_text().replace('"score":0.75', '"score":0.95'))
    with pytest.warns(UserWarning, match=r"x\.jsonl: line 4 is damaged"):
        store = Store(tmp_path, "x")
    assert store.get(RUNS[3]) is None and store.damaged == [4]
    store.put(RUNS[3], result_of(RUNS[3]))
    store.seal()
    assert (
        '"score":0.95' in (tmp_path / "x.damaged").read_text()
        and '"score":0.95' not in file.read_text()
    )
    assert sorted(file.read_bytes().splitlines()) == sorted(whole.splitlines())


@pytest.mark.parametrize(
    "line", ["[]", "3", "{}", '{"check":"x"}', "\x00\ufffd", '{"key":"a","run":{},"result":{}}']
)
def test_lines_that_are_no_rows_are_damaged(tmp_path, line):
    fill(tmp_path)
    with open(tmp_path / "x.jsonl", "a") as file:
        file.write(line + "\n")
    with pytest.warns(UserWarning, match="line 6 is damaged"):
        assert len(Store(tmp_path, "x").rows) == len(RUNS)


def write_some(folder, part: int) -> None:
    store = Store(folder, "x")
    for i in range(40):
        store.put(
            {"task": "maze", "index": i, "writer": part if i % 2 else -1},
            {"long": "x" * 20_000 + str(i)},
        )


def test_several_writers_lose_nothing(tmp_path):
    writers = [
        multiprocessing.get_context("fork").Process(target=write_some, args=(tmp_path, k))
        for k in range(3)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    store = Store(tmp_path, "x")
    assert not store.damaged and len(store.rows) == 20 + 3 * 20
    Store(tmp_path, "y").seal()  # another file of the folder


def test_sealing_keeps_what_others_wrote_meanwhile(tmp_path):
    store = Store(tmp_path, "x")
    store.put(RUNS[0], result_of(RUNS[0]))
    Store(tmp_path, "x").put(RUNS[1], result_of(RUNS[1]))
    store.seal()
    assert len(Store(tmp_path, "x").rows) == 2


def test_rounding_keeps_structure_and_turns_nan_into_none():
    assert rounded(np.array([[0.12345, np.nan]]), 2) == [[0.12, None]]


def test_sealing_keeps_only_the_rows_asked_for(tmp_path):
    store = fill(tmp_path)
    store.seal({key_of(RUNS[1]), key_of(RUNS[3])})
    assert [row["run"]["index"] for row in Store(tmp_path, "x").rows.values()] in ([1, 3], [3, 1])
