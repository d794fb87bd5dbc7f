"""Which stored array is which weight: by names, then by numbers, then by shapes, or not at all."""

import itertools

import h5py
import numpy as np
import pytest

from reportgen.errors import InputError
from reportgen.subject.model_file import identify
from reportgen.subject.model_file.building.naming import (
    Named,
    assign,
    contradicts,
    pair_names,
    word_of,
)
from reportgen.subject.model_file.opening import open_model

SMALL, LARGE = ((3, 3, 4, 4), (4,)), ((3, 3, 8, 8), (8,))


# Names of layers.


PAIRED = {
    "equal names": (
        {"a": SMALL, "b": SMALL, "c": SMALL},
        {"a": SMALL, "b": SMALL, "c": SMALL},
        {"a": "a", "b": "b", "c": "c"},
    ),
    "numbers of another session": (
        {"conv2d": SMALL, "conv2d_1": SMALL},
        {"conv2d_7": SMALL, "conv2d_9": SMALL},
        {"conv2d": "conv2d_7", "conv2d_1": "conv2d_9"},
    ),
    "nine comes before ten": (
        {"conv2d": SMALL, "conv2d_1": SMALL, "conv2d_2": SMALL},
        {"conv2d_9": SMALL, "conv2d_10": SMALL, "conv2d_11": SMALL},
        {"conv2d": "conv2d_9", "conv2d_1": "conv2d_10", "conv2d_2": "conv2d_11"},
    ),
    "numbers that overlap": (
        {"conv2d": SMALL, "conv2d_1": SMALL, "conv2d_2": SMALL},
        {"conv2d_1": SMALL, "conv2d_2": SMALL, "conv2d_3": SMALL},
        {"conv2d": "conv2d_1", "conv2d_1": "conv2d_2", "conv2d_2": "conv2d_3"},
    ),
    "two classes counted up": (
        {"conv2d": SMALL, "dense": SMALL, "conv2d_1": SMALL, "dense_1": SMALL},
        {"conv2d_2": SMALL, "conv2d_3": SMALL, "dense_5": SMALL, "dense_6": SMALL},
        {"conv2d": "conv2d_2", "conv2d_1": "conv2d_3", "dense": "dense_5", "dense_1": "dense_6"},
    ),
    "numbers whose order the shapes deny": (
        {"conv2d": SMALL, "conv2d_1": LARGE},
        {"conv2d_7": LARGE, "conv2d_9": SMALL},
        {"conv2d": "conv2d_9", "conv2d_1": "conv2d_7"},
    ),
    "numbers on the way": (
        {"block/conv2d": SMALL, "block/conv2d_1": SMALL},
        {"block_3/conv2d_7": SMALL, "block_3/conv2d_8": SMALL},
        {"block/conv2d": "block_3/conv2d_7", "block/conv2d_1": "block_3/conv2d_8"},
    ),
    "other names of other shapes": (
        {"head": SMALL, "stem": LARGE},
        {"classes": SMALL, "entry": LARGE},
        {"head": "classes", "stem": "entry"},
    ),
    "one name that is new": (
        {"a": SMALL, "b": SMALL, "new": SMALL},
        {"a": SMALL, "b": SMALL, "old": SMALL},
        {"a": "a", "b": "b", "new": "old"},
    ),
    "more in the file": ({"a": SMALL}, {"b": LARGE, "a": SMALL, "c": SMALL}, {"a": "a"}),
}


@pytest.mark.parametrize("case", PAIRED)
def test_names_are_paired_in_whatever_order_the_file_has_them(case):
    wanted, stored, known = PAIRED[case]
    for order in itertools.permutations(stored):
        assert pair_names(wanted, {name: stored[name] for name in order}) == known
    for order in itertools.permutations(wanted):
        assert pair_names({name: wanted[name] for name in order}, stored) == known


@pytest.mark.parametrize(
    ("wanted", "stored", "said"),
    [
        ({"a": SMALL, "b": SMALL}, {"c": SMALL, "d": SMALL}, "a and b have the same shapes"),
        ({"a": SMALL}, {"c": SMALL, "d": SMALL}, "c and d have the same shapes"),
        ({"a": SMALL, "b": SMALL}, {"c": SMALL}, "a and b have the same shapes"),
        (
            {"conv2d": SMALL, "conv2d_1": SMALL},
            {"conv2d_7": SMALL, "conv2d_8": SMALL, "conv2d_9": SMALL},
            "conv2d and conv2d_1 have the same shapes",
        ),
        ({"a": SMALL, "b": SMALL, "k": LARGE}, {"k": LARGE, "c": SMALL, "d": SMALL}, "a and b"),
    ],
)
def test_where_two_fit_nothing_is_guessed(wanted, stored, said):
    with pytest.raises(InputError, match=said) as caught:
        pair_names(wanted, stored)
    assert "does not say which weights are which" in str(caught.value)
    assert "Give with --architecture the network whose layers are named" in str(caught.value)


