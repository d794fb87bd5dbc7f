"""Every kind of input that is a picture: it is painted, and its score is that of Keras."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from reportgen.analyses.contract import unmet
from reportgen.analyses.optvis import ANALYSIS
from reportgen.analyses.optvis.studio import choose_size
from reportgen.analyses.optvis.units import _mean_progress


def conv(name="c1", **options):
    return layers.Conv2D(8, 3, activation="relu", name=name, **options)


def draw(shape, low=0.0, high=120.0, n=30):
    return np.random.default_rng(5).uniform(low, high, (n, *shape))


def halve(x):
    """A preprocessing of one's own: channels swapped and halved, then moved."""
    return x[..., ::-1] / 510 - 0.25


def squash(x):
    """No mixture of a pixel's channels."""
    return np.tanh(x / 100)


def check(found, address="c1", axis=-1):
    """The layer is painted; each score is the mean of the channel over the map of that picture."""
    from reportgen.analyses.optvis.pictures import scaling_of

    raw = next(raw for raw in found.layers if raw.excited.address == address)
    assert ((raw.images >= 0) & (raw.images <= 1)).all()
    spec = found.subject.input
    assert raw.images.shape[2:] == spec.pixels
    images = raw.images.reshape(-1, *spec.pixels)
    inputs = np.asarray(scaling_of(found.subject).apply(images))
    assert inputs.shape[1:] == spec.shape
    means = _read(found.subject.model, address, inputs, axis)
    (layer,) = [layer for layer in found.result.layers if layer.raw.excited.address == address]
    samples = _read(found.subject.model, address, found.subject.inputs(), axis)
    for i, (channel, judged) in enumerate(zip(raw.channels, layer.judged, strict=True)):
        mine = means.reshape(*raw.images.shape[:2], -1)[i, :, channel]
        np.testing.assert_allclose(judged.scores, mine, rtol=1e-4, atol=1e-6)
        assert judged.natural == pytest.approx(samples[:, channel].max(), rel=1e-4)
        assert judged.cause is None
        assert judged.best > judged.natural
    assert layer.tiles.shape[2:] == (32, 32, 3)
    return inputs


def _read(model, address, inputs, axis):
    for name in address.split("/")[:-1]:
        model = model.get_layer(name)
    last = model.get_layer(address.split("/")[-1])
    part = keras.Model(model.inputs[0], last.output)
    maps = np.asarray(part.predict(inputs, verbose=0, batch_size=len(inputs)))
    maps = np.moveaxis(maps, axis, -1)
    return maps.reshape(len(maps), -1, maps.shape[-1]).mean(axis=1)


@pytest.mark.parametrize(
    ("shape", "x", "preprocessing"),
    [
        ((10, 10, 1), draw((10, 10, 1)).astype(np.uint8), "unit"),
        ((10, 10, 5), draw((10, 10, 5), 0.0, 0.5), None),
        ((8, 12, 3), draw((8, 12, 3), -1.0, 0.0), "none"),
        ((10, 10, 3), draw((10, 10, 3)).astype(np.uint8), "symmetric"),
        ((10, 10, 3), draw((10, 10, 3)).astype(np.uint8), "imagenet-caffe"),
        ((10, 10, 3), draw((10, 10, 3)).astype(np.uint8), f"{__name__}:halve"),
    ],
    ids=["grey", "five channels", "floats from -1", "symmetric", "caffe", "own function"],
)
def test_pictures_of_every_kind(paint, stack, head, shape, x, preprocessing, request):
    if preprocessing and ":" in preprocessing:
        request.getfixturevalue("importable")
    model = stack(conv(), *head(), shape=shape)
    found = paint(model, x, settings={"preprocessing": preprocessing})
    inputs = check(found)
    assert found.result.exact_scaling
    # black and white, scaled as the samples were, hold every picture
    low, high = {
        "unit": (0, 1),
        "none": (-1, 1),
        None: (0, 1),
        "symmetric": (-1, 1),
        "imagenet-caffe": (-123.68, 151.061),
    }.get(preprocessing, (-0.25, 0.25))
    assert low - 1e-4 <= inputs.min() < inputs.max() <= high + 1e-4


