"""Networks in the words of Keras 1.2, and files as it wrote them."""

import json

import h5py


def layer(class_name, name, **config):
    return {"class_name": class_name, "config": {"name": name, "trainable": True, **config}}


CONVOLUTION = {
    "nb_filter": 4,
    "nb_row": 3,
    "nb_col": 2,
    "border_mode": "same",
    "subsample": [1, 1],
    "dim_ordering": "tf",
    "init": "glorot_uniform",
    "activation": "relu",
    "bias": True,
    "W_regularizer": {"name": "WeightRegularizer", "l1": 0.0, "l2": 0.01},
    "b_regularizer": None,
    "W_constraint": {"name": "MaxNorm", "m": 2, "axis": 0},
    "b_constraint": None,
    "activity_regularizer": None,
}
DENSE = {
    "output_dim": 5,
    "input_dim": 7,
    "init": "normal",
    "bias": True,
    "activation": "linear",
    "W_regularizer": None,
    "b_regularizer": None,
    "W_constraint": None,
    "b_constraint": None,
    "activity_regularizer": None,
}
LSTM = {
    "output_dim": 3,
    "input_dim": 4,
    "input_length": 6,
    "init": "glorot_uniform",
    "inner_init": "orthogonal",
    "forget_bias_init": "one",
    "activation": "tanh",
    "inner_activation": "hard_sigmoid",
    "return_sequences": False,
    "go_backwards": False,
    "stateful": False,
    "unroll": False,
    "consume_less": "cpu",
    "W_regularizer": None,
    "U_regularizer": None,
    "b_regularizer": None,
    "dropout_W": 0.1,
    "dropout_U": 0.2,
}
GRU = {key: value for key, value in LSTM.items() if key != "forget_bias_init"}
NORMALIZATION = {
    "mode": 0,
    "axis": 3,
    "epsilon": 0.001,
    "momentum": 0.99,
    "gamma_regularizer": None,
    "beta_regularizer": None,
    "beta_init": "zero",
    "gamma_init": "one",
}
INPUT = {"batch_input_shape": [None, 6, 5, 3], "input_dtype": "float32"}


def sequential(*layers):
    return {"class_name": "Sequential", "config": list(layers)}


def of(node, number):
    """The configuration of one layer of a network."""
    return node["config"]["layers"][number]["config"]


def built(config):
    """tf-keras builds what it reads as the dialect of Keras 2."""
    import tf_keras

    return tf_keras.models.model_from_json(json.dumps(config))


def predict(model, *inputs):
    return model.predict(list(inputs) if len(inputs) > 1 else inputs[0], verbose=0)


def write(path, config, arrays):
    """A file as Keras 1.2 wrote it: names of layers and weights, no backend."""
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = b"1.2.2"
        file.attrs["model_config"] = json.dumps(config).encode()
        root = file.create_group("model_weights")
        root.attrs["layer_names"] = [name.encode() for name in arrays]
        for name, values in arrays.items():
            group = root.create_group(name)
            names = [f"{name}_{part}".encode() for part in range(len(values))]
            group.attrs["weight_names"] = names
            for key, value in zip(names, values, strict=True):
                group[key.decode()] = value
    return path
