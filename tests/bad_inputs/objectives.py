"""Wrong arguments of activations and objectives."""

import numpy as np
from jax import numpy as jnp

from noisejax import activations, objectives
from tests.bad_inputs.arrays import INTEGERS, X, key


def log_prob(params, key, x):
    del key
    return jnp.sum(params * x, axis=-1)


def iwsgd(log_prob_fn=log_prob, num_samples=2, **options):
    return objectives.iwsgd(log_prob_fn, num_samples=num_samples, **options)


ACTIVATIONS = {
    "gradient_acceleration: a frequency of 0": (
        lambda: activations.gradient_acceleration(X, frequency=0.0),
        "frequency is K of eq. 7 and must be a positive number, got 0.0",
    ),
    "gradient_acceleration: integers": (
        lambda: activations.gradient_acceleration(INTEGERS),
        "floating array",
    ),
    "gaaf: no function": (
        lambda: activations.gaaf("tanh", activations.exponential_shape),
        "must be an elementwise function such as jnp.tanh, got 'tanh'",
    ),
    "gaaf: an unknown value": (
        lambda: activations.gaaf(
            jnp.tanh, activations.exponential_shape, value="round"
        ),
        "'floor' .*or 'exact', got 'round'",
    ),
    "Gaaf: a negative frequency": (
        lambda: activations.Gaaf(jnp.tanh, activations.exponential_shape, -1.0),
        "frequency is K",
    ),
    "gaaf_tanh: nan": (
        lambda: activations.gaaf_tanh(X, frequency=np.nan),
        "a positive number, got nan",
    ),
    "gaaf_relu: integers": (lambda: activations.gaaf_relu(INTEGERS), "floating array"),
    "gaaf_sigmoid: a word": (
        lambda: activations.gaaf_sigmoid(X, frequency="high"),
        "a positive number, got 'high'",
    ),
    "shifted_sigmoid_shape: a list": (
        lambda: activations.shifted_sigmoid_shape([1, 2]),
        "list",
    ),
}


