"""One call for a plane of a live model, against setting the weights and plain `evaluate`."""

import keras
import numpy as np
import pytest
from keras import layers

from reportgen import landscape
from reportgen.errors import ConfigurationError, InputError, UsageError
from reportgen.landscape import surveying
from reportgen.landscape.grid import INTERPOLATED, MEASURED, MISSING

from .conftest import data, dense_net, fill, hash_weights

X, Y = data((4,), count=60)


def evaluate(model, weights, loss="sparse_categorical_crossentropy"):
    """By plain Keras, on a copy."""
    copy = keras.models.clone_model(model)
    copy.compile(loss=loss, metrics=["accuracy"])
    copy.set_weights(weights)
    return copy.evaluate(X, Y, batch_size=len(X), verbose=0)


def other_weights(model, seed):
    rng = np.random.default_rng(seed)
    return [w + rng.normal(0, 0.3, w.shape) for w in model.get_weights()]


def test_a_plane_through_three_models():
    """The corners are the models themselves."""
    model = dense_net()
    first, second = other_weights(model, 1), other_weights(model, 2)
    before = hash_weights(model)
    found = landscape.survey(model, X, Y, through=[first, second], points=5)
    assert hash_weights(model) == before
    assert found.grid.count(MEASURED) == 25
    own = model.get_weights()
    for (row, column), weights in [
        ((2, 2), own),
        ((2, 4), first),
        ((4, 2), second),
        ((4, 4), [a + b - w for w, a, b in zip(own, first, second, strict=True)]),
    ]:
        loss, accuracy = evaluate(model, weights)
        # Sums of 32 bits.
        np.testing.assert_allclose(found.grid.loss[row, column], loss, rtol=2e-5)
        np.testing.assert_allclose(found.grid.accuracy[row, column], accuracy, atol=1e-6)
    assert found.loss == pytest.approx(found.grid.loss[2, 2], rel=1e-6)
    assert found.error > 0


def test_a_line_to_another_model():
    model = dense_net()
    other = other_weights(model, 1)
    grid = landscape.survey(model, X, Y, through=[other], points=9).grid
    assert grid.loss.shape == (1, 9)
    np.testing.assert_allclose(grid.loss[0, -1], evaluate(model, other)[0], rtol=2e-5)


def test_a_random_plane_is_seeded():
    model = dense_net()
    made = [landscape.survey(model, X, Y, points=5, seed=seed) for seed in (3, 3, 4)]
    np.testing.assert_array_equal(made[0].grid.loss, made[1].grid.loss)
    assert not np.allclose(made[0].grid.loss, made[2].grid.loss)
    as_drawn = landscape.survey(model, X, Y, points=5, normalisation="none")
    assert abs(as_drawn.cosine) < 1e-9


def test_the_loss_that_it_was_compiled_with():
    model = dense_net()
    assert "inferred" in landscape.survey(model, X, Y, points=5).loss_reason
    model.compile(loss=keras.losses.SparseCategoricalCrossentropy())
    found = landscape.survey(model, X, Y, points=5)
    assert "compiled with" in found.loss_reason
    other = landscape.survey(model, X, Y, points=5, loss="kl_divergence")
    assert other.loss_name == "kl divergence"
    with pytest.raises(ConfigurationError, match="no loss of Keras"):
        landscape.survey(model, X, Y, loss="nonsense")


def test_only_the_head_moves():
    model = dense_net()
    far = other_weights(model, 1)
    grid = landscape.survey(model, X, Y, through=[far], points=5, layers=["head"]).grid
    mixed = [*model.get_weights()[:2], *far[2:]]
    np.testing.assert_allclose(grid.loss[0, -1], evaluate(model, mixed)[0], rtol=2e-5)


def test_parts_make_the_whole():
    model = dense_net()
    whole = landscape.survey(model, X, Y, points=9, refine=False).grid
    parts = [landscape.survey(model, X, Y, points=9, part=(k, 3)).grid for k in range(3)]
    assert all(part.count(MEASURED) == 27 for part in parts)
    joined = landscape.join(parts)
    assert joined.count(MISSING) == 0
    np.testing.assert_allclose(joined.loss, whole.loss, rtol=1e-6)


