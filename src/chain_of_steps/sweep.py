"""Many interventions on one generation: what their pasts share is computed once.

Runs are paths in a tree. All start from the same noise; two part where their edits first differ. The tree is walked
depth first, the clean path before its neighbours, so only the states along one path are held at a time. Every number is
the same, bit by bit, as if each run had been made alone with `denoise`. `grow` walks the tree of one sample and seed;
`sweep` does so for all, and keeps the rows.
"""

import multiprocessing
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch

from . import cluster
from .denoise import EXPERIMENT_VERSION, State, Trajectory, Watch, advance, begin, edits_at
from .interventions import Edit, Intervention, check_cells
from .models import Condition, VideoModel
from .schedule import Schedule, preset
from .store import Store

BUDGET = 8 << 30  # bytes that the states along one path may take


class Experiment(Protocol):
    """What a sweep asks of an experiment. Its runs are frozen dataclasses; those of equal `base` share a past."""

    name: str

    def identity(self, run: Any) -> dict: ...

    def evaluations(self, runs: list) -> int: ...

    def results(
        self, runs: list, count: Callable[[], None] | None = None
    ) -> Iterator[tuple[Any, dict]]: ...


def common(name: str, model: VideoModel, schedule: Schedule) -> dict:
    """What all identities of an experiment share: change any of it, and its rows are computed anew."""
    return {
        "experiment": name,
        "version": EXPERIMENT_VERSION,
        "model": model.fingerprint,
        "size": model.size,
        "frames": model.frames,
        "schedule": schedule.record(),
    }


def planned(
    kind: type, parameters: dict, load: Callable[[str], VideoModel], model: str, preset_name: str
) -> tuple[Experiment, list]:
    """An experiment and its runs from a group of params.yaml, which may name a `model` and a `preset` of its own.

    Args:
        load: loads a model folder.
        model, preset_name: used unless the group says otherwise.
    """
    own = {"model": model, "preset": preset_name} | parameters
    experiment = kind(load(own.pop("model")), preset(own.pop("preset")))
    return experiment, experiment.plan(**own)


def sweep(
    experiment: Experiment,
    store: Store,
    runs: Sequence[Any],
    progress: Callable | None = None,
    workers: int = 1,
    executor: "str | cluster.Ray" = "local",
) -> list[dict]:
    """The rows of all runs, in order: found in the store, or computed and put there as soon as each is finished
    (with several workers: as soon as all that share its past are).

    Killed at any moment and called again, it goes on with the runs that are missing and ends with the same rows.

    Args:
        progress: makes a progress bar from `total` (model evaluations), e.g. `tqdm`.
        workers: processes; set torch to one thread before you ask for more than one. The rows are the same.
        executor: `local`; or `ray` or a `cluster.Ray`, whose cluster decides how many workers there are.
    """
    if not isinstance(executor, cluster.Ray) and executor not in ("local", "ray"):
        raise ValueError(f"unknown executor {executor!r}; expected local or ray")
    identities = {run: experiment.identity(run) for run in runs}
    found: dict[Any, list] = defaultdict(list)
    for run, identity in identities.items():
        if store.get(identity) is None:
            found[run.base].append(run)
    groups = list(found.values())
    total = sum(map(experiment.evaluations, groups))
    bar = progress(total=total, unit="evaluation") if progress and groups else None
    if executor != "local":
        results = (cluster.Ray() if executor == "ray" else executor).results(
            experiment, groups, bar
        )
    else:
        results = (
            _in_processes(experiment, groups, workers, bar)
            if workers > 1
            else _here(experiment, groups, bar)
        )
    for run, result in results:
        store.put(identities[run], result)
    return [store.get(identities[run]) for run in runs]


def _here(experiment: Experiment, groups: list[list], bar: Any) -> Iterator[tuple[Any, dict]]:
    for group in groups:
        yield from experiment.results(group, bar.update if bar else None)


def _in_processes(
    experiment: Experiment, groups: list[list], workers: int, bar: Any
) -> Iterator[tuple[Any, dict]]:
    """Groups are shared out to forked processes, which inherit the model; results come back group by group."""
    global _forked
    _forked = experiment
    with ProcessPoolExecutor(workers, multiprocessing.get_context("fork")) as pool:
        for future in as_completed([pool.submit(_whole_group, group) for group in groups]):
            group, results = future.result()
            yield from results
            if bar:
                bar.update(experiment.evaluations(group))


_forked: Experiment | None = None  # what a worker process inherits


def _whole_group(group: list) -> tuple[list, list]:
    return group, list(_forked.results(group))


