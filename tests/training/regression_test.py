"""Training on real-valued targets: the Gaussian likelihood, its error and its units."""

import numpy as np
import pytest
from jax import numpy as jnp

from noisejax import data, evaluators, training

SLOPE, NOISE = 30.0, 6.0


@pytest.fixture(scope="module")
def dataset():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 2)).astype(np.float32)
    y = 1000 + SLOPE * x[:, 0] + NOISE * rng.normal(size=400)
    return data.make_real_targets("line", x[:300], y[:300], x[300:], y[300:])


def config(**objective):
    c = training.Config()
    c.model.widths, c.training.batch_size, c.training.epochs = (16,), 20, 20
    c.noise.scheme, c.data.validation = "none", 0.0
    c.optimizer.learning_rate = 0.02
    c.objective.likelihood = "gaussian"
    for name, value in objective.items():
        setattr(c.objective, name, value)
    return c


@pytest.fixture(scope="module")
def run(dataset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("line")
    summary = training.train(config(), folder, dataset=dataset)
    return summary, training.load_run(folder, dataset=dataset)


def test_a_linear_network_finds_the_line(run, dataset):
    summary, trained = run
    [rmse] = summary["test_rmse"]["per_seed"]
    assert rmse == pytest.approx(NOISE, rel=0.25)
    x = jnp.array([[1.0, 0.0], [0.0, 0.0]])
    at_one, at_zero = dataset.to_units(
        trained.model.apply(trained.variables, x, train=False)[0]
    )[:, 0]
    assert at_zero == pytest.approx(1000, abs=4)
    assert at_one - at_zero == pytest.approx(SLOPE, rel=0.15)


def test_the_error_is_the_squared_error_in_variances(run, dataset):
    summary, trained = run
    outputs, _ = trained.model.apply(trained.variables, dataset.test_x, train=False)
    expected = 100 * np.mean((np.asarray(outputs) - dataset.test_y) ** 2)
    [error] = summary["test_error_percent"]["per_seed"]
    assert error == pytest.approx(expected, rel=1e-4)
    [rmse] = summary["test_rmse"]["per_seed"]
    assert rmse == pytest.approx(dataset.scale * np.sqrt(expected / 100), rel=1e-4)
    assert summary["target_scale"] == dataset.scale
    assert summary["test_loss"]["mean"] == pytest.approx(
        expected / 200 + np.log(2 * np.pi) / 2, rel=1e-4
    )


def test_other_data_have_the_scale_of_the_training_data(run, dataset):
    x, y = dataset.test_x, dataset.to_units(dataset.test_y)
    other = data.make_real_targets("other", x[:50], 3 * y[:50], x[50:], y[50:])
    found = training.load_run(run[1].path, dataset=other)
    np.testing.assert_allclose(found.dataset.to_units(found.test.y), y[50:], rtol=1e-5)
    np.testing.assert_allclose(found.test.y, dataset.test_y[50:], rtol=1e-3, atol=1e-4)
    with pytest.raises(ValueError, match="other has 2 outputs"):
        two = np.repeat(y, 2, axis=1)
        other = data.make_real_targets("other", x, two, x, two)
        training.load_run(run[1].path, dataset=other)


def test_measurements_know_real_targets(run):
    _, trained = run
    found = evaluators.measure_all(evaluators.from_run(trained), progress=False)
    [error] = run[0]["test_error_percent"]["per_seed"]
    measured = found["measurements"]["error"]["unexplained_variance_percent"]
    assert measured == pytest.approx(error, rel=1e-4)


def test_sharper_likelihoods_weight_samples_more(dataset, tmp_path):
    effective = {}
    for stddev in (1.0, 0.1):
        c = config(num_samples=4, target_stddev=stddev)
        c.model.widths, c.noise.scheme, c.training.epochs = (8,), "dropout", 1
        c.optimizer.learning_rate = 1e-4
        summary = training.train(c, tmp_path / str(stddev), dataset=dataset)
        effective[stddev] = summary["effective_samples"]["mean"]
    assert effective[0.1] < effective[1.0] - 0.5


BAD = {
    "labels": (config(), None, "needs real-valued targets.*got digits"),
    "no likelihood": (config(likelihood="categorical"), "line", "set objective.likel"),
    "smoothing": (config(label_smoothing=0.1), "line", "no label smoothing"),
    "spread": (
        config(likelihood="categorical", target_stddev=0.1),
        "line",
        "target_stddev=0.1 is for objective.likelihood=gaussian",
    ),
}


@pytest.mark.parametrize(("bad", "name", "match"), BAD.values(), ids=BAD)
def test_bad_combinations(dataset, tmp_path, bad, name, match):
    with pytest.raises(ValueError, match=match):
        training.train(bad, tmp_path / "run", dataset=dataset if name else None)
    assert not (tmp_path / "run" / "config.json").exists()


def test_networks_with_targets_of_their_own(dataset, tmp_path):
    c = config()
    c.model.name, c.model.widths = "autoencoder", (4,)
    with pytest.raises(ValueError, match="one output per target"):
        training.train(c, tmp_path, dataset=dataset)


def test_classes_cannot_be_chosen(dataset, tmp_path):
    c = config()
    c.data.classes = (0, 1)
    with pytest.raises(ValueError, match="class labels, which line does not have"):
        training.train(c, tmp_path, dataset=dataset)
