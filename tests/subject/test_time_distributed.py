"""A model inside TimeDistributed is looked into: its layers are called once, with all the steps.

The oracle is the inner model of Keras, called on one frame after the other.
"""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import layers, ops

from reportgen.subject.census import take_census
from reportgen.subject.flops import count_flops
from reportgen.subject.inputs import scales_inside
from reportgen.subject.layers import contained
from reportgen.subject.model_file import identify, open_model
from reportgen.subject.probe import Probe, Tap

SIDE, FRAMES = 8, 4


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(4)


def draw(*shape):
    return np.random.default_rng(9).normal(size=shape).astype(np.float32)


def frames(*first):
    """A small network for pictures (8, 8, 1), with statistics unlike those of a new one."""
    made = keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 1)),
            *first,
            layers.Conv2D(3, 3, activation="tanh", name="conv"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(name="act"),
            layers.GlobalAveragePooling2D(name="pool"),
        ],
        name="frames",
    )
    rng = np.random.default_rng(7)
    gamma, beta, mean, variance = (rng.uniform(0.5, 1.5, 3) for _ in range(4))
    made.get_layer("norm").set_weights([gamma, beta, mean - 1, variance])
    made.get_layer("conv").bias.assign(rng.normal(size=3))
    return made


def each(inner, name="each_frame"):
    return layers.TimeDistributed(inner, name=name)


def film(inner, *, batch=None, length=FRAMES):
    start = keras.Input(batch_shape=(batch, length, SIDE, SIDE, 1))
    h = layers.LSTM(4, name="memory")(each(inner)(start))
    return keras.Model(start, layers.Dense(3, activation="softmax", name="head")(h))


def clips(inner):
    """Frames of clips of a film: a wrapper in a wrapper."""
    start = keras.Input((2, FRAMES, SIDE, SIDE, 1))
    h = layers.Flatten(name="flat")(each(each(inner), "each_clip")(start))
    return keras.Model(start, layers.Dense(3, name="head")(h))


def frame_by_frame(inner, name, x):
    """What a layer of the inner model makes: ``(n, frames, ...)`` of ``(n, frames, h, w, 1)``."""
    cut = keras.Model(inner.inputs[0], inner.get_layer(name).output)
    return np.stack([np.asarray(cut(x[:, step], training=False)) for step in range(x.shape[1])], 1)


NAMES = ["conv", "norm", "act", "pool"]
INSIDE = [f"each_frame/frames/{name}" for name in NAMES]


def test_layers_have_addresses_through_the_wrapper():
    calls = Probe(film(frames()), (FRAMES, SIDE, SIDE, 1)).calls
    assert [call.address for call in calls] == [*INSIDE, "memory", "head"]
    assert [call.inputs for call in calls] == [(-1,), (0,), (1,), (2,), (3,), (4,)]
    assert [call.output_shape for call in calls[:4]] == [
        *[(None, FRAMES, 6, 6, 3)] * 3,
        (None, FRAMES, 3),
    ]
    assert [call.channel_axis for call in calls[:4]] == [4, 4, 4, 2]
    assert all(call.per_sample for call in calls)


@pytest.mark.parametrize(("batch", "length"), [(None, FRAMES), (2, FRAMES), (None, None)])
def test_activations_are_those_of_the_inner_model_frame_by_frame(batch, length):
    inner, x = frames(), draw(5, FRAMES, SIDE, SIDE, 1)
    model = film(inner, batch=batch, length=length)
    probe = Probe(model, (FRAMES, SIDE, SIDE, 1))
    taps = [Tap(address) for address in INSIDE]
    (said,), seen = probe.activations(x, [*taps, Tap(INSIDE[0], "before")])
    for tap, name in zip(taps, NAMES, strict=True):
        known = frame_by_frame(inner, name, x)
        np.testing.assert_allclose(seen[tap], known, atol=1e-6)
        assert np.ptp(known, axis=1).max() > 0.01  # no frame is like the next
    before = seen[Tap(INSIDE[0], "before")]
    np.testing.assert_allclose(np.tanh(before), seen[taps[0]], atol=1e-6)
    known = model.predict(np.resize(x, (6, *x.shape[1:])), batch_size=2, verbose=0)[:5]
    np.testing.assert_allclose(said, known, atol=1e-6)


