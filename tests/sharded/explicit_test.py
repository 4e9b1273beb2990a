"""Training over Explicit axes, whose types contain shardings, equals one device."""

import functools
import pathlib
import re

import jax
import numpy as np
import optax
import pytest
from flax import nnx
from jax import numpy as jnp
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from noisejax import backprojection, models, noise, objectives
from noisejax.layers import nnx as nnx_layers
from tests.backprojection.networks import features_fn, problem
from tests.models.networks import TINY
from tests.noise.schemes import SCHEMES
from tests.objectives import networks
from tests.sharded.traffic import traffic

BATCH, S = 8, 4
ZERO = 1e-6
"""What rounding leaves of a gradient that is 0, as of a bias before normalisation."""

STRATEGIES = ("vmap", "fold", "map", "resample")


@pytest.fixture
def mesh():
    kinds = (AxisType.Explicit,) * 2
    return jax.make_mesh((4, 2), ("data", "model"), axis_types=kinds)


def agree(mesh, function, params, batch, rtol=1e-5):
    """Check that `function(params, batch)` is equal on the mesh and on one device."""
    expected = jax.jit(function)(params, batch)
    with jax.set_mesh(mesh):
        params = jax.device_put(params, NamedSharding(mesh, P()))
        batch = jax.device_put(batch, NamedSharding(mesh, P("data")))
        compiled = jax.jit(function).lower(params, batch).compile()
        found = compiled(params, batch)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * np.abs(b).max() + ZERO)
    return found, compiled


@pytest.mark.parametrize(
    ("strategy", "weighting"),
    [*((strategy, "importance") for strategy in STRATEGIES), ("fold", "equal")],
)
def test_iwsgd(mesh, strategy, weighting):
    log_prob = networks.make_log_prob(SCHEMES["random_dropout"])
    loss_fn = objectives.iwsgd(
        log_prob, num_samples=S, strategy=strategy, weighting=weighting
    )

    def gradient(params, batch):
        return jax.grad(loss_fn, has_aux=True)(params, jax.random.key(3), *batch)

    (gradients, aux), _ = agree(
        mesh, gradient, networks.params(), networks.batch(size=BATCH)
    )
    assert all(g.sharding.is_fully_replicated for g in gradients)
    assert aux.weights.sharding.spec[1] == "data"


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_replayed_noise(mesh, strategy):
    loss_fn = objectives.iwsgd(networks.log_prob, num_samples=S, strategy=strategy)
    keys = jax.random.split(jax.random.key(1), S)
    draw = functools.partial(networks.draw, noise.Dropout(0.4), size=BATCH)
    samples = jax.vmap(draw)(keys)

    def gradient(params, batch):
        return jax.grad(loss_fn, has_aux=True)(params, samples, *batch)[0]

    agree(mesh, gradient, networks.params(), networks.batch(size=BATCH))


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(
    ("noise_spec", "y_spec"),
    [(P("model", "data"), P("data")), (P(None, "data"), P())],
)
def test_noise_that_is_laid_out(mesh, strategy, noise_spec, y_spec):
    """Samples are sharded too, and labels have another sharding than examples."""
    x, y = networks.batch(size=BATCH)

    def log_prob(w, mask, x, y):
        kept = noise.apply(x, noise.mask_sample(mask, rate=0.5))
        return -jnp.square(kept @ w - y)

    mask = jax.random.bernoulli(jax.random.key(5), 0.5, (S, *x.shape))
    w, y = jax.random.normal(jax.random.key(6), x.shape[1:]), y.astype(jnp.float32)
    loss_fn = objectives.iwsgd(log_prob, num_samples=S, strategy=strategy)
    gradient = jax.jit(jax.grad(loss_fn, has_aux=True))
    expected, _ = gradient(w, mask, x, y)

    def put(array, spec):
        return jax.device_put(array, NamedSharding(mesh, spec))

    with jax.set_mesh(mesh):
        found, _ = gradient(
            put(w, P()), put(mask, noise_spec), put(x, P("data")), put(y, y_spec)
        )
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_feature_groups_are_refused_where_xla_is_wrong(mesh):
    """The kernel's gradient is too large by the size of the unused axis."""
    with jax.set_mesh(mesh):
        x = jax.device_put(jnp.ones((BATCH, 6, 6, 4)), NamedSharding(mesh, P("data")))
        w = jax.device_put(jnp.ones((3, 3, 2, 6)), NamedSharding(mesh, P()))
        with pytest.raises(ValueError, match="leave a mesh axis unused; got 2 groups"):
            models.convolutions(x, w, (1, 1), "SAME", feature_group_count=2)


@pytest.mark.parametrize(
    "convolve", [models.convolutions, models.bfloat16_convolutions]
)
def test_convolutions_within_a_partial_shard_map(mesh, convolve):
    x = jax.random.normal(jax.random.key(0), (BATCH, 6, 6, 4))
    w = jax.random.normal(jax.random.key(1), (3, 3, 4, 6))

    def one(x, w):
        return convolve(x, w, (1, 1), "SAME")

    shared = jax.shard_map(
        one, in_specs=(P("data"), P()), out_specs=P("data"), axis_names={"data"}
    )
    with jax.set_mesh(mesh):
        found = jax.jit(shared)(
            jax.device_put(x, NamedSharding(mesh, P("data"))),
            jax.device_put(w, NamedSharding(mesh, P())),
        )
    np.testing.assert_allclose(found, one(x, w), atol=1e-4)


