"""Scores of a model on the mini suite, in the columns of VBVR-Bench and by knob.

A video is judged four ways. *Decided*: the strongest value of every part in the last frame makes a
valid answer. *Drawn*: that frame shows its decided answer legibly, valid or not. *At step 0*: the
clean estimate of step 0 decides a valid answer already. The *score* asks whether the whole video
carries out a valid answer.
"""

import re
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..measures.intervals import share
from ..models.schedule import Schedule
from ..models.video_model import VideoModel
from ..puzzles import reading, scoring, suite
from ..puzzles.base import Sample
from ..puzzles.splits import Split
from ..sampling.denoise import generate
from .knobs import Knobs, word

SHARES = ("decided", "drawn", "at_step_0")
FLOORS = ("frozen_first_frame", "noise")
HEAD = ("task", "n", "decided", "drawn", "at step 0", "score")


def bench(
    model: VideoModel,
    schedule: Schedule,
    tasks: Iterable[str],
    samples_per_task: int,
    seed: int,
    split: Split = "test",
    knobs: Knobs | None = None,
    progress: Callable[[list], Iterable] = iter,
) -> dict[str, Any]:
    """Generates and judges samples of each task; the seed fixes samples and noise. Warns if the
    model's tokenizer does not know the words of a task.

    Args:
        split: of the samples.
        knobs: fixed for all samples; every task must have them.
        progress: wraps the list of samples, e.g. `tqdm`.

    Returns:
        `overall`, `in_domain`, `out_of_domain`: mean scores (None without samples).
        `by_category`: mean scores, by domain.
        `by_task`: mean score, solved (share with score 1), n, and `decided`, `drawn`, `at_step_0`,
            each a `share`.
        `by_knob`: mean score and the shares, by task, knob (also `stratum`) and value as text.
        `floors`: mean scores of a frozen first frame and of noise.
        `model`, `seed`, `split`, `knobs`, `schedule`: what was scored.

    Raises:
        ValueError: for an unknown task, or for knobs with which no sample exists.
    """
    knobs = dict(knobs or {})
    numbered = [(task, i) for task in tasks for i in range(samples_per_task)]
    jobs = [(suite.draw_one(task, i, seed, split, **knobs), i) for task, i in numbered]
    _warn_of_unknown_words(model, [sample for sample, _ in jobs])
    results = [_one(model, schedule, sample, seed, i) for sample, i in progress(jobs)]
    about = {"model": model.fingerprint, "seed": seed, "split": split, "knobs": knobs}
    return _report(results) | about | {"schedule": schedule.record()}


def _one(model: VideoModel, schedule: Schedule, sample: Sample, seed: int, index: int) -> dict:
    """Everything that the report needs about one sample."""
    condition = model.prepare_sample(sample)
    x0_hats = generate(model, condition, schedule, noise_seed(seed, index)).x0_hats
    early, clip = model.decode(x0_hats[0]), model.decode(x0_hats[-1])
    frozen = np.repeat(sample.first_frame(model.size)[None], model.frames, axis=0)
    noise = np.random.default_rng(index).integers(0, 256, frozen.shape, dtype=np.uint8)
    knobs = sample.knobs | {"stratum": sample.stratum.label}
    return {
        "task": sample.task,
        "knobs": {name: word(value) for name, value in knobs.items()},
        "decided": sample.is_valid(reading.decided(sample, clip[-1])),
        "drawn": reading.drawn(sample, clip[-1]),
        "at_step_0": sample.is_valid(reading.decided(sample, early[-1])),
        "score": scoring.score(sample, clip),
        "frozen_first_frame": scoring.score(sample, frozen),
        "noise": scoring.score(sample, noise),
    }


def _warn_of_unknown_words(model: VideoModel, samples: list[Sample]) -> None:
    prompts = dict.fromkeys((sample.task, sample.prompt) for sample in samples)
    unknown = [(task, word) for task, prompt in prompts for word in model.unknown_words(prompt)]
    if unknown:
        tasks, words = (list(dict.fromkeys(column)) for column in zip(*unknown, strict=True))
        warnings.warn(
            f"the model's tokenizer does not know {', '.join(map(repr, words))} in the prompts of "
            f"{', '.join(tasks)}: the model was trained without these words, and does not see them",
            stacklevel=3,
        )


