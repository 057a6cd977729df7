"""From rows of `step_visualization` to numbers: exploration, pruning, commit steps, steps or
frames, breadth first."""

from collections import defaultdict

import numpy as np
import pandas as pd

from ...bench.tasklist import short
from ...common.rounding import rounded
from ...measures.intervals import interval
from ...measures.presence import (
    commit_step,
    leader,
    nanmean,
    net_evidence,
    presence_threshold,
    present,
)

# A run's null must be calibrated by so many readable answers; with fewer, nothing is known.
READABLE = 16
FLOORS = (
    0.0,
    0.02,
    0.05,
    0.1,
)  # of evidence, below which nothing counts as present; several, to see how much depends on it
ONSET = 0.25  # ink above which a room of a maze counts as drawn


def table(rows: list[dict]) -> pd.DataFrame:
    """One line per run: what its trajectory did.

    Columns: task, index, score, solved, `present` (S,) number of candidates present at each step,
    `explores` (see `explored`), `unpruned` (more than one present at the last step), `chance` (how
    often unrelated clips would explore), `pruned` (last step with more than one present), `commit`
    (step, NaN if never), `commit_by_frame` (F,), `frame_slope`, `onset_slope`, `solved_at` (S,),
    `by_kind` {kind: (S,)} evidence of the strongest, and for runs with a null `null_present`
    {prior: (S,)} and `departure` {prior: (S,)}, the mean absolute difference of evidence over
    candidates.
    """
    lines = []
    for task, group in _by_task(rows).items():
        threshold = presence_threshold([np.array(row["result"]["control"], float) for row in group])
        lines += [_line(row, threshold) | {"task": short(task)} for row in group]
    return pd.DataFrame(lines)


def summary(lines: pd.DataFrame, sigmas: list[float]) -> dict:
    """What the figure reports: means with 95 % bootstrap intervals, overall and by task."""
    groups = {"all": lines, **dict(tuple(lines.groupby("task", sort=False)))}
    result = {name: _summary(group, sigmas) for name, group in groups.items()}
    mazes = lines["rooms"][lines["rooms"].notna()]
    return (
        result
        | {"sigmas": [round(s, 4) for s in sigmas]}
        | ({"ink": _ink(mazes)} if len(mazes) else {})
    )


def explored(count: np.ndarray) -> np.ndarray:
    """Several at some step, and at most one at the last: (..., S) numbers of candidates present ->
    (...) bool."""
    return (count.max(-1) > 1) & (count[..., -1] <= 1)


def frame_slope(commit_by_frame: np.ndarray) -> float:
    """Slope of commit step over latent frame, in steps per frame; NaN with fewer than three
    committed frames.

    Chain-of-Frames predicts that early frames commit first (slope > 0), Chain-of-Steps about 0. A
    run whose frames are all committed at step 0 cannot distinguish the two: NaN.
    """
    frames = np.arange(len(commit_by_frame))
    known = ~np.isnan(commit_by_frame)
    if known.sum() < 3 or not commit_by_frame[known].any():
        return float("nan")
    return float(np.polyfit(frames[known], commit_by_frame[known], 1)[0])


def onset_slope(rooms: dict, on_path: bool = True) -> float:
    """Slope of a maze room's onset step over its distance from the start, in steps per room; NaN
    if too few.

    The onset is the first step from which the room's ink stays above `ONSET`. Breadth-first search
    predicts a frontier that moves outward (slope > 0); the rival, all at once, predicts 0. A path
    that is there at step 0 cannot distinguish the two: NaN.
    """
    ink, distance = np.array(rooms["ink"]), np.array(rooms["distance"])  # (S, R), (R,)
    chosen = (np.array(rooms["on_path"]) == on_path) & (distance > 0) & (ink[-1] > ONSET)
    if chosen.sum() < 4 or len(set(distance[chosen])) < 3:
        return float("nan")
    below = ink[:, chosen] <= ONSET  # (S, R)
    onset = np.where(below.any(0), len(ink) - np.argmax(below[::-1], axis=0), 0)
    return float(np.polyfit(distance[chosen], onset, 1)[0]) if onset.any() else float("nan")


def _by_task(rows: list[dict]) -> dict[str, list[dict]]:
    groups = defaultdict(list)
    for row in rows:
        groups[row["run"]["task"]].append(row)
    return groups


def _line(row: dict, threshold: np.ndarray) -> dict:
    result = row["result"]
    evidence, control = (
        np.array(result["evidence"]),
        np.array(result["control"], float),
    )  # (S, F, K), (S, U, K)
    net = net_evidence(evidence[:, -1], control)
    is_present = present(net, threshold)
    count = is_present.sum(1)
    many = np.flatnonzero(count > 1)
    line = {
        "index": row["run"]["index"],
        "score": result["score_at"][-1],
        "solved": result["score_at"][-1] == 1.0,
        "present": count,
        "explores": bool(explored(count)),
        "unpruned": bool(count[-1] > 1),
        "explores_by_floor": [
            bool(explored(present(net, threshold, floor).sum(1))) for floor in FLOORS
        ],
        "chance": _chance(control, threshold),
        "pruned": float(many[-1]) if len(many) else np.nan,
        "commit": _commit(net, is_present, result["answer_at"][-1]),
        "commit_by_frame": _commit_by_frame(result, threshold),
        "solved_at": np.array(result["score_at"]) == 1.0,
        "by_kind": {
            kind: net[:, np.array(result["kinds"]) == kind].max(1) for kind in set(result["kinds"])
        },
        "rooms": result.get("rooms"),
    }
    line["frame_slope"] = frame_slope(line["commit_by_frame"])
    line["onset_slope"] = onset_slope(result["rooms"]) if "rooms" in result else np.nan
    if "null" in result:
        line["readable"] = sum(answer is not None for answer in result["null"]["answers"])
        null = {
            p: net_evidence(np.array(e), control) for p, e in result["null"]["evidence"].items()
        }
        line["null_present"] = {p: present(n, threshold).sum(1) for p, n in null.items()}
        line["departure"] = {p: np.abs(n - net).mean(1) for p, n in null.items()}
    return line


