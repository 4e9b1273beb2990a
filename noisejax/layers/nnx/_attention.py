"""NNX attention under any noise, drawn or handed in."""

import dataclasses

import jax
from flax import nnx
from flax.nnx.nn.attention import dot_product_attention_weights
from jax import numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Float

from noisejax import noise
from noisejax.layers._levels import attention_dropout


@dataclasses.dataclass(frozen=True)
class NoisyAttention:
    """Dot-product attention with noise on its weights, for `nnx.MultiHeadAttention`.

    `nnx.MultiHeadAttention(..., dropout_rate=0.1, attention_fn=NoisyAttention())`
    does what Flax does, with the same masks.

    Attributes:
      scheme: of the noise on the weights [..., heads, queries, keys]; None: dropout at
        the module's `dropout_rate`, shared along batch and heads if the module says so.
        The module makes no noise unless its `dropout_rate` is above 0.
      sample: to apply in place of drawn ones (replay); assign
        `attention.attention_fn = NoisyAttention(sample=sample)`.

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> from noisejax import noise
      >>> from noisejax.layers import nnx as layers
      >>> attention = nnx.MultiHeadAttention(
      ...     num_heads=2,
      ...     in_features=4,
      ...     dropout_rate=0.5,
      ...     deterministic=False,
      ...     decode=False,
      ...     attention_fn=layers.NoisyAttention(noise.RandomDropout(0.5)),
      ...     rngs=nnx.Rngs(0),
      ... )
      >>> attention(jnp.ones((1, 3, 4))).shape
      (1, 3, 4)
    """

    scheme: noise.Scheme | None = None
    sample: noise.Sample | None = None

    def __call__(
        self,
        query: Float[Array, "*batch queries heads depth"],
        key: Float[Array, "*batch keys heads depth"],
        value: Float[Array, "*batch keys heads values"],
        bias: Float[Array, "..."] | None = None,
        mask: Bool[Array, "..."] | None = None,
        broadcast_dropout: bool = True,
        dropout_rng: noise.Key | None = None,
        dropout_rate: float = 0.0,
        deterministic: bool = False,
        dtype: DTypeLike | None = None,
        precision: jax.lax.PrecisionLike = None,
        module: nnx.Module | None = None,
        is_causal: bool = False,
    ) -> Float[Array, "*batch queries heads values"]:
        """Attends; arguments as in `flax.nnx.dot_product_attention`."""
        query, key, value = nnx.nn.dtypes.promote_dtype(
            (query, key, value), dtype=dtype
        )
        weights = dot_product_attention_weights(
            query,
            key,
            bias,
            mask,
            deterministic=True,
            dtype=query.dtype,
            precision=precision,
            module=module,
            is_causal=is_causal,
        )
        if not deterministic and (dropout_rate > 0 or self.scheme or self.sample):
            sample = self.sample
            if sample is None:
                scheme = self.scheme or attention_dropout(
                    dropout_rate, weights.ndim, broadcast_dropout
                )
                sample = noise.sample_like(dropout_rng, weights, scheme)
            weights = noise.apply(weights, sample)
        groups = weights.shape[-3] // value.shape[-2]  # grouped queries share values
        value = jnp.repeat(value, groups, axis=-2)
        return jnp.einsum("...hqk,...khd->...qhd", weights, value, precision=precision)
