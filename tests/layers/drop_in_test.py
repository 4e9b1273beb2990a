"""Our Dropout replaces Flax's: masks, values, errors, and Flax's own tests."""

import functools
import importlib.metadata
import inspect
import os
import pathlib
import subprocess
import sys
import tarfile

import flax
import jax
import numpy as np
import pytest
from flax import linen as nn
from flax import nnx
from jax import numpy as jnp

from noisejax import layers
from noisejax.layers import nnx as nnx_layers
from tests.layers.frameworks import X, key

PAIRS = [(layers.Dropout, nn.Dropout), (nnx_layers.Dropout, nnx.Dropout)]
"""Our layer and Flax's."""


@pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=["linen", "nnx"])
@pytest.mark.parametrize("method", ["__init__", "__call__"])
def test_arguments_are_those_of_flax(ours, theirs, method):
    parameters = inspect.signature(getattr(ours, method)).parameters
    for name, theirs_ in inspect.signature(getattr(theirs, method)).parameters.items():
        if name in ("parent", "name"):
            continue
        assert parameters[name].default == theirs_.default, name
        assert parameters[name].kind == theirs_.kind, name
    if ours is layers.Dropout and method == "__init__":  # positional, in Flax's order
        expected = list(inspect.signature(theirs).parameters)[:4]
        assert list(inspect.signature(ours).parameters)[:4] == expected


class LinenNet(nn.Module):
    """A network that uses dropout in all ways of Flax's networks."""

    dropout: type

    @nn.compact
    def __call__(self, x, train):
        x = nn.Dense(8)(x)
        x = self.dropout(0.3, deterministic=not train)(x)
        x = self.dropout(rate=0.5, broadcast_dims=(0,))(x, deterministic=not train)
        shared = self.dropout(0.2, (), not train, "other")
        return self.dropout(0.0)(shared(shared(x)), not train)


@pytest.mark.parametrize("make_key", [jax.random.key, jax.random.PRNGKey])
def test_linen_masks_are_those_of_flax(make_key):
    outputs = []
    for dropout in (nn.Dropout, layers.Dropout):  # one class name: one set of keys
        net = LinenNet(dropout)
        variables = net.init(key(), X, train=False)
        rngs = {"dropout": make_key(1), "other": make_key(2)}
        outputs.append(net.apply(variables, X, train=True, rngs=rngs))
    np.testing.assert_array_equal(*[y == 0 for y in outputs])
    np.testing.assert_allclose(*outputs, rtol=2e-6)


@pytest.mark.parametrize("rate", [0.3, 0.5])
def test_float32_outputs_are_those_of_flax_bit_for_bit(rate):
    x = jax.random.normal(key(9), (64, 65))

    def run(dropout, x):
        layer = dropout(rate, deterministic=False)
        return layer.apply({}, x, rngs={"dropout": key()})

    ours, theirs = (
        jax.jit(functools.partial(run, d))(x) for d in (layers.Dropout, nn.Dropout)
    )
    np.testing.assert_array_equal(ours, theirs)


class NnxNet(nnx.Module):
    def __init__(self, dropout, rngs):
        self.first = dropout(0.3, rngs=rngs)
        self.second = dropout(0.5, broadcast_dims=(0,), rngs=rngs)

    def __call__(self, x):
        return self.second(self.second(self.first(x)))


@pytest.mark.parametrize("seeds", [{"params": 0, "dropout": 1}, {"default": 3}])
def test_nnx_masks_are_those_of_flax(seeds):
    outputs = []
    for dropout in (nnx.Dropout, nnx_layers.Dropout):
        net = NnxNet(dropout, nnx.Rngs(**seeds))
        outputs.append([net(X), net(X)])
    np.testing.assert_array_equal(*[np.asarray(y) == 0 for y in outputs])
    np.testing.assert_allclose(*outputs, rtol=2e-6)


@pytest.mark.parametrize("dropout", [nn.Dropout, layers.Dropout])
def test_linen_errors_are_those_of_flax(dropout):
    x = jnp.ones((2, 3))
    with pytest.raises(ValueError, match='"deterministic" must be passed to the con'):
        dropout(0.5).apply({}, x)
    with pytest.raises(ValueError, match='"deterministic" was passed to the con'):
        dropout(0.5, deterministic=True).apply({}, x, deterministic=True)
    for rngs in (None, {"dropout": key()}):
        layer = dropout(0.5, deterministic=False, rng_collection="a")
        with pytest.raises(flax.errors.InvalidRngError):
            layer.apply({}, x, rngs=rngs)


