"""Dropconnect: weights, not units, are dropped."""

from jaxtyping import Array, Float

from noisejax.noise._dropout import Dropout
from noisejax.noise._keys import Key
from noisejax.noise._levels import Rate
from noisejax.noise._scheme import apply_scheme


def dropconnect(
    key: Key, w: Float[Array, "*shape"], *, rate: Rate, bits: int = 32
) -> Float[Array, "*shape"]:
    """Dropconnect:  W̃ = M ⊙ W / (1 - rate),  M ~ Bernoulli(1 - rate) per weight.

    It is dropout of a weight array; any scheme's sample may be applied to weights so.
    One call gives one mask, for all examples that W̃ meets; a mask per example, as in
    the paper, is `jax.vmap` over keys and examples. The test-time network is the mean
    one (the paper samples a Gaussian there).

    Args:
      key: typed or raw PRNG key. Consumed.
      w: floating array of weights, any shape.
      rate: probability of a weight's being dropped, in [0, 1), as in `dropout`.
      bits: random bits per weight, 32 or 8.

    Returns:
      Noisy weights: the shape and dtype of `w`.

    Raises:
      TypeError, ValueError: as `dropout`.

    Example: a mask per example.
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import noise
      >>> w, x = jnp.ones((3, 2)), jnp.ones((4, 3))
      >>> keys = jax.random.split(jax.random.key(0), 4)
      >>> layer = lambda key, x: x @ noise.dropconnect(key, w, rate=0.5)
      >>> jax.vmap(layer)(keys, x).shape
      (4, 2)

    Reference:
      Wan et al., "Regularization of neural networks using DropConnect", ICML 2013.
    """
    return apply_scheme(key, w, Dropout(0.0, bits), level=rate)
