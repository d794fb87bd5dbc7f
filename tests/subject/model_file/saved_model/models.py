"""Models whose SavedModel folders are hard to read in order: shared, nested, frozen layers."""

import numpy as np


def fill(model):
    generator = np.random.default_rng(3)
    for weight in model.weights:
        weight.assign(generator.integers(1, 99, weight.shape).astype(weight.dtype.as_numpy_dtype))
    return model


def build_sequential(k):
    inner = k.Sequential(
        [k.layers.RandomFlip(seed=1), k.layers.RandomRotation(0.1, seed=2)], name="augmentation"
    )
    model = k.Sequential(
        [
            k.Input((8, 8, 3)),
            inner,
            k.layers.Rescaling(1 / 255),
            k.layers.SeparableConv2D(4, 3, name="separable"),
            k.layers.BatchNormalization(name="norm"),
            k.layers.Flatten(),
            k.layers.Dropout(0.5, seed=3),
            k.layers.Dense(2, name="head"),
        ]
    )
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(np.ones((2, 8, 8, 3)), np.ones((2, 2)), verbose=0)
    return model


def build_functional(k):
    deep = k.Sequential([k.Input((6,)), k.layers.Dense(6, name="low")], name="deep")
    frozen = k.layers.BatchNormalization(name="frozen", trainable=False)
    inside = k.Input((6,))
    shared = k.Model(
        inside, frozen(k.layers.BatchNormalization(name="free")(deep(inside))), name="shared"
    )
    entry = k.Input((6,), name="entry")
    value = k.layers.Normalization(name="scaled")(entry)
    value = shared(shared(value))
    value = k.layers.Reshape((2, 3))(value)
    value = k.layers.MultiHeadAttention(1, 2, name="attention")(value, value)
    value = k.layers.Bidirectional(k.layers.LSTM(2), name="both")(value)
    return k.Model(entry, [k.layers.Dense(1, name="a")(value), k.layers.Dense(3, name="b")(value)])


def build_nested(k):
    """Order has to be found without the lists that tracing leaves behind, and with them."""
    low = k.Sequential([k.Input((5,)), k.layers.Dense(5, name="low")], name="lowest")
    frozen = k.layers.BatchNormalization(name="frozen", trainable=False)
    middle = k.Sequential([low, frozen, k.layers.BatchNormalization(name="free")], name="middle")
    off = k.Sequential([k.Input((5,)), k.layers.BatchNormalization()], name="off")
    off.trainable = False
    return k.Sequential([k.Input((5,)), middle, off, k.layers.Dense(1, name="last")])


# How to build each, and whether to save the functions of its layers: they take long to trace,
# and are no part of the weights.
BUILDERS = {
    "sequential": (build_sequential, True),
    "functional": (build_functional, False),
    "nested": (build_nested, False),
    "nested_traced": (build_nested, True),
}
