"""Resampled IWSGD: forward through all samples, backward through one per example.

Ours. With s ~ w of eq. 8 (Noh et al. 2017), E ∇ log p_s = Σ_s w_s ∇ log p_s: the
gradient of eq. 7 without bias, for S forward passes and one that is differentiated.
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp
from jaxtyping import Array, Float

from noisejax.noise import Key
from noisejax.objectives._call import Checked
from noisejax.objectives._leading_axes import lay_alike
from noisejax.objectives._mixing import refuse_mixing
from noisejax.objectives._noise import Noise, check_leaves, is_key, num_examples


def resample(
    function: Checked,
    num_samples: int,
    params: Any,
    noise: Noise,
    batch: tuple,
    objective: Callable[[Float[Array, "S B"]], Float[Array, " B"]],
) -> tuple[Float[Array, " B"], Float[Array, "S B"], Any]:
    """The objective [B] with the gradient of the chosen samples.

    Args:
      function: of (params, noise, batch of one example).
      num_samples: S.
      params: its parameters.
      noise: one key, or leaves [S, B, ...].
      batch: arrays that lead with B.
      objective: of the log-likelihoods; its derivatives are the chances of choosing.

    Returns:
      The objective [B], the log-likelihoods [S, B], the aux of the chosen samples.
    """
    size = num_examples(batch)
    if size is None:
        raise ValueError(
            "strategy='resample' chooses a sample per example, and no batch was "
            "passed: loss_fn(params, noise, *batch)"
        )
    pick_key = None
    if is_key(noise):
        refuse_mixing(function, params, noise, batch)
        noise_key, pick_key = jax.random.split(noise)
        noise = jax.random.split(noise_key, (num_samples, size))

        def one_noise(one):
            return one

    else:
        rule = "lead with the numbers of samples and of examples, [{0}, {1}]"
        shared = "; noise shared by the batch cannot be chosen per example"
        check_leaves(noise, (num_samples, size), rule + shared)

        def one_noise(one):
            return jax.tree.map(lambda leaf: leaf[None], one)

    noise, batch = lay_alike(noise, batch)
    axes = jax.tree.map(lambda leaf: 0 if jnp.ndim(leaf) else None, batch)

    def one_example(one: Any, example: tuple) -> tuple[Array, Any]:
        single = jax.tree.map(
            lambda leaf, axis: leaf if axis is None else leaf[None],
            example,
            axes,
        )
        log_prob, aux = function(params, one_noise(one), single)
        return log_prob[0], aux

    examples = jax.vmap(one_example, (0, axes))
    forward = jax.vmap(lambda one: examples(one, batch)[0])
    log_probs = lax.stop_gradient(forward(_clone(noise)))
    chances = jax.grad(lambda lp: jnp.sum(objective(lp)))(log_probs)
    if pick_key is None:
        pick_key = _hash(log_probs)
    chosen = jax.random.categorical(pick_key, jnp.log(chances), axis=0)
    taken = _clone(jax.vmap(_take, (1, 0))(noise, chosen))
    chosen_log_probs, aux = examples(taken, batch)
    bounds = _with_gradient_of(objective(log_probs), chosen_log_probs)
    return bounds, log_probs, jax.tree.map(_as_batch, aux)


def _clone(noise: Noise) -> Noise:
    """For the forward passes: the chosen noise is made again, on purpose."""

    def clone(leaf):
        typed = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        return jax.random.clone(leaf) if typed else leaf

    return jax.tree.map(clone, noise)


def _take(noise: Noise, chosen: Array) -> Noise:
    return jax.tree.map(lambda leaf: leaf[chosen], noise)


def _as_batch(leaf: Array) -> Array:
    """What each example gave, [B, 1, ...], as a call with the batch gives it."""
    return leaf[:, 0] if leaf.shape[1:2] == (1,) else leaf


def _hash(log_probs: Float[Array, "S B"]) -> Key:
    """A key of its own for each set of values; replayed noise comes without one."""
    bits = lax.bitcast_convert_type(log_probs.astype(jnp.float32), jnp.uint32)
    odd = jnp.arange(bits.size, dtype=jnp.uint32) * np.uint32(2654435762) + np.uint32(1)
    total = jnp.sum(bits * odd.reshape(bits.shape), dtype=jnp.uint32)
    return jax.random.fold_in(jax.random.key(0), total)


@jax.custom_jvp
def _with_gradient_of(bounds: Array, chosen: Array) -> Array:
    """`bounds`, differentiated as if it were `chosen` (0 where that is impossible)."""
    del chosen
    return bounds


@_with_gradient_of.defjvp
def _with_gradient_of_jvp(primals, tangents):
    bounds, _ = primals
    tangent = tangents[1].astype(bounds.dtype)
    return bounds, jnp.where(bounds > -jnp.inf, tangent, 0)
