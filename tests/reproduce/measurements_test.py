"""Measurements of a small trained network, against NumPy on its weights."""

import jax
import numpy as np
import pytest

from noisejax import data, training
from noisejax.reproduce import measure
from tests.training.tiny import config, rows

WIDTHS = (6, 5)
FIELDS = {
    "model__widths": WIDTHS,
    "model__activation": "tanh",
    "noise__input_rate": 0.0,
    "noise__hidden_rate": 0.5,
    "training__gradients": True,
    "optimizer__learning_rate": 0.5,
}


def subject(folder, dataset, seed=0, **fields):
    """Train a run and load one of its networks."""
    training.train(config(**fields), folder, dataset=dataset)
    return training.load_run(folder, dataset=dataset, seed=seed)


def measured(name, run):
    """Make one measurement, which must not fail."""
    found, failed = measure([name], run)
    assert not failed
    return found


def params_of(run):
    """Return the parameters of the network, or of an autoencoder's MLP."""
    params = run.variables["params"]
    return params.get("mlp", params)


def layers_of(run):
    """Return the indices of the hidden layers."""
    return range(len(run.config.model.widths))


@pytest.fixture(scope="module")
def dataset():
    return data.generate("digits", num_train=200, num_test=150)


@pytest.fixture(scope="module")
def noisy(dataset, tmp_path_factory):
    """A tanh network trained with dropout, of the second of two seeds."""
    folder = tmp_path_factory.mktemp("noisy")
    return subject(folder, dataset, 1, training__num_seeds=2, **FIELDS)


@pytest.fixture(scope="module")
def shifted(dataset, tmp_path_factory):
    """A ReLU network with shifts, on inverted images."""
    folder = tmp_path_factory.mktemp("shifted")
    fields = {"noise__shift": "both", "data__inverted": True}
    return subject(folder, dataset, model__widths=WIDTHS, **fields)


def forward(subject, x, phi):
    """Return the input, pre-activations and activations by layer, and the output."""
    params = jax.tree.map(np.asarray, params_of(subject))
    a = x.reshape(len(x), -1)
    nets, activations = [], [a]
    for i in layers_of(subject):
        shift = params.get("input_noise" if not i else f"noise_{i - 1}", {"beta": 0})
        dense = params[f"dense_{i}"]
        nets.append((a + shift["beta"]) @ dense["kernel"] + dense["bias"])
        a = phi(nets[-1])
        activations.append(a)
    return nets, activations


def test_correlations(noisy, dataset):
    _, activations = forward(noisy, dataset.test_x / 255, np.tanh)
    found = measured("correlation_counts", noisy)
    for i, units in enumerate(WIDTHS):
        r = np.corrcoef(activations[i + 1].T)[np.triu_indices(units, 1)]
        for bound in (0.9, 0.8, 0.7, 0.6, 0.5):
            count = found.numbers[f"pairs_above/layer_{i + 1}/{bound}"]
            assert count == (np.abs(r) > bound).sum()
        assert found.arrays[f"histogram/layer_{i + 1}"].sum() == len(r)


def test_net_values(noisy, dataset):
    nets, _ = forward(noisy, dataset.test_x / 255, np.tanh)
    found = measured("net_values", noisy)
    for i, z in enumerate(nets):
        share = (1 - np.tanh(z) ** 2 < 0.1).mean()
        number = float(found.numbers[f"share_saturated/layer_{i + 1}"])
        assert number == pytest.approx(share, abs=2 / z.size)
        layer = [
            found.arrays[f"{f}/layer_{i + 1}"] for f in ("counts", "below", "above")
        ]
        assert sum(part.sum() for part in layer) == z.size


def test_slopes_under_noise(noisy, dataset):
    """Slopes change in the second layer only, because layer 1 has no noise below it."""
    found = measured("slopes_under_noise", noisy)
    nets, _ = forward(noisy, dataset.test_x[:128] / 255, np.tanh)
    slopes = 1 - np.tanh(nets[0]) ** 2
    gain = float(found.numbers["slope_gain/layer_1"])
    if (slopes < 0.1).any():
        assert gain == pytest.approx(1.0, rel=1e-4)
    else:
        assert np.isnan(gain)
    for layer, moves in (("layer_1", False), ("layer_2", True)):
        clean, after = (found.arrays[f"{f}/{layer}"] for f in ("clean", "noisy"))
        seen = np.isfinite(clean)
        assert np.allclose(clean[seen], after[seen], atol=1e-5) != moves