def test_a_part_that_goes_on_is_still_that_part(tmp_path):
    model = dense_net()
    settings = {"points": 51, "refine": False}
    whole = landscape.survey(model, X, Y, **settings).grid
    files = [tmp_path / f"{k}.npz" for k in range(2)]
    first = landscape.survey(model, X, Y, part=(0, 2), seconds=0.0, resume=files[0], **settings)
    assert 0 < first.grid.count(MEASURED) < 1301
    parts = [
        landscape.survey(model, X, Y, part=(k, 2), resume=files[k], **settings).grid
        for k in (0, 1, 0)
    ]
    assert [part.count(MEASURED) for part in parts] == [1301, 1300, 1301]
    joined = landscape.join(parts)
    assert joined.count(MISSING) == 0
    np.testing.assert_allclose(joined.loss, whole.loss, rtol=1e-6)


def test_parts_of_two_planes_are_not_joined():
    model = dense_net()
    parts = [landscape.survey(model, X, Y, points=5, part=(k, 2), seed=k).grid for k in range(2)]
    with pytest.raises(UsageError, match="different planes"):
        landscape.join(parts)


def test_an_interrupt_loses_nothing_that_was_measured(tmp_path, monkeypatch):
    file, model, calls = tmp_path / "plane.npz", dense_net(), []
    enter = surveying.Surveyor._enter

    def interrupted(self, grid, cells, group):
        calls.append(len(cells))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return enter(self, grid, cells, group)

    monkeypatch.setattr(surveying.Surveyor, "_enter", interrupted)
    with pytest.raises(KeyboardInterrupt):
        landscape.survey(model, X, Y, points=31, resume=file)
    measured = sum(calls[:2])
    monkeypatch.undo()
    again = landscape.survey(model, X, Y, points=31, resume=file, seconds=0.0)
    assert again.grid.count(MEASURED) >= measured


def test_time_that_is_up_leaves_what_there_is(tmp_path):
    model = dense_net()
    partial = landscape.survey(model, X, Y, points=41, seconds=0.0, resume=tmp_path / "plane.npz")
    assert 0 < partial.grid.count(MEASURED) < 41 * 41
    whole = landscape.survey(model, X, Y, points=41, resume=tmp_path / "plane.npz")
    assert whole.grid.count(MISSING) == 0
    assert whole.grid.count(INTERPOLATED) > 0
    already = partial.grid.state == MEASURED
    np.testing.assert_array_equal(whole.grid.loss[already], partial.grid.loss[already])


def test_a_file_of_another_plane_is_not_gone_on_with(tmp_path):
    model, file = dense_net(), tmp_path / "plane.npz"
    landscape.survey(model, X, Y, points=5, resume=file)
    with pytest.raises(InputError, match="another model"):
        landscape.survey(model, X, Y, points=5, seed=1, resume=file)
    model.compile(loss=keras.losses.CategoricalCrossentropy(label_smoothing=0.3))
    landscape.survey(model, X, Y, points=5, resume=tmp_path / "smooth.npz")
    model.compile(loss=keras.losses.CategoricalCrossentropy())
    with pytest.raises(InputError, match="another model"):
        landscape.survey(model, X, Y, points=5, resume=tmp_path / "smooth.npz")
    model.get_layer("head").bias.assign_add(np.ones(3))
    with pytest.raises(InputError, match="another model"):
        landscape.survey(model, X, Y, points=5, resume=file)


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.first = layers.Dense(5, "tanh", name="first")
        self.head = layers.Dense(3, "softmax", name="head")

    def call(self, inputs):
        return self.head(self.first(inputs))


def test_a_model_that_does_not_say_what_it_takes():
    plain, model = dense_net(), Subclassed()
    model(X[:1])
    fill(model)
    model.compile(loss="sparse_categorical_crossentropy")
    plain.set_weights(model.get_weights())
    through = [other_weights(plain, 1)]
    found = landscape.survey(model, X, Y, points=5, through=through)
    assert "compiled with" in found.loss_reason
    known = landscape.survey(plain, X, Y, points=5, through=through)
    np.testing.assert_allclose(found.grid.loss, known.grid.loss, rtol=1e-6)


