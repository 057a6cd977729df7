"""Rewrites the first edition's rows: what they share goes into a header, and every result gets
`answer`, `valid` and `score`. It is deleted with those rows.

    python tools/convert_rows.py OLD NEW

Keys do not change. Rows of hidden states (`4_layer_energy`) are computed again, since their videos
were never read.
"""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from reproduce import experiments
from tqdm import tqdm

from chain_of_steps.bench import tasklist
from chain_of_steps.experiments.base import UNREAD, Experiment
from chain_of_steps.experiments.store import Store, key_of


def converted(experiment: Experiment, row: dict) -> dict:
    """The result of an old row, completed."""
    old, run = row["result"], row["run"]
    if experiment.name == "4_layer_energy":
        new = experiment.measure(run)
        assert {name: new[name] for name in old} == old, run
        return new
    if "final" in old:
        final = old["final"]
        return old | {"answer": final, "valid": [a == 0 for a in final], "score": None}
    if "answer_at" not in old and "score" not in old:
        return UNREAD | old
    answer = old["answer_at"][-1] if "answer_at" in old else old["answer"]
    score = old["score_at"][-1] if "score_at" in old else old["score"]
    scores = {} if "scores" not in old else {"score": old["score"]}
    return old | {"answer": answer, "valid": _valid(run, answer), "score": score} | scores


def _valid(run: dict, answer: int) -> bool:
    place = run["task"], run["index"], run["suite_seed"], run.get("partition", "test")
    return answer >= 0 and tasklist.draw_one(*place).candidates[answer].kind == "valid"


def convert(old: Path, new: Path, progress: Callable = tqdm) -> int:
    """Writes all rows of `old` to `new`; returns how many."""
    total = 0
    for name, (experiment, runs) in experiments().items():
        rows = [
            json.loads(line)
            for line in (old / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        ]
        by_key = {key_of(experiment.identity(run)): run for run in runs}
        assert by_key.keys() == {row["key"] for row in rows}, name
        store = Store(new, name)
        for row in progress(rows, desc=name):
            record = experiment.record(by_key[row["key"]])
            store.put(experiment.header, record, converted(experiment, row), experiment.digits)
            kept = store.get(experiment.identity(by_key[row["key"]]))["result"]
            assert {key: kept[key] for key in row["result"]} == row["result"], row["run"]
        store.seal()
        total += len(rows)
    for other in ("machine.json", "showcase"):
        copy = shutil.copytree if (old / other).is_dir() else shutil.copy
        copy(old / other, new / other)
    return total


if __name__ == "__main__":
    print(f"{convert(Path(sys.argv[1]), Path(sys.argv[2]))} rows")
