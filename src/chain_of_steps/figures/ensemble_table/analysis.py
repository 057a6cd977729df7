"""From rows of `ensemble` to the table: scores by category, gains, what is left to gain, and why
merging helps.

Everything is paired by sample; intervals are bootstrapped over samples. Two classes are never
mixed: *blind* strategies see only latents; *with checker* are those that choose by the task's own
rules. In a maze with one solution a legal path to the goal is the answer, so such a check is an
oracle.
"""

import numpy as np
import pandas as pd

from ...bench.tasklist import find, short
from ...measures.intervals import interval, interval_of
from ...puzzles.first.suites import CATEGORIES, SPLITS
from ...sampling.strategies import Strategy
from ...sampling.strategies.variants import RIVALS
from .runs import strategy_of

SAMPLE = ["task", "index"]
MERGED = "x0_merge_k3"
CHECKED = ("legal_k3", "pass_k3")  # chosen by the task's rules, among the single runs
OTHER_LAYERS = ("layers_0_25", "layers_25_50", "layers_75_100")
SAID_TO_GAIN = ("Knowledge", "Abstraction")  # out of domain


def table(rows: list[dict], variants: dict[str, dict[str, Strategy]], steps: int) -> pd.DataFrame:
    """One line per row and name, and two more for a checker's choices among each sample's single
    runs.

    Columns: task, index, partition, again (from other seeds), split, category, hard, group, name,
    strategy, score, cost (in single runs), and contrast, moved, moved_final, NaN where a strategy
    has none.

    Args:
        steps: of the schedule.
    """
    names: dict[Strategy, dict[str, str]] = {}  # to the first group in which it has that name
    for group, named in variants.items():
        for name, strategy in named.items():
            names.setdefault(strategy, {}).setdefault(name, group)
    lines = []
    for row in rows:
        strategy = strategy_of(row["run"]["strategy"])
        lines += [
            _line(row, strategy, steps) | {"group": group, "name": name}
            for name, group in names[strategy].items()
        ]
        if strategy.name == "single":
            lines += [_checked(row, strategy, steps, name) for name in CHECKED]
    return pd.DataFrame(lines)


def summary(lines: pd.DataFrame, best: str, size: int) -> dict:
    """What the figures report: scores in [0, 1], gains over the mean of the single runs; `best`
    and `rivals` in points.

    Args:
        best: the strategy of our own that was chosen on the choosing partition.
        size: samples per task in the table; those after them are the contest's. Without a contest,
            the decision set is that of the table.
    """
    usual = lines[(lines["partition"] == "test") & ~lines["again"]]
    test, contest = usual[usual["index"] < size], usual[usual["index"] >= size]
    scores, contest = _scores(test), test if contest.empty else contest
    hard = _scores(contest[contest["hard"]]) if contest["hard"].any() else scores[:0]
    rival = max(RIVALS, key=lambda name: hard[name].mean() if len(hard) else 0.0)
    return {
        "n": len(scores),
        "n_hard": len(hard),
        "n_deep": len(scores.dropna()),
        "table": {name: _row(test[test["name"] == name], scores) for name in scores},
        "groups": {
            group: list(dict.fromkeys(part["name"]))
            for group, part in test.groupby("group", sort=False)
        },
        "best": _entry(contest, hard, best),
        "rivals": [_entry(contest, hard, name) for name in RIVALS],
        "difference_to_best_rival": {"name": rival} | interval(hard[best] - hard[rival]),
        "hard": {name: interval(hard[name]) for name in (*RIVALS, *CHECKED, best)},
        "hard_in_table": _in_table(scores, test),
        "choosing": _choosing(lines[(lines["partition"] == "choosing") & lines["hard"]], best),
        "again": _again(scores, lines[lines["again"]]),
        "by_k": _curve(test, scores, "k"),
        "by_steps": _curve(test, scores, "steps"),
        "accounts": _accounts(test, scores),
        "contrasts": _contrasts(test, scores)
        | {"best_minus_rival": interval(hard[best] - hard[rival])},
    }


