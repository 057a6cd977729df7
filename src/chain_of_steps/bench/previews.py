"""Step previews: the clean estimate at every step, on disk in the format of VBVR tools."""

import json
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from ..common.files import atomic
from ..common.video import enlarge, write_video
from ..models.schedule import Schedule
from ..models.video_model import VideoModel
from ..sampling.denoise import Trajectory

THUMB = 160  # width of a small picture, pixels
STRIP = 18  # height of the label above it
SHEET_FRAMES = 5  # pictures per row of the contact sheet


def write_previews(
    folder: str | Path,
    model: VideoModel,
    trajectory: Trajectory,
    schedule: Schedule,
    seed: int,
    fps: int = 16,
) -> dict:
    """Decodes every step's clean estimate; writes clips, two overviews and manifest.json; returns
    the latter.

    By convention the last step's preview shows the final latents (its clean estimate equals them),
    so its file equals final_00.mp4. Clips of less than 480 px are enlarged by an integer factor,
    since 4:2:0 video blurs small ones; the manifest's height and width are those of the files. The
    manifest is written last: a folder that has one is complete.

    Args:
        folder: created if missing; its files are replaced.
        trajectory: one generation; it may have been restarted at a later step. If it stopped early,
            all previews are clean estimates, and final_00.mp4 is not written.
        schedule: of the generation.
        seed: of its noise, for the manifest.

    Raises:
        ValueError: if the trajectory belongs to another schedule or has no step.
    """
    _check(trajectory, schedule)
    folder = Path(folder)
    for old in (folder / "manifest.json", folder / "final_00.mp4", *folder.glob("step_*.mp4")):
        old.unlink(missing_ok=True)
    whole = trajectory.first + len(trajectory.x0_hats) == schedule.steps
    last = trajectory.latents[-1] if whole else trajectory.x0_hats[-1]
    names, thumbs = [], []
    for s, latents in enumerate([*trajectory.x0_hats[:-1], last], trajectory.first):
        clip = enlarge(model.decode(latents))
        names.append(f"step_{s:02d}.mp4")
        write_video(folder / names[-1], clip, fps)
        thumbs.append(_thumbs(clip))  # whole clips of a large model would fill the memory
    if whole:
        write_video(folder / "final_00.mp4", clip, fps)
    labels = _labels(trajectory)
    write_video(folder / "steps_grid.mp4", _grid(thumbs, labels), fps)
    with atomic(folder / "step_contact_sheet.jpg") as temporary:
        Image.fromarray(_sheet(thumbs, labels)).save(temporary, format="JPEG", quality=92)
    manifest = _manifest(model, trajectory, schedule, seed, fps, clip.shape, names)
    with atomic(folder / "manifest.json") as temporary:
        temporary.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    return manifest


def _check(trajectory: Trajectory, schedule: Schedule) -> None:
    same_length = len(trajectory.sigmas) == len(schedule.sigmas)
    if not same_length or not np.allclose(trajectory.sigmas, schedule.sigmas, atol=1e-5):
        raise ValueError(
            f"the trajectory was not made with schedule {schedule.name!r}: "
            "their noise levels differ"
        )
    if not trajectory.x0_hats:
        raise ValueError("the trajectory took no step, so there is nothing to preview")


def _manifest(
    model: VideoModel,
    trajectory: Trajectory,
    schedule: Schedule,
    seed: int,
    fps: int,
    shape: tuple[int, ...],
    names: list[str],
) -> dict:
    """manifest.json: how the clips were made, and the noise level of each step."""
    num_frames, height, width, _ = shape
    sigmas, timesteps = schedule.sigmas, [float(t) for t in schedule.scheduler().timesteps]
    return {
        "model_path": model.name,
        "sampler": schedule.sampler,
        "num_inference_steps": schedule.steps,
        "guidance_scale": schedule.guidance,
        "seed": seed,
        "height": height,
        "width": width,
        "num_frames": num_frames,
        "fps": fps,
        "sigmas": sigmas,
        "timesteps": timesteps,
        "step_previews": [
            {
                "display_step": s + 1,
                "file_index": s,
                "kind": "final_latent" if s == schedule.steps - 1 else "predicted_clean_x0",
                "source_sigma": sigmas[s],
                "source_timestep": timesteps[s],
                "output_sigma": 0.0,  # of the picture: clean in either case
                "file": name,
            }
            for s, name in enumerate(names, trajectory.first)
        ],
    }


def _labels(trajectory: Trajectory) -> list[str]:
    """One line per preview: step and noise level."""
    steps = range(trajectory.first, trajectory.first + len(trajectory.x0_hats))
    return [f"step {s}  sigma {trajectory.sigmas[s]:.3f}" for s in steps]


def _thumbs(clip: np.ndarray) -> np.ndarray:
    """A clip (F, H, W, 3) at a width of THUMB pixels and an even height."""
    height = max(2, round(THUMB * clip.shape[1] / clip.shape[2] / 2) * 2)
    small = [Image.fromarray(frame).resize((THUMB, height), Image.Resampling.BOX) for frame in clip]
    return np.stack([np.asarray(picture) for picture in small])


def _labelled(label: str) -> np.ndarray:
    """A white strip (STRIP, THUMB, 3) with a label."""
    strip = Image.new("RGB", (THUMB, STRIP), "white")
    ImageDraw.Draw(strip).text((4, 3), label, fill="black")
    return np.asarray(strip)


def _grid(thumbs: list[np.ndarray], labels: list[str]) -> np.ndarray:
    """All steps side by side, as one clip (F, H', W', 3) with about as many rows as columns."""
    columns = math.ceil(math.sqrt(len(thumbs)))
    frames = len(thumbs[0])
    tiles = [
        np.concatenate([np.broadcast_to(_labelled(label), (frames, STRIP, THUMB, 3)), clip], axis=1)
        for clip, label in zip(thumbs, labels, strict=True)
    ]
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % columns)
    edges = range(0, len(tiles) + 1, columns)
    return np.concatenate([np.concatenate(tiles[a:b], axis=2) for a, b in pairwise(edges)], axis=1)


def _sheet(thumbs: list[np.ndarray], labels: list[str]) -> np.ndarray:
    """One row per step, a few frames evenly spaced in time: a picture (H', W', 3)."""
    rows = []
    for clip, label in zip(thumbs, labels, strict=True):
        shown = np.linspace(0, len(clip) - 1, SHEET_FRAMES).round().astype(int)
        row = np.concatenate(list(clip[shown]), axis=1)
        strip = np.full((STRIP, row.shape[1], 3), 255, np.uint8)
        strip[:, :THUMB] = _labelled(label)
        rows += [strip, row]
    return np.concatenate(rows)
