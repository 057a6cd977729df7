"""VBVR-EvalKit: runs an installed one over a model's videos, reads its results, and prints them
next to their floor.

It scores a frozen first frame between .38 and .86, so a score means nothing without that floor.
Rows in which a scorer failed are counted separately, not as zeros.
"""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd

from ..common.files import atomic
from ..puzzles.first.suites import CATEGORIES, SPLITS
from .vbvr import SPLIT_FOLDERS, TASK_SUFFIX, Case, frames_for, video_path, write_model_video

COMMAND, PACKAGE = "vbvr-run-evaluation", "vbvr-bench"
SPLIT_OF = {folder: split for split, folder in SPLIT_FOLDERS.items()}
COLUMNS = ["split", "task", "index", "category", "score", "error"]


def read_results(file: str | Path) -> pd.DataFrame:
    """One line per sample of a result file: split, task, index, category, score (NaN if it
    failed), error.

    Raises:
        ValueError: if the file is not such a result.
    """
    try:
        samples = json.loads(Path(file).read_text(encoding="utf-8"))["samples"]
        lines = [_line(sample) for sample in samples]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{file} is not a result of VBVR-EvalKit ({type(error).__name__}: {error}); expected "
            f"the <model>_vbvr_results.json that {COMMAND} writes"
        ) from error
    return pd.DataFrame(lines, columns=COLUMNS).sort_values(COLUMNS[:3], ignore_index=True)


def _line(sample: dict) -> dict:
    score, error = sample["score"], sample["error"]
    if error is None and not (isinstance(score, (int, float)) and 0.0 <= score <= 1.0 + 1e-6):
        raise ValueError(f"score {score!r} of {sample['video_path']} lies outside of [0, 1]")
    return {
        "split": SPLIT_OF[sample["folder"]],
        "task": sample["task_name"].removesuffix(TASK_SUFFIX),
        "index": Path(sample["video_file"]).stem,
        "category": sample["category"],
        "score": np.nan if error is not None else float(score),
        "error": error,
    }


def table(
    models: dict[str, pd.DataFrame], floor: pd.DataFrame | None = None, commit: str = "unknown"
) -> str:
    """Scores as a Markdown table, per-sample means: overall, by split, by split and category;
    errors counted separately.

    Args:
        models: results by name.
        floor: results of the frozen first frames of the same samples.
        commit: of the EvalKit that computed them.
    """
    head = [
        "overall",
        *(f"{split} {part}" for split in ("ID", "OOD") for part in ("all", *CATEGORIES)),
    ]
    lines = [f"| model | n | errors | {' | '.join(head)} |", "|---" * (len(head) + 3) + "|"]
    for name, results in (
        models if floor is None else models | {"frozen first frame": floor}
    ).items():
        good = results.dropna(subset=["score"])
        cells = [good["score"]]
        for split in SPLITS:
            part = good[good["split"] == split]
            cells += [
                part["score"],
                *(part[part["category"] == category]["score"] for category in CATEGORIES),
            ]
        numbers = [f"{cell.mean():.3f}" if len(cell) else "" for cell in cells]
        lines.append(
            f"| {name} | {len(good)} | {len(results) - len(good)} | {' | '.join(numbers)} |"
        )
    if floor is None:
        lines.append("\nNo floor was given: a frozen first frame scores .38 to .86 on these tasks.")
    return "\n".join(lines) + f"\n\nVBVR-EvalKit commit: {commit}\n"


def write_frozen(out: str | Path, cases: Iterable[Case], fps: int = 16) -> None:
    """A model that does nothing: every case's first frame, held for the length of its ground
    truth."""
    for case in cases:
        if not video_path(out, case).exists():
            still = np.repeat(case.first_frame[None], frames_for(case, 49), axis=0)
            write_model_video(out, case, still, fps)


def evaluate(
    videos: str | Path,
    suite: str | Path,
    cases: Iterable[Case],
    out: str | Path,
    limit: float = 300.0,
    command: str = COMMAND,
    progress: Callable[[list], Iterable] = iter,
) -> Path:
    """Runs an installed EvalKit clip by clip and writes `<videos>_vbvr_results.json`; returns the
    file.

    Each clip is scored by a separate call, so that a scorer that hangs costs at most `limit`
    seconds. When called again, it continues with the clips that have no result yet. A clip without
    a video, or whose scorer fails or hangs, has an `error`.

    Raises:
        ValueError: if no EvalKit is installed, or with an OpenCV that scores everything 0.
    """
    executable = shutil.which(command)
    if executable is None:
        raise ValueError(
            f"{command} is not installed; clone github.com/Video-Reason/VBVR-EvalKit and pip "
            "install it with opencv<5"
        )
    refuse_opencv_5()
    videos, out = Path(videos).resolve(), Path(out)
    done = []
    for case in progress(list(cases)):
        file = out / "clips" / videos.name / case.split / case.task / f"{case.index}.json"
        if not file.exists():
            _save(file, _one(executable, videos, Path(suite), case, limit))
        done.append(json.loads(file.read_text(encoding="utf-8")))
    result = out / f"{videos.name}_vbvr_results.json"
    _save(
        result,
        {"model_name": videos.name, "model_path": str(videos), "commit": commit(), "samples": done},
    )
    return result


def _one(executable: str, videos: Path, suite: Path, case: Case, limit: float) -> dict:
    """The result of one clip, in EvalKit's format."""
    video = video_path(videos, case)
    place = {
        "video_path": str(video),
        "video_file": video.name,
        "task_name": video.parent.name,
        "folder": SPLIT_FOLDERS[case.split],
        "category": None,
        "score": None,
    }
    if not video.is_file():
        return place | {"error": "no video"}
    if case.ground_truth is None:
        return place | {"error": "no ground truth: EvalKit would silently score it 0"}
    with tempfile.TemporaryDirectory() as folder:
        alone = video_path(Path(folder) / "one", case)
        alone.parent.mkdir(parents=True)
        alone.symlink_to(video.resolve())
        arguments = [
            "--model_path",
            str(Path(folder) / "one"),
            "--gt_base",
            str(suite),
            "--output_dir",
            folder,
        ]
        try:
            run = subprocess.run(
                [executable, *arguments], capture_output=True, text=True, timeout=limit
            )
        except subprocess.TimeoutExpired:
            return place | {"error": f"not scored within {limit:.0f} s"}
        found = list(Path(folder).glob("*_vbvr_results.json"))
        samples = json.loads(found[0].read_text(encoding="utf-8"))["samples"] if found else []
        if run.returncode or len(samples) != 1:
            last = (run.stderr or run.stdout).strip().splitlines()
            return place | {
                "error": f"EvalKit returned no result: {last[-1] if last else 'no message'}"
            }
        return samples[0] | {"video_path": str(video)}


def refuse_opencv_5() -> None:
    """Raises if OpenCV 5 or newer is installed: with it EvalKit silently scores 0.0."""
    for name in ("opencv-python", "opencv-python-headless", "opencv-contrib-python"):
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        if int(version.split(".")[0]) >= 5:
            raise ValueError(
                f"{name} {version} makes VBVR-EvalKit silently score 0.0; install 'opencv-python<5'"
            )


def commit() -> str:
    """The commit of the installed EvalKit, as recorded by pip; `unknown` without a record."""
    try:
        origin = json.loads(metadata.distribution(PACKAGE).read_text("direct_url.json") or "{}")
    except metadata.PackageNotFoundError:
        return "unknown"
    return origin.get("vcs_info", {}).get("commit_id", "unknown")


def _save(file: Path, data: dict) -> None:
    with atomic(file) as temporary:
        temporary.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
