"""The folder layout of VBVR-Bench: reads and writes suites, and writes a model's videos where
EvalKit looks for them.

The first is a suite, the second holds a model's videos of it:
    <suite>/{In-Domain_50,Out-of-Domain_50}/<task>_data-generator/<00000..>/
        first_frame.png  final_frame.png  ground_truth.mp4  prompt.txt  metadata.json
    <model>/{In-Domain_50,Out-of-Domain_50}/<task>_data-generator/<00000..>.mp4
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ..common.files import atomic
from ..common.hashing import digest
from ..common.pictures import read_picture
from ..common.video import enlarge, frame_count, write_video
from ..puzzles.first import suites
from ..puzzles.first.base import Candidate, Sample

SPLIT_FOLDERS = dict(zip(suites.SPLITS, ("In-Domain_50", "Out-of-Domain_50"), strict=True))
TASK_SUFFIX = "_data-generator"
GENERATOR = "chain-of-steps"  # identifies a metadata.json of ours
LAYOUT = (
    "In-Domain_50/ or Out-of-Domain_50/ with <task>_data-generator/00000/ and so on inside, as in "
    "VBVR-Bench"
)


@dataclass(frozen=True)
class Case:
    """One sample of a suite, on disk or (for the mini suite) only described.

    Attributes:
        split: `in-domain` or `out-of-domain`.
        task: name without the folder's suffix, e.g. `O-47_sliding_puzzle`.
        index: name of the sample's folder, e.g. `00000`.
        prompt: the text that the model is conditioned on.
        folder: of its files; None if it has none, then `sample` draws its frames.
        sample: the symbolic sample if this project wrote the suite, else None.
    """

    split: str
    task: str
    index: str
    prompt: str
    folder: Path | None
    sample: Sample | None = None

    @property
    def first_frame(self) -> np.ndarray:
        """The given frame, (H, W, 3), uint8."""
        if self.folder is None:
            return (self.sample.first_frame(480) * 255.0 + 0.5).astype(np.uint8)
        return read_picture(self.folder / "first_frame.png")

    @property
    def ground_truth(self) -> Path | None:
        """The video of the right answer, or None if it is not there."""
        return self._file("ground_truth.mp4")

    def _file(self, name: str) -> Path | None:
        return (
            self.folder / name
            if self.folder is not None and (self.folder / name).is_file()
            else None
        )


def export_suite(
    samples_by_task: dict[str, list[Sample]], out: str | Path, size: int = 480, frames: int = 13
) -> None:
    """Writes samples of the mini suite as a VBVR-Bench folder; `read_suite` gives the same samples
    back.

    Calling it again completes an interrupted export; the files are the same.

    Args:
        samples_by_task: names in `suites.TASKS` with their samples.
        size: side of the frames in pixels, a multiple of 16.
        frames: pixel frames of the ground truth, 4 k + 1 and at least 5.

    Raises:
        ValueError: if a task is unknown, size or frames do not fit, or `out` already holds other
            samples.
    """
    if frames < 5 or frames % 4 != 1:
        raise ValueError(
            f"{frames} frames do not fit a video model; expected 4 k + 1 of them: 5, 9, 13, ..."
        )
    if size < 16 or size % 16:
        raise ValueError(
            f"frames of {size} x {size} pixels do not fit a video model; expected a multiple of 16"
        )
    records: dict[Path, tuple[Sample, str]] = {}
    for task, samples in samples_by_task.items():
        suites.find(task)
        for i, sample in enumerate(samples):
            if sample.task != task:
                raise ValueError(
                    f"sample {i} of {task} is a sample of {sample.task}; list it there"
                )
            folder = _task_folder(out, suites.TASKS[task].split, task) / f"{i:05d}"
            records[folder] = sample, json.dumps(_metadata(sample, size, frames), indent=1) + "\n"
    _refuse_other_samples(
        Path(out), {folder: metadata for folder, (_, metadata) in records.items()}
    )
    for folder, (sample, metadata) in records.items():
        _write_sample(folder, sample, metadata, sample.render(size=size, frames=frames))


def read_suite(folder: str | Path) -> list[Case]:
    """The samples of a VBVR-Bench folder, sorted by split, task and index; pictures and videos are
    not opened yet.

    Raises:
        ValueError: if this is not a folder, is empty or has another layout, or if a sample lacks
            what a model needs.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder; expected one holding {LAYOUT}")
    if not any(folder.iterdir()):
        raise ValueError(f"{folder} is empty; expected {LAYOUT}")
    cases = []
    for split, name in SPLIT_FOLDERS.items():
        for task in _subfolders(folder / name):
            if not task.name.endswith(TASK_SUFFIX):
                raise ValueError(
                    f"{task} does not belong here; expected folders named <task>{TASK_SUFFIX}"
                )
            cases += _read_task(task, split)
    if not cases:
        raise ValueError(f"{folder} has another layout; expected {LAYOUT}")
    return cases


def video_path(out: str | Path, case: Case) -> Path:
    """Where EvalKit reads a model's video of a case; `out` is the model's folder."""
    return _task_folder(out, case.split, case.task) / f"{case.index}.mp4"


