"""Bad input: an error before anything is traced, with the rule and the value."""

import functools

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from noisejax import noise

X = np.ones((4, 5), np.float32)

FUNCTIONS = {
    "dropout": lambda key, x, rate: noise.dropout(key, x, rate=rate),
    "random_dropout": lambda key, x, rate: noise.random_dropout(key, x, rate=rate),
    "gaussian_dropout": lambda key, x, rate: noise.gaussian_dropout(key, x, rate=rate),
    "dropconnect": lambda key, x, rate: noise.dropconnect(key, x, rate=rate),
    "drop_path": lambda key, x, rate: noise.drop_path(key, x, rate=rate),
    "spatial_dropout": lambda key, x, rate: noise.spatial_dropout(key, x, rate=rate),
    "invariant_dropout": lambda key, x, rate: noise.invariant_dropout(
        key, x, jnp.zeros(5), rate=rate
    ),
    "bernoulli_mask": lambda key, x, rate: noise.bernoulli_mask(
        key, x.shape, rate=rate
    ),
    "sample_rate": lambda key, x, rate: noise.sample_rate(key, (4, 1), rate=rate),
}
SCHEMES = {
    "Dropout": noise.Dropout,
    "RandomDropout": noise.RandomDropout,
    "GaussianDropout": noise.GaussianDropout,
    "DropPath": noise.DropPath,
    "SpatialDropout": noise.SpatialDropout,
}


@pytest.fixture(params=FUNCTIONS.values(), ids=FUNCTIONS.keys())
def function(request):
    return request.param


@pytest.fixture(params=SCHEMES.values(), ids=SCHEMES.keys())
def scheme(request):
    return request.param


@pytest.mark.parametrize(
    "rate",
    [-0.1, 1.0, 1.5, np.nan, np.inf, np.float32(1), np.full((4, 1), 1.0)],
    ids=str,
)
def test_a_rate_outside_its_range(function, rate):
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\).*got"):
        function(jax.random.key(0), X, rate)


@pytest.mark.parametrize("rate", ["0.5", None, True, object(), 0.5j])
def test_a_rate_that_is_not_a_number(function, rate):
    with pytest.raises(TypeError, match="number"):
        function(jax.random.key(0), X, rate)


@pytest.mark.parametrize("shape", [(4,), (5,), (4, 5, 1), (3, 1), (1, 4)], ids=str)
def test_a_rate_of_another_shape(function, shape):
    for module in (np, jnp):
        with pytest.raises(ValueError, match="must be a single number, or an array"):
            function(jax.random.key(0), X, module.full(shape, 0.5))


def test_a_rate_of_another_shape_under_jit():
    with pytest.raises(ValueError, match=r"rate.reshape\(\(-1, 1\)\)"):
        jax.jit(lambda r: noise.dropout(jax.random.key(0), X, rate=r))(jnp.full(4, 0.5))


@pytest.mark.parametrize(
    "key",
    [
        0,
        1.5,
        None,
        "key",
        np.uint32(7),
        np.zeros(2),
        jnp.zeros(2),
        jnp.zeros(3, "uint32"),
    ],
    ids=repr,
)
def test_an_argument_that_is_not_a_key(function, key):
    with pytest.raises(TypeError, match="key"):
        function(key, X, 0.5)


@pytest.mark.parametrize("keys", [jax.random.key, jax.random.PRNGKey])
def test_several_keys(function, keys):
    with pytest.raises(ValueError, match=r"one key is needed.*vmap"):
        function(jax.random.split(keys(0), 2), X, 0.5)


def test_integer_arrays(function):
    if function in (FUNCTIONS["bernoulli_mask"], FUNCTIONS["sample_rate"]):
        pytest.skip("takes a shape")
    with pytest.raises(TypeError, match="floating array"):
        function(jax.random.key(0), X.astype(np.int32), 0.5)


@pytest.mark.parametrize("rate", [-0.1, 1.0, np.nan])
def test_a_scheme_with_a_rate_outside_its_range(scheme, rate):
    with pytest.raises(ValueError, match=r"\[0, 1\)"):
        scheme(rate)