@dataclass(frozen=True)
class Branch:
    """One run of a tree.

    Attributes:
        interventions: in the order in which they act; none is the clean run.
        until: the run ends before this step, None at the last; so that results can be read on an early `x0_hat`.
    """

    interventions: tuple[Intervention, ...] = ()
    until: int | None = None


def grow(
    model: VideoModel,
    condition: Condition,
    schedule: Schedule,
    seed: int,
    branches: Sequence[Branch],
    watch: Watch | None = None,
    budget: int = BUDGET,
    count: Callable[[], None] | None = None,
) -> Iterator[tuple[int, Trajectory]]:
    """Yields (index of the branch, its trajectory) as each branch ends, the clean one first if it is among them.

    Trajectories share their tensors where their pasts are shared: read them, do not write to them.

    Args:
        watch: called once per evaluation, as in `denoise`; a tuple of tensors and arrays counts towards the budget.
        budget: bytes that the tensors along one path may take.
        count: called after every evaluation.

    Raises:
        MemoryError: if a path does not fit the budget.
        ValueError: for an intervention at a step or in a frame that there is not.
    """
    for branch in branches:
        check_cells(branch.interventions, schedule.steps, condition.shape[2])
    tree = _Tree(model, condition, schedule, watch, budget, count)
    state = begin(model, condition, schedule, seed)
    path = Trajectory([float(sigma) for sigma in state.scheduler.sigmas])
    with torch.inference_mode():
        yield from tree.descend(state, path, dict(enumerate(branches)))


def evaluations(branches: Sequence[Branch], steps: int, frames: int) -> int:
    """How many model evaluations `grow` makes: the number of different (state, step) of all branches together."""

    def below(step: int, members: list[Branch]) -> int:
        groups = _groups(step, dict(enumerate(members)), steps, frames).values()
        return sum(1 + below(step + 1, list(group.values())) for group in groups)

    return below(0, list(branches))


@dataclass(frozen=True)
class _Tree:
    model: VideoModel
    condition: Condition
    schedule: Schedule
    watch: Watch | None
    budget: int
    count: Callable[[], None] | None

    def descend(
        self, state: State, path: Trajectory, members: dict[int, Branch]
    ) -> Iterator[tuple[int, Trajectory]]:
        """Runs all members, which have agreed so far, from `state` on; `path` is what they have seen."""
        groups = _groups(state.step, members, self.schedule.steps, self.condition.shape[2])
        going_on = {index for group in groups.values() for index in group}
        for index in sorted(members.keys() - going_on):
            beside = None if state.beside is None else state.beside.latents
            ends = replace(path, latents=[*path.latents, state.latents], beside=beside)
            ends.cells, ends.energy = state.cells, state.energy
            yield index, ends
        for number, (edits, group) in enumerate(groups.items()):
            here = (
                state if number == len(groups) - 1 else state.copy()
            )  # the last may use the state up
            yield from self.descend(*self._step(here, path, edits), group)

    def _step(
        self, state: State, path: Trajectory, edits: tuple[Edit, ...]
    ) -> tuple[State, Trajectory]:
        x, x0_hat = advance(self.model, self.condition, self.schedule, state, edits)
        seen = (
            [*path.watched, self.watch(state.step - 1, x, x0_hat)] if self.watch else path.watched
        )
        longer = replace(
            path, latents=[*path.latents, x], x0_hats=[*path.x0_hats, x0_hat], watched=seen
        )
        _check_budget(longer, self.budget)
        if self.count is not None:
            self.count()
        return state, longer


def _groups(
    step: int, members: dict[int, Branch], steps: int, frames: int
) -> dict[tuple[Edit, ...], dict[int, Branch]]:
    """Members that go on at a step, by what happens to them before it; the untouched ones first."""
    groups: dict[tuple[Edit, ...], dict[int, Branch]] = {}
    for index, branch in members.items():
        if step < (steps if branch.until is None else branch.until):
            edits = edits_at(branch.interventions, step, frames)
            groups.setdefault(edits, {})[index] = branch
    return dict(sorted(groups.items(), key=lambda item: len(item[0])))


def _check_budget(path: Trajectory, budget: int) -> None:
    seen = [part for watched in path.watched if isinstance(watched, tuple) for part in watched]
    held = sum(array.nbytes for array in [*path.latents, *path.x0_hats, *seen])
    if held > budget:
        raise MemoryError(
            f"one path of the sweep holds {held / 1e6:.0f} MB after {len(path.x0_hats)} steps, more than its budget of "
            f"{budget / 1e6:.0f} MB; watch fewer layers, or raise `budget`"
        )
