"""Public functions that export_test.py leaves out, and symbolic batches of functions.

A public function that neither file exports, nor lists as one of the host, fails here.
"""

import inspect

import jax
import numpy as np
import pytest
from jax import export
from jax import numpy as jnp

from noisejax import activations, backprojection, diagnostics, noise, objectives
from tests import export_test
from tests.api_test import public_names
from tests.export_test import DROPOUT, KEY, W, X, Y, features, lower

NET = jax.ShapeDtypeStruct((8, 5), jnp.float32)
BETA = jax.ShapeDtypeStruct((8, 8, 4), jnp.float32)
KERNEL = jax.ShapeDtypeStruct((3, 3, 4, 5), jnp.float32)


def loss(w, x, y):
    return -objectives.label_log_prob(features(w, x)[0], y)


def gradient_average(w):
    average = diagnostics.start_gradient_average(w)
    return diagnostics.update_gradient_average(average, w)


FUNCTIONS = {
    "noise.fold_into_conv": (
        lambda b, k: noise.fold_into_conv(b, k, input_shape=(8, 8, 4)),
        *(BETA, KERNEL),
    ),
    "noise.fold_into_dense": (lambda x, w: noise.fold_into_dense(x[0], w), X, W),
    "noise.fold_through_max_pool": (
        lambda b: noise.fold_through_max_pool(b[0, 0], input_shape=(8, 8, 4)),
        BETA,
    ),
    "noise.shift_decay_penalty": (noise.shift_decay_penalty, X),
    "noise.shift_variance_penalty": (noise.shift_variance_penalty, X),
    "diagnostics.activation_slope": (
        lambda x: diagnostics.activation_slope(x, jnp.tanh),
        X,
    ),
    "diagnostics.conditional_net_variance": (
        lambda x, w: diagnostics.conditional_net_variance(x, w, DROPOUT),
        *(X, W),
    ),
    "diagnostics.dropped_counts": (
        lambda k: diagnostics.dropped_counts(k, 4, DROPOUT, num_draws=4, chunk_size=2),
        KEY,
    ),
    "diagnostics.expected_slope": (
        lambda x: diagnostics.expected_slope(x, jnp.tanh, stddev=0.5, num_nodes=5),
        X,
    ),
    "diagnostics.gradient_information": (
        lambda w, x, y: diagnostics.gradient_information(loss, w, x, y, chunk_size=4),
        *(W, X, Y),
    ),
    "diagnostics.input_shift_effect": (
        lambda x, w: diagnostics.input_shift_effect(x, w, x[0], DROPOUT),
        *(X, W),
    ),
    "diagnostics.net_moments": (
        lambda net, x, w: diagnostics.net_moments(net, x, w, DROPOUT),
        *(NET, X, W),
    ),
    "diagnostics.shift_against_activity": (
        lambda x: diagnostics.shift_against_activity(x, x[0]),
        X,
    ),
    "diagnostics.slope_under_noise": (
        lambda x: diagnostics.slope_under_noise(x, x[None], jnp.tanh),
        X,
    ),
    "diagnostics.start_gradient_average": (diagnostics.start_gradient_average, W),
    "diagnostics.update_gradient_average": (gradient_average, W),
    "backprojection.agreement": (backprojection.agreement, X, X),
    "backprojection.class_distances": (
        lambda x, y: backprojection.class_distances(x, y, num_classes=3),
        *(X, Y),
    ),
    "backprojection.curvature": (
        lambda w, x: backprojection.curvature(features, w, x, num_iterations=2),
        *(W, X),
    ),
    "backprojection.distances": (backprojection.distances, X, X),
}

ON_THE_HOST = {
    *("noise.as_key", "noise.count_samples", "noise.round_rate"),
    "objectives.check_independence",
    *("diagnostics.dropped_share_law", "diagnostics.noise_moments"),
    "diagnostics.plain_activation",
}
"""Functions of Python values, which no program contains."""

BY_METHOD = {
    *("objectives.iwsgd", "backprojection.back_project"),
    *("backprojection.gradient_descent", "backprojection.stable_descent"),
    *("backprojection.preconditioned", "backprojection.preconditioner"),
    "backprojection.from_optax",
}
"""Functions that export_test.py exports by strategy or by method."""


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_lower_for_all_platforms(name):
    lower(*FUNCTIONS[name])


@pytest.mark.parametrize(
    "module",
    ["noise", "objectives", "activations", "diagnostics", "backprojection"],
)
def test_every_public_function_is_exported(module):
    names = {
        f"{module}.{name}"
        for name, value in public_names(module).items()
        if inspect.isfunction(value)
    }
    exported = export_test.FUNCTIONS.keys() | FUNCTIONS.keys() | BY_METHOD
    assert names <= exported | ON_THE_HOST


WEIGHTS = np.random.default_rng(0).normal(size=(16, 5)).astype(np.float32)

WITH_A_SYMBOLIC_BATCH = {
    "dropout": lambda k, x: noise.dropout(k, x, rate=0.5),
    "dropout_8_bits": lambda k, x: noise.dropout(k, x, rate=0.5, bits=8),
    "random_dropout": lambda k, x: noise.random_dropout(k, x, rate=0.5),
    "invariant_dropout": lambda k, x: noise.invariant_dropout(
        k, x, jnp.ones(16), rate=0.5
    ),
    "gaaf": lambda k, x: activations.gaaf_tanh(x),
    "predictive": lambda k, x: objectives.predictive(jnp.stack([x, -x])),
    "saturation": lambda k, x: diagnostics.saturation(x, jnp.tanh),
    "back_project": lambda k, x: backprojection.back_project(
        features, WEIGHTS, x, features(WEIGHTS, 0.5 * x), num_steps=2
    ),
}


@pytest.mark.parametrize("name", WITH_A_SYMBOLIC_BATCH)
def test_a_symbolic_batch_gives_the_results_of_a_known_one(name):
    fn = WITH_A_SYMBOLIC_BATCH[name]
    x = jax.ShapeDtypeStruct(export.symbolic_shape("b, 16"), jnp.float32)
    exported = lower(fn, KEY, x)
    inputs = np.random.default_rng(1).normal(size=(6, 16)).astype(np.float32)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5),
        exported.call(jax.random.key(1), inputs),
        jax.jit(fn)(jax.random.key(1), inputs),
    )
