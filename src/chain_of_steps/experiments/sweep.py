"""The rows of many runs: found in the store, or computed, also by several workers."""

import multiprocessing
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

from ..common.files import check_place
from ..models.schedule import preset
from ..models.video_model import VideoModel
from . import ray_cluster
from .base import Experiment
from .preflight import ROW, Clip, check_clips
from .store import Store


def planned(
    kind: type, parameters: dict, load: Callable[[str], VideoModel], model: str, preset_name: str
) -> tuple[Experiment, list]:
    """An experiment and its runs from a group of params.yaml, which may name a `model` and a
    `preset` of its own.

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
    executor: "str | ray_cluster.Ray" = "local",
    batch: int | None = None,
) -> list[dict]:
    """The rows of all runs, in order: found in the store, or computed and put there as soon as
    each is finished (with several workers: as soon as all that share its past are).

    Killed at any moment and called again, it resumes with the missing runs and ends with the same
    rows.

    Args:
        progress: makes a progress bar from `total` (model evaluations), e.g. `tqdm`.
        workers: processes; set torch to one thread before using more than one. The rows are the
            same.
        batch: up to so many evaluations, of several samples, seeds and interventions, share a
            forward pass; by default as many as are fastest, see `VideoModel.batch`. Rows of
            another batch are other rows.
        executor: `local`; or `ray` or a `ray_cluster.Ray`, whose cluster decides how many workers
            there are.
    """
    if not isinstance(executor, ray_cluster.Ray) and executor not in ("local", "ray"):
        raise ValueError(f"unknown executor {executor!r}; expected local or ray")
    if workers > 1 and executor == "local" and experiment.model.device.type != "cpu":
        raise ValueError(
            f"{workers} processes cannot share a GPU's model; use one process with a larger batch, "
            "or the Ray executor"
        )
    batch = experiment.model.batch if batch is None else batch
    experiment = experiment.in_batches(batch)
    identities = {run: experiment.identity(run) for run in runs}
    missing: dict[Any, list] = defaultdict(list)
    for run, identity in identities.items():
        if store.get(identity) is None:
            missing[run.base].append(run)
    groups = list(missing.values())
    if groups:
        _check(experiment, store, sum(map(len, groups)))
    packs = [groups[i : i + batch] for i in range(0, len(groups), batch)]
    total = sum(map(experiment.evaluations, groups))
    bar = progress(total=total, unit="evaluation") if progress and groups else None
    if executor != "local":
        cluster = ray_cluster.Ray() if executor == "ray" else executor
        results = cluster.results(experiment, packs, bar)
    elif workers > 1:
        results = _in_processes(experiment, packs, workers, bar)
    else:
        results = _here(experiment, packs, bar)
    for run, result in results:
        store.put(experiment.header, experiment.record(run), result, experiment.digits)
    return [store.get(identities[run]) for run in runs]


def _check(experiment: Experiment, store: Store, missing: int) -> None:
    """Raises if the model does not take clips of its size, or rows cannot be written."""
    model = experiment.model
    check_clips(model, [Clip(model.name, model.size, model.size, model.frames)])
    check_place(store.folder, missing * ROW)


def _here(experiment: Experiment, packs: list[list], bar: Any) -> Iterator[tuple[Any, dict]]:
    for pack in packs:
        yield from experiment.results_of(pack, bar.update if bar else None)


def _in_processes(
    experiment: Experiment, packs: list[list], workers: int, bar: Any
) -> Iterator[tuple[Any, dict]]:
    """Distributes packs of groups over forked processes, which inherit the model; yields pack by
    pack."""
    global _inherited
    _inherited = experiment
    with ProcessPoolExecutor(workers, multiprocessing.get_context("fork")) as pool:
        for future in as_completed([pool.submit(_whole_pack, pack) for pack in packs]):
            pack, results = future.result()
            yield from results
            if bar:
                bar.update(sum(map(experiment.evaluations, pack)))


_inherited: Experiment | None = None  # what a worker process inherits


def _whole_pack(pack: list[list]) -> tuple[list, list]:
    return pack, list(_inherited.results_of(pack))
