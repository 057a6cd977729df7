"""Pictures as people have them: the pixels that a viewer shows, as RGB."""

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N", "I")
LARGEST = 65535  # of 16 bits


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
