"""Images of another size become what Keras makes of them: Keras itself is the oracle."""

from __future__ import annotations

from typing import get_args

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from reportgen.config import PILLOW, AuditConfig, Interpolation
from reportgen.rendering.facts import describe_card
from reportgen.subject.images import Decoder
from reportgen.subject.resizing import describe_resizing, find_place
from reportgen.subject.subject import open_subject

NAMES = get_args(Interpolation)
OF_PILLOW = [name for name in NAMES if name.startswith(PILLOW)]
OF_KERAS = [name for name in NAMES if name not in OF_PILLOW]
SIZE = (9, 14)
# Larger, smaller, both, one pixel wide or high, odd, of the height or the width of the input.
OWN = ((24, 30), (5, 8), (7, 40), (40, 1), (1, 23), (33, 17), (9, 28), (31, 14), (18, 28))
MODES = {1: "grayscale", 3: "rgb", 4: "rgba"}


@pytest.fixture(scope="module", params=MODES, ids=MODES.get)
def pictures(request, tmp_path_factory):
    """A folder of noise in every size, and how many channels it has."""
    folder, channels = tmp_path_factory.mktemp("noise"), request.param
    rng = np.random.default_rng(channels)
    for number, own in enumerate(OWN):
        noise = rng.integers(0, 256, (*own, channels), dtype=np.uint8)
        Image.fromarray(noise[..., 0] if channels == 1 else noise).save(folder / f"{number}.png")
    return folder, channels


def read(folder, size=SIZE, channels=3, **options):
    """What the audit makes of each file, in the order of their names."""
    decoder = Decoder(size, channels, **options)
    return np.stack([decoder.read(path)[0] for path in sorted(folder.iterdir())])


def read_by_keras(folder, interpolation="bilinear", size=SIZE, channels=3, **options):
    """What training saw, in the same order; numbers with fractions."""
    dataset = keras.utils.image_dataset_from_directory(
        folder,
        labels=None,
        color_mode=MODES[channels],
        image_size=size,
        interpolation=interpolation,
        shuffle=False,
        verbose=False,
        **options,
    )
    return np.concatenate([batch.numpy() for batch in dataset])


def check_rounded(got, wanted):
    """The nearest whole numbers, of those that a pixel can be; a half may go either way."""
    assert got.dtype == np.uint8
    assert got.shape == wanted.shape
    assert np.abs(got - np.clip(wanted, 0, 255)).max() <= 0.5


@pytest.mark.parametrize("interpolation", OF_KERAS)
def test_stretched_as_keras_does(pictures, interpolation):
    folder, channels = pictures
    got = read(folder, channels=channels, interpolation=interpolation)
    check_rounded(got, read_by_keras(folder, interpolation, channels=channels))


# Keras refuses the last two together with a crop.
@pytest.mark.parametrize("interpolation", OF_KERAS[:-2])
def test_cropped_as_keras_does(pictures, interpolation):
    folder, channels = pictures
    got = read(folder, channels=channels, policy="crop", interpolation=interpolation)
    wanted = read_by_keras(folder, interpolation, channels=channels, crop_to_aspect_ratio=True)
    check_rounded(got, wanted)


@pytest.mark.parametrize("size", [(9, 14), (14, 9), (8, 8), (5, 16)])
def test_what_does_not_fit_is_padded_as_keras_does(tmp_path, size):
    rng = np.random.default_rng(0)
    for number, own in enumerate([(24, 30), (33, 17), (15, 15), (10, 29)]):
        noise = rng.integers(0, 256, (*own, 3), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / f"{number}.png")
    got = read(tmp_path, size, policy="pad")
    check_rounded(got, read_by_keras(tmp_path, size=size, pad_to_aspect_ratio=True))


