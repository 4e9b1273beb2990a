"""Greedy decoding and beam search as compiled loops."""

from collections.abc import Callable
from typing import Any

import jax
from jax import lax
from jax import numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

StepFn = Callable[[Any, Int[Array, " rows"]], tuple[Any, Float[Array, "rows words"]]]
"""(state, last words) -> (state, logits of the next words).

The first axis of all arrays is the same batch axis."""


def beam_search(
    step_fn: StepFn,
    state: PyTree[Array],
    logits: Float[Array, "batch words"],
    *,
    beams: int,
    length: int,
    end: int,
) -> tuple[Int[Array, "batch beams length"], Float[Array, "batch beams"]]:
    """Search for the most likely sequences:  argmax_y Σ_t log p(y_t | y_<t).

    The search keeps the K best sequences of each length. Scores are not normalised by
    length. With one beam it is greedy decoding.

    Args:
      step_fn: function (state, words [N]) -> (state, logits [N, V]), such as
        `models.CaptionLSTM.step` with its parameters bound.
      state: pytree of arrays [B, ...], the state before the first word.
      logits: logits of the first word, [B, V].
      beams: number K of sequences to keep, at least 1.
      length: maximum number of words, at least 1.
      end: id of the word that ends a sequence. Shorter sequences are padded with it.

    Returns:
      The sequences, [B, K, length], best first, and their log-probabilities, [B, K]. If
      there are fewer than K sequences, the remaining log-probabilities are -inf.

    Raises:
      ValueError: `beams` or `length` is below 1, or `end` is not in [0, V).

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import models
      >>> chain = jnp.array([[0.1, 0.6, 0.3], [0.8, 0.1, 0.1], [0.0, 0.5, 0.5]])
      >>> table = jnp.log(chain)  # rows: previous word
      >>> step_fn = lambda state, words: (state, table[words])
      >>> words, log_probs = models.beam_search(
      ...     step_fn, (), table[:1], beams=2, length=3, end=0
      ... )
      >>> words[0, 0].tolist()  # 0.6 · 0.8
      [1, 0, 0]
    """
    batch, num_words = logits.shape
    if beams < 1 or length < 1 or not 0 <= end < num_words:
        raise ValueError(
            f"beams and length must be at least 1, and end in [0, {num_words}); "
            f"got beams={beams}, length={length}, end={end}"
        )
    rows = jnp.repeat(jnp.arange(batch), beams)

    def flat(a):
        return a.reshape(batch * beams, *a.shape[2:])

    def extend(scores, log_probs):
        """Return scores, parent beams and words of the best K continuations."""
        total = (scores[:, :, None] + log_probs).reshape(batch, -1)
        missing = max(0, beams - total.shape[1])  # more beams than sequences
        total = jnp.pad(total, ((0, 0), (0, missing)), constant_values=-jnp.inf)
        scores, chosen = lax.top_k(total, beams)
        parents, words = jnp.divmod(chosen, num_words)
        return scores, jnp.minimum(parents, beams - 1), words

    first = jax.nn.log_softmax(logits)[:, None]
    none = jnp.full((batch, beams - 1, num_words), -jnp.inf, first.dtype)
    zeros = jnp.zeros((batch, beams), first.dtype)
    scores, _, words = extend(zeros, jnp.concatenate([first, none], axis=1))
    found = jnp.full((batch, beams, length), end, words.dtype).at[:, :, 0].set(words)
    state = jax.tree.map(lambda a: a[rows], state)
    ended = jnp.where(jnp.arange(num_words) == end, 0.0, -jnp.inf).astype(first.dtype)

    def body(carry):
        t, state, scores, found = carry
        words = found[:, :, t - 1]
        state, logits = step_fn(state, flat(words))
        log_probs = jax.nn.log_softmax(logits).reshape(batch, beams, num_words)
        over = (words == end)[:, :, None]
        log_probs = jnp.where(over, ended.reshape(1, 1, -1), log_probs)
        scores, parents, words = extend(scores, log_probs)
        origin = (parents + beams * jnp.arange(batch)[:, None]).reshape(-1)
        state = jax.tree.map(lambda a: a[origin], state)
        found = flat(found)[origin].reshape(found.shape).at[:, :, t].set(words)
        return t + 1, state, scores, found

    def unfinished(carry):
        t, _, _, found = carry
        return (t < length) & jnp.any(found[:, :, t - 1] != end)

    carry = lax.while_loop(unfinished, body, (1, state, scores, found))
    return carry[3], carry[2]