def _line(row: dict, strategy: Strategy, steps: int) -> dict:
    run, result, task = row["run"], row["result"], find(row["run"]["task"])
    moved = result.get("moved", (np.nan, np.nan))
    return {
        **{part: run[part] for part in ("index", "partition")},
        "task": short(run["task"]),
        "again": run["seed"] != run["index"],
        "split": task.split,
        "category": task.category,
        "hard": result["hard"],
        "strategy": strategy,
        "score": result["score"],
        "cost": result["cost"] / steps,
        "contrast": result.get("contrast", np.nan),
        "moved": moved[0],
        "moved_final": moved[1],
    }


def _checked(row: dict, strategy: Strategy, steps: int, name: str) -> dict:
    """The line of a checker's choice among single runs: the best score, or the first answer that
    breaks no rule."""
    scores, shown = row["result"]["scores"], row["result"]["shown"]
    legal = next(
        (score for score, kind in zip(scores, shown, strict=True) if kind in ("valid", "wrong")),
        scores[0],
    )
    score = max(scores) if name == "pass_k3" else legal
    line = _line(row, strategy, steps) | {"group": "with checker", "name": name}
    return line | {"score": score, "cost": float(len(scores))}


def _scores(lines: pd.DataFrame) -> pd.DataFrame:
    """Scores, samples x names in their order; NaN where a strategy was not run."""
    names = list(dict.fromkeys(lines["name"]))
    return lines.pivot(index=SAMPLE, columns="name", values="score")[names]


def _row(own: pd.DataFrame, scores: pd.DataFrame) -> dict:
    """One row of the table: scores and gains by split and category, cost, and what the strategy
    did to the run."""
    own = own.assign(
        gain=own["score"].to_numpy()
        - scores["single"].reindex(own.set_index(SAMPLE).index).to_numpy()
    )

    def both(lines: pd.DataFrame) -> dict:
        return interval(lines["score"]) | {"gain": interval(lines["gain"])}

    row: dict = {"cost": round(float(own["cost"].mean()), 4), "overall": both(own)}
    for split in SPLITS:
        part = own[own["split"] == split]
        row[split] = {"all": both(part)} | {
            c: both(part[part["category"] == c]) for c in CATEGORIES
        }
    return row | {what: interval(own[what]) for what in ("moved", "moved_final", "contrast")}


def _entry(lines: pd.DataFrame, hard: pd.DataFrame, name: str) -> dict:
    """A strategy on the decision set; gain and its interval in points, also as a share of what
    pass@3 would gain."""
    gain = interval(hard[name] - hard["single"])
    room = (hard["pass_k3"] - hard["single"]).mean()
    points = {
        key: None if gain[part] is None else round(100 * gain[part], 2)
        for key, part in ENDS.items()
    }
    return {
        "name": name,
        "score": round(float(hard[name].mean()), 4) if len(hard) else None,
        **points,
        "headroom_share": round(float((hard[name] - hard["single"]).mean() / room), 4)
        if room > 0
        else None,
        "n": gain["n"],
        "cost": round(float(lines[(lines["name"] == name) & lines["hard"]]["cost"].mean()), 4)
        if len(hard)
        else None,
    }


ENDS = {"gain": "mean", "low": "low", "high": "high"}


def _in_table(scores: pd.DataFrame, test: pd.DataFrame) -> dict:
    """Gains on the decision set among the table's samples, by name; NaN is left out."""
    hard = scores[scores.index.isin(test[test["hard"]].set_index(SAMPLE).index)]
    return {name: interval(hard[name] - hard["single"]) for name in dict.fromkeys(test["name"])}


def _choosing(lines: pd.DataFrame, best: str) -> dict:
    """Scores of our own strategies on the decision set of the choosing partition, and whether
    `best` won there."""
    if lines.empty:
        return {"n": 0, "winner": None, "agrees": None, "scores": {}, "gains": {}}
    scores = _scores(lines)
    own = [name for name in scores if name not in ("single", *CHECKED)]
    winner = max(own, key=lambda name: scores[name].mean())
    return {
        "n": len(scores),
        "winner": winner,
        "agrees": winner == best,
        "scores": {name: interval(scores[name]) for name in own},
        "gains": {name: interval(scores[name] - scores["single"]) for name in own},
    }


