"""What is not 8-bit colour of the model's size becomes it by a declared rule, and is counted."""

import struct

import numpy as np
import pytest
from PIL import Image

from reportgen.subject.images import Decoder, SkippedImageError

RED, BLUE = (255, 0, 0), (0, 0, 255)
DEEP = np.array([[0, 128, 129], [256, 32768, 65535]], np.uint16)


def read(path, size, channels=3, **options):
    """Pixels and what had to be converted."""
    decoder = Decoder(size, channels, **options)
    pixels, _ = decoder.read(path)
    assert pixels.shape == (*size, channels)
    assert pixels.dtype == np.uint8
    return pixels, dict(decoder.conversions)


def save(path, array, **options):
    Image.fromarray(np.asarray(array, np.uint8)).save(path, **options)
    return path


def rescaled(values):
    """The rule: 65535 is white, so v becomes round(v * 255 / 65535)."""
    return np.round(values.astype(float) * 255 / 65535).astype(np.uint8)


def test_eight_bit_colour_is_left_alone(tmp_path):
    pixels = np.arange(48).reshape(4, 4, 3)
    got, conversions = read(save(tmp_path / "a.png", pixels), (4, 4))
    np.testing.assert_array_equal(got, pixels)
    assert conversions == {}


# Orientation n of EXIF: what has to be done to the stored rows to see them upright.
UPRIGHT = {
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
    8: np.rot90,
}


@pytest.mark.parametrize("orientation", sorted(UPRIGHT))
def test_exif_rotation(tmp_path, orientation):
    stored = np.arange(18).reshape(2, 3, 3).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = UPRIGHT[orientation](stored)
    got, conversions = read(
        save(tmp_path / "a.png", stored, exif=exif.tobytes()), upright.shape[:2]
    )
    np.testing.assert_array_equal(got, upright)
    said = "turned by their EXIF mark, which Keras' own loading does not do"
    assert conversions == {said: 1}


@pytest.mark.parametrize("orientation", [0, 1, 9, 60_000])
def test_exif_orientations_that_turn_nothing(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / "a.png", np.arange(18).reshape(2, 3, 3), exif=exif.tobytes())
    assert read(path, (2, 3))[1] == {}


@pytest.mark.parametrize("block", [b"not a TIFF at all", b"II*\0\x08\0\0\0\x05\0\x12\x01"])
@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_corrupt_exif_keeps_the_pixels(tmp_path, suffix, block):
    exif = b"Exif\0\0" + block
    path = save(tmp_path / f"a.{suffix}", np.full((8, 8, 3), 200), exif=exif)
    got, conversions = read(path, (8, 8))
    assert (got == 200).all()
    assert conversions == {"EXIF unreadable": 1}


def test_cmyk(tmp_path):
    full_yellow = Image.new("CMYK", (8, 8), (0, 0, 255, 0))
    full_yellow.save(tmp_path / "a.jpg", quality=100)
    got, conversions = read(tmp_path / "a.jpg", (8, 8))
    np.testing.assert_allclose(got[4, 4], (255, 255, 0), atol=2)  # JPEG rounds
    assert conversions == {"CMYK": 1}


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bit_grey_is_rescaled_not_clipped(tmp_path, suffix):
    Image.fromarray(DEEP).save(tmp_path / f"a.{suffix}")
    got, conversions = read(tmp_path / f"a.{suffix}", (2, 3), channels=1)
    np.testing.assert_array_equal(got[..., 0], rescaled(DEEP))
    assert got[0, 1, 0] == 0  # 128 / 257 = 0.498
    assert got[0, 2, 0] == 1  # 129 / 257 = 0.502; clipped it would be 129
    assert conversions == {"16 bit, values divided by 257": 1}


def test_a_dark_sixteen_bit_image_stays_dark(tmp_path):
    Image.fromarray(np.full((2, 2), 257 * 3, np.uint16)).save(tmp_path / "a.png")
    assert (read(tmp_path / "a.png", (2, 2), channels=1)[0] == 3).all()


def test_sixteen_bit_colour(tmp_path, write_png):
    values = np.array([[[0, 32768, 65535], [65535, 257, 514]]], ">u2")
    path = write_png(tmp_path / "a.png", 2, 1, 16, 2, [values[0].tobytes()])
    got, conversions = read(path, (1, 2))
    # Pillow keeps the upper byte: the rule to within one step.
    np.testing.assert_allclose(got.astype(int), rescaled(values).astype(int), atol=1)
    assert conversions == {"16 bit a channel, of which the upper 8 are kept": 1}


@pytest.mark.parametrize(("kind", "bits"), [("int32", 32), ("int16", 16)])
def test_numbers_without_a_white_of_their_own_are_taken_by_their_range(tmp_path, kind, bits):
    small, large = np.array([[0, 90, 255]], kind), np.array([[0, 257, 32767]], kind)
    Image.fromarray(small.astype("int32")).save(tmp_path / "small.tif")
    Image.fromarray(large.astype("int32")).save(tmp_path / "large.tif")
    if kind == "int16":  # Pillow writes none with a sign: the two tags and the numbers by hand
        write_int16(tmp_path / "small.tif", small)
        write_int16(tmp_path / "large.tif", large)
    got, conversions = read(tmp_path / "small.tif", (1, 3), channels=1)
    assert got[0, :, 0].tolist() == [0, 90, 255]
    assert conversions == {f"{bits} bit, values as they are: none exceeds 255": 1}
    got, conversions = read(tmp_path / "large.tif", (1, 3), channels=1)
    assert got[0, :, 0].tolist() == [0, 1, 127]  # 32767 / 257 = 127.5, less a little
    assert conversions == {f"{bits} bit, values divided by 257": 1}


