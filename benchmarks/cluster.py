"""How much faster a sweep gets on a Ray cluster: the same runs with 1, 2, ... workers; writes
benchmarks/cluster.json.

    python benchmarks/cluster.py [--workers 1 2] [--samples 24] [--model data/mini]

Every worker has one thread. Starting the workers (each loads the model once) is timed separately,
since it does not grow with the number of runs. The rows of every number of workers are compared,
bit by bit, with those of a plain sweep.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import torch

from chain_of_steps.experiments import ray_cluster
from chain_of_steps.experiments.store import Store
from chain_of_steps.experiments.sweep import sweep
from chain_of_steps.figures.sample_runs import SampleBranches, SampleRun
from chain_of_steps.models.schedule import preset
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.sampling.interventions import NoiseAtStep

ROOT = Path(__file__).parent.parent
STEPS = 20


class Noised(SampleBranches):
    """The job: clean runs and runs with noise at a step."""

    name = "cluster_benchmark"


def runs(samples: int, first: int = 0) -> list[SampleRun]:
    """Per sample a clean run and noise at every fourth step."""
    noises = [(), *((NoiseAtStep(step),) for step in range(0, STEPS, 4))]
    return [
        SampleRun("maze", i, 7, i, "step" if noise else "clean", noise)
        for i in range(first, first + samples)
        for noise in noises
    ]


def timed(
    experiment: Noised, wanted: list[SampleRun], executor: object
) -> tuple[float, list[dict]]:
    """Seconds of a sweep into an empty store, and its rows."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        rows = sweep(experiment, Store(folder, "x"), wanted, executor=executor)
        return time.perf_counter() - began, rows


def measure(experiment: Noised, samples: int, workers: int) -> tuple[dict, list[dict]]:
    """Seconds with this many workers, without those of a preceding sweep of one sample per worker,
    which starts them."""
    import ray

    ray.init(num_cpus=workers, log_to_driver=False, include_dashboard=False)
    try:
        few, _ = timed(experiment, runs(workers, first=1000), ray_cluster.Ray())
        all_, rows = timed(
            experiment, runs(workers + samples, first=1000 - samples), ray_cluster.Ray()
        )
    finally:
        ray.shutdown()
    return {
        "workers": workers,
        "seconds_of_few": round(few, 1),
        "seconds": round(all_ - few, 1),
    }, rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--samples", type=int, default=24)
    parser.add_argument("--model", default="data/mini")
    parser.add_argument("--out", default=str(ROOT / "benchmarks" / "cluster.json"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    experiment = Noised(VideoModel.load(options.model), preset(f"mini/{STEPS}"))
    plain, expected = timed(
        experiment, runs(options.samples, first=1000 - options.samples), "local"
    )
    found = []
    for workers in options.workers:
        line, rows = measure(experiment, options.samples, workers)
        same = [row for row in rows if row["key"] in {row["key"] for row in expected}] == expected
        found.append(line | {"speed_up": round(plain / line["seconds"], 2), "rows_identical": same})
        print(found[-1], flush=True)
    record = {
        "plain_seconds": round(plain, 1),
        "runs": len(expected),
        "torch": torch.__version__,
        "ray": found,
    }
    Path(options.out).write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
