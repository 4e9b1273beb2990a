"""Programs compiled once per session and without ado: hardly any of them runs long."""

import jax
import pytest

from noisejax import data, training
from tests.reproduction.tiny import run


@pytest.fixture(scope="package", autouse=True)
def quick_compilation(tmp_path_factory):
    options = {
        "jax_compilation_cache_dir": str(tmp_path_factory.mktemp("xla")),
        "jax_persistent_cache_min_compile_time_secs": 0.0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
        "jax_disable_most_optimizations": True,
    }
    before = {name: jax.config.values[name] for name in options}
    for name, value in options.items():
        jax.config.update(name, value)
    yield
    for name, value in before.items():
        jax.config.update(name, value)


@pytest.fixture
def digits(monkeypatch):
    """200 generated images in place of the digits."""

    def load(name, data_dir=None, *, test_partition=0):
        if name != "digits":
            return real(name, data_dir, test_partition=test_partition)
        return data.generate(name)

    real = data.load_dataset
    monkeypatch.setattr(data, "load_dataset", load)


@pytest.fixture
def trained(monkeypatch):
    """Names of the rows that are trained from now on."""
    names = []

    def train(config, path, **options):
        names.append(path.name)
        return real(config, path, **options)

    real = training.train
    monkeypatch.setattr(training, "train", train)
    return names


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A finished experiment, to be looked at only."""
    folder = tmp_path_factory.mktemp("done")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "load_dataset", lambda name, *_, **__: data.generate(name))
        run(folder)
    return folder
