"""Measurements of runs are the formulas' values on the run's own layers."""

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from noisejax import noise, training
from noisejax.measuring._activity import (
    measure_correlations,
    measure_net_values,
    measure_net_variance,
    measure_slopes,
)
from noisejax.measuring._amounts import chunks, rows_of_units
from noisejax.measuring._losses import (
    measure_bound,
    measure_error,
    measure_gradients,
)
from noisejax.measuring._network import NotMeasuredError, plain_model
from noisejax.measuring._noise import (
    measure_dropped_share,
    measure_input_shift,
    measure_shifts,
)
from noisejax.measuring._projected import measure_back_projection
from tests.measuring.networks import AMOUNTS, make_network


def key():
    """A fresh one: keys are consumed once."""
    return jax.random.key(1)


MLP = {"model": {"widths": (7, 5), "activation": "tanh"}}
SHIFTED = {**MLP, "noise": {"shift": "both"}}
SILENT = {**MLP, "noise": {"scheme": "none"}}
CONV = {
    "model": {"name": "four_conv", "width_factor": 0.05},
    "noise": {"shift": "both"},
}


def activations(network, x):
    _, found = network.clean(network.run.variables, x)
    return {name: np.asarray(a, np.float64) for name, a in found.items()}


def kernel(network, name):
    return np.asarray(network.run.variables["params"][name]["kernel"], np.float64)


def test_net_variance_at_the_first_layer_is_the_formula():
    """Ba, eq. 10: with the shift, which the layer above sees under the mask."""
    network = make_network(SHIFTED, beta=0.3)
    found = measure_net_variance(key(), network, AMOUNTS)
    x = np.asarray(network.run.test.x, np.float64)[:6].reshape(6, -1) + 0.3
    own = 0.2 / 0.8 * (x**2 @ kernel(network, "dense_0") ** 2).mean()
    first = found["layers"]["layer 1"]
    np.testing.assert_allclose(first["conditional"], own, rtol=1e-5)
    assert first["passed_on"] == 0
    assert found["layers"]["output"]["passed_on"] > 0
    assert (found["n"], found["num_draws"]) == (6, 3)
    assert list(found["layers"]) == ["layer 1", "layer 2", "output"]


def test_the_running_average_is_subtracted():
    network = make_network({**MLP, "noise": {"shift": "running_average"}})
    layer, x = network.layers[0], jnp.ones((2, 64))
    stats = {"input_noise": {"mean": jnp.full(64, 0.25)}}
    variables = {**network.run.variables, "batch_stats": stats}
    np.testing.assert_allclose(network.shifted(variables, layer, x), 0.75)
    assert network.shift(variables, layer) is None  # nothing that was learned


def test_convolutions_reach_over_the_border():
    """The shift stands inside, the padding is 0, as in the network."""
    network = make_network(CONV, shape=(8, 8, 3), examples=3, beta=-0.2)
    layer, variables = network.layers[0], network.run.variables
    x, w = network.run.test.x, network.weights(network.run.variables, network.layers[0])
    shifted = np.asarray(network.shifted(variables, layer, x), np.float64)
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
    """Net values are the products that they are said to be."""
    network = make_network(sections, shape=shape, examples=2, beta=0.1)
    assert [layer.name for layer in network.layers] == names
    assert [layer.linear for layer in network.layers] == linear
    variables, x = network.run.variables, network.run.test.x
    _, found = jax.jit(network.clean)(variables, x)
    for layer in network.layers:
        assert found[layer.net] is not None
        if not layer.linear:
            continue
        source = network.shifted(variables, layer, found[layer.source])
        net = layer.product(source, network.weights(variables, layer))  # biases are 0
        np.testing.assert_allclose(net, found[layer.net], atol=1e-5)


def test_soft_targets_are_measured_whole():
    sections = {"model": {"name": "soft_targets", "widths": (7,)}}
    network = make_network(sections, num_classes=(4, 3))
    assert [layer.linear for layer in network.layers] == [True, False]
    found = measure_net_variance(key(), network, AMOUNTS)["layers"]
    assert found["layer 1"]["conditional"] > 0
    assert found["output"]["conditional"] is None and found["output"]["measured"] > 0


def test_residual_networks_show_their_blocks():
    sections = {"model": {"name": "wide_resnet", "depth": 10, "width_factor": 0.25}}
    network = make_network(sections, shape=(8, 8, 3), weights=False)
    names = [layer.name for layer in network.layers]
    assert names == ["block 1", "block 2", "block 3", "output"]
    assert [layer.linear for layer in network.layers] == [False, False, False, True]
    assert network.normalised and network.convolutional and network.is_noisy


