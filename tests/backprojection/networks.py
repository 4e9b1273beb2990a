"""Small networks with noise."""

import jax
import numpy as np
from jax import numpy as jnp

from noisejax import models, noise


def make_key():
    """Return a new key every time, since a key is consumed once."""
    return jax.random.key(0)


def make_params(gain=1.0, sizes=(12, 30, 20)):
    """Return Glorot's uniform initialisation, times `gain`."""
    rng = np.random.default_rng(3)
    return [
        jnp.asarray(gain * rng.uniform(-1, 1, s) * np.sqrt(6 / sum(s)), jnp.float32)
        for s in zip(sizes[:-1], sizes[1:], strict=True)
    ]


def features_fn(params, x):
    hidden, out = x, []
    for w in params:
        hidden = jax.nn.relu(hidden @ w)
        out.append(hidden)
    return tuple(out)


def noisy_features(key, params, x, scheme):
    hidden, out = x, []
    for i, w in enumerate(params):
        hidden = jax.nn.relu(hidden @ w)
        sample = scheme.sample(jax.random.fold_in(key, i), hidden.shape)
        hidden = noise.apply(hidden, sample)
        out.append(hidden)
    return tuple(out)


def inputs(batch=6, size=12):
    rng = np.random.default_rng(1)
    return jnp.asarray(rng.uniform(size=(batch, size)), jnp.float32)


def problem(gain=1.0, scheme=None, batch=6):
    """Return parameters, x and targets."""
    params, x = make_params(gain), inputs(batch)
    targets = noisy_features(make_key(), params, x, scheme or noise.Dropout(0.5))
    return params, x, targets


def conv_features(params, x):
    """Two convolutions, of which the second halves the image."""
    out = []
    for w, stride in zip(params, (1, 2), strict=True):
        x = jax.nn.relu(models.convolutions(x, w, (stride, stride), "SAME"))
        out.append(x)
    return tuple(out)


def conv_problem(batch=4):
    rng = np.random.default_rng(5)
    params = [
        jnp.asarray(rng.normal(size=s) / np.sqrt(np.prod(s[:3])), jnp.float32)
        for s in ((3, 3, 1, 6), (3, 3, 6, 5))
    ]
    x = jnp.asarray(rng.uniform(size=(batch, 6, 6, 1)), jnp.float32)
    targets = conv_features(params, x)
    keys = jax.random.split(make_key(), 2)
    targets = tuple(
        noise.dropout(k, t, rate=0.3) for k, t in zip(keys, targets, strict=True)
    )
    return params, x, targets
