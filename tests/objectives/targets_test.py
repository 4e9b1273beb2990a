"""Log-likelihoods of targets equal the formulas in NumPy."""

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from noisejax import objectives

RNG = np.random.default_rng(1)
LOGITS = RNG.normal(size=(4, 3, 5)).astype(np.float32)
LABELS = RNG.integers(0, 5, (4, 3))


def log_softmax(z):
    z = np.float64(z)
    return z - np.log(np.exp(z).sum(-1, keepdims=True))


def test_labels_with_one_and_several_outputs():
    expected = np.take_along_axis(log_softmax(LOGITS), LABELS[..., None], -1)[..., 0]
    np.testing.assert_allclose(
        objectives.label_log_prob(LOGITS[:, 0], LABELS[:, 0]), expected[:, 0], rtol=1e-5
    )
    np.testing.assert_allclose(
        objectives.label_log_prob(LOGITS, LABELS), expected.sum(1), rtol=1e-5
    )


def test_soft_targets():
    targets = RNG.dirichlet(np.ones(5), size=(4, 3)).astype(np.float32)
    expected = (targets * log_softmax(LOGITS)).sum((1, 2))
    np.testing.assert_allclose(
        objectives.soft_label_log_prob(LOGITS, targets), expected, rtol=1e-5
    )
    one_hot = np.eye(5, dtype=np.float32)[LABELS]
    np.testing.assert_allclose(
        objectives.soft_label_log_prob(LOGITS, one_hot),
        objectives.label_log_prob(LOGITS, LABELS),
        rtol=1e-5,
    )


def test_a_class_without_target_may_be_impossible():
    logits, targets = jnp.array([[0.0, -jnp.inf]]), jnp.array([[1.0, 0.0]])
    function = lambda z: objectives.soft_label_log_prob(z, targets).sum()
    assert function(logits) == 0
    assert np.isfinite(jax.grad(function)(logits)).all()


@pytest.mark.parametrize("stddev", [0.5, np.full((1, 3), 2.0, np.float32)])
def test_gaussian(stddev):
    mean, y = LOGITS[:, :, 0], LOGITS[:, :, 1]
    density = np.exp(-((y - mean) ** 2) / 2 / stddev**2) / stddev / np.sqrt(2 * np.pi)
    np.testing.assert_allclose(
        objectives.gaussian_log_prob(mean, y, stddev=stddev),
        np.log(density).sum(1),
        rtol=1e-5,
    )


def test_gaussian_of_images_and_single_outputs():
    y = np.zeros((2, 3, 3, 1), np.float32)
    assert objectives.gaussian_log_prob(y, y).shape == (2,)
    assert objectives.gaussian_log_prob(y[:, 0, 0, 0], y[:, 0, 0, 0]).shape == (2,)


def test_bernoulli_is_the_sum_over_outputs():
    """This holds for binary targets, values between, and certain predictions."""
    rng = np.random.default_rng(3)
    z, y = rng.normal(size=(4, 3, 2)), rng.integers(0, 2, (4, 3, 2)).astype(float)
    y[0] = 0.3
    p = 1 / (1 + np.exp(-z))
    expected = (y * np.log(p) + (1 - y) * np.log(1 - p)).sum(axis=(1, 2))
    found = objectives.bernoulli_log_prob(
        jnp.asarray(z, jnp.float32), jnp.asarray(y, jnp.float32)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    certain = jnp.array([[jnp.inf, -jnp.inf]])
    assert objectives.bernoulli_log_prob(certain, jnp.array([[1.0, 0.0]])) == 0
    gradient = jax.grad(lambda z: objectives.bernoulli_log_prob(z, z * 0).sum())
    assert jnp.isfinite(gradient(jnp.array([[1e4, -1e4]]))).all()


def test_sequences_sum_the_tokens_that_count():
    counts = np.array([[1, 1, 1], [1, 0, 0], [0, 0, 0], [0, 1, 1]], bool)
    each = np.take_along_axis(log_softmax(LOGITS), LABELS[..., None], -1)[..., 0]
    np.testing.assert_allclose(
        objectives.sequence_log_prob(LOGITS, LABELS, counts),
        (each * counts).sum(1),
        rtol=1e-5,
    )


def test_padding_may_hold_anything():
    counts = np.array([[True, False]])
    logits = jnp.array([[[0.0, 1.0], [jnp.nan, jnp.inf]]])
    tokens = jnp.array([[1, -100]])
    function = lambda z: objectives.sequence_log_prob(z, tokens, counts).sum()
    expected = objectives.label_log_prob(logits[:, 0], tokens[:, 0]).sum()
    np.testing.assert_allclose(function(logits), expected, rtol=1e-6)
    gradient = jax.grad(function)(logits)
    assert np.isfinite(gradient).all() and not gradient[0, 1].any()


def test_ignored_labels_count_for_nothing():
    """Log-likelihood 0 and gradient 0, whatever their logits hold."""
    logits = jnp.array([[[0.0, 1.0], [jnp.nan, jnp.inf]], [[jnp.nan] * 2] * 2])
    for ignored in (-100, -1, 7):
        labels = jnp.array([[1, ignored], [ignored, ignored]])
        function = jax.jit(
            lambda z, y, i=ignored: objectives.label_log_prob(z, y, ignore_label=i)
        )
        expected = [log_softmax(np.float32([0, 1]))[1], 0]
        np.testing.assert_allclose(function(logits, labels), expected, rtol=1e-6)
        gradient = jax.grad(lambda z, y=labels, f=function: f(z, y).sum())(logits)
        assert np.isfinite(gradient).all() and not gradient[0, 1].any()


@pytest.mark.parametrize("label", [-1, -100, 5, 1000])
def test_labels_out_of_range(label):
    """Known values raise an error, and traced values give NaN."""
    labels = jnp.array([0, label, 4])
    z = jnp.asarray(LOGITS[:3, 0])
    with pytest.raises(
        ValueError, match=f"labels must be 0 to 4 .* got {label}; .*ign"
    ):
        objectives.label_log_prob(z, labels)
    traced = jax.jit(objectives.label_log_prob)(z, labels)
    np.testing.assert_array_equal(np.isnan(traced), [False, True, False])
    counts = jnp.array([[True, False, True]])
    assert np.isfinite(objectives.sequence_log_prob(z[None], labels[None], counts))
    with pytest.raises(ValueError, match="tokens must be .* pass counts=False"):
        objectives.sequence_log_prob(z[None], labels[None], ~counts)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32])
