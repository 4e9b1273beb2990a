"""Distributions of flips and crops, which are pure functions of key and images."""

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from noisejax import data

NUM = 4000


def coordinates(size=9, num=NUM):
    """Return images whose pixel values encode their positions."""
    image = jnp.arange(size * size, dtype=jnp.float32).reshape(1, size, size, 1)
    return jnp.tile(image, (num, 1, 1, 1))


def test_half_of_the_images_is_flipped_each_by_itself():
    images = coordinates(4)
    flipped = np.asarray(data.random_flip(jax.random.key(0), images))
    was_flipped = flipped[:, 0, 0, 0] == 3
    expected = np.where(
        was_flipped[:, None, None, None], np.asarray(images)[:, :, ::-1], images
    )
    np.testing.assert_array_equal(flipped, expected)
    assert abs(was_flipped.mean() - 0.5) < 5 * 0.5 / np.sqrt(NUM)


def test_crops_are_cut_out_of_the_reflected_image():
    images = jax.random.normal(jax.random.key(1), (50, 8, 9, 3))
    crops = np.asarray(data.random_crop(jax.random.key(2), images, padding=3))
    padded = np.pad(images, ((0, 0), (3, 3), (3, 3), (0, 0)), mode="reflect")
    for crop, source in zip(crops, padded, strict=True):
        windows = [source[y : y + 8, x : x + 9] for y in range(7) for x in range(7)]
        assert any(np.array_equal(crop, window) for window in windows)


def test_offsets_are_uniform_and_independent():
    """The centre pixel of a crop encodes the offset, nine values on each axis."""
    crops = np.asarray(data.random_crop(jax.random.key(3), coordinates(), padding=4))
    y, x = np.divmod(crops[:, 4, 4, 0].astype(int), 9)
    for axis in (x, y):
        counts = np.bincount(axis, minlength=9)
        sigma = np.sqrt(NUM * (1 / 9) * (8 / 9))
        assert np.abs(counts - NUM / 9).max() < 5 * sigma
    assert abs(np.corrcoef(x, y)[0, 1]) < 5 / np.sqrt(NUM)


def test_augment_flips_and_crops_by_keys_of_their_own():
    images = jax.random.normal(jax.random.key(1), (16, 8, 8, 3))
    flip_key, crop_key = jax.random.split(jax.random.key(4))
    expected = data.random_crop(crop_key, data.random_flip(flip_key, images))
    np.testing.assert_array_equal(data.augment(jax.random.key(4), images), expected)


def test_it_is_pure_and_the_same_compiled():
    images = (255 * jax.random.uniform(jax.random.key(1), (16, 8, 8, 3))).astype(
        jnp.uint8
    )
    eager = data.augment(jax.random.key(4), images)
    assert eager.dtype == jnp.uint8 and eager.shape == images.shape
    jitted = jax.jit(data.augment)(jax.random.key(4), images)
    np.testing.assert_array_equal(eager, jitted)
    other = data.augment(jax.random.key(5), images)
    assert not np.array_equal(eager, other)


def test_it_runs_per_seed():
    images = jax.random.normal(jax.random.key(1), (4, 8, 8, 3))
    keys = jax.random.split(jax.random.key(0), 2)
    batched = jax.vmap(data.augment, in_axes=(0, None))(keys, images)
    for i in range(2):
        np.testing.assert_array_equal(
            batched[i], data.augment(jax.random.split(jax.random.key(0), 2)[i], images)
        )


def test_no_padding_cuts_nothing():
    images = coordinates(5, 3)
    np.testing.assert_array_equal(
        data.random_crop(jax.random.key(0), images, padding=0), images
    )


def test_bad_arguments():
    with pytest.raises(ValueError, match="takes images .* got shape"):
        data.random_flip(jax.random.key(0), jnp.ones((8, 8, 3)))
    with pytest.raises(ValueError, match="less than the images' sides .* got 8"):
        data.random_crop(jax.random.key(0), jnp.ones((2, 8, 9, 3)), padding=8)
