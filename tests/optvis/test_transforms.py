"""Transforms and their pipeline: cases by hand, SciPy, adjoints, independence of batches."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from reportgen.errors import UsageError
from reportgen.optvis.canvas import Canvas
from reportgen.optvis.pipeline import Pipeline, fit
from reportgen.optvis.transforms import (
    Blur,
    Crop,
    Flip,
    Jitter,
    Noise,
    Pad,
    RandomBoxes,
    Rotate,
    Scale,
)

LUCID = Pipeline(
    (
        Pad(12),
        Jitter(8),
        Scale(choices=tuple(1 + (i - 5) / 50 for i in range(11))),
        Rotate(choices=(*range(-10, 11), 0, 0, 0, 0, 0)),
        Jitter(4),
    )
)
EVERY = Pipeline(
    (
        Pad(3, mode="reflect"),
        Jitter(4),
        Flip(),
        Rotate(between=(-9, 9)),
        Blur(2, fall="linear"),
        RandomBoxes(),
        Jitter(2, keep=True, mode="wrap"),
        Noise(0.1),
    )
)


def pictures(height: int, width: int, count: int = 1, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(3).random((count, height, width, channels), "float32")


def draw(pipeline: Pipeline, images: np.ndarray, steps: int = 1, seed: int = 0) -> np.ndarray:
    rngs = [np.random.default_rng([seed, number]) for number in range(len(images))]
    return pipeline.draw(rngs, steps, Canvas(*images.shape[1:]))


def see(images: np.ndarray, *transforms: object, seed: int = 0, **fill: object) -> np.ndarray:
    """What the model is given in the first step."""
    pipeline = Pipeline(transforms, **fill)
    seen = pipeline.apply(tf.constant(images), draw(pipeline, images, seed=seed)[0]).numpy()
    assert Canvas(*seen.shape[1:]) == pipeline.output_canvas(Canvas(*images.shape[1:]))
    return seen


def plane(images: np.ndarray) -> np.ndarray:
    return images[0, :, :, 0]


COUNT = np.arange(6, dtype="float32").reshape(1, 2, 3, 1)  # 0 1 2 / 3 4 5


def test_nothing_is_done_without_transforms():
    images = tf.constant(COUNT)
    assert Pipeline().apply(images, tf.zeros((1, 0))) is images
    assert draw(Pipeline(), COUNT, steps=4).shape == (4, 1, 0)


def test_pad_with_a_value():
    expected = np.pad(plane(COUNT), 2, constant_values=0.25)
    np.testing.assert_array_equal(plane(see(COUNT, Pad(2, value=0.25))), expected)


def test_pad_mirrors_with_the_outermost_pixel_twice():
    expected = [[4, 3, 3, 4, 5, 5, 4], [1, 0, 0, 1, 2, 2, 1]]
    seen = plane(see(COUNT, Pad(2, mode="reflect")))
    np.testing.assert_array_equal(seen[[0, 1]], expected)
    np.testing.assert_array_equal(seen, np.pad(plane(COUNT), 2, mode="symmetric"))


def test_crop_undoes_pad():
    np.testing.assert_array_equal(see(COUNT, Pad(3), Crop(3)), COUNT)


def test_a_quarter_turn_is_exact_and_anticlockwise():
    image = pictures(5, 5)
    seen = plane(see(image, Rotate(choices=(90,))))
    # the sine of 90 degrees in float32
    np.testing.assert_allclose(seen, np.rot90(plane(image)), atol=2e-6)


def test_a_flip_is_exact():
    image = pictures(4, 5)
    seen = [plane(see(image, Flip(), seed=seed)) for seed in range(20)]
    flipped = [np.array_equal(s, plane(image)[:, ::-1]) for s in seen]
    assert all(np.array_equal(s, plane(image)) for s, f in zip(seen, flipped, strict=True) if not f)
    assert 3 < sum(flipped) < 17
    upside_down = [plane(see(image, Flip(horizontal=False), seed=seed)) for seed in range(20)]
    assert any(np.array_equal(s, plane(image)[::-1]) for s in upside_down)


def test_jitter_is_a_random_crop():
    image = pictures(6, 7)
    crops = {plane(image)[y : y + 4, x : x + 5].tobytes() for y in range(3) for x in range(3)}
    seen = {plane(see(image, Jitter(2), seed=seed)).tobytes() for seed in range(60)}
    assert seen == crops


def test_jitter_that_keeps_the_size_rolls():
    image = pictures(5, 4)
    rolls = {
        np.roll(plane(image), (y, x), (0, 1)).tobytes() for y in (-1, 0, 1) for x in (-1, 0, 1)
    }
    jitter = Jitter(1, keep=True, mode="wrap")
    assert {plane(see(image, jitter, seed=seed)).tobytes() for seed in range(60)} == rolls


def test_jitter_that_keeps_the_size_is_filled_as_the_pipeline_says():
    image = pictures(5, 4)
    for seed in range(5):
        drawn = draw(Pipeline((Jitter(2, keep=True),)), image, seed=seed)[0, 0]
        shift = (-drawn[5], -drawn[2])
        for fill, mode in (("reflect", "reflect"), ("constant", "constant")):
            seen = see(image, Jitter(2, keep=True), seed=seed, fill=fill, value=0.3)
            expected = ndimage.shift(plane(image), shift, order=1, mode=mode, cval=0.3)
            np.testing.assert_allclose(plane(seen), expected, atol=1e-6)


def sampled(image: np.ndarray, linear: np.ndarray, mode: str) -> np.ndarray:
    """SciPy's reading of an image about its centre; linear maps (row, column)."""
    centre = (np.array(image.shape) - 1) / 2
    offset = centre - linear @ centre
    return ndimage.affine_transform(image, linear, offset, order=1, mode=mode, cval=0.5)


