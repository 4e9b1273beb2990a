"""Masks: equality with JAX's draw, byte planes, transforms, keys."""

import functools
import math
import re

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from noisejax import noise

SHAPES = [(), (1,), (7,), (3, 0), (2, 3, 4, 5)]
RATES = [0.0, 1e-9, 0.1, 0.5, 0.999, 1 - 1e-9]


def stock(key, shape, rate):
    return jax.random.bernoulli(key, np.float32(1.0 - rate), shape)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_32_bits_are_the_stock_draw(shape):
    for rate in RATES:
        mask = noise.bernoulli_mask(jax.random.key(3), shape, rate=rate)
        assert mask.dtype == jnp.bool_
        np.testing.assert_array_equal(mask, stock(jax.random.key(3), shape, rate))


@pytest.mark.parametrize("impl", ["threefry2x32", "threefry4x32", "rbg", "unsafe_rbg"])
def test_32_bits_are_the_stock_draw_of_every_implementation(impl):
    key = jax.random.key(3, impl=impl)
    mask = noise.bernoulli_mask(jax.random.clone(key), (50, 7), rate=0.3)
    np.testing.assert_array_equal(mask, stock(key, (50, 7), 0.3))


@pytest.mark.parametrize("partitionable", [True, False])
def test_stock_draw_under_every_threefry_configuration(partitionable):
    with jax.threefry_partitionable(partitionable):
        mask = noise.bernoulli_mask(jax.random.key(3), (50, 7), rate=0.3)
        np.testing.assert_array_equal(mask, stock(jax.random.key(3), (50, 7), 0.3))


def test_stock_draw_under_x64():
    expected = stock(jax.random.key(3), (50, 7), 0.3)
    with jax.enable_x64(True):
        mask = noise.bernoulli_mask(jax.random.key(3), (50, 7), rate=0.3)
        np.testing.assert_array_equal(mask, expected)
        x = noise.dropout(jax.random.key(3), jnp.ones((50, 7), jnp.float64), rate=0.3)
        assert x.dtype == jnp.float64
        np.testing.assert_array_equal(x > 0, expected)


def test_raw_keys_are_keys():
    raw = jax.random.PRNGKey(3)
    mask = noise.bernoulli_mask(raw, (50,), rate=0.3)
    np.testing.assert_array_equal(mask, stock(jax.random.key(3), (50,), 0.3))


