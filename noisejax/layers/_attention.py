"""Attention whose noise is a layer of ours: any scheme, recorded and replayed."""

import dataclasses
from collections.abc import Callable

from flax import linen as nn
from jax import numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Float

from noisejax import noise
from noisejax.layers._levels import attention_dropout
from noisejax.layers._noise import Noise

NO_KEY = object()
"""In the place of the key that Flax's attention asks for where none is needed."""


@dataclasses.dataclass(frozen=True)
class NoisyAttention:
    """Dot-product attention with noise on its weights, as Flax's modules take it.

    Flax's attention draws its dropout itself, so that no layer can be put in its place;
    this function can: `nn.MultiHeadDotProductAttention(..., dropout_rate=0.1,
    attention_fn=layers.NoisyAttention())`. With no scheme it does what Flax does, with
    the same masks; its samples are recorded and replayed like those of any `Noise`
    layer, under the name "attention_noise" inside the attention module.

    Attributes:
      scheme: of the noise on the weights [..., heads, queries, keys]; None: dropout at
        the module's `dropout_rate`, shared along batch and heads if the module says so.
        The module makes no noise unless its `dropout_rate` is above 0.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from flax import linen as nn
      >>> from noisejax import layers, noise
      >>> attention = layers.NoisyAttention(noise.RandomDropout(0.5))
      >>> model = nn.MultiHeadDotProductAttention(
      ...     num_heads=2, dropout_rate=0.5, deterministic=False, attention_fn=attention
      ... )
      >>> x, key = jnp.ones((1, 3, 4)), jax.random.key(0)
      >>> variables = model.init(key, x)
      >>> y, recorded = model.apply(
      ...     variables, x, rngs={"dropout": key}, mutable=["noise"]
      ... )
      >>> apply = layers.functional(model)
      >>> bool((y == apply(variables, recorded, x)).all())
      True
    """

    scheme: noise.Scheme | None = None

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
        precision: nn.linear.PrecisionLike = None,
        module: nn.Module | None = None,
        force_fp32_for_softmax: bool = False,
    ) -> Float[Array, "*batch queries heads values"]:
        """Attends; arguments as in `flax.linen.dot_product_attention`."""
        query, key, value = nn.dtypes.promote_dtype(query, key, value, dtype=dtype)
        weights = nn.dot_product_attention_weights(
            query,
            key,
            bias,
            mask,
            deterministic=True,
            dtype=query.dtype,
            precision=precision,
            module=module,
            force_fp32_for_softmax=force_fp32_for_softmax,
        )
        if not deterministic and (dropout_rate > 0 or self.scheme is not None):
            scheme = self.scheme or attention_dropout(
                dropout_rate, weights.ndim, broadcast_dropout
            )
            layer = Noise(scheme, name="attention_noise")
            rng = None if dropout_rng is NO_KEY else dropout_rng
            weights = layer(weights, deterministic=False, rng=rng)
        return jnp.einsum("...hqk,...khd->...qhd", weights, value, precision=precision)


def lend_no_key(
    next_fun: Callable, args: tuple, kwargs: dict, context: nn.module.InterceptorContext
):
    """A method interceptor: attention asks for no key where there is none to be had."""
    module = context.module
    if (
        isinstance(module, nn.MultiHeadDotProductAttention)
        and context.method_name == "__call__"
        and isinstance(module.attention_fn, NoisyAttention)
        and not module.has_rng("dropout")
    ):
        kwargs = {"dropout_rng": NO_KEY} | kwargs
    return next_fun(*args, **kwargs)
