"""The honest networks. Keras is imported when one is built."""

from __future__ import annotations

from typing import Any

SHAPE = (8, 8, 3)


def _stack(*middle: Any, shape: tuple[Any, ...] = SHAPE, end: tuple[Any, ...] = ()) -> Any:
    import keras
    from keras import layers

    end = end or (layers.Flatten(), layers.Dense(3, activation="softmax"))
    return keras.Sequential([keras.Input(shape), *middle, *end])


def sequential() -> Any:
    """Convolution, normalisation, pooling, dense."""
    from keras import layers

    return _stack(
        layers.Conv2D(4, 3, activation="relu"),
        layers.BatchNormalization(),
        layers.MaxPooling2D(),
        layers.Dropout(0.2),
    )


def functional() -> Any:
    """Two branches that meet again."""
    import keras
    from keras import layers

    image = keras.Input(SHAPE, name="image")
    left = layers.Conv2D(4, 3, padding="same", activation="gelu")(image)
    right = layers.Conv2D(4, 1)(image)
    merged = layers.Add()([left, right])
    pooled = layers.GlobalAveragePooling2D()(layers.Concatenate()([merged, right]))
    return keras.Model(image, layers.Dense(3)(pooled))


def nested(depth: int) -> Any:
    """Models inside models."""
    import keras
    from keras import layers

    inner: Any = layers.Conv2D(3, 3, padding="same", activation="relu")
    for level in range(depth):
        inner = keras.Sequential([keras.Input(SHAPE), inner], name=f"level_{level}")
    return _stack(inner)


def shared() -> Any:
    """One layer and one model, each called twice."""
    import keras
    from keras import layers

    block = keras.Sequential([keras.Input(SHAPE), layers.Conv2D(3, 3, padding="same")])
    activation = layers.ReLU()
    image = keras.Input(SHAPE)
    x = activation(block(activation(block(image))))
    return keras.Model(image, layers.Dense(3)(layers.Flatten()(x)))


def several_inputs() -> Any:
    """Two inputs, two outputs."""
    import keras
    from keras import layers

    left, right = keras.Input(SHAPE, name="left"), keras.Input((4,), name="right")
    x = layers.Concatenate()([layers.Flatten()(left), right])
    return keras.Model([left, right], [layers.Dense(3)(x), layers.Dense(1)(x)])


def any_size() -> Any:
    """No fixed height and width."""
    from keras import layers

    end = (layers.GlobalMaxPooling2D(), layers.Dense(2))
    return _stack(layers.Conv2D(4, 3), shape=(None, None, 3), end=end)


def recurrent() -> Any:
    """Rows of an image as a sequence."""
    from keras import layers

    return _stack(
        layers.Reshape((8, 24)),
        layers.Bidirectional(layers.LSTM(4, return_sequences=True)),
        layers.GRU(4),
    )


def attention() -> Any:
    """Patches that look at each other."""
    import keras
    from keras import layers

    image = keras.Input(SHAPE)
    x = layers.Reshape((8, 24))(image)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 4)(x, x))
    return keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling1D()(x)))


def augmented() -> Any:
    """Augmentation inside, asleep when the model predicts."""
    from keras import layers

    return _stack(
        layers.RandomFlip("horizontal"),
        layers.RandomRotation(0.1),
        layers.RandomZoom(0.1),
        layers.RandomContrast(0.1),
        layers.GaussianNoise(0.1),
        layers.Conv2D(4, 3),
    )


def wrapped() -> Any:
    """Layers inside wrappers."""
    from keras import layers

    return _stack(
        layers.SpectralNormalization(layers.Conv2D(4, 3)),
        layers.TimeDistributed(layers.Dense(3, activation="tanh")),
    )


def rescaled() -> Any:
    """Preprocessing inside."""
    from keras import layers

    scale = layers.Rescaling(1 / 127.5, offset=-1)
    return _stack(scale, layers.Resizing(6, 6), layers.CenterCrop(4, 4))


def with_objects() -> Any:
    """Initializers, regularizers and constraints with settings of their own."""
    from keras import constraints, initializers, layers, regularizers

    settings = {
        "kernel_initializer": initializers.HeNormal(seed=1),
        "bias_initializer": initializers.Constant(0.5),
        "kernel_regularizer": regularizers.L1L2(0.1, 0.2),
        "activity_regularizer": regularizers.L2(0.1),
        "kernel_constraint": constraints.MaxNorm(2, axis=[0, 1, 2]),
        "bias_constraint": constraints.NonNeg(),
    }
    return _stack(layers.Conv2D(4, 3, **settings))


