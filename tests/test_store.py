"""Rows survive kills, refuse corruption, and the same rows make the same bytes."""

import gzip
import json
import multiprocessing

import numpy as np
import pytest

from chain_of_steps.common.rounding import rounded
from chain_of_steps.experiments.store import Store, as_stored, key_of, names

HEADER = {"model": "tiny", "version": 1}
RUNS = [{"task": "maze", "index": i} for i in range(5)]


def result_of(run: dict) -> dict:
    return {"answer": 0, "valid": True, "score": run["index"] / 4}


def fill(folder, name="x", runs=RUNS) -> Store:
    """A store with the rows of all runs: those it has, and the missing ones."""
    store = Store(folder, name)
    for run in runs:
        if store.get(HEADER | run) is None:
            store.put(HEADER, run, result_of(run))
    return store


def test_rows_are_found_again_by_another_reader(tmp_path):
    fill(tmp_path)
    for _ in range(2):
        store = Store(tmp_path, "x")
        row = store.get(HEADER | RUNS[3])
        assert row["result"] == result_of(RUNS[3]) and row["run"] == HEADER | RUNS[3]
        assert store.get(HEADER | {"task": "maze", "index": 99}) is None
        assert store.get({"model": "another"} | RUNS[3]) is None
        store.seal()
    assert names(tmp_path) == ["x"]


def test_a_sealed_file_says_once_what_its_rows_share(tmp_path):
    store = fill(tmp_path)
    store.put({"model": "another"}, RUNS[0], result_of(RUNS[0]))
    store.seal()
    assert not store.growing.exists()
    lines = [json.loads(line) for line in gzip.decompress(store.sealed.read_bytes()).splitlines()]
    assert [line["header"] for line in lines if "header" in line] in (
        [HEADER, {"model": "another"}],
        [{"model": "another"}, HEADER],
    )
    assert len(lines) == 2 + len(RUNS) + 1 and set(lines[-1]) == {"of", "run", "result", "check"}
    assert Store(tmp_path, "x").rows == store.rows and len(store.rows) == len(RUNS) + 1


def test_every_result_says_what_was_answered(tmp_path):
    with pytest.raises(ValueError, match="it lacks 'valid'"):
        Store(tmp_path, "x").put(HEADER, RUNS[0], {"answer": 0, "score": 1.0})


def test_a_line_cut_short_is_dropped_and_computed_again(tmp_path):
    fill(tmp_path)
    whole = (tmp_path / "x.jsonl").read_bytes()
    (tmp_path / "x.jsonl").write_bytes(whole[:-20])
    with pytest.warns(UserWarning, match=r"x\.jsonl, line 5 is damaged"):
        assert len(Store(tmp_path, "x").rows) == len(RUNS) - 1
        fill(tmp_path)
        assert len(Store(tmp_path, "x").rows) == len(RUNS), (
            "the new line does not continue the torn one"
        )
        Store(tmp_path, "x").seal()
    fill(tmp_path, "y", RUNS[::-1]).seal()
    assert (tmp_path / "x.jsonl.gz").read_bytes() == (tmp_path / "y.jsonl.gz").read_bytes()


def test_a_changed_row_is_named_never_used_and_set_aside(tmp_path):
    fill(tmp_path)
    file = tmp_path / "x.jsonl"
    file.write_text(file.read_text().replace('"score":0.75', '"score":0.95'))
    with pytest.warns(UserWarning, match=r"x\.jsonl, line 4 is damaged"):
        store = Store(tmp_path, "x")
    assert store.get(HEADER | RUNS[3]) is None and store.damaged == ["x.jsonl, line 4"]
    store.put(HEADER, RUNS[3], result_of(RUNS[3]))
    store.seal()
    assert '"score":0.95' in (tmp_path / "x.damaged").read_text() and not store.damaged
    fill(tmp_path, "y").seal()
    assert store.sealed.read_bytes() == (tmp_path / "y.jsonl.gz").read_bytes()


@pytest.mark.parametrize("cut", [0.5, 0.9])
def test_of_a_damaged_sealed_file_what_can_be_read_is_used(tmp_path, cut):
    runs = [{"index": i, "noise": np.random.default_rng(i).random(300).tolist()} for i in range(40)]
    store = fill(tmp_path, runs=runs)
    store.seal()
    whole = store.sealed.read_bytes()
    store.sealed.write_bytes(whole[: int(cut * len(whole))])
    with pytest.warns(UserWarning, match=r"x\.jsonl\.gz, line \d+"):
        rest = Store(tmp_path, "x").rows
    assert 0.5 * cut * len(runs) < len(rest) < len(runs)
    assert rest.items() <= store.rows.items()


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
        run = {"task": "maze", "index": i, "writer": part if i % 2 else -1}
        store.put(HEADER, run, result_of(run) | {"long": "x" * 20_000 + str(i)})


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
    store.put(HEADER, RUNS[0], result_of(RUNS[0]))
    Store(tmp_path, "x").put(HEADER, RUNS[1], result_of(RUNS[1]))
    store.seal()
    assert len(Store(tmp_path, "x").rows) == 2


def test_of_two_rows_of_one_run_the_later_one_counts(tmp_path):
    store, other = Store(tmp_path, "x"), Store(tmp_path, "x")
    later = result_of(RUNS[1]) | {"score": 0.9}
    store.put(HEADER, RUNS[1], result_of(RUNS[1]))
    other.put(HEADER, RUNS[1], later)
    assert Store(tmp_path, "x").get(HEADER | RUNS[1])["result"] == later
    store.seal()
    assert store.get(HEADER | RUNS[1])["result"] == later
    store.put(HEADER, RUNS[1], result_of(RUNS[1]))
    assert Store(tmp_path, "x").get(HEADER | RUNS[1])["result"] == result_of(RUNS[1])


def test_numbers_are_rounded_by_name_and_nan_becomes_none():
    assert rounded(np.array([[0.12345, np.nan]]), 2) == [[0.12, None]]
    result = {"x": np.float32(0.123456), "deep": {"energy": [1.23456, float("nan")]}, "n": 3}
    assert as_stored(result, {"energy": 2}) == {
        "x": 0.1235,
        "deep": {"energy": [1.23, None]},
        "n": 3,
    }


def test_sealing_keeps_only_the_rows_asked_for(tmp_path):
    store = fill(tmp_path)
    store.seal({key_of(HEADER | RUNS[1]), key_of(HEADER | RUNS[3])})
    assert [row["run"]["index"] for row in Store(tmp_path, "x").rows.values()] in ([1, 3], [3, 1])


def test_rows_beneath_are_found_and_never_written(tmp_path):
    fill(tmp_path / "published", runs=RUNS[:3]).seal()
    before = {file: file.read_bytes() for file in (tmp_path / "published").iterdir()}
    own = Store(tmp_path / "own", "x", tmp_path / "published")
    assert own.get(HEADER | RUNS[1])["result"] == result_of(RUNS[1])
    assert own.get(HEADER | RUNS[4]) is None
    own.put(HEADER, RUNS[4], result_of(RUNS[4]))
    assert len(own.rows) == 4 and len(Store(tmp_path / "own", "x").rows) == 1
    own.seal()
    assert len(Store(tmp_path / "own", "x").rows) == 1, "a seal keeps its own rows only"
    assert before == {file: file.read_bytes() for file in (tmp_path / "published").iterdir()}


def test_the_own_folder_is_not_beneath_itself(tmp_path):
    fill(tmp_path)
    store = Store(tmp_path, "x", tmp_path / "." / "")
    store.seal(keys=set())
    assert not store.rows