def _again(scores: pd.DataFrame, lines: pd.DataFrame) -> dict:
    """The same samples from other seeds: both scores by name, and whether the second is within the
    first's interval."""
    if lines.empty:
        return {"n": 0, "within": None, "names": {}}
    second = _scores(lines)
    found = {}
    for name in (name for name in second if name in scores):
        first, again = interval(scores[name].reindex(second.index)), interval(second[name])
        within = first["low"] <= again["mean"] <= first["high"]
        found[name] = {"first": first, "again": again, "within": within}
    return {
        "n": len(second),
        "within": sum(each["within"] for each in found.values()),
        "names": found,
    }


def _curve(test: pd.DataFrame, scores: pd.DataFrame, axis: str) -> dict:
    """Gain of merged clean estimates along k or the number of merged steps, on the samples that
    have all of them."""
    usual = next(
        s for s, name in zip(test["strategy"], test["name"], strict=True) if name == MERGED
    )
    others = [part for part in ("name", "merge", "company", "k", "steps") if part != axis]
    along = {
        getattr(s, axis): name
        for s, name in zip(test["strategy"], test["name"], strict=True)
        if all(getattr(s, part) == getattr(usual, part) for part in others)
    }
    shared = scores[["single", *along.values()]].dropna()
    places = sorted(along)
    return {
        axis: places,
        "gain": [interval(shared[along[p]] - shared["single"]) for p in places],
        "n": len(shared),
    }


def _accounts(test: pd.DataFrame, scores: pd.DataFrame) -> dict:
    """The three accounts: each arm's gain, its difference to the merge, and how pale its clip was
    at the window's end.

    All on the samples that have every arm.
    """
    arms = [MERGED, *dict.fromkeys(test[test["group"] == "account"]["name"])]
    shared = scores[["single", *arms]].dropna()
    contrasts = test.pivot(index=SAMPLE, columns="name", values="contrast").reindex(shared.index)
    return {
        name: {
            "gain": interval(shared[name] - shared["single"]),
            "minus_merge": interval(shared[name] - shared[MERGED]),
            "contrast": interval(contrasts[name]),
        }
        for name in arms
    }


def _contrasts(test: pd.DataFrame, scores: pd.DataFrame) -> dict:
    """Paired differences that claims rest on, in units of the score."""

    def minus(ours: str, *theirs: str) -> dict:
        if not {ours, *theirs} <= set(scores):
            return interval([])
        return interval(scores[ours] - scores[list(theirs)].mean(axis=1, skipna=False))

    pairs = {
        arm: (MERGED, arm)
        for arm in ("nearby_mean", "fresh_mean", "linger", "medoid_each_step", "vote_midway")
    }
    return {
        "recipe": minus("paper_recipe", "single"),
        "recipe_window": minus("recipe_window", "single"),
        "recipe_where_said": _where_said(test, scores),
        "recipe_minus_other_layers": minus("recipe_window", *OTHER_LAYERS),
        "recipe_minus_strangers": minus("recipe_window", "recipe_strangers"),
        "recognised": minus("recognised_k3", "single"),
        "recognised_minus_stranger": minus("recognised_short", "recognised_by_stranger"),
        "merge": minus(MERGED, "single"),
        "merge_minus_recipe": minus(MERGED, "recipe_window"),
        "merge_minus_vote": minus(MERGED, "vote_k3"),
        "merge_minus_strangers": minus(MERGED, "x0_strangers"),
        **{f"merge_minus_{arm}": minus(*pair) for arm, pair in pairs.items()},
    }


def _where_said(test: pd.DataFrame, scores: pd.DataFrame) -> dict:
    """The recipe's gain in out-of-domain knowledge and abstraction minus its gain elsewhere."""
    places = test.drop_duplicates(SAMPLE).set_index(SAMPLE).reindex(scores.index)
    here = ((places["split"] == SPLITS[1]) & places["category"].isin(SAID_TO_GAIN)).to_numpy()
    gain = (scores["paper_recipe"] - scores["single"]).to_numpy()
    if here.all() or not here.any():
        return interval([])

    def difference(chosen: np.ndarray) -> np.ndarray:
        inside, value = here[chosen], gain[chosen]
        sums = (value * inside).sum(-1) / np.maximum(inside.sum(-1), 1)
        return sums - (value * ~inside).sum(-1) / np.maximum((~inside).sum(-1), 1)

    return interval_of(difference, len(gain))