def test_no_example_moves_to_another_device(mesh):
    """Only gradients are communicated, because copies of an example share a device."""
    gradients = sum(w.nbytes for w in networks.params())
    sent = {}
    for strategy in ("vmap", "fold"):
        loss_fn = objectives.iwsgd(networks.log_prob, num_samples=S, strategy=strategy)

        def gradient(params, batch, loss_fn=loss_fn):
            return jax.grad(loss_fn, has_aux=True)(params, jax.random.key(3), *batch)[0]

        batch = networks.batch(size=BATCH)
        _, compiled = agree(mesh, gradient, networks.params(), batch)
        sent[strategy] = traffic(compiled.as_text())
    assert sent["vmap"] == sent["fold"] == {"all-reduce": gradients}


HALF = {
    "dot_general": models.bfloat16_products,
    "conv_general_dilated": models.bfloat16_convolutions,
}


@pytest.mark.parametrize(
    ("name", "products"),
    [("mlp_bn", {}), ("cnn", {}), ("wide_resnet", {}), ("cnn", HALF)],
    ids=["mlp_bn", "cnn", "wide_resnet", "cnn_bfloat16"],
)
def test_networks_train(mesh, name, products):
    """An SGD step with momentum, noise, shifts and batch statistics."""
    plain, shape = TINY[name]
    num_sites = plain.num_hidden_sites
    net = plain.clone(
        input_noise=noise.Dropout(0.2),
        hidden_noise=(noise.Dropout(0.5),) * num_sites,
        input_shift=True,
        hidden_shift=True,
        **products,
    )
    x = jax.random.normal(jax.random.key(7), (BATCH, *shape[1:]))
    init = jax.jit(functools.partial(net.init, train=False))
    optimizer = optax.sgd(1e-3, momentum=0.9)

    def train(variables, x):
        params = variables["params"]
        rest = {k: v for k, v in variables.items() if k != "params"}

        def loss(params):
            (output, _), new = net.apply(
                {"params": params, **rest},
                x,
                train=True,
                rngs={"dropout": jax.random.key(2)},
                mutable=["batch_stats"],
            )
            return jnp.mean(jnp.square(output)), new

        gradient, new = jax.grad(loss, has_aux=True)(params)
        updates, _ = optimizer.update(gradient, optimizer.init(params))
        return gradient, optax.apply_updates(params, updates), new

    agree(mesh, train, init(jax.random.key(1), x), x, rtol=1e-3)


def test_nnx_layers(mesh):
    graph, *state = nnx.split(
        nnx.Sequential(
            nnx.Linear(5, 6, rngs=nnx.Rngs(0)),
            nnx_layers.Noise(
                noise.Dropout(0.5), shift=True, num_features=6, rngs=nnx.Rngs(1)
            ),
        ),
        nnx.Param,
        ...,
    )

    def gradient(state, x):
        def loss(params):
            return jnp.mean(
                jnp.square(nnx.merge(graph, params, state[1], copy=True)(x))
            )

        return jax.grad(loss)(state[0])

    agree(mesh, gradient, state, networks.batch(size=BATCH)[0])


@pytest.mark.parametrize(
    ("kind", "per_layer"),
    [
        *((k, False) for k in ("stable", "preconditioned", "gradient", "optax")),
        ("preconditioned by the batch", False),
        ("stable", True),
    ],
)
def test_back_projection(mesh, kind, per_layer):
    params, x, targets = problem(batch=BATCH)
    method = {
        "stable": lambda: backprojection.stable_descent(momentum=True),
        "preconditioned": lambda: backprojection.preconditioned(
            backprojection.preconditioner(features_fn, params, x)
        ),
        "preconditioned by the batch": lambda: backprojection.preconditioned(),
        "gradient": lambda: backprojection.gradient_descent((1.0, 1.0)),
        "optax": lambda: backprojection.from_optax(optax.adam(0.1)),
    }[kind]()

    def project(params, batch):
        x, targets = batch
        return backprojection.back_project(
            features_fn,
            params,
            x,
            targets,
            num_steps=10,
            method=method,
            per_layer=per_layer,
        )

    found, _ = agree(mesh, project, params, (x, targets), rtol=1e-4)
    assert "data" in found.x_star.sharding.spec


def test_the_example_of_the_documentation(capsys):
    page = pathlib.Path(__file__).parents[2] / "docs" / "scaling.md"
    [code] = re.findall(r"^```python\n(.*?)^```", page.read_text(), re.M | re.S)
    exec(compile(code, str(page), "exec"), {})
    assert capsys.readouterr().out.strip() == code.rsplit("# ", 1)[1].strip()


@pytest.mark.parametrize("bits", [32, 8])
def test_masks_over_auto_and_explicit_axes_at_once(bits):
    kinds = (AxisType.Explicit, AxisType.Auto)
    mesh = jax.make_mesh((4, 2), ("data", "model"), axis_types=kinds)
    x = jnp.ones((8, 8))
    laid = jax.device_put(x, NamedSharding(mesh, P("data", "model")))
    found, expected = (
        noise.dropout(jax.random.key(0), a, rate=0.5, bits=bits) for a in (laid, x)
    )
    np.testing.assert_array_equal(found, expected)