@pytest.mark.parametrize("dropout", [nnx.Dropout, nnx_layers.Dropout])
def test_nnx_errors_are_those_of_flax(dropout):
    with pytest.raises(ValueError, match="`deterministic` is False, but no `rngs`"):
        dropout(0.5)(X)
    with pytest.raises(ValueError, match="No `deterministic` argument"):
        dropout(0.5, deterministic=None)(X)
    with pytest.raises(TypeError, match="rngs must be a Rngs, RngStream or jax.Array"):
        dropout(0.5)(X, rngs="key")
    with pytest.raises(TypeError, match="rngs must be a Rngs, RngStream or None"):
        dropout(0.5, rngs=0)


def test_the_rate_of_an_nnx_layer_may_be_set():
    ours, theirs = (d(1.0, rngs=nnx.Rngs(0)) for d in (nnx_layers.Dropout, nnx.Dropout))
    for rate in (0.5, 0.0, 1.0, 0.2):
        ours.rate = theirs.rate = rate
        assert ours.rate == rate
        np.testing.assert_allclose(ours(X), theirs(X), rtol=2e-6)
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\)"):
        ours.rate = 2.0


@pytest.mark.parametrize("dropout", [layers.Dropout, nnx_layers.Dropout])
def test_rate_0_is_the_identity_and_rate_1_gives_zeros(dropout):
    def run(rate, x):
        layer = dropout(rate, deterministic=False)
        return layer.apply({}, x) if dropout is layers.Dropout else layer(x)

    np.testing.assert_array_equal(run(0.0, X), X)  # needs no key
    value, gradient = jax.value_and_grad(lambda x: run(1.0, x).sum())(X)
    assert value == 0
    np.testing.assert_array_equal(gradient, np.zeros_like(X))


# Flax's own tests, from its source distribution

SHIM = '''
"""A conftest for Flax's tests: its Dropout is ours."""
import flax.linen, flax.nnx
from flax.nnx.nn import stochastic
import noisejax.layers, noisejax.layers.nnx

flax.linen.Dropout = noisejax.layers.Dropout
flax.nnx.Dropout = stochastic.Dropout = noisejax.layers.nnx.Dropout
'''

FILES = {
    "linen/linen_test.py": 6,
    "linen/summary_test.py": 8,
    "nnx/nn/stochastic_test.py": 4,
    "nnx/summary_test.py": 3,
    "nnx/integration_test.py": 10,
}
"""File -> least number of tests in it that must pass."""


@pytest.fixture(scope="module")
def flax_tests(tmp_path_factory):
    """Folder of Flax's tests, with a conftest that replaces Flax's Dropout by ours."""
    folder = tmp_path_factory.mktemp("flax")
    version = importlib.metadata.version("flax")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--no-binary=flax", f"--dest={folder}", f"flax=={version}"]
    result = subprocess.run(command, capture_output=True, timeout=120)
    archives = list(folder.glob("flax-*.tar.gz"))
    if result.returncode or not archives:
        pytest.skip("the package registry with Flax's sources is not reachable")
    with tarfile.open(archives[0]) as archive:
        # Before Python 3.11.4 there are no filters to choose from.
        safe = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        archive.extractall(folder, **safe)
    tests = pathlib.Path(folder, f"flax-{version}", "tests")
    (tests / "conftest.py").write_text(SHIM)
    return tests


def test_tests_of_flax_pass_with_our_dropout(flax_tests):
    command = [sys.executable, "-m", "pytest", "-rA", "-q", "-p", "no:cacheprovider"]
    command += ["--rootdir", str(flax_tests), "-o", "filterwarnings=", "-o", "addopts="]
    command += ["--import-mode=importlib", "--tb=short"]
    command += ["-k", "dropout or summary_test or stochastic_test or integration_test"]
    # Flax's test of Linen's summary expects colours, which rich leaves out if NO_COLOR
    # is set or the terminal is dumb.
    env = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    env |= {"PYTHONDONTWRITEBYTECODE": "1", "TERM": "xterm-256color"}
    result = subprocess.run(
        [*command, *FILES],
        capture_output=True,
        text=True,
        cwd=flax_tests,
        env=env,
    )
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-2000:]
    for file, least in FILES.items():
        passed = result.stdout.count(f"PASSED {file}::")
        assert passed >= least, f"{file}: {passed}\n{result.stdout[-3000:]}"
