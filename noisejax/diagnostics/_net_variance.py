"""Variance of pre-activations over draws of all masks, and its sources."""

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
    """Variance of a layer's pre-activations, per example and unit.

    In expectation measured = conditional + passed_on (the law of total variance).

    Attributes:
      measured: Var[z] over draws of all masks.
      conditional: E[Var(z | x)], the part from the noise on the layer's input x; None
        if only pre-activations were given.
      passed_on: Var(E[z | x]), the part from the noise below, exactly 0 at the first
        noisy layer; None if only pre-activations were given.
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
    """Measure the variance of pre-activations z under noise, on a fixed batch:

      Var[z] = E[Var(z | x)] + Var(E[z | x])   (Hahn and Choi 2018, table 3)

    The first part comes from the noise on the layer's input x (eq. 6), the second from
    the noise below. Variances have ddof 1. Draws run one after another, in the memory
    of one.

    Args:
      key: typed or raw PRNG key. Consumed.
      nets_fn: (params, key, *args) -> a pytree, such as a dictionary by layer. Its
        leaves are pre-activations [B, ...], or results of `net_moments`, for which the
        two parts are measured too.
      params: parameters of the network.
      *args: fixed batch.
      num_draws: number of draws of all masks, at least 2; 20 in the paper.

    Returns:
      The same pytree with a `NetVariance` for every leaf. Table 3 shows the means of
      its arrays over examples and units.

    Raises:
      TypeError: `key` is no key.
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
    zeros = jax.tree.map(jnp.zeros_like, shapes)  # varies as draws do in shard_map
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
