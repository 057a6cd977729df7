"""`make reproduce`: redraws every figure from the stored rows, then recomputes runs from the
weights and compares.

Exit code 1 if more than 5 % of the recomputed answers differ, or if numbers are out of tolerance as
often. With `--full` every run is computed again, used for the figures, and compared; `--results`
(maintainers) brings `results/` up to date: rows of the same weights, schedule and code are kept,
missing ones computed, all others dropped.
"""

import argparse
import json
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import torch
from pull import pull
from run import execute, released
from surroundings import own
from tqdm import tqdm

from chain_of_steps.cli.arguments import Parser, seconds
from chain_of_steps.common.errors import run_command
from chain_of_steps.experiments import ray_cluster
from chain_of_steps.experiments.store import Store, key_of
from chain_of_steps.experiments.sweep import sweep
from chain_of_steps.figures import registry
from chain_of_steps.models import cpu
from chain_of_steps.models.video_model import VideoModel

ROOT = Path(__file__).parent.parent
FULL = ROOT / "build" / "full"
WORKERS = os.cpu_count() or 1  # processes of one thread each: the same bits on any number of cores
SEED = 20260316  # of the draw of runs to recompute; printed
LIMIT, MOST, LEAST = (
    11.5 * 60,
    8 * 60,
    60,
)  # seconds: redrawing and recomputing together; recomputing at most and least
TOLERANCE = 0.02  # of a run's numbers, where the machine differs from the one that wrote the rows
MAY_DIFFER = 0.05  # share of runs
DECIDE = ("params.yaml", "claims.yaml", "figures.yaml")  # what a reader edits, to see what changes


@cache
def load(folder: str) -> VideoModel:
    return VideoModel.load(ROOT / folder)


def uses(scale: str = "mini", load: Callable[[str], VideoModel] = load) -> list[registry.Use]:
    params = ROOT / "params.yaml"
    sections = registry.sections(params, scale)
    drawn = {name: section for name, section in sections.items() if name in released()}
    return registry.uses(params, drawn, load, "data/mini")


def experiments(scale: str = "mini", load: Callable[[str], VideoModel] = load) -> dict[str, tuple]:
    return registry.together(uses(scale, load))


def redraw(replace: bool = False) -> None:
    """Pulls data and results, executes every notebook and redraws every figure.

    Args:
        replace: also where the reader has changed what the committed figures are drawn from.

    Raises:
        ValueError: if that is the case, and `replace` is not set, and nobody agrees.
    """
    if not replace and (changed := changes(ROOT)):
        _ask(changed)
    _pull()
    _dvc("repro", "--force")


def changes(root: Path) -> list[str]:
    """The files that decide what the figures show and that differ from those committed; none
    where there is no git repository."""
    command = ["git", "diff", "--name-only", "HEAD", "--", *DECIDE]
    found = subprocess.run(command, cwd=root, capture_output=True, text=True)
    return found.stdout.split("\n")[:-1] if found.returncode == 0 else []


def _ask(changed: list[str]) -> None:
    """Raises ValueError unless the reader agrees, at a terminal, that figures are replaced."""
    said = f"{' and '.join(changed)} differ{'s' * (len(changed) == 1)} from what is committed"
    if sys.stdin.isatty():
        print(f"{said}: the committed figures and metrics will be replaced. Go on? [y/N] ", end="")
        if input().strip().lower() in ("y", "yes"):
            return
    raise ValueError(
        f"{said}, and the committed figures would be replaced; add REPLACE=1 to do so. To try "
        "parameters out, use `make figure NAME=...`, or `changes` in a notebook: they draw into "
        "scratch/"
    )