def test_a_wrapper_in_a_wrapper():
    inner, x = frames(), draw(3, 2, FRAMES, SIDE, SIDE, 1)
    model = clips(inner)
    probe = Probe(model, x.shape[1:])
    inside = [f"each_clip/{address}" for address in INSIDE]
    assert [call.address for call in probe.calls] == [*inside, "flat", "head"]
    (said,), seen = probe.activations(x, [Tap(address) for address in inside])
    for address, name in zip(inside, NAMES, strict=True):
        known = np.stack([frame_by_frame(inner, name, x[:, clip]) for clip in range(2)], 1)
        assert seen[Tap(address)].shape == known.shape
        np.testing.assert_allclose(seen[Tap(address)], known, atol=1e-6)
    np.testing.assert_allclose(said, model.predict(x, verbose=0), atol=1e-6)


def test_an_inner_model_that_is_called_on_its_own_too():
    inner, x = frames(), draw(3, FRAMES, SIDE, SIDE, 1)
    start = keras.Input(x.shape[1:])
    both = [layers.Flatten(name="flat")(each(inner)(start)), inner(start[:, 0])]
    model = keras.Model(start, layers.Concatenate(name="both")(both))
    probe = Probe(model, x.shape[1:])
    alone = [f"frames/{name}" for name in NAMES]
    assert {*INSIDE, *alone} < {call.address for call in probe.calls}
    (said,), seen = probe.activations(x, [Tap(INSIDE[0]), Tap(alone[0])])
    known = frame_by_frame(inner, "conv", x)
    np.testing.assert_allclose(seen[Tap(INSIDE[0])], known, atol=1e-6)
    np.testing.assert_allclose(seen[Tap(alone[0])], known[:, 0], atol=1e-6)
    np.testing.assert_allclose(said, model.predict(x, verbose=0), atol=1e-6)


def test_a_branch_inside_of_each_frame():
    start = keras.Input((SIDE, SIDE, 1))
    a, b = (layers.Conv2D(2, 3, padding="same", name=name)(start) for name in "ab")
    inner = keras.Model(start, layers.Flatten(name="flat")(ops.maximum(a, b)), name="branched")
    x = draw(3, FRAMES, SIDE, SIDE, 1)
    probe = Probe(film(inner), x.shape[1:])
    calls = probe.calls[:4]
    assert [call.inputs for call in calls] == [(-1,), (-1,), (0, 1), (2,)]
    _, seen = probe.activations(x, [Tap(call.address) for call in calls])
    known = np.maximum(*(frame_by_frame(inner, name, x) for name in "ab"))
    np.testing.assert_allclose(seen[Tap(calls[2].address)], known, atol=1e-6)


def test_a_wrapped_layer_that_is_no_model_is_one_call():
    model = keras.Sequential(
        [keras.Input((FRAMES, 6)), each(layers.Dense(3, activation="relu")), layers.Flatten()]
    )
    assert contained(model.layers[0]) is None
    assert next(call.address for call in Probe(model, (FRAMES, 6)).calls) == "each_frame"


def test_with_a_mask_the_wrapper_is_one_call():
    """Keras goes step by step then, and leaves out what is masked."""
    step = keras.Sequential(
        [keras.Input((4,)), layers.Dense(5, activation="relu", name="inside")], name="step"
    )
    start = keras.Input((6,), dtype="int32")
    h = layers.Embedding(9, 4, mask_zero=True, name="tokens")(start)
    made = each(step, "each_step")(h)
    h = layers.LSTM(4, name="memory")(made)
    model = keras.Model(start, layers.Dense(3, activation="softmax", name="head")(h))
    x = np.random.default_rng(1).integers(0, 9, (7, 6))
    x[:, -2:] = 0  # masked
    probe = Probe(model, (6,))
    mask, *calls = probe.calls  # Keras makes the mask by an operation of its own
    assert mask.class_name == "NotEqual"
    assert [call.address for call in calls] == ["tokens", "each_step", "memory", "head"]
    (said,), seen = probe.activations(x, [Tap("tokens"), Tap("each_step")])
    np.testing.assert_allclose(said, model.predict(x, verbose=0), atol=1e-6)
    kernel, bias = step.get_weights()
    by_hand = np.maximum(seen[Tap("tokens")] @ kernel + bias, 0)
    kept = x != 0
    assert 0 < kept.sum() < kept.size
    np.testing.assert_allclose(seen[Tap("each_step")][kept], by_hand[kept], atol=1e-6)
    known = np.asarray(keras.Model(start, made)(x))
    np.testing.assert_allclose(seen[Tap("each_step")], known, atol=1e-6)


