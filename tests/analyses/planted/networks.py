"""Five small networks for one task, each with a place for every defect.

The pictures are 12 x 12 x 3 with noise; the class is the shape in them: an upright bar, a lying
bar, both, or none, in any colour.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers

CLASSES = ("upright", "lying", "both", "none")
SIDE = 12


def draw_pictures(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """``(n, 12, 12, 3)`` uint8 and the classes ``(n,)``."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 90, (n, SIDE, SIDE, 3))
    y = rng.integers(0, len(CLASSES), n)
    places = rng.integers(1, SIDE - 1, (n, 2))
    colours = rng.uniform(40, 160, (n, 2, 3))
    for picture, label, (row, column), (one, two) in zip(x, y, places, colours, strict=True):
        if label in (0, 2):
            picture[:, column] += one
        if label in (1, 2):
            picture[row] += two
    return x.clip(0, 255).astype(np.uint8), y


@dataclass(frozen=True)
class Network:
    """How to build a network, and where each defect goes: addresses of layers.

    initial, norm: before layers that nothing can silence: behind a layer that forgot what it had
    learned, or statistics that do not fit, a ReLU may really be dead, which is another defect.
    silenced: the layer whose bias or BatchNorm shift is lowered. silent: the layer whose channel
    is constant then, which is the activation function's where it stands alone.
    """

    name: str
    build: Callable[[], keras.Model]
    dead: str
    duplicated: str
    silenced: str
    silent: str
    initial: str
    broken: str
    norm: str
    sigmoid: str
    channels_first: bool = False

    def arrange(self, pictures: np.ndarray) -> np.ndarray:
        """Pictures as the network takes them, scaled."""
        scaled = pictures.astype(np.float32) / 255
        return scaled.transpose(0, 3, 1, 2) if self.channels_first else scaled


def find_layer(model: keras.Model, address: str) -> Any:
    """The layer at ``outer/inner/layer``."""
    found: Any = model
    for name in address.split("/"):
        found = found.get_layer(name)
    return found


def train(network: Network, seed: int = 1) -> keras.Model:
    """The network after some seconds of training, each BatchNorm with the data's statistics."""
    keras.utils.set_random_seed(seed)
    model = network.build()
    x, y = draw_pictures(768, seed)
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy")
    model.fit(network.arrange(x), y, epochs=10, batch_size=64, verbose=0)
    return model


def _norm(name: str, **options: Any) -> layers.Layer:
    return layers.BatchNormalization(name=name, momentum=0.8, **options)


def _head(x: Any) -> Any:
    # Normalised, so that the sigmoid of the sound network stays off its bounds.
    x = _norm("head_bn")(layers.GlobalAveragePooling2D(name="average")(x))
    x = layers.Dense(24, activation="sigmoid", name="hidden")(x)
    return layers.Dense(len(CLASSES), activation="softmax", name="out")(x)


def build_plain() -> keras.Model:
    """One layer after the other."""
    return keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 3)),
            layers.Conv2D(16, 3, name="c1"),
            _norm("bn1"),
            layers.LeakyReLU(name="leaky"),
            layers.Conv2D(24, 3, activation="relu", name="c2"),
            layers.MaxPooling2D(name="pool"),
            _norm("bn2"),
            layers.Conv2D(32, 3, activation="elu", name="c3"),
            layers.GlobalAveragePooling2D(name="average"),
            _norm("head_bn"),
            layers.Dense(24, activation="sigmoid", name="hidden"),
            layers.Dense(len(CLASSES), activation="softmax", name="out"),
        ],
        name="plain",
    )


def build_residual() -> keras.Model:
    """A stem, a block with an identity beside it, and one with a strided projection."""
    inputs = keras.Input((SIDE, SIDE, 3))
    x = layers.Conv2D(16, 3, padding="same", use_bias=False, name="stem")(inputs)
    x = layers.ReLU(name="stem_relu")(_norm("stem_bn")(x))
    y = layers.Conv2D(16, 3, padding="same", use_bias=False, name="a1")(x)
    y = layers.ReLU(name="a1_relu")(_norm("a1_bn")(y))
    y = _norm("a2_bn")(layers.Conv2D(16, 3, padding="same", use_bias=False, name="a2")(y))
    x = layers.LeakyReLU(name="a_out")(layers.Add(name="a_add")([x, y]))
    y = layers.Conv2D(24, 3, strides=2, padding="same", name="b1")(x)
    y = layers.LeakyReLU(name="b1_leaky")(_norm("b1_bn")(y))
    y = layers.Conv2D(24, 3, padding="same", name="b2")(y)
    x = layers.Conv2D(24, 1, strides=2, name="project")(x)
    x = layers.LeakyReLU(name="b_out")(layers.Add(name="b_add")([x, y]))
    return keras.Model(inputs, _head(x), name="residual")