def write_model_video(out: str | Path, case: Case, frames: np.ndarray, fps: int = 16) -> Path:
    """Writes a model's video of a case where EvalKit expects it, with sides of at least 480 px and
    no borders.

    Args:
        frames: (F, H, W, 3), uint8, in the proportions of the case's first frame.

    Raises:
        ValueError: if the proportions differ: borders and distortion would lower EvalKit's score.
    """
    height, width = case.first_frame.shape[:2]
    if (
        abs(frames.shape[2] / frames.shape[1] * height / width - 1.0) > 0.02
    ):  # a model rounds the sides
        raise ValueError(
            f"a video of {frames.shape[2]} x {frames.shape[1]} pixels does not have the "
            f"proportions of the case's first frame, {width} x {height}; generate it in those"
        )
    path = video_path(out, case)
    write_video(path, enlarge(frames), fps)
    return path


def frames_for(case: Case, default: int, every: int = 4) -> int:
    """Pixel frames to generate: those of the ground truth, or `default` without one, rounded up to
    `every` k + 1."""
    frames = default if case.ground_truth is None else frame_count(case.ground_truth)
    return frames + (1 - frames) % every


def _task_folder(base: str | Path, split: str, task: str) -> Path:
    return Path(base) / SPLIT_FOLDERS[split] / f"{task}{TASK_SUFFIX}"


def _metadata(sample: Sample, size: int, frames: int) -> dict:
    """The content of metadata.json: what defines a sample, its place in the suite, how it was
    drawn, and a hash."""
    task = suites.TASKS[sample.task]
    data = {
        "generator": GENERATOR,
        "task": sample.task,
        "category": task.category,
        "split": task.split,
        "key": sample.key,
        "prompt": sample.prompt,
        "state": sample.state,
        "candidates": [asdict(candidate) for candidate in sample.candidates],
        "size": size,
        "frames": frames,
    }
    return {**data, "sha256": digest(data)}


def _write_sample(folder: Path, sample: Sample, metadata: str, clip: np.ndarray) -> None:
    """Writes a sample's five files; first_frame.png comes last, so a sample that has it is
    complete."""
    write_video(folder / "ground_truth.mp4", clip)
    for name, text in (("metadata.json", metadata), ("prompt.txt", sample.prompt)):
        with atomic(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
    for name, frame in (("final_frame.png", clip[-1]), ("first_frame.png", clip[0])):
        with atomic(folder / name) as temporary:
            Image.fromarray(frame).save(temporary, format="PNG")


def _refuse_other_samples(out: Path, wanted: dict[Path, str]) -> None:
    """Raises if a sample folder under `out` is not among the wanted ones or holds other
    metadata."""
    for folder in (
        path for name in SPLIT_FOLDERS.values() for path in out.glob(f"{name}/[!.]*/[!.]*")
    ):
        path = folder / "metadata.json"
        if folder not in wanted or (
            path.is_file() and path.read_text(encoding="utf-8") != wanted[folder]
        ):
            raise ValueError(
                f"{out} already holds other samples, such as {folder}; give a new folder"
            )


def _subfolders(folder: Path) -> list[Path]:
    """Folders inside, sorted by name, without hidden ones; none if the folder does not exist."""
    return sorted(path for path in folder.glob("[!.]*") if path.is_dir())


def _read_task(folder: Path, split: str) -> list[Case]:
    samples = _subfolders(folder)
    wrong = [path for path in samples if not path.name.isdecimal()]
    if wrong or not samples:
        found = f"{wrong[0]} is not a sample" if wrong else f"{folder} holds no samples"
        raise ValueError(
            f"{found}; expected folders 00000, 00001, ... in each task, with first_frame.png and "
            "prompt.txt"
        )
    task = folder.name.removesuffix(TASK_SUFFIX)
    return [
        Case(split, task, path.name, _read_prompt(path), path, _read_sample(path))
        for path in samples
    ]


def _read_prompt(folder: Path) -> str:
    for name in ("first_frame.png", "prompt.txt"):
        if not (folder / name).is_file():
            raise ValueError(
                f"sample {folder} has no {name}; a model needs the given frame and the prompt"
            )
    try:
        prompt = (folder / "prompt.txt").read_text(encoding="utf-8-sig").strip()  # without a BOM
    except UnicodeDecodeError as error:
        raise ValueError(f"{folder / 'prompt.txt'} is not UTF-8 text; save it as that") from error
    if not prompt:
        raise ValueError(f"{folder / 'prompt.txt'} is empty; write what the model is to do")
    return prompt


def _read_sample(folder: Path) -> Sample | None:
    """The sample that metadata.json describes, None where it is missing or in a third-party
    format."""
    path = folder / "metadata.json"
    if not path.is_file():
        return None
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(data, dict) or data.get("generator") != GENERATOR:
            return None
        candidates = tuple(Candidate(**candidate) for candidate in data["candidates"])
        module = suites.TASKS[data["task"]].module  # not taken from the file, since it names code
        sample = Sample(data["task"], module, data["state"], data["prompt"], candidates)
        intact = data.pop("sha256") == digest(data) and sample.key == data["key"]
    except (ValueError, KeyError, TypeError):
        intact = False
    if not intact:
        raise ValueError(
            f"{path} is damaged or was changed; export the suite again, or delete the file to do "
            "without it"
        )
    return sample