@pytest.mark.parametrize(("stored"), [{}, {"other": LARGE}])
def test_what_the_file_does_not_hold_is_named(stored):
    with pytest.raises(InputError, match=r"has no weights for head\. It may be cut off"):
        pair_names({"head": SMALL}, stored)


# Arrays of one layer, which may be a whole model.


def named(*pairs):
    return [Named(name, shape) for name, shape in pairs]


def conv(name, *, end="", size=4):
    return named((f"{name}/kernel{end}", (3, 3, size, size)), (f"{name}/bias{end}", (size,)))


def norm(name, *, end=""):
    words = ("gamma", "beta", "moving_mean", "moving_variance")
    return named(*((f"{name}/{word}{end}", (4,)) for word in words))


def cell(name, *, end="", gates=12):
    return named(
        (f"{name}/kernel{end}", (4, gates)),
        (f"{name}/recurrent_kernel{end}", (4, gates)),
        (f"{name}/bias{end}", (gates,)),
    )


OF_A_LAYER = {
    "a convolution": (conv("c"), conv("c", end=":0")),
    "a convolution of another name": (conv("c"), conv("x/y", end=":0")),
    "a normalisation": (norm("n"), norm("n", end=":0")),
    "names that TensorFlow counted": (norm("n"), norm("n", end="_3:0")),
    "two layers": (
        conv("model/first") + conv("model/second"),
        conv("first", end=":0") + conv("second", end=":0"),
    ),
    "layers and normalisations": (
        conv("model/a") + norm("model/b") + conv("model/c") + norm("model/d"),
        conv("a", end=":0") + norm("b", end=":0") + conv("c", end=":0") + norm("d", end=":0"),
    ),
    "numbers of another session": (
        conv("conv2d") + conv("conv2d_1"),
        conv("conv2d_7", end=":0") + conv("conv2d_9", end=":0"),
    ),
    "other names of other shapes": (
        conv("a") + conv("b", size=8),
        conv("x", end=":0") + conv("y", size=8, end=":0"),
    ),
    "the cell of a recurrent layer": (cell("lstm/lstm_cell"), cell("lstm_3/lstm_cell_7", end=":0")),
    "no cell in the file": (cell("lstm/lstm_cell"), cell("lstm", end=":0")),
    "no cell in the network": (cell("gru"), cell("gru/gru_cell", end=":0")),
    "two recurrent layers": (
        cell("m/gru/gru_cell") + cell("m/gru_1/gru_cell"),
        cell("gru_4/gru_cell_8", end=":0") + cell("gru_5/gru_cell_9", end=":0"),
    ),
    "both ways": (
        cell("bidirectional/forward_lstm/lstm_cell")
        + cell("bidirectional/backward_lstm/lstm_cell"),
        cell("bidirectional_2/forward_lstm_2/lstm_cell_7", end=":0")
        + cell("bidirectional_2/backward_lstm_2/lstm_cell_8", end=":0"),
    ),
    "both ways of old": (
        cell("bidirectional/forward_gru/gru_cell") + cell("bidirectional/backward_gru/gru_cell"),
        cell("bidirectional/forward_gru", end=":0") + cell("bidirectional/backward_gru", end=":0"),
    ),
    "two cells of one layer": (
        cell("rnn/lstm_cell") + cell("rnn/lstm_cell_1"),
        cell("rnn/lstm_cell_4", end=":0") + cell("rnn/lstm_cell_5", end=":0"),
    ),
    "attention": (
        [
            weight
            for part in ("query", "key", "value", "attention_output")
            for weight in named((f"look/{part}/kernel", (4, 2, 4)), (f"look/{part}/bias", (2, 4)))
        ],
        [
            weight
            for part in ("query", "key", "value", "attention_output")
            for weight in named(
                (f"look_1/{part}/kernel:0", (4, 2, 4)), (f"look_1/{part}/bias:0", (2, 4))
            )
        ],
    ),
}