@pytest.mark.parametrize("shape", [(4,), (5,), (1,), (3, 10), (2, 3, 7)], ids=str)
def test_8_bits_cut_words_into_planes_of_the_last_axis(shape):
    """Byte j of word w serves element j·q + w, q = ceil(n / 4)."""
    *leading, n = shape
    q = -(-n // 4)
    words = np.asarray(jax.random.bits(jax.random.key(5), (*leading, q), jnp.uint32))
    planes = [(words >> (8 * j)) & 255 for j in range(4)]
    expected = np.concatenate(planes, axis=-1)[..., :n] < 256 - 77
    mask = noise.bernoulli_mask(jax.random.key(5), shape, rate=77 / 256, bits=8)
    np.testing.assert_array_equal(mask, expected)


def test_8_bits_of_other_implementations():
    mask = noise.bernoulli_mask(
        jax.random.key(5, impl="rbg"), (100, 1000), rate=0.25, bits=8
    )
    assert abs(float(mask.mean()) - 0.75) < 5 * np.sqrt(0.25 * 0.75 / 1e5)


@pytest.mark.parametrize("bits", [32, 8])
def test_rate_arrays_are_per_element(bits):
    """Each element has its own threshold, also along the axis that planes split."""
    rates = np.linspace(0.1, 0.9, 13, dtype=np.float32)[None]
    mask = noise.bernoulli_mask(
        jax.random.key(1), (20_000, 13), rate=jnp.asarray(rates), bits=bits
    )
    drawn = np.round(rates * 256) / 256 if bits == 8 else rates
    sigma = np.sqrt(drawn * (1 - drawn) / 20_000)
    assert np.all(np.abs(1 - mask.mean(axis=0) - drawn[0]) < 5 * sigma[0])


@pytest.mark.parametrize("bits", [32, 8])
def test_a_traced_rate_draws_the_same_mask(bits):
    draw = jax.jit(
        lambda key, rate: noise.bernoulli_mask(key, (9, 11), rate=rate, bits=bits)
    )
    for rate in (0.0, 0.25, 0.5, 0.9):
        expected = noise.bernoulli_mask(
            jax.random.key(2), (9, 11), rate=rate, bits=bits
        )
        np.testing.assert_array_equal(draw(jax.random.key(2), rate), expected)


@pytest.mark.parametrize("bits", [32, 8])
def test_vmapped_and_jitted_draws_are_the_same(bits):
    keys = jax.random.split(jax.random.key(0), 5)

    def draw(key):
        return noise.bernoulli_mask(key, (3, 10), rate=0.4, bits=bits)

    loop = np.stack([draw(key) for key in jax.random.split(jax.random.key(0), 5)])
    np.testing.assert_array_equal(jax.vmap(draw)(jax.random.clone(keys)), loop)
    np.testing.assert_array_equal(jax.jit(jax.vmap(draw))(jax.random.clone(keys)), loop)
    np.testing.assert_array_equal(jax.lax.map(draw, keys), loop)


def test_large_shapes_take_the_stock_draw_and_trace():
    """Beyond 2^32 elements a 32-bit counter would wrap."""
    shape = jax.eval_shape(
        lambda key: noise.bernoulli_mask(key, (2**17, 2**16), rate=0.5),
        jax.random.key(0),
    )
    assert shape.shape == (2**17, 2**16)


@pytest.mark.parametrize("bits", [32, 8])
@pytest.mark.parametrize("jit", [False, True])
def test_the_key_reuse_checker_sees_the_draw(bits, jit):
    def twice(key):
        first = noise.bernoulli_mask(key, (4,), rate=0.5, bits=bits)
        return first, noise.bernoulli_mask(key, (4,), rate=0.5, bits=bits)

    with pytest.raises(jax.errors.KeyReuseError):
        (jax.jit(twice) if jit else twice)(jax.random.key(0))


def test_the_key_reuse_checker_sees_draws_under_transforms():
    x = jnp.ones(4)

    def loss(x, key):
        return noise.dropout(key, noise.dropout(key, x, rate=0.5), rate=0.5).sum()

    for f in (jax.grad(loss), jax.jit(jax.grad(loss)), jax.checkpoint(loss)):
        with pytest.raises(jax.errors.KeyReuseError):
            f(x, jax.random.key(0))
    with pytest.raises(jax.errors.KeyReuseError):
        jax.vmap(loss, (None, 0))(x, jax.random.split(jax.random.key(0), 3))


def test_the_key_reuse_checker_lets_good_programs_through():
    x = jnp.ones(4)
    keys = jax.random.split(jax.random.key(0), 3)

    @jax.checkpoint
    def noisy(key):
        return noise.dropout(key, x, rate=0.5).sum()

    jax.lax.map(noisy, jax.random.clone(keys))
    jax.grad(lambda x: jax.lax.map(noisy, keys).sum() + x)(1.0)


def test_sample_rate_is_uniform_below_the_rate():
    rho = noise.sample_rate(jax.random.key(0), (1000, 1), rate=0.6)
    assert rho.dtype == jnp.float32 and rho.shape == (1000, 1)
    stock_draw = jax.random.uniform(jax.random.key(0), (1000, 1)) * np.float32(0.6)
    np.testing.assert_allclose(rho, stock_draw, rtol=1e-6)
    assert rho.min() >= 0 and rho.max() < 0.6


def test_standard_normal_is_the_stock_draw():
    sample = noise.GaussianNoise(1.0).sample(jax.random.key(4), (100, 7))
    expected = jax.random.normal(jax.random.key(4), (100, 7))
    np.testing.assert_allclose(sample.offset, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("rate", "drawn"), [(0.5, 128), (0.3, 77), (0.2, 51), (0.002, 1), (0.998, 255)]
)
def test_round_rate_is_the_nearest_multiple_of_1_256(rate, drawn):
    assert noise.round_rate(rate, bits=8) == drawn / 256
    assert noise.round_rate(rate, bits=32) == rate


@pytest.mark.parametrize("rate", [0.0019, 1e-9, 0.9981, 1 - 1e-9])
def test_a_rate_that_rounds_away_is_an_error(rate):
    with pytest.raises(ValueError, match="rounds to [01] with 8 random bits"):
        noise.round_rate(rate, bits=8)
    with pytest.raises(ValueError, match="bits=32"):
        noise.Dropout(rate, bits=8)
    with pytest.raises(ValueError, match="bits=32"):
        noise.dropout(jax.random.key(0), jnp.ones(3), rate=rate, bits=8)
    assert noise.round_rate(0.0, bits=8) == 0.0


@pytest.mark.parametrize("lost", [0.001, 0.999])
def test_one_rate_of_many_that_rounds_away_is_an_error(lost):
    rates, x = np.array([[0.5], [lost], [0.0]]), jnp.ones((3, 4))
    for draw in (
        lambda: noise.dropout(jax.random.key(0), x, rate=rates, bits=8),
        lambda: noise.random_dropout(jax.random.key(0), x, rate=rates, bits=8),
        lambda: noise.bernoulli_mask(jax.random.key(0), (3, 4), rate=rates, bits=8),
    ):
        with pytest.raises(ValueError, match=f"rate {lost} rounds to [01] with 8"):
            draw()


@pytest.mark.parametrize("lost", [0.001, 0.999])
def test_a_largest_level_that_rounds_away_is_an_error(lost):
    """The noise would never act, or 8 bits cannot represent the level."""
    for make in (
        lambda: noise.RandomDropout(lost, bits=8),
        lambda: noise.random_dropout(
            jax.random.key(0), jnp.ones((3, 4)), rate=lost, bits=8
        ),
    ):
        with pytest.raises(ValueError, match=f"rate {lost} rounds to [01] with 8"):
            make()


def lowered(draw, platform):
    """Return the StableHLO of a draw for a platform, without the device."""
    traced = jax.jit(draw).trace(jax.random.key(0), jnp.ones((64, 256)))
    return traced.lower(lowering_platforms=(platform,)).as_text()


@pytest.mark.parametrize("bits", [32, 8])
@pytest.mark.parametrize("platform", ["cuda", "tpu"])
def test_elsewhere_than_on_a_cpu_a_draw_fuses_with_its_use(platform, bits):
    """The form follows the platform that is compiled for, not the one of the process.

    XLA does not fuse through a concatenation.
    """
    draw = functools.partial(noise.dropout, rate=0.25, bits=bits)
    assert "stablehlo.concatenate" not in lowered(draw, platform)
    if jax.device_count("cpu") == 1:
        assert "stablehlo.concatenate" in lowered(draw, "cpu")


@pytest.mark.parametrize("bits", [32, 8])
def test_all_forms_of_a_draw_give_the_same_mask(bits, monkeypatch):
    def draw(key):
        return noise.bernoulli_mask(key, (3, 77), rate=0.3, bits=bits)

    expected = draw(jax.random.key(0))
    jax.clear_caches()

    def other_platform(*args, default, **_):
        return default(*args)

    monkeypatch.setattr(jax.lax, "platform_dependent", other_platform)
    np.testing.assert_array_equal(draw(jax.random.key(0)), expected)
    with jax.disable_jit():
        np.testing.assert_array_equal(draw(jax.random.key(0)), expected)
    monkeypatch.undo()
    jax.clear_caches()


def test_the_compiler_sees_no_choice_of_platform():
    draw = functools.partial(noise.dropout, rate=0.25, bits=8)
    compiled = jax.jit(draw).lower(jax.random.key(0), jnp.ones((64, 256))).compile()
    assert " conditional(" not in compiled.as_text()


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="XLA's fusion on a CPU")
@pytest.mark.parametrize(
    ("draw", "units_a_word"),
    [
        (functools.partial(noise.dropout, rate=0.25), 1),
        (functools.partial(noise.dropout, rate=0.25, bits=8), 4),
        (functools.partial(noise.random_dropout, rate=0.5), 1),
        (functools.partial(noise.random_dropout, rate=0.5, bits=8), 4),
        (functools.partial(noise.gaussian_dropout, rate=0.5), 1),
    ],
    ids=["dropout", "8 bits", "random dropout", "random, 8 bits", "gaussian"],
)
def test_a_mask_is_drawn_once(draw, units_a_word):
    """The backward pass and the byte planes do not repeat the draw."""
    if jax.device_count() > 1:
        pytest.skip("halves of an axis that may be sharded would be sent")

    def both(key, x, g):
        y, pull = jax.vjp(lambda x: draw(key, x), x)
        return y, pull(g)

    x = jnp.ones((64, 256))
    text = jax.jit(both).lower(jax.random.key(0), x, x).compile().as_text()
    # Words are drawn by twenty rounds, an exclusive or each, and three for the key.
    sizes = re.findall(r"= u32\[([\d,]+)\]\{[\d,]*\} xor\(", text)
    elements = sum(math.prod(map(int, size.split(","))) for size in sizes)
    words = x.size // units_a_word
    assert 20 * words <= elements <= 24 * (words + 200)
