"""Programs to compile for devices that this machine lacks, from shapes alone."""

import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
import optax
from flax import linen as nn
from jax import numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from noisejax import backprojection, layers, models, noise, objectives

PER_DEVICE = 64
"""Examples per device, at least."""

SEEDS = 8


class Place:
    """Shapes of arrays on a mesh: batches are sharded, the rest is replicated."""

    def __init__(self, devices: Any, batch_size: int):
        """Make a mesh of one axis, "data"."""
        self.mesh = Mesh(np.asarray(devices).reshape(-1), ("data",))
        self.batch_size = batch_size

    def batch(self, *shape: int, dtype: Any = jnp.float32) -> Any:
        """Return a batch [B, *shape], sharded along B."""
        return self.array((self.batch_size, *shape), dtype, "data")

    def shared(self, tree: Any) -> Any:
        """Return the shapes of a tree of arrays, replicated."""
        return jax.tree.map(lambda a: self.array(a.shape, a.dtype), tree)

    def key(self) -> Any:
        """Return a key, replicated."""
        return self.shared(jax.eval_shape(lambda: jax.random.key(0)))

    def array(self, shape: tuple[int, ...], dtype: Any, *spec: str | None) -> Any:
        """Return an array's shape with its sharding."""
        sharding = NamedSharding(self.mesh, PartitionSpec(*spec))
        return jax.ShapeDtypeStruct(shape, dtype, sharding=sharding)


@dataclasses.dataclass(frozen=True)
class Program:
    """A function and the shapes of its arguments.

    Attributes:
      group: group of programs in the tables.
      name: variant.
      build: place -> (function, arguments).
      per_device: examples per device.
    """

    group: str
    name: str
    build: Callable[[Place], tuple[Callable[..., Any], tuple[Any, ...]]]
    per_device: int = PER_DEVICE


def programs() -> list[Program]:
    """Return all programs."""
    return [*_masks(), *_attention(), *_iwsgd(), *_steps(), *_back_projection()]


SCHEMES = {
    "dropout, 32 bits": noise.Dropout(0.5),
    "dropout, 8 bits": noise.Dropout(0.5, bits=8),
    "random dropout, 32 bits": noise.RandomDropout(0.5),
    "random dropout, 8 bits": noise.RandomDropout(0.5, bits=8),
}


def _masks() -> Iterator[Program]:
    """Return forward and backward of noise on [B, 4096], alone and in an MLP block."""

    def both(apply, shift):
        """Return output and gradients, for a given gradient of the output."""

        def run(key, x, beta, gradient):
            noisy = functools.partial(apply, key)
            y, pull_back = jax.vjp(noisy, x, beta) if shift else jax.vjp(noisy, x)
            return y, pull_back(gradient)

        def build(place):
            x, beta = place.batch(4096), place.array((4096,), jnp.float32)
            return run, (place.key(), x, beta, x)

        return build

    def block(apply, shift):
        def loss(weights, key, x, beta):
            hidden = nn.gelu(x @ weights[0])
            hidden = apply(key, hidden, *([beta] if shift else []))
            return jnp.sum(jnp.square(hidden @ weights[1]))

        def build(place):
            weights = place.array((1024, 4096), jnp.float32)
            weights = [weights, place.array((4096, 1024), jnp.float32)]
            beta = place.array((4096,), jnp.float32)
            gradient = jax.value_and_grad(loss, (0, 2, 3) if shift else (0, 2))
            return gradient, (weights, place.key(), place.batch(1024), beta)

        return build

    def flax(key, x):
        return nn.Dropout(0.5, deterministic=False).apply({}, x, rngs={"dropout": key})

    def of(scheme):
        return lambda key, x: noise.apply(x, scheme.sample(key, x.shape))

    def invariant(bits):
        return functools.partial(noise.invariant_dropout, rate=0.5, bits=bits)

    variants = {"no noise": (lambda key, x: x, False), "flax's Dropout": (flax, False)}
    variants |= {name: (of(scheme), False) for name, scheme in SCHEMES.items()}
    variants |= {f"invariant dropout, {b} bits": (invariant(b), True) for b in (32, 8)}
    for name, variant in variants.items():
        if name != "no noise":
            yield Program("noise alone, forward and backward", name, both(*variant))
        yield Program("MLP block 1024-4096-1024, gradient", name, block(*variant))


def _attention() -> Iterator[Program]:
    """Return gradients of attention with noise on its weights [B, 8, 128, 128]."""

    def build(place, **options):
        layer = nn.MultiHeadDotProductAttention(8, **options)
        x = place.batch(128, 512)
        start = nn.MultiHeadDotProductAttention(8)
        params = jax.eval_shape(
            lambda: start.init(jax.random.key(0), jnp.ones(x.shape))
        )

        def loss(params, key, x):
            y = layer.apply(params, x, deterministic=False, rngs={"dropout": key})
            return jnp.sum(jnp.square(y))

        return jax.value_and_grad(loss, (0, 2)), (place.shared(params), place.key(), x)

    variants = {
        "no noise": {},
        "flax's dropout": {"dropout_rate": 0.5, "broadcast_dropout": False},
    }
    for name, scheme in SCHEMES.items():
        attention = layers.NoisyAttention(scheme)
        variants[name] = {"dropout_rate": 0.5, "attention_fn": attention}
    for name, options in variants.items():
        yield Program(
            "attention, gradient", name, functools.partial(build, **options), 8
        )


