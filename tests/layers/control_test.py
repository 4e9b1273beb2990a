"""Noise of existing models is switched by name."""

import jax
import numpy as np
import pytest
from flax import linen as nn

from noisejax import layers
from noisejax.layers import nnx as nnx_layers
from tests.layers.networks import Annealed, X, key, run


def test_off_silences_the_named_layers_and_no_others(variables, quiet):
    with layers.control_noise(off="last"):
        y = run(variables, rngs=None)  # with train=False nothing else draws
    np.testing.assert_array_equal(y, quiet)
    with layers.control_noise(off=["*/Dropout_0", "last"]):
        y, recorded = run(variables, train=True, mutable=["noise", "batch_stats"])
    assert set(recorded["noise"]) == {"Block_0", "second"}
    assert (y != quiet).any()


def test_only_switches_the_named_layers_on_whatever_the_model_passes(variables, quiet):
    with layers.control_noise(only="Block_0/RandomDropout_0"):
        y, recorded = run(variables, mutable=["noise"])
    assert list(recorded["noise"]) == ["Block_0"]
    assert (y != quiet).any()
    with layers.control_noise(only="last"):
        last = run(variables)
    np.testing.assert_array_equal(last, run(variables))  # the mask is Flax's
    np.testing.assert_allclose(last, np.where(last != 0, 2 * quiet, 0), rtol=1e-6)


def test_the_name_of_a_module_covers_its_submodules(variables, quiet):
    with layers.control_noise(only="second"):
        inside = run(variables)
    with layers.control_noise(only=["second/Dropout_0", "second/RandomDropout_0"]):
        named = run(variables)
    np.testing.assert_array_equal(inside, named)
    assert (inside != quiet).any()


@pytest.mark.parametrize("argument", ["only", "off"])
def test_names_that_match_no_layer_are_refused(variables, argument):
    message = r"'Dense_0' matches no noise layer; .*'Block_0/Dropout_0'.*'last'"
    control = layers.control_noise(**{argument: ["last", "Dense_0"]})
    with pytest.raises(ValueError, match=message), control:
        run(variables)
    with pytest.raises(ZeroDivisionError), layers.control_noise(off="a"):
        raise ZeroDivisionError  # an error within is not hidden


def test_the_step_reaches_schedules_in_any_model():
    net, x = nn.remat(Annealed)(), np.ones((20, 20), np.float32)

    @jax.jit
    def noisy(step):
        with layers.control_noise(step=step), layers.control_noise(off=()):
            return net.apply({}, x, rngs={"dropout": key()})

    shares = [float((noisy(step) == 0).mean()) for step in (0, 5, 10)]
    np.testing.assert_allclose(shares, [0.5, 0.25, 0], atol=0.12)


def test_nnx_control_by_name(net):
    quiet = nnx_layers.control_noise(net, off="*")
    np.testing.assert_array_equal(quiet(X), net.linear(X))
    only = nnx_layers.control_noise(quiet, only="blocks/1")
    assert [m.deterministic for m in (only.first, *only.blocks)] == [True, True, False]
    off = nnx_layers.control_noise(net, off="blocks")
    assert [m.deterministic for m in (off.first, *off.blocks)] == [False, True, True]
    assert not net.first.deterministic
    with pytest.raises(ValueError, match="'linear' matches no noise layer; .*first"):
        nnx_layers.control_noise(net, off="linear")
