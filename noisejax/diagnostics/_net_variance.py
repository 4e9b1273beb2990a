"""Variance of pre-activations over noise samples, and its sources."""

from collections.abc import Callable
from typing import Any

import jax
from jax import lax
from jax import numpy as jnp
from jaxtyping import Array, Float, PyTree

from noisejax import noise
from noisejax._dataclass import dataclass
from noisejax._floating import at_least_float32
from noisejax.diagnostics._conditional_net_variance import NetMoments


@dataclass
class NetVariance:
    """Variance of the pre-activations of a layer, per example and unit.

    By the law of total variance, measured = conditional + passed_on in expectation.

    Attributes:
      measured: variance Var[z] over draws of all noise.
      conditional: part E[Var(z | x)] from the noise on the input x of the layer, or
        None without a `NetMoments`.
      passed_on: part Var(E[z | x]) from noise in earlier layers, or None without a
        `NetMoments`. It is exactly 0 in the first noisy layer.
    """

    measured: Float[Array, "..."]
    conditional: Float[Array, "..."] | None
    passed_on: Float[Array, "..."] | None


def net_variance(
    key: noise.Key,
    nets_fn: Callable[..., PyTree[Array]],
    params: PyTree[Array],
    *args: Any,
    num_draws: int = 20,
) -> Any:
    """Measure the variance over noise of pre-activations z on a fixed batch:

      Var[z] = E[Var(z | x)] + Var(E[z | x])   (Hahn and Choi 2018, table 3)

    The first part is due to the noise on the input x of the layer (eq. 6), and the
    second to noise in earlier layers. Variances have ddof 1. Draws run sequentially, so
    the memory use is that of one draw.

    Args:
      key: typed or raw PRNG key. Consumed.
      nets_fn: function (params, key, *args) -> pytree, such as a dictionary by layer.
        Leaves are pre-activations [B, ...], or results of `net_moments` to measure the
        two parts too.
      params: parameters of the network.
      *args: fixed batch.
      num_draws: number of draws, at least 2. The paper uses 20.

    Returns:
      The same pytree with a `NetVariance` for each leaf. Table 3 of the paper shows
      means over examples and units.

    Raises:
      TypeError: `key` is not a PRNG key.
      ValueError: `num_draws` is below 2.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import diagnostics, noise
      >>> x, kernel, scheme = jnp.ones((4, 50)), jnp.ones((50, 3)), noise.Dropout(0.5)
      >>> def nets(kernel, key, x):
      ...     net = noise.dropout(key, x, rate=0.5) @ kernel
      ...     return {"layer_1": diagnostics.net_moments(net, x, kernel, scheme)}
      >>> v = diagnostics.net_variance(jax.random.key(0), nets, kernel, x)["layer_1"]
      >>> float(v.conditional.mean()), float(v.passed_on.mean()), v.measured.shape
      (50.0, 0.0, (4, 3))

    Reference:
      Hahn and Choi, "Understanding dropout as an optimization trick", arXiv:1806.09783.
    """
    if num_draws < 2:
        raise ValueError(f"a variance needs at least 2 draws, got {num_draws}")

    def draw(draw_key):
        return jax.tree.map(
            lambda a: a.astype(at_least_float32(a.dtype)),
            nets_fn(params, draw_key, *args),
        )

    def body(carry, numbered_key):
        count, draw_key = numbered_key
        mean, squares = carry
        new = draw(draw_key)
        delta = jax.tree.map(jnp.subtract, new, mean)
        mean = jax.tree.map(lambda m, d: m + d / count, mean, delta)
        squares = jax.tree.map(
            lambda s, d, n, m: s + d * (n - m), squares, delta, new, mean
        )
        return (mean, squares), ()

    keys = jax.random.split(noise.as_key(key), num_draws)
    shapes = jax.eval_shape(lambda keys: draw(keys[0]), keys)
    zeros = jax.tree.map(jnp.zeros_like, shapes)  # varies like the draws in shard_map
    counts = jnp.arange(1, num_draws + 1, dtype=jnp.float32)
    (mean, squares), _ = lax.scan(jax.checkpoint(body), (zeros, zeros), (counts, keys))

    def is_moments(leaf):
        return isinstance(leaf, NetMoments)

    def finish(mean, squares):
        if not is_moments(mean):
            measured = squares / (num_draws - 1)
            return NetVariance(measured=measured, conditional=None, passed_on=None)
        return NetVariance(
            measured=squares.net / (num_draws - 1),
            conditional=mean.variance,
            passed_on=squares.expected / (num_draws - 1),
        )

    return jax.tree.map(finish, mean, squares, is_leaf=is_moments)
