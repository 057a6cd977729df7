"""A model's videos of a suite, on disk in the layout that VBVR-EvalKit reads."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from ..common.files import check_place
from ..common.pictures import shape_at
from ..experiments.preflight import Clip, check_clips
from ..models.schedule import Schedule
from ..models.video_model import VideoModel
from ..puzzles.first import suites
from ..sampling.denoise import generate
from . import tasklist
from .previews import write_previews
from .vbvr import Case, frames_for, read_suite, video_path, write_model_video


def cases_of(suite: str, samples_per_task: int, seed: int, task: str | None = None) -> list[Case]:
    """The cases of the mini suite (`mini`) or of a folder in the VBVR-Bench layout, optionally of
    one task.

    Raises:
        ValueError: if the folder is not such a suite, or the task is not in it.
    """
    if suite == "mini":
        names = [tasklist.find(task).name] if task else tasklist.task_names()
        return [
            Case(suites.TASKS[name].split, name, f"{i:05d}", sample.prompt, None, sample)
            for name in names
            for i, sample in enumerate(tasklist.draw(name, samples_per_task, seed))
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
        ValueError: before anything is generated: for what `check_settings` refuses, pictures that
            cannot be read or clips that the model does not take, too little disk space.
    """
    check_settings(schedule, out, every_step, until)
    partly = until not in (None, schedule.steps)
    missing = [
        case
        for case in cases
        if not (
            (partly or video_path(out, case).exists())
            and (not every_step or _previews(out, case).joinpath("manifest.json").exists())
        )
    ]
    clips = [_clip(model, case) for case in missing]
    check_clips(model, clips)
    files = 1 + (until or schedule.steps) * every_step  # of each case
    check_place(out, files * sum(clip.room for clip in clips))
    for case, clip in progress(list(zip(missing, clips, strict=True))):
        frame = given_frame(case, model.size if model.fixed else None, model.side)
        condition = model.prepare(case.prompt, frame, clip.frames)
        trajectory = generate(model, condition, schedule, seed, until=until)
        if every_step:
            write_previews(_previews(out, case), model, trajectory, schedule, seed)
        if not partly:
            video = model.decode(trajectory.latents[-1])
            write_model_video(out, case, unrounded(video, case.first_frame.shape[:2]))


def check_settings(schedule: Schedule, out: Path, every_step: bool, until: int | None) -> None:
    """Raises for what can be refused before a model is loaded.

    Raises:
        ValueError, OSError: for a step that does not exist, an early stop without previews, which
            would write nothing, or a folder that cannot be written.
    """
    if until is not None and not (every_step and 1 <= until <= schedule.steps):
        raise ValueError(
            f"--until takes 1 to {schedule.steps}, together with --every-step; got {until}"
        )
    check_place(out)


def _previews(out: Path, case: Case) -> Path:
    return video_path(out, case).with_suffix("")


def _clip(model: VideoModel, case: Case) -> Clip:
    """What the model will make of a case; reads the picture and the ground truth's length."""
    height, width = given_frame(case, model.size if model.fixed else None, model.side).shape[:2]
    frames = model.frames if model.fixed else frames_for(case, model.frames, model.family.frames)
    return Clip(f"{case.task}, sample {case.index}", width, height, frames)


def given_frame(case: Case, size: int | None, multiple: int = 16) -> np.ndarray:
    """The first frame of a case, (H, W, 3), uint8: drawn at a model's size if the sample is ours,
    else the stored picture, with the height `size` in its own proportions, or its sides rounded to
    multiples of so many pixels."""
    if case.sample is not None and size is not None:
        return case.sample.first_frame(size)
    frame = case.first_frame
    height, width = (
        shape_at(size, frame.shape[:2])
        if size
        else (max(1, round(side / multiple)) * multiple for side in frame.shape[:2])
    )
    return _resized(frame, height, width, Image.Resampling.BOX)


def unrounded(video: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """A video (F, H, W, 3) of a given frame of this shape: unless it has the very proportions, it
    is stretched back to that size, up to even sides, which H.264 needs."""
    if video.shape[1] * shape[1] == video.shape[2] * shape[0]:
        return video
    even = [side + side % 2 for side in shape]
    return np.stack([_resized(frame, *even, Image.Resampling.BICUBIC) for frame in video])


def _resized(frame: np.ndarray, height: int, width: int, how: Image.Resampling) -> np.ndarray:
    if frame.shape[:2] == (height, width):
        return frame
    return np.asarray(Image.fromarray(frame).resize((width, height), how))
