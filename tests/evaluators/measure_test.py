"""Measurements of runs equal the formulas on the run's layers."""

import jax
import numpy as np
import pytest
from flax import linen as nn
from jax import numpy as jnp

from noisejax import diagnostics, evaluators, layers, noise, objectives
from tests.evaluators.networks import SIZES, make_model


def measure(name, model):
    """Make one measurement."""
    return evaluators.MEASUREMENTS[name].measure(jax.random.key(1), model, SIZES)


MLP = {"model": {"widths": (7, 5), "activation": "tanh"}}
SHIFTED = {**MLP, "noise": {"shift": "both"}}
SILENT = {**MLP, "noise": {"scheme": "none"}}
CONV = {
    "model": {"name": "four_conv", "width_factor": 0.05},
    "noise": {"shift": "both"},
}


def activations(model, x):
    _, found = model.clean(model.variables, x)
    return {name: np.asarray(a, np.float64) for name, a in found.items()}


def kernel(model, name):
    return np.asarray(model.variables["params"][name]["kernel"], np.float64)


def test_net_variance_at_the_first_layer_is_the_formula():
    """Ba, eq. 10, with the shift inside the mask."""
    model = make_model(SHIFTED, beta=0.3)
    found = measure("net_variance", model)
    x = np.asarray(model.test.x, np.float64)[:6].reshape(6, -1) + 0.3
    own = 0.2 / 0.8 * (x**2 @ kernel(model, "dense_0") ** 2).mean()
    first = found["layers"]["layer 1"]
    np.testing.assert_allclose(first["conditional"], own, rtol=1e-5)
    assert first["passed_on"] == 0
    assert found["layers"]["output"]["passed_on"] > 0
    assert (found["n"], found["num_draws"]) == (6, 3)
    assert list(found["layers"]) == ["layer 1", "layer 2", "output"]


def test_the_running_average_is_subtracted():
    model = make_model({**MLP, "noise": {"shift": "running_average"}})
    layer, x = model.layers[0], jnp.ones((2, 64))
    stats = {"input_noise": {"mean": jnp.full(64, 0.25)}}
    variables = {**model.variables, "batch_stats": stats}
    np.testing.assert_allclose(model.shifted(variables, layer, x), 0.75)
    assert model.shift(layer) is None  # nothing that was learned


def test_convolutions_reach_over_the_border():
    """The shift is added before the padding with 0, as in the model."""
    model = make_model(CONV, shape=(8, 8, 3), examples=3, beta=-0.2)
    layer, variables = model.layers[0], model.variables
    x, w = model.test.x, model.weights(model.variables, model.layers[0])
    shifted = np.asarray(model.shifted(variables, layer, x), np.float64)
    np.testing.assert_allclose(shifted, np.asarray(x) - 0.2, atol=1e-6)
    padded = np.pad(shifted, ((0, 0), (1, 1), (1, 1), (0, 0)))
    corner = np.einsum("bijc,ijcf->bf", padded[:, :3, :3], np.asarray(w, np.float64))
    np.testing.assert_allclose(
        layer.product(jnp.asarray(shifted, jnp.float32), w)[:, 0, 0], corner, atol=1e-5
    )


@pytest.mark.parametrize(
    ("sections", "shape", "names", "linear"),
    [
        (SHIFTED, (8, 8, 1), ["layer 1", "layer 2", "output"], [True] * 3),
        (
            {"model": {"widths": (7,), "batch_norm": True}},
            (8, 8, 1),
            ["layer 1", "output"],
            [False, True],
        ),
        (
            {"model": {"name": "autoencoder", "widths": (7, 5)}},
            (8, 8, 1),
            ["layer 1", "layer 2", "layer 3", "output"],
            [True] * 4,
        ),
        (
            CONV,
            (8, 8, 3),
            [*(f"conv {i}.{j}" for i in (1, 2) for j in (1, 2)), "dense 3", "dense 4"]
            + ["output"],
            [True] * 7,
        ),
    ],
)
def test_layers_are_the_networks_own(sections, shape, names, linear):
    """Pre-activations equal the products of weights and inputs."""
    model = make_model(sections, shape=shape, examples=2, beta=0.1)
    assert [layer.name for layer in model.layers] == names
    assert [layer.linear for layer in model.layers] == linear
    variables, x = model.variables, model.test.x
    _, found = jax.jit(model.clean)(variables, x)
    for layer in model.layers:
        assert found[layer.net] is not None
        if not layer.linear:
            continue
        source = model.shifted(variables, layer, found[layer.source])
        net = layer.product(source, model.weights(variables, layer))  # biases are 0
        np.testing.assert_allclose(net, found[layer.net], atol=1e-5)


