"""Pictures as people have them: what is read is what a viewer shows."""

import warnings

import numpy as np
import pytest
from PIL import Image, ImageCms

from chain_of_steps.common.pictures import as_shown, read_picture
from chain_of_steps.models.conditions import picture

ORIENTATION = 0x0112


@pytest.fixture
def pixels() -> np.ndarray:
    """(4, 6, 3): every corner has a colour of its own."""
    found = np.full((4, 6, 3), 128, np.uint8)
    found[0, 0], found[0, -1], found[-1, 0] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    return found


# What the camera stored, from what should be shown, for each of the eight orientations.
STORED = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.transpose(1, 0, 2),
    6: lambda p: np.rot90(p, 1),
    7: lambda p: p[::-1, ::-1].transpose(1, 0, 2),
    8: lambda p: np.rot90(p, -1),
}


@pytest.mark.parametrize("orientation", STORED)
def test_every_orientation_is_turned(tmp_path, pixels, orientation):
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](pixels)))
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    stored.save(tmp_path / "photo.png", exif=exif)
    assert (read_picture(tmp_path / "photo.png") == pixels).all()
    with Image.open(tmp_path / "photo.png") as image:
        assert (np.asarray(picture(image)) == pixels).all()


def test_sixteen_bit_grey_is_scaled(tmp_path):
    values = np.array([[0, 257, 32896], [65535, 128, 129]], np.uint16)
    Image.fromarray(values).save(tmp_path / "grey.png")
    found = read_picture(tmp_path / "grey.png")
    assert found[..., 0].tolist() == [[0, 1, 128], [255, 0, 1]]
    assert (found == found[..., :1]).all()


def test_values_beyond_sixteen_bits_are_refused(tmp_path):
    Image.fromarray(np.array([[0, 70000]], np.int32)).save(tmp_path / "deep.tiff")
    with pytest.raises(ValueError, match=r"deep\.tiff holds grey values from 0 to 70000"):
        read_picture(tmp_path / "deep.tiff")
    Image.fromarray(np.array([[0, 0.5]], np.float32)).save(tmp_path / "float.tiff")
    with pytest.raises(ValueError, match=r"float\.tiff holds floating-point pixels"):
        read_picture(tmp_path / "float.tiff")


def test_transparency_is_put_on_white_and_said(tmp_path):
    rgba = np.array([[[10, 20, 30, 255], [0, 0, 0, 0], [200, 0, 0, 51]]], np.uint8)
    Image.fromarray(rgba).save(tmp_path / "alpha.png")
    with pytest.warns(UserWarning, match=r"alpha\.png is partly transparent") as said:
        found = read_picture(tmp_path / "alpha.png")
    assert len(said) == 1
    assert found.tolist() == [[[10, 20, 30], [255, 255, 255], [244, 204, 204]]]


def test_an_opaque_alpha_channel_is_not_worth_a_word(tmp_path, pixels):
    Image.fromarray(pixels).convert("RGBA").save(tmp_path / "opaque.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (read_picture(tmp_path / "opaque.png") == pixels).all()


def test_palettes_and_their_transparent_colour(tmp_path):
    indexed = Image.fromarray(np.array([[0, 1, 2]], np.uint8), "P")
    indexed.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    indexed.save(tmp_path / "plain.png")
    assert read_picture(tmp_path / "plain.png").tolist() == [
        [[255, 0, 0], [0, 255, 0], [0, 0, 255]]
    ]
    indexed.save(tmp_path / "hole.gif", transparency=1)
    with pytest.warns(UserWarning, match="partly transparent"):
        found = read_picture(tmp_path / "hole.gif")
    assert found.tolist() == [[[255, 0, 0], [255, 255, 255], [0, 0, 255]]]


def test_cmyk_black_is_black_and_white_is_white(tmp_path):
    cmyk = np.zeros((16, 32, 4), np.uint8)
    cmyk[:, 16:] = (0, 0, 0, 255)
    Image.fromarray(cmyk, "CMYK").save(tmp_path / "print.jpg", quality=100)
    found = read_picture(tmp_path / "print.jpg")
    assert found[:, :16].min() > 250 and found[:, 16:].max() < 5


def test_colours_of_another_profile_are_converted_and_a_damaged_one_ignored(tmp_path, pixels):
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(pixels).save(tmp_path / "same.png", icc_profile=srgb)
    assert np.abs(read_picture(tmp_path / "same.png").astype(int) - pixels).max() <= 1
    Image.fromarray(pixels).save(tmp_path / "damaged.png", icc_profile=b"no profile")
    assert (read_picture(tmp_path / "damaged.png") == pixels).all()


def test_a_file_that_is_no_picture_is_named(tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"bad\.png cannot be read as a picture"):
        read_picture(tmp_path / "bad.png")
    with pytest.raises(FileNotFoundError):
        read_picture(tmp_path / "absent.png")


def test_arrays_are_taken_in_the_two_usual_ranges_only(pixels):
    assert (np.asarray(picture(pixels)) == pixels).all()
    assert (np.asarray(picture(pixels / 255.0)) == pixels).all()
    for faulty, why in (
        (pixels.astype(np.int64), "int64"),
        (pixels.astype(np.uint16) * 257, "uint16"),
        (pixels.astype(np.float32), "values from 0 to 255"),
        (pixels / 255.0 * 2 - 1, "values from -1 to 1"),
        (np.full((4, 4, 3), np.nan), "values from nan"),
        (pixels[0, :, 0], r"shape \(6,\)"),
        (pixels.transpose(2, 0, 1), r"shape \(3, 4, 6\)"),
        (np.dstack([pixels, pixels[..., :1]]), r"shape \(4, 6, 4\)"),
    ):
        with pytest.raises(ValueError, match=why):
            picture(faulty)


def test_two_values_are_shown_as_black_and_white():
    image = Image.fromarray(np.array([[True, False]]))
    assert np.asarray(as_shown(image)).tolist() == [[[255] * 3, [0] * 3]]
