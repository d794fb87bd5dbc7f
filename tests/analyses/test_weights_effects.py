"""What the samples say of a flag: constant channels, and answers without them."""

import numpy as np

from reportgen.analyses.weights.effects import _say_constant
from reportgen.analyses.weights.flags import Flag

from .lone_kernels import set_kernel


def test_a_dead_filter_is_confirmed_and_does_nothing(twin, weigh, pictures):
    set_kernel(twin.get_layer("c1"), lambda k: k.__setitem__((..., 3), 0))
    bias = twin.get_layer("c1").bias.numpy()
    bias[3] = 0
    twin.get_layer("c1").bias.assign(bias)
    before = [weight.numpy() for weight in twin.weights]
    found = weigh(twin, *pictures)
    flag = found.result.dead[0]
    assert flag.confirmed == "confirmed: constant on 60 samples"
    assert flag.effect.endswith("right on 60 samples, 0 answers change")
    assert "right on 60 samples, 0 answers change" in (
        found.findings["weights.dead_filters"].message
    )
    for old, weight in zip(before, twin.weights, strict=True):
        np.testing.assert_array_equal(old, weight.numpy())


def test_a_filter_killed_by_its_batchnorm_is_looked_at_behind_it(twin, weigh):
    gamma = twin.get_layer("bn").gamma.numpy()
    gamma[2] = 0
    twin.get_layer("bn").gamma.assign(gamma)
    assert weigh(twin).result.dead[0].confirmed.startswith("confirmed")


def test_a_contradiction_is_told():
    said = _say_constant(Flag("c", (1, 2), silence=(1, 2)), np.array([1.0, 0, 0.5, 2]), 9)
    assert said == ("contradicted: 2 vary on 9 samples, by up to 0.5 (usual in the layer: 1)")


def test_the_rest_of_a_model_with_a_nan_is_measured(twin, weigh, pictures):
    set_kernel(twin.get_layer("d1"), lambda k: k.__setitem__((0, 5), np.nan))
    found = weigh(twin, *pictures)
    effect = found.result.effects.together["weights.non_finite"]
    assert (effect.broken_before, effect.broken_after) == (60, 0)
    assert effect.right_before == 0
    assert effect.right_after > 30
    assert "samples without a finite output: 60 -> 0" in (
        found.findings["weights.non_finite"].message
    )


def test_copies_are_set_to_zero_but_for_the_first(twin, weigh, pictures):
    set_kernel(twin.get_layer("c2"), lambda k: k.__setitem__((..., 9), k[..., 4]))
    flag = weigh(twin, *pictures).result.duplicates[0]
    assert flag.silence == (9,)
    assert flag.effect.startswith("set to zero: ")


def test_flags_are_measured_one_by_one_up_to_the_limit(twin, weigh, analyse, subject_of, pictures):
    for name in ("c1", "c2"):
        set_kernel(twin.get_layer(name), lambda k: k.__setitem__((..., 3), 0))
    subject = subject_of(twin, *pictures, preprocessing="unit")
    found = analyse("weights", subject, effect_flags=1, effect_samples=20)
    assert [bool(flag.effect) for flag in found.result.dead] == [True, False]
    assert found.result.effects.together["weights.dead_filters"].samples == 20


def test_a_large_model_is_measured_on_fewer_samples(twin, subject_of, analyse, pictures):
    set_kernel(twin.get_layer("c1"), lambda k: k.__setitem__((..., 3), 0))
    subject = subject_of(twin, *pictures, preprocessing="unit")
    assert analyse("weights", subject, effect_work=1e-6).result.effect_samples == 30
    assert analyse("weights", subject).result.effect_samples == 60


def test_a_nan_that_a_relu_hides_is_told(twin, weigh, pictures):
    set_kernel(twin.get_layer("c2"), lambda k: k.__setitem__((0, 0, 0, 5), np.nan))
    found = weigh(twin, *pictures)
    assert not found.result.effects.together["weights.non_finite"].broken_before
    assert "makes 0 of NaN" in found.findings["weights.non_finite"].message