def test_soft_targets_are_measured_whole():
    sections = {"model": {"name": "soft_targets", "widths": (7,)}}
    model = make_model(sections, num_classes=(4, 3))
    assert [layer.linear for layer in model.layers] == [True, False]
    found = measure("net_variance", model)["layers"]
    assert found["layer 1"]["conditional"] > 0
    assert found["output"]["conditional"] is None and found["output"]["measured"] > 0


def test_residual_networks_show_their_blocks():
    sections = {"model": {"name": "wide_resnet", "depth": 10, "width_factor": 0.25}}
    model = make_model(sections, shape=(8, 8, 3), weights=False)
    names = [layer.name for layer in model.layers]
    assert names == ["block 1", "block 2", "block 3", "output"]
    assert [layer.linear for layer in model.layers] == [False, False, False, True]
    assert model.normalised and model.convolutional and model.is_noisy


def test_correlations_are_numpys():
    model = make_model(MLP)
    found = measure("correlations", model)["layers"]["hidden 2"]
    hidden = activations(model, model.test.x[:6])["hidden_1"]
    r = np.abs(np.corrcoef(hidden.T)[np.triu_indices(5, 1)])
    assert found["thresholds"] == [0.9, 0.8, 0.7, 0.6, 0.5]
    assert found["above"] == [int((r > t).sum()) for t in found["thresholds"]]
    assert (found["num_pairs"], found["num_units"], sum(found["histogram"])) == (
        10,
        5,
        10,
    )


def test_net_values_are_numpys():
    model = make_model(MLP)
    found = measure("net_values", model)
    net = activations(model, model.test.x[:6])["net_1"]
    layer = found["layers"]["layer 2"]
    saturated = (1 - np.tanh(net) ** 2 < 0.1).mean()
    np.testing.assert_allclose(layer["saturation"], saturated, rtol=1e-6)
    counts, _ = np.histogram(net, bins=160, range=(-8, 8))
    assert np.abs(np.cumsum(layer["counts"]) - np.cumsum(counts)).max() <= 1
    assert list(found["layers"]) == ["layer 1", "layer 2"] and found["n"] == 6


def test_slopes_compare_noisy_with_clean():
    model = make_model(MLP)
    found = measure("slope_under_noise", model)
    net = activations(model, model.test.x[:3])["net_0"]
    clean = found["layers"]["layer 1"]["clean_mean"]
    np.testing.assert_allclose(clean, (1 - np.tanh(net) ** 2).mean(), rtol=1e-5)
    assert found["layers"]["layer 1"]["noisy_mean"] != clean
    assert (found["n"], found["num_draws"]) == (3, 3)


def test_shifts_stand_beside_mean_activities():
    model = make_model(SHIFTED, beta=0.5)
    found = measure("shifts", model)
    assert list(found["layers"]) == ["input", "hidden 1", "hidden 2"]
    hidden = activations(model, model.train.x[:6])["hidden_0"]
    layer = found["layers"]["hidden 1"]
    np.testing.assert_allclose(layer["mean_activity"], hidden.mean(0), atol=1e-5)
    assert layer["shift"] == [0.5] * 7


@pytest.mark.parametrize("scheme", ["dropout", "random_dropout_per_batch"])
def test_dropped_share(scheme):
    model = make_model({**MLP, "noise": {"scheme": scheme}})
    found = measure("dropped_share", model)
    sizes = {"input": 64, "hidden 1": 7, "hidden 2": 5}
    for place, n in sizes.items():
        share = found["layers"][place]
        assert (len(share["law"]), sum(share["counts"])) == (n + 1, 20)
        assert share["rate"] == (0.2 if place == "input" else 0.5)
    if scheme == "random_dropout_per_batch":  # a level per draw, not one for all
        counts = found["layers"]["input"]["counts"]
        assert np.count_nonzero(counts) > 5


def test_input_shift():
    model = make_model(MLP)
    found = measure("input_shift", model)
    x = np.asarray(model.test.x, np.float64)[:3].reshape(3, -1)
    w2 = kernel(model, "dense_0") ** 2
    expected = [0.25 * ((x + phi) ** 2 @ w2).mean() for phi in found["phi"]]
    np.testing.assert_allclose(found["variance"], expected, rtol=1e-4)
    best = 0.25 * ((x - x.mean(0)) ** 2 @ w2).mean()
    np.testing.assert_allclose(found["best"], best, rtol=1e-4)
    assert found["layer"] == "layer 1"


