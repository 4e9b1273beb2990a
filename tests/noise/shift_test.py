"""Shifts, their priors and baseline, and folding (Ba et al. 2014)."""

import jax
import numpy as np
import pytest
from jax import lax
from jax import numpy as jnp

from noisejax import noise


def key(seed=0):
    return jax.random.key(seed)


def normal(seed, *shape):
    values = np.random.default_rng(seed).normal(size=shape)
    return jnp.asarray(values.astype(np.float32))


def test_invariant_dropout_is_equation_8():
    """a = m (g + β) / (1 - rate), in NumPy."""
    x, beta = normal(1, 8, 5), normal(2, 5)
    mask = np.asarray(jax.random.bernoulli(key(), np.float32(0.7), (8, 5)))
    expected = mask * (np.asarray(x) + np.asarray(beta)[None]) / 0.7
    y = noise.invariant_dropout(key(), x, beta, rate=0.3)
    np.testing.assert_allclose(y, expected, rtol=1e-6, atol=1e-6)


def test_a_shift_of_zeros_is_dropout():
    x = normal(1, 8, 5)
    np.testing.assert_array_equal(
        noise.invariant_dropout(key(), x, jnp.zeros(5), rate=0.3),
        noise.dropout(key(), x, rate=0.3),
    )


@pytest.mark.parametrize("shape", [(), (3,), (1, 3), (5, 4, 3), (5, 1, 1)])
def test_shifts_per_unit_per_map_and_shared(shape):
    x, beta = normal(1, 2, 5, 4, 3), normal(2, *shape)
    expected = np.asarray(x) + np.broadcast_to(beta, (5, 4, 3))[None]
    np.testing.assert_allclose(noise.shift(x, beta), expected, rtol=1e-6)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16], ids=str)
def test_a_shift_keeps_the_dtype(dtype):
    y = noise.invariant_dropout(
        key(), normal(1, 8, 5).astype(dtype), normal(2, 5), rate=0.3
    )
    assert y.dtype == dtype


def test_a_dropped_unit_teaches_its_shift_nothing():
    mask = np.asarray(jax.random.bernoulli(key(), np.float32(0.5), (1, 50)))[0]
    gradient = jax.grad(
        lambda b: noise.invariant_dropout(key(), normal(1, 1, 50), b, rate=0.5).sum()
    )(jnp.zeros(50))
    np.testing.assert_array_equal(gradient, mask * 2.0)


def test_a_shift_of_a_linear_activation_is_redundant_with_the_bias():
    """m (z + b + β): for linear g, β moves into the bias of the same unit."""
    x, w, b, beta = normal(1, 8, 4), normal(2, 4, 5), normal(3, 5), normal(4, 5)
    shifted = noise.invariant_dropout(key(), x @ w + b[None], beta, rate=0.3)
    biased = noise.dropout(key(), x @ w + (b + beta)[None], rate=0.3)
    np.testing.assert_allclose(shifted, biased, rtol=1e-5, atol=1e-5)


def test_the_best_shift_is_minus_the_mean_activity():
    """It minimises the variance that dropout adds (section 4)."""
    x = jnp.abs(normal(1, 2000, 1)) + 3.0

    def added_variance(beta):
        return jnp.mean((x + beta) ** 2)  # eq. 10, up to a factor

    best = jax.grad(added_variance)(-jnp.mean(x))
    assert abs(best) < 1e-4


def test_shift_decay_adds_decay_times_beta_to_the_gradient():
    betas = {"a": normal(1, 5), "b": normal(2, 2, 3)}
    gradient = jax.grad(noise.shift_decay_penalty)(betas)
    jax.tree.map(
        lambda g, b: np.testing.assert_allclose(g, 0.1 * b, rtol=1e-6), gradient, betas
    )


def test_shift_variance_penalty_is_half_the_sum_of_squares_about_each_mean():
    betas = [normal(1, 5), normal(2, 7) + 3.0]
    expected = 0.5 * 0.3 * sum(float(np.var(b) * b.size) for b in betas)
    np.testing.assert_allclose(
        noise.shift_variance_penalty(betas, decay=0.3), expected, rtol=1e-5
    )
    for penalty in (noise.shift_variance_penalty, noise.shift_decay_penalty):
        with pytest.raises(ValueError, match="decay must be 0 or more"):
            penalty(betas, decay=-1.0)