def compute(results: Path, executor: "str | ray_cluster.Ray" = "local") -> None:
    """Brings the rows and showcases of all experiments in `results` up to date.

    Args:
        executor: see `sweep`.
    """
    used = uses()
    for name, (experiment, runs) in registry.together(used).items():
        store = Store(results, name)
        print(f"{name}: {len(runs)} runs, {len(store.rows)} rows found", flush=True)
        sweep(experiment, store, runs, tqdm, WORKERS, executor)
        store.seal({key_of(experiment.identity(run)) for run in runs})
        (results / "machine.json").write_text(
            json.dumps(machine(), indent=1) + "\n", encoding="utf-8"
        )
        for use in (use for use in used if use.experiment.name == name):
            rows = [store.get(use.experiment.identity(run)) for run in use.runs]
            for shown in use.experiment.showcases:  # chosen from the rows of one notebook
                getattr(use.experiment, shown)(rows, results)


def machine() -> dict:
    """What determines the exact bits of results: processor, kernels, version of torch."""
    kernels = torch.backends.cpu.get_cpu_capability()
    return {"processor": cpu.name(), "kernels": kernels, "torch": torch.__version__}


def same_machine(results: Path) -> bool:
    """Whether the stored rows were written on the same kind of machine; only then must they be
    bit-identical."""
    file = results / "machine.json"
    return file.exists() and json.loads(file.read_text(encoding="utf-8")) == machine()


def verify(results: Path, budget: float) -> int:
    """Recomputes as many stored runs as fit the budget (seconds), prints the table, returns the
    exit code."""
    began = time.monotonic()
    stored = {
        name: (experiment, Store(results, name).rows)
        for name, (experiment, _) in experiments().items()
    }
    jobs, too_dear = draw(stored, budget)
    checks: dict[str, list[tuple[bool, bool, bool]]] = {name: [] for name in stored}
    if not same_machine(results):
        print(
            "The rows were written on another kind of machine: the last bits, and therefore a few "
            "answers, may differ here."
        )
    for name, least in too_dear.items():
        print(f"{name}: a run takes {least} evaluations, too many for {budget:.0f} s")
    print(f"Recomputing runs drawn with seed {SEED}, for {budget:.0f} s:")
    _inherited.update(stored)
    with multiprocessing.get_context("fork").Pool(WORKERS) as pool:  # the block ends its processes
        for number, (name, check) in enumerate(pool.imap_unordered(_recompute, jobs), 1):
            checks[name].append(check)
            left = budget - (time.monotonic() - began)
            print(f"\r{number} of {len(jobs)} runs, {max(0, left):.0f} s left ", end="", flush=True)
            if left < 0:
                break
    print("\n")
    return table(checks, {name: len(rows) for name, (_, rows) in stored.items()})


def draw(stored: dict[str, tuple], budget: float) -> tuple[list[tuple], dict[str, int]]:
    """Which stored runs to recompute, in order: one of every experiment, then all at random.

    Args:
        stored: experiment and rows, by name.
        budget: seconds that one run may take; runs of an experiment take about as long.

    Returns:
        Jobs (name, key); and of each experiment that is too dear what one of its runs takes.
    """
    rng, first, rest, too_dear = random.Random(SEED), [], [], {}
    for name, (experiment, rows) in stored.items():
        keys = sorted(rows)
        rng.shuffle(keys)
        cost = experiment.evaluations([experiment.run_of(rows[keys[0]]["run"])]) if keys else 0
        if cost > budget * experiment.speed:
            too_dear[name] = cost
            continue
        first += [(name, key) for key in keys[:1]]
        rest += [(name, key) for key in keys[1:]]
    rng.shuffle(rest)
    return first + rest, too_dear


_inherited: dict[str, tuple] = {}  # experiments and their stored rows, for the worker processes


def _recompute(job: tuple[str, str]) -> tuple[str, tuple[bool, bool, bool]]:
    name, key = job
    experiment, rows = _inherited[name]
    return name, compare(rows[key]["result"], experiment.measure(rows[key]["run"]))


