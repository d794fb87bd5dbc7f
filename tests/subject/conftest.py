"""Shared by the tests of the subject: images written by hand, and tiny models."""

import struct
import zlib
from types import SimpleNamespace

import numpy as np
import pytest


def _write_png(path, width, height, bits, colour, rows):
    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )
    return path


@pytest.fixture(scope="session")
def write_png():
    """A PNG written by hand: what Pillow's writer cannot, and no image library as oracle."""
    return _write_png


@pytest.fixture(scope="session")
def model_files(tmp_path_factory):
    """Paths of tiny saved models, built once: good ones, and with Lambda or a custom class."""
    import keras
    from keras import layers

    folder = tmp_path_factory.mktemp("models")

    class Odd(layers.Layer):
        def call(self, x):
            return x + 1

    def dense(*middle):
        model = keras.Sequential(
            [keras.Input((4, 4, 3)), layers.Flatten(), layers.Dense(2), *middle]
        )
        for weight in model.weights:
            weight.assign(np.full(weight.shape, 0.5, np.float32))
        return model

    inner = keras.Sequential(
        [keras.Input((2,)), layers.Lambda(lambda x: x * 2, name="doubler")], name="inner"
    )
    models = {
        "good": dense(),
        "lambda_": dense(layers.Lambda(lambda x: x * 2, name="doubler")),
        "nested": dense(inner),
        "custom": dense(Odd()),
    }
    models["good"].compile(keras.optimizers.SGD(0.25), "mse")
    paths = {}
    for name, model in models.items():
        for suffix in ("keras", "h5"):
            path = folder / f"{name}.{suffix}"
            model.save(path)
            paths[f"{name}_{suffix}".replace("__", "_")] = path
    paths["weights"] = folder / "only.weights.h5"
    models["good"].save_weights(paths["weights"])
    return SimpleNamespace(**paths)
