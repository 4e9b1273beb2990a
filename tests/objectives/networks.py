"""A small noisy network as a pure function of parameters and noise."""

import jax
from jax import numpy as jnp

from noisejax import noise, objectives

BATCH, FEATURES, HIDDEN, CLASSES = 6, 5, 7, 3
SHAPES = ((BATCH, FEATURES), (BATCH, HIDDEN))
"""Of what the two samples of a call are for."""


def key(seed=0):
    return jax.random.key(seed)


def params(dtype=jnp.float32):
    shapes = ((FEATURES, HIDDEN), (HIDDEN, CLASSES))
    return [jax.random.normal(key(10 + i), s, dtype) for i, s in enumerate(shapes)]


def batch(dtype=jnp.float32, size=BATCH):
    x = jax.random.normal(key(20), (size, FEATURES), dtype)
    return x, jax.random.randint(key(21), (size,), 0, CLASSES)


def draw(scheme, key, size, level=None):
    """Draw the samples of one call: for the input and for the hidden layer."""
    keys = jax.random.split(key)
    shapes = ((size, FEATURES), (size, HIDDEN))
    return [
        scheme.sample(k, shape, level=level)
        for k, shape in zip(keys, shapes, strict=True)
    ]


def logits(params, samples, x):
    hidden = jnp.tanh(noise.apply(x, samples[0]) @ params[0])
    return noise.apply(hidden, samples[1]) @ params[1]


def make_log_prob(scheme):
    """Return log p(y | x, noise), [B]. The noise is a key or samples of one call."""

    def log_prob(params, noise_, x, y):
        if isinstance(noise_, jax.Array):
            noise_ = draw(scheme, noise_, x.shape[0])
        return objectives.label_log_prob(logits(params, noise_, x), y)

    return log_prob


log_prob = make_log_prob(noise.Dropout(0.4))