def test_the_running_mean_is_an_exponential_average_without_gradient():
    mean = np.zeros(3)
    ours = jnp.zeros(3)
    for seed in range(5):
        x = normal(seed, 4, 6, 3) + 2.0
        mean = 0.99 * mean + 0.01 * np.asarray(x).mean(axis=(0, 1))
        ours = noise.update_running_mean(ours, x)
    np.testing.assert_allclose(ours, mean, rtol=1e-5)
    gradient = jax.grad(lambda x: noise.update_running_mean(jnp.zeros(3), x).sum())
    np.testing.assert_array_equal(gradient(normal(1, 4, 3)), np.zeros((4, 3)))


def test_the_running_mean_has_the_shape_of_a_shift():
    x = normal(1, 8, 5, 4, 3)
    shared = noise.update_running_mean(jnp.zeros((5, 1, 3)), x, decay=0.0)
    np.testing.assert_allclose(shared, x.mean(axis=(0, 2))[:, None], rtol=1e-5)
    with pytest.raises(ValueError, match="mean must have the shape"):
        noise.update_running_mean(jnp.zeros(4), x)
    with pytest.raises(ValueError, match="decay must lie in"):
        noise.update_running_mean(jnp.zeros(3), x, decay=1.0)


# Folding: a network with shifts against the plain one it becomes.


def assert_folds(with_shift, plain):
    """Check equality up to float32 rounding of sums of this size."""
    np.testing.assert_allclose(plain, with_shift, rtol=1e-5, atol=2e-5)


def test_folding_into_dense():
    x, w, b, beta = normal(1, 8, 50), normal(2, 50, 20), normal(3, 20), normal(4, 50)
    assert_folds(
        noise.shift(x, beta) @ w + b[None],
        x @ w + noise.fold_into_dense(beta, w, b)[None],
    )


def test_folding_feature_maps_into_the_dense_layer_that_flattens_them():
    x, beta = normal(1, 8, 5, 4, 3), normal(4, 3)
    w = normal(2, 60, 20)
    bias = noise.fold_into_dense(beta, w, input_shape=(5, 4, 3))
    assert_folds(
        noise.shift(x, beta).reshape(8, -1) @ w, x.reshape(8, -1) @ w + bias[None]
    )


CONVOLUTIONS = {
    "valid": dict(padding="VALID"),
    "same": dict(padding="SAME"),
    "valid strided": dict(padding="VALID", strides=(2, 1)),
    "same strided": dict(padding="SAME", strides=2),
    "explicit": dict(padding=[(2, 2), (1, 0)]),
    "dilated": dict(padding="SAME", kernel_dilation=2),
    "grouped": dict(padding="SAME", feature_group_count=2),
}


