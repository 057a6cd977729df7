"""Scores of a model on the mini suite, in the columns of VBVR-Bench."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from . import suites
from .denoise import generate
from .models import VideoModel
from .schedule import Schedule
from .tasks.base import Partition

LARGE_MAZE = "maze_5x5_up"


def bench(
    model: VideoModel,
    schedule: Schedule,
    tasks: Iterable[str],
    samples_per_task: int,
    seed: int,
    partition: Partition = "test",
    progress: Callable[[list], Iterable] = iter,
) -> dict[str, Any]:
    """Generates and scores `samples_per_task` samples of each task; sample and noise follow from the seed.

    Returns:
        `overall`, `in_domain`, `out_of_domain` mean scores (None without samples), `by_category`, `by_task` with
        mean, solved (share with score 1) and n, and `floors`: the scores of a frozen first frame and of noise.
        Mazes of 5 x 5 rooms and more are reported apart as well, under `maze_5x5_up`.
    """
    jobs = [(name, i) for name in tasks for i in range(samples_per_task)]
    results = [_one(model, schedule, name, i, seed, partition) for name, i in progress(jobs)]
    return _report(results) | {"model": model.fingerprint, "seed": seed, "schedule": schedule.record()}


def _one(model, schedule, name, i, seed, partition) -> dict:
    sample = suites.draw_one(name, i, seed, partition)
    condition = model.prepare_sample(sample)
    clip = model.decode(generate(model, condition, schedule, noise_seed(seed, i)).latents[-1])
    frozen = np.repeat(sample.first_frame(model.size)[None], model.frames, axis=0)
    noise = np.random.default_rng(i).integers(0, 256, frozen.shape, dtype=np.uint8)
    return {
        "task": name,
        "large": name == "maze" and sample.large,
        "score": sample.score(clip),
        "frozen_first_frame": sample.score(frozen),
        "noise": sample.score(noise),
    }


def noise_seed(seed: int, index: int) -> int:
    """The noise seed of sample `index`: fixed beforehand by the suite's seed."""
    return 1_000_000 * (seed % 1000) + index


def _report(results: list[dict]) -> dict:
    def where(test) -> list[dict]:
        return [r for r in results if test(r)]

    def split(name: str) -> list[dict]:
        return where(lambda r: suites.TASKS[r["task"]].split == name)

    by_task = {
        name: _cell(where(lambda r, n=name: r["task"] == n)) for name in dict.fromkeys(r["task"] for r in results)
    }
    if "maze" in by_task:
        by_task[LARGE_MAZE] = _cell(where(lambda r: r["large"]))
    by_category = {
        name.replace("-", "_"): {
            c: _mean([r for r in split(name) if suites.TASKS[r["task"]].category == c]) for c in suites.CATEGORIES
        }
        for name in suites.SPLITS
    }
    return {
        "overall": _mean(results),
        "in_domain": _mean(split("in-domain")),
        "out_of_domain": _mean(split("out-of-domain")),
        "by_category": by_category,
        "by_task": by_task,
        "floors": {floor: _mean(results, floor) for floor in ("frozen_first_frame", "noise")},
    }


def _cell(results: list[dict]) -> dict:
    return {"mean": _mean(results), "solved": _mean([{"score": r["score"] == 1.0} for r in results]), "n": len(results)}


def _mean(results: list[dict], key: str = "score") -> float | None:
    return round(float(np.mean([r[key] for r in results])), 4) if results else None