OBJECTIVES = {
    "importance_weights: no samples": (
        lambda: objectives.importance_weights(np.zeros((0, 4), np.float32)),
        r"one or more noise samples along its first axis, got shape \(0, 4\)",
    ),
    "iw_log_likelihood: a number": (
        lambda: objectives.iw_log_likelihood(np.float32(0)),
        r"first axis, got shape \(\)",
    ),
    "iw_log_likelihood: integers": (
        lambda: objectives.iw_log_likelihood(np.zeros((2, 2), np.int32)),
        "float",
    ),
    "bound_curve: one axis": (
        lambda: objectives.bound_curve(np.zeros(3, np.float32)),
        r"must be \[samples, examples\], got shape \(3,\)",
    ),
    "predictive: no classes": (
        lambda: objectives.predictive(np.zeros(3, np.float32)),
        "samples first and classes last",
    ),
    "bernoulli_log_prob: another shape": (
        lambda: objectives.bernoulli_log_prob(X, X[:1]),
        "targets",
    ),
    "gaussian_log_prob: stddev 0": (
        lambda: objectives.gaussian_log_prob(X, X, stddev=0.0),
        "stddev must be above 0, got 0.0",
    ),
    "gaussian_log_prob: stddev of another rank": (
        lambda: objectives.gaussian_log_prob(X, X, stddev=np.ones(5, np.float32)),
        r"of the rank of mean, shape \(4, 5\); got shape \(5,\)",
    ),
    "gaussian_log_prob: other targets": (
        lambda: objectives.gaussian_log_prob(X, X[:, :3]),
        r"targets must have shape \(4, 5\), got \(4, 3\)",
    ),
    "label_log_prob: floating labels": (
        lambda: objectives.label_log_prob(X, np.zeros(4)),
        "labels must be integers, got float",
    ),
    "label_log_prob: one-hot labels": (
        lambda: objectives.label_log_prob(X, INTEGERS),
        r"labels must have shape \(4,\), got \(4, 5\)",
    ),
    "soft_label_log_prob: labels": (
        lambda: objectives.soft_label_log_prob(X, np.zeros(4, np.float32)),
        r"targets must have shape \(4, 5\), got \(4,\)",
    ),
    "sequence_log_prob: counts of numbers": (
        lambda: objectives.sequence_log_prob(
            np.zeros((2, 3, 5), np.float32),
            np.zeros((2, 3), np.int32),
            np.ones((2, 3), np.float32),
        ),
        "counts must be boolean, got float32",
    ),
    "label_log_prob: label -1": (
        lambda: objectives.label_log_prob(X, np.array([0, -1, 2, 3])),
        "labels must be 0 to 4 for 5 classes, got -1; .* pass ignore_label",
    ),
    "sequence_log_prob: blocks of 0 tokens": (
        lambda: objectives.sequence_log_prob(
            np.zeros((2, 3, 5), np.float32),
            np.zeros((2, 3), np.int32),
            np.ones((2, 3), bool),
            block_size=0,
        ),
        "block_size must be 1 or more tokens, got 0",
    ),
    "check_independence: one example": (
        lambda: objectives.check_independence(log_prob, X[0], key(), X[:1]),
        "a batch of two or more examples, got 1",
    ),
    "check_independence: equal examples": (
        lambda: objectives.check_independence(log_prob, X[0], key(), X),
        "examples that differ; all 4 are equal",
    ),
    "check_independence: a mean over the batch": (
        lambda: objectives.check_independence(
            lambda p, k, x: x - x.mean(), None, key(), np.arange(4, dtype=np.float32)
        ),
        "example 0 changed from .*Use strategy='vmap', 'map' or 'fold'",
    ),
    "iwsgd: blocks under resample": (
        lambda: iwsgd(strategy="resample", weighting="blocks"),
        "weighting='blocks' needs strategy='vmap', 'map' or 'fold'",
    ),
    "iwsgd: no function": (lambda: iwsgd(None), "must be a function .* got NoneType"),
    "iwsgd: no samples": (lambda: iwsgd(num_samples=0), "got 0"),
    "iwsgd: half a sample": (lambda: iwsgd(num_samples=1.5), "got 1.5"),
    "iwsgd: an unknown strategy": (
        lambda: iwsgd(strategy="scan"),
        r"strategy must be one of \['fold', 'map', 'resample', 'vmap'\], got 'scan'",
    ),
    "iwsgd: an unknown weighting": (
        lambda: iwsgd(weighting="max"),
        r"weighting must be one of \['blocks', 'equal', 'importance'\], got 'max'",
    ),
    "iwsgd: noise without arrays": (
        lambda: iwsgd()(X[0], (), X),
        "one key, or a pytree of samples to replay; got",
    ),
    "iwsgd: an integer for a key": (
        lambda: iwsgd()(X[0], 3, X),
        "key",
    ),
    "iwsgd: samples of another number": (
        lambda: iwsgd()(X[0], np.ones((3, 5), np.float32), X),
        "noise to replay must",
    ),
    "iwsgd: batches of two sizes": (
        lambda: iwsgd(lambda p, k, x, y: x[:, 0])(X[0], key(), X, X[:2]),
        "the first axis of each array of a batch must be the examples",
    ),
    "iwsgd: the mean over the batch": (
        lambda: iwsgd(lambda p, k, x: jnp.mean(x))(X[0], key(), X),
        "take no mean over the batch",
    ),
    "iwsgd: fold without a batch": (
        lambda: iwsgd(lambda p, k: p, strategy="fold")(X[0], key()),
        "strategy='fold' needs a batch, and none was passed",
    ),
    "iwsgd: no pair with has_aux": (
        lambda: iwsgd(has_aux=True)(X[0], key(), X),
        r"must return a pair \(log_probs \[B\], aux\)",
    ),
}