def test_gradients_are_those_of_single_examples():
    model = make_model(MLP)
    found = measure("gradient_information", model)
    run = model.run

    def loss(params, x, y):
        logits, _ = run.model.apply({"params": params}, x[None], train=False)
        return -jax.nn.log_softmax(logits)[0, y]

    gradients = jax.vmap(jax.grad(loss), (None, 0, 0))(
        run.variables["params"], run.train.x[:4], run.train.y[:4]
    )
    for name, kernel_name in (("layer 2", "dense_1"), ("output", "dense_output")):
        expected = np.abs(gradients[kernel_name]["kernel"]).mean()
        value = found["weights"]["without noise"][name]
        np.testing.assert_allclose(value, expected, rtol=1e-4)
    assert list(found["weights"]["with noise"]) == ["layer 1", "layer 2", "output"]
    assert found["n"] == 4 and not found["notes"]


def test_errors_of_autoencoders_are_relative():
    model = make_model({"model": {"name": "autoencoder", "widths": (7,)}})
    found = measure("error", model)
    x = np.asarray(model.test.x, np.float64).reshape(8, -1)
    output = activations(model, model.test.x)["output"]
    relative = ((output - x) ** 2).sum(1) / (x**2).sum(1)
    np.testing.assert_allclose(
        found["relative_squared_error_percent"], 100 * relative.mean(), rtol=1e-5
    )
    loss = 0.5 * ((output - x) ** 2).sum(1) + 32 * np.log(2 * np.pi)
    np.testing.assert_allclose(found["loss"], loss.mean(), rtol=1e-5)


def test_errors_count_wrong_labels_of_all_examples():
    model = make_model(MLP)
    found = measure("error", model)  # three chunks, of 3, 3 and 2
    output = activations(model, model.test.x)["output"]
    wrong = output.argmax(1) != np.asarray(model.test.y)
    np.testing.assert_allclose(found["error_percent"], 100 * wrong.mean())


def test_bound_rises_with_the_samples():
    model = make_model(MLP)
    found = measure("bound", model)
    assert found["num_samples"] == [1, 2, 4] and found["n"] == 4
    assert found["bound"][0] < found["bound"][1] < found["bound"][2]  # Jensen's
    assert 1 == found["effective_samples"][0] < found["effective_samples"][2] <= 4


def test_back_projection_comes_nearer_and_says_how_far_it_went():
    sections = {"model": {"widths": (40, 40)}, "noise": {"shift": "both"}}
    model = make_model(sections, beta=0.2)
    found = measure("back_projection", model)
    before, after = (np.array(found[f"residual_{k}"]) for k in ("before", "after"))
    assert before.shape == after.shape == (2, 3) and found["n"] == 3
    assert after.mean() < before.mean() and found["diverged"] == 0
    assert min(found["distance"]) > 0 and 0 <= found["agreement"] <= 1


NOISY = ("net_variance", "slope_under_noise", "bound")


@pytest.mark.parametrize(
    ("name", "sections", "reason"),
    [
        *((name, SILENT, "makes no noise") for name in NOISY),
        ("shifts", MLP, "learned no shifts"),
        ("dropped_share", SILENT, "no layer has dropout"),
        ("input_shift", SILENT, "no layer has noise"),
        (
            "input_shift",
            {**MLP, "noise": {"scheme": "gaussian_noise"}},
            "does not depend on the input",
        ),
        (
            "input_shift",
            {"model": {"widths": (7,), "batch_norm": True}},
            "normalises its pre-activations",
        ),
        ("net_values", {"model": {"widths": (7,), "pieces": 2}}, "maxout"),
        ("back_projection", SILENT, "no hidden layer makes noise"),
        (
            "back_projection",
            {"model": {"widths": (7,), "batch_norm": True}},
            "normalised over the batch",
        ),
    ],
)
def test_a_measurement_that_does_not_apply_says_why(name, sections, reason):
    with pytest.raises(evaluators.NotMeasuredError, match=reason):
        measure(name, make_model(sections))


def test_curvature_is_that_of_the_plain_function():
    sections = {
        "model": {"widths": (7,), "activation": "tanh", "gaaf": True},
        "training": {"precision": "bfloat16"},
    }
    plain = make_model(sections).differentiable(plain=True).run.model
    assert plain.dot_general is None
    z = jnp.linspace(-1.0, 1.0, 5)
    curvature = jax.vmap(jax.grad(jax.grad(plain.activation)))(z)
    np.testing.assert_allclose(
        curvature, -2 * np.tanh(z) * (1 - np.tanh(z) ** 2), atol=1e-5
    )