def compare_all(results: Path, fresh: Path) -> int:
    """Compares all stored rows with recomputed ones, prints the table, returns the exit code."""
    checks, totals = {}, {}
    for name in experiments():
        old, new = Store(results, name).rows, Store(fresh, name).rows
        if old.keys() != new.keys():
            raise ValueError(
                f"{name}: the stored rows do not match params.yaml; run `make results` to "
                "bring them up to date"
            )
        checks[name] = [compare(old[key]["result"], new[key]["result"]) for key in sorted(old)]
        totals[name] = len(old)
    return table(checks, totals)


def compare(old: dict, new: dict) -> tuple[bool, bool, bool]:
    """Of two results: identical, same final answer, numbers within tolerance."""
    ours, theirs = _numbers(old), _numbers(new)
    near = sum(
        abs(a - b) <= TOLERANCE * max(1.0, abs(a)) for a, b in zip(ours, theirs, strict=False)
    )
    return (
        old == new,
        old["answer"] == new["answer"],
        len(ours) == len(theirs) and near >= (1 - MAY_DIFFER) * len(ours),
    )


def table(checks: dict[str, list], totals: dict[str, int]) -> int:
    """Prints experiment by experiment how many runs agree; the exit code."""
    print("experiment | runs | recomputed | identical | answers agree | metrics within tolerance")
    failed = False
    for name, results in checks.items():
        identical, agree, close = (
            (sum(column) for column in zip(*results, strict=True)) if results else (0, 0, 0)
        )
        print(f"{name} | {totals[name]} | {len(results)} | {identical} | {agree} | {close}")
        failed |= min(agree, close) < (1 - MAY_DIFFER) * len(results)
    return int(failed)


def _numbers(value) -> list[float]:
    if isinstance(value, dict):
        value = [value[name] for name in sorted(value)]
    if isinstance(value, list):
        return [number for item in value for number in _numbers(item)]
    return [float(value)] if isinstance(value, (int, float)) else []


def _pull() -> None:
    print("> dvc pull", flush=True)
    pull(ROOT)


def _dvc(*arguments: str) -> None:
    print("> dvc", *arguments, flush=True)
    command = [sys.executable, "-m", "dvc", *arguments]
    if subprocess.run(command, cwd=ROOT, env=own(dict(os.environ))).returncode:
        raise RuntimeError(f"`dvc {' '.join(arguments)}` failed; see its message above")


def _full(executor: "str | ray_cluster.Ray") -> int:
    """Computes all runs into a fresh store (resuming a killed call), draws from it, compares."""
    _pull()
    compute(FULL, executor=executor)
    _dvc("repro", "sources")
    for name in released():
        execute(name, out=str(FULL / "figures"), results=str(FULL))
    last = FULL.with_name("full-last")
    shutil.rmtree(last, ignore_errors=True)
    FULL.rename(last)  # the next call starts from scratch
    print(f"\nThe new rows, and figures drawn from them: {last.relative_to(ROOT)}\n")
    return compare_all(ROOT / "results", last)


def main() -> int:
    parser = Parser(__doc__)
    parser.number(
        "--budget",
        seconds,
        help="time to recompute runs, e.g. 8m; by default what redrawing leaves of 12 minutes",
    )
    parser.add_argument("--full", action="store_true", help="compute every run again")
    parser.add_argument(
        "--replace",
        action="store_true",
        help="redraw the committed figures with parameters, claims or titles that you have changed",
    )
    parser.add_argument(
        "--results", action="store_true", help="bring results/ up to date (maintainers)"
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    ray_cluster.add_options(parser)
    options = parser.parse_args()
    return run_command(lambda: reproduce(options), "reproduce", options.debug)


def reproduce(options: argparse.Namespace) -> int:
    """Runs what the options select; returns the exit code."""
    executor = ray_cluster.executor_of(options)
    torch.set_num_threads(1)
    if options.full:
        return _full(executor)
    if options.results:
        compute(ROOT / "results", executor)
        return 0
    began = time.monotonic()
    redraw(options.replace)
    left = LIMIT - (time.monotonic() - began)
    return verify(ROOT / "results", options.budget or max(LEAST, min(MOST, left)))


if __name__ == "__main__":
    sys.exit(main())
