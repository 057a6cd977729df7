"""Everything that can be known before the first forward pass: whether clips fit the model, and
whether what will be written has a place.

`generate`, a sweep (in a notebook, `make reproduce` or on a cluster) and `make reproduce
MODEL=folder` all call this first.
"""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from ..models.video_model import VideoModel

INNER = 3  # latent frames: the given one, the scored one, and one between them
ROW = 2_000  # bytes that a row takes at least
COMPRESSED = 1 / 200  # size of a written video, at least, as a share of its pixels' bytes


class Clip(NamedTuple):
    """A clip to be made: which, its size in pixels, and its pixel frames."""

    name: str
    width: int
    height: int
    frames: int

    @property
    def room(self) -> int:
        """Bytes that its file takes at least."""
        return int(3 * self.width * self.height * self.frames * COMPRESSED)


def check_clips(model: VideoModel, clips: Iterable[Clip]) -> None:
    """Raises ValueError if the model cannot make one of these clips, and names it."""
    for clip in clips:
        try:
            model.check_clip(clip.width, clip.height, clip.frames)
        except ValueError as error:
            raise ValueError(f"{clip.name}: {error}") from None


def check_length(model: VideoModel) -> None:
    """Raises ValueError if no latent frame lies between the given and the scored one: experiments
    add noise there."""
    if model.latent_frames < INNER:
        least = (INNER - 1) * model.stride + 1
        raise ValueError(
            f"{model.frames} frames are {model.latent_frames} latent frames; experiments need one "
            f"between the first and the last: {least} frames or more"
        )


def check_place(folder: str | Path, room: int = 0) -> None:
    """Raises if nothing can be written to a folder, which need not exist yet.

    Args:
        room: bytes that will be written there at least.

    Raises:
        ValueError: if the path is a file's or leads through one, or the disk has less room.
        PermissionError: if the folder does not let us write.
    """
    folder = Path(folder)
    there = next(path for path in (folder, *folder.absolute().parents) if os.path.lexists(path))
    if not there.is_dir():
        kind = "a link to nowhere" if there.is_symlink() else "a file"
        raise ValueError(f"{there} is {kind}, but {folder} has to be a folder; choose another")
    if not os.access(there, os.W_OK | os.X_OK):
        raise PermissionError(13, "cannot write", str(there))
    free = shutil.disk_usage(there).free
    if free < max(room, 1):
        raise ValueError(
            f"{there} has {free / 1e6:.1f} MB of free space, but at least {room / 1e6:.1f} MB will "
            "be written; free some or choose another folder"
        )