@pytest.fixture
def importable(monkeypatch):
    """This module under its name, as a module of the user would be."""
    import sys

    monkeypatch.setitem(sys.modules, __name__, sys.modules[__name__])


def test_a_preprocessing_that_is_no_mixture_is_said(paint, stack, head, importable):
    model = stack(conv(), *head())
    found = paint(
        model, draw((10, 10, 3)).astype(np.uint8), settings={"preprocessing": f"{__name__}:squash"}
    )
    inputs = check(found)
    assert not found.result.exact_scaling
    assert any("could not be written as a formula" in line for line in found.body.method)
    made = found.subject.inputs()
    assert made.min() - 1e-4 <= inputs.min() < inputs.max() <= made.max() + 1e-4


def test_a_picture_without_a_channel_axis(paint, stack):
    model = stack(
        layers.Flatten(name="flat"),
        layers.Dense(8, "relu", name="d"),
        layers.Dense(3, "softmax", name="out"),
        shape=(28, 28),
    )
    found = paint(model, draw((28, 28)).astype(np.uint8), np.arange(30) % 3)
    assert found.subject.input.layout == "no_channel"
    assert found.layers[0].images.shape[2:] == (28, 28, 1)
    check(found, "d")


def test_channels_first(paint, stack):
    model = stack(
        layers.Conv2D(8, 3, activation="relu", data_format="channels_first", name="c1"),
        layers.GlobalAveragePooling2D(data_format="channels_first", name="pool"),
        layers.Dense(3, "softmax", name="out"),
        shape=(3, 10, 10),
    )
    found = paint(model, draw((10, 10, 3)).astype(np.uint8), classes=2)
    assert found.subject.input.layout == "channels_first"
    raw = found.layers[0]
    assert raw.images.shape[2:] == (10, 10, 3)
    assert raw.shape == (8, 8, 8)
    assert raw.width == 8
    for layer in found.result.layers:
        assert all(judged.best > judged.natural for judged in layer.judged)


def test_a_model_that_scales_inside(paint, stack, head):
    model = stack(layers.Rescaling(1 / 127.5, -1, name="scale"), conv(), *head())
    found = paint(model, draw((10, 10, 3)).astype(np.uint8), settings={"preprocessing": "none"})
    inputs = check(found)
    assert inputs.max() > 100  # the model takes values up to 255


def test_a_model_of_a_fixed_batch(paint):
    keras.utils.set_random_seed(1)
    inputs = keras.Input(batch_shape=(2, 10, 10, 3))
    pooled = layers.GlobalAveragePooling2D(name="pool")(conv()(inputs))
    model = keras.Model(inputs, layers.Dense(3, "softmax", name="out")(pooled))
    found = paint(model, draw((10, 10, 3)).astype(np.uint8), classes=3, units=3)
    assert found.result.layers[0].tiles.shape[:2] == (3, 2)
    assert found.result.classes.tiles.shape[:2] == (3, 2)
    for judged in (*found.result.layers[0].judged, *found.result.classes.judged):
        assert judged.best > judged.natural


def test_layers_of_a_nested_backbone_have_their_whole_address(paint, stack, head):
    inner = keras.Sequential([keras.Input((10, 10, 3)), conv(), conv("c2")], name="backbone")
    found = paint(stack(inner, *head()), draw((10, 10, 3)).astype(np.uint8), layers=2)
    assert [raw.excited.address for raw in found.layers] == ["backbone/c1", "backbone/c2"]
    check(found, "backbone/c1")
    check(found, "backbone/c2")


def test_models_without_pictures_are_told_why(subject_of, stack):
    model = stack(layers.Dense(4, "relu"), layers.Dense(2, "softmax"), shape=(6,))
    subject = subject_of(model, draw((6,)).astype(np.float32), np.arange(30) % 2)
    (need,) = unmet(ANALYSIS.needs, subject.card)
    assert need.missing == "the model does not take images"
    assert need.remedy