def shuffles(count):
    """Every order of up to five; some of more."""
    if count <= 5:
        yield from itertools.permutations(range(count))
        return
    rng = np.random.default_rng(0)
    yield tuple(reversed(range(count)))
    yield from (tuple(rng.permutation(count)) for _ in range(40))


@pytest.mark.parametrize("case", OF_A_LAYER)
def test_arrays_find_their_weights_in_whatever_order_they_are_stored(case):
    """``stored[i]`` belongs to ``wanted[i]``."""
    wanted, stored = OF_A_LAYER[case]
    assert assign(wanted, stored) == list(range(len(wanted)))
    for order in shuffles(len(stored)):
        places = assign(wanted, [stored[i] for i in order])
        assert [order[place] for place in places] == list(range(len(wanted)))


@pytest.mark.parametrize(
    ("wanted", "stored"),
    [
        (conv("a") + conv("b"), conv("x") + conv("y")),
        (cell("m/gru") + cell("m/other"), cell("x") + cell("y")),
        # One owner, whose arrays have words that nobody knows and equal shapes.
        (named(("d/u", (4,)), ("d/u", (4,))), named(("d/x", (4,)), ("d/y", (4,)))),
    ],
)
def test_arrays_that_could_be_each_others_are_refused(wanted, stored):
    with pytest.raises(InputError, match="does not say which weights are which"):
        assign(wanted, stored)


def test_words_that_nobody_knows_go_in_their_order():
    wanted, stored = conv("a"), named(("a/w:0", (3, 3, 4, 4)), ("a/b:0", (4,)))
    assert assign(wanted, stored) == [0, 1]


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("a/b/kernel:0", "kernel"),
        ("kernel", "kernel"),
        ("n/moving_mean_3:0", "moving_mean"),
        ("conv2d_7/bias", "bias"),
        ("a_1/depthwise_kernel_12:1", "depthwise_kernel"),
    ],
)
def test_the_last_word_of_a_name(name, word):
    assert word_of(name) == word


@pytest.mark.parametrize(
    ("one", "other", "known"),
    [
        ("a/kernel", "b/kernel:0", False),
        ("a/kernel", "a/bias:0", True),
        ("a/gamma", "a/moving_mean", True),
        ("a/kernel", "a/w:0", False),
        ("a/u", "a/v", False),
    ],
)
def test_two_known_words_that_differ_are_two_weights(one, other, known):
    assert contradicts(Named(one, (4,)), Named(other, (4,))) is known
    assert contradicts(Named(other, (4,)), Named(one, (4,))) is known


# Whole files: a model in a model, some of it frozen when it was saved.


def network(inside, frozen=(), names=None):
    """Convolutions and normalisations of equal shapes in a nested model, as ``inside`` lists."""
    import keras
    from keras import layers

    start = h = keras.Input((6, 6, 4), name="maps")
    for name, kind in inside.items():
        called = (names or {}).get(name, name)
        if kind == "conv":
            layer = layers.Conv2D(4, 3, padding="same", activation="tanh", name=called)
        else:
            layer = layers.BatchNormalization(name=called)
        layer.trainable = name not in frozen
        h = layer(h)
    inner = keras.Model(start, h, name="backbone")
    picture = keras.Input((6, 6, 3), name="picture")
    h = inner(layers.Conv2D(4, 3, padding="same", name="stem")(picture))
    h = layers.Flatten(name="flat")(h)
    return keras.Model(picture, layers.Dense(3, activation="softmax", name="classes")(h))


def shake(model):
    rng = np.random.default_rng(5)
    for weight in model.weights:
        values = rng.normal(0, 0.5, weight.shape)
        weight.assign(np.abs(values) + 0.3 if "variance" in weight.path else values)
    return model


def stored_order(layer):
    """As Keras 2 lists the weights of a layer: what is frozen comes last."""
    return [*layer.trainable_weights, *layer.non_trainable_weights]


def save_weights(model, path):
    """As ``save_weights`` of Keras 2 wrote them into HDF5."""
    with h5py.File(path, "w") as file:
        file.attrs["backend"], file.attrs["keras_version"] = "tensorflow", "2.4.0"
        file.attrs["layer_names"] = [layer.name.encode() for layer in model.layers]
        for layer in model.layers:
            group = file.create_group(layer.name)
            found = stored_order(layer)
            names = ["/".join(weight.path.split("/")[-2:]) + ":0" for weight in found]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, weight in zip(names, found, strict=True):
                group.create_dataset(name, data=weight.numpy())


