"""From rows to numbers: who leads along the steps, self-correction, and perception before action.

Everything is paired: a run is compared with another reading of the same sample, and intervals are
over samples.
"""

from collections import defaultdict

import numpy as np
import pandas as pd

from ...measures.intervals import NOTHING, interval
from ...measures.presence import commit_step, leader, net_evidence, presence_threshold, present

HOLD = 3  # steps that a leader must hold before losing it counts
PRIOR = "calibrated"  # only a departure from this null is more than blur
PAPER = ("bounce", "maze")  # the tasks closest to the paper's examples of self-correction
MEMORY = ("out_and_back", "occlusion")
RIVAL_READER = "x0_hat"  # the floor that also serves as the instrument for actions
SAMPLE = ["task", "index"]


# Leaders along the steps, from the rows of `step_visualization`.


def courses(rows: list[dict]) -> pd.DataFrame:
    """One line per run: which kind of candidate led at each step, in the last frame.

    Columns: task, index, `leads` (S,), 1 for a valid candidate, -1 for another, 0 for none; the
    outcomes of `outcome`; and for runs with a null `null_leads` and its outcomes with the prefix
    `null_`.
    """
    groups = defaultdict(list)
    for row in rows:
        groups[row["run"]["task"]].append(row)
    lines = []
    for task, group in groups.items():
        threshold = presence_threshold([np.array(row["result"]["control"], float) for row in group])
        lines += [_course(row, threshold) | {"task": task} for row in group]
    return pd.DataFrame(lines)


def outcome(leaders: np.ndarray, valid: np.ndarray) -> dict[str, float]:
    """Outcomes of the leaders of a run, each 1.0 or 0.0.

    `wrong_held`: one wrong candidate led for `HOLD` steps in a row; `corrected`: and a valid one
    leads in the end. `right_held`: a valid one did; `spoiled`: and a wrong one leads in the end;
    `lost`: and none does.

    Args:
        leaders: (S,) index of the leading candidate, -1 for none.
        valid: (K,) bool.
    """
    held = {
        int(leaders[s])
        for s in range(len(leaders) - HOLD + 1)
        if len(set(leaders[s : s + HOLD])) == 1
    } - {-1}
    wrong_held, right_held = any(not valid[k] for k in held), any(valid[k] for k in held)
    none, right = leaders[-1] < 0, leaders[-1] >= 0 and valid[leaders[-1]]
    found = {
        "wrong_held": wrong_held,
        "corrected": wrong_held and right,
        "right_held": right_held,
        "spoiled": right_held and not right and not none,
        "lost": right_held and none,
    }
    return {name: float(value) for name, value in found.items()}


def corrected_runs(rows: list[dict]) -> list[int]:
    """Indices of the samples in which a held wrong leader gave way to a right one."""
    lines = courses(rows)
    return [] if lines.empty else lines[lines["corrected"] == 1.0]["index"].tolist()


def self_correction(lines: pd.DataFrame) -> dict:
    """Shares of samples by task, of all, and of the paper's tasks together; with the null on the
    same trajectories."""
    groups = {
        "all": lines,
        "paper": lines[lines["task"].isin(PAPER)],
        **dict(tuple(lines.groupby("task", sort=False))),
    }
    return {name: _corrections(group) for name, group in groups.items()}


def readable(lines: pd.DataFrame) -> dict:
    """Is the start state the leader of the clean estimate, step by step? By task of memory, and of
    both.

    `at`: share of samples at each step; `always`: at every step; `never_wrong`: no wrong candidate
    ever leads; `null_at`: the same as `at` for the null.
    """
    groups = {"all": lines[lines["task"].isin(MEMORY)]}
    groups |= {task: lines[lines["task"] == task] for task in MEMORY}
    return {name: _readable(group) for name, group in groups.items()}


def _course(row: dict, threshold: np.ndarray) -> dict:
    result = row["result"]
    control, valid = np.array(result["control"], float), np.array(result["kinds"]) == "valid"

    def led(evidence: np.ndarray) -> np.ndarray:
        net = net_evidence(evidence, control)  # (S, K)
        return leader(net, present(net, threshold))

    ours = led(np.array(result["evidence"])[:, -1])
    line = {"index": row["run"]["index"], "leads": _sign(ours, valid)} | outcome(ours, valid)
    if "null" in result:
        null = led(np.array(result["null"]["evidence"][PRIOR]))
        line["null_leads"] = _sign(null, valid)
        line |= {f"null_{name}": value for name, value in outcome(null, valid).items()}
    return line