def test_samples_that_are_all_the_same(paint, stack, head):
    """No unit tells them apart, so none is chosen; classes are painted all the same."""
    model = stack(conv(), *head())
    x = np.full((12, 10, 10, 3), 90, np.uint8)
    found = paint(model, x, classes=3, dreams=2)
    assert found.result.layers == ()
    assert len(found.result.classes.judged) == 3
    assert all(judged.cause is None for judged in found.result.classes.judged)
    assert found.levels["optvis.below_natural"] == "pass"


def test_nothing_to_paint_is_said(paint, stack):
    model = stack(conv(), layers.Conv2D(2, 1, name="map"))
    found = paint(model, np.full((12, 10, 10, 3), 90, np.uint8), classes=3)
    assert set(found.levels.values()) == {"not_applicable"}
    assert [block.id for block in found.body.blocks] == ["optvis-none"]


def test_units_that_see_little_are_painted_small(paint, stack, head):
    """Three pixels of 128 are all that a unit sees: a small picture holds as much, and as true."""
    found = paint(stack(conv(), *head(), shape=(128, 128, 3)), draw((128, 128, 3), n=8))
    (raw,) = found.layers
    assert max(raw.images.shape[2:4]) < 128
    assert raw.images.shape[2:4] == choose_size(raw.excited.window, (128, 128))
    means = _read_any(found.subject.model, raw.images.reshape(-1, *raw.images.shape[2:]))
    for i, (channel, judged) in enumerate(
        zip(raw.channels, found.result.layers[0].judged, strict=True)
    ):
        mine = means.reshape(*raw.images.shape[:2], -1)[i, :, channel]
        np.testing.assert_allclose(judged.scores, mine, rtol=1e-4, atol=1e-6)
        assert judged.best > judged.natural


def test_where_pictures_are_resized_inside_they_are_painted_whole(paint, stack, head):
    """Only a checkerboard of single pixels excites channel 0: no enlarged small picture has one."""
    model = stack(layers.Resizing(128, 128), conv(), *head(), shape=(128, 128, 3))
    kernel, bias = model.get_layer("c1").get_weights()
    kernel[..., 0] = (-1.0) ** np.indices((3, 3)).sum(axis=0)[..., None]
    bias[0] = -8.0  # a checkerboard of black and white gives 15, any even colour 3 at most
    model.get_layer("c1").set_weights([kernel, bias])
    (raw,) = paint(model, draw((128, 128, 3), n=8)).layers
    assert raw.images.shape[2:4] == (128, 128)
    assert dict(zip(raw.silent, raw.causes, strict=True))[0] is None


def _read_any(model, images):
    """The first convolution by hand: its layer takes any size, the model does not."""
    maps = np.asarray(model.get_layer("c1")(images))
    return maps.reshape(len(maps), -1, maps.shape[-1]).mean(axis=1)


def test_the_size_follows_what_the_unit_sees():
    assert choose_size(None, (224, 200)) == (224, 200)
    assert choose_size((3, 3), (24, 24)) == (24, 24)  # small already
    small, large = choose_size((3, 3), (224, 224)), choose_size((60, 60), (224, 224))
    assert 3 <= small[0] == small[1] < large[0] < 224
    assert large[0] >= 60
    assert choose_size((200, 200), (224, 224)) == (224, 224)


def test_progress_is_a_part_of_the_best_and_weighs_units_alike():
    history = np.array([[[1.0, 2.0, 4.0]], [[10.0, 20.0, 40.0]]], np.float32)
    np.testing.assert_allclose(_mean_progress(history), [0.25, 0.5, 1.0])
    # images that stopped early are left out where others went on
    history[1, 0, 2] = np.nan
    np.testing.assert_allclose(_mean_progress(history), [0.25, 0.5, 1.0])
    # nothing moves, nothing is known: no warning, no NaN
    assert np.isfinite(_mean_progress(np.full((2, 1, 3), np.nan, np.float32))).all()
    assert (_mean_progress(np.zeros((2, 1, 3), np.float32)) == 0).all()
