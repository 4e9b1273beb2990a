"""Random keys: one rule for what counts as a key, and one error for what does not."""

from typing import TypeAlias

import jax
from jax import numpy as jnp

Key: TypeAlias = jax.Array
"""A typed scalar key, or the raw uint32 array that Flax hands to layers."""


def as_key(key: Key) -> Key:
    """Returns `key` as one typed PRNG key.

    Args:
      key: a typed key (`jax.random.key`) of shape (), or a raw uint32 key array
        (`jax.random.PRNGKey`, Flax's `make_rng`).

    Returns:
      The typed key, shape ().

    Raises:
      TypeError: for anything else, a plain integer above all.
      ValueError: for an array of several keys.

    Example:
      >>> import jax
      >>> from noisejax import noise
      >>> noise.as_key(jax.random.PRNGKey(0)) == jax.random.key(0)
      Array(True, dtype=bool)
    """
    dtype = getattr(key, "dtype", None)
    if dtype is None:
        raise TypeError(
            "key must be a JAX random key, got "
            f"{type(key).__name__} {key!r}; make one with jax.random.key(0)"
        )
    if jnp.issubdtype(dtype, jax.dtypes.prng_key):
        typed = key
    elif dtype == jnp.uint32 and key.ndim:
        try:
            typed = jax.random.wrap_key_data(key)
        except (TypeError, ValueError) as error:
            raise TypeError(
                "a raw key must be the uint32 array of jax.random.PRNGKey, got "
                f"uint32{list(key.shape)}; prefer a typed key, jax.random.key(0)"
            ) from error
    else:
        raise TypeError(
            "key must be a JAX random key, got an array "
            f"{dtype}{list(key.shape)}; make one with jax.random.key(0)"
        )
    if typed.shape:
        raise ValueError(
            f"one key is needed, got an array of keys of shape {typed.shape}; "
            "draw one sample per key with jax.vmap"
        )
    return typed
