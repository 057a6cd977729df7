"""Checks of the table of faults: kills, two writers, disks that are full or read-only."""

import errno
import multiprocessing
import os
import random
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
from fault_table import PLAN, SHORT, check, one_sentence, tiny_model
from noised import Noised
from safetensors.torch import load_file

from chain_of_steps.bench import vbvr
from chain_of_steps.bench.generate import cases_of, generate_videos
from chain_of_steps.common import errors
from chain_of_steps.experiments.base import UNREAD
from chain_of_steps.experiments.store import Store
from chain_of_steps.experiments.sweep import sweep
from chain_of_steps.puzzles import suite
from chain_of_steps.training import mini
from chain_of_steps.training.progress import Progress

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import reproduce  # noqa: E402

FORK = multiprocessing.get_context("fork")


# Kills


def killed(work: Callable, times: int, longest: float, watched: Path | None = None) -> None:
    """Repeatedly starts `work` and kills it at random moments, then lets it finish.

    Args:
        longest: most seconds until the kill, counted from the first new file in `watched`, if a
            folder is given.
    """
    rng = random.Random(0)
    for _ in range(times):
        before = files(watched)
        process = FORK.Process(target=work)
        process.start()
        while watched and process.is_alive() and files(watched) <= before:
            time.sleep(0.001)
        process.join(rng.uniform(0.0, longest))
        if process.is_alive():
            os.kill(process.pid, signal.SIGKILL)
        process.join()
    process = FORK.Process(target=work)
    process.start()
    process.join()
    assert process.exitcode == 0


def files(folder: Path | None) -> set[str]:
    """Names of all files under a folder, temporary ones too."""
    return {str(path) for path in folder.rglob("*.*")} if folder else set()


def contents(folder: Path) -> dict[str, bytes]:
    """Every file except temporary ones that a kill may leave."""
    kept = (file for file in folder.rglob("*") if file.is_file() and not file.name.startswith("."))
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in kept
        if file.suffix != ".damaged"
    }


class Weights:
    """A batch whose loss is how large the weights are, at every step."""

    def at(self, step: int) -> "Weights":
        return self

    def loss(self, model: torch.nn.Module) -> torch.Tensor:
        return sum(p.pow(2).sum() for p in model.parameters())


@check
def training_killed(tmp_path, monkeypatch, capfd, times):
    monkeypatch.setattr(mini, "SAVE_EVERY", 1)
    monkeypatch.setattr(mini, "compile_blocks", lambda transformer: None)
    file, steps = tmp_path / "denoiser.safetensors", []

    def work() -> None:
        pipe = tiny.mini_like()
        model = mini.Denoiser(pipe.text_encoder, pipe.transformer)
        began = Progress.load(file, model).step
        assert began >= max(steps, default=0), "a finished step was lost"
        mini.fit_denoiser(model, Weights(), file, time.time() + 0.4, print)

    for _ in range(times):
        killed(work, 1, 0.6)
        steps.append(int(load_file(file)["step"]))
    assert steps == sorted(steps) and steps[0] > 0


def some_videos(out: Path) -> None:
    cases = cases_of("mini", 1, 0, "bounce") + cases_of("mini", 1, 0, "rotate")
    generate_videos(tiny_model(), SHORT, cases, out, seed=0, every_step=True)


@check
def generate_killed(tmp_path, monkeypatch, capfd, times):
    times //= 2

    def work(out: str, every_step: bool) -> None:
        cases = cases_of("mini", 1, 0)[: 3 if every_step else times + 2]
        generate_videos(tiny_model(), SHORT, cases, tmp_path / out, seed=0, every_step=every_step)

    work("whole", False)
    killed(lambda: work("killed", False), times, 0.02, watched=tmp_path / "killed")
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")
    work("previews", True)
    killed(lambda: work("killed previews", True), times, 2.0)
    assert contents(tmp_path / "killed previews") == contents(tmp_path / "previews")


@check
def reproduce_killed(tmp_path, monkeypatch, capfd, times):
    experiment = Noised(tiny_model(), SHORT)
    use = reproduce.registry.Use("x", experiment, experiment.plan(**PLAN))
    monkeypatch.setattr(reproduce, "uses", lambda: [use])
    monkeypatch.setattr(reproduce, "WORKERS", 1)
    reproduce.compute(tmp_path / "whole")
    killed(lambda: reproduce.compute(tmp_path / "killed"), times, 1.0)
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


# Disks


def limited(work: Callable, size: int) -> str:
    """Runs `work` in a process that may not write files of more than `size` bytes; returns its
    error message, if any."""
    receive, send = FORK.Pipe(duplex=False)

    def inside() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        try:
            work()
            send.send("")
        except Exception as error:
            send.send(errors.sentence(error))

    process = FORK.Process(target=inside)
    process.start()
    process.join()
    return receive.recv()


@check
@pytest.mark.filterwarnings("ignore:.*damaged")
def disk_full_rows(tmp_path, monkeypatch, capfd, times):
    def work(name: str = "full") -> None:
        experiment = Noised(tiny_model(), SHORT)
        store = Store(tmp_path, name)
        sweep(experiment, store, experiment.plan(**PLAN))

    work("whole")
    whole = (tmp_path / "whole.jsonl").stat().st_size
    for part in range(1, times + 1):
        assert "the disk is full" in limited(work, whole * part // (times + 2))
    before = len(Store(tmp_path, "full").rows)
    assert before > 0
    work()
    for name in ("full", "whole"):
        Store(tmp_path, name).seal()
    assert (tmp_path / "full.jsonl.gz").read_bytes() == (tmp_path / "whole.jsonl.gz").read_bytes()


@check
def disk_full_files(tmp_path, monkeypatch, capfd, times):
    from chain_of_steps.common.video import write_video
    from chain_of_steps.training.checkpoints import save_tensors

    clip = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), dtype=np.uint8)
    writers = {
        "x.mp4": lambda file: write_video(file, clip),
        "x.safetensors": lambda file: save_tensors(file, {"x": torch.zeros(9000)}),
    }
    assert len(writers) == times
    for name, write in writers.items():
        (tmp_path / name).write_bytes(b"old")
        said = limited(lambda name=name, write=write: write(tmp_path / name), 4096)
        assert "the disk is full" in said, said
        assert (tmp_path / name).read_bytes() == b"old" and len(
            list(tmp_path.glob(f"*{name}"))
        ) == 1


@check
def read_only(tmp_path, monkeypatch, capfd, times):
    place = tmp_path / "closed"
    place.mkdir(mode=0o555)
    if os.access(place, os.W_OK):  # root may write anywhere, except into the kernel's own folder
        place = Path("/proc/self/task")
    tries = (
        lambda: Store(place / "x", "x").put({}, {"a": 1}, UNREAD),
        lambda: some_videos(place / "videos"),
        lambda: vbvr.export_suite({"bounce": suite.draw("bounce", 1, 0)}, place / "suite", 48, 5),
    )
    for number, write in enumerate(tries):
        assert errors.run_command(write, "x") == 2, number
        assert one_sentence(capfd)
    assert len(tries) == times
    assert "cannot read or write here" in errors.sentence(
        OSError(errno.EROFS, "Read-only file system", "x")
    )


@check
def two_generate(tmp_path, monkeypatch, capfd, times):
    writers = [FORK.Process(target=some_videos, args=(tmp_path / "both",)) for _ in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    some_videos(tmp_path / "one")
    some_videos(tmp_path / "both")
    assert contents(tmp_path / "both") == contents(tmp_path / "one")
