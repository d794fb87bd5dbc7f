"""Other inputs than square RGB: every section works or says in words what does not apply."""

import keras
import numpy as np
import pytest
from keras import layers

import reportgen
from reportgen.analyses.feature_maps.depth import count_hits
from reportgen.battery import find_analysis

SAMPLES = 40
# Few and small pictures in the sections that this is not about.
BRIEF = {
    "optvis": {**find_analysis("optvis").options.tiny, "classes": 1},
    "loss_landscape": {
        "seconds": 600.0,  # what a loaded machine leaves out is no number
        "samples": 16,
        "points": 5,
        "planes": 1,
        "path_points": 5,
        "hessian_points": 5,
        "eigenvalues": 1,
        "products": 20,
        "density_starts": 2,
        "trace_draws": 2,
        "density_steps": 4,
        "ascents": 2,
    },
}


def stack(shape, *parts, dtype="float32"):
    inputs = keras.Input(shape, dtype=dtype)
    x = inputs
    for part in parts:
        x = part(x)
    return keras.Model(inputs, layers.Dense(3, activation="softmax", name="out")(x))


def conv(name, **settings):
    return layers.Conv2D(4, 3, activation="relu", name=name, **settings)


def build_transformer():
    """Sixteen patches of a picture, one block of attention and a perceptron."""
    inputs = keras.Input((16, 16, 3))
    x = layers.Conv2D(8, 4, strides=4, name="patches")(inputs)
    x = layers.Reshape((16, 8), name="tokens")(x)
    x = layers.Add(name="add1")([x, layers.MultiHeadAttention(2, 4, name="mha")(x, x)])
    x = layers.LayerNormalization(name="norm")(x)
    y = layers.Dense(8, name="down")(layers.Dense(12, "gelu", name="up")(x))
    x = layers.GlobalAveragePooling1D(name="pool")(layers.Add(name="add2")([x, y]))
    return keras.Model(inputs, layers.Dense(3, activation="softmax", name="out")(x))


MODELS = {
    "one channel": ((12, 12, 1), lambda: stack((12, 12, 1), conv("c"), layers.Flatten())),
    "no channel": (
        (12, 12),
        lambda: stack((12, 12), layers.Reshape((12, 12, 1)), conv("c"), layers.Flatten()),
    ),
    "five channels": (
        (12, 12, 5),
        lambda: stack((12, 12, 5), conv("c"), conv("d"), layers.Flatten()),
    ),
    "twenty channels": ((9, 9, 20), lambda: stack((9, 9, 20), conv("c"), layers.Flatten())),
    "tall": (
        (24, 10, 3),
        lambda: stack((24, 10, 3), conv("c"), layers.MaxPooling2D(), conv("d"), layers.Flatten()),
    ),
    "channels first": (
        (10, 14, 3),
        lambda: stack((3, 10, 14), conv("c", data_format="channels_first"), layers.Flatten()),
    ),
    "sequence": (
        (40, 3),
        lambda: stack(
            (40, 3),
            layers.Conv1D(6, 5, activation="relu", name="c"),
            layers.MaxPooling1D(2),
            layers.Conv1D(6, 3, activation="relu", name="d"),
            layers.GlobalAveragePooling1D(),
        ),
    ),
    "flattened sequence": (
        (40, 1),
        lambda: stack((40, 1), layers.Conv1D(6, 5, activation="relu", name="c"), layers.Flatten()),
    ),
    "vector": ((7,), lambda: stack((7,), layers.Dense(8, "tanh", name="h"))),
    "tokens": (
        "tokens",
        lambda: stack(
            (12,),
            layers.Embedding(20, 6, name="words"),
            layers.Conv1D(5, 3, activation="relu", name="c"),
            layers.GlobalMaxPooling1D(),
            dtype="int32",
        ),
    ),
    "transformer": ((16, 16, 3), build_transformer),
    "recurrent": (
        (15, 4),
        lambda: stack(
            (15, 4),
            layers.Bidirectional(layers.GRU(3, return_sequences=True), name="both"),
            layers.LSTM(5, name="last"),
        ),
    ),
    "volume": (
        (6, 8, 8, 2),
        lambda: stack(
            (6, 8, 8, 2),
            layers.Conv3D(4, 3, activation="relu", name="c"),
            layers.MaxPooling3D(2),
            layers.Flatten(),
        ),
    ),
}