def _mlp() -> models.MLP:
    hidden = (noise.Dropout(0.5),) * 2
    first = noise.Dropout(0.2)
    return models.MLP((1024, 1024), 10, input_noise=first, hidden_noise=hidden)


def _start(net, x):
    """Return the shapes of a network's variables."""
    one = jnp.zeros((1, *x.shape[1:]))
    return jax.eval_shape(lambda: net.init(jax.random.key(0), one, train=False))


def _log_prob(net, params, key, x, y):
    rngs = {"dropout": key}
    logits, _ = net.apply({"params": params}, x, train=True, rngs=rngs)
    return objectives.label_log_prob(logits, y)


def _iwsgd() -> Iterator[Program]:
    """Return the gradient of an MLP 784-1024-1024-10 by every strategy."""

    def build(place, strategy, num_samples):
        net, x = _mlp(), place.batch(784)
        params = place.shared(_start(net, x)["params"])
        loss_fn = objectives.iwsgd(
            functools.partial(_log_prob, net),
            num_samples=num_samples,
            strategy=strategy,
        )
        y = place.batch(dtype=jnp.int32)
        gradient = jax.value_and_grad(lambda *args: loss_fn(*args)[0])
        return gradient, (params, place.key(), x, y)

    counts = [("fold", 1), ("map", 32)]
    counts += [(strategy, 8) for strategy in ("vmap", "map", "fold", "resample")]
    for strategy, count in counts:
        name = "S = 1" if count == 1 else f"S = {count}, {strategy}"
        yield Program(
            "IWSGD, MLP 784-1024-1024-10, gradient",
            name,
            functools.partial(build, strategy=strategy, num_samples=count),
        )


SGD = optax.sgd(0.1, momentum=0.9)


def _make_step(net):
    """Return an SGD step of a network, with batch statistics."""

    def step(variables, state, key, x, y):
        params = variables["params"]
        rest = {name: v for name, v in variables.items() if name != "params"}

        def loss(params):
            (logits, _), new = net.apply(
                {"params": params, **rest},
                x,
                train=True,
                rngs={"dropout": key},
                mutable=list(rest),
            )
            return -jnp.mean(objectives.label_log_prob(logits, y)), new

        gradients, new = jax.grad(loss, has_aux=True)(params)
        updates, state = SGD.update(gradients, state)
        return {"params": optax.apply_updates(params, updates), **new}, state

    return step


def _steps() -> Iterator[Program]:
    """Return training steps: MLP with 1 and 8 seeds, WRN-28-10 and ViT in bfloat16."""

    def build(place, net, shape):
        x, y = place.batch(*shape), place.batch(dtype=jnp.int32)
        variables = _start(net, x)
        state = jax.eval_shape(SGD.init, variables["params"])
        shapes = place.shared(variables), place.shared(state), place.key()
        return _make_step(net), (*shapes, x, y)

    def seeds(place):
        """Shard the seeds over as many devices as possible, the batch over the rest."""
        along = min(SEEDS, place.mesh.size)
        grid = place.mesh.devices.reshape(along, -1)
        place.mesh = Mesh(grid, ("seeds", "data"))
        place.batch_size //= along
        step, (variables, state, key, x, y) = build(place, _mlp(), (784,))

        def many(a):
            return place.array((SEEDS, *a.shape), a.dtype, "seeds")

        stacked = jax.tree.map(many, (variables, state, key))
        return jax.vmap(step, in_axes=(0, 0, 0, None, None)), (*stacked, x, y)

    name = "step, MLP 784-1024-1024-10"
    yield Program(name, "one seed", functools.partial(build, net=_mlp(), shape=(784,)))
    yield Program(name, f"{SEEDS} seeds, vmap", seeds)
    low = {"dot_general": models.bfloat16_products}
    wide = models.WideResNet(
        10, **low, conv_general_dilated=models.bfloat16_convolutions
    )
    drop = noise.Dropout(0.3)
    vit = models.ViT(6, 192, 3, 10, activation=nn.gelu, **low)
    light = noise.Dropout(0.1)
    noisy_vit = vit.clone(
        hidden_noise=(light,) * vit.blocks,
        attention_noise=light,
        residual_noise=light,
        embedding_noise=light,
        path_rate=0.1,
    )
    networks = {
        "step, WRN-28-10, bfloat16": {
            "no noise": wide,
            "dropout": wide.clone(hidden_noise=(drop,) * wide.num_hidden_sites),
        },
        "step, ViT of 6 blocks, bfloat16": {"no noise": vit, "dropout": noisy_vit},
    }
    for group, variants in networks.items():
        for variant, net in variants.items():
            made = functools.partial(build, net=net, shape=(32, 32, 3))
            yield Program(group, variant, made)


def _back_projection() -> Iterator[Program]:
    """Return back-projection of a batch: 20 steps, two hidden layers of the MLP."""

    def build(place):
        net, x = _mlp(), place.batch(784)
        params = place.shared(_start(net, x)["params"])
        targets = tuple(place.batch(1024) for _ in range(2))

        def features(params, x):
            _, found = net.apply({"params": params}, x, train=False)
            return found["hidden_0"], found["hidden_1"]

        def project(params, x, targets):
            return backprojection.back_project(features, params, x, targets).x_star

        return project, (params, x, targets)

    yield Program("back-projection, MLP 784-1024-1024, 20 steps", "stable", build)
