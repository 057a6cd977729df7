"""Runs an installed VBVR-EvalKit over a model's videos, clip by clip."""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..common.files import atomic
from ..common.hashing import digest
from .evalkit_results import COMMAND, ENDING
from .vbvr import DOMAIN_FOLDERS, Case, frames_for, video_path, write_model_video

PACKAGE = "vbvr-bench"
OPENCV = ("opencv-python", "opencv-python-headless", "opencv-contrib-python")
# What is asked of EvalKit's own interpreter; it may have nothing of ours installed.
QUESTION = """
import json
from importlib import metadata
def version(name):
    try: return metadata.version(name)
    except metadata.PackageNotFoundError: return None
try: origin = metadata.distribution(PACKAGE).read_text("direct_url.json")
except metadata.PackageNotFoundError: origin = None
commit = json.loads(origin or "{}").get("vcs_info", {}).get("commit_id", "unknown")
print(json.dumps({"commit": commit, "opencv": {name: version(name) for name in OPENCV}}))
"""


@dataclass(frozen=True)
class EvalKit:
    """An installed EvalKit.

    Attributes:
        executable: its command.
        commit: as recorded by pip; `unknown` without a record.
    """

    executable: str
    commit: str

    @classmethod
    def installed(cls, command: str = COMMAND) -> "EvalKit":
        """The one on the path.

        Raises:
            ValueError: if there is none, or with an OpenCV with which it silently scores 0.0.
        """
        executable = shutil.which(command)
        if executable is None:
            raise ValueError(
                f"{command} is not installed; clone github.com/Video-Reason/VBVR-EvalKit and pip "
                "install it with opencv<5"
            )
        known = f"PACKAGE, OPENCV = {PACKAGE!r}, {OPENCV!r}\n"
        asked = [interpreter(Path(executable)), "-c", known + QUESTION]
        try:
            answer = json.loads(subprocess.run(asked, capture_output=True, text=True).stdout)
        except (OSError, ValueError) as error:
            raise ValueError(
                f"the Python of {executable}, {asked[0]}, does not run; install EvalKit again"
            ) from error
        for name, version in answer["opencv"].items():
            if version and int(version.split(".")[0]) >= 5:
                raise ValueError(
                    f"{name} {version} makes VBVR-EvalKit silently score 0.0; install "
                    "'opencv-python<5' where EvalKit is installed"
                )
        return cls(executable, answer["commit"])


def interpreter(script: Path) -> str:
    """The Python that runs a console script, from its first lines; ours if they do not say. pip
    writes `#!/path/python`, or a shell's `exec` if the path is long or has spaces."""
    first, _, rest = script.read_text(encoding="utf-8", errors="replace").partition("\n")
    if quoted := re.match(r"'{3}exec' \"?([^\"\n]+?)\"? \"\$0\"", rest):
        return quoted[1]
    words = first.removeprefix("#!").split()
    if not first.startswith("#!") or "python" not in first:
        return sys.executable
    return words[1] if Path(words[0]).name == "env" and len(words) > 1 else words[0]


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
    seconds. Scores are kept by the content of video and suite sample: when called again, it
    continues with the clips that have no score yet, and scores again what has changed. A clip
    without a video, or whose scorer fails or hangs, has an `error`, and is tried again next time.

    Raises:
        ValueError: if no EvalKit is installed, or with an OpenCV that scores everything 0.
    """
    kit, videos, out, done = EvalKit.installed(command), Path(videos).resolve(), Path(out), []
    for case in progress(list(cases)):
        file = out / "clips" / f"{_content(kit, videos, case)}.json"
        if file.exists():
            score = json.loads(file.read_text(encoding="utf-8"))
        else:
            score = _one(kit.executable, videos, Path(suite), case, limit)
            if score["error"] is None:
                _save(file, score)
        done.append(score | {"video_path": str(video_path(videos, case))})
    result = out / f"{videos.name}{ENDING}"
    about = {"model_name": videos.name, "model_path": str(videos), "commit": kit.commit}
    _save(result, about | {"samples": done})
    return result


def _content(kit: EvalKit, videos: Path, case: Case) -> str:
    """Hash of all that determines a score: the video, the sample's files, its place, EvalKit."""
    files = [video_path(videos, case), *sorted(case.folder.iterdir())]
    contents = [(f.name, f.read_bytes().hex()) for f in files if f.is_file()]
    return digest([kit.commit, case.domain, case.task, case.index, contents])[:24]


def _one(executable: str, videos: Path, suite: Path, case: Case, limit: float) -> dict:
    """The result of one clip, in EvalKit's format."""
    video = video_path(videos, case)
    place = {
        "video_path": str(video),
        "video_file": video.name,
        "task_name": video.parent.name,
        "folder": DOMAIN_FOLDERS[case.domain],
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


def _save(file: Path, data: dict) -> None:
    with atomic(file) as temporary:
        temporary.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