def test_nothing_of_the_looking_stays_on_the_layers():
    inner = frames()
    model = film(inner)
    parts = [*model.layers, inner, *inner.layers]
    before = [dict(part.__dict__) for part in parts]
    probe = Probe(model, (FRAMES, SIDE, SIDE, 1))
    probe.activations(draw(2, FRAMES, SIDE, SIDE, 1), [Tap(INSIDE[0], "before")])
    for part, then in zip(parts, before, strict=True):
        assert "call" not in part.__dict__
        assert part.__dict__.keys() == then.keys()


def test_the_census_counts_every_position_of_every_frame():
    inner, x = frames(), draw(6, FRAMES, SIDE, SIDE, 1)
    model = film(inner)
    census = take_census(
        SimpleNamespace(
            probe=Probe(model, x.shape[1:]),
            samples=x,
            inputs=lambda rows: x[rows],
            labels=SimpleNamespace(values=None),
            config=SimpleNamespace(seed=0),
        )
    )
    for address, name in zip(INSIDE, NAMES, strict=True):
        known = frame_by_frame(inner, name, x).reshape(-1, 3)
        np.testing.assert_allclose(census.by_address[address].mean, known.mean(0), atol=1e-5)
        np.testing.assert_allclose(census.by_address[address].low, known.min(0), atol=1e-5)
        np.testing.assert_allclose(census.by_address[address].high, known.max(0), atol=1e-5)


def test_a_layer_costs_as_much_as_in_every_frame():
    inner = frames()
    alone = Probe(inner, (SIDE, SIDE, 1)).calls[0]
    (conv, *_) = Probe(film(inner), (FRAMES, SIDE, SIDE, 1)).calls
    assert count_flops(conv) == FRAMES * count_flops(alone) > 0


def test_attention_inside_of_a_wrapper_is_not_read_as_a_map():
    start = keras.Input((5, 4))
    inner = keras.Model(start, layers.MultiHeadAttention(2, 3, name="look")(start, start))
    model = keras.Sequential([keras.Input((3, 5, 4)), each(inner), layers.Flatten()])
    call = Probe(model, (3, 5, 4)).calls[0]
    assert (call.class_name, call.has_attention) == ("MultiHeadAttention", False)
    assert Probe(inner, (5, 4)).calls[0].has_attention


SCALED = {
    "in the inner model": (lambda: film(frames(layers.Rescaling(1 / 255, name="scale"))), "scale"),
    "in a wrapper alone": (
        lambda: film_of(each(layers.Rescaling(1 / 255), "scaled"), each(frames())),
        "scaled",
    ),
    "nowhere": (lambda: film(frames()), None),
    "behind a kernel": (lambda: film_of(each(frames()), layers.Rescaling(2.0, name="late")), None),
}


def film_of(*parts):
    return keras.Sequential([keras.Input((FRAMES, SIDE, SIDE, 1)), *parts])


@pytest.mark.parametrize("where", SCALED)
def test_the_scaling_of_the_input_is_found(where):
    make, name = SCALED[where]
    found = scales_inside(Probe(make(), (FRAMES, SIDE, SIDE, 1)).calls)
    assert (found and found.split("/")[-1]) == name


def test_the_scaling_inside_has_its_whole_address():
    model = film(frames(layers.Rescaling(1 / 255, name="scale")))
    found = scales_inside(Probe(model, (FRAMES, SIDE, SIDE, 1)).calls)
    assert found == "each_frame/frames/scale"


@pytest.mark.parametrize("form", ["keras", "h5"])
@pytest.mark.parametrize("make", [film, clips])
def test_saved_ones_are_opened_and_answer_alike(make, form, tmp_path):
    model, path = make(frames()), tmp_path / f"net.{form}"
    model.save(path)
    opened = open_model(identify(path))
    x = draw(3, *model.input_shape[1:])
    probe = Probe(opened, x.shape[1:])
    (said,) = probe.predict(lambda rows: x[rows], 3)
    np.testing.assert_allclose(said, np.asarray(model(x, training=False)), atol=1e-6)
    assert [call.address for call in probe.calls] == [
        call.address for call in Probe(model, x.shape[1:]).calls
    ]
