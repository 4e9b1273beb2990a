"""Resampled IWSGD: S forward passes and one backward pass per example.

With s ~ w of eq. 8 (Noh et al. 2017),  E ∇ log p_s = Σ_s w_s ∇ log p_s  is the gradient
of eq. 7. The estimate is therefore unbiased. This method is not in the paper.
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp
from jaxtyping import Array, Float

from noisejax.noise import Key
from noisejax.objectives._arguments import (
    LogProb,
    Noise,
    check_log_prob_fn,
    is_key,
    map_examples,
    num_examples,
)
from noisejax.objectives._strategies import match_shardings

Objective = Callable[[Float[Array, "S B"]], Float[Array, " B"]]


def resample(
    log_prob: LogProb,
    num_samples: int,
    params: Any,
    noise: Noise,
    batch: tuple[Any, ...],
    objective: Objective,
) -> tuple[Float[Array, " B"], Float[Array, "S B"], Any]:
    """Compute the objective [B], with the gradient of one chosen sample per example.

    Args:
      log_prob: function of (params, noise, batch), called with one example.
      num_samples: S, the number of samples.
      params: parameters.
      noise: one key, or leaves [S, B, ...].
      batch: arrays that lead with B.
      objective: function of the log-likelihoods whose derivatives are the
        probabilities of choosing a sample: w_s, or 1 / S.

    Returns:
      The objective [B], the log-likelihoods [S, B], the aux of the chosen samples.
    """
    pick_key, keyed = None, is_key(noise)
    if keyed:
        noise_key, pick_key = jax.random.split(noise)
        size: Any = num_examples(batch)
        noise = jax.random.split(noise_key, (num_samples, size))
    noise, batch = match_shardings(noise, batch)
    axes = jax.tree.map(lambda leaf: 0 if jnp.ndim(leaf) else None, batch)

    def one_example(one: Noise, example: tuple[Any, ...]) -> tuple[Array, Any]:
        one = one if keyed else jax.tree.map(lambda leaf: leaf[None], one)
        single = jax.tree.map(
            lambda leaf, axis: leaf if axis is None else leaf[None], example, axes
        )
        log_prob_of_1, aux = log_prob(params, one, single)
        return log_prob_of_1[0], aux

    examples = jax.vmap(one_example, (0, axes))
    forward = jax.vmap(lambda one: examples(one, batch)[0])
    log_probs = lax.stop_gradient(forward(_clone(noise)))
    probabilities = jax.grad(lambda lp: jnp.sum(objective(lp)))(log_probs)
    if pick_key is None:
        pick_key = _hash(log_probs)
    chosen = jax.random.categorical(pick_key, jnp.log(probabilities), axis=0)
    take = jax.vmap(lambda leaf, s: leaf[s], (1, 0))
    chosen_noise = jax.tree.map(lambda leaf: take(leaf, chosen), noise)
    chosen_log_probs, aux = examples(_clone(chosen_noise), batch)
    bounds = _with_gradient_of(objective(log_probs), chosen_log_probs)
    return bounds, log_probs, jax.tree.map(_as_batch, aux)


def _clone(noise: Noise) -> Noise:
    """Clone keys for a second pass, so that the key-reuse checker accepts them."""

    def clone(leaf):
        typed = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        return jax.random.clone(leaf) if typed else leaf

    return jax.tree.map(clone, noise)


def _as_batch(leaf: Array) -> Array:
    """Reshape [B, 1, ...], the results of single examples, to [B, ...]."""
    return leaf[:, 0] if leaf.shape[1:2] == (1,) else leaf


def _hash(log_probs: Float[Array, "S B"]) -> Key:
    """Derive a key from the log-likelihoods, because replayed noise has no key."""
    bits = lax.bitcast_convert_type(log_probs.astype(jnp.float32), jnp.uint32)
    odd = jnp.arange(bits.size, dtype=jnp.uint32) * np.uint32(2654435762) + np.uint32(1)
    total = jnp.sum(bits * odd.reshape(bits.shape), dtype=jnp.uint32)
    return jax.random.fold_in(jax.random.key(0), total)


@jax.custom_jvp
def _with_gradient_of(bounds: Array, chosen: Array) -> Array:
    """Return `bounds` with the derivatives of `chosen`, or 0 if a bound is -inf."""
    del chosen
    return bounds


@_with_gradient_of.defjvp
def _with_gradient_of_jvp(primals, tangents):
    bounds, _ = primals
    tangent = tangents[1].astype(bounds.dtype)
    return bounds, jnp.where(bounds > -jnp.inf, tangent, 0)


def check_independence(
    log_prob_fn: Callable[..., Any],
    params: Any,
    noise: Noise,
    *batch: Any,
    has_aux: bool = False,
) -> None:
    """Raise a ValueError if an example changes the log-likelihood of another example.

    The strategy "resample" calls `log_prob_fn` with one example at a time. A function
    that mixes the examples of a batch then gives a wrong result without an error. With
    in-batch negatives, for example, the loss is -0.0 and the gradient 0. Other examples
    are batch normalisation, and roll, sort, cumulative or segment sums over the batch.

    The check replaces half of the examples by copies of another example. It then
    compares the log-likelihoods of the other half under the same noise. The check
    repeats this for 2 log₂ B halves, so that every example is compared while every
    other example is replaced. Call the check once before training, outside `jax.jit`.
    It needs 1 + 2 log₂ B forward passes.

    The check does not detect
      - mixing that has no effect on this batch, such as a branch that is not taken;
      - mixing that changes gradients only;
      - dependence on the position in the batch, or on the batch size;
      - noise shared by the batch, which "resample" draws for each example.

    Args:
      log_prob_fn: function as in `iwsgd`, (params, noise, *batch) -> [B].
      params: parameters.
      noise: key, or one noise sample for the whole batch, in the form that
        `log_prob_fn` takes.
      *batch: two or more different examples. Arrays of any dtype with first axis B, or
        scalars, which are passed on unchanged.
      has_aux: True if `log_prob_fn` returns a pair.

    Returns:
      None.

    Raises:
      ValueError: the log-likelihoods depend on other examples; there are fewer than
        two examples, or all are equal.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import noise, objectives
      >>> def log_prob(w, key, x, y):
      ...     logits = noise.dropout(key, x, rate=0.5) @ w
      ...     return objectives.label_log_prob(logits, y)
      >>> w, x, y = jnp.eye(6, 3), jnp.arange(24.0).reshape(4, 6), jnp.arange(4) % 3
      >>> objectives.check_independence(log_prob, w, jax.random.key(0), x, y)
    """
    size = num_examples(batch)
    if size is None or size < 2:
        raise ValueError(
            f"check_independence needs a batch of two or more examples, got {size or 0}"
        )
    log_prob = check_log_prob_fn(log_prob_fn, has_aux=has_aux, by_block=False)
    arrays, tree = jax.tree.flatten(batch)
    first = np.zeros(size, int)
    copies = map_examples(lambda leaf: _take_rows(leaf, first), arrays)
    if all((a == b).all() for a, b in zip(arrays, copies, strict=True) if np.ndim(a)):
        raise ValueError(
            f"check_independence needs examples that differ; all {size} are equal"
        )

    @jax.jit
    def log_probs_of(params, noise, *rows):
        return log_prob(params, noise, tree.unflatten(rows))[0]

    def run(index):
        rows = map_examples(lambda leaf: _take_rows(leaf, index), arrays)
        return np.asarray(log_probs_of(params, _clone(noise), *rows), np.float32)

    index = np.arange(size)
    expected = run(index)
    for bit in range((size - 1).bit_length()):
        for value in (0, 1):
            kept = (index >> bit) % 2 == value
            found = run(np.where(kept, index, index[kept][0]))
            same = np.isclose(found, expected, rtol=1e-5, atol=1e-6, equal_nan=True)
            if not same[kept].all():
                b = index[kept & ~same][0]
                raise ValueError(
                    "strategy='resample' needs a log_prob_fn that treats examples "
                    f"independently; the log-likelihood of example {b} changed from "
                    f"{expected[b]} to {found[b]} when other examples were replaced. "
                    "Batch normalisation, in-batch negatives, sorts and sums over the "
                    "batch do so. Use strategy='vmap', 'map' or 'fold'"
                )


def _take_rows(leaf: Any, index: np.ndarray) -> Array | np.ndarray:
    """Return rows of an array, with the sharding of the array."""
    if not isinstance(leaf, jax.Array):
        return np.asarray(leaf)[index]
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return leaf[index]
    return jax.device_put(np.asarray(leaf)[index], leaf.sharding)
