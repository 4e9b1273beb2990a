"""A head over the outputs of two fixed streams (Noh et al. 2017, section 5.4)."""

from flax import linen as nn
from jax import numpy as jnp
from jaxtyping import Array, Float

from noisejax.models._mlp import MLP
from noisejax.models._network import Activations, option


class Fusion(MLP):
    """Dense layers over two streams; feature maps are fused by a convolution first.

      z = φ(K * [u; v]),   x = max_t,h,w z      for maps u, v [T, H, W, C]
      x = [u; v]                                for vectors u, v [D]

    The streams are stacked along their channels, and the convolution (3 x 3 x 3) sees
    both, as in Feichtenhofer et al. 2016 (section 3.2). Only the head is trained.

    Attributes:
      widths: numbers of units of the hidden layers.
      num_outputs: number of classes.
      conv_features: number of feature maps of the convolution; 0: as many as a stream.

    Other attributes: see `MLP`; the input's noise acts on the vectors, or on the pooled
    feature maps.

    Raises:
      ValueError: the input is not [B, 2, D] or [B, 2, T, H, W, C].

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import models, noise
      >>> net = models.Fusion((8,), 3, hidden_noise=(noise.Dropout(0.5),))
      >>> scores, key = jnp.ones((4, 2, 5)), jax.random.key(0)
      >>> variables = net.init(key, scores, train=False)
      >>> net.apply(variables, scores, train=True, rngs={"dropout": key})[0].shape
      (4, 3)
    """

    conv_features: int = option(default=0)

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch 2 ..."], *, train: bool
    ) -> tuple[Float[Array, "batch outputs"], Activations]:
        """Run the network; results as in `MLP`."""
        if x.ndim not in (3, 6) or x.shape[1] != 2:
            raise ValueError(
                "a fusion head needs two streams, [B, 2, D] or [B, 2, T, H, W, C]; got "
                f"shape {x.shape}"
            )
        if x.ndim == 6:
            maps = jnp.concatenate([x[:, 0], x[:, 1]], axis=-1)
            features = self.conv_features or x.shape[-1]
            conv = nn.Conv(
                features, (3, 3, 3), kernel_init=self.kernel_init, name="fusion"
            )
            x = jnp.max(self.activation(conv(maps)), axis=(1, 2, 3))
        return super().__call__(x, train=train)
