"""Checks of the arguments of the IWSGD loss: the function, the noise and the batch."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp
from jaxtyping import Array, Float

from noisejax._floating import at_least_float32
from noisejax.noise import as_key

Noise = Any
"""A key (typed, or raw uint32[2]), or a pytree of samples with leading axis S."""

LogProb = Callable[[Any, Noise, tuple[Any, ...]], tuple[Float[Array, "B ..."], Any]]
"""(params, noise, batch) -> (log p(y | x, noise), aux)."""


def check_log_prob_fn(
    log_prob_fn: Callable[..., Any], *, has_aux: bool, by_block: bool
) -> LogProb:
    """Wrap `log_prob_fn` to check its result and to return a pair (log_probs, aux).

    Args:
      log_prob_fn: user function (params, noise, *batch) -> [B].
      has_aux: True if `log_prob_fn` returns a pair ([B], aux).
      by_block: True if `log_prob_fn` returns [B, K], the log-likelihoods of K blocks.
    """
    expected = "[B, K]" if by_block else "[B]"
    rule = "log_prob_fn must return a log-likelihood for each example"
    if not callable(log_prob_fn):
        raise TypeError(
            f"log_prob_fn must be a function (params, noise, *batch) -> {expected}, "
            f"got {type(log_prob_fn).__name__}"
        )

    def log_prob(params: Any, noise: Noise, batch: tuple[Any, ...]) -> tuple[Any, Any]:
        log_probs, aux = log_prob_fn(params, noise, *batch), None
        if has_aux:
            if not isinstance(log_probs, tuple | list) or len(log_probs) != 2:
                raise TypeError(
                    "with has_aux=True log_prob_fn must return a pair (log_probs "
                    f"{expected}, aux), got {type(log_probs).__name__}"
                )
            log_probs, aux = log_probs
        if not isinstance(log_probs, jax.Array | np.ndarray):
            pair = isinstance(log_probs, tuple)
            hint = "; for a pair pass has_aux=True" if pair else ""
            raise TypeError(f"{rule}, an array; got {type(log_probs).__name__}{hint}")
        if not jnp.issubdtype(log_probs.dtype, jnp.floating):
            raise TypeError(f"{rule}, floating; got {log_probs.dtype}")
        size = num_examples(batch)
        shape = expected if size is None else expected.replace("B", str(size))
        if log_probs.ndim != 1 + by_block or size not in (None, len(log_probs)):
            raise ValueError(
                f"{rule}, shape {shape}; got {list(log_probs.shape)}: sum over outputs "
                "and tokens, and take no mean over the batch"
                + ("; one axis of blocks follows the batch" if by_block else "")
            )
        return log_probs.astype(at_least_float32(log_probs.dtype)), aux

    return log_prob


def is_key(noise: Noise) -> bool:
    """Return True if `noise` is one key, typed or raw. Arrays of keys are samples.

    Raises:
      TypeError: `noise` is a plain number.
    """
    if isinstance(noise, int | float):
        as_key(noise)  # pyright: ignore[reportArgumentType] (it raises)
    dtype = getattr(noise, "dtype", None)
    if dtype is None:
        return False
    if jnp.issubdtype(dtype, jax.dtypes.prng_key):
        return noise.shape == ()
    raw = jax.eval_shape(lambda: jax.random.key_data(jax.random.key(0))).shape
    return dtype == jnp.uint32 and noise.shape in (raw, (2,))


def check_noise(
    noise: Noise, num_samples: int, strategy: str, size: int | None
) -> None:
    """Check one key, or the leading axes of samples to replay.

    Args:
      noise: noise argument of the loss.
      num_samples: S, the number of samples.
      strategy: name of the strategy, which sets the leading axes.
      size: B, the number of examples.

    Raises:
      ValueError: the leading axes of a leaf are not those of the strategy.
      TypeError: `noise` is a raw key of another shape than [2].
    """
    if is_key(noise):
        as_key(noise)
        return
    leaves = jax.tree_util.tree_leaves_with_path(noise)
    if not leaves:
        raise ValueError(
            "noise must be one key, or a pytree of samples to replay; got "
            f"{noise!r}, which holds no array"
        )
    s = num_samples
    allowed, rule = {
        "fold": ([(s, size), (s, 1)], f"[{s}, {size}] or [{s}, 1]"),
        "resample": ([(s, size)], f"[{s}, {size}]"),
    }.get(strategy, ([(s,)], f"[{s}]"))
    for path, leaf in leaves:
        if np.shape(leaf)[: len(allowed[0])] not in allowed:
            raise ValueError(
                f"noise to replay must lead with {rule} under strategy={strategy!r}; "
                f"noise{jax.tree_util.keystr(path)} has shape {np.shape(leaf)}: stack "
                "the samples, e.g. jax.vmap(lambda key: scheme.sample(key, shape))"
                "(keys). 'vmap' and 'map' need no axis of examples"
            )


def num_examples(batch: tuple[Any, ...]) -> int | None:
    """Return the number of examples, B, or None if the batch contains only scalars.

    Raises:
      ValueError: the leading axes of the arrays have different sizes.
    """
    shapes = {
        f"batch{jax.tree_util.keystr(path)}": np.shape(leaf)
        for path, leaf in jax.tree_util.tree_leaves_with_path(batch)
        if np.ndim(leaf)
    }
    sizes = {shape[0] for shape in shapes.values()}
    if len(sizes) > 1:
        raise ValueError(
            "the first axis of each array of a batch must be the examples, got shapes "
            f"{shapes}. Pass arrays without an axis of examples with the parameters"
        )
    return sizes.pop() if sizes else None


def map_examples(function: Callable[[Any], Any], batch: Any) -> Any:
    """Apply `function` to each array of a batch, but not to scalars."""
    return jax.tree.map(lambda leaf: function(leaf) if np.ndim(leaf) else leaf, batch)
