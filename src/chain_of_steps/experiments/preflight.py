"""What can be known before the first forward pass: whether clips fit the model.

`generate`, a sweep (in a notebook, `make reproduce` or on a cluster) and `make reproduce
MODEL=folder` all call this first, and `files.check_place` for what they will write.
"""

from collections.abc import Iterable
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
    """Raises ValueError if the model cannot make one of these clips, and names it. A symbol network
    makes boards, of any size that its puzzle has."""
    if model.family.encode_sample is not None:
        return
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