def test_correlations_are_numpys():
    network = make_network(MLP)
    found = measure_correlations(key(), network, AMOUNTS)["layers"]["hidden 2"]
    hidden = activations(network, network.run.test.x[:6])["hidden_1"]
    r = np.abs(np.corrcoef(hidden.T)[np.triu_indices(5, 1)])
    assert found["thresholds"] == [0.9, 0.8, 0.7, 0.6, 0.5]
    assert found["above"] == [int((r > t).sum()) for t in found["thresholds"]]
    assert (found["num_pairs"], found["num_units"], sum(found["histogram"])) == (
        10,
        5,
        10,
    )


def test_net_values_are_numpys():
    network = make_network(MLP)
    found = measure_net_values(key(), network, AMOUNTS)
    net = activations(network, network.run.test.x[:6])["net_1"]
    layer = found["layers"]["layer 2"]
    saturated = (1 - np.tanh(net) ** 2 < 0.1).mean()
    np.testing.assert_allclose(layer["saturation"], saturated, rtol=1e-6)
    counts, _ = np.histogram(net, bins=160, range=(-8, 8))
    assert np.abs(np.cumsum(layer["counts"]) - np.cumsum(counts)).max() <= 1
    assert list(found["layers"]) == ["layer 1", "layer 2"] and found["n"] == 6


def test_slopes_compare_noisy_with_clean():
    network = make_network(MLP)
    found = measure_slopes(key(), network, AMOUNTS)
    net = activations(network, network.run.test.x[:3])["net_0"]
    clean = found["layers"]["layer 1"]["clean_mean"]
    np.testing.assert_allclose(clean, (1 - np.tanh(net) ** 2).mean(), rtol=1e-5)
    assert found["layers"]["layer 1"]["noisy_mean"] != clean
    assert (found["n"], found["num_draws"]) == (3, 3)


def test_shifts_stand_beside_mean_activities():
    network = make_network(SHIFTED, beta=0.5)
    found = measure_shifts(key(), network, AMOUNTS)
    assert list(found["layers"]) == ["input", "hidden 1", "hidden 2"]
    hidden = activations(network, network.run.train.x[:6])["hidden_0"]
    layer = found["layers"]["hidden 1"]
    np.testing.assert_allclose(layer["mean_activity"], hidden.mean(0), atol=1e-5)
    assert layer["shift"] == [0.5] * 7


@pytest.mark.parametrize("scheme", ["dropout", "random_dropout_per_batch"])
def test_dropped_share(scheme):
    network = make_network({**MLP, "noise": {"scheme": scheme}})
    found = measure_dropped_share(key(), network, AMOUNTS)
    sizes = {"input": 64, "hidden 1": 7, "hidden 2": 5}
    for place, n in sizes.items():
        share = found["layers"][place]
        assert (len(share["law"]), sum(share["counts"])) == (n + 1, 20)
        assert share["rate"] == (0.2 if place == "input" else 0.5)
    if scheme == "random_dropout_per_batch":  # a level per draw, not one for all
        counts = found["layers"]["input"]["counts"]
        assert np.count_nonzero(counts) > 5


def test_input_shift():
    network = make_network(MLP)
    found = measure_input_shift(key(), network, AMOUNTS)
    x = np.asarray(network.run.test.x, np.float64)[:3].reshape(3, -1)
    w2 = kernel(network, "dense_0") ** 2
    expected = [0.25 * ((x + phi) ** 2 @ w2).mean() for phi in found["phi"]]
    np.testing.assert_allclose(found["variance"], expected, rtol=1e-4)
    best = 0.25 * ((x - x.mean(0)) ** 2 @ w2).mean()
    np.testing.assert_allclose(found["best"], best, rtol=1e-4)
    assert found["layer"] == "layer 1"


def test_gradients_are_those_of_single_examples():
    network = make_network(MLP)
    found = measure_gradients(key(), network, AMOUNTS)
    run = network.run

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
    network = make_network({"model": {"name": "autoencoder", "widths": (7,)}})
    found = measure_error(key(), network, AMOUNTS)
    x = np.asarray(network.run.test.x, np.float64).reshape(8, -1)
    output = activations(network, network.run.test.x)["output"]
    relative = ((output - x) ** 2).sum(1) / (x**2).sum(1)
    np.testing.assert_allclose(
        found["relative_squared_error_percent"], 100 * relative.mean(), rtol=1e-5
    )
    loss = 0.5 * ((output - x) ** 2).sum(1) + 32 * np.log(2 * np.pi)
    np.testing.assert_allclose(found["loss"], loss.mean(), rtol=1e-5)


