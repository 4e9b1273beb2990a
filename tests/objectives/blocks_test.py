"""Importance weights by block: the formula and its bound."""

import itertools

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from noisejax import noise, objectives
from tests.objectives.networks import key

S, B, T, D, C, BLOCK = 3, 4, 5, 6, 7, 2


def problem():
    keys = jax.random.split(key(1), 3)
    w = jax.random.normal(keys[0], (D, C))
    x = jax.random.normal(keys[1], (B, T, D))
    tokens = jax.random.randint(keys[2], (B, T), 0, C)
    counts = jnp.arange(T)[None] < jnp.array([5, 3, 1, 0])[:, None]
    return w, (x, tokens, counts)


def log_prob(w, sample, x, tokens, counts, block_size=BLOCK):
    logits = noise.apply(x, sample) @ w
    return objectives.sequence_log_prob(logits, tokens, counts, block_size=block_size)


def samples():
    keys = jax.random.split(key(2), S)
    return jax.vmap(lambda k: noise.Dropout(0.5).sample(k, (B, T, D)))(keys)


@pytest.mark.parametrize("strategy", ["vmap", "map", "fold"])
def test_the_formula_in_numpy(strategy):
    """-1/B Σ_b Σ_k log (1/S) Σ_s P_bks, and its gradient with weights per block."""
    w, batch = problem()
    each = jax.vmap(lambda one: log_prob(w, one, *batch))(samples())
    jacobians = jax.vmap(lambda one: jax.jacobian(log_prob)(w, one, *batch))(samples())
    p = np.exp(np.float64(each))
    weights = p / p.sum(0)

    loss_fn = objectives.iwsgd(
        log_prob, num_samples=S, strategy=strategy, weighting="blocks"
    )
    (loss, aux), gradient = jax.jit(jax.value_and_grad(loss_fn, has_aux=True))(
        w, samples(), *batch
    )
    bounds = np.log(p.mean(0)).sum(1)
    np.testing.assert_allclose(loss, -bounds.mean(), rtol=1e-5)
    np.testing.assert_allclose(aux.bound, bounds, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(aux.bound_at_1, np.log(p).mean(0).sum(1), rtol=1e-5)
    np.testing.assert_allclose(aux.weights, weights, rtol=1e-5)
    effective = 1 / (weights**2).sum(0)
    np.testing.assert_allclose(aux.effective_samples, effective, rtol=1e-5)
    expected = -np.einsum("sbk,sbkdc->dc", weights, jacobians) / B
    np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-6)


def test_one_block_is_the_whole_and_one_sample_is_dropout():
    w, batch = problem()

    def loss(weighting, block_size, num_samples):
        fn = lambda *arguments: log_prob(*arguments, block_size=block_size)
        loss_fn = objectives.iwsgd(fn, num_samples=num_samples, weighting=weighting)
        some = jax.tree.map(lambda leaf: leaf[:num_samples], samples())
        return loss_fn(w, some, *batch)[0]

    whole = loss("importance", None, S)
    np.testing.assert_allclose(loss("blocks", T, S), whole, rtol=1e-6)
    dropout = loss("importance", None, 1)
    np.testing.assert_allclose(loss("blocks", 1, 1), dropout, rtol=1e-6)


def expectations(log_p, num_samples):
    """Both objectives by enumeration of all sets of equally likely noise values.

    Args:
      log_p: log P_k(ε) of N noise values, [N, K].
      num_samples: S.

    Returns:
      E log (1/S) Σ_s Π_k P_k(ε_s), and E Σ_k log (1/S) Σ_s P_k(ε_s).
    """
    sets = np.array(list(itertools.product(range(len(log_p)), repeat=num_samples)))
    drawn = jnp.asarray(log_p, jnp.float32)[sets.T]  # [S, sets, K]
    whole = objectives.iw_log_likelihood(drawn.sum(-1)).mean()
    blocks = objectives.iw_log_likelihood(drawn).sum(-1).mean()
    return float(whole), float(blocks)


def test_independent_noise_per_block_gives_a_tighter_bound_of_the_same_model():
    """ε = (ε_1, ε_2), block k depends on ε_k: L(S) < L_K(S) < log p, for each S."""
    p1, p2 = np.array([0.9, 0.2, 0.1]), np.array([0.3, 0.8, 0.05])
    pairs = np.array(list(itertools.product(p1, p2)))
    marginal = np.log(pairs.prod(1).mean())
    np.testing.assert_allclose(marginal, np.log(pairs.mean(0)).sum())
    last = -np.inf
    for num_samples in (2, 3):
        whole, blocks = expectations(np.log(pairs), num_samples)
        assert last < whole < blocks < marginal
        last = whole


@pytest.mark.parametrize(
    ("p", "above"),
    [
        ([[0.9, 0.1], [0.1, 0.9]], True),
        ([[0.9, 0.8], [0.1, 0.2]], False),
    ],
    ids=["negatively correlated", "positively correlated"],
)
def test_shared_noise_gives_a_bound_of_a_model_with_new_noise_per_block(p, above):
    """L_K(S) ≤ log Π_k E P_k always; it may exceed log E Π_k P_k."""
    p = np.array(p)
    marginal, renewed = np.log(p.prod(1).mean()), np.log(p.mean(0)).sum()
    last = -np.inf
    for num_samples in (1, 2, 4, 8):
        whole, blocks = expectations(np.log(p), num_samples)
        assert whole <= marginal + 1e-6 and last < blocks <= renewed + 1e-6
        last = blocks
    assert (blocks > marginal) == above


def test_weights_of_whole_sequences_collapse_with_length():
    """Log-likelihoods of tokens N(0, 1): of 4 samples 1 is left, or 2.4 per token."""
    log_probs = jax.random.normal(key(4), (4, 500, 256))

    def effective(values):
        weights = objectives.importance_weights(values)
        return objectives.effective_samples(weights).mean()

    whole = [effective(log_probs[..., :t].sum(-1)) for t in (1, 16, 256)]
    assert whole[0] > 2 > 1.5 > whole[1] > whole[2] and whole[2] < 1.1
    assert effective(log_probs) > 2