@pytest.mark.parametrize("rate", ["a", None, True, np.full(3, 0.5), jnp.float32(0.5)])
def test_a_scheme_with_a_rate_that_is_not_a_python_number(scheme, rate):
    with pytest.raises(TypeError):
        scheme(rate)


def test_a_traced_rate_belongs_to_the_functions(scheme):
    with pytest.raises(TypeError, match=r"noise.\w+\(key, x, rate=...\)"):
        jax.jit(scheme)(0.5)


@pytest.mark.parametrize("stddev", [-1.0, np.nan, np.inf])
def test_a_standard_deviation_out_of_range(stddev):
    with pytest.raises(ValueError, match="at least 0"):
        noise.GaussianNoise(stddev)
    with pytest.raises(ValueError, match="at least 0"):
        noise.gaussian_noise(jax.random.key(0), X, stddev=stddev)


@pytest.mark.parametrize("bits", [0, 1, 7, 16, 64, "32", None])
def test_unknown_bits(bits):
    for make in (
        lambda: noise.Dropout(0.5, bits),
        lambda: noise.RandomDropout(0.5, bits),
        lambda: noise.dropout(jax.random.key(0), X, rate=0.5, bits=bits),
        lambda: noise.bernoulli_mask(jax.random.key(0), (3,), rate=0.5, bits=bits),
        lambda: noise.round_rate(0.5, bits=bits),
    ):
        with pytest.raises(ValueError, match=r"bits must be one of \[8, 32\]"):
            make()


@pytest.mark.parametrize("axes", [(2,), (-3,), 5])
def test_an_axis_that_does_not_exist(axes):
    with pytest.raises(ValueError, match="broadcast_dims names axis"):
        noise.dropout(jax.random.key(0), X, rate=0.5, broadcast_dims=axes)


@pytest.mark.parametrize("batch_dims", [-1, 1.0, True, None])
def test_batch_dims_that_are_not_a_number_of_axes(batch_dims):
    with pytest.raises(ValueError, match="batch_dims must be"):
        noise.RandomDropout(0.5, batch_dims=batch_dims)


@pytest.mark.parametrize("scheme", [noise.DropPath, noise.SpatialDropout])
@pytest.mark.parametrize(("shape", "batch_dims"), [((5,), 1), ((4, 5), 2), ((), 0)])
def test_drop_path_and_spatial_dropout_without_a_batch_axis(scheme, shape, batch_dims):
    """They would be plain dropout; `batch_dims=0` is right for one example."""
    with pytest.raises(ValueError, match="an axis must follow them.*batch_dims=0"):
        scheme(0.5, batch_dims=batch_dims).sample(jax.random.key(0), shape)
    sample = scheme(0.5, batch_dims=0).sample(jax.random.key(0), (4, 5))
    assert sample.mask.shape[0] == 1


def test_arguments_in_the_wrong_order(function):
    for key in (jax.random.key(0), jax.random.PRNGKey(0)):
        with pytest.raises(TypeError, match="comes first"):
            function(X, key, 0.5)


def test_complex_input(function):
    if function not in (FUNCTIONS["bernoulli_mask"], FUNCTIONS["sample_rate"]):
        with pytest.raises(TypeError, match="complex64.*real and imaginary"):
            function(jax.random.key(0), X.astype(np.complex64), 0.5)
    with pytest.raises(TypeError, match="not a real number"):
        function(jax.random.key(0), X, jnp.complex64(0.5))


def test_more_batch_dims_than_axes():
    for function in (noise.random_dropout, noise.drop_path):
        with pytest.raises(ValueError, match="batch_dims=3 exceeds the 2 axes"):
            function(jax.random.key(0), X, rate=0.5, batch_dims=3)


@pytest.mark.parametrize("shape", [(5,), (4, 6), (1, 4, 5), (5, 4), ()], ids=str)
def test_a_sample_of_another_shape(shape):
    sample = noise.Dropout(0.5).sample(jax.random.key(0), shape)
    with pytest.raises(ValueError, match=r"MaskSample.mask.*draw it with"):
        noise.apply(X, sample)