def opened(folder, saved, architecture):
    save_weights(saved, folder / "weights.h5")
    (folder / "network.json").write_text(architecture.to_json())
    file = identify(folder / "weights.h5", architecture=folder / "network.json")
    return open_model(file)


X = np.random.default_rng(1).normal(size=(5, 6, 6, 3)).astype(np.float32)
TWO = {"first": "conv", "second": "conv"}
THREE = {"a": "conv", "b": "conv", "c": "conv"}
MIXED = {"a": "conv", "b": "norm", "c": "conv", "d": "norm"}
FROZEN = {
    "the first of two": (TWO, ["first"]),
    "the first two of three": (THREE, ["a", "b"]),
    "the outer two of three": (THREE, ["a", "c"]),
    "a convolution before a normalisation": (MIXED, ["a"]),
    "a normalisation": (MIXED, ["b"]),
    "a convolution and a normalisation": (MIXED, ["a", "b"]),
    "both normalisations": (MIXED, ["b", "d"]),
}


def answers(model):
    return np.asarray(model(X, training=False))


@pytest.mark.parametrize("case", FROZEN)
def test_what_was_frozen_does_not_change_what_is_loaded(case, tmp_path):
    inside, frozen = FROZEN[case]
    original = shake(network(inside, frozen))
    loaded = opened(tmp_path, original, network(inside))
    np.testing.assert_array_equal(answers(loaded), answers(original))
    backbone = loaded.get_layer("backbone")
    for weight in backbone.weights:
        (known,) = (w for w in original.get_layer("backbone").weights if w.path == weight.path)
        np.testing.assert_array_equal(weight.numpy(), known.numpy())


@pytest.mark.parametrize("case", ["the first of two", "the first two of three"])
def test_the_order_of_the_file_alone_would_be_wrong(case, tmp_path):
    """Otherwise the tests above would show nothing."""
    inside, frozen = FROZEN[case]
    original, other = shake(network(inside, frozen)), shake(network(inside))
    theirs, ours = (stored_order(m.get_layer("backbone")) for m in (original, other))
    for weight, value in zip(ours, [weight.numpy() for weight in theirs], strict=True):
        weight.assign(value)
    assert np.abs(answers(other) - answers(original)).max() > 0.01


@pytest.mark.parametrize("case", FROZEN)
def test_layers_that_were_counted_up_in_another_session(case, tmp_path):
    inside, frozen = FROZEN[case]
    bases = {"conv": "conv2d", "norm": "batch_normalization"}
    ours, theirs, seen = {}, {}, {"conv": 0, "norm": 0}
    for name, kind in inside.items():
        number = seen[kind]
        seen[kind] += 1
        ours[name] = f"{bases[kind]}_{number}" if number else bases[kind]
        theirs[name] = f"{bases[kind]}_{9 + number}"
    original = shake(network(inside, frozen, theirs))
    loaded = opened(tmp_path, original, network(inside, names=ours))
    np.testing.assert_array_equal(answers(loaded), answers(original))


def test_numbers_that_overlap_go_by_their_order(tmp_path):
    """The script that rebuilds the network made one layer less before it."""
    original = shake(network(THREE, (), {"a": "conv2d_1", "b": "conv2d_2", "c": "conv2d_3"}))
    rebuilt = network(THREE, (), {"a": "conv2d", "b": "conv2d_1", "c": "conv2d_2"})
    loaded = opened(tmp_path, original, rebuilt)
    np.testing.assert_array_equal(answers(loaded), answers(original))


def test_names_of_which_nothing_is_known_are_refused_in_words(tmp_path):
    original = shake(network(TWO, ["first"]))
    renamed = network(TWO, (), {"first": "alpha", "second": "beta"})
    with pytest.raises(InputError, match="does not say which weights are which") as caught:
        opened(tmp_path, original, renamed)
    said = str(caught.value)
    assert said.startswith(f"{tmp_path / 'weights.h5'} does not say which")
    assert "alpha and beta have the same shapes" in said
    assert "(second, first)" in said or "(first, second)" in said
    assert said.endswith(
        "Give with --architecture the network whose layers are named as in the file."
    )


def test_one_name_of_which_nothing_is_known_is_the_one_that_is_left(tmp_path):
    original = shake(network(TWO, ["first"]))
    loaded = opened(tmp_path, original, network(TWO, (), {"first": "alpha"}))
    np.testing.assert_array_equal(answers(loaded), answers(original))


