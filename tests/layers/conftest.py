"""Networks for several tests."""

import pytest
from flax import nnx

from noisejax import layers
from noisejax.layers import nnx as nnx_layers
from tests.layers.networks import Net, NnxNet, X, key, run


@pytest.fixture(scope="session")
def variables():
    return Net().init({"params": key(), "dropout": key(1)}, X)


@pytest.fixture(scope="session")
def quiet(variables):
    """Return the output without noise."""
    with layers.control_noise(off="*"):
        return run(variables, rngs=None)


@pytest.fixture(params=[nnx.Dropout, nnx_layers.Dropout], ids=["flax", "noisejax"])
def net(request):
    return NnxNet(request.param)
