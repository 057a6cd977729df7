"""Do threads or shared prefixes change results? Writes benchmarks/determinism.json.

    python benchmarks/determinism.py [--samples 4] [--model data/mini]

The same runs are computed in four ways: with one or two threads, and with separate or shared pasts.
Each is compared with one thread and separate runs: the largest difference in the final latents, and
how many answers and scores differ.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import torch

from chain_of_steps.models.schedule import Schedule, preset
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.puzzles import reading, scoring, suite
from chain_of_steps.puzzles.base import Sample
from chain_of_steps.sampling.denoise import generate
from chain_of_steps.sampling.interventions import NoiseAtFrame, NoiseAtStep
from chain_of_steps.sampling.prefix_tree import Branch, grow

ROOT = Path(__file__).parent.parent
TOLERANCE = 1e-3  # of the final latents, whose scale is about 1
TASKS = ("latin", "maze", "mark", "bounce")


def compare(model: VideoModel, schedule: Schedule, samples: list[Sample]) -> dict[str, dict]:
    """Each way against one thread and separate runs.

    `largest`: difference of latents; `answers`, `scores`: how many differ.
    """
    ways = {(threads, shared): [] for threads in (1, 2) for shared in (False, True)}
    before = torch.get_num_threads()
    try:
        for (threads, shared), found in ways.items():
            torch.set_num_threads(threads)
            for seed, sample in enumerate(samples):
                found += [(sample, x) for x in finals(model, schedule, sample, seed, shared)]
    finally:
        torch.set_num_threads(before)
    reference = ways.pop((1, False))
    return {
        f"{threads} thread{'s' * (threads > 1)}, {'shared' if shared else 'alone'}": _against(
            model, reference, found
        )
        for (threads, shared), found in ways.items()
    }


def finals(
    model: VideoModel, schedule: Schedule, sample: Sample, seed: int, shared: bool
) -> list[torch.Tensor]:
    """The final latents of a clean run and of five with noise at a step or in a frame."""
    condition, steps = model.prepare_sample(sample), schedule.steps
    noises = [
        (),
        *((NoiseAtStep(s),) for s in (0, steps // 4, steps // 2, steps - 1)),
        (NoiseAtFrame(1),),
    ]
    if not shared:
        return [
            generate(model, condition, schedule, seed, interventions=noise).latents[-1]
            for noise in noises
        ]
    grown = dict(grow(model, condition, schedule, seed, [Branch(noise) for noise in noises]))
    return [grown[index].latents[-1] for index in range(len(noises))]


def _against(model: VideoModel, reference: list, found: list) -> dict:
    seen = [
        (s, a, b, model.decode(a), model.decode(b))
        for (s, a), (_, b) in zip(reference, found, strict=True)
    ]
    return {
        "runs": len(seen),
        "largest": max(float((a - b).abs().max()) for _, a, b, _, _ in seen),
        "answers": sum(
            reading.decided(s, u[-1]) != reading.decided(s, v[-1]) for s, _, _, u, v in seen
        ),
        "scores": sum(scoring.score(s, u) != scoring.score(s, v) for s, _, _, u, v in seen),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", type=int, default=4, help="of each task")
    parser.add_argument("--model", default="data/mini")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--out", default=str(ROOT / "benchmarks" / "determinism.json"))
    options = parser.parse_args()
    samples = [sample for task in TASKS for sample in suite.draw(task, options.samples, seed=11)]
    schedule = replace(preset("mini"), steps=options.steps)
    ways = compare(VideoModel.load(options.model), schedule, samples)
    record = {
        "tolerance": TOLERANCE,
        "steps": options.steps,
        "torch": torch.__version__,
        "ways": ways,
    }
    Path(options.out).write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
