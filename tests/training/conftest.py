"""Compilation without optimisation, for tests that ask what is computed."""

import jax
import pytest


@pytest.fixture
def quick_compilation():
    """Compile without optimisation, where the last bit and the speed do not matter."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)
