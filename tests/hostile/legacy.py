"""What Keras 2 wrote, through tf_keras. Imported without it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

import numpy as np

from .case import UNREADABLE, Case, Place
from .payloads import bytecode
from .saved_models import write_function_folder
from .twins import keep

SHAPE = (8, 8, 3)


def _stack(*middle: Any) -> Any:
    import tf_keras
    from tf_keras import layers

    end = [layers.Flatten(), layers.Dense(3, activation="softmax")]
    return tf_keras.Sequential([tf_keras.Input(SHAPE), *middle, *end])


def _plain() -> Any:
    from tf_keras import layers

    return _stack(
        layers.Conv2D(4, 3, activation="relu"), layers.BatchNormalization(), layers.MaxPooling2D()
    )


def _depthwise() -> Any:
    from tf_keras import layers

    return _stack(layers.DepthwiseConv2D(3), layers.ReLU(6.0), layers.Dropout(0.1))


def _nested() -> Any:
    import tf_keras
    from tf_keras import layers

    image = tf_keras.Input(SHAPE)
    inner = tf_keras.Sequential([tf_keras.Input(SHAPE), layers.SeparableConv2D(4, 3)])
    x = layers.Flatten()(layers.LeakyReLU(0.1)(inner(image)))
    return tf_keras.Model(image, layers.Dense(3)(x))


def _compiled() -> Any:
    model = _plain()
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    rng = np.random.default_rng(0)
    model.fit(rng.random((8, *SHAPE)), np.eye(3)[rng.integers(0, 3, 8)], verbose=0)
    return model


TWINS: dict[str, tuple[Callable[[], Any], str]] = {
    "keras-2.h5": (_plain, "h5"),
    "keras-2-depthwise.h5": (_depthwise, "h5"),
    "keras-2-nested.h5": (_nested, "h5"),
    "keras-2-trained.h5": (_compiled, "h5"),
    "keras-2.keras": (_plain, "keras"),
    "keras-2-nested.keras": (_nested, "keras"),
    "keras-2": (_plain, "tf"),
    "keras-2-nested": (_nested, "tf"),
    "keras-2-trained": (_compiled, "tf"),
}


def cases() -> Iterator[Case]:
    """All of them."""
    for name, (build, kind) in TWINS.items():
        write = _writer(build, kind)
        yield Case(f"benign-{name}", "benign", "", write, (0,), benign=True)
    yield Case("lambda-keras-2", "Lambda", "code", _write_lambda, words=("sneaky",))
    yield Case("lambda-keras-2-nested", "Lambda", "code", _write_nested_lambda, words=("sneaky",))
    yield Case(
        "graph-beside-layers",
        "SavedModel with file operations",
        "operations",
        _write_signature,
        words=("WriteFile",),
    )
    yield Case("graph-in-layer", "SavedModel with file operations", "operations", _write_layer)
    yield Case(
        "keras-2.weights.h5",
        "unreadable",
        "formats",
        _write_weights,
        (UNREADABLE,),
        words=("weights",),
    )
    # Without layers there is little to audit: a reduced report, or the way out in words.
    yield Case(
        "graph-honest",
        "unreadable",
        "formats",
        lambda place: write_function_folder(place.path),
        (0, UNREADABLE),
    )


def _writer(build: Callable[[], Any], kind: str) -> Callable[[Place], None]:
    def write(place: Place) -> None:
        model = build()
        model.save(str(place.path), save_format=kind)
        x = np.random.default_rng(0).uniform(0, 1, (3, *SHAPE)).astype(np.float32)
        keep(place, [x], [model.predict(x, verbose=0)])

    return write


def _touching(place: Place) -> Any:
    """A Lambda whose code is stored in the metadata, and a name that is looked for."""
    from tf_keras import layers

    return layers.Lambda(FunctionType(bytecode(place.canary), {}), name="sneaky")


def _save_folder(model: Any, place: Place) -> None:
    model.save(str(place.path), save_format="tf")
    place.canary.unlink(missing_ok=True)  # tracing the layer ran it, here


def _write_lambda(place: Place) -> None:
    _save_folder(_stack(_touching(place)), place)


def _write_nested_lambda(place: Place) -> None:
    import tf_keras

    inner = tf_keras.Sequential([tf_keras.Input(SHAPE), _touching(place)], name="inner")
    _save_folder(_stack(inner), place)


def _write_signature(place: Place) -> None:
    """Layers that can be rebuilt, and a second signature that writes."""
    import tensorflow as tf

    model, canary = _plain(), str(place.canary)
    shape = tf.TensorSpec([None, *SHAPE], tf.float32, name="image")

    @tf.function(input_signature=[shape])
    def serve(image: Any) -> Any:
        with tf.control_dependencies([tf.io.write_file(canary, "x")]):
            return tf.identity(model(image))

    model.save(str(place.path), save_format="tf", signatures={"serving_default": serve})


def _write_layer(place: Place) -> None:
    """A custom layer whose stored function writes when it is called."""
    import tensorflow as tf
    from tf_keras import layers

    canary = str(place.canary)

    class Writer(layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            with tf.control_dependencies([tf.io.write_file(canary, "x")]):
                return tf.identity(x)

    _save_folder(_stack(Writer(name="sneaky")), place)


def _write_weights(place: Place) -> None:
    _plain().save_weights(str(place.path.with_suffix(".h5")))
