"""Every example in a docstring runs and prints what it shows."""

import doctest
import importlib
import pathlib

import jax
import pytest

import noisejax

ROOT = pathlib.Path(noisejax.__file__).parent
MODULES = sorted(
    ".".join(("noisejax", *path.relative_to(ROOT).with_suffix("").parts))
    for path in ROOT.rglob("*.py")
    if ">>>" in path.read_text()
)


@pytest.fixture(autouse=True)
def _bounded_memory():
    yield
    jax.clear_caches()


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    result = doctest.testmod(importlib.import_module(name), verbose=False)
    assert result.attempted and not result.failed
