"""All traced functions lower for CPUs, GPUs and TPUs, without the devices."""

import functools
import inspect

import jax
import numpy as np
import optax
import pytest
from flax import linen as nn
from flax import nnx
from jax import export
from jax import numpy as jnp

from noisejax import (
    activations,
    backprojection,
    diagnostics,
    layers,
    models,
    noise,
    objectives,
)
from noisejax.layers import nnx as nnx_layers

PLATFORMS = ("cpu", "cuda", "tpu")
KEY = jax.random.key(0)
X = jax.ShapeDtypeStruct((8, 16), jnp.float32)
Y = jax.ShapeDtypeStruct((8,), jnp.int32)
LOG_PROBS = jax.ShapeDtypeStruct((4, 8), jnp.float32)
IMAGES = jax.ShapeDtypeStruct((2, 8, 8, 4), jnp.float32)
W = jax.ShapeDtypeStruct((16, 5), jnp.float32)
DROPOUT = noise.Dropout(0.5)


def lower(fn, *args):
    """Export a function for all platforms, without compiling or running it."""
    key = jax.eval_shape(lambda: jax.random.key(0))
    args = [key if arg is KEY else arg for arg in args]
    exported = export.export(jax.jit(fn), platforms=PLATFORMS)(*args)
    assert exported.platforms == PLATFORMS
    return exported


def noisy_features(w, key, x):
    return (noise.dropout(key, jnp.tanh(x @ w), rate=0.5),)


def features(w, x):
    return (jnp.tanh(x @ w),)


def log_prob(w, key, x, y):
    return objectives.label_log_prob(noisy_features(w, key, x)[0], y)


FUNCTIONS = {
    "noise.apply": lambda: lower(
        lambda k, x: noise.apply(x, DROPOUT.sample(k, x.shape)), KEY, X
    ),
    "noise.bernoulli_mask": lambda: lower(
        lambda k: noise.bernoulli_mask(k, (8, 16), rate=0.5, bits=8), KEY
    ),
    "noise.sample_rate": lambda: lower(
        lambda k: noise.sample_rate(k, (8,), rate=0.5), KEY
    ),
    "noise.sample_like": lambda: lower(
        lambda k, x: noise.sample_like(k, x, noise.RandomDropout(0.5, bits=8)), KEY, X
    ),
    "noise.mask_sample": lambda: lower(
        lambda x: noise.apply(x, noise.mask_sample(x > 0, rate=0.5)), X
    ),
    "noise.invariant_dropout": lambda: lower(
        lambda k, x: noise.invariant_dropout(k, x, x[0], rate=0.5), KEY, X
    ),
    "noise.dropconnect": lambda: lower(
        lambda k, w: noise.dropconnect(k, w, rate=0.5), KEY, W
    ),
    "noise.gaussian_noise": lambda: lower(
        lambda k, x: noise.gaussian_noise(k, x, stddev=0.5), KEY, X
    ),
    "noise.shift": lambda: lower(lambda x: noise.shift(x, x[0]), X),
    "noise.update_running_mean": lambda: lower(
        lambda x: noise.update_running_mean(x[0], x), X
    ),
    "objectives.importance_weights": lambda: lower(
        objectives.importance_weights, LOG_PROBS
    ),
    "objectives.iw_log_likelihood": lambda: lower(
        objectives.iw_log_likelihood, LOG_PROBS
    ),
    "objectives.effective_samples": lambda: lower(
        lambda p: objectives.effective_samples(objectives.importance_weights(p)),
        LOG_PROBS,
    ),
    "objectives.bound_curve": lambda: lower(objectives.bound_curve, LOG_PROBS),
    "objectives.label_log_prob": lambda: lower(objectives.label_log_prob, X, Y),
    "objectives.soft_label_log_prob": lambda: lower(
        lambda x: objectives.soft_label_log_prob(x, jax.nn.softmax(x)), X
    ),
    "objectives.bernoulli_log_prob": lambda: lower(
        lambda x: objectives.bernoulli_log_prob(x, jax.nn.sigmoid(x)), X
    ),
    "objectives.gaussian_log_prob": lambda: lower(
        lambda x: objectives.gaussian_log_prob(x, x), X
    ),
    "objectives.sequence_log_prob": lambda: lower(
        lambda x: objectives.sequence_log_prob(
            x.reshape(2, 4, 16), jnp.zeros((2, 4), int), jnp.ones((2, 4), bool)
        ),
        X,
    ),
    "objectives.predictive": lambda: lower(
        lambda x: objectives.predictive(jax.nn.log_softmax(x).reshape(2, 4, 16)), X
    ),
    "activations.gaaf": lambda: lower(
        activations.gaaf(jnp.tanh, activations.exponential_shape, value="exact"), X
    ),
    "diagnostics.net_variance": lambda: lower(
        lambda k, w, x: diagnostics.net_variance(
            k, lambda w, k, x: noisy_features(w, k, x)[0], w, x, num_draws=2
        ),
        *(KEY, W, X),
    ),
    "diagnostics.report_noise": lambda: lower(
        lambda k, w, x, y: diagnostics.report_noise(
            k,
            lambda w, k, x: noisy_features(w, k, x)[0],
            w,
            x,
            y,
            num_samples=2,
            num_draws=2,
        ),
        *(KEY, W, X, Y),
    ),
    "diagnostics.sharpness": lambda: lower(
        lambda k, w, x, y: diagnostics.sharpness(
            k,
            lambda w, x, y: -objectives.label_log_prob(features(w, x)[0], y),
            *(w, x, y),
            num_iterations=2,
        ),
        *(KEY, W, X, Y),
    ),
    "diagnostics.calibration": lambda: lower(
        lambda x, y: diagnostics.calibration(jax.nn.log_softmax(x), y), X, Y
    ),
    "diagnostics.correlation_counts": lambda: lower(diagnostics.correlation_counts, X),
    "diagnostics.node_correlations": lambda: lower(diagnostics.node_correlations, X),
    "diagnostics.net_histogram": lambda: lower(diagnostics.net_histogram, X),
    "diagnostics.saturation": lambda: lower(
        lambda x: diagnostics.saturation(x, jnp.tanh), X
    ),
}
FUNCTIONS |= {
    f"noise.{name}": functools.partial(
        lower, functools.partial(getattr(noise, name), rate=0.5), KEY, shape
    )
    for name, shape in {
        "dropout": X,
        "random_dropout": X,
        "gaussian_dropout": X,
        "drop_path": X,
        "spatial_dropout": IMAGES,
    }.items()
}
FUNCTIONS |= {
    f"activations.{name}": functools.partial(lower, getattr(activations, name), X)
    for name in (
        *("exponential_shape", "gaaf_relu", "gaaf_sigmoid", "gaaf_tanh"),
        *("gradient_acceleration", "shifted_sigmoid_shape"),
    )
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_lower_for_all_platforms(name):
    FUNCTIONS[name]()


LAYERS = {
    name: value
    for name, value in vars(layers).items()
    if inspect.isclass(value) and issubclass(value, nn.Module) and name != "NoiseLayer"
}


def arguments_of(name):
    return {"Noise": (DROPOUT,), "DropConnect": (5, 0.5)}.get(name, (0.5,))


@pytest.mark.parametrize("name", LAYERS)
def test_linen_layers_lower_with_their_gradients(name):
    layer = LAYERS[name](*arguments_of(name), deterministic=False)
    variables = jax.eval_shape(layer.init, {"params": KEY, "dropout": KEY}, IMAGES)

    def loss(variables, key, x):
        return jnp.sum(layer.apply(variables, x, rngs={"dropout": key}) ** 2)

    lower(jax.grad(loss, (0, 2)), variables, KEY, IMAGES)


@pytest.mark.parametrize("name", LAYERS)
def test_nnx_layers_lower(name):
    arguments, options = arguments_of(name), {"rngs": nnx.Rngs(0)}
    if name == "InvariantDropout":
        options["num_features"] = 4
    if name == "DropConnect":
        arguments = (4, *arguments)
    layer = getattr(nnx_layers, name)(*arguments, **options)
    apply, params = nnx_layers.functional(layer)
    shapes = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), params)
    lower(apply, shapes, KEY, IMAGES)


