"""A model's videos of a suite, on disk in the layout that VBVR-EvalKit reads."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from ..common.files import atomic
from ..models.schedule import Schedule
from ..models.video_model import VideoModel
from ..puzzles import suite as puzzles
from ..sampling.denoise import generate
from .previews import write_previews
from .vbvr import Case, domain_of, frames_for, read_suite, video_path, write_model_video


def cases_of(suite: str, samples_per_task: int, seed: int, task: str | None = None) -> list[Case]:
    """The cases of the mini suite (`mini`) or of a folder in the VBVR-Bench layout, optionally of
    one task.

    Raises:
        ValueError: if the folder is not such a suite, or the task is not in it, or of neither
            domain.
    """
    if suite == "mini":
        return [
            Case(domain_of(name), name, f"{i:05d}", sample.prompt, None, sample)
            for name in ([task] if task else puzzles.task_names())
            for i, sample in enumerate(puzzles.draw(name, samples_per_task, seed))
        ]
    cases = [case for case in read_suite(suite) if task in (None, case.task)]
    if not cases:
        raise ValueError(f"{suite} has no task {task!r}")
    return cases


def generate_videos(
    model: VideoModel,
    schedule: Schedule,
    cases: list[Case],
    out: Path,
    seed: int,
    every_step: bool = False,
    until: int | None = None,
    progress: Callable[[list], Iterable] = iter,
) -> None:
    """Generates every case that has no video in `out` yet, so that an interrupted call can be
    resumed.

    Args:
        every_step: also write the step previews and manifest.json, in a folder next to each video.
        until: stop before this step and write previews only.

    Raises:
        ValueError: for a step that does not exist, or for an early stop without previews, which
            would write nothing.
    """
    if until is not None and not (every_step and 1 <= until <= schedule.steps):
        raise ValueError(
            f"--until takes 1 to {schedule.steps}, together with --every-step; got {until}"
        )
    _refuse_other_settings(out, model, schedule, seed)
    partly = until not in (None, schedule.steps)
    for case in progress(cases):
        folder = video_path(out, case).with_suffix("")
        if (partly or video_path(out, case).exists()) and (
            not every_step or (folder / "manifest.json").exists()
        ):
            continue
        frames = (
            model.frames if model.fixed else frames_for(case, model.frames, model.family.frames)
        )
        frame = given_frame(case, model.size if model.fixed else None, model.side)
        condition = model.prepare(case.prompt, frame, frames)
        trajectory = generate(model, condition, schedule, seed, until=until)
        if every_step:
            write_previews(folder, model, trajectory, schedule, seed)
        if not partly:
            write_model_video(out, case, model.decode(trajectory.latents[-1]))


def _refuse_other_settings(out: Path, model: VideoModel, schedule: Schedule, seed: int) -> None:
    """Writes what makes the videos of a folder next to them.

    Raises:
        ValueError: if the folder holds videos that were made with something else.
    """
    file = out / "settings.json"
    ours = {"model": model.fingerprint, "schedule": schedule.record(), "seed": seed}
    if file.exists():
        theirs = json.loads(file.read_text(encoding="utf-8"))
        if other := [name for name, value in ours.items() if theirs.get(name) != value]:
            raise ValueError(
                f"{out} holds videos made with another {' and '.join(other)}; name a new folder"
            )
        return
    with atomic(file) as temporary:
        temporary.write_text(json.dumps(ours, indent=1) + "\n", encoding="utf-8")


def given_frame(case: Case, size: int | None, multiple: int = 16) -> np.ndarray:
    """The first frame of a case, (H, W, 3), uint8: drawn at a model's size if the sample is ours,
    else the stored picture with its sides rounded to multiples of `side` pixels."""
    if case.sample is not None and size is not None:
        return case.sample.first_frame(size)
    height, width = case.first_frame.shape[:2]
    wanted = (
        (size, size)
        if size
        else tuple(max(1, round(side / multiple)) * multiple for side in (width, height))
    )
    picture = Image.fromarray(case.first_frame)
    return np.asarray(
        picture.resize(wanted, Image.Resampling.BOX) if wanted != (width, height) else picture
    )