def test_errors_count_wrong_labels_of_all_examples():
    network = make_network(MLP)
    found = measure_error(key(), network, AMOUNTS)  # three chunks, of 3, 3 and 2
    output = activations(network, network.run.test.x)["output"]
    wrong = output.argmax(1) != np.asarray(network.run.test.y)
    np.testing.assert_allclose(found["error_percent"], 100 * wrong.mean())


def test_bound_rises_with_the_samples():
    network = make_network(MLP)
    found = measure_bound(key(), network, AMOUNTS)
    assert found["num_samples"] == [1, 2, 4] and found["n"] == 4
    assert found["bound"][0] < found["bound"][1] < found["bound"][2]  # Jensen's
    assert 1 == found["effective_samples"][0] < found["effective_samples"][2] <= 4


def test_back_projection_comes_nearer_and_says_how_far_it_went():
    sections = {"model": {"widths": (40, 40)}, "noise": {"shift": "both"}}
    network = make_network(sections, beta=0.2)
    found = measure_back_projection(key(), network, AMOUNTS)
    before, after = (np.array(found[f"residual_{k}"]) for k in ("before", "after"))
    assert before.shape == after.shape == (2, 3) and found["n"] == 3
    assert after.mean() < before.mean() and found["diverged"] == 0
    assert min(found["distance"]) > 0 and 0 <= found["agreement"] <= 1


NOISY = (measure_net_variance, measure_slopes, measure_bound)


@pytest.mark.parametrize(
    ("measure", "sections", "reason"),
    [
        *((measure, SILENT, "makes no noise") for measure in NOISY),
        (measure_shifts, MLP, "learned no shifts"),
        (measure_dropped_share, SILENT, "no layer has dropout"),
        (measure_input_shift, SILENT, "no layer has noise"),
        (
            measure_input_shift,
            {**MLP, "noise": {"scheme": "gaussian_noise"}},
            "does not depend on the input",
        ),
        (
            measure_input_shift,
            {"model": {"widths": (7,), "batch_norm": True}},
            "normalises its net values",
        ),
        (measure_net_values, {"model": {"widths": (7,), "pieces": 2}}, "maxout"),
        (measure_back_projection, SILENT, "no hidden layer makes noise"),
        (
            measure_back_projection,
            {"model": {"widths": (7,), "batch_norm": True}},
            "normalised over the batch",
        ),
    ],
)
def test_what_cannot_be_measured_is_said(measure, sections, reason):
    with pytest.raises(NotMeasuredError, match=reason):
        measure(key(), make_network(sections), AMOUNTS)


def test_curvature_is_that_of_the_plain_function():
    sections = {
        "model": {"widths": (7,), "activation": "tanh", "gaaf": True},
        "training": {"precision": "bfloat16"},
    }
    config = training.from_dict(sections)
    plain = plain_model(training.build_model(config, 10))
    assert plain.dot_general is None
    z = jnp.linspace(-1.0, 1.0, 5)
    curvature = jax.vmap(jax.grad(jax.grad(plain.activation)))(z)
    np.testing.assert_allclose(
        curvature, -2 * np.tanh(z) * (1 - np.tanh(z) ** 2), atol=1e-5
    )


def test_chunks_leave_next_to_nothing_out():
    x = np.arange(23)
    for size in (1, 5, 8, 23, 100):
        parts = list(chunks(x, limit=20, size=size))
        assert len({len(part) for part in parts}) == 1 and len(parts[0]) <= size
        joined = np.concatenate(parts)
        np.testing.assert_array_equal(joined, np.arange(len(joined)))
        assert 20 - len(joined) < len(parts)


def test_rows_are_positions_and_columns_are_feature_maps():
    a = np.arange(2 * 4 * 4 * 3).reshape(2, 4, 4, 3)
    rows = rows_of_units(a, 10)
    assert rows.shape == (8, 3)
    np.testing.assert_array_equal(rows, a.reshape(-1, 3)[::4])


def test_additive_noise_has_its_own_law():
    network = make_network({**MLP, "noise": {"scheme": "gaussian_noise"}})
    assert network.layers[0].scheme == noise.GaussianNoise(0.2)
    found = measure_net_variance(key(), network, AMOUNTS)["layers"]["layer 1"]
    own = 0.04 * (kernel(network, "dense_0") ** 2).sum(0).mean()
    np.testing.assert_allclose(found["conditional"], own, rtol=1e-5)
