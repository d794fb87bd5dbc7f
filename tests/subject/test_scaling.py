"""Which scaling is used: the declared one, the model's own, or a guess that is said to be one."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from reportgen.config import AuditConfig
from reportgen.errors import ConfigurationError
from reportgen.subject.inputs import read_gain, read_input, scales_inside
from reportgen.subject.live import with_inputs
from reportgen.subject.model_file.building.operations import TensorFlowFunction
from reportgen.subject.preprocessing import NAMES
from reportgen.subject.probe import Probe
from reportgen.subject.scaling import choose_scaling
from reportgen.subject.subject import LiveInput, open_subject


def network(first):
    """``first`` before a convolution and a head."""
    keras.utils.set_random_seed(1)
    start = keras.Input((8, 8, 3))
    h = layers.Conv2D(3, 3, name="conv")(first(start))
    return keras.Model(start, layers.Dense(2, name="head")(layers.Flatten()(h)))


def calls_of(model):
    return Probe(model, (8, 8, 3)).calls


# Scaling inside of the model.


def nested():
    rescaling = layers.Rescaling(1 / 255, name="scale")
    return keras.Sequential([keras.Input((8, 8, 3)), rescaling], name="inner")


def augmented(x):
    x = layers.RandomRotation(0.1)(layers.RandomFlip()(x))
    return layers.Rescaling(1 / 255, name="scale")(x)


def tensorflow(name, *arguments):
    made = {"function": name, "arguments": [{"tensor": 0}, *arguments], "keywords": {}}
    return TensorFlowFunction(**made, name="scale")


PREPROCESS = keras.applications
INSIDE = {  # what stands before the convolution: the class of what scales
    "a layer": (layers.Rescaling(1 / 255), "Rescaling"),
    "statistics": (layers.Normalization(mean=1.0, variance=4.0), "Normalization"),
    "a division": (lambda x: x / 255.0, "TrueDivide"),
    "a division by whole numbers": (lambda x: x / 255, "TrueDivide"),
    "a product": (lambda x: x * (1 / 255), "Multiply"),
    "a difference, divided": (lambda x: (x - 127.5) / 127.5, "Subtract"),
    "an operation": (lambda x: ops.divide(x, 255.0), "Divide"),
    "a number first": (lambda x: 1.0 - x, "Subtract"),
    "an array": (lambda x: x * np.array([1, 2, 3], "float32"), "Multiply"),
    "a nested model": (lambda x: nested()(x), "Rescaling"),
    "a pipeline": (
        layers.Pipeline([layers.RandomFlip(), layers.Rescaling(1 / 255)]),
        "Pipeline",
    ),
    "behind augmentation": (augmented, "Rescaling"),
    "behind resizing": (lambda x: layers.Resizing(8, 8)(x) / 255.0, "TrueDivide"),
    "as ResNet has it": (lambda x: PREPROCESS.resnet.preprocess_input(x), "Add"),
    "as MobileNet has it": (lambda x: PREPROCESS.mobilenet.preprocess_input(x), "TrueDivide"),
    "of Keras 2": (tensorflow("math.truediv", 255.0), "TensorFlowFunction"),
}


@pytest.mark.parametrize("kind", INSIDE)
def test_a_model_that_scales_its_input(kind):
    first, class_name = INSIDE[kind]
    calls = calls_of(network(first))
    found = scales_inside(calls)
    (call,) = (one for one in calls if one.address == found)
    assert call.class_name == class_name
    assert calls.index(call) < [one.address for one in calls].index("conv")


NOT_INSIDE = {
    "nothing": lambda x: x,
    "a gate": lambda x: layers.Multiply()([x, x]),
    "a product with itself": lambda x: x * x,
    "less its own mean": lambda x: x - ops.mean(x, axis=(1, 2), keepdims=True),
    "augmentation": lambda x: layers.RandomFlip()(x),
    "behind a kernel": lambda x: layers.Conv2D(3, 3)(x) / 255.0,
    "a layer behind a kernel": lambda x: layers.Rescaling(1 / 255)(layers.Conv2D(3, 3)(x)),
    "a comparison": lambda x: ops.cast(ops.greater(x, 0.5), "float32"),
    "another function of Keras 2": tensorflow("nn.relu"),
}


@pytest.mark.parametrize("kind", NOT_INSIDE)
def test_a_model_that_does_not(kind):
    assert scales_inside(calls_of(network(NOT_INSIDE[kind]))) is None


# By hand: what is made of an input x, as (factor, shift) of factor * x + shift.
GAINS = {
    "a layer": (1 / 255, 0),
    "statistics": None,
    "a division": (1 / 255, 0),
    "a product": (1 / 255, 0),
    "a difference, divided": (1 / 127.5, -1),
    "an operation": (1 / 255, 0),
    "a number first": (-1, 1),
    "an array": (2, 0),  # the mean of 1, 2 and 3
    "a nested model": (1 / 255, 0),
    "a pipeline": (1 / 255, 0),
    "behind augmentation": (1 / 255, 0),
    "behind resizing": (1 / 255, 0),
    "as ResNet has it": (1, -(103.939 + 116.779 + 123.68) / 3),
    "as MobileNet has it": (1 / 127.5, -1),
    "of Keras 2": (1 / 255, 0),
}


@pytest.mark.parametrize("kind", GAINS)
def test_what_the_model_makes_of_its_input(kind):
    gain = read_gain(calls_of(network(INSIDE[kind][0])))
    found = gain and (gain.factor, gain.shift)
    assert found == (GAINS[kind] and pytest.approx(GAINS[kind], rel=1e-5))


OTHER_GAINS = {
    "two, and back": (lambda x: layers.Rescaling(1 / 255)(layers.Rescaling(255.0)(x)), (1, 0)),
    "a layer with an offset": (layers.Rescaling(2.0, offset=-1.0), (2, -1)),
    "one for each channel": (layers.Rescaling([1.0, 2.0, 3.0], offset=[0.0, 3.0, 6.0]), (2, 3)),
    "two in a pipeline": (layers.Pipeline([layers.Rescaling(3.0), layers.Rescaling(2.0)]), None),
    "a number by the input": (lambda x: 1.0 / (x + 1.0), None),
    "two ways, joined": (lambda x: layers.Add()([x / 255.0, x]), None),
}


@pytest.mark.parametrize("kind", OTHER_GAINS)
def test_what_other_models_make_of_their_input(kind):
    first, wanted = OTHER_GAINS[kind]
    gain = read_gain(calls_of(network(first)))
    assert (gain and (gain.factor, gain.shift)) == (wanted and pytest.approx(wanted))


def test_what_a_subclassed_model_does_in_its_code_cannot_be_told():
    model = with_inputs(Subclassed(255.0), np.zeros((1, 8, 8, 3), np.float32))
    assert read_gain(calls_of(model)) is None


class Subclassed(keras.Model):
    def __init__(self, by):
        super().__init__()
        self.by, self.conv = by, layers.Conv2D(2, 3, name="conv")

    def call(self, x):
        return self.conv(x / self.by if self.by else x)


@pytest.mark.parametrize(("by", "known"), [(255.0, "conv"), (None, None)])
def test_arithmetic_in_the_code_of_a_subclassed_model(by, known):
    model = with_inputs(Subclassed(by), np.zeros((1, 8, 8, 3), np.float32))
    found = scales_inside(calls_of(model))
    assert (found and found.split("/")[-1]) == known


# The choice.


@pytest.fixture(scope="module")
def plain():
    model = network(lambda x: x)
    return read_input(model, None, from_images=False), Probe(model, (8, 8, 3))


@pytest.fixture(scope="module")
def scaling():
    model = network(layers.Rescaling(1 / 255, name="scale"))
    return read_input(model, None, from_images=False), Probe(model, (8, 8, 3))


def pixels(low, high, dtype, shape=(4, 8, 8, 3)):
    """Samples that reach from ``low`` to ``high``, both included."""
    found = np.random.default_rng(0).uniform(low, high, shape)
    found.flat[:2] = low, high
    return found.astype(dtype)


GUESSED = {
    "images": (pixels(0, 255, "uint8"), "unit", "the usual one for 8-bit images"),
    "dark images": (pixels(0, 20, "uint8"), "unit", "the usual one for 8-bit images"),
    "images as floats": (pixels(0, 255, "float32"), "unit", "pixels from 0 to 255"),
    "images as whole numbers": (pixels(0, 255, "int64"), "unit", "pixels from 0 to 255"),
    "no samples": (np.zeros((0, 8, 8, 3), "uint8"), "unit", "the usual one for 8-bit images"),
    "fractions": (pixels(0, 1, "float32"), "none", "from 0 to 1 already"),
    "dark fractions": (pixels(0, 0.25, "float64"), "none", "from 0 to 0.25 already"),
    "black and white": (pixels(0, 1, "uint8"), "none", "from 0 to 1 already"),
    "both signs": (pixels(-1, 1, "float32"), "none", "from -1 to 1, and are taken as they are"),
    "counts": (pixels(0, 16, "float32"), "none", "from 0 to 16, and are taken as they are"),
    "whole counts": (pixels(0, 16, "int64"), "none", "from 0 to 16, and are taken as they are"),
    "less the mean": (pixels(-120, 130, "float32"), "none", "from -120 to 130"),
    "true and false": (pixels(0, 1, "uint8") > 0, "none", "from 0 to 1 already"),
    "whole numbers up to 1": (pixels(0, 1, "int64"), "none", "from 0 to 1 already"),
    "overshoot": (pixels(0, 1.08, "float32"), "none", "from 0 to 1.08, and are taken as they are"),
    "standardised": (pixels(-2, 3, "float32"), "none", "from -2 to 3, and are taken as they are"),
}
BY_HAND = {"unit": lambda x: x / 255, "none": lambda x: x}


@pytest.mark.parametrize("kind", GUESSED)
def test_the_range_of_the_samples_suggests_a_scaling(kind, plain):
    found, name, why = GUESSED[kind]
    scaling = choose_scaling(None, *plain, found)
    assert scaling.words.startswith(f"{name} (")
    (note,) = scaling.notes
    assert note.startswith(f"Input scaling was not declared. {name} was assumed: ")
    assert why in note
    assert scaling.assumed == note
    given = found.astype(np.float32)
    np.testing.assert_allclose(scaling.function(given), BY_HAND[name](given), rtol=1e-6)


def test_what_the_model_does_itself_is_no_assumption(scaling):
    for found in (pixels(0, 255, "uint8"), pixels(0, 20, "uint8"), pixels(0, 255, "float32")):
        chosen = choose_scaling(None, *scaling, found)
        assert chosen.words == "none (pixels as they are)"
        assert chosen.assumed == ""
        (note,) = chosen.notes
        assert note.endswith("none was assumed: the model scales its input itself (layer scale).")


def test_tokens_and_vectors_are_taken_as_they_are():
    start = keras.Input((6,), dtype="int32")
    h = layers.Flatten()(layers.Embedding(9, 4, name="tokens")(start))
    models = {
        "numbers of tokens (layer tokens)": keras.Model(start, layers.Dense(2)(h)),
        "no images": keras.Sequential([keras.Input((6,)), layers.Dense(2)]),
    }
    for why, model in models.items():
        spec = read_input(model, None, from_images=False)
        chosen = choose_scaling(None, spec, Probe(model, (6,)), pixels(0, 8, "int64", (5, 6)))
        assert (chosen.words, chosen.assumed) == ("none (pixels as they are)", "")
        assert why in chosen.notes[0]


def test_images_as_rows_are_still_8_bit_images():
    model = keras.Sequential([keras.Input((64,)), layers.Dense(2)])
    spec = read_input(model, None, from_images=False)
    chosen = choose_scaling(None, spec, Probe(model, (64,)), pixels(0, 255, "uint8", (5, 64)))
    assert chosen.words.startswith("unit (")
    assert chosen.assumed


def test_numbers_are_no_8_bit_images_because_there_are_none():
    """Without samples nothing suggests a scaling but what the model takes."""
    model = keras.Sequential([keras.Input((6,)), layers.Dense(1)])
    spec = read_input(model, None, from_images=False)
    chosen = choose_scaling(None, spec, Probe(model, (6,)), np.zeros((0, 6), np.uint8))
    assert (chosen.words, chosen.assumed) == ("none (pixels as they are)", "")


def halved(x):
    return x / 2


@pytest.mark.parametrize("asked", [*NAMES, halved])
def test_what_was_stated_is_taken_and_no_assumption(asked, plain):
    chosen = choose_scaling(asked, *plain, pixels(0, 255, "uint8"))
    assert (chosen.notes, chosen.assumed) == ((), "")
    assert chosen.words.startswith(asked if isinstance(asked, str) else f"{__name__}:halved (")


OF_PIXELS = ("unit", "symmetric", "imagenet-caffe", "imagenet-torch")


@pytest.mark.parametrize("kind", ["fractions", "dark fractions", "both signs"])
@pytest.mark.parametrize("asked", OF_PIXELS)
def test_fractions_are_not_scaled_twice(asked, kind, plain):
    found = GUESSED[kind][0]
    with pytest.raises(ConfigurationError) as caught:
        choose_scaling(asked, *plain, found)
    assert str(caught.value) == (
        f"preprocessing: {asked} is for pixels from 0 to 255, and the samples are fractions up to "
        f"{found.max():.3g}: they would be scaled twice. Say --preprocessing none if they are as "
        "the model takes them, or give the pixels themselves."
    )


OTHER_DARK = {
    "true and false": "True and False",
    "whole numbers up to 1": "whole numbers from 0 to 1",
    "black and white": "whole numbers from 0 to 1",
    "overshoot": "fractions, few of them beyond 1, up to 1.08",
    "standardised": "numbers from -2 to 3",
}


@pytest.mark.parametrize("kind", OTHER_DARK)
@pytest.mark.parametrize("asked", OF_PIXELS)
def test_what_no_pixels_are_like_is_not_scaled_as_pixels(asked, kind, plain):
    found = GUESSED[kind][0]
    with pytest.raises(ConfigurationError) as caught:
        choose_scaling(asked, *plain, found)
    harm = "they would be scaled twice"
    if found.dtype.kind != "f":
        harm = "hardly a difference between them would be left"
    assert str(caught.value) == (
        f"preprocessing: {asked} is for pixels from 0 to 255, and the samples are "
        f"{OTHER_DARK[kind]}: {harm}. Say --preprocessing none if they are as the model takes "
        "them, or give the pixels themselves."
    )


DEEP = [pixels(0, 65535, "uint16"), pixels(0, 4095, "int64"), pixels(0, 65535, "float32")]


@pytest.mark.parametrize("found", DEEP, ids=lambda found: found.dtype.name)
@pytest.mark.parametrize("asked", OF_PIXELS)
def test_more_than_8_bits_are_not_scaled_as_8_bits(asked, found, plain):
    with pytest.raises(ConfigurationError) as caught:
        choose_scaling(asked, *plain, found)
    assert str(caught.value) == (
        f"preprocessing: {asked} is for pixels from 0 to 255. The samples are {found.dtype} and "
        f"reach up to {int(found.max())}. Bring them to 8 bits (those of 16 bits divided by 257), "
        "or say --preprocessing none if they are as the model takes them."
    )


def test_sharpened_pixels_may_go_over_255(plain):
    assert choose_scaling("unit", *plain, pixels(-30, 290, "float32")).words.startswith("unit (")


@pytest.mark.parametrize("model", ["plain", "scaling"])
def test_16_bits_are_asked_about(model, request):
    found, given = pixels(0, 65535, "uint16"), request.getfixturevalue(model)
    with pytest.raises(ConfigurationError) as caught:
        choose_scaling(None, *given, found)
    assert str(caught.value) == (
        "preprocessing: it was not declared. The samples are uint16 and reach up to 65535. Say "
        "--preprocessing none if they are as the model takes them, or bring them to 8 bits: "
        "divide by 257."
    )
    assert choose_scaling("none", *given, found).notes == ()
    assert choose_scaling(None, *given, pixels(0, 255, "uint16")).notes


def before(first):
    model = network(first)
    return read_input(model, None, from_images=False), Probe(model, (8, 8, 3))


@pytest.mark.parametrize(
    "first", [layers.Rescaling(1 / 65535), layers.Normalization(mean=1.0, variance=1.0)]
)
def test_16_bits_are_not_asked_about_where_the_model_is_made_for_them(first):
    chosen = choose_scaling(None, *before(first), pixels(0, 65535, "uint16"))
    assert chosen.words.startswith("none (")
    assert chosen.assumed == ""


@pytest.mark.parametrize("asked", ["none", "standardize", halved])
def test_what_is_not_made_for_pixels_takes_fractions(asked, plain):
    chosen = choose_scaling(asked, *plain, pixels(0, 1, "float32"))
    assert (chosen.notes, chosen.assumed) == ((), "")


@pytest.mark.parametrize(
    "found",
    [
        pixels(0, 2, "uint8"),
        np.zeros((2, 8, 8, 3), np.uint8),
        np.zeros((2, 8, 8, 3), np.float32),
        pixels(-5, 16, "float32"),
        pixels(0, 1.5, "float32"),
        np.zeros((0, 8, 8, 3), np.float32),
    ],
)
@pytest.mark.parametrize("asked", OF_PIXELS)
def test_what_may_be_pixels_is_scaled(asked, found, plain):
    assert choose_scaling(asked, *plain, found).words.startswith(f"{asked} (")


@pytest.mark.parametrize("asked", [*OF_PIXELS, "standardize", halved])
def test_scaling_on_top_of_the_models_own_is_noted(asked, scaling):
    chosen = choose_scaling(asked, *scaling, pixels(0, 255, "uint8"))
    name = asked if isinstance(asked, str) else f"{__name__}:halved"
    assert chosen.notes == (
        f"The model scales its input itself (layer scale), and {name} was asked for on top of it. "
        "If that is not meant, say --preprocessing none.",
    )
    assert chosen.assumed == ""


def test_no_scaling_beside_the_models_own_needs_no_note(scaling):
    assert choose_scaling("none", *scaling, pixels(0, 255, "uint8")).notes == ()


# Fractions for a model that divides by itself.

DIVIDING = {
    "a layer": (layers.Rescaling(1 / 255, name="scale"), "divides its input by 255"),
    "to both signs": (
        layers.Rescaling(1 / 127.5, offset=-1.0, name="scale"),
        "divides its input by 127.5",
    ),
    "a mean": (layers.Rescaling(1.0, offset=-128.0, name="scale"), "takes 128 off its input"),
    "a division": (lambda x: x / 255.0, "divides its input by 255"),
}
FRACTIONS = ("fractions", "dark fractions", "both signs", "true and false", "overshoot")


@pytest.mark.parametrize("samples", FRACTIONS)
@pytest.mark.parametrize("kind", DIVIDING)
def test_fractions_for_a_model_that_divides_are_asked_about(kind, samples):
    first, does = DIVIDING[kind]
    found, (spec, probe) = GUESSED[samples][0], before(first)
    layer, what = scales_inside(probe.calls), OTHER_DARK.get(samples)
    what = what or f"fractions up to {found.max():.3g}"
    with pytest.raises(ConfigurationError) as caught:
        choose_scaling(None, spec, probe, found)
    assert str(caught.value) == (
        f"preprocessing: it was not declared. The samples are {what}, and the model {does} itself "
        f"(layer {layer}), as is done with pixels as files have them. Say --preprocessing none if "
        "the samples are as the model takes them, or give the pixels themselves."
    )
    chosen = choose_scaling("none", spec, probe, found)
    assert chosen.notes == (
        f"The samples are {what}, and the model {does} itself (layer {layer}). If it was trained "
        "on pixels as files have them, give these.",
    )
    assert (chosen.words, chosen.assumed) == ("none (pixels as they are)", "")


def test_whole_numbers_up_to_1_may_be_very_dark_files(scaling):
    chosen = choose_scaling(None, *scaling, pixels(0, 1, "uint8"))
    assert chosen.words == "none (pixels as they are)"
    assert chosen.notes[1].startswith("The samples are whole numbers from 0 to 1, and the model ")
    assert choose_scaling(None, *scaling, np.zeros((2, 8, 8, 3), np.uint8)).notes[1:] == ()


UNDIVIDED = {
    "statistics": layers.Normalization(mean=0.5, variance=0.25, name="scale"),
    "a half": layers.Rescaling(0.5, name="scale"),
}


@pytest.mark.parametrize("samples", ["fractions", "standardised"])
@pytest.mark.parametrize("kind", UNDIVIDED)
def test_fractions_are_taken_where_nothing_says_that_the_model_takes_pixels(kind, samples):
    chosen = choose_scaling(None, *before(UNDIVIDED[kind]), GUESSED[samples][0])
    assert (chosen.words, chosen.assumed) == ("none (pixels as they are)", "")
    (note,) = chosen.notes
    assert note.endswith("the model scales its input itself (layer scale).")


def test_small_numbers_that_are_no_images_may_be_divided():
    model = keras.Sequential([keras.Input((6,)), layers.Rescaling(1 / 20), layers.Dense(2)])
    given = read_input(model, None, from_images=False), Probe(model, (6,))
    assert choose_scaling(None, *given, pixels(-2, 9, "float32", (5, 6))).words.startswith("none (")
    with pytest.raises(ConfigurationError, match="divides its input by 20 itself"):
        choose_scaling(None, *given, pixels(0, 1, "float32", (5, 6)))


# A model that multiplies by itself takes fractions, and leaves it to others to make them.

MULTIPLYING = {
    "by 255": layers.Rescaling(255.0, name="scale"),
    "to both signs": layers.Rescaling(2.0, offset=-1.0, name="scale"),
    "by 1": layers.Rescaling(1.0, name="scale"),
    "as arithmetic": lambda x: x * 255.0,
    "to and fro": lambda x: layers.Rescaling(1 / 255)(layers.Rescaling(255.0)(x)),
}


@pytest.mark.parametrize("kind", MULTIPLYING)
def test_a_model_that_takes_fractions_does_not_make_them(kind):
    given, found = before(MULTIPLYING[kind]), pixels(0, 255, "uint8")
    chosen = choose_scaling(None, *given, found)
    said = "unit was assumed: the usual one for 8-bit images; say so with --preprocessing."
    assert chosen.notes == (f"Input scaling was not declared. {said}",)
    assert chosen.assumed == chosen.notes[0]
    np.testing.assert_allclose(chosen.function(found), found / 255, rtol=1e-6)
    assert choose_scaling("unit", *given, found).notes == ()
    assert choose_scaling(None, *given, pixels(0, 1, "float32")).words.startswith("none (")


@pytest.mark.parametrize(
    ("first", "asked", "assumed"),
    [
        (lambda x: x, None, True),
        (lambda x: x, "unit", False),
        (layers.Rescaling(1 / 255), None, False),
    ],
)
def test_the_card_says_what_was_assumed(first, asked, assumed):
    config = AuditConfig(preprocessing=asked)
    subject = open_subject(config, LiveInput(network(first), pixels(0, 255, "uint8")))
    card = subject.card
    assert card.assumed == ((subject.scaling.assumed,) if assumed else ())
    assert card.preprocessing.endswith(", assumed") is assumed
    assert set(subject.scaling.notes) <= set(card.notes)
    assert bool(subject.scaling.notes) is (asked is None)