def test_a_network_without_noise_gets_dropout(dataset, tmp_path):
    silent = subject(tmp_path, dataset, **{**FIELDS, "noise__scheme": "none"})
    found = measured("slopes_under_noise", silent)
    clean, after = (found.arrays[f"{f}/layer_2"] for f in ("clean", "noisy"))
    seen = np.isfinite(clean)
    assert not np.allclose(clean[seen], after[seen], atol=1e-3)


def test_net_variances(noisy, dataset):
    """Layer 1 has no noise below it; the variance of layer 2 is eq. 6."""
    found = measured("net_variances", noisy)
    numbers = {name: float(value) for name, value in found.numbers.items()}
    assert numbers["net_variance/layer_1"] == pytest.approx(0, abs=1e-9)
    _, activations = forward(noisy, dataset.test_x[:128] / 255, np.tanh)
    kernel = np.asarray(params_of(noisy)["dense_1"]["kernel"])
    variance = (activations[1] ** 2 @ kernel**2).mean()  # rate / (1 - rate) = 1
    conditional = numbers["net_variance_conditional/layer_2"]
    assert conditional == pytest.approx(variance, rel=1e-4)
    assert numbers["net_variance_passed_on/layer_2"] == pytest.approx(0, abs=1e-9)
    assert numbers["net_variance/layer_2"] == pytest.approx(variance, rel=0.15)
    parts = ("net_variance_conditional", "net_variance_passed_on")
    last = sum(numbers[f"{part}/last_layer"] for part in parts)
    assert numbers["net_variance/last_layer"] == pytest.approx(last, rel=0.25)


def test_gradients_are_those_of_the_log(noisy):
    log = rows(noisy.path, phase="train", split="train", seed=1)
    found = measured("gradient_information", noisy)
    for i, scale in ((0, 1.0), (1, 0.5)):  # layer 2's input is dropped: 1 - rate
        mean = np.mean([row[f"gradient/dense_{i}/kernel"] for row in log])
        number = found.numbers[f"gradient_information/layer_{i + 1}"]
        assert number == pytest.approx(scale * mean)
        # The mean over a batch lies within |.|: single examples have more.
        assert found.numbers[f"gradient_per_example/layer_{i + 1}"] > number


def test_the_log_has_the_gradients_of_the_steps(dataset, tmp_path):
    """One step of plain SGD moves the weights by the rate times the gradient."""
    fields = {
        **FIELDS,
        "noise__scheme": "none",
        "data__validation": 0.0,
        "training__batch_size": 200,
        "optimizer__momentum": 0.0,
        "optimizer__nesterov": False,
        "optimizer__schedule": "constant",
    }
    first = subject(tmp_path / "1", dataset, training__epochs=1, **fields)
    second = subject(tmp_path / "2", dataset, training__epochs=2, **fields)
    [row] = rows(tmp_path / "2", split="train", epoch=2)
    for name in ("dense_0", "dense_1", "dense_output"):
        moved = params_of(second)[name]["kernel"] - params_of(first)[name]["kernel"]
        mean = float(np.abs(moved).mean()) / 0.5
        assert row[f"gradient/{name}/kernel"] == pytest.approx(mean, rel=1e-2)


def test_shifts(shifted, dataset):
    x = 1 - dataset.train_x / 255
    _, activations = forward(shifted, x, lambda z: np.maximum(z, 0))
    found = measured("shift_against_activity", shifted)
    places = {"input": "input_noise", "layer_1": "noise_0", "layer_2": "noise_1"}
    for a, (place, module) in zip(activations, places.items(), strict=True):
        beta = np.asarray(params_of(shifted)[module]["beta"])
        mean = a.mean(0)
        assert np.allclose(found.arrays[f"mean/{place}"], mean, atol=1e-4)
        assert np.array_equal(found.arrays[f"shift/{place}"], beta)
        r = np.corrcoef(mean, beta)[0, 1]
        number = float(found.numbers[f"shift_correlation/{place}"])
        assert number == pytest.approx(r, abs=1e-3, nan_ok=True)
        slope = float(found.numbers[f"shift_slope/{place}"])
        assert slope == pytest.approx(np.polyfit(mean, beta, 1)[0], rel=1e-2)


def test_shift_images(shifted, noisy, dataset):
    found = measured("shift_images", shifted)
    mean = (1 - dataset.train_x / 255).mean(0)
    assert np.allclose(found.arrays["mean_image"], mean, atol=1e-5)
    assert found.arrays["shift_image"].shape == (8, 8, 1)
    assert "shift_image" not in measured("shift_images", noisy).arrays


def test_learning_curves(noisy):
    curves = measured("learning_curves", noisy).arrays
    for split in ("train", "validation", "test"):
        log = rows(noisy.path, split=split, seed=1)
        errors = [row["error_percent"] for row in log]
        assert curves[f"curve/{split}"].tolist() == errors


