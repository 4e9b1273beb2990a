"""Attention with noise of any scheme on its weights, for Linen and NNX."""

import dataclasses
from typing import Any

import jax
from flax import linen as nn
from jax import numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Float

from noisejax import noise
from noisejax.layers._layers import Noise
from noisejax.layers._shared import Level, linen_module


@dataclasses.dataclass(frozen=True)
class NoisyAttention:
    """Dot-product attention with noise on its weights, for Flax's attention modules.

    Pass an instance as `attention_fn` to `nn.MultiHeadDotProductAttention` or
    `nnx.MultiHeadAttention`, with a `dropout_rate` above 0. In Linen, samples are
    recorded and replayed as for a `Noise` layer. The name of this layer is
    "attention_noise", inside the attention module.

    Attributes:
      scheme: scheme of the noise on the weights [..., heads, queries, keys]. None means
        dropout at the `dropout_rate` of the module, with the masks of Flax. The masks
        are shared along batch and heads if `broadcast_dropout` is True in the module.
      sample: sample to replay. None means that a sample is drawn.
      level: override of the level of the scheme in Linen models, as in `Noise`.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from flax import linen as nn
      >>> from noisejax import layers, noise
      >>> attention = layers.NoisyAttention(noise.RandomDropout(0.5))
      >>> model = nn.MultiHeadDotProductAttention(
      ...     num_heads=2, dropout_rate=0.5, deterministic=False, attention_fn=attention
      ... )
      >>> x, key = jnp.ones((1, 3, 4)), jax.random.key(0)
      >>> variables, rngs = model.init(key, x), {"dropout": key}
      >>> y, recorded = model.apply(variables, x, rngs=rngs, mutable=["noise"])
      >>> bool((y == model.apply(variables | recorded, x)).all())  # needs no key
      True
    """

    scheme: noise.Scheme | None = None
    sample: noise.Sample | None = None
    level: Level | None = None

    def __call__(
        self,
        query: Float[Array, "*batch queries heads depth"],
        key: Float[Array, "*batch keys key_heads depth"],
        value: Float[Array, "*batch keys key_heads values"],
        bias: Float[Array, "..."] | None = None,
        mask: Bool[Array, "..."] | None = None,
        broadcast_dropout: bool = True,
        dropout_rng: noise.Key | None = None,
        dropout_rate: float = 0.0,
        deterministic: bool = False,
        dtype: DTypeLike | None = None,
        precision: jax.lax.PrecisionLike = None,
        module: Any = None,
        force_fp32_for_softmax: bool = False,
        is_causal: bool = False,
    ) -> Float[Array, "*batch queries heads values"]:
        """Attend; arguments as in Flax's `dot_product_attention`."""
        query, key, value = nn.dtypes.promote_dtype(query, key, value, dtype=dtype)
        options = {"dtype": query.dtype, "precision": precision, "module": module}
        in_linen = linen_module() is not None
        if in_linen:
            weigh = nn.dot_product_attention_weights
            options |= {"force_fp32_for_softmax": force_fp32_for_softmax}
        else:
            from flax.nnx.nn.attention import dot_product_attention_weights as weigh

            options |= {"is_causal": is_causal}
        weights = weigh(query, key, bias, mask, deterministic=True, **options)
        if not deterministic and (dropout_rate > 0 or self.scheme or self.sample):
            scheme, sample = self.scheme, self.sample
            if scheme is None:
                shared = range(weights.ndim - 2) if broadcast_dropout else ()
                scheme = noise.Dropout(dropout_rate, broadcast_dims=shared)
            if in_linen:
                layer = Noise(scheme, level=self.level, name="attention_noise")
                weights = layer(weights, False, dropout_rng, sample=sample)
            else:
                if sample is None:
                    sample = noise.sample_like(dropout_rng, weights, scheme)
                weights = noise.apply(weights, sample)
        groups = weights.shape[-3] // value.shape[-2]  # grouped queries share values
        value = jnp.repeat(value, groups, axis=-2) if groups > 1 else value
        return jnp.einsum("...hqk,...khd->...qhd", weights, value, precision=precision)


def _make_rng(module: nn.MultiHeadDotProductAttention, name: str = "params"):
    """Return a key, or None if no key is available and the noise is `NoisyAttention`.

    Flax requests a dropout key before it calls `attention_fn`. `NoisyAttention` needs
    no key if it replays samples, or if `control_noise` switches it off.
    """
    keyless = not (module.has_rng(name) or module.has_rng("params"))
    if keyless and isinstance(module.attention_fn, NoisyAttention):
        return None
    return nn.Module.make_rng(module, name)


nn.MultiHeadDotProductAttention.make_rng = _make_rng