def _chance(control: np.ndarray, threshold: np.ndarray) -> float:
    """How often an unrelated clip would count as exploring here: it shows something other than its
    own answer, which is not a control (NaN)."""
    net = np.clip(
        control - nanmean(control, 1)[:, None], 0.0, 1.0
    )  # (S, U, K), NaN where it is not a control
    others = present(np.nan_to_num(net), threshold).sum(2)  # (S, U)
    return float(explored(1 + others.T).mean())


def _commit(net: np.ndarray, is_present: np.ndarray, answer: int) -> float:
    step = commit_step(leader(net, is_present), answer) if answer >= 0 else None
    return np.nan if step is None else float(step)


def _commit_by_frame(result: dict, threshold: np.ndarray) -> np.ndarray:
    """Commit step of every latent frame, (F,); NaN for the given frame, and where candidates do
    not differ yet."""
    evidence, control = (
        np.array(result["evidence"]),
        np.array(result["control_mean"]),
    )  # (S, F, K) both
    steps = np.full(evidence.shape[1], np.nan)
    for f in range(1, evidence.shape[1]):
        net = np.clip(evidence[:, f] - control[:, f], 0.0, 1.0)
        steps[f] = _commit(net, present(net, threshold), result["answer_at"][-1])
    return steps


def _summary(lines: pd.DataFrame, sigmas: list[float]) -> dict:
    by_floor = np.array(lines["explores_by_floor"].tolist()).T  # (floors, n)
    result = {
        "n": len(lines),
        "score": interval(lines["score"]),
        "solved": interval(lines["solved"]),
        "gain": interval([at[-1] - float(at[0]) for at in lines["solved_at"]]),
        "explores": interval(lines["explores"]),
        "explores_by_floor": {
            str(floor): interval(share) for floor, share in zip(FLOORS, by_floor, strict=True)
        },
        "explores_by_chance": interval(lines["chance"]),
        "explores_above_chance": interval(lines["explores"] - lines["chance"]),
        "unpruned": interval(lines["unpruned"]),
        "pruned": interval(lines["pruned"]),
        "commit": interval(lines["commit"]),
        "commit_sigma": interval([sigmas[int(step)] for step in lines["commit"].dropna()]),
        "commits": interval(lines["commit"].notna()),
        "frame_slope": interval(lines["frame_slope"]),
        "onset_slope": interval(lines["onset_slope"]),
        "present": np.stack(lines["present"]).mean(0).round(3).tolist(),
        "shares": {
            name: share.mean(0).round(3).tolist()
            for name, share in _shares(lines["present"]).items()
        },
        "by_kind": _by_kind(lines["by_kind"]),
        "solved_at": np.stack(lines["solved_at"]).mean(0).round(3).tolist(),
    }
    if "readable" in lines and lines["readable"].notna().any():
        result["null_of_all_runs"] = _null(lines[lines["readable"].notna()])
        result["null"] = _null(lines[lines["readable"] >= READABLE])
    return result


def _null(judged: pd.DataFrame) -> dict:
    """The model compared with its null under each prior, on the same runs."""
    if judged.empty:
        return {"n": 0}
    ours = np.stack(judged["present"])  # (n, S)
    result = {"n": len(judged), "model": ours.mean(0).round(3).tolist()}
    return result | {
        p: _against_null(judged, p, explored(ours)) for p in judged["null_present"].iloc[0]
    }


def _against_null(judged: pd.DataFrame, prior: str, ours: np.ndarray) -> dict:
    theirs = np.stack([null[prior] for null in judged["null_present"]])  # (n, S)
    departure = np.stack([null[prior] for null in judged["departure"]])
    return {
        "explores": interval(explored(theirs)),
        "excess": interval(ours.astype(float) - explored(theirs)),
        "present": theirs.mean(0).round(3).tolist(),
        "departure": departure.mean(0).round(4).tolist(),
        "departs": interval(departure.mean(1)),
    }


def _shares(present: pd.Series) -> dict[str, np.ndarray]:
    """Whether no, one or several candidates are present, (n, S) each."""
    count = np.stack(present)
    return {"none": count == 0, "one": count == 1, "several": count > 1}


def _by_kind(by_kind: pd.Series) -> dict[str, list[float]]:
    """Mean evidence of the strongest candidate of each kind, by step, over the samples that have
    such candidates."""
    found = defaultdict(list)
    for kinds in by_kind:
        for kind, values in kinds.items():
            found[kind].append(values)
    return {kind: np.mean(values, 0).round(3).tolist() for kind, values in sorted(found.items())}


def _ink(rooms: pd.Series) -> dict:
    """How much of the path's colour the rooms of all mazes show, by step and distance from the
    start (S, D), on the right path and off it; None where there is no such room."""
    ink, distance, on_path = (
        np.concatenate([np.array(room[name]).T for room in rooms])
        for name in ("ink", "distance", "on_path")
    )  # (R, S), (R,), (R,)
    places = range(1, int(distance.max()) + 1)
    result: dict = {"distance": list(places), "mazes": len(rooms)}
    for name, here in (("on_path", on_path.astype(bool)), ("off_path", ~on_path.astype(bool))):
        means = [
            nanmean(np.where((here & (distance == d))[:, None], ink, np.nan), 0) for d in places
        ]
        result[name] = rounded(np.array(means).T, 3)
    return result
