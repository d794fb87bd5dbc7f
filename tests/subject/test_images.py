"""One image file: read by the declared rule, or left out with its cause. Never anything else."""

import os
import socket
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from reportgen.subject.images import Decoder, SkippedImageError

RASTER = np.arange(48).reshape(4, 4, 3)
# By the rules of Keras it is TensorFlow that resizes: see test_resizing.py.
LIGHT = {"interpolation": "pillow-bilinear"}


def read(path, size=(4, 4), channels=3, **options):
    """Pixels and what had to be converted."""
    decoder = Decoder(size, channels, **LIGHT, **options)
    pixels, _ = decoder.read(path)
    assert pixels.shape == (*size, channels)
    assert pixels.dtype == np.uint8
    return pixels, dict(decoder.conversions)


def cause_of(path):
    with pytest.raises(SkippedImageError) as caught:
        Decoder((4, 4), 3, **LIGHT).read(path)
    return str(caught.value)


def save(path, array, **options):
    Image.fromarray(np.asarray(array, np.uint8)).save(path, **options)
    return path


def test_zero_bytes(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"")
    assert cause_of(tmp_path / "a.jpg") == "empty file (0 bytes)"


@pytest.mark.parametrize("page", [b"<!DOCTYPE html><p>404", b"\n <html><body>no</body>"])
def test_a_web_page_named_jpg(tmp_path, page):
    (tmp_path / "a.jpg").write_bytes(page)
    assert cause_of(tmp_path / "a.jpg") == "an HTML page, not an image"


@pytest.mark.parametrize("suffix", ["jpg", "png", "gif", "bmp", "webp"])
def test_cut_in_half(tmp_path, suffix):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3))
    path = save(tmp_path / f"a.{suffix}", noise)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert cause_of(path) == "truncated or broken image"


def test_only_a_signature(tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert cause_of(tmp_path / "a.png") == "truncated or broken image"


def test_a_missing_file_and_a_link_to_nothing(tmp_path):
    (tmp_path / "b.png").symlink_to(tmp_path / "nowhere.png")
    assert cause_of(tmp_path / "a.png") == "file is missing"
    assert cause_of(tmp_path / "b.png") == "file is missing"


def test_what_is_not_a_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "fifo.jpg")  # opening it plainly would block for ever
    (tmp_path / "folder.jpg").mkdir()
    for path in (tmp_path / "fifo.jpg", tmp_path / "folder.jpg", "/dev/zero"):
        assert cause_of(Path(path)) == "not a regular file"


def test_a_link_to_itself_and_a_socket_say_what_the_system_said(tmp_path, monkeypatch):
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    assert cause_of(tmp_path / "loop.png") == "cannot be opened: too many levels of symbolic links"
    monkeypatch.chdir(tmp_path)  # a socket's address is at most a hundred characters long
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s.png")
        assert cause_of(tmp_path / "s.png").startswith("cannot be opened: ")


def test_fifty_megapixels_are_refused_before_a_pixel_is_decoded(tmp_path, write_png):
    below = write_png(tmp_path / "a.png", 10_000, 4_999, 1, 0, [b""])
    exactly = write_png(tmp_path / "b.png", 10_000, 5_000, 1, 0, [b""])
    assert cause_of(below) == "truncated or broken image"  # its size is fine, its pixels absent
    assert cause_of(exactly) == "50 megapixels or more"
    assert cause_of(write_png(tmp_path / "c.png", 2**31 - 1, 2**31 - 1, 1, 0, [b""])) == (
        "50 megapixels or more"
    )


@pytest.mark.parametrize(("width", "height"), [(1, 60_000), (60_000, 1), (3, 301)])
def test_a_sliver(tmp_path, width, height):
    path = save(tmp_path / "a.png", np.zeros((height, width)))
    assert cause_of(path) == "longer than 100 times its width"


def test_the_longest_sliver_that_is_read(tmp_path):
    assert not read(save(tmp_path / "a.png", np.zeros((300, 3))))[0].any()


def test_tiff_and_postscript_under_another_suffix(tmp_path):
    tiff = save(tmp_path / "a.tif", RASTER)
    hidden = tmp_path / "a.jpg"
    hidden.write_bytes(tiff.read_bytes())
    assert cause_of(hidden) == "a TIFF under another name"
    np.testing.assert_array_equal(read(tiff)[0], RASTER)
    for start in (
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        b"\xc5\xd0\xd3\xc6" + b"\0" * 40,
    ):
        (tmp_path / "b.jpg").write_bytes(start)
        assert cause_of(tmp_path / "b.jpg") == "PostScript, which is a program"


def test_formats_that_are_not_on_the_list_are_not_tried(tmp_path):
    path = tmp_path / "a.ico"
    Image.new("RGB", (16, 16)).save(path)
    assert cause_of(path).startswith("not an image that is read here")


def test_a_decoder_that_raises_anything_costs_one_image(tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise ZeroDivisionError

    path = save(tmp_path / "a.png", RASTER)
    monkeypatch.setattr(Image, "open", fail)
    assert cause_of(path) == "decoder failed (ZeroDivisionError)"


@pytest.mark.parametrize("suffix", ["jpg", "png", "gif", "bmp", "webp", "tif", "ppm"])
def test_flipped_bytes_never_end_the_audit(tmp_path, suffix):
    rng = np.random.default_rng(1)
    path = save(tmp_path / f"a.{suffix}", rng.integers(0, 256, (12, 9, 3)))
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    outcomes = []
    for _ in range(60):
        damaged = whole.copy()
        damaged[rng.integers(0, min(len(whole), 200), 4)] = rng.integers(0, 256, 4)
        path.write_bytes(damaged.tobytes())
        try:
            outcomes.append(Decoder((4, 4), 3, **LIGHT).read(path)[0].shape)
        except SkippedImageError as error:
            outcomes.append(bool(str(error)))
    assert set(outcomes) <= {(4, 4, 3), True}


@pytest.mark.real
def test_awkward_images_of_strangers(real):
    paths = sorted((real / "images" / "awkward").iterdir())
    assert paths
    causes = {}
    for path in paths:
        for channels in (1, 3, 4):
            try:
                Decoder((32, 32), channels, **LIGHT).read(path)
            except SkippedImageError as error:
                causes[path.name] = str(error)
    assert causes["truncated_jpeg.jpg"] == "truncated or broken image"
    assert causes["decompression_bomb.gif"] == "50 megapixels or more"
    good = {
        "hopper_orientation_6.jpg",
        "pil_sample_cmyk.jpg",
        "hopper_16bit.pgm",
        "invalid-exif.jpg",
    }
    assert not good & set(causes)


def test_another_module_cannot_make_cut_images_pass(tmp_path, monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)  # as WeasyPrint does on import
    path = save(tmp_path / "a.png", RASTER)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert cause_of(path) == "truncated or broken image"
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True
