"""How fast is the loop? Model evaluations per second, and the overhead over bare transformer forwards.

`python benchmarks/loop.py [--model data/mini] [--json FILE]`; ends within a minute. Both sides run in turn, many times,
latents on both sides; the median of the paired ratios is reported.
"""

import argparse
import json
import statistics
import time

import torch

from chain_of_steps import suites
from chain_of_steps.denoise import generate
from chain_of_steps.models import VideoModel
from chain_of_steps.schedule import preset


def seconds(work) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def measure(folder: str, repeats: int = 15) -> dict:
    """Times the loop against its bare forwards, pairwise."""
    model, schedule = VideoModel.load(folder), preset("mini")
    condition = model.prepare_sample(suites.draw_one("maze", 0, 0))
    x, timesteps = model.noise(condition, 0), schedule.scheduler(model.prediction).timesteps
    inputs = torch.cat([x, condition.image], dim=1)

    @torch.inference_mode()
    def bare():
        for t in timesteps:
            model.pipe.transformer(inputs, t.expand(1), condition.prompt, return_dict=False)

    latents = generate(model, condition, schedule, 0).latents[-1]
    bare()
    pairs = [(seconds(bare), seconds(lambda: generate(model, condition, schedule, 0))) for _ in range(repeats)]
    return {
        "evaluations_per_second": round(schedule.steps / statistics.median(ours for _, ours in pairs), 1),
        "loop_overhead": round(statistics.median(ours / plain for plain, ours in pairs) - 1.0, 4),
        "forward_ms": round(1000 * statistics.median(plain for plain, _ in pairs) / schedule.steps, 2),
        "decode_ms": round(1000 * statistics.median(seconds(lambda: model.decode(latents)) for _ in range(9)), 2),
        "threads": torch.get_num_threads(),
        "repeats": repeats,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="data/mini")
    parser.add_argument("--json", default="-", help="file to write; - is standard output")
    options = parser.parse_args()
    text = json.dumps(measure(options.model), indent=1)
    if options.json == "-":
        print(text)
    else:
        with open(options.json, "w") as file:
            file.write(text + "\n")
