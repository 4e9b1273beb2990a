"""What stands for S noise samples: one key, or a pytree of them to replay."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp

from noisejax.noise import as_key

Noise = Any
"""One key (typed, or a raw uint32[2]), or a pytree whose leaves lead with S."""


def is_key(noise: Noise) -> bool:
    """Whether `noise` is one key; a number is refused, an array of keys replayed.

    Raises:
      TypeError: a plain number.
    """
    if isinstance(noise, int | float):
        as_key(noise)
    dtype = getattr(noise, "dtype", None)
    if dtype is None:
        return False
    if jnp.issubdtype(dtype, jax.dtypes.prng_key):
        return noise.shape == ()
    if dtype != jnp.uint32 or noise.ndim != 1:
        return False
    raw = jax.eval_shape(lambda: jax.random.key_data(jax.random.key(0))).shape
    return noise.shape in (raw, (2,))


def split_samples(noise: Noise, num_samples: int) -> Noise:
    """The noise of each sample, stacked: `jax.random.split(key, S)`, or the leaves."""
    if is_key(noise):
        as_key(noise)
        return jax.random.split(noise, num_samples)
    check_leaves(noise, (num_samples,), "lead with the number of samples, {0}")
    return noise


def check_leaves(noise: Noise, leading: tuple[int | None, ...], rule: str) -> None:
    """Raises a ValueError for leaves to replay whose leading axes are others.

    Args:
      noise: the pytree.
      leading: sizes of the leading axes; None: any size.
      rule: that the leaves break, in words; {0}, {1}: the sizes.
    """
    leaves = jax.tree_util.tree_leaves_with_path(noise)
    if not leaves:
        raise ValueError(
            "noise must be one key, or a pytree of samples to replay; got "
            f"{noise!r}, which holds no array"
        )
    for path, leaf in leaves:
        shape = np.shape(leaf)
        fits = len(shape) >= len(leading) and all(
            size in (None, n)
            for size, n in zip(leading, shape[: len(leading)], strict=True)
        )
        if not fits:
            raise ValueError(
                f"noise to replay must {rule.format(*leading)}; "
                f"noise{jax.tree_util.keystr(path)} has shape {shape}: stack the "
                "samples, e.g. jax.vmap(lambda key: scheme.sample(key, shape))(keys)"
            )


def map_leaves(function: Callable[[Any], Any], tree: Any) -> Any:
    """`function` of each array with axes; numbers and what is no array stay."""
    return jax.tree.map(lambda leaf: function(leaf) if np.ndim(leaf) else leaf, tree)


def num_examples(batch: tuple[Any, ...]) -> int | None:
    """B, the size that all arrays of the batch lead with; None: no array is there.

    Raises:
      ValueError: they lead with different sizes.
    """
    leaves = jax.tree_util.tree_leaves_with_path(batch)
    sizes = {
        f"batch{jax.tree_util.keystr(path)}": np.shape(leaf)
        for path, leaf in leaves
        if np.ndim(leaf)
    }
    if len({shape[0] for shape in sizes.values()}) > 1:
        raise ValueError(
            "all arrays of a batch must lead with the number of examples, got shapes "
            f"{sizes}; hand what belongs to no example over with the parameters"
        )
    return next(iter(sizes.values()))[0] if sizes else None
