"""GAAF: equations 7 and 8, derivatives, transforms, dtypes, infinities."""

import jax
import jax.export
import numpy as np
import pytest
from jax import numpy as jnp

from noisejax import activations

K = 10_000.0
PAIRS = {
    "tanh": (jnp.tanh, activations.exponential_shape),
    "relu": (jax.nn.relu, activations.shifted_sigmoid_shape),
    "softplus": (jax.nn.softplus, jnp.cos),
}


@pytest.fixture(params=PAIRS.values(), ids=PAIRS.keys())
def pair(request):
    return request.param


@pytest.fixture(params=["floor", "exact"])
def value(request):
    return request.param


def x_values(dtype=jnp.float32):
    x = jnp.concatenate(
        [jnp.linspace(-6, 6, 301), jnp.array([-80.3, -30.7, 30.7, 80.3])]
    )
    return x[x != 0].astype(dtype)


def slopes(f, x):
    return jax.jit(jax.vmap(jax.grad(f)))(x)


def test_equation_7():
    x = np.asarray(x_values(), np.float64)
    expected = (x * K - np.floor(x * K) - 0.5) / K
    ours = np.asarray(activations.gradient_acceleration(x_values()), np.float64)
    wrapped = np.abs(ours - expected)  # float32 may round to the other side of a step
    assert np.all(np.minimum(wrapped, 1 / K - wrapped) < 5e-2 / K)
    assert np.abs(ours).max() <= 0.5 / K * (1 + 1e-6)


@pytest.mark.parametrize("frequency", [1.0, 10_000.0, 123.4])
def test_g_has_slope_1(frequency):
    g = lambda x: activations.gradient_acceleration(x, frequency=frequency)
    np.testing.assert_array_equal(slopes(g, x_values()), 1)
    _, tangent = jax.jvp(g, (x_values(),), (jnp.ones_like(x_values()),))
    np.testing.assert_array_equal(tangent, 1)


def test_equation_8(pair, value):
    phi, s = pair
    x = x_values()
    y = activations.gaaf(phi, s, value=value)(x)
    if value == "exact":
        np.testing.assert_array_equal(y, phi(x))
    else:
        expected = phi(x) + activations.gradient_acceleration(x) * s(x)
        np.testing.assert_allclose(y, expected, rtol=1e-6, atol=1e-9)
        assert np.abs(y - phi(x)).max() <= 0.51 / K * np.abs(s(x)).max() + 1e-5


def test_the_derivative_is_phi_prime_plus_s(pair, value):
    phi, s = pair
    x = x_values()
    f = activations.gaaf(phi, s, value=value)
    expected = slopes(phi, x) + s(x)
    steps = 0.5 / K * np.abs(slopes(s, x)).max() if value == "floor" else 0
    np.testing.assert_allclose(slopes(f, x), expected, rtol=1e-5, atol=1e-6 + steps)


def test_transforms_agree(pair, value):
    f = activations.gaaf(*pair, value=value)
    x = x_values()
    ones = jnp.ones_like(x)
    reverse = jax.vjp(f, x)[1](ones)[0]
    close = dict(rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(jax.jvp(f, (x,), (ones,))[1], reverse, **close)
    np.testing.assert_allclose(slopes(f, x), reverse, **close)
    np.testing.assert_allclose(jax.jit(f)(x), f(x), **close)
    remat = jax.jit(jax.grad(lambda x: jax.checkpoint(f)(x).sum()))(x)
    np.testing.assert_allclose(remat, reverse, **close)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, jnp.float32], ids=str)
