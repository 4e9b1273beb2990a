"""Contract of all networks: one suite over a table."""

import functools

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from noisejax import noise
from tests.models.networks import TINY, make_variables


@pytest.fixture(params=TINY.values(), ids=TINY.keys(), scope="module")
def case(request):
    """Return a network with noise and shifts at all sites, variables and input."""
    plain, shape = request.param
    net = plain.clone(
        input_noise=noise.Dropout(0.2),
        hidden_noise=(noise.Dropout(0.5),) * plain.num_hidden_sites,
        input_shift=True,
        hidden_shift=True,
    )
    x = jax.random.normal(jax.random.key(7), shape)
    return plain, net, make_variables(net, x), x


@functools.partial(jax.jit, static_argnums=0)
def apply(net, variables, x, key):
    rngs = {"dropout": key}
    return net.apply(variables, x, train=True, rngs=rngs, mutable=["batch_stats"])[0]


def run(net, variables, x, seed=0):
    return apply(net, variables, x, jax.random.key(seed))


def shifts(params):
    flat = jax.tree_util.tree_flatten_with_path(params)[0]
    return {jax.tree_util.keystr(p): v for p, v in flat if p[-1].key == "beta"}


def test_noise_is_made_at_every_place(case):
    plain, net, variables, x = case
    with noise.count_samples() as count:
        jax.eval_shape(functools.partial(run, net), variables, x)
    assert count.applied == 1 + plain.num_hidden_sites


def test_shifts_are_where_noise_is_one_per_unit_or_map(case):
    plain, _, variables, _ = case
    found = shifts(variables["params"])
    assert len(found) == 1 + plain.num_hidden_sites
    assert all(value.ndim == 1 for value in found.values())


def test_no_noise_no_shift_no_parameter(case):
    plain, _, _, x = case
    init = functools.partial(plain.init, train=False)
    variables = jax.eval_shape(init, jax.random.key(1), x)
    assert not shifts(variables["params"])
    with noise.count_samples() as count:
        jax.eval_shape(functools.partial(run, plain), variables, x)
    assert count.applied == 0


def test_output_and_activations_agree(case):
    _, net, variables, x = case
    output, activations = run(net, variables, x)
    np.testing.assert_array_equal(output, activations["output"])
    np.testing.assert_array_equal(activations["input"].reshape(x.shape), x)


def test_noise_free_pass_is_deterministic_and_needs_no_key(case):
    _, net, variables, x = case
    clean = jax.jit(lambda v, x: net.apply(v, x, train=False))
    np.testing.assert_array_equal(clean(variables, x)[0], clean(variables, x)[0])


def test_masks_differ_between_keys_and_repeat_for_one(case):
    _, net, variables, x = case
    first, again = (run(net, variables, x, 3)[1] for _ in range(2))
    other = run(net, variables, x, 4)[1]
    noisy = [name for name in first if name.startswith("noisy")]
    assert len(noisy) > 1
    for name in noisy:
        np.testing.assert_array_equal(first[name], again[name])
        assert np.any(np.asarray(first[name]) != np.asarray(other[name]))


def test_noisy_is_the_clean_value_masked_and_scaled(case):
    plain, net, variables, x = case
    _, activations = run(net, variables, x)
    pairs = [("noisy_input", "input", 0.2)]
    pairs += [(f"noisy_{i}", f"hidden_{i}", 0.5) for i in range(plain.num_hidden_sites)]
    for noisy, clean, rate in pairs:
        noisy = np.asarray(activations[noisy])
        kept = noisy != 0
        expected = np.asarray(activations[clean]) / (1 - rate)
        np.testing.assert_allclose(noisy[kept], expected[kept], rtol=1e-5)
        assert (~kept).any()


def test_gradients_are_finite_and_reach_every_kernel(case):
    _, net, variables, x = case

    def loss(params):
        output, _ = run(net, {**variables, "params": params}, x)
        return jnp.sum(jax.nn.log_softmax(output)[..., 0])

    gradients = jax.jit(jax.grad(loss))(variables["params"])
    for path, leaf in jax.tree_util.tree_flatten_with_path(gradients)[0]:
        assert np.isfinite(leaf).all(), path
        if path[-1].key == "kernel":
            assert np.abs(leaf).max() > 0, path


def test_another_number_of_schemes_is_an_error(case):
    plain, _, _, _ = case
    wrong = (None,) * (plain.num_hidden_sites + 1)
    with pytest.raises(ValueError, match="hidden_noise must be one scheme per"):
        plain.clone(hidden_noise=wrong)