def test_what_cannot_be_drawn_is_said():
    model = dense_net()
    with pytest.raises(UsageError, match="another network"):
        landscape.survey(model, X, Y, through=[dense_net(hidden=6).get_weights()])
    with pytest.raises(UsageError, match="span no plane"):
        landscape.survey(model, X, Y, through=[model.get_weights()] * 3)
    with pytest.raises(UsageError, match="as many labels"):
        landscape.survey(model, X, Y[:-1])
    with pytest.raises(UsageError, match="another network"):
        landscape.survey(model, X, Y, through=[model.get_weights()[:1]])
    with pytest.raises(UsageError, match="no numbers"):
        landscape.survey(model, X, np.array(["a", "b", "c"])[Y])
    with pytest.raises(UsageError, match="the model takes"):
        landscape.survey(model, X[:, :3], Y)
    for part in [(5, 2), (-1, 2)]:
        with pytest.raises(UsageError, match="is no part"):
            landscape.survey(model, X, Y, part=part)
    with pytest.raises(UsageError, match="no folder"):
        landscape.survey(model, X, Y, resume="nowhere/plane.npz")
    left, right = keras.Input((4,)), keras.Input((4,))
    two = keras.Model([left, right], layers.Dense(3, "softmax")(layers.Add()([left, right])))
    with pytest.raises(UsageError, match="2 inputs"):
        landscape.survey(two, X, Y)


def halve_in_place(pixels):
    pixels /= 2
    return pixels


@pytest.mark.parametrize(
    ("preprocessing", "scaled"),
    [
        (None, lambda x: x),
        ("none", lambda x: x),
        ("unit", lambda x: x / 255),
        (halve_in_place, lambda x: x / 2),
    ],
)
def test_samples_are_given_before_scaling(preprocessing, scaled):
    model = dense_net()
    pixels = np.rint(100 * X).astype(np.float32)
    before = pixels.copy()
    found = landscape.survey(model, pixels, Y, points=3, preprocessing=preprocessing)
    expected = landscape.survey(model, scaled(pixels).astype(np.float32), Y, points=3)
    np.testing.assert_allclose(found.grid.loss, expected.grid.loss, rtol=1e-6)
    np.testing.assert_array_equal(pixels, before)


def test_scaling_is_of_pixels_also_where_channels_come_first():
    from keras.applications.vgg16 import preprocess_input

    from reportgen.subject.live import take_inputs

    def network(shape, data_format):
        pool = layers.GlobalAveragePooling2D(data_format=data_format)
        return keras.Sequential(
            [keras.Input(shape), layers.Conv2D(2, 3, data_format=data_format), pool]
        )

    pixels = np.random.default_rng(0).integers(0, 256, (3, 8, 7, 3)).astype(np.uint8)
    expected = preprocess_input(pixels.astype(np.float32))
    last = take_inputs(network((8, 7, 3), "channels_last"), pixels, "imagenet-caffe")
    np.testing.assert_allclose(last, expected, atol=1e-4)
    first = network((3, 8, 7), "channels_first")
    for given in (pixels, pixels.transpose(0, 3, 1, 2)):
        for asked in ("imagenet-caffe", preprocess_input):
            taken = take_inputs(first, given, asked)
            np.testing.assert_allclose(taken, expected.transpose(0, 3, 1, 2), atol=1e-4)


def test_a_missing_channel_axis_and_a_dataset():
    import tensorflow as tf

    from reportgen.subject.live import take_inputs

    grey = keras.Sequential([keras.Input((6, 5, 1)), layers.Flatten(), layers.Dense(2)])
    assert take_inputs(grey, np.zeros((3, 6, 5), np.uint8), None).shape == (3, 6, 5, 1)
    dataset = tf.data.Dataset.from_tensor_slices((X, Y))
    with pytest.raises(UsageError, match=r"x is a dataset.*give arrays x and y"):
        landscape.survey(dense_net(), dataset, None)
    with pytest.raises(ConfigurationError, match="Did you mean 'symmetric'"):
        landscape.survey(dense_net(), X, Y, preprocessing="symetric")
