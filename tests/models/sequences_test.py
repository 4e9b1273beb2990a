"""Captions and questions: the formulas, padding, and decoding."""

import functools
import itertools

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from noisejax import models, noise, objectives

WORDS = np.array([[3, 4, 1, 0], [2, 5, 6, 1], [7, 1, 0, 0]])
COUNTS = WORDS > 0
IMAGES = np.random.default_rng(0).normal(size=(3, 5))
CAPTIONER = models.CaptionLSTM(9, width=6, hidden_noise=noise.Dropout(0.5))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm(p, inputs, factor=1.0):
    """Hidden states [T, H] of one sequence, by the equations of the LSTM.

    The state is multiplied by `factor` before every step.
    """
    h = c = np.zeros(p["hi"]["bias"].shape)
    states = []
    for x in inputs:
        i, f, g, o = (
            x @ p[f"i{k}"]["kernel"]
            + (h * factor) @ p[f"h{k}"]["kernel"]
            + p[f"h{k}"]["bias"]
            for k in "ifgo"
        )
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        states.append(h)
    return np.stack(states)


@pytest.fixture
def wide():
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        yield


def variables_of(net, *inputs):
    variables = net.init(jax.random.key(1), *inputs, train=False)
    return jax.tree.map(lambda a: jnp.asarray(a, jnp.float64), variables)


def test_the_loss_of_captions_is_a_loop_over_samples_and_words(wide):
    """Noh, eq. 7, of whole captions, with three masks per caption, in NumPy."""
    x, words = jnp.asarray(IMAGES), jnp.asarray(WORDS)
    net = CAPTIONER.clone(param_dtype=jnp.float64)
    params = variables_of(net, x, words)["params"]
    keys = jax.random.split(jax.random.key(2), 3)
    shape = (3, 4, 6)
    masks = jax.vmap(lambda k: noise.Dropout(0.5).sample(k, shape, jnp.float64))(keys)

    def log_prob(params, sample, x, words, counts):
        variables = {"params": params, "noise": {"noise": {"sample": sample}}}
        logits, _ = net.apply(variables, x, words, train=True)
        return objectives.sequence_log_prob(logits, words, counts)

    loss_fn = objectives.iwsgd(log_prob, num_samples=3)
    loss, _ = loss_fn(params, masks, x, words, jnp.asarray(COUNTS))
    p = jax.tree.map(np.asarray, params)
    expected = 0.0
    for b, caption in enumerate(WORDS):
        first = IMAGES[b] @ p["embed_image"]["kernel"] + p["embed_image"]["bias"]
        inputs = [first, *p["embed_word"]["embedding"][caption[:-1]]]
        hidden, likelihoods = lstm(p["cell"], inputs), []
        for s in range(3):
            noisy = hidden * np.asarray(masks.mask)[s, b] * 2
            logits = noisy @ p["dense_output"]["kernel"] + p["dense_output"]["bias"]
            total = 0.0
            for t, word in enumerate(caption):
                if COUNTS[b, t]:
                    total += logits[t, word] - np.log(np.exp(logits[t]).sum())
            likelihoods.append(np.exp(total))
        expected -= np.log(np.mean(likelihoods)) / len(WORDS)
    np.testing.assert_allclose(loss, expected, rtol=1e-10)


def test_recurrent_noise_is_one_factor_for_all_steps():
    x, words = jnp.asarray(IMAGES, jnp.float32), jnp.asarray(WORDS)
    net = models.CaptionLSTM(9, width=6, recurrent_noise=noise.Dropout(0.5))
    variables = net.init(jax.random.key(1), x, words, train=False)
    key = {"dropout": jax.random.key(2)}
    (_, noisy), sown = net.apply(
        variables, x, words, train=True, rngs=key, mutable=["noise"]
    )
    _, clean = net.apply(variables, x, words, train=False)
    [sample] = sown["noise"]["noise_on_state"]["sample"]
    factors = noise.apply(jnp.ones((3, 6)), sample)
    assert set(np.unique(factors)) == {0, 2}
    p = jax.tree.map(np.asarray, variables["params"])
    for b, caption in enumerate(WORDS):
        first = IMAGES[b] @ p["embed_image"]["kernel"] + p["embed_image"]["bias"]
        inputs = [first, *p["embed_word"]["embedding"][caption[:-1]]]
        for activations, factor in ((noisy, np.asarray(factors)[b]), (clean, 1.0)):
            expected = lstm(p["cell"], inputs, factor)
            np.testing.assert_allclose(
                activations["hidden_0"][b], expected, rtol=1e-4, atol=1e-6
            )


def test_padding_of_captions_changes_nothing():
    x, words = jnp.asarray(IMAGES, jnp.float32), jnp.asarray(WORDS)
    variables = CAPTIONER.init(jax.random.key(1), x, words, train=False)

    def log_probs(words):
        logits, _ = CAPTIONER.apply(variables, x, words, train=False)
        return objectives.sequence_log_prob(logits, words, jnp.asarray(COUNTS))

    other = jnp.where(jnp.asarray(COUNTS), words, 8)
    np.testing.assert_array_equal(log_probs(words), log_probs(other))