@pytest.mark.parametrize("policy", ["stretch", "pad"])
@pytest.mark.parametrize("interpolation", OF_KERAS)
def test_what_has_the_size_is_treated_as_keras_does(tmp_path, interpolation, policy):
    noise = np.random.default_rng(1).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    got = read(tmp_path, interpolation=interpolation, policy=policy)
    padded = {"pad_to_aspect_ratio": policy == "pad"}
    check_rounded(got, read_by_keras(tmp_path, interpolation, **padded))
    blurred = np.abs(got[0].astype(int) - noise).max() > 9
    assert blurred == (interpolation in OF_KERAS[-2:])


def test_the_place_on_black_is_that_of_tensorflow():
    rng = np.random.default_rng(0)
    for height, width, tall, wide in rng.integers(1, 400, (400, 4)).tolist():
        if (height <= tall and width <= wide) or min(
            height * wide / width, width * tall / height
        ) < 1:
            continue  # what fits stays as it is, and of a sliver TensorFlow keeps nothing
        (rows, columns), (top, left) = find_place((height, width), (tall, wide))
        ours = np.zeros((tall, wide, 1))
        ours[top : top + rows, left : left + columns] = 1
        ones = np.ones((height, width, 1), np.float32)
        np.testing.assert_array_equal(ours, tf.image.resize_with_pad(ones, tall, wide, "nearest"))
    assert find_place((228, 228), (224, 224)) == ((223, 223), (0, 0))  # cut, not rounded
    assert find_place((222, 260), (329, 237)) == ((202, 237), (63, 0))  # 237.00002 is 237


@pytest.mark.parametrize("crop", [False, True])
@pytest.mark.parametrize("interpolation", OF_PILLOW)
def test_by_pillow_as_load_img_does(pictures, interpolation, crop):
    folder, channels = pictures
    policy = "crop" if crop else "stretch"
    got = read(folder, channels=channels, policy=policy, interpolation=interpolation)
    for number, own in enumerate(OWN):
        if crop and own == (40, 1):
            continue  # load_img cuts out a box without pixels, and fails
        picture = keras.utils.load_img(
            folder / f"{number}.png",
            color_mode=MODES[channels],
            target_size=SIZE,
            interpolation=interpolation.removeprefix(PILLOW),
            keep_aspect_ratio=crop,
        )
        np.testing.assert_array_equal(got[number], keras.utils.img_to_array(picture))