@pytest.mark.parametrize("case", ["the first of two", "a convolution and a normalisation"])
def test_a_whole_file_that_says_what_is_frozen(case, tmp_path):
    inside, frozen = FROZEN[case]
    original = shake(network(inside, frozen))
    original.save(tmp_path / "net.h5")
    loaded = open_model(identify(tmp_path / "net.h5"))
    np.testing.assert_array_equal(answers(loaded), answers(original))


def test_weights_of_another_network_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"do not fit layer backbone: it needs 6 .* has 4"):
        opened(tmp_path, shake(network(TWO)), network(THREE))


# Weights of Keras 3, which go by the order of the layers with Keras itself.


def row(*names):
    """Dense layers of equal shapes behind each other."""
    import keras

    h = start = keras.Input((4,), name="numbers")
    for name in names:
        h = keras.layers.Dense(4, activation="tanh", name=name)(h)
    return keras.Model(start, h)


def beside(first, second):
    """Two such layers beside each other, made in this order; ``a`` and ``b`` count differently."""
    import keras

    start = keras.Input((4,), name="numbers")
    made = {name: keras.layers.Dense(4, name=name)(start) for name in (first, second)}
    return keras.Model(start, keras.layers.Subtract(name="both")([made["a"], made["b"]]))


NUMBERS = np.random.default_rng(2).normal(size=(5, 4)).astype(np.float32)


def check_weights_of_keras_3(saved, rebuilt, folder):
    shake(saved).save_weights(folder / "net.weights.h5")
    (folder / "network.json").write_text(rebuilt.to_json())
    file = identify(folder / "net.weights.h5", architecture=folder / "network.json")
    found, known = (np.asarray(model(NUMBERS)) for model in (open_model(file), saved))
    np.testing.assert_array_equal(found, known)


@pytest.mark.parametrize(
    ("then", "now"),
    [
        (["dense", "dense_1", "dense_2"], ["dense", "dense_1", "dense_2"]),
        (["dense_5", "dense_6", "dense_7"], ["dense", "dense_1", "dense_2"]),
        (["dense_9", "dense_10", "dense_11"], ["dense", "dense_1", "dense_2"]),
        (["dense_1", "dense_2", "dense_3"], ["dense", "dense_1", "dense_2"]),
        (["dense", "dense_1"], ["dense_1", "dense_2"]),
    ],
)
def test_weights_of_keras_3_from_another_session(then, now, tmp_path):
    saved, rebuilt = row(*then), row(*now)
    check_weights_of_keras_3(saved, rebuilt, tmp_path)
    rebuilt.load_weights(tmp_path / "net.weights.h5")  # and Keras says the same
    np.testing.assert_array_equal(np.asarray(rebuilt(NUMBERS)), np.asarray(saved(NUMBERS)))


@pytest.mark.parametrize(("first", "second"), [("a", "b"), ("b", "a")])
def test_weights_of_keras_3_for_layers_that_were_made_in_another_order(first, second, tmp_path):
    check_weights_of_keras_3(beside("a", "b"), beside(first, second), tmp_path)


@pytest.mark.parametrize("depth", [1, 2])
def test_layers_inside_timedistributed_go_by_their_names_too(depth, tmp_path):
    import keras

    def wrapped(first, second):
        inner, shape = beside(first, second), (4,)
        for _ in range(depth):
            shape = (2, *shape)
            start = keras.Input(shape, name="steps")
            inner = keras.Model(start, keras.layers.TimeDistributed(inner, name="each")(start))
        return inner

    saved, rebuilt = shake(wrapped("a", "b")), wrapped("b", "a")
    saved.save_weights(tmp_path / "net.weights.h5")
    (tmp_path / "network.json").write_text(rebuilt.to_json())
    file = identify(tmp_path / "net.weights.h5", architecture=tmp_path / "network.json")
    steps = np.random.default_rng(3).normal(size=(3, *[2] * depth, 4)).astype(np.float32)
    found, known = (np.asarray(model(steps)) for model in (open_model(file), saved))
    np.testing.assert_array_equal(found, known)


def test_weights_of_a_layer_that_the_network_does_not_have_are_refused(tmp_path):
    saved, rebuilt = shake(row("a", "b", "out")), row("a", "out")
    with pytest.raises(InputError, match="weights of layer b, which the network does not have"):
        opened(tmp_path, saved, rebuilt)
    saved.save_weights(tmp_path / "net.weights.h5")
    file = identify(tmp_path / "net.weights.h5", architecture=tmp_path / "network.json")
    with pytest.raises(InputError, match="which the network does not have"):
        open_model(file)