# What the others show as well, or a sample of the house: with --all.
ALIKE = ("one channel", "flattened sequence", "twenty channels", "five channels")
# Each of these has blocks that no other has.
DRAWN = ("no channel", "sequence", "vector", "volume", "transformer")


def daily(names):
    return [pytest.param(n, marks=pytest.mark.matrix) if n in ALIKE else n for n in names]


def draw(shape):
    rng = np.random.default_rng(0)
    if shape == "tokens":
        return rng.integers(0, 20, (SAMPLES, 12))
    return rng.uniform(0, 1, (SAMPLES, *shape)).astype(np.float32)


@pytest.fixture(scope="module")
def audited():
    """``audited(name)``: the whole battery on that model, once."""
    done = {}

    def run(name):
        if name not in done:
            shape, build = MODELS[name]
            keras.utils.set_random_seed(1)
            labels = np.arange(SAMPLES) % 3
            done[name] = reportgen.audit(
                build(), draw(shape), labels, preset="quick", options=BRIEF
            )
        return done[name]

    return run


@pytest.fixture(scope="module")
def blocks(audited):
    """``blocks(name)``: those of the feature maps, by id without its beginning."""

    def collect(name):
        section = next(s for s in audited(name).sections if s.id == "feature_maps")
        return {block.id.split("-", 1)[1]: block for block in section.blocks}

    return collect


@pytest.mark.parametrize("name", daily(MODELS))
def test_every_section_is_done_and_every_check_answered(audited, name):
    report = audited(name)
    failed = [finding.message for finding in report.findings if finding.level == "error"]
    done = {s.id: s.status for s in report.sections}
    # Only pictures can be painted, and explained.
    assert done.pop("optvis") in ("done", "not_applicable")
    assert done.pop("attributions") in ("done", "not_applicable")
    assert set(done.values()) == {"done"}, failed
    assert not failed
    # Only the rest of a last row of units is no number: drawn as "no value".
    bad = [k for k, a in report.arrays.items() if a.dtype.kind == "f" and np.isnan(a).all()]
    assert not bad


@pytest.mark.parametrize("name", daily(DRAWN))
def test_every_section_is_drawn(audited, name):
    assert "feature_maps" in audited(name).to_html()


@pytest.mark.parametrize("name", daily(MODELS))
def test_pictures_are_of_finite_numbers(audited, name):
    arrays = audited(name).arrays
    kinds = ("excites", "attention", "channels", "input", "units")
    shown = {k: a for k, a in arrays.items() if k.split("/")[1].startswith(kinds)}
    assert not [key for key, a in shown.items() if not np.isfinite(a.astype(float)).all()]
    assert not [key for key, a in shown.items() if not a.size]


PICTURES = [
    "one channel",
    "no channel",
    "five channels",
    "twenty channels",
    "tall",
    "channels first",
    "transformer",
]


@pytest.mark.parametrize("name", daily(PICTURES))
def test_pictures_have_patches_paths_and_an_embedding(blocks, name):
    found = blocks(name)
    assert "absent" not in found
    assert {"path-0", "embedding", "depth-table", "units", "classes"} <= set(found)
    assert [id_ for id_ in found if id_.startswith("excites-0_")]


@pytest.mark.matrix
def test_a_picture_of_five_channels_shows_each(audited, blocks):
    assert audited("five channels").arrays["feature_maps/channels_0"].shape == (5, 12, 12)
    caption = blocks("five channels")["excites-0_c"].caption
    assert "The 5 channels are drawn one by one, in reading order; below, their mean." in caption
    assert (
        "The mean of the 20 channels is drawn." in blocks("twenty channels")["excites-0_c"].caption
    )