def test_the_derivative_is_right_in_every_dtype(pair, value, dtype):
    """This includes values at which x·K has no fraction left or overflows."""
    phi, s = pair
    x = jnp.array(
        [-60000.0, -2000.0, -3.0, -0.3, 0.01, 1.0, 5.0, 1700.0, 60000.0], dtype
    )
    f = activations.gaaf(phi, s, value=value)
    y = f(x)
    assert y.dtype == dtype
    tolerance = float(jnp.finfo(dtype).eps) * 4 + 0.5 / K  # g s' of the floor form
    np.testing.assert_allclose(
        np.asarray(y, np.float32),
        np.asarray(phi(x), np.float32),
        rtol=tolerance,
        atol=1e-4,
    )
    expected = np.asarray(slopes(phi, x), np.float32) + s(x.astype(jnp.float32))
    np.testing.assert_allclose(
        np.asarray(slopes(f, x), np.float32), expected, rtol=tolerance, atol=tolerance
    )


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16], ids=str)
@pytest.mark.parametrize("name", ["tanh", "relu"])
def test_infinities_stay_as_the_activation_has_them(name, value, dtype):
    phi, s = PAIRS[name]
    x = jnp.array([-jnp.inf, jnp.inf], dtype)
    f = activations.gaaf(phi, s, value=value)
    np.testing.assert_array_equal(f(x), phi(x))
    np.testing.assert_array_equal(slopes(f, x), slopes(phi, x) + s(x))
    largest = jnp.array(
        [float(jnp.finfo(dtype).min), float(jnp.finfo(dtype).max)], dtype
    )
    assert np.isfinite(np.asarray(slopes(f, largest), np.float32)).all()
    np.testing.assert_array_equal(jnp.isnan(f(jnp.array([jnp.nan], dtype))), [True])


@pytest.mark.parametrize(
    ("name", "pair_name"), [("gaaf_tanh", "tanh"), ("gaaf_relu", "relu")]
)
def test_gaaf_tanh_and_gaaf_relu(name, pair_name, value):
    f = getattr(activations, name)
    x = x_values()
    expected = activations.gaaf(*PAIRS[pair_name], value=value)(x)
    np.testing.assert_array_equal(f(x, value=value), expected)


def test_sigmoid_is_tanh_rescaled():
    x = x_values()
    np.testing.assert_allclose(
        slopes(activations.gaaf_sigmoid, x),
        slopes(lambda x: activations.gaaf_tanh(x / 2) / 2, x),
        rtol=1e-3,
        atol=1e-4,
    )


def test_shape_constants():
    shape = activations.shifted_sigmoid_shape(
        jnp.float32(-4.0), steepness=2.0, offset=4.0
    )
    assert shape == 0.5
    np.testing.assert_allclose(
        activations.exponential_shape(jnp.float32(-2.0), decay=0.5),
        np.exp(-1),
        rtol=1e-6,
    )
    x = jnp.array([-4.0, -1.0, 1.0, 4.0])
    wide = slopes(lambda x: activations.gaaf_tanh(x, decay=0.1), x)
    assert (wide > slopes(activations.gaaf_tanh, x)).all()


def test_it_hashes_by_its_parts_and_is_static_under_jit(value):
    make = lambda: activations.gaaf(
        jnp.tanh, activations.exponential_shape, value=value
    )
    assert hash(make()) == hash(make()) and make() == make()
    traces = []

    def f(phi, x):
        traces.append(phi)
        return phi(x)

    jitted = jax.jit(f, static_argnums=0)
    jitted(make(), 1.0), jitted(make(), 2.0)
    assert len(traces) == 1


@pytest.mark.parametrize("frequency", [0, -1.0, np.nan, np.inf, "K", None])
def test_frequencies_that_are_not_positive_numbers(frequency):
    for make in (
        lambda: activations.gaaf(jnp.tanh, jnp.cos, frequency=frequency),
        lambda: activations.gradient_acceleration(1.0, frequency=frequency),
        lambda: activations.gaaf_tanh(1.0, frequency=frequency),
    ):
        with pytest.raises(ValueError, match="frequency is K of eq. 7"):
            make()


def test_other_bad_input():
    with pytest.raises(ValueError, match="'floor'.*'exact'.*'ceil'"):
        activations.gaaf(jnp.tanh, jnp.cos, value="ceil")
    with pytest.raises(TypeError, match="activation must be an elementwise function"):
        activations.gaaf("tanh", jnp.cos)
    with pytest.raises(TypeError, match="shape_fn must be"):
        activations.gaaf(jnp.tanh, 1.0)
    for x in (np.arange(3), np.ones(3, np.complex64)):
        with pytest.raises(TypeError, match="floating array"):
            activations.gradient_acceleration(x)


def test_export_to_all_platforms_with_a_symbolic_size(value):
    f = jax.jit(lambda x: activations.gaaf_tanh(x, value=value))
    x = jax.ShapeDtypeStruct(jax.export.symbolic_shape("b, 3"), jnp.float32)
    exported = jax.export.export(f, platforms=("cpu", "cuda", "tpu"))(x)
    example = jnp.ones((5, 3))
    np.testing.assert_allclose(exported.call(example), f(example), rtol=1e-6)
