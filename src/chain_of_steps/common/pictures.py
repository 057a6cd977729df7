"""Pictures as people have them: the pixels that a viewer shows, as RGB."""

import io
import math
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N", "I")
LARGEST = 65535  # of 16 bits
SAME = 0.02  # proportions that differ by less are those of one picture, rounded
COARSEST = 32  # the sides of a clip are multiples of at most so many pixels, in every known model


def read_picture(path: str | Path) -> np.ndarray:
    """A picture file as a viewer shows it, (H, W, 3), uint8; see `as_shown`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it cannot be read as a picture.
    """
    try:
        with Image.open(path) as image:
            return np.asarray(as_shown(image, str(path)))
    except FileNotFoundError:
        raise
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path} cannot be read as a picture; fetch it again") from error


def as_shown(image: Image.Image, name: str = "the picture") -> Image.Image:
    """A picture as a viewer shows it, in RGB: turned as its EXIF orientation says, 16 bits scaled
    to 8, transparency on white, colours of its profile in sRGB.

    Raises:
        ValueError: for pixel values that no viewer knows how to show.
    """
    profile = image.info.get("icc_profile")
    image = ImageOps.exif_transpose(image)
    if image.mode in SIXTEEN_BITS:
        return _eight_bits(image, name).convert("RGB")
    if image.mode == "F":
        raise ValueError(f"{name} holds floating-point pixels; save it with 8 or 16 bits")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        if image.getextrema()[3][0] < 255:
            warnings.warn(f"{name} is partly transparent; it is put on white", stacklevel=2)
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image).convert("RGB")
    return _in_srgb(image, profile).convert("RGB")


def _eight_bits(image: Image.Image, name: str) -> Image.Image:
    """16-bit grey as 8-bit grey; Pillow itself would cut off everything above 255."""
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > LARGEST:
        raise ValueError(
            f"{name} holds grey values from {values.min()} to {values.max()}; expected 16 bits"
        )
    return Image.fromarray(((values * 255 + LARGEST // 2) // LARGEST).astype(np.uint8))


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    if not profile or image.mode not in ("RGB", "CMYK", "L"):
        return image
    try:
        own, srgb = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, own, srgb, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError):  # viewers ignore a damaged profile, too
        return image


def same_proportions(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two shapes, (H, W) each, are of the same proportions, up to rounding."""
    return abs(one[1] * other[0] / (one[0] * other[1]) - 1.0) <= SAME


def shape_at(size: int, shape: tuple[int, int]) -> tuple[int, int]:
    """(H, W) of frames that are `size` pixels high, in the proportions of `shape`, (H, W).

    The width is a multiple of the largest power of two, up to 32, that divides the height: a model
    that takes the one takes the other. Square frames stay square.
    """
    multiple = math.gcd(size, COARSEST)
    return size, max(1, round(size * shape[1] / shape[0] / multiple)) * multiple


def fitted(picture: np.ndarray, shape: tuple[int, int], like: tuple[int, int]) -> np.ndarray:
    """A picture (H, W, 3), uint8, resized to a shape. Unless its proportions are those of `like`,
    it is centred on white to have them; differences between `like` and `shape` are rounding, for
    which it is stretched."""
    image = Image.fromarray(picture)
    if not same_proportions(picture.shape[:2], like):
        scale = max(picture.shape[0] / like[0], picture.shape[1] / like[1])
        whole = round(like[1] * scale), round(like[0] * scale)
        image = ImageOps.pad(image, whole, Image.Resampling.BOX, "white")
    if image.size != (shape[1], shape[0]):
        image = image.resize((shape[1], shape[0]), Image.Resampling.BOX)
    return np.asarray(image)
