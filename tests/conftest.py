"""Strict settings for all tests: fixed keys, no silent promotion, bounded memory.

Statistical tests use a fixed key and a significance of 5 sigma (p = 6e-7): a failure
means a changed law, not bad luck.
"""

import os
import pathlib

import jax
import pytest

CACHE = {
    "jax_compilation_cache_dir": str(pathlib.Path(__file__).parents[1] / ".cache/jax"),
    "jax_persistent_cache_min_compile_time_secs": 0.0,
    "jax_persistent_cache_min_entry_size_bytes": -1,
}
"""Disk cache of compiled programs, shared by workers and their subprocesses."""

for name, default in CACHE.items():
    value = os.environ.setdefault(name.upper(), str(default))
    jax.config.update(name, type(default)(value))

QUICKLY_COMPILED = {
    "layers",
    "models",
    "reproduce",
    "benchmarks_test",
    "notebooks_test",
}
"""Folders and files to compile without optimisation, as most programs run once."""

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_debug_key_reuse", True)


@pytest.fixture(scope="module", autouse=True)
def _quick_compilation(request):
    names = {request.path.parent.name, request.path.stem}
    is_quick = not names.isdisjoint(QUICKLY_COMPILED)
    jax.config.update("jax_disable_most_optimizations", is_quick)


@pytest.fixture(scope="module", autouse=True)
def _bounded_memory():
    """Forget compiled programs after each file; the disk keeps them."""
    yield
    jax.clear_caches()


@pytest.fixture
def strict_promotion():
    """Make the pure modules fail on implicit dtype promotion (Optax and Flax do it)."""
    with jax.numpy_dtype_promotion("strict"):
        yield