def test_a_bfloat16_network_has_all_derivatives():
    """The products have no forward-mode rule, which two measurements need."""
    model = make_model({**MLP, "training": {"precision": "bfloat16"}})
    for name in ("sharpness", "back_projection"):
        assert measure(name, model)["n"] > 0


def test_chunks_have_one_length_and_leave_next_to_nothing_out():
    model = make_model(MLP, examples=23)
    for size in (1, 5, 8, 23, 100):
        parts = list(model.chunks(limit=20, size=size))
        assert len({len(part) for part in parts}) == 1 and len(parts[0]) <= size
        joined = np.concatenate(parts)
        np.testing.assert_array_equal(joined, model.test.x[: len(joined)])
        assert 20 - len(joined) < len(parts)


def test_correlations_of_images_are_between_feature_maps():
    """Positions count as examples, at most `rows` of them."""
    model = make_model(CONV, shape=(8, 8, 3), examples=3)
    layer = measure("correlations", model)["layers"]["hidden 1"]
    hidden = activations(model, model.test.x[:3])["hidden_0"]
    assert layer["num_units"] == hidden.shape[-1]
    maps = hidden.reshape(-1, hidden.shape[-1])
    r = np.abs(np.corrcoef(maps[:: -(-len(maps) // SIZES.rows)].T))
    r = r[np.triu_indices(len(r), 1)]
    assert layer["above"] == [int((r > t).sum()) for t in layer["thresholds"]]


def test_additive_noise_has_its_own_law():
    model = make_model({**MLP, "noise": {"scheme": "gaussian_noise"}})
    assert model.layers[0].scheme == noise.GaussianNoise(0.2)
    found = measure("net_variance", model)["layers"]["layer 1"]
    law = 0.04 * (kernel(model, "dense_0") ** 2).sum(0).mean()
    np.testing.assert_allclose(found["conditional"], law, rtol=1e-5)


def test_one_measurement_that_fails_does_not_stop_the_others(monkeypatch):
    def fail(*_, **__):
        raise TypeError("no rule for custom_vjp")

    monkeypatch.setattr(diagnostics, "sharpness", fail)
    report = evaluators.measure_all(make_model(MLP), SIZES, progress=False)
    assert report["failed"] == {"sharpness": "TypeError: no rule for custom_vjp"}
    assert len(report["measurements"]) == len(evaluators.MEASUREMENTS) - 2
    assert "learned no shifts" in report["skipped"]["shifts"]
    assert evaluators.report_failures(report) == 1
    assert evaluators.report_failures({"measurements": {}}) == 0


def test_residuals_that_are_infinite_are_counted_and_left_out():
    """The target is 0 and the activation is not, as after a dropped path."""
    found = evaluators.spread(np.array([1.0, 3.0, np.inf]))
    assert (found["n"], found["mean"], found["infinite"]) == (2, 2.0, 1)
    assert found["standard_error"] == pytest.approx(1.0)
    assert evaluators.spread(np.array([np.inf])) == {"n": 0, "infinite": 1}
    assert "infinite" not in evaluators.spread(np.array([1.0, 3.0]))


class Users(nn.Module):
    """A network of a user."""

    @nn.compact
    def __call__(self, x, *, train):
        x = nn.Dropout(0.5)(nn.Dense(6)(x), deterministic=not train)
        net = nn.Dense(3)(x)
        return net, {"hidden": x, "logits": net}


def test_a_users_function_is_measured():
    x, y = np.eye(12, 5, dtype=np.float32) + 0.1, np.arange(12) % 3
    params = Users().init(jax.random.key(0), x, train=False)["params"]
    apply = layers.functional(Users())

    def with_or_without_noise(params, key, x):
        return apply(params, key, x, train=key is not None)

    model = evaluators.from_function(
        with_or_without_noise, params, x, y, activation=jnp.tanh, num_classes=3
    )
    report = evaluators.measure_all(model, SIZES, progress=False)
    assert set(report["skipped"]) >= {"shifts", "dropped_share", "input_shift"}
    assert "failed" not in report
    found = report["measurements"]
    logits, _ = apply(params, None, x, train=False)
    loss = -objectives.label_log_prob(logits, y).mean()
    np.testing.assert_allclose(found["error"]["loss"], loss, rtol=1e-5)
    assert found["net_variance"]["layers"]["logits"]["measured"] > 0
    assert set(found["gradient_information"]["weights"]["with noise"]) == {
        *("Dense_0", "Dense_1")
    }
