"""Severe settings for all tests; fixed keys, never random ones.

Statistical tests use a fixed key and a significance of 5 sigma (p = 6e-7): a failure
means a changed law, not bad luck.
"""

import jax
import pytest

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_debug_key_reuse", True)


@pytest.fixture
def strict_promotion():
    """For the pure modules: no dtype is promoted silently (optax and Flax do)."""
    with jax.numpy_dtype_promotion("strict"):
        yield