def test_nearest_is_that_of_load_img_where_halves_do_not_matter(pictures):
    """Between two pixels they choose differently: then pillow-nearest is what load_img does."""
    folder, channels = pictures
    size = (7, 11)  # an odd part of an odd side is never between two pixels
    odd = [number for number, own in enumerate(OWN) if own[0] % 2 and own[1] % 2]
    ours, theirs = (
        read(folder, size, channels, interpolation=name)[odd]
        for name in ("nearest", "pillow-nearest")
    )
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("policy", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("interpolation", sorted({*NAMES} - {"gaussian", "mitchellcubic"}))
def test_an_image_of_the_right_size_stays_byte_for_byte(tmp_path, interpolation, policy):
    noise = np.random.default_rng(1).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    (got,) = read(tmp_path, interpolation=interpolation, policy=policy)
    np.testing.assert_array_equal(got, noise)


def test_bilinear_takes_the_two_pixels_in_the_middle_of_four(tmp_path):
    """By hand: the middle of the first four lies at 1.5, between the second and the third."""
    Image.fromarray(np.array([[10, 20, 40, 90, 0, 60, 62, 255]] * 4, np.uint8)).save(
        tmp_path / "a.png"
    )
    assert read(tmp_path, (1, 2), 1).ravel().tolist() == [30, 61]
    boxes = read(tmp_path, (1, 2), 1, interpolation="pillow-box")
    assert boxes.ravel().tolist() == [40, 94]  # 160 / 4, 377 / 4


def test_what_is_over_and_under_white_and_black_is_cut(tmp_path):
    halves = np.repeat([[0] * 4 + [255] * 4], 4, axis=0).astype(np.uint8)
    Image.fromarray(halves).save(tmp_path / "a.png")
    raw = read_by_keras(tmp_path, "bicubic", (4, 16), 1)
    assert raw.min() < -1  # else this asks for nothing
    assert raw.max() > 256
    check_rounded(read(tmp_path, (4, 16), 1, interpolation="bicubic"), raw)


def test_alpha_lies_on_the_background_before_it_is_resized(tmp_path):
    rng = np.random.default_rng(2)
    clear = rng.integers(0, 256, (20, 30, 4), dtype=np.uint8)
    for name in ("clear", "flat"):
        (tmp_path / name).mkdir()
    Image.fromarray(clear).save(tmp_path / "clear" / "a.png")
    black = Image.new("RGBA", (30, 20), (0, 0, 0, 255))
    flat = Image.alpha_composite(black, Image.fromarray(clear)).convert("RGB")
    flat.save(tmp_path / "flat" / "a.png")
    check_rounded(read(tmp_path / "clear", background=0), read_by_keras(tmp_path / "flat"))


def test_a_turned_photo_is_upright_before_it_is_resized(tmp_path):
    upright = np.random.default_rng(3).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # stored as it lies after a quarter turn to the left
    for name in ("turned", "upright"):
        (tmp_path / name).mkdir()
    Image.fromarray(np.rot90(upright)).save(tmp_path / "turned" / "a.png", exif=exif.tobytes())
    Image.fromarray(upright).save(tmp_path / "upright" / "a.png")
    check_rounded(read(tmp_path / "turned"), read_by_keras(tmp_path / "upright"))


def test_a_jpeg_is_decoded_whole_and_not_as_a_smaller_draft(tmp_path):
    noise = np.random.default_rng(4).integers(0, 256, (160, 240, 3), dtype=np.uint8)
    for name in ("jpeg", "png"):
        (tmp_path / name).mkdir()
    Image.fromarray(noise).save(tmp_path / "jpeg" / "a.jpg")
    with Image.open(tmp_path / "jpeg" / "a.jpg") as whole:
        whole.save(tmp_path / "png" / "a.png")
    check_rounded(read(tmp_path / "jpeg"), read_by_keras(tmp_path / "png"))


# By either rule.


@pytest.fixture(params=["bilinear", "pillow-bilinear"])
def rule(request):
    return {"channels": 1, "interpolation": request.param}


def save(folder, values):
    Image.fromarray(np.asarray(values, np.uint8)).save(folder / "a.png")
    return folder


def test_pad_keeps_every_pixel_of_a_digit(tmp_path, rule):
    digit = np.random.default_rng(0).integers(1, 256, (28, 28))
    (got,) = read(save(tmp_path, digit), (32, 32), policy="pad", **rule)
    np.testing.assert_array_equal(got[2:30, 2:30, 0], digit)
    assert got.sum() == digit.sum()  # and all around is black


def test_pad_shrinks_only_what_does_not_fit(tmp_path, rule):
    (got,) = read(save(tmp_path, np.full((8, 16), 200)), (8, 8), policy="pad", **rule)
    assert got[:, 0, 0].tolist() == [0, 0, 200, 200, 200, 200, 0, 0]


def test_pad_keeps_a_line_of_a_sliver(tmp_path, rule):
    (got,) = read(save(tmp_path, np.full((1, 100), 200)), (8, 8), policy="pad", **rule)
    assert got[:, 0, 0].tolist() == [0, 0, 0, 200, 0, 0, 0, 0]


def test_crop_takes_the_middle(tmp_path, rule):
    columns = np.tile([10, 10, 20, 20, 20, 20, 30, 30], (4, 1))
    (got,) = read(save(tmp_path, columns), (4, 4), policy="crop", **rule)
    assert (got == 20).all()


def test_stretch_keeps_the_edges_of_the_picture(tmp_path, rule):
    halves = np.repeat([[0] * 8 + [255] * 8], 4, axis=0)
    (got,) = read(save(tmp_path, halves), (4, 4), **rule)
    assert got[0, 0, 0] == 0
    assert got[0, 3, 0] == 255
    assert (got == got[:1]).all()


# What the report says.


BY_KERAS = "as image_dataset_from_directory does"
CUT = f"{BY_KERAS}, but for values beyond 0 and 255, which are cut here"
ON_BLACK = "Put on black at their own size, where Keras would enlarge them"
SAID = {
    ("stretch", "area"): f"Resized to 4 x 6 by area, {BY_KERAS} (3 of 4 images)",
    ("crop", "pillow-box"): (
        "Cropped and resized to 4 x 6 by pillow-box, as load_img does (3 of 4 images)"
    ),
    ("stretch", "bicubic"): f"Resized to 4 x 6 by bicubic, {CUT} (3 of 4 images)",
    ("crop", "lanczos5"): f"Cropped and resized to 4 x 6 by lanczos5, {CUT} (3 of 4 images)",
    ("stretch", "pillow-bicubic"): (
        "Resized to 4 x 6 by pillow-bicubic, as load_img does (3 of 4 images)"
    ),
    ("stretch", "gaussian"): (
        f"Resized to 4 x 6 by gaussian, {BY_KERAS} (3 of 4 images). Blurred by gaussian at the "
        "size that they have, as Keras does (1 of 4 images)"
    ),
    ("pad", "bilinear"): (
        f"Shrunk to fit 4 x 6 by bilinear, {BY_KERAS} (2 of 4 images). {ON_BLACK} (1 of 4 images)"
    ),
}


@pytest.mark.parametrize(("policy", "interpolation"), SAID)
def test_how_images_were_resized_is_said_with_their_number(policy, interpolation):
    sizes = np.array([(4, 6), (6, 4), (4, 7), (3, 5)])
    words = describe_resizing(sizes, (4, 6), policy, interpolation)
    assert words == SAID[policy, interpolation]
    untouched = describe_resizing(sizes[:1], (4, 6), policy, interpolation)
    assert bool(untouched) == (interpolation == "gaussian")


def test_small_pictures_on_black_are_said_also_where_nothing_was_shrunk():
    sizes = np.array([(4, 6), (4, 5), (2, 6)])
    said = describe_resizing(sizes, (4, 6), "pad", "lanczos3")
    assert said == f"{ON_BLACK} (2 of 3 images)"


def test_the_card_says_it_of_images_and_not_of_arrays(tmp_path):
    model = keras.Sequential(
        [keras.Input((4, 6, 1)), keras.layers.Flatten(), keras.layers.Dense(1)]
    )
    model.save(tmp_path / "m.keras")
    (tmp_path / "images").mkdir()
    for number, own in enumerate([(4, 6), (8, 6), (4, 6)]):
        Image.fromarray(np.full(own, number, np.uint8)).save(tmp_path / f"images/{number}.png")
    np.savez(tmp_path / "s.npz", x=np.zeros((2, 4, 6, 1), np.uint8))
    config = {"model": tmp_path / "m.keras", "preprocessing": "unit"}
    images = open_subject(AuditConfig(**config, images=tmp_path / "images")).card
    arrays = open_subject(AuditConfig(**config, data=tmp_path / "s.npz")).card
    said = "Resized to 4 x 6 by bilinear, as image_dataset_from_directory does (1 of 3 images)"
    assert (images.resize, images.resizing) == ("stretch", said)
    assert ("Resize", said) in describe_card(images)
    assert (arrays.resize, arrays.resizing) == ("none", "")
    assert ("Resize", "none") in describe_card(arrays)


def test_keras_itself_does_not_turn_by_the_mark(tmp_path):
    """Else the report would say something false of it."""
    stored = np.arange(18).reshape(2, 3, 3).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 3
    path = tmp_path / "a.png"
    Image.fromarray(stored).save(path, exif=exif.tobytes())
    dataset = keras.utils.image_dataset_from_directory(
        tmp_path, labels=None, image_size=(2, 3), verbose=False
    )
    ((whole,),) = (batch.numpy() for batch in dataset)
    np.testing.assert_array_equal(whole, stored)
    np.testing.assert_array_equal(keras.utils.load_img(path), stored)