def noise_seed(seed: int, index: int) -> int:
    """The noise seed of sample `index`, determined by the suite's seed."""
    return 1_000_000 * (seed % 1000) + index


def _report(results: list[dict]) -> dict:
    tasks = {name: suite.find(name) for name in _names(results, "task")}
    of_task = {name: [r for r in results if r["task"] == name] for name in tasks}

    def mean(domain: str, categories: Iterable[str] = suite.CATEGORIES) -> float | None:
        chosen = [t for t in tasks.values() if t.domain == domain and t.category in categories]
        return _mean([r for task in chosen for r in of_task[task.name]])

    return {
        "overall": _mean(results),
        "in_domain": mean("in-domain"),
        "out_of_domain": mean("out-of-domain"),
        "by_category": {
            domain.replace("-", "_"): {name: mean(domain, [name]) for name in suite.CATEGORIES}
            for domain in suite.DOMAINS
        },
        "by_task": {name: _cell(found) for name, found in of_task.items()},
        "by_knob": {name: _by_knob(found) for name, found in of_task.items()},
        "floors": {floor: _mean(results, floor) for floor in FLOORS},
    }


def _cell(results: list[dict]) -> dict:
    solved = [{"score": r["score"] == 1.0} for r in results]
    return {"mean": _mean(results), "solved": _mean(solved), "n": len(results)} | _shares(results)


def _by_knob(results: list[dict]) -> dict:
    """Mean score and shares by knob and value, in numerical order."""
    table: dict[str, dict] = {}
    for knob in dict.fromkeys(name for r in results for name in r["knobs"]):
        given = [r | {"value": r["knobs"][knob]} for r in results if knob in r["knobs"]]
        table[knob] = {}
        for value in sorted(_names(given, "value"), key=_natural):
            chosen = [r for r in given if r["value"] == value]
            table[knob][value] = {"mean": _mean(chosen)} | _shares(chosen)
    return table


def _shares(results: list[dict]) -> dict:
    return {key: share(sum(r[key] for r in results), len(results)) for key in SHARES}


def _mean(results: list[dict], key: str = "score") -> float | None:
    return round(float(np.mean([r[key] for r in results])), 4) if results else None


def _names(results: list[dict], key: str) -> list[str]:
    return list(dict.fromkeys(r[key] for r in results))


def _natural(text: str) -> list:
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", text)]


def table(report: dict) -> str:
    """A report for the terminal: a line for each task and for each value of its knobs.

    A knob with only one value is left out.
    """
    rows = [HEAD]
    for task, cell in report["by_task"].items():
        rows.append(_row(task, cell))
        for knob, values in report["by_knob"][task].items():
            if len(values) > 1:
                rows += [_row(f"  {knob}={value}", cell) for value, cell in values.items()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(_aligned(row, widths)).rstrip() for row in rows]
    floors = ", ".join(
        f"{name.replace('_', ' ')} {_two(report['floors'][name])}" for name in FLOORS
    )
    if "diversity" in report:
        lines += ["", "entropy of the valid answers over seeds, as a share of the largest:"]
        lines += [f"{task}  {_with_interval(cell)}" for task, cell in report["diversity"].items()]
    last = f"score overall {_two(report['overall'])}; floors: {floors}"
    return "\n".join([*lines, "", last, ""])


def _row(name: str, cell: dict) -> tuple[str, ...]:
    decided, drawn, early = (cell[key] for key in SHARES)
    shares = (_with_interval(decided), _two(drawn["mean"]), _with_interval(early))
    return name, str(decided["n"]), *shares, _two(cell["mean"])


def _aligned(row: tuple[str, ...], widths: list[int]) -> list[str]:
    """Aligns names to the left, numbers to the right."""
    name, *numbers = row
    return [name.ljust(widths[0]), *(n.rjust(w) for n, w in zip(numbers, widths[1:], strict=True))]


def _with_interval(cell: dict) -> str:
    if cell["mean"] is None:
        return "-"
    return f"{cell['mean']:.2f} [{cell['low']:.2f}, {cell['high']:.2f}]"


def _two(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
