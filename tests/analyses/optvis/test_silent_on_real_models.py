"""Units that are called dead, against a plain search: bare Keras, more starts and more steps.

The search of the analysis looks at one position of a small picture. This one shares no line with
it: it starts from 48 random pictures of the whole input and raises the highest position of the
channel before its activation function, which it makes from the layer's own weights. What it finds
is rounded to 8 bits and goes through the whole model. Adam: Kingma and Ba 2015.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from reportgen.config import load_config
from reportgen.subject.subject import open_subject

pytestmark = [pytest.mark.real, pytest.mark.matrix]

STARTS, STEPS, RATE, LOOK_EVERY = 48, 500, 0.05, 25
# A whole picture of 224 pixels takes minutes a unit. With all 48 starts it was done once, by hand:
# none was excited either.
STARTS_ON_LARGE, LARGE = 6, 200
PLENTY = 1e6  # seconds
SCALED: dict[str, Callable[[Any], Any]] = {
    "unit": lambda pictures: pictures,
    "none": lambda pictures: 255 * pictures,
    "symmetric": lambda pictures: 2 * pictures - 1,
}


@dataclass(frozen=True)
class Case:
    """A real model with silent units.

    units, layers: most that are tried of a layer, and that are painted. stride: smaller pictures
    are whole strides smaller, so that their far border falls as that of a whole one; None: no
    smaller pictures, because the model makes them large itself.
    """

    model: str
    images: str
    scaling: str
    units: int = 1000
    layers: int = 1000
    stride: int | None = 32
    resize: str = "stretch"


# Of networks for 224 and 256 pixels only some units a layer, of the deepest only some layers, for
# the time that it takes.
CASES = {
    "cifar": Case("tonio73_data-science/CIFAR-10_CNN5.h5", "cifar10_test", "unit"),
    "lenet": Case("tonio73_data-science/MNIST_LeNet60.h5", "mnist_test", "unit", resize="pad"),
    "fashion": Case(
        "Surakshadoijode_fashion_h5_named_keras/fashion_mnist_cnn.keras", "fashion_sprite", "unit"
    ),
    "fashion dense": Case("xenmrph_fashion_k214/fashion_mnist.keras", "fashion_sprite", "unit"),
    "malaria": Case(
        "amaanrzv39_malaria/malaria_model.h5", "malaria_test", "unit", units=6, stride=3
    ),
    "potatoes": Case("codebasics_potato/potatoes.h5", "potato_plantvillage", "unit", units=6),
    "potatoes, resized inside": Case(
        "codebasics_potato/saved_models/1",
        "potato_plantvillage",
        "none",
        units=4,
        layers=3,
        stride=None,
    ),
    "sign language": Case(
        "tm_BilalSardar_asl/keras_model.h5", "asl_alphabet", "symmetric", units=6, layers=6
    ),
    "mobilenet": Case(
        "st_modelzoo_imagenet_mobilenet_v1_025/mobilenet_v1_0.25_224.h5",
        "photos",
        "symmetric",
        units=6,
        layers=6,
    ),
}
# By hand: all of them are excited by some picture.
EXCITABLE = {"cifar": {"conv_1": (10, 14, 18, 19, 21, 29, 41, 63)}}


@pytest.fixture(scope="module", params=CASES, ids=str)
def audited(request, real):
    case = CASES[request.param]
    given = {"preprocessing": case.scaling, "resize": case.resize}
    config = load_config(
        real / "models" / case.model, {"images": real / "images" / case.images, **given}
    )
    return request.param, case, open_subject(config)


def test_no_unit_that_is_called_dead_is_excited_by_a_plain_search(
    audited, analyse, record_property
):
    name, case, subject = audited
    excited = {}
    for layer in list_silent(analyse, subject, case):
        dead = [unit for unit, cause in layer.causes.items() if cause in ("dead", "saturated")]
        for unit in EXCITABLE.get(name, {}).get(layer.address, ()):
            assert layer.causes[unit] is None
        search = PlainSearch(subject, case, layer)
        # A unit at the upper bound of its function can only be lowered.
        signs = {unit: -1 if layer.causes[unit] == "saturated" else 1 for unit in dead}
        found = {unit: search.excite(unit, sign) for unit, sign in signs.items()}
        excited |= {f"{layer.address} {unit}": how for unit, how in found.items() if how}
        untold = sum(cause not in (None, "dead", "saturated") for cause in layer.causes.values())
        record_property(
            "told",
            f"plain search, {name}, {layer.address}: {layer.silent} silent, {len(layer.causes)} "
            f"tried, {len(dead)} dead, {untold} untold; excited of the dead: "
            f"{sum(map(bool, found.values()))}",
        )
    assert not excited


@pytest.mark.parametrize("audited", ["cifar"], indirect=True)
def test_the_plain_search_excites_what_can_be_excited(audited, analyse):
    """Or else it would prove nothing above."""
    name, case, subject = audited
    (layer,) = (one for one in list_silent(analyse, subject, case) if one.address == "conv_1")
    search = PlainSearch(subject, case, layer)
    assert all(search.excite(unit) for unit in EXCITABLE[name]["conv_1"])


@dataclass(frozen=True)
class Silent:
    """A layer with channels that no sample changes, and what the analysis says of them.

    silent: how many there are. causes: of those tried. always: the value that each has.
    """

    address: str
    window: tuple[int, ...] | None
    silent: int
    causes: dict[int, str | None]
    always: dict[int, float]


def list_silent(analyse, subject, case):
    """Every painted layer with silent channels, as the analysis itself has them searched."""
    found = analyse(
        "optvis",
        subject,
        tiny=True,
        layers=case.layers,
        units=1,
        variants=1,
        classes=0,
        dreams=0,
        silent_units=case.units,
        recipe="ascent",  # the pictures of shown units do not matter here: 30 steps
        seconds=PLENTY,
    )
    for raw in (layer.raw for layer in found.result.layers):
        low = subject.census.by_address[raw.excited.address].low
        if raw.silent:
            yield Silent(
                address=raw.excited.address,
                window=raw.excited.window,
                silent=raw.silent_count,
                causes=dict(zip(raw.silent, raw.causes, strict=True)),
                always={unit: float(low[unit]) for unit in raw.silent},
            )


class PlainSearch:
    """Pictures that change a channel, by gradient ascent with bare Keras.

    Where a unit sees a small part only, a smaller picture with the same borders does: what it
    leaves out are repeats. What was found is put into each corner of a whole picture.
    """

    def __init__(self, subject, case, layer):
        self.model, self.path = subject.model, layer.address.split("/")
        self.scale, self.always = SCALED[case.scaling], layer.always
        self.whole = tuple(subject.input.shape)
        self.shape = shrink(self.whole, layer.window, case.stride)
        large = self.shape == self.whole and max(self.whole) >= LARGE
        self.starts = STARTS_ON_LARGE if large else STARTS
        self.pictures = tf.Variable(tf.zeros((self.starts, *self.shape)))
        self.moments = [tf.Variable(tf.zeros_like(self.pictures)) for _ in range(2)]
        self.climb = tf.function(self._climb)
        self.answer = tf.function(self._answer)

    def excite(self, unit, sign=1):
        """How many steps it took until a picture changed the unit, as words; None: none does."""
        rng = np.random.default_rng(unit)
        self.pictures.assign(rng.uniform(size=self.pictures.shape).astype(np.float32))
        for moment in self.moments:
            moment.assign(tf.zeros_like(moment))
        for step in range(STEPS + 1):
            if step % LOOK_EVERY == 0 and (changed := self._count_changed(unit)):
                return f"by {changed} of {self.starts} starts after {step} steps"
            self.climb(tf.constant(unit), tf.constant(float(sign)), tf.constant(step + 1.0))
        return None

    def _climb(self, unit, sign, step):
        with tf.GradientTape() as tape:
            values = before_activation(self.model, self.path, self.scale(self.pictures))
            flat = tf.reshape(values, (self.starts, -1, values.shape[-1]))
            best = tf.reduce_max(sign * tf.gather(flat, unit, axis=2), axis=1)
        gradient = tape.gradient(best, self.pictures)
        first, second = self.moments
        first.assign(0.9 * first + 0.1 * gradient)
        second.assign(0.999 * second + 0.001 * gradient**2)
        mean, square = first / (1 - 0.9**step), second / (1 - 0.999**step)
        moved = self.pictures + RATE * mean / (tf.sqrt(square) + 1e-7)
        self.pictures.assign(tf.clip_by_value(moved, 0, 1))

    def _answer(self, pictures):
        return pass_through(self.model, self.path, self.scale(pictures), leave=True)

    def _count_changed(self, unit):
        """Pictures of 8 bits that change the unit by more than float32 does: 1e-5 of the layer."""
        rounded = np.round(self.pictures.numpy() * 255) / 255
        changed = np.zeros(self.starts, bool)
        for pictures in put_into_corners(rounded.astype(np.float32), self.whole):
            values = self.answer(tf.constant(pictures)).numpy()
            values = values.reshape(len(values), -1, values.shape[-1])
            far = np.abs(values[..., unit] - self.always[unit]).max(axis=1)
            changed |= far > 1e-5 * np.abs(values).max()
        return int(changed.sum())


def shrink(whole, window, stride):
    """The shape of a smaller picture with the same borders, or ``whole`` where none is."""
    if window is None or stride is None or len(whole) != 3:
        return whole
    sides = [
        next(
            s
            for s in range(full % stride or stride, full + 1, stride)
            if 2 * s > 3 * seen or s == full
        )
        for full, seen in zip(whole[:2], window, strict=True)
    ]
    return (*sides, whole[2])


def put_into_corners(pictures, whole):
    """Whole pictures, grey but for one corner; ``pictures`` themselves if they are whole."""
    height, width = pictures.shape[1:3]
    if pictures.shape[1:] == whole:
        yield pictures
        return
    for top, left in itertools.product((0, whole[0] - height), (0, whole[1] - width)):
        larger = np.full((len(pictures), *whole), 0.5, np.float32)
        larger[:, top : top + height, left : left + width] = pictures
        yield larger


def pass_through(model, path, values, *, leave=False):
    """What goes into the layer at ``path`` for scaled pictures; with ``leave``, what comes out."""
    inner = model.get_layer(path[0])
    if isinstance(model, keras.Sequential):
        for layer in itertools.takewhile(lambda layer: layer is not inner, model.layers):
            values = layer(values, training=False)
        if len(path) > 1:
            return pass_through(inner, path[1:], values, leave=leave)
        return inner(values, training=False) if leave else values
    assert len(path) == 1, f"{model.name} is no Sequential"
    # `call`, because the part of a convolutional network that is asked takes pictures of any size.
    part = keras.Model(model.inputs, inner.output if leave else inner.input)
    return part.call(values, training=False)


def before_activation(model, path, values):
    """What the layer at ``path`` gives without its activation function, from its own weights."""
    layer = model
    for name in path:
        layer = layer.get_layer(name)
    if isinstance(layer, keras.layers.Add):  # it has no function of its own
        return pass_through(model, path, values, leave=True)
    values = pass_through(model, path, values)
    if isinstance(layer, keras.layers.ReLU):
        return values
    if isinstance(layer, keras.layers.Dense):
        return values @ layer.kernel + layer.bias
    assert type(layer) is keras.layers.Conv2D, f"{type(layer).__name__} is not known here"
    made = tf.nn.conv2d(
        values, layer.kernel, layer.strides, layer.padding.upper(), dilations=layer.dilation_rate
    )
    return made + layer.bias if layer.use_bias else made