@pytest.mark.parametrize(("name", "shape"), [("tall", (24, 10)), ("channels first", (10, 14))])
def test_pictures_keep_their_sides(audited, blocks, name, shape):
    arrays = audited(name).arrays
    assert arrays["feature_maps/input_0"].shape == (1, *shape, 3)
    (maps,) = [a for key, a in arrays.items() if key.startswith("feature_maps/maps_0_0_c_after")]
    assert maps.shape == (4, shape[0] - 2, shape[1] - 2)
    assert "at most 3 × 3 pixels" in blocks(name)["excites-0_c"].caption


def test_a_sequence_has_stretches_and_a_tile_a_sample(audited, blocks):
    found = blocks("sequence")
    assert "absent" not in found
    assert "stretch of at most 5 steps" in found["excites-0_c"].caption
    # 5 steps, pooled by 2, then 3 of those: 5 + 1 + 2 * 2.
    assert "stretch of at most 10 steps" in found["excites-1_d"].caption
    assert "A tile is a sample" in found["units-0_c"].caption
    tiles = audited("sequence").arrays["feature_maps/units_0_c_after"]
    assert tiles.shape[1:] == (6, 36)


def test_a_vector_says_why_there_are_no_patches(blocks):
    found = blocks("vector")
    assert "A sample of 7 numbers has no positions" in found["absent"].caption
    assert not [id_ for id_ in found if id_.startswith(("excites", "path"))]
    assert "a column a unit" in found["units-0_h"].caption
    assert "embedding" in found


def test_tokens_are_read_by_their_embedding(blocks):
    found = blocks("tokens")
    assert [row[0] for row in found["units"].rows] == ["words", "c"]
    assert "A sample of 12 numbers has no positions" in found["absent"].caption
    assert "Embedding, 12 × 6. A tile is a sample" in found["units-0_words"].caption


def test_a_transformer_shows_where_its_heads_look(audited, blocks):
    found = blocks("transformer")
    assert [row[:2] for row in found["heads"].rows] == [("mha", 0), ("mha", 1)]
    assert audited("transformer").arrays["feature_maps/attention_0_mha_0"].shape == (2, 16, 16)
    assert "mha" in [row[1] for row in found["depth-table"].rows]


def test_recurrent_layers_are_shown_and_compared(blocks):
    found = blocks("recurrent")
    assert {"units-0_both", "units-1_last", "excites-0_both"} <= set(found)
    assert "by the 5 features of last" in found["embedding"].caption
    assert "no positions along the sample" in found["excites-1_last"].caption


def test_a_volume_is_counted_and_not_drawn(blocks):
    found = blocks("volume")
    assert "A sample of 6 × 8 × 8 × 2 numbers has more positions" in found["absent"].caption
    assert "three axes of positions are not drawn" in found["absent"].paragraphs[0]
    assert "c" in [row[0] for row in found["units"].rows]
    assert "by the 4 features of max_pooling3d" in found["embedding"].caption


def test_too_few_samples_say_so(audited):
    shape, build = MODELS["one channel"]
    report = reportgen.audit(build(), draw(shape)[:9], only=("feature_maps",), preset="quick")
    section = next(s for s in report.sections if s.id == "feature_maps")
    (absent,) = [block for block in section.blocks if block.id == "feature_maps-absent"]
    assert "takes 20 samples" in absent.caption
    levels = {finding.id: finding.level for finding in section.findings}
    assert levels["features.dead_channels"] == "not_applicable"


@pytest.mark.parametrize("value", [0.0, 0.1])
def test_a_layer_that_says_the_same_of_every_sample_tells_no_class(value):
    """scikit-learn refuses such features; a guess by the larger class is all there is."""
    classes = np.array([0] * 20 + [1] * 10)
    assert count_hits(np.full((30, 4), value), classes, 0) == 20
