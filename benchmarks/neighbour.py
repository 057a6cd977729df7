"""What does another busy process cost? Takes about a minute, on a machine that is free otherwise.

    python benchmarks/neighbour.py [--model data/mini] [--json FILE]

Evaluations per second of a 5-frame clip, alone and beside one process that keeps a core busy: on
all cores with OpenMP's own waiting and with ours (`GOMP_SPINCOUNT`), and on one core less, as
`cpu.use_free_cores` chooses once the load is seen.
"""

import multiprocessing
import os
import subprocess
import sys
import time

from output import options_of, write

SECONDS = 4.0
CORES = os.cpu_count() or 1
MEASURE = """
import sys, time, torch
from chain_of_steps.puzzles import suite
from chain_of_steps.models.schedule import preset
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.sampling.denoise import generate
model = VideoModel.load(sys.argv[1])
torch.set_num_threads(int(sys.argv[2]))
condition = model.prepare_sample(suite.draw_one("maze", 0, 0), frames=5)
steps = preset("mini").steps
generate(model, condition, preset("mini"), 0)
began, runs = time.perf_counter(), 0
while time.perf_counter() - began < float(sys.argv[3]):
    generate(model, condition, preset("mini"), 0)
    runs += 1
print(runs * steps / (time.perf_counter() - began))
"""
WAYS = {
    "all cores, OpenMP's own waiting": (CORES, "300000"),  # the default of libgomp
    "all cores, short waiting": (CORES, "1000"),
    "one core less": (max(1, CORES - 1), "1000"),
}


def busy() -> None:
    while True:
        pass


def rate(folder: str, threads: int, spin: str) -> float:
    """Evaluations per second in a process of its own."""
    given = [sys.executable, "-c", MEASURE, folder, str(threads), str(SECONDS)]
    setting = os.environ | {"GOMP_SPINCOUNT": spin}
    run = subprocess.run(given, env=setting, capture_output=True, text=True, check=True)
    return round(float(run.stdout.split()[-1]), 1)


def measure(folder: str) -> dict:
    """Rates by way, alone and beside a neighbour, and their ratio."""
    found: dict[str, dict] = {name: {"alone": rate(folder, *how)} for name, how in WAYS.items()}
    neighbour = multiprocessing.get_context("fork").Process(target=busy, daemon=True)
    neighbour.start()
    time.sleep(0.5)
    for name, how in WAYS.items():
        found[name]["beside a neighbour"] = rate(folder, *how)
    neighbour.kill()
    for rates in found.values():
        rates["factor"] = round(rates["alone"] / rates["beside a neighbour"], 2)
    return {"cores": CORES, "evaluations_per_second": found}


if __name__ == "__main__":
    parser = options_of(__doc__)
    options = parser.parse_args()
    write(measure(options.model), options.json)
