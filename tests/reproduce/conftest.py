"""Programs compiled without optimisation, because most run few steps."""

import jax
import pytest

from noisejax import data, training
from tests.reproduce.tiny import run


@pytest.fixture(scope="package", autouse=True)
def quick_compilation():
    before = jax.config.values["jax_disable_most_optimizations"]
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


@pytest.fixture
def digits(monkeypatch):
    """Replace the digits by 200 generated images."""

    def load(name, data_dir=None, *, test_partition=0):
        if name != "digits":
            return real(name, data_dir, test_partition=test_partition)
        return data.generate(name)

    real = data.load_dataset
    monkeypatch.setattr(data, "load_dataset", load)


@pytest.fixture
def trained(monkeypatch):
    """Record the rows that are trained."""
    names = []

    def train(config, path, **options):
        names.append(path.name)
        return real(config, path, **options)

    real = training.train
    monkeypatch.setattr(training, "train", train)
    return names


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A finished experiment, which must not be changed."""
    folder = tmp_path_factory.mktemp("done")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "load_dataset", lambda name, *_, **__: data.generate(name))
        run(folder)
    return folder