@pytest.mark.parametrize("strategy", ["vmap", "map", "fold", "resample"])
def test_a_gradient_of_iwsgd_lowers(strategy):
    loss_fn = objectives.iwsgd(log_prob, num_samples=4, strategy=strategy)
    gradient = jax.value_and_grad(loss_fn, has_aux=True)
    lower(gradient, W, KEY, X, Y)


METHODS = {
    "stable": backprojection.stable_descent(),
    "gradient_descent": backprojection.gradient_descent((0.1,)),
    "preconditioned": backprojection.preconditioned(),
    "optax": backprojection.from_optax(optax.adam(0.1)),
}


@pytest.mark.parametrize("name", METHODS)
def test_back_projection_lowers(name):
    def project(w, key, x):
        targets = noisy_features(w, key, x)
        method = METHODS[name]
        if name == "preconditioned":
            setup = backprojection.preconditioner(features, w, x)
            method = backprojection.preconditioned(setup)
        return backprojection.back_project(
            features, w, x, targets, num_steps=2, method=method
        )

    lower(project, W, KEY, X)


@pytest.mark.parametrize("name", ["mlp", "vit"])
def test_a_training_step_lowers(name):
    if name == "mlp":
        net, x = models.MLP((8, 8), 3, hidden_noise=(DROPOUT,) * 2), X
    else:
        net = models.ViT(1, 8, 2, 3, attention_noise=DROPOUT, path_rate=0.1)
        x = IMAGES
    params = jax.eval_shape(lambda x: net.init(KEY, x, train=False)["params"], x)
    y, adam = jax.ShapeDtypeStruct(x.shape[:1], jnp.int32), optax.adamw(1e-3)

    def log_prob_fn(params, key, x, y):
        logits, _ = net.apply({"params": params}, x, train=True, rngs={"dropout": key})
        return objectives.label_log_prob(logits, y)

    def step(params, state, key, x, y):
        loss_fn = objectives.iwsgd(log_prob_fn, num_samples=2)
        gradient = jax.grad(loss_fn, has_aux=True)(params, key, x, y)[0]
        updates, state = adam.update(gradient, state, params)
        return optax.apply_updates(params, updates), state

    lower(step, params, jax.eval_shape(adam.init, params), KEY, x, y)


def test_inference_lowers_with_a_symbolic_batch():
    net = models.MLP((8, 8), 3, hidden_noise=(DROPOUT,) * 2, hidden_shift=True)
    variables = net.init(jax.random.key(0), jnp.ones((1, 16)), train=False)
    x = jax.ShapeDtypeStruct(export.symbolic_shape("b, 16"), jnp.float32)
    exported = lower(lambda v, x: net.apply(v, x, train=False)[0], variables, x)
    inputs = jnp.ones((5, 16))
    expected = net.apply(variables, inputs, train=False)[0]
    np.testing.assert_allclose(exported.call(variables, inputs), expected, rtol=1e-5)
