"""Commands around samples and scores: ours, and those of VBVR-Bench and its EvalKit."""

import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from ..common.files import check_place
from .arguments import (
    MINI,
    Count,
    Device,
    Domain,
    FileOrDash,
    Flag,
    Load,
    Model,
    Positive,
    Preset,
    Seed,
    Task,
)


def bench(
    *,
    model: Model = MINI,
    suite: Annotated[str, Parameter(metavar="NAME")] = "mini",
    samples_per_task: Count = 25,
    seed: Seed = 0,
    split: Domain = "all",
    partition: Literal["test", "validation"] = "test",
    task: Task | None = None,
    knobs: Annotated[str | None, Parameter(metavar="KNOBS")] = None,
    seeds: Count = 1,
    preset: Preset = "mini",
    device: Device = "cpu",
    load: Load = "",
    report: Annotated[FileOrDash | None, Parameter("--json")] = None,
) -> None:
    """Score a model on the mini suite, by task and by knob.

    Args:
        suite: Suite to score.
        samples_per_task: Number of samples of each task.
        partition: Which samples to draw.
        knobs: Fix knobs of the task named by --task, for example order=4,clues=6.
        seeds: Also generate each sample that has several valid answers with so many seeds, and
            report how evenly these answers come up.
        report: Write the report to this file; - prints it instead of the table.
    """
    from ..bench import scores as judge
    from ..bench.diversity import diversity
    from ..bench.knobs import read_knobs
    from ..models.loading import parse
    from ..models.schedule import preset as schedule
    from ..models.video_model import VideoModel
    from ..puzzles import suite as puzzles

    if suite != "mini":
        raise ValueError(f"unknown suite {suite!r}; the suite with exact scores is called mini")
    if report and not Path(report).parent.is_dir():
        raise ValueError(f"there is no folder {Path(report).parent} to write {report} to")
    if knobs and not task:
        raise ValueError("--knobs fixes the knobs of one task; name it with --task")
    tasks = [puzzles.find(task).name] if task else puzzles.task_names(split)
    fixed = read_knobs(knobs, task, seed, partition) if knobs else {}
    steps = schedule(preset)
    loaded = VideoModel.load(model, device, **parse(load))
    progress = _bar("bench", "sample")
    found = judge.bench(loaded, steps, tasks, samples_per_task, seed, partition, fixed, progress)
    if seeds > 1:
        parts = (loaded, steps, tasks, samples_per_task, seed, partition, seeds, progress)
        found |= {"diversity": diversity(*parts)}
    _show(found, report)


def _show(report: dict, file: str | None) -> None:
    """Saves a bench report and prints its table; prints the report itself where `file` is `-`."""
    from ..bench.scores import table

    text = json.dumps(report, indent=1)
    if file == "-":
        print(text)
        return
    if file:
        try:
            Path(file).write_text(text + "\n", encoding="utf-8")
        except OSError:
            print(text)  # rather than lose it
            raise
    print(table(report), end="")


def export_suite(
    *,
    samples_per_task: Count = 5,
    seed: Annotated[Seed, Parameter(help="Seed of the samples.")] = 0,
    split: Domain = "all",
    size: Count = 480,
    frames: Count = 13,
    out: Path,
) -> None:
    """Write the mini suite in the layout of VBVR-Bench.

    Args:
        samples_per_task: Number of samples of each task.
        size: Side of the frames in pixels.
        frames: Number of pixel frames.
        out: Folder to write.
    """
    from ..bench import tasklist, vbvr

    check_place(out)
    names = tasklist.task_names(split)
    samples = {name: tasklist.draw(name, samples_per_task, seed) for name in names}
    vbvr.export_suite(samples, out, size, frames)


def generate(
    *,
    model: Model = MINI,
    suite: Annotated[str, Parameter(metavar="NAME|DIR")] = "mini",
    samples_per_task: Count = 1,
    task: Task | None = None,
    seed: Seed = 0,
    preset: Preset = "mini",
    device: Device = "cpu",
    load: Load = "",
    every_step: Flag = False,
    until: Annotated[Count | None, Parameter(metavar="STEP")] = None,
    out: Path,
) -> None:
    """Write a model's videos in the layout that VBVR-EvalKit reads.

    Args:
        suite: The name mini, or a folder in the layout of VBVR-Bench.
        samples_per_task: Number of samples of each task of the mini suite.
        every_step: Also write a preview of x0_hat at every step.
        until: Stop before this step and write previews only.
        out: Folder to write.
    """
    from ..bench.generate import cases_of, check_settings, generate_videos
    from ..models.loading import parse
    from ..models.schedule import preset as schedule
    from ..models.video_model import VideoModel

    if out.resolve() == Path(suite).resolve():
        raise ValueError(f"--out is the suite itself, {suite}; choose another folder for videos")
    steps = schedule(preset)
    check_settings(steps, out, every_step, until)
    cases = cases_of(suite, samples_per_task, seed, task)
    loaded = VideoModel.load(model, device, **parse(load))
    progress = _bar("generate", "video")
    generate_videos(loaded, steps, cases, out, seed, every_step, until, progress)


def evalkit(
    *,
    videos: Path,
    suite: Path,
    frozen: Flag = False,
    limit: Positive = 300.0,
    out: Path,
) -> None:
    """Run an installed VBVR-EvalKit on a model's videos, clip by clip.

    Args:
        videos: Folder that `generate` wrote.
        suite: Folder in the layout of VBVR-Bench, with ground truth.
        frozen: First fill --videos with frozen first frames, whose scores are the floor.
        limit: Seconds allowed for each clip.
        out: Folder of the results.
    """
    from ..bench.evalkit import evaluate, write_frozen
    from ..bench.vbvr import read_suite

    check_place(out)
    cases = read_suite(suite)
    if frozen:
        write_frozen(videos, cases)
    print(evaluate(videos, suite, cases, out, limit, progress=_bar("EvalKit", "clip")))


def scores(
    results: list[Path],
    /,
    *,
    floor: Path | None = None,
    commit: Annotated[str, Parameter(metavar="HASH")] = "unknown",
) -> None:
    """Print results of VBVR-EvalKit as a table, next to their floor.

    Args:
        results: One or more files named <model>_vbvr_results.json.
        floor: Results of the frozen first frames.
        commit: Commit of the EvalKit that made the results.
    """
    from ..bench.evalkit import read_results, table

    models = {file.name.removesuffix("_vbvr_results.json"): read_results(file) for file in results}
    print(table(models, read_results(floor) if floor else None, commit), end="")


def _bar(label: str, unit: str) -> Callable[[list], Iterable]:
    """A progress bar on standard error."""
    from tqdm import tqdm

    return lambda jobs: tqdm(jobs, desc=label, unit=unit, file=sys.stderr)