@pytest.mark.parametrize("fill", ["constant", "reflect"])
@pytest.mark.parametrize("factor", [0.8, 0.97, 1.3, 4.0])
def test_scale_equals_scipy(fill, factor):
    image = pictures(9, 12)
    mode = {"constant": "grid-constant", "reflect": "reflect"}[fill]
    expected = sampled(plane(image), np.eye(2) / factor, mode)
    seen = see(image, Scale(choices=(factor,)), fill=fill)
    # positions in float32: 1e-7 of 12 pixels
    np.testing.assert_allclose(plane(seen), expected, atol=1e-5)


@pytest.mark.parametrize("fill", ["constant", "reflect"])
@pytest.mark.parametrize("degrees", [-30, 2, 10])
def test_rotate_equals_scipy(fill, degrees):
    image = pictures(12, 12)
    mode = {"constant": "grid-constant", "reflect": "reflect"}[fill]
    expected = ndimage.rotate(plane(image), degrees, reshape=False, order=1, mode=mode, cval=0.5)
    seen = see(image, Rotate(choices=(degrees,)), fill=fill)
    np.testing.assert_allclose(plane(seen), expected, atol=1e-5)


def test_affine_transforms_are_one_warp_in_their_order():
    image = pictures(11, 11)
    transforms = (Scale(choices=(1.5,)), Rotate(choices=(20,)), Pad(2), Crop(1))
    assert len(Pipeline(transforms).stages) == 1
    angle = np.deg2rad(20)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    padded = np.pad(plane(image), 1, constant_values=0.5)
    expected = sampled(padded, turn / 1.5, "grid-constant")
    np.testing.assert_allclose(plane(see(image, *transforms)), expected, atol=1e-5)


def test_what_cannot_be_one_warp_is_not():
    wrap, turn = Jitter(2, keep=True, mode="wrap"), Rotate(between=(-1, 1))
    assert len(Pipeline((wrap, turn)).stages) == 2
    assert len(Pipeline((turn, RandomBoxes())).stages) == 2
    assert len(Pipeline((Pad(2), Pad(2, mode="reflect"))).stages) == 2
    assert len(Pipeline((Jitter(2), Noise(0.1), Jitter(2))).stages) == 3
    assert len(LUCID.stages) == 1


def test_boxes_fill_the_canvas():
    ramp = np.tile(np.linspace(0, 1, 40, dtype="float32"), (40, 1))[None, :, :, None]
    pipeline = Pipeline((RandomBoxes(start=0.5, end=0.1, spread=0.0, wander=0.0),))
    drawn = draw(pipeline, ramp, steps=3)
    widths = [np.ptp(pipeline.apply(tf.constant(ramp), row).numpy()) for row in drawn]
    # 39 pixels of a side, of 39 steps of the ramp; .5, .3, .1 of it
    np.testing.assert_allclose(widths, [0.5, 0.3, 0.1], atol=1e-5)