def search(beams, length=4, **options):
    """Return captions of the images by a captioner of five words."""
    net = models.CaptionLSTM(5, width=6)
    x = jnp.asarray(IMAGES, jnp.float32)
    variables = net.init(jax.random.key(3), x, jnp.asarray(WORDS) % 5, train=False)
    variables = jax.tree.map(lambda a: 3 * a, variables)  # less uniform
    step = functools.partial(net.apply, variables, method="step")
    carry, logits = net.apply(variables, x, method="begin")
    found = jax.jit(
        lambda carry, logits: models.beam_search(
            step, carry, logits, beams=beams, length=length, end=1, **options
        )
    )(carry, logits)
    return net, variables, x, *found


def log_prob_of(net, variables, x, captions):
    words = jnp.asarray(captions)
    ends = jnp.cumsum(words == 1, axis=1) - (words == 1)
    logits, _ = net.apply(variables, x, words, train=False)
    return objectives.sequence_log_prob(logits, words, ends == 0)


def test_one_beam_is_greedy():
    """Each word is the most likely one under the whole network."""
    net, variables, x, found, scores = search(1)
    words = np.ones((3, 4), int)
    for t in range(4):
        logits, _ = net.apply(variables, x, jnp.asarray(words), train=False)
        chosen = np.asarray(logits)[:, t].argmax(-1)
        ended = (words[:, :t] == 1).any(axis=1) & (t > 0)
        words[:, t] = np.where(ended, 1, chosen)
    np.testing.assert_array_equal(found[:, 0], words)
    expected = log_prob_of(net, variables, x, words)
    np.testing.assert_allclose(scores[:, 0], expected, rtol=1e-4)


def test_many_beams_find_the_best_sequence():
    """The result is the best of all 5^3 sequences, each cut at its first end."""
    net, variables, x, found, scores = search(125, length=3)
    every = {
        tuple(1 if 1 in words[:t] else w for t, w in enumerate(words))
        for words in itertools.product(range(5), repeat=3)
    }
    every = np.array(sorted(every))
    for b in range(3):
        copies = jnp.repeat(x[b][None], len(every), axis=0)
        log_probs = np.asarray(log_prob_of(net, variables, copies, every))
        np.testing.assert_array_equal(found[b, 0], every[log_probs.argmax()])
        np.testing.assert_allclose(scores[b, 0], log_probs.max(), rtol=1e-4)
        finite = np.asarray(scores[b]) > -np.inf
        assert finite.sum() == len(every)
        np.testing.assert_allclose(
            np.exp(np.asarray(scores[b])[finite]).sum(), 1, rtol=1e-3
        )


def test_attention_is_the_formula(wide):
    net = models.StackedAttention(9, 4, width=6, param_dtype=jnp.float64)
    grid = np.random.default_rng(4).normal(size=(3, 7, 5))
    variables = variables_of(net, jnp.asarray(grid), jnp.asarray(WORDS))
    found, activations = net.apply(
        variables, jnp.asarray(grid), jnp.asarray(WORDS), train=False
    )
    p = jax.tree.map(np.asarray, variables["params"])

    def dense(x, name):
        return x @ p[name]["kernel"] + p[name]["bias"]

    for b, words in enumerate(WORDS):
        x = p["embedding"]["embedding"][words[words > 0]]
        for i in range(2):
            x = lstm(p[f"lstm_{i}"], x)
        question = x[-1]
        joint = np.tanh(
            dense(grid[b], "dense_grid") + dense(question, "dense_question")
        )
        scores = np.exp(dense(joint, "dense_attention")[:, 0])
        attention = scores / scores.sum()
        np.testing.assert_allclose(activations["attention"][b], attention, rtol=1e-10)
        hidden = question + dense(attention @ grid[b], "dense_pooled")
        np.testing.assert_allclose(found[b], dense(hidden, "dense_output"), rtol=1e-10)


def test_padding_of_questions_changes_nothing_and_the_control_sees_no_image():
    net = models.StackedAttention(9, 4, width=6, hidden_noise=noise.Dropout(0.5))
    grid = jax.random.normal(jax.random.key(0), (3, 7, 5))
    words = jnp.asarray(WORDS)
    variables = net.init(jax.random.key(1), grid, words, train=False)
    longer = jnp.pad(words, ((0, 0), (0, 3)))
    short, long = (
        net.apply(variables, grid, w, train=False)[0] for w in (words, longer)
    )
    np.testing.assert_allclose(short, long, rtol=1e-5, atol=1e-6)
    blind = net.clone(uses_image=False)
    variables = blind.init(jax.random.key(1), grid, words, train=False)
    outputs = [
        blind.apply(variables, g, words, train=False)[0] for g in (grid, 2 * grid)
    ]
    np.testing.assert_array_equal(*outputs)
    with noise.count_samples() as count:
        net.init_with_output(
            {"params": jax.random.key(1), "dropout": jax.random.key(2)},
            *(grid, words),
            train=True,
        )
    assert count.applied == net.num_noise_sites == 1
