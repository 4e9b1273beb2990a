"""Compilation without optimisation, for tests of results only."""

import jax
import pytest


@pytest.fixture
def quick_compilation():
    """Compile without optimisation if the last bit and speed do not matter."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)