def write_int16(path, values):
    """A TIFF of one strip: 8 bytes, 10 tags of 12 bytes, and the numbers behind them."""
    (height, width), place = values.shape, 8 + 2 + 10 * 12 + 4
    tags = [(256, width), (257, height), (258, 16), (259, 1), (262, 1), (273, place), (277, 1)]
    tags += [(278, height), (279, values.nbytes), (339, 2)]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    head = b"II*\0" + struct.pack("<IH", 8, len(tags))
    path.write_bytes(head + entries + bytes(4) + values.astype("<i2").tobytes())


@pytest.mark.parametrize("values", [[0, 65536], [0, 2**31 - 1], [-1, 9]])
def test_numbers_of_32_bits_beyond_16_are_left_out(tmp_path, values):
    Image.fromarray(np.array([values], np.int32)).save(tmp_path / "a.tif")
    with pytest.raises(SkippedImageError, match="pixel values outside 16 bit"):
        read(tmp_path / "a.tif", (1, 2), channels=1)


def test_a_dark_pnm_of_16_bits_stays_dark(tmp_path):
    """Pillow hands it over as it does 32 bits, and its white is in the file."""
    (tmp_path / "a.pgm").write_bytes(b"P5\n2 1\n65535\n" + struct.pack(">HH", 100, 200))
    got, conversions = read(tmp_path / "a.pgm", (1, 2), channels=1)
    assert got.ravel().tolist() == [0, 1]  # 100 / 257 = 0.39, 200 / 257 = 0.78
    assert conversions == {"16 bit, values divided by 257": 1}


def test_floats_have_one_as_white(tmp_path):
    Image.fromarray(np.array([[0, 0.5, 1]], np.float32)).save(tmp_path / "a.tif")
    got, conversions = read(tmp_path / "a.tif", (1, 3), channels=1)
    assert got[0, :, 0].tolist() == [0, 128, 255]
    assert conversions == {"floating point": 1}


@pytest.mark.parametrize("suffix", ["png", "gif"])
def test_palette(tmp_path, suffix):
    image = Image.new("P", (2, 1))
    image.putpalette([*RED, *BLUE])
    image.putdata([1, 0])
    image.save(tmp_path / f"a.{suffix}")
    got, conversions = read(tmp_path / f"a.{suffix}", (1, 2))
    assert got.tolist() == [[list(BLUE), list(RED)]]
    assert conversions == {"palette": 1}


@pytest.mark.parametrize(("ground", "halfway"), [(255, [255, 127, 127]), (0, [128, 0, 0])])
def test_alpha_lies_on_the_declared_background(tmp_path, ground, halfway):
    path = save(tmp_path / "a.png", [[[*RED, 255], [*BLUE, 0], [*RED, 128]]])
    got, conversions = read(path, (1, 3), background=ground)
    assert got.tolist() == [[list(RED), [ground] * 3, halfway]]
    assert conversions == {"transparency": 1}


def test_a_transparent_palette_entry_shows_the_background(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([*RED, *BLUE])
    image.putdata([1, 0])
    image.save(tmp_path / "a.png", transparency=0)
    got, conversions = read(tmp_path / "a.png", (1, 2))
    assert got.tolist() == [[list(BLUE), [255, 255, 255]]]
    assert conversions == {"palette": 1, "transparency": 1}


def test_a_model_of_four_channels_gets_the_alpha(tmp_path):
    pixels = [[[*RED, 7], [*BLUE, 0]]]
    got, conversions = read(save(tmp_path / "a.png", pixels), (1, 2), channels=4)
    assert got.tolist() == pixels
    assert conversions == {}


def test_grey_with_alpha_stays_grey(tmp_path):
    Image.merge("LA", [Image.new("L", (1, 1), 40), Image.new("L", (1, 1), 255)]).save(
        tmp_path / "a.png"
    )
    got, conversions = read(tmp_path / "a.png", (1, 1), channels=1)
    assert got.tolist() == [[[40]]]
    assert conversions == {"transparency": 1}


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_the_first_frame_of_an_animation(tmp_path, suffix):
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, BLUE)]
    lossless = {"lossless": True} if suffix == "webp" else {}
    frames[0].save(
        tmp_path / f"a.{suffix}", save_all=True, append_images=frames[1:], duration=50, **lossless
    )
    got, conversions = read(tmp_path / f"a.{suffix}", (8, 8))
    assert (got == RED).all()
    assert conversions["animation: first frame"] == 1


def test_grey_for_a_colour_model_and_the_reverse(tmp_path):
    grey = save(tmp_path / "grey.png", [[0, 90]])
    colour = save(tmp_path / "colour.png", [[RED, (255, 255, 255)]])
    got, conversions = read(grey, (1, 2))
    assert got.tolist() == [[[0, 0, 0], [90, 90, 90]]]
    assert conversions == {"grey to colour": 1}
    got, conversions = read(colour, (1, 2), channels=1)
    assert got.tolist() == [[[76], [255]]]  # ITU-R 601: 0.299 of red
    assert conversions == {"colour to grey": 1}


def test_conversions_add_up_over_files(tmp_path):
    decoder = Decoder((1, 1), 3)
    for name in "abc":
        decoder.read(save(tmp_path / f"{name}.png", [[5]]))
    assert decoder.conversions == {"grey to colour": 3}


@pytest.mark.parametrize(("orientation", "own"), [(1, (5, 9)), (3, (5, 9)), (6, (9, 5))])
def test_the_own_size_is_told_as_height_by_width_of_the_upright_image(tmp_path, orientation, own):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / "a.png", np.zeros((5, 9)), exif=exif.tobytes())
    assert Decoder((4, 4), 3, interpolation="pillow-box").read(path)[1] == own
