"""The user's log-likelihood function, its result checked."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp
from jaxtyping import Array, Float

from noisejax.objectives._noise import Noise, num_examples

PureFn = Callable[..., Any]
"""(params, noise, *batch) -> log p(y | x, noise), [B]; or ([B], aux)."""

Checked = Callable[[Any, Noise, tuple[Any, ...]], tuple[Float[Array, " B"], Any]]
"""(params, noise, batch) -> ([B], aux), the aux None where there is none."""


def checked(log_prob_fn: PureFn, has_aux: bool) -> Checked:
    """`log_prob_fn` as a function that always returns a pair, of the right shape.

    Raises:
      TypeError: when called: it returns no pair with `has_aux`, or no floating array.
      ValueError: when called: it returns another shape than [B].
    """

    def function(params, noise, batch):
        out = log_prob_fn(params, noise, *batch)
        if not has_aux:
            log_probs, aux = out, None
        elif isinstance(out, tuple | list) and len(out) == 2:
            log_probs, aux = out
        else:
            raise TypeError(
                "with has_aux=True log_prob_fn must return a pair (log_probs [B], "
                f"aux), got {type(out).__name__}"
            )
        check_log_prob(log_probs, num_examples(batch))
        return log_probs, aux

    return function


def check_log_prob(log_probs: Float[Array, " B"], size: int | None) -> None:
    """Raises for what is no log-likelihood per example."""
    rule = "log_prob_fn must return a log-likelihood for each example"
    if not isinstance(log_probs, jax.Array | np.ndarray):
        hint = "; for a pair pass has_aux=True" if isinstance(log_probs, tuple) else ""
        raise TypeError(f"{rule}, an array; got {type(log_probs).__name__}{hint}")
    if not jnp.issubdtype(log_probs.dtype, jnp.floating):
        raise TypeError(f"{rule}, floating; got {log_probs.dtype}")
    if log_probs.ndim != 1 or log_probs.shape[0] != (size or log_probs.shape[0]):
        expected = "[B]" if size is None else f"[{size}]"
        raise ValueError(
            f"{rule}, shape {expected}; got {list(log_probs.shape)}: sum over outputs "
            "and tokens, and take no mean over the batch"
        )