@pytest.mark.parametrize("sample", [None, 0.5, np.ones((4, 5)), noise.Dropout(0.5)])
def test_an_argument_that_is_not_a_sample(sample):
    with pytest.raises(TypeError, match="sample must be a noise sample"):
        noise.apply(X, sample)


@pytest.mark.parametrize("mask", [[0.5, 1], np.array([2, 0]), [None], np.array([-1])])
def test_a_hand_made_mask_of_other_values(mask):
    with pytest.raises(ValueError, match="0 .drop. and 1 .keep. only"):
        noise.mask_sample(mask)


@pytest.mark.parametrize("mask", [jnp.array([2]), "ab", [[1, 0], [1]], {}, [["a"]]])
def test_an_argument_that_is_not_a_mask(mask):
    with pytest.raises(ValueError, match="0 .drop. and 1 .keep. only"):
        noise.mask_sample(mask)


def test_a_hand_made_mask_with_a_rate_out_of_range():
    with pytest.raises(ValueError, match=r"\[0, 1\)"):
        noise.mask_sample([True], rate=1.0)


@pytest.mark.parametrize("shape", [(4,), (4, 5, 1), (2,), (3, 5), (4, 5, 5)], ids=str)
def test_a_shift_of_another_shape(shape):
    with pytest.raises(ValueError, match=r"beta must have the shape.*\(5,\)"):
        noise.invariant_dropout(jax.random.key(0), X, jnp.zeros(shape), rate=0.5)


def test_a_shift_that_is_not_floating():
    with pytest.raises(TypeError, match="floating array"):
        noise.shift(X, np.zeros(5, np.int32))


def test_out_shardings_that_cannot_be_resolved():
    spec = jax.sharding.PartitionSpec("data")
    with pytest.raises(ValueError, match="needs a mesh"):
        noise.bernoulli_mask(jax.random.key(0), (4,), rate=0.5, out_sharding=spec)
    with pytest.raises(TypeError, match="out_sharding must be"):
        noise.bernoulli_mask(jax.random.key(0), (4,), rate=0.5, out_sharding="data")


@pytest.mark.parametrize(
    "function",
    [
        noise.dropout,
        noise.gaussian_dropout,
        noise.random_dropout,
        functools.partial(noise.random_dropout, bits=8),
    ],
    ids=["dropout", "gaussian", "random", "random 8 bits"],
)
def test_a_traced_rate_at_or_above_1_gives_zeros_never_nan(function):
    """Values of arrays are not checked, and all of them give finite results."""

    @jax.jit
    def both(x, rate):
        y, pull = jax.vjp(lambda x: function(jax.random.key(0), x, rate=rate), x)
        return y, pull(y + 1)[0]

    for rate in (1.0, 1.5, np.inf, np.nan):
        for result in both(jnp.asarray(X), rate):
            np.testing.assert_array_equal(result, np.zeros_like(X))


@pytest.mark.parametrize("bits", [32, 8])
def test_a_negative_traced_rate_drops_nothing(bits):
    y = noise.dropout(jax.random.key(0), X, rate=jnp.float32(-0.5), bits=bits)
    np.testing.assert_array_equal(y, X)


def test_no_gradient_flows_to_a_rate():
    def loss(rate):
        return noise.dropout(jax.random.key(0), X, rate=rate).sum()

    assert jax.grad(loss)(0.5) == 0


def test_a_dropped_infinity_is_0_and_its_gradient_too():
    x = jnp.array([jnp.inf, jnp.nan, 1.0])
    sample = noise.mask_sample(np.array([0, 0, 1]))
    np.testing.assert_array_equal(noise.apply(x, sample), [0, 0, 1])
    gradient = jax.grad(lambda x: noise.apply(x, sample).sum())(x)
    np.testing.assert_array_equal(gradient, [0, 0, 1])