def _sign(leaders: np.ndarray, valid: np.ndarray) -> np.ndarray:
    return np.where(leaders < 0, 0, np.where(valid[leaders], 1, -1))


def _judged(lines: pd.DataFrame) -> pd.DataFrame:
    """The runs with a null."""
    return lines[lines["null_corrected"].notna()] if "null_corrected" in lines else lines.iloc[:0]


def _corrections(lines: pd.DataFrame) -> dict:
    names, judged = ("wrong_held", "corrected", "right_held", "spoiled", "lost"), _judged(lines)
    null: dict = {name: interval(judged[f"null_{name}"]) for name in names} if len(judged) else {}
    return {
        "n": len(lines),
        **{name: interval(lines[name]) for name in names},
        "of_wrong_held": interval(lines[lines["wrong_held"] == 1.0]["corrected"]),
        "net": interval(lines["corrected"] - lines["spoiled"]),
        "null": null
        | {
            "n": len(judged),
            "excess": interval(judged["corrected"] - judged["null_corrected"])
            if len(judged)
            else dict(NOTHING),
        },
    }


def _readable(lines: pd.DataFrame) -> dict:
    if lines.empty:
        return {
            "n": 0,
            "at": [],
            "null_at": [],
            "always": dict(NOTHING),
            "never_wrong": dict(NOTHING),
        }
    leads, judged = np.stack(lines["leads"]), _judged(lines)  # (n, S)
    null = np.stack(judged["null_leads"]) if len(judged) else np.zeros((0, leads.shape[1]))
    return {
        "n": len(lines),
        "at": [interval(column) for column in (leads == 1).T],
        "null_at": [interval(column) for column in (null == 1).T],
        "always": interval((leads == 1).all(1)),
        "never_wrong": interval((leads >= 0).all(1)),
    }


# Two onsets per sample, from the rows of `Onsets` and the commit steps of `step_visualization`.


def onset_table(rows: list[dict], commits: pd.DataFrame) -> pd.DataFrame:
    """One line per sample that was probed and has a row of `step_visualization`.

    Columns: task, index, `action`, the commit step (NaN if it never commits); `named:<source>` and
    `answer:<source>`, the first step from which that place is picked for good. Perception that
    never comes counts as S, after the last step; an answer never picked, or a run without one, is
    NaN: both choices are against perception coming first.

    Args:
        commits: has the columns task, index, commit.
    """
    lines: dict = defaultdict(dict)
    for row in rows:
        run, picked = (
            row["run"],
            np.array(row["result"]["picked"], float),
        )  # (S, n), NaN where there is none
        name = f"{run['what']}:{'layer' if run['source'].isdigit() else run['source']}"
        for index, course in enumerate(picked.T):
            lines[run["task"], index][name] = _for_good(
                course, len(course) if run["what"] == "named" else np.nan
            )
    table = pd.DataFrame(
        [{"task": task, "index": index} | line for (task, index), line in lines.items()]
    )
    action = commits[[*SAMPLE, "commit"]].rename(columns={"commit": "action"})
    return table.merge(action, on=SAMPLE)


def onsets(table: pd.DataFrame) -> dict:
    """Onsets by task and of all, and paired differences: steps by which perception comes first.

    `perception`: the named thing, off the middle layer; `action`: the commit step; `fine_action`:
    the run's answer, off the clean estimate by the same kind of probe; `layer_action`: the run's
    answer, off the middle layer too; `seen`: the named thing, off the clean estimate.
    """
    groups = {"all": table, **dict(tuple(table.groupby("task", sort=False)))}
    return {name: _onsets(group) for name, group in groups.items()}


def _for_good(course: np.ndarray, never: float) -> float:
    if np.isnan(course).any():
        return np.nan
    step = commit_step(course.astype(int), 1)
    return never if step is None else float(step)


def _onsets(table: pd.DataFrame) -> dict:
    perception, action = table["named:layer"], table["action"]
    fine, seen = table[f"answer:{RIVAL_READER}"], table[f"named:{RIVAL_READER}"]
    inner = table["answer:layer"]
    floors = [name for name in table if name.startswith("named:") and name != "named:layer"]
    return {
        "n": len(table),
        "perception": interval(perception),
        "action": interval(action),
        "fine_action": interval(fine),
        "layer_action": interval(inner),
        "seen": interval(seen),
        "floors": {name.removeprefix("named:"): interval(table[name]) for name in floors},
        "action_minus_perception": interval(action - perception),
        "fine_action_minus_perception": interval(fine - perception),
        "layer_action_minus_perception": interval(inner - perception),
        "seen_minus_perception": interval(seen - perception),
    }
