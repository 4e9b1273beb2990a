"""Decoding of sequences, greedily or by beam search, as compiled loops."""

from collections.abc import Callable
from typing import Any

import jax
from jax import lax
from jax import numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

StepFn = Callable[[Any, Int[Array, " rows"]], tuple[Any, Float[Array, "rows words"]]]
"""(state, last words) -> (state, logits of the next); its leaves lead with rows."""


def beam_search(
    step_fn: StepFn,
    state: PyTree[Array],
    logits: Float[Array, "batch words"],
    *,
    beams: int,
    length: int,
    end: int,
) -> tuple[Int[Array, "batch beams length"], Float[Array, "batch beams"]]:
    """Search the most likely sequences:  argmax_y Σ_t log p(y_t | y_<t).

    Keeps the best sequences of each length, without a bonus for short ones. One beam is
    greedy decoding.

    Args:
      step_fn: (state, words [N]) -> (state, logits [N, V]), such as a method of
        `models.CaptionLSTM`.
      state: state before the first word, whose leaves lead with B.
      logits: logits of the first word, [B, V].
      beams: number of sequences that are kept, K, at least 1.
      length: largest number of words, at least 1.
      end: word that ends a sequence; it is repeated behind it.

    Returns:
      The sequences [B, K, length], best first, and their log-probabilities [B, K]; -inf
      where there are fewer than K sequences.

    Raises:
      ValueError: `beams` or `length` is below 1, or `end` is no word.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import models
      >>> chain = jnp.array([[0.1, 0.6, 0.3], [0.8, 0.1, 0.1], [0.0, 0.5, 0.5]])
      >>> table = jnp.log(chain)  # row: the word before
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
            f"beams and length must be at least 1, and end one of {num_words} words; "
            f"got beams={beams}, length={length}, end={end}"
        )
    rows = jnp.repeat(jnp.arange(batch), beams)

    def flat(a):
        return a.reshape(batch * beams, *a.shape[2:])

    def extend(scores, log_probs):
        """The best K of all K V continuations: their scores, beams and words."""
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

    def goes_on(carry):
        t, _, _, found = carry
        return (t < length) & jnp.any(found[:, :, t - 1] != end)

    carry = lax.while_loop(goes_on, body, (1, state, scores, found))
    return carry[3], carry[2]