def activation_layers() -> Any:
    """Activations as layers, by function and by name."""
    import keras
    from keras import layers

    return _stack(
        layers.Conv2D(4, 3, activation=layers.LeakyReLU(negative_slope=0.2)),
        layers.PReLU(),
        layers.Activation(keras.activations.silu),
        layers.Dense(4, activation=keras.ops.tanh),
        layers.ELU(),
    )


def mixed() -> Any:
    """Half precision inside."""
    from keras import layers

    half = "mixed_float16"
    return _stack(layers.Conv2D(4, 3, dtype=half), layers.Activation("relu", dtype=half))


def operations() -> Any:
    """Operations written as arithmetic, not as layers."""
    import keras
    from keras import layers, ops

    image = keras.Input(SHAPE)
    x = image * 2 + 1
    x = ops.relu(x[:, ::2, 1:, ...] - 0.5)
    x = ops.concatenate([x, -x], axis=-1)
    x = ops.reshape(x, (-1, 4 * 7 * 6)) / ops.convert_to_tensor(3.0)
    return keras.Model(image, layers.Dense(3)(x))


def zeros() -> Any:
    """Four million zeros, which any zip packs a thousand to one."""
    from keras import layers

    model = _stack(
        layers.Flatten(), layers.Dense(20_000, kernel_initializer="zeros"), end=(layers.Dense(3),)
    )
    model.layers[-1].kernel.assign(model.layers[-1].kernel * 0)
    return model


def odd_names() -> Any:
    """Words that alarm, as far as TensorFlow takes them for a name."""
    from keras import layers

    return _stack(
        layers.Conv2D(4, 3, name="os.system"),
        layers.ReLU(name="..-up"),
        layers.ReLU(name="builtins.eval"),
        layers.ReLU(name="write_file"),
        layers.ReLU(name="x__lambda__"),
    )


def named_lambda() -> Any:
    """Layers that are called Lambda and are none."""
    from keras import layers

    activations = [layers.ReLU(name=name) for name in ("Lambda", "TFSMLayer")]
    return _stack(layers.Conv2D(4, 3, name="lambda"), *activations)


def many_layers() -> Any:
    """200 small layers."""
    from keras import layers

    dense = [layers.Dense(4) for _ in range(200)]
    return _stack(layers.Flatten(), *dense, end=(layers.Dense(3),))


def trained() -> Any:
    """Compiled and trained: the state of the optimizer is in the file."""
    import numpy as np

    model = sequential()
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    rng = np.random.default_rng(0)
    model.fit(rng.random((8, *SHAPE)), np.eye(3)[rng.integers(0, 3, 8)], epochs=2, verbose=0)
    return model


def own_loss() -> Any:
    """Compiled with a function of the author's: it is not needed to predict."""
    model = sequential()

    def own(y: Any, p: Any) -> Any:
        return (y - p) ** 2

    model.compile("sgd", own)
    return model


def listed_vocabulary() -> Any:
    """A vocabulary that stands in the file itself."""
    import keras
    from keras import layers

    image = keras.Input(SHAPE)
    bins = layers.Discretization(bin_boundaries=[0.3, 0.6])(layers.Flatten()(image))
    words = layers.IntegerLookup(vocabulary=[0, 1, 2], vocabulary_dtype="int64")(bins)
    return keras.Model(image, layers.Dense(3)(layers.Rescaling(0.5)(words)))


def larger_maps() -> Any:
    """Layers that enlarge, within reason."""
    from keras import layers

    return _stack(
        layers.ZeroPadding2D(4),
        layers.UpSampling2D(4),
        layers.Conv2DTranspose(2, 3, strides=2),
        end=(layers.GlobalAveragePooling2D(), layers.RepeatVector(5), layers.Flatten()),
    )


def separable() -> Any:
    """Convolutions in two steps."""
    from keras import layers

    return _stack(
        layers.SeparableConv2D(4, 3, depth_multiplier=2),
        layers.DepthwiseConv2D(3, padding="same"),
        layers.GroupNormalization(2),
        layers.SpatialDropout2D(0.1),
        layers.Permute((2, 1, 3)),
    )


def not_a_number() -> Any:
    """A weight that went wrong in training."""
    model = sequential()
    model.layers[-1].bias.assign([float("nan"), 0.0, 1.0])
    return model


def quantized() -> Any:
    """Weights of eight bits."""
    from keras import layers

    model = _stack(layers.Flatten(), layers.Dense(8))
    model.quantize("int8")
    return model
