"""Dense networks: the formula, Hahn's tanh network, maxout, soft targets."""

import jax
import numpy as np
import pytest
from flax import linen as nn

from noisejax import models, noise


def test_mlp_is_the_written_out_formula():
    net = models.MLP((5, 4), 3, activation=nn.tanh)
    x = jax.random.normal(jax.random.key(0), (2, 3, 2))
    variables = net.init(jax.random.key(1), x, train=False)
    p = jax.tree.map(np.asarray, variables["params"])
    h = np.asarray(x).reshape(2, 6)
    for i in range(2):
        h = np.tanh(h @ p[f"dense_{i}"]["kernel"] + p[f"dense_{i}"]["bias"])
    expected = h @ p["dense_output"]["kernel"] + p["dense_output"]["bias"]
    output, activations = net.apply(variables, x, train=False)
    np.testing.assert_allclose(output, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(activations["hidden_1"], h, rtol=1e-5, atol=1e-6)
    assert set(activations) == {
        *("input", "noisy_input", "output"),
        *(f"{kind}_{i}" for kind in ("net", "hidden", "noisy") for i in range(2)),
    }


def test_running_average_shifts_are_statistics_not_parameters():
    net = models.MLP(
        (5,),
        3,
        input_noise=noise.Dropout(0.2),
        input_shift="running_average",
        hidden_shift="running_average",
        hidden_noise=(noise.Dropout(0.5),),
    )
    x = jax.random.normal(jax.random.key(0), (4, 6))
    variables = net.init(jax.random.key(1), x, train=False)
    assert set(variables["params"]) == {"dense_0", "dense_output"}
    _, updated = net.apply(
        variables,
        x,
        train=True,
        rngs={"dropout": jax.random.key(2)},
        mutable=["batch_stats"],
    )
    mean = updated["batch_stats"]["input_noise"]["mean"]
    np.testing.assert_allclose(mean, 0.01 * np.asarray(x).mean(0), rtol=1e-4, atol=1e-7)


def test_maxout_units_have_no_rectifier():
    net = models.MLP((5,), 3, pieces=3)
    x = jax.random.normal(jax.random.key(0), (20, 6))
    variables = net.init(jax.random.key(1), x, train=False)
    _, activations = net.apply(variables, x, train=False)
    assert activations["net_0"].shape == (20, 15)
    expected = np.asarray(activations["net_0"]).reshape(20, 5, 3).max(-1)
    np.testing.assert_array_equal(activations["hidden_0"], expected)
    assert (expected < 0).any()


def test_soft_target_network_is_an_mlp_reshaped():
    net = models.SoftTargetMLP(4, 3, widths=(5,))
    x = jax.random.normal(jax.random.key(0), (2, 6))
    variables = net.init(jax.random.key(1), x, train=False)
    logits, activations = net.apply(variables, x, train=False)
    plain = models.MLP((5,), 12)
    expected, _ = plain.apply({"params": variables["params"]["mlp"]}, x, train=False)
    np.testing.assert_array_equal(logits, expected.reshape(2, 4, 3))
    np.testing.assert_array_equal(activations["output"], logits)


def test_only_sizes_are_positional():
    with pytest.raises((TypeError, ValueError)):
        models.MLP((3,), 2, nn.tanh)
