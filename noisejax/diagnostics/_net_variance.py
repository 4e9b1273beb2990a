"""The variance of net values over draws of all masks, and where it comes from."""

from collections.abc import Callable
from typing import Any

import chex
import jax
from jax import lax
from jax import numpy as jnp
from jaxtyping import Array, Float, PyTree

from noisejax import noise
from noisejax._floating import at_least_float32
from noisejax.diagnostics._conditional_net_variance import NetMoments


@chex.dataclass(frozen=True)
class NetVariance:
    """The variance of a layer's net values, per example and unit.

    In expectation measured = conditional + passed_on (the law of total variance).

    Attributes:
      measured: over draws of all masks.
      conditional: from the noise on the layer's own input, averaged over the draws of
        what is below; None where only net values were given.
      passed_on: from the noise below, of E[z | the layer's input]; exactly 0 at the
        first noisy layer; None likewise.
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
    """Measures how much net values vary with the noise, on a fixed batch.

    Var[z] over draws of all masks, ddof 1 (Hahn and Choi 2018, table 3), and its parts
    by the law of total variance, Var[z] = E[Var(z | x)] + Var(E[z | x]): what the noise
    on the layer's own input x makes (eq. 6), and what is passed on from below.

    Draws follow one another and are summed up as they come: memory for one.

    Args:
      key: typed or raw PRNG key. Consumed.
      nets_fn: (params, key, *args) -> a pytree, such as a dictionary by layer. Its
        leaves are net values [B, ...], or what `net_moments` makes of a layer, which
        gives the parts too.
      params: of the network.
      *args: a fixed batch.
      num_draws: of all masks, at least 2; the paper's is 20.

    Returns:
      The same pytree with a `NetVariance` for every leaf; the means over examples and
      units of its arrays are what table 3 shows.

    Raises:
      TypeError: `key` is no key.
      ValueError: fewer than 2 draws.

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
        return jax.tree.map(_as_draw, nets_fn(params, draw_key, *args), is_leaf=_is_net)

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

    def finish(mean, squares):
        if not isinstance(mean, NetMoments):
            return NetVariance(
                measured=squares / (num_draws - 1), conditional=None, passed_on=None
            )
        return NetVariance(
            measured=squares.net / (num_draws - 1),
            conditional=mean.variance,
            passed_on=squares.expected / (num_draws - 1),
        )

    return jax.tree.map(finish, mean, squares, is_leaf=_is_net)


def _is_net(leaf: Any) -> bool:
    return isinstance(leaf, NetMoments)


def _as_draw(leaf: NetMoments | Array) -> NetMoments | Array:
    """In float32 at least: sums over draws are taken of it."""
    return jax.tree.map(lambda a: a.astype(at_least_float32(a.dtype)), leaf)
