"""A sweep on a Ray cluster: groups of runs that share a past go to workers, each of which holds the
model once.

Rows are bit for bit those of one machine of that kind. A worker that is lost, with its process or
its whole machine, is replaced and its group computed again; only the process that started the sweep
writes to the store.
"""

import argparse
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

PATIENCE = 60  # seconds for a connection to a cluster to come up
LOST = 3  # how often the same group may lose its worker: after that the group itself is to blame


@dataclass(frozen=True)
class Ray:
    """Where a sweep runs: its workers are one per GPU or, on `cpu`, one per CPU of the cluster.

    Attributes:
        address: of a running cluster, `auto` for that of this machine; None starts one here, on
            all CPUs.
        device: on which each worker holds the model.
    """

    address: str | None = None
    device: str = "cpu"

    def results(self, experiment: Any, packs: list[list], bar: Any) -> Iterator[tuple[Any, dict]]:
        """Yields every run and its result, group by group, as they come.

        Raises:
            ValueError: if Ray is not installed, or the cluster has no such device.
            RuntimeError: if a group lost its worker more than `LOST` times.
        """
        ray = connect(self.address)
        unit = "GPU" if self.device.startswith("cuda") else "CPU"
        count = min(len(packs), int(ray.cluster_resources().get(unit, 0)))
        if packs and not count:
            raise ValueError(
                f"the Ray cluster has no {unit}; start its nodes with some, or take another device"
            )
        worker = ray.remote(
            num_cpus=1, num_gpus=int(unit == "GPU"), max_restarts=-1, max_task_retries=LOST
        )(Worker)
        given = ray.put(
            experiment
        )  # its model is sent once to every machine, or loaded there from its folder
        workers = [worker.remote(given, self.device, torch.get_num_threads()) for _ in range(count)]
        try:
            for pack, results in _as_finished(ray, workers, packs):
                yield from results
                if bar:
                    bar.update(sum(map(experiment.evaluations, pack)))
        finally:
            for each in workers:
                ray.kill(each)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds `--executor` and `--address` to a command that starts a sweep."""
    parser.add_argument(
        "--executor", default="local", choices=("local", "ray"), help="where runs are computed"
    )
    parser.add_argument(
        "--address", help="of a Ray cluster, e.g. auto; without it one is started on this machine"
    )


def executor_of(options: argparse.Namespace, device: str = "cpu") -> "str | Ray":
    """What `sweep` takes as its executor."""
    if options.executor == "local" and options.address:
        raise ValueError("--address names a Ray cluster; add --executor ray")
    return Ray(options.address, device) if options.executor == "ray" else "local"


class Worker:
    """A process that holds an experiment with its model.

    Args:
        threads: of torch, as where the sweep was started, so that bits agree.
    """

    def __init__(self, experiment: Any, device: str, threads: int):
        torch.set_num_threads(threads)
        self.experiment = experiment
        if device != "cpu":
            experiment.model.to(device)

    def results(self, pack: list[list]) -> list[tuple[Any, dict]]:
        """All results of groups of runs, each of which shares a past."""
        return list(self.experiment.results_of(pack))


def connect(address: str | None) -> Any:
    """The module `ray`, connected to a cluster; a connection that there is already is kept.

    Only the argument says which cluster: RAY_ADDRESS, with which Ray would replace it, is ignored.

    Raises:
        ValueError: if Ray is not installed, or no cluster answers within `PATIENCE` seconds.
    """
    os.environ.setdefault(
        "RAY_USAGE_STATS_ENABLED", "0"
    )  # Ray would report its use over the network
    try:
        import ray
    except ImportError:
        raise ValueError(
            "Ray is not installed; `pip install 'chain-of-steps[ray]'` brings it"
        ) from None
    if ray.is_initialized():
        return ray
    if elsewhere := os.environ.pop("RAY_ADDRESS", None):
        warnings.warn(
            f"RAY_ADDRESS={elsewhere} is ignored; to use that cluster, pass it as --address",
            stacklevel=2,
        )
    if address is None:
        ray.init(address="local", log_to_driver=False, include_dashboard=False)
    else:
        _refuse_silence(address)
        ray.init(address=address, log_to_driver=False)
    return ray


def _refuse_silence(address: str) -> None:
    """Raises if no cluster answers at an address: another process tries to connect, since Ray
    itself would wait for minutes, or for ever where something else is listening."""
    call = f"import ray; ray.init(address={address!r}, log_to_driver=False)"
    command = [sys.executable, "-c", call]
    try:
        run = subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False)
        why = "" if run.returncode == 0 else "no Ray cluster answers"
    except subprocess.TimeoutExpired:
        why = f"no Ray cluster answered within {PATIENCE} s"
    if why:
        raise ValueError(
            f"{why} at {address!r}; start one with `ray start --head`, or correct --address"
        )


def _as_finished(ray: Any, workers: list, packs: list[list]) -> Iterator[tuple[list, list]]:
    """Hands packs of groups to free workers until none is left; yields each with its results."""
    waiting, busy = list(reversed(packs)), {}
    free = list(workers)
    while waiting or busy:
        while waiting and free:
            worker, pack = free.pop(), waiting.pop()
            busy[worker.results.remote(pack)] = worker, pack
        (done, *_), _ = ray.wait(list(busy), num_returns=1)
        worker, pack = busy.pop(done)
        free.append(worker)
        yield pack, _get(ray, done)


def _get(ray: Any, done: Any) -> list:
    try:
        return ray.get(done)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from error  # what the experiment itself raised
    except ray.exceptions.RayError as error:
        raise RuntimeError(
            f"a group of runs lost its worker {LOST + 1} times, perhaps for lack of memory; what "
            f"was finished is kept ({type(error).__name__})"
        ) from error
