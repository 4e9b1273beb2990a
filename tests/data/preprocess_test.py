"""Normalisation, whitening and projection against NumPy and scikit-learn."""

import dataclasses

import numpy as np
import pytest
from sklearn import decomposition

from noisejax import data

RNG = np.random.default_rng(0)
BYTES = RNG.integers(0, 256, (60, 4, 5, 3)).astype(np.uint8)
FLOATS = RNG.normal(size=(80, 9)) @ RNG.normal(size=(9, 9)) + 3


def dataset(x=BYTES):
    y = np.arange(len(x), dtype=np.int32) % 10
    return data.Dataset("made", x[:40], y[:40], x[40:], y[40:], 10)


def test_contrast_is_normalised_per_image():
    x = data.normalise_contrast(BYTES, scale=2.0)
    np.testing.assert_allclose(x.mean((1, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(x.std((1, 2, 3)), 2, rtol=1e-5)
    one = BYTES[7].astype(np.float64)
    np.testing.assert_allclose(x[7], 2 * (one - one.mean()) / one.std(), atol=1e-5)
    np.testing.assert_array_equal(
        data.normalise_contrast(BYTES[7:8], scale=2.0)[0], x[7]
    )


def test_a_constant_image_becomes_zero():
    assert not data.normalise_contrast(np.full((2, 3, 3, 1), 200, np.uint8)).any()


def test_standardisation_is_per_channel_and_undone():
    fit = data.fit_standardisation(BYTES)
    x = fit.transform(BYTES)
    np.testing.assert_allclose(x.mean((0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(x.std((0, 1, 2)), 1, rtol=1e-5)
    np.testing.assert_allclose(fit.inverse(x), BYTES / 255, atol=1e-6)


def test_a_constant_channel_is_only_centred():
    x = np.stack([np.ones(5), np.arange(5.0)], -1)
    np.testing.assert_array_equal(data.fit_standardisation(x).transform(x)[:, 0], 0)


@pytest.mark.parametrize("num_components", [1, 4, 9])
def test_pca_is_scikit_learns_up_to_signs(num_components):
    ours = data.fit_pca(FLOATS, num_components=num_components)
    theirs = decomposition.PCA(num_components).fit(FLOATS)
    signs = np.sign((ours.axes * theirs.components_.T).sum(0))
    np.testing.assert_allclose(ours.axes * signs, theirs.components_.T, atol=1e-4)
    np.testing.assert_allclose(ours.variances, theirs.explained_variance_, rtol=1e-4)
    np.testing.assert_allclose(
        ours.transform(FLOATS) * signs, theirs.transform(FLOATS), atol=1e-3
    )
    np.testing.assert_allclose(
        ours.inverse(ours.transform(FLOATS)),
        theirs.inverse_transform(theirs.transform(FLOATS)),
        atol=1e-3,
    )
    largest = np.abs(ours.axes).argmax(0)
    assert (ours.axes[largest, range(num_components)] > 0).all()


def test_pca_does_not_whiten():
    pca = data.fit_pca(FLOATS, num_components=9)
    variances = pca.transform(FLOATS).var(0, ddof=1)
    np.testing.assert_allclose(variances, pca.variances, rtol=1e-4)
    assert variances[0] > 5 * variances[-1]


@pytest.mark.parametrize("epsilon", [1e-6, 0.1, 10.0])
def test_zca_is_the_damped_inverse_root_of_the_covariance(epsilon):
    zca = data.fit_zca(FLOATS, epsilon=epsilon)
    values, axes = np.linalg.eigh(np.cov(FLOATS.T))
    expected = axes @ np.diag((values + epsilon) ** -0.5) @ axes.T
    np.testing.assert_allclose(zca.matrix, expected, rtol=1e-3, atol=1e-4)
    white = zca.transform(FLOATS)
    np.testing.assert_allclose(
        np.cov(white.T), expected @ np.cov(FLOATS.T) @ expected.T, atol=2e-3
    )


def test_fewer_examples_than_inputs():
    few = BYTES[:20]
    flat = few.reshape(20, -1) / 255
    values, axes = np.linalg.eigh(np.cov(flat.T))
    expected = axes @ np.diag((np.maximum(values, 0) + 0.1) ** -0.5) @ axes.T
    np.testing.assert_allclose(data.fit_zca(few).matrix, expected, atol=1e-4)
    theirs = decomposition.PCA(19).fit(flat)
    ours = data.fit_pca(few, num_components=19)
    np.testing.assert_allclose(ours.variances, theirs.explained_variance_, rtol=1e-4)
    np.testing.assert_allclose(ours.inverse(ours.transform(few)), few / 255, atol=1e-4)


def test_zca_keeps_the_shape_of_images():
    x = data.fit_zca(BYTES).transform(BYTES)
    assert x.shape == BYTES.shape and x.dtype == np.float32


def test_covariance_is_the_same_in_chunks(monkeypatch):
    from noisejax.data import _whiten

    whole = data.fit_zca(FLOATS).matrix
    monkeypatch.setattr(_whiten, "CHUNK", 7)
    np.testing.assert_allclose(data.fit_zca(FLOATS).matrix, whole, rtol=1e-4, atol=1e-6)


STEPS = [("gcn",), ("gcn", "zca"), ("pca",), ("standardise",), ("standardise", "pca")]


@pytest.mark.parametrize("steps", STEPS, ids="-".join)
def test_what_is_held_out_is_never_fitted_on(steps):
    """Test and validation images do not influence the training images."""
    original = dataset()
    fit_on = np.arange(30)
    other_train = original.train_x.copy()
    other_train[30:] = 255 - other_train[30:]
    other = dataclasses.replace(
        original, train_x=other_train, test_x=255 - original.test_x
    )
    results = [
        data.preprocess(d, steps, fit_on=fit_on, num_components=10).dataset
        for d in (original, other)
    ]
    np.testing.assert_array_equal(results[0].train_x[:30], results[1].train_x[:30])
    assert not np.array_equal(results[0].test_x, results[1].test_x)
    fitted_on_all = data.preprocess(original, steps, num_components=10).dataset
    if steps != ("gcn",):
        assert not np.allclose(fitted_on_all.train_x, results[0].train_x)


def test_steps_are_applied_in_order():
    done = data.preprocess(dataset(), ("gcn", "zca")).dataset
    gcn = data.normalise_contrast(BYTES)
    zca = data.fit_zca(gcn[:40])
    np.testing.assert_allclose(
        done.test_x, zca.transform(gcn[40:]), rtol=1e-5, atol=1e-5
    )


def test_the_way_back():
    done = data.preprocess(dataset(), ("standardise", "pca"), num_components=39)
    back = done.inverse(done.dataset.train_x)
    np.testing.assert_allclose(back, BYTES[:40] / 255, atol=1e-4)
    assert data.preprocess(dataset(), ("gcn", "pca"), num_components=5).inverse is None
    none = data.preprocess(dataset(), ())
    np.testing.assert_allclose(none.inverse(none.dataset.test_x), BYTES[40:] / 255)


def test_bad_arguments():
    with pytest.raises(ValueError, match="one of gcn, zca, pca, standardise; got 'x'"):
        data.preprocess(dataset(), ("x",))
    with pytest.raises(ValueError, match=r"lie in 1..40 .* got 41"):
        data.preprocess(dataset(), ("pca",), num_components=41)
    with pytest.raises(ValueError, match="epsilon must be above 0, got 0"):
        data.fit_zca(FLOATS, epsilon=0)
    with pytest.raises(ValueError, match="two examples or more, got 1"):
        data.fit_zca(FLOATS[:1])