@pytest.fixture(scope="module")
def autoencoder(dataset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("autoencoder")
    fields = {
        "model__name": "autoencoder",
        "model__widths": (30,),
        "noise__input_rate": 0.0,
        "noise__hidden_rate": 0.4,
        "optimizer__learning_rate": 0.01,
        "projection__num_steps": 30,
        "training__epochs": 4,
    }
    return subject(folder, dataset, **fields)


def test_back_projected_samples(autoencoder, dataset):
    found = measured("back_projected_samples", autoencoder)
    numbers = {name: float(value) for name, value in found.numbers.items()}
    assert 0.2 < numbers["residual/before"] < 0.7
    assert numbers["residual/after"] < 0.8 * numbers["residual/before"]
    assert numbers["residual/diverged"] == 0
    assert numbers["distance_spread"] > 0
    assert np.allclose(found.arrays["originals"], dataset.test_x[:5] / 255, atol=1e-6)
    assert found.arrays["projected"].shape == (5, 8, 8, 8, 1)
    dropped = found.arrays["dropped"]
    assert (np.diff(dropped, axis=1) >= 0).all()
    assert 0.2 < dropped.mean() < 0.6
    train, test = (
        part.reshape(len(part), -1) / 255 for part in (dataset.train_x, dataset.test_x)
    )
    distances = ((test[:100, None] - train[None]) ** 2).sum(-1)
    kept = (dataset.train_y[distances.argmin(1)] == dataset.test_y[:100]).mean()
    assert numbers["nearest_class_kept/x"] == pytest.approx(kept)
    assert 0 < numbers["nearest_class_kept/x_star"] <= 1


def test_units_shut_off(autoencoder, dataset):
    found = measured("units_shut_off", autoencoder)
    nets, _ = forward(autoencoder, dataset.test_x[:1] / 255, np.tanh)
    hidden = np.maximum(nets[0][0], 0)
    units = found.arrays["units"]
    assert len(set(units.tolist())) == 5
    assert np.allclose(hidden[units], np.sort(hidden)[::-1][:5], atol=1e-5)
    kernel = np.asarray(params_of(autoencoder)["dense_0"]["kernel"])
    assert np.array_equal(
        found.arrays["filters"][0].ravel(), kernel[:, units[0]].ravel()
    )
    numbers = found.numbers
    changes = [numbers[f"others_changed/{n}"] for n in ("x_star", "filter_subtracted")]
    assert 0 < changes[0] < changes[1]
    assert float(numbers["residual/after"]) < 0.5 * float(numbers["residual/before"])
    assert found.arrays["projected"].shape == (5, 8, 8, 1)


def test_pictures_are_shown_after_the_inverse_pca(dataset, tmp_path):
    fields = {
        "model__name": "autoencoder",
        "data__preprocess": ("pca",),
        "data__components": 64,
        "noise__input_rate": 0.0,
        "optimizer__learning_rate": 0.001,
    }
    seen = subject(tmp_path, dataset, **fields)
    found = measured("back_projected_samples", seen)
    images = dataset.test_x[:5] / 255
    assert np.allclose(found.arrays["originals"], images, atol=1e-4)


def test_dead_units(shifted, dataset):
    _, activations = forward(
        shifted, 1 - dataset.test_x / 255, lambda z: np.maximum(z, 0)
    )
    found = measured("dead_units", shifted)
    for i, a in enumerate(activations[1:]):
        share = (a == 0).all(0).mean()
        assert float(found.numbers[f"dead_share/layer_{i + 1}"]) == share


def test_sharpness_is_that_of_the_plain_activation(noisy):
    numbers = measured("sharpness", noisy).numbers
    assert float(numbers["sharpness/largest"]) > 0
    assert float(numbers["sharpness/residual"]) < 0.1


def test_noise_samples(noisy, dataset):
    """The bound rises with S; the noise-free error is NumPy's."""
    numbers = measured("noise_samples", noisy).numbers
    bounds = [float(numbers[f"bound/S={s}"]) for s in (1, 2, 4, 8, 16)]
    assert bounds == sorted(bounds)
    _, activations = forward(noisy, dataset.test_x / 255, np.tanh)
    output = jax.tree.map(np.asarray, params_of(noisy)["dense_output"])
    logits = activations[-1] @ output["kernel"] + output["bias"]
    error = 100 * (logits.argmax(1) != dataset.test_y).mean()
    assert numbers["prediction_error_percent/noise_free"] == pytest.approx(error)
    for name in ("noise_free", "monte_carlo"):
        assert 0 <= numbers[f"calibration_error_percent/{name}"] <= 100
    assert 1 <= float(numbers["effective_samples/8"]) <= 8
