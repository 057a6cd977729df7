"""`make reproduce`: redraws every figure from the stored rows, then recomputes runs from the weights and compares.

Exit code 1 if more than 5 % of the recomputed answers differ, or a metric leaves its tolerance.
"""

import argparse
import json
import random
import subprocess
import sys
import time
from pathlib import Path

import yaml

from chain_of_steps import schedule, step_visualization
from chain_of_steps.__main__ import seconds
from chain_of_steps.models import VideoModel
from chain_of_steps.store import Store, compute

ROOT = Path(__file__).parent.parent
SEED = 20260316  # of the draw of runs to recompute; printed
TOLERANCE = 0.02  # of a run's score and evidence, where the machine differs from the one that wrote the rows
MAY_DIFFER = 0.05  # share of answers


def experiments(model: VideoModel) -> dict:
    """Every experiment by name, with the runs of scale `mini`."""
    parameters = yaml.safe_load((ROOT / "params.yaml").read_text())["mini"]
    first = dict(parameters["1_step_visualization"])
    visualization = step_visualization.StepVisualization(model, schedule.preset(first.pop("preset")))
    return {visualization.name: (visualization, step_visualization.plan(**first))}


def redraw() -> None:
    """Pulls data and results, executes every notebook anew and redraws every figure."""
    if (ROOT / "data.dvc").exists():
        _run("dvc", "pull", "--quiet")
    _run("dvc", "repro", "--force")


def compute_all(results: Path) -> None:
    """Computes every row of every experiment into `results`; rows found there are kept."""
    from tqdm import tqdm

    for name, (experiment, runs) in experiments(VideoModel.load(ROOT / "data/mini")).items():
        store = Store(results, name)
        rows = compute(store, [experiment.identity(r) for r in runs], experiment.measure, tqdm)
        store.seal()
        experiment.showcase(rows, results)


def verify(results: Path, budget: float) -> int:
    """Recomputes as many runs as fit the budget (seconds), prints the table, returns the exit code."""
    began = time.time()
    stored = {
        name: (e, Store(results, name)) for name, (e, _) in experiments(VideoModel.load(ROOT / "data/mini")).items()
    }
    jobs = [(name, key) for name, (_, store) in stored.items() for key in sorted(store.rows)]
    random.Random(SEED).shuffle(jobs)
    checks: dict[str, list[tuple[bool, bool, bool]]] = {name: [] for name in stored}
    for number, (name, key) in enumerate(jobs):
        if time.time() - began > budget:
            break
        experiment, store = stored[name]
        checks[name].append(_compare(store.rows[key]["result"], experiment.measure(store.rows[key]["run"])))
        left = budget - (time.time() - began)
        print(
            f"\rverified {number + 1} of {len(jobs)} runs, {max(0, left):.0f} s of the budget left ", end="", flush=True
        )
    print(f"\n\nRuns drawn with seed {SEED}.\n")
    return _table(checks, {name: len(store.rows) for name, (_, store) in stored.items()})


def _compare(old: dict, new: dict) -> tuple[bool, bool, bool]:
    """Identical, same answers, numbers within tolerance."""
    new = json.loads(json.dumps(new))
    same_answer = old["answer_at"][-1] == new["answer_at"][-1]
    pairs = zip(_numbers(old), _numbers(new), strict=False)
    close = sum(abs(a - b) <= TOLERANCE for a, b in pairs) >= 0.95 * len(_numbers(old))
    return old == new, same_answer, close


def _numbers(value) -> list[float]:
    if isinstance(value, dict):
        value = [value[name] for name in sorted(value)]
    if isinstance(value, list):
        return [number for item in value for number in _numbers(item)]
    return [float(value)] if isinstance(value, (int, float)) else []


def _table(checks: dict, totals: dict) -> int:
    header = ("experiment", "runs", "recomputed", "identical", "answers agree", "metrics within tolerance")
    print(" | ".join(header))
    failed = False
    for name, results in checks.items():
        count = len(results)
        identical, agree, close = (sum(column) for column in zip(*results, strict=True)) if results else (0, 0, 0)
        print(f"{name} | {totals[name]} | {count} | {identical} | {agree} | {close}")
        failed |= count > 0 and (agree < (1 - MAY_DIFFER) * count or close < (1 - MAY_DIFFER) * count)
    return int(failed)


def _run(*command: str) -> None:
    print(">", *command, flush=True)
    if subprocess.run([sys.executable, "-m", *command] if command[0] == "dvc" else command, cwd=ROOT).returncode:
        raise SystemExit(f"`{' '.join(command)}` failed; its message stands above")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--budget", type=seconds, default="8m", help="time for the verification, e.g. 8m")
    parser.add_argument("--full", action="store_true", help="compute every row again, into a fresh store")
    parser.add_argument("--replace", action="store_true", help="with --full: replace results/ (maintainers)")
    options = parser.parse_args()
    if options.full:
        target = ROOT / "results" if options.replace else ROOT / "build" / "full"
        compute_all(target)
    redraw()
    return verify(ROOT / "results", options.budget)


if __name__ == "__main__":
    sys.exit(main())