@pytest.mark.parametrize("arguments", CONVOLUTIONS.values(), ids=CONVOLUTIONS.keys())
@pytest.mark.parametrize("per_position", [False, True])
def test_folding_into_convolutions(arguments, per_position):
    size, channels = (9, 8), 4
    groups = arguments.get("feature_group_count", 1)
    x = normal(1, 3, *size, channels)
    w = normal(2, 3, 3, channels // groups, 6)
    b = normal(3, 6)
    beta = normal(4, *size, channels) if per_position else normal(4, channels)

    def conv(x):
        strides = arguments.get("strides", 1)
        dilation = arguments.get("kernel_dilation", 1)
        return lax.conv_general_dilated(
            x,
            w,
            (strides, strides) if isinstance(strides, int) else strides,
            arguments["padding"],
            rhs_dilation=(dilation, dilation),
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=groups,
        )

    bias = noise.fold_into_conv(beta, w, b, input_shape=(*size, channels), **arguments)
    per_channel = not per_position and arguments["padding"] == "VALID"
    assert bias.ndim == (1 if per_channel else 3)
    with_shift = conv(noise.shift(x, beta)) + b[None, None, None]
    assert_folds(
        with_shift, conv(x) + bias.reshape((1,) * (4 - bias.ndim) + bias.shape)
    )


def test_one_bias_per_channel_would_be_wrong_at_a_padded_border():
    """This is the reason for a bias per position with SAME padding."""
    bias = noise.fold_into_conv(
        jnp.ones(2), normal(1, 3, 3, 2, 4), input_shape=(6, 6, 2)
    )
    assert np.ptp(np.asarray(bias), axis=(0, 1)).min() > 0.1
    inner = np.asarray(bias)[1:-1, 1:-1]
    assert np.ptp(inner, axis=(0, 1)).max() < 1e-5


def test_folding_through_max_pooling():
    """conv - shift per map - max-pool - dense, against conv - max-pool - dense."""
    x, beta, w = normal(1, 8, 6, 6, 3), normal(2, 3), normal(3, 27, 10)

    def pool(x):
        return lax.reduce_window(
            x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID"
        )

    behind = noise.fold_through_max_pool(beta, input_shape=(6, 6, 3))
    bias = noise.fold_into_dense(behind, w, input_shape=(3, 3, 3))
    assert_folds(
        pool(noise.shift(x, beta)).reshape(8, -1) @ w,
        pool(x).reshape(8, -1) @ w + bias[None],
    )


def test_a_shift_per_unit_is_not_folded_through_max_pooling():
    with pytest.raises(ValueError, match="does not commute with max-pooling"):
        noise.fold_through_max_pool(normal(1, 6, 6, 3), input_shape=(6, 6, 3))


@pytest.mark.parametrize("padding", ["CIRCULAR", "REFLECT", "CAUSAL", "same"])
def test_paddings_of_other_than_zeros_are_refused(padding):
    with pytest.raises(ValueError, match="VALID, SAME or pairs"):
        noise.fold_into_conv(
            jnp.ones(2), normal(1, 3, 3, 2, 4), input_shape=(6, 6, 2), padding=padding
        )


def test_folding_what_does_not_fit():
    w = normal(1, 50, 20)
    with pytest.raises(ValueError, match="beta must have the shape"):
        noise.fold_into_dense(jnp.ones(7), w)
    with pytest.raises(ValueError, match="the kernel .* takes 50"):
        noise.fold_into_dense(jnp.ones(3), w, input_shape=(4, 4, 3))
    with pytest.raises(ValueError, match="bias must be of shape"):
        noise.fold_into_dense(jnp.ones(50), w, jnp.ones(7))
    kernel = normal(1, 3, 3, 2, 4)
    with pytest.raises(ValueError, match="takes 2 channels"):
        noise.fold_into_conv(jnp.ones(3), kernel, input_shape=(6, 6, 3))
    with pytest.raises(ValueError, match="2 spatial axes"):
        noise.fold_into_conv(jnp.ones(2), kernel, input_shape=(6, 2))


def test_a_whole_invariant_network_folds_into_a_plain_one():
    """One input shift and two hidden shifts give the same outputs before and after."""
    widths = (20, 30, 30, 10)
    ws = [
        normal(i, n, m) / np.sqrt(n)
        for i, (n, m) in enumerate(zip(widths, widths[1:], strict=False))
    ]
    bs = [normal(10 + i, m) for i, m in enumerate(widths[1:])]
    betas = [normal(20 + i, n) for i, n in enumerate(widths[:-1])]
    x = normal(30, 16, 20)

    def net(x, betas, bs):
        for i, (w, b, beta) in enumerate(zip(ws, bs, betas, strict=True)):
            x = noise.shift(x, beta) @ w + b[None]
            x = jax.nn.relu(x) if i < 2 else x
        return x

    folded = [
        noise.fold_into_dense(beta, w, b)
        for beta, w, b in zip(betas, ws, bs, strict=True)
    ]
    zeros = [jnp.zeros_like(beta) for beta in betas]
    assert_folds(net(x, betas, bs), net(x, zeros, folded))