def build_depthwise() -> keras.Model:
    """As MobileNet: depthwise and pointwise convolutions, and a separable one."""
    inputs = keras.Input((SIDE, SIDE, 3))
    x = layers.Conv2D(24, 3, padding="same", name="stem")(inputs)
    x = layers.LeakyReLU(name="stem_leaky")(_norm("stem_bn")(x))
    x = layers.DepthwiseConv2D(3, padding="same", name="dw1")(x)
    x = layers.ReLU(6.0, name="dw1_relu")(_norm("dw1_bn")(x))
    x = layers.Conv2D(32, 1, use_bias=False, name="pw1")(x)
    x = layers.LeakyReLU(name="pw1_leaky")(_norm("pw1_bn")(x))
    x = layers.DepthwiseConv2D(3, strides=2, padding="same", name="dw2")(x)
    x = layers.SeparableConv2D(32, 3, activation="gelu", name="separable")(x)
    return keras.Model(inputs, _head(x), name="depthwise")


def build_nested() -> keras.Model:
    """A backbone with a Sequential inside it, under a head, as transfer learning leaves it."""
    stage = keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 16)),
            layers.Conv2D(24, 3, use_bias=False, name="conv"),
            _norm("bn"),
            layers.Activation("relu", name="act"),
        ],
        name="stage",
    )
    inputs = keras.Input((SIDE, SIDE, 3))
    x = layers.Conv2D(16, 3, padding="same", name="stem")(inputs)
    x = layers.LeakyReLU(name="stem_leaky")(_norm("stem_bn")(x))
    x = layers.MaxPooling2D(name="pool")(stage(x))
    x = layers.Conv2D(32, 3, activation="leaky_relu", name="last")(x)
    backbone = keras.Model(inputs, x, name="backbone")
    outer = keras.Input((SIDE, SIDE, 3))
    return keras.Model(outer, _head(backbone(outer)), name="nested")


def build_channels_first() -> keras.Model:
    """Channels on axis 1 everywhere, with a sigmoid convolution of width unlike the picture's."""
    options = {"data_format": "channels_first"}
    inputs = keras.Input((3, SIDE, SIDE))
    x = layers.Conv2D(16, 3, padding="same", name="c1", **options)(inputs)
    x = layers.ReLU(name="c1_relu")(_norm("c1_bn", axis=1)(x))
    x = layers.MaxPooling2D(name="pool", **options)(x)
    x = layers.Conv2D(24, 3, padding="same", name="c2", **options)(x)
    x = layers.LeakyReLU(name="c2_leaky")(_norm("c2_bn", axis=1)(x))
    x = layers.Conv2D(20, 3, activation="sigmoid", name="gate", **options)(x)
    x = layers.GlobalAveragePooling2D(name="average", **options)(x)
    x = layers.Dense(24, activation="tanh", name="hidden")(x)
    x = layers.Dense(len(CLASSES), activation="softmax", name="out")(x)
    return keras.Model(inputs, x, name="channels_first")


NETWORKS = (
    Network(
        "plain",
        build_plain,
        dead="c2",
        duplicated="c3",
        silenced="c2",
        silent="c2",
        initial="c3",
        broken="c2",
        norm="bn2",
        sigmoid="hidden",
    ),
    Network(
        "residual",
        build_residual,
        dead="a1",
        duplicated="b2",
        silenced="a1_bn",
        silent="a1_relu",
        initial="project",
        broken="a2",
        norm="b1_bn",
        sigmoid="hidden",
    ),
    Network(
        "depthwise",
        build_depthwise,
        dead="dw1",
        duplicated="separable",
        silenced="dw1_bn",
        silent="dw1_relu",
        initial="dw2",
        broken="dw1",
        norm="pw1_bn",
        sigmoid="hidden",
    ),
    Network(
        "nested",
        build_nested,
        dead="backbone/stage/conv",
        duplicated="backbone/last",
        silenced="backbone/stage/bn",
        silent="backbone/stage/act",
        initial="hidden",
        broken="backbone/stage/conv",
        norm="backbone/stem_bn",
        sigmoid="hidden",
    ),
    Network(
        "channels_first",
        build_channels_first,
        dead="c1",
        duplicated="c2",
        silenced="c1_bn",
        silent="c1_relu",
        initial="c2",
        broken="c2",
        norm="c2_bn",
        sigmoid="gate",
        channels_first=True,
    ),
)