def test_blur_equals_scipy_with_the_border_left_out():
    image = pictures(13, 10)
    expected = ndimage.gaussian_filter(plane(image), 1.7, mode="constant", truncate=20)
    expected /= ndimage.gaussian_filter(np.ones((13, 10)), 1.7, mode="constant", truncate=20)
    np.testing.assert_allclose(plane(see(image, Blur(1.7))), expected, atol=1e-6)


def test_blur_falls_over_the_steps():
    harmonic = draw(Pipeline((Blur(25, 4),)), COUNT, steps=8)[:, 0, 0]
    np.testing.assert_allclose(harmonic, [25, 12.5, 25 / 3, 6.25, 5, 25 / 6, 4, 4], rtol=1e-6)
    linear = draw(Pipeline((Blur(2, 1, "linear"),)), COUNT, steps=3)[:, 0, 0]
    np.testing.assert_array_equal(linear, [2, 1.5, 1])


def test_no_blur_leaves_the_image_alone():
    np.testing.assert_array_equal(see(COUNT, Blur(0)), COUNT)


@pytest.mark.parametrize("kind", ["normal", "uniform"])
def test_noise_has_its_deviation(kind):
    image = np.zeros((2, 60, 60, 3), "float32")
    seen = see(image, Noise(0.2, kind))
    # 10800 values each: the deviation's own error is .7 %
    np.testing.assert_allclose(seen.std(axis=(1, 2, 3)), 0.2, rtol=0.04)
    assert np.abs(seen.mean()) < 0.01
    assert not np.array_equal(seen[0], seen[1])
    assert np.abs(seen).max() > (0.6 if kind == "normal" else 0.34)
    assert kind == "normal" or np.abs(seen).max() <= 0.2 * 3**0.5 + 1e-6


@pytest.mark.parametrize("pipeline", [LUCID, EVERY])
def test_batches_change_nothing(pipeline):
    images = pictures(24, 20, 4, 3)
    drawn = draw(pipeline, images, steps=3)
    for number, image in enumerate(images):
        rng = np.random.default_rng([0, number])
        np.testing.assert_array_equal(
            pipeline.draw([rng], 3, Canvas(24, 20, 3)), drawn[:, [number]]
        )
        together = pipeline.apply(tf.constant(images), drawn[1])[number]
        alone = pipeline.apply(tf.constant(image[None]), drawn[1, [number]])[0]
        # matrix products may sum in another order
        np.testing.assert_allclose(together, alone, atol=2e-6)


def test_the_seed_decides():
    images = pictures(20, 20, 2)
    np.testing.assert_array_equal(draw(EVERY, images, 5), draw(EVERY, images, 5))
    assert not np.array_equal(draw(EVERY, images, 5), draw(EVERY, images, 5, seed=1))


@pytest.mark.parametrize("pipeline", [LUCID, EVERY])
def test_is_traced_with_an_unknown_number_of_images(pipeline):
    images = pictures(24, 20, 3, 2)
    drawn = draw(pipeline, images)[0]
    specs = [
        tf.TensorSpec([None, 24, 20, 2], tf.float32),
        tf.TensorSpec([None, drawn.shape[-1]], tf.float32),
    ]
    traced = tf.function(pipeline.apply, input_signature=specs)
    size = pipeline.output_canvas(Canvas(24, 20, 2)).size
    assert traced.get_concrete_function().output_shapes == tf.TensorShape([None, *size, 2])
    np.testing.assert_allclose(traced(images, drawn), pipeline.apply(images, drawn), atol=2e-6)


def gradient(pipeline: Pipeline, images: np.ndarray, drawn: np.ndarray, out: np.ndarray):
    pixels = tf.constant(images)
    with tf.GradientTape() as tape:
        tape.watch(pixels)
        seen = pipeline.apply(pixels, drawn)
    return tape.gradient(seen, pixels, output_gradients=tf.constant(out)).numpy()