def test_integer_dtypes_of_labels(dtype):
    logits = np.zeros((2, 300), np.float32)
    labels = np.array([0, 127], dtype)
    expected = np.full(2, -np.log(300))
    for function in (objectives.label_log_prob, jax.jit(objectives.label_log_prob)):
        np.testing.assert_allclose(function(logits, labels), expected, rtol=1e-6)


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_blocks_of_tokens(size):
    """The last block is shorter; blocks add up to the sequence."""
    counts = np.array([[1, 1, 1], [1, 0, 0], [0, 0, 0], [0, 1, 1]], bool)
    each = np.take_along_axis(log_softmax(LOGITS), LABELS[..., None], -1)[..., 0]
    masked = each * counts
    expected = [masked[:, i : i + size].sum(1) for i in range(0, 3, size)]
    found = objectives.sequence_log_prob(LOGITS, LABELS, counts, block_size=size)
    np.testing.assert_allclose(found, np.stack(expected, 1), rtol=1e-5, atol=1e-6)


def test_half_precision_is_computed_in_float32():
    logits = jnp.asarray(LOGITS, jnp.bfloat16)
    out = objectives.label_log_prob(logits, LABELS)
    assert out.dtype == jnp.float32
    exact = objectives.label_log_prob(logits.astype(jnp.float32), LABELS)
    np.testing.assert_array_equal(out, exact)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (
            lambda: objectives.label_log_prob(LOGITS, LABELS[:, 0]),
            ValueError,
            r"labels must have shape \(4, 3\), got \(4,\)",
        ),
        (
            lambda: objectives.label_log_prob(LOGITS, np.float32(LABELS)),
            TypeError,
            "labels must be integers, got float32",
        ),
        (
            lambda: objectives.soft_label_log_prob(LOGITS, LOGITS[..., :2]),
            ValueError,
            "targets must have shape",
        ),
        (
            lambda: objectives.gaussian_log_prob(LOGITS, LOGITS, stddev=0.0),
            ValueError,
            "stddev must be above 0, got 0.0",
        ),
        (
            lambda: objectives.gaussian_log_prob(
                LOGITS, LOGITS, stddev=np.ones(5, np.float32)
            ),
            ValueError,
            "an array of the rank of mean",
        ),
        (
            lambda: objectives.gaussian_log_prob(np.arange(3), np.arange(3)),
            TypeError,
            "a floating array is needed",
        ),
        (
            lambda: objectives.sequence_log_prob(LOGITS, LABELS, LABELS),
            TypeError,
            "counts must be boolean",
        ),
        (
            lambda: objectives.sequence_log_prob(
                LOGITS, LABELS, LABELS > 0, block_size=0
            ),
            ValueError,
            "block_size must be 1 or more tokens, got 0",
        ),
        (
            lambda: objectives.sequence_log_prob(LOGITS, LABELS, LABELS[:, :2] > 0),
            ValueError,
            "counts must have shape",
        ),
    ],
)
def test_bad_arguments(call, error, match):
    with pytest.raises(error, match=match):
        call()
