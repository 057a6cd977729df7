"""From rows to numbers: what dropping the given frame costs, which mistakes are repaired, and what
comes first, perception or action. Nothing is pooled over cells.

Curves are {step: interval}, with steps as text, as JSON has them.
"""

from collections.abc import Callable, Sequence

import numpy as np

from ...measures.intervals import (
    NOTHING,
    Clusters,
    difference,
    proportion,
)
from ..summaries import base_of, by_cell, clusters, mean, of_design, share
from .curves import of_means
from .onset_analysis import onsets_of
from .wrong_parts import KINDS, WRONG

CLEAN = ("clean", 0)

Validity = dict[tuple[str, int], np.ndarray]  # (n,) bool by design and step


def metrics(
    memory: list[dict], mistakes: list[dict], onsets: list[dict], sigmas: dict[str, list[float]]
) -> dict:
    """All numbers of the notebook: `cells`, and `sigmas` by experiment.

    Args:
        memory, mistakes, onsets: rows of the three experiments.
        sigmas: noise levels of their schedules, by these names.
    """
    found: dict[str, dict] = {}
    for part in (
        memory_of(memory, sigmas["memory"]),
        mistakes_of(mistakes),
        onsets_of(onsets),
    ):
        for cell, values in part.items():
            found.setdefault(cell, {}).update(values)
    return {"cells": found, "sigmas": sigmas}


# Working memory.


def memory_of(rows: list[dict], sigmas: Sequence[float]) -> dict[str, dict]:
    """By cell, all of valid answers:

    `clean`; `dropped_at`, the given frame dropped from a step on; `dropped_at_0`, never given;
    `restored_at`, given from a step on only; `kept_from_half` and `kept_from_fifth`, what is lost,
    clean minus dropped from half or a fifth of the steps on; `memory_sigma`, see there; `noised`
    and `erased`, from half of the steps on; `lost_elsewhere`, what dropping costs if frame 0
    of the latents does not show the given frame either, noised minus erased.
    """
    return {cell: _memory(own, sigmas) for cell, own in by_cell(rows).items()}