@pytest.mark.parametrize(
    "transforms",
    [
        (Pad(4), Jitter(5), Flip(), Scale(between=(0.8, 1.4))),
        (Pad(4, mode="reflect"), Jitter(3)),
        (Scale(between=(0.5, 0.6)), Jitter(2, keep=True)),
        (Jitter(6, keep=True, mode="wrap"),),
        (RandomBoxes(),),
        (Blur(2.0), Noise(0.1)),
    ],
)
def test_gradients_are_exact_where_nothing_turns(transforms):
    pipeline, images = Pipeline(transforms), pictures(16, 13, 2, 3)
    drawn = draw(pipeline, images)[0]
    origin = pipeline.apply(tf.zeros_like(images), drawn).numpy()
    out = np.random.default_rng(1).standard_normal(origin.shape).astype("float32")
    forward = (pipeline.apply(images, drawn).numpy() - origin) * out
    backward = images * gradient(pipeline, images, drawn, out)
    # <A x, g> = <x, A' g>; float32 sums of a thousand values of about 1
    np.testing.assert_allclose(forward.sum((1, 2, 3)), backward.sum((1, 2, 3)), atol=2e-3)


@pytest.mark.parametrize(
    ("transforms", "fill", "least"),
    [
        ((Rotate(choices=(10,)),), "constant", 0.995),
        ((Rotate(choices=(-30,)),), "constant", 0.99),
        ((Rotate(choices=(10,)), Scale(choices=(1.1,))), "constant", 0.985),
        ((Rotate(choices=(5,)), Scale(choices=(0.9,))), "constant", 0.985),
        ((Rotate(choices=(10,)),), "reflect", 0.99),
        ((Rotate(choices=(5,)), Scale(choices=(0.9,))), "reflect", 0.98),
    ],
)
def test_gradients_of_turns_are_near_the_exact_ones(transforms, fill, least):
    side = 24
    pipeline = Pipeline(transforms, fill=fill, value=0.0)
    pixels = np.eye(side**2, dtype="float32").reshape(-1, side, side, 1)
    drawn = draw(pipeline, pixels[:1])[0]
    matrix = pipeline.apply(pixels, np.repeat(drawn, side**2, 0)).numpy().reshape(side**2, -1)
    out = np.random.default_rng(1).standard_normal((1, side, side, 1)).astype("float32")
    exact = matrix @ out.ravel()
    found = gradient(pipeline, pixels[:1], drawn, out).ravel()
    cosine = found @ exact / np.linalg.norm(found) / np.linalg.norm(exact)
    assert cosine > least
    # white noise, the hardest case, is smoothed a little more or less than it should be
    assert np.linalg.norm(found) == pytest.approx(np.linalg.norm(exact), rel=0.15)


def test_fit_crops_then_stretches():
    image = pictures(8, 5, channels=3)
    same = tf.constant(image)
    assert fit(same, Canvas(8, 5, 3)) is same
    np.testing.assert_array_equal(fit(same, Canvas(4, 3, 3)), image[:, 2:6, 1:4])
    mixed = fit(same, Canvas(4, 10, 3))
    np.testing.assert_allclose(mixed, tf.image.resize(image[:, 2:6], (4, 10)), atol=1e-6)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Pad(-1), "width of 0 or more"),
        (lambda: Jitter(-2), "0 pixels or more"),
        (lambda: Jitter(2, mode="wrap"), "only with keep=True"),
        (lambda: Scale(), "one of the two"),
        (lambda: Scale(choices=(0.0, 1.0)), "above 0"),
        (lambda: Rotate(choices=(1.0,), between=(0, 1)), "one of the two"),
        (lambda: Blur(1, 2), "end <= start"),
        (lambda: Noise(-0.1), "0 or more"),
        (lambda: Pipeline((3,)), "not a transform"),
        (lambda: Pipeline((Crop(4),)).output_canvas(Canvas(8, 9, 1)), "leaves nothing"),
    ],
)
def test_refuses_with_the_value_received(build, message):
    with pytest.raises(UsageError, match=message):
        build()


def test_pipelines_are_equal_by_value():
    assert hash(Pipeline([Pad(2), Scale(choices=[1, 2])])) == hash(
        Pipeline((Pad(2), Scale(choices=(1, 2))))
    )
