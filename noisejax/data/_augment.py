"""Random flips and crops as JAX functions."""

import jax
from jax import lax
from jax import numpy as jnp
from jaxtyping import Array, Float, Shaped, UInt8

Images = (
    Float[Array, "batch height width channels"]
    | UInt8[Array, "batch height width channels"]
)


def augment(key: jax.Array, images: Images, *, padding: int = 4) -> Images:
    """Flip and crop each image at random, as in Noh et al. 2017.

    Augment before drawing noise samples, so that all S samples of an example have the
    same augmented image.

    Args:
      key: typed or raw PRNG key. Consumed.
      images: images, channels last.
      padding: number of reflected pixels on each side, as in `random_crop`.

    Returns:
      Images of the same shape and dtype.

    Raises:
      ValueError: the images are not [B, H, W, C], or a side is not above `padding`.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import data
      >>> images = jnp.zeros((8, 32, 32, 3), jnp.uint8)
      >>> data.augment(jax.random.key(0), images).shape
      (8, 32, 32, 3)
    """
    flip_key, crop_key = jax.random.split(key)
    return random_crop(crop_key, random_flip(flip_key, images), padding=padding)


def random_flip(key: jax.Array, images: Images) -> Images:
    """Mirror each image left to right with probability one half.

    Args:
      key: typed or raw PRNG key. Consumed.
      images: images, channels last.

    Returns:
      Images of the same shape and dtype.

    Raises:
      ValueError: the images are not [B, H, W, C].

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import data
      >>> images = jnp.arange(2.0).reshape(1, 1, 2, 1)
      >>> data.random_flip(jax.random.key(1), images).ravel()
      Array([1., 0.], dtype=float32)
    """
    _check_images(images)
    flipped = jax.random.bernoulli(key, 0.5, (len(images), 1, 1, 1))
    return jnp.where(flipped, images[:, :, ::-1], images)


def random_crop(key: jax.Array, images: Images, *, padding: int = 4) -> Images:
    """Reflect the borders of each image and crop it at a random offset.

    Args:
      key: typed or raw PRNG key. Consumed.
      images: images, channels last.
      padding: number of reflected pixels on each side. Offsets are uniform on 0, ...,
        2 padding.

    Returns:
      Images of the same shape and dtype.

    Raises:
      ValueError: the images are not [B, H, W, C], or a side is not above `padding`.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import data
      >>> data.random_crop(jax.random.key(0), jnp.ones((2, 8, 8, 3))).shape
      (2, 8, 8, 3)
    """
    _check_images(images)
    if not 0 <= padding < min(images.shape[1:3]):
        raise ValueError(
            f"padding must be 0 or more, and less than the images' sides "
            f"{images.shape[1:3]}; got {padding}"
        )
    pads = ((0, 0), (padding, padding), (padding, padding), (0, 0))
    padded = jnp.pad(images, pads, mode="reflect")
    offsets = jax.random.randint(key, (len(images), 2), 0, 2 * padding + 1)
    return jax.vmap(_cut, in_axes=(0, 0, None))(padded, offsets, images.shape[1:])


def _cut(image: Array, offset: Array, shape: tuple[int, ...]) -> Array:
    return lax.dynamic_slice(image, (offset[0], offset[1], 0), shape)


def _check_images(images: Shaped[Array, "..."]) -> None:
    if images.ndim != 4:
        raise ValueError(
            "augmentation takes images [batch, height, width, channels], got shape "
            f"{images.shape}"
        )