def _memory(rows: list[dict], sigmas: Sequence[float]) -> dict:
    valid, groups = validity(rows)
    steps, half = len(sigmas) - 1, (len(sigmas) - 1) // 2
    clean, dropped = valid[CLEAN], _of(valid, "dropped")
    found = {
        "clean": proportion(clean, groups),
        "dropped_at": _curve(dropped, groups),
        "dropped_at_0": proportion(dropped[0], groups),
        "restored_at": _curve(_of(valid, "restored"), groups),
        "kept_from_half": difference(clean, dropped[half], groups),
        "kept_from_fifth": difference(clean, dropped[max(1, steps // 5)], groups),
        "memory_sigma": memory_sigma(clean, dropped, sigmas, groups),
    }
    if noised := _of(valid, "noised"):
        one, other = noised[half], _of(valid, "erased")[half]
        found["noised"], found["erased"] = proportion(one, groups), proportion(other, groups)
        found["lost_elsewhere"] = difference(one, other, groups)
    return found


def validity(rows: list[dict]) -> tuple[Validity, list[str]]:
    """Whether the runs of one cell are valid, by design and step, in the order of the clean ones;
    and their clusters."""
    clean = of_design(rows, "clean")
    order = {base_of(row): i for i, row in enumerate(clean)}
    found: Validity = {}
    for row in rows:
        values = found.setdefault(_name(row["run"]), np.zeros(len(order), bool))
        values[order[base_of(row)]] = row["result"]["valid"]
    return found, clusters(clean)


def _name(run: dict) -> tuple[str, int]:
    """Design and step of a run: from where the frame is dropped, given again, or noised."""
    if run["design"] == "clean":
        return CLEAN
    first = run["interventions"][0]
    if run["design"] == "restored":
        return "restored", first["until"]
    return run["design"], first["step"] if first["kind"] == "Drop" else first["steps"][0]


def _of(valid: Validity, design: str) -> dict[int, np.ndarray]:
    """By step, in order."""
    return {step: valid[name, step] for name, step in sorted(valid) if name == design}


def _curve(values: dict[int, np.ndarray], groups: Clusters) -> dict[str, dict]:
    return {str(step): proportion(own, groups) for step, own in values.items()}


def memory_sigma(
    clean: np.ndarray, dropped: dict[int, np.ndarray], sigmas: Sequence[float], groups: Clusters
) -> dict:
    """The noise level from which on the given frame can be dropped: that of the first step from
    which the loss stays below half of the loss at step 0. 0 if it is needed up to the last step
    that was tried. Nothing where a frame that is never given is not missed for certain.

    Args:
        clean: (n,) bool.
        dropped: (n,) bool by the step from which it is dropped.
    """
    if difference(clean, dropped[0], groups)["low"] <= 0:
        return dict(NOTHING)
    levels = np.array([sigmas[step] for step in dropped] + [0.0])
    losses = clean.astype(float) - np.array(list(dropped.values()))  # (T, n)

    def half_lost(loss: np.ndarray) -> np.ndarray:
        first = loss[:, :1]
        small = np.column_stack([loss < first / 2, np.ones(len(loss), bool)])
        stays = np.logical_and.accumulate(small[:, ::-1], axis=1)[:, ::-1]
        return np.where(first[:, 0] > 0, levels[stays.argmax(1)], np.nan)

    return of_means(half_lost, [losses], groups)


# Mistakes.


def mistakes_of(rows: list[dict]) -> dict[str, dict]:
    """By cell, as curves by kind of mistake over the steps noised to: `recovered`, `at_once` (by
    the first estimate), `kept`, `readable` (off the noised answer) and `valid`, the whole answer
    is; and `repaired`, the share recovered of the runs whose mistake was there to be seen and was
    not put right at once, that is, readable and not at once.

    `unaided`, valid clean runs. Per clean run `wrong_to_right` and `right_to_wrong`; `revisions`,
    the same by step.
    """
    return {cell: _mistakes(own) for cell, own in by_cell(rows).items()}


def _mistakes(rows: list[dict]) -> dict:
    read = [row for row in rows if row["result"]["valid"] is not None]
    clean, kinds = of_design(read, "clean"), {kind: of_design(read, kind) for kind in KINDS}
    found = {
        name: {kind: _by_step(own, name) for kind, own in kinds.items()}
        for name in ("recovered", "at_once", "kept", "readable", "valid")
    }
    found["repaired"] = {kind: _by_step(kinds[kind], "recovered", _stands) for kind in WRONG}
    return found | {"unaided": share(clean, lambda r: r["valid"])} | _revisions(clean)


def _stands(result: dict) -> bool:
    """Whether a mistake was there to be seen, and the first estimate did not put it right."""
    return result["readable"] and not result["at_once"]


def _by_step(
    rows: list[dict], name: str, counts: Callable[[dict], bool] = lambda result: True
) -> dict[str, dict]:
    """The share of results with `name`, of those that count; one result per sample and step."""
    return {
        str(step): share(
            [r for r in rows if r["run"]["step"] == step and counts(r["result"])],
            lambda result: result[name],
        )
        for step in sorted({row["run"]["step"] for row in rows})
    }


def _revisions(clean: list[dict]) -> dict:
    def per_run(kind: str) -> Callable[[dict], int]:
        return lambda result: sum(result["revisions"][kind])

    kinds = clean[0]["result"]["revisions"]
    by_step = {k: np.mean([r["result"]["revisions"][k] for r in clean], axis=0) for k in kinds}
    return {
        "wrong_to_right": mean(clean, per_run("wrong_to_right")),
        "right_to_wrong": mean(clean, per_run("right_to_wrong")),
        "revisions": {kind: values.round(4).tolist() for kind, values in by_step.items()},
    }
