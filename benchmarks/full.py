"""How long it takes to compute all stored runs again, by experiment.

`python benchmarks/full.py --json benchmarks/full.json` computes a random part of each experiment's
runs in one process, and counts how many evaluations all of them take. The minutes are those of two
such processes on two cores.
"""

import random
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import torch
from output import options_of, write
from tqdm import tqdm

from chain_of_steps.experiments.cost_plan import cost
from chain_of_steps.experiments.store import Store
from chain_of_steps.experiments.sweep import sweep

sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))

import reproduce

SECONDS, SEED, WORKERS = 20, 0, 2


def timed(experiment, runs: list, seconds: float) -> dict:
    """Evaluations per second of runs that share their past, drawn until the time is over."""
    groups = defaultdict(list)
    for run in runs:
        groups[run.base].append(run)
    drawn = list(groups.values())
    random.Random(SEED).shuffle(drawn)
    done, began = 0, time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        for group in drawn:
            sweep(experiment, Store(folder, experiment.name), group)
            done += experiment.evaluations(group)
            taken = time.monotonic() - began
            if taken > seconds:
                break
    whole = cost(experiment, runs, experiment.schedule).shared
    return {
        "runs": len(runs),
        "evaluations": whole,
        "timed_evaluations": done,
        "evaluations_per_second": round(done / taken, 1),
        "minutes": round(whole / (done / taken) / WORKERS / 60, 1),
    }


def main() -> None:
    options = options_of(__doc__).parse_args()
    torch.set_num_threads(1)
    found = {
        name: timed(experiment, runs, SECONDS)
        for name, (experiment, runs) in tqdm(reproduce.experiments().items())
    }
    write(found, options.json)


if __name__ == "__main__":
    main()
