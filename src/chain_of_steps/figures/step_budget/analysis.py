"""From rows of `step_budget` to numbers: the effect of steps, samplers and frames, and of
distillation to four steps."""

import numpy as np
import pandas as pd

from ...bench.tasklist import short
from ...measures.intervals import interval

SAMPLE = ["task", "index"]
WAY = ["sampler", "steps", "frames"]


def table(rows: list[dict]) -> pd.DataFrame:
    """One line per run: task, index, sampler, steps, frames, score; `sigmas` and `solved_at` of
    every step, (S,)."""
    return pd.DataFrame(
        {
            "task": short(row["run"]["task"]),
            **{name: row["run"][name] for name in ("index", *WAY)},
            "score": row["result"]["score_at"][-1],
            "sigmas": row["result"]["sigmas"][:-1],
            "solved_at": np.array(row["result"]["score_at"]) == 1.0,
        }
        for row in rows
    )


def summary(lines: pd.DataFrame, steps: int, sampler: str, length: int) -> dict:
    """Scores with intervals by sampler and steps, by frames, and what the clean estimate shows by
    noise level.

    Args:
        steps, sampler: of the usual schedule.
        length: pixel frames of the usual clip.
    """
    scores = lines.pivot(index=SAMPLE, columns=WAY, values="score")
    usual = scores[sampler, steps, length]
    by_steps, counts = {}, sorted(lines["steps"].unique())
    for name in dict.fromkeys(lines["sampler"]):
        tried = [int(count) for count in counts if (name, count, length) in scores]
        by_steps[name] = {
            "steps": tried,
            "score": [interval(scores[name, count, length]) for count in tried],
        }
    frames = sorted(
        int(f)
        for way_sampler, way_steps, f in scores
        if (way_sampler, way_steps) == (sampler, steps)
    )
    at = {f: scores[sampler, steps, f] for f in frames}
    most, few = max(counts), (sampler, 4, length)
    return {
        "n": len(scores),
        "by_steps": by_steps,
        "by_frames": {
            "frames": frames,
            "score": [interval(at[f]) for f in frames],
            "minus_usual": [interval(at[f] - usual) for f in frames],
        },
        "by_sigma": {
            int(c): _by_sigma(part)
            for c, part in lines[_is(lines, sampler, length)].groupby("steps")
        },
        "contrasts": {
            "few_steps_cost": interval(usual - scores[few]) if few in scores else interval([]),
            "most_minus_usual": interval(scores[sampler, most, length] - usual),
            "fewest_frames_cost": interval(usual - at[frames[0]])
            if len(frames) > 1
            else interval([]),
        },
    }


def within(task: str, lines: pd.DataFrame, sampler: str, length: int) -> pd.DataFrame:
    """The lines of all samples of one task, in the usual number of frames and with the usual
    sampler alone."""
    return lines[(lines["task"] == task) & _is(lines, sampler, length)]


def compare(usual: pd.DataFrame, few: pd.DataFrame, student: pd.DataFrame) -> dict:
    """The mini model with all its steps, the mini model with few, and the student, on the same
    samples and seeds.

    `several`: share with more than one candidate present at one of the noise levels that all three
    visit; `decided`: share whose first clean estimate has the final answer as its leader, for
    good.

    Args:
        usual, few, student: of `step_visualization.table`; the noise levels of the last two are a
            regular subset of the first's.
    """
    shared = few.set_index(SAMPLE).index
    usual = usual.set_index(SAMPLE).reindex(shared).reset_index()
    student = student.set_index(SAMPLE).reindex(shared).reset_index()
    every = len(usual["present"].iloc[0]) // len(few["present"].iloc[0])
    several = {
        "usual": [(p[::every] > 1).any() for p in usual["present"]],
        "few": [(p > 1).any() for p in few["present"]],
        "student": [(p > 1).any() for p in student["present"]],
    }
    several = {name: np.array(values, float) for name, values in several.items()}
    parts = {"usual": usual, "few": few, "student": student}
    score = {name: lines["score"].to_numpy(float) for name, lines in parts.items()}
    decided = {name: (lines["commit"] == 0).to_numpy(float) for name, lines in parts.items()}
    result = {
        name: {
            "score": interval(score[name]),
            "several": interval(several[name]),
            "decided": interval(decided[name]),
            "solved_at": np.stack(lines["solved_at"]).mean(0).round(3).tolist(),
        }
        for name, lines in parts.items()
    }
    return result | {
        "n": len(shared),
        "contrasts": {
            "student_cost": interval(score["usual"] - score["student"]),
            "student_minus_few": interval(score["student"] - score["few"]),
            "window_closes": interval(decided["student"] - decided["usual"]),
            "less_several": interval(several["usual"] - several["student"]),
        },
    }


def ensemble(lines: pd.DataFrame) -> dict:
    """Gain over the mean of the single runs by strategy, on all samples, checkers included."""
    scores = lines.pivot(index=SAMPLE, columns="name", values="score")
    names = [name for name in dict.fromkeys(lines["name"]) if name != "single"]
    return {name: interval(scores[name] - scores["single"]) for name in names}


def _is(lines: pd.DataFrame, sampler: str, length: int) -> pd.Series:
    return (lines["sampler"] == sampler) & (lines["frames"] == length)


def _by_sigma(lines: pd.DataFrame) -> dict:
    """Share of samples solved in the clean estimate of each step, with the noise levels."""
    return {
        "sigmas": lines["sigmas"].iloc[0],
        "solved": np.stack(lines["solved_at"]).mean(0).round(4).tolist(),
    }
