"""Back-projection of a whole data set: batches, progress, errors."""

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from noisejax import backprojection, noise, training

W = jax.random.normal(jax.random.key(0), (6, 9)) / 3
X = np.asarray(jax.random.uniform(jax.random.key(1), (10, 6)))


def features_fn(w, x):
    return (jax.nn.relu(x @ w), jax.nn.relu(x @ w) @ w.T)


def targets_fn(w, key, x):
    first = noise.dropout(key, jax.nn.relu(x @ w), rate=0.3)
    return (first, first @ w.T)


def project(**options):
    options = {"key": jax.random.key(2), "progress": False, **options}
    return training.project_dataset(features_fn, W, X, targets_fn, **options)


def test_batches_are_calls_of_back_project():
    found = project(batch_size=4, num_steps=5)
    for i, begin in enumerate((0, 4)):
        x = jnp.asarray(X[begin : begin + 4])
        targets = targets_fn(W, jax.random.fold_in(jax.random.key(2), i), x)
        one = backprojection.back_project(features_fn, W, x, targets, num_steps=5)
        rows = slice(begin, begin + 4)
        np.testing.assert_allclose(found.x_star[rows], one.x_star, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(
            found.residual_after[:, rows], one.residual_after, rtol=1e-3, atol=1e-6
        )
    assert found.x_star.shape == X.shape
    assert found.residual_before.shape == (2, 10)


def test_per_layer():
    found = project(batch_size=3, per_layer=True, num_steps=5)
    assert found.x_star.shape == (2, 10, 6)
    joint = project(batch_size=3, num_steps=5)
    np.testing.assert_allclose(
        found.residual_before, joint.residual_before, rtol=1e-4, atol=1e-6
    )
    assert (found.residual_after < found.residual_before).any()


def test_every_batch_is_one_program():
    calls = []

    def counted(w, x):
        calls.append(x.shape)
        return features_fn(w, x)

    training.project_dataset(
        counted, W, X, targets_fn, key=jax.random.key(2), batch_size=4, progress=False
    )
    assert set(calls) == {(4, 6)}  # the last batch, of 2, is filled up


def test_progress_is_shown(capsys):
    project(progress=True, batch_size=5, num_steps=2)
    assert "10/10" in capsys.readouterr().err


def test_divergence_says_which_rates_are_stable():
    method = backprojection.gradient_descent((1e4, 1e4))
    with pytest.raises(FloatingPointError, match=r"10000, 10000 are too large") as e:
        project(method=method)
    stable = [
        float(n)
        for n in str(e.value).split("rates below ")[1].split(" are")[0].split(", ")
    ]
    slower = tuple(rate / 4 for rate in stable)
    found = project(method=backprojection.gradient_descent(slower), num_steps=50)
    assert np.isfinite(found.x_star).all()


def with_nan():
    x = X.copy()
    x[3, 2] = np.nan
    return x


@pytest.mark.parametrize(
    ("x", "options", "error", "match"),
    [
        (with_nan(), {}, ValueError, "must be finite; 1 examples are not, first 3"),
        (X[:0], {}, ValueError, "got 0 examples"),
        (X, {"batch_size": 0}, ValueError, "batch_size=0"),
        (X, {"bounds": (0.5, 1.0)}, ValueError, r"bounds must hold x, .*got \(0.5, 1"),
        (X, {"bounds": (1.0, 0.0)}, ValueError, "bounds"),
        (X, {"num_steps": 0}, ValueError, "num_steps"),
        (X, {"key": 3}, TypeError, "JAX random key"),
    ],
)
def test_bad_input(x, options, error, match):
    options = {"key": jax.random.key(2), "progress": False, **options}
    with pytest.raises(error, match=match):
        training.project_dataset(features_fn, W, x, targets_fn, **options)


def test_targets_that_do_not_match():
    with pytest.raises(ValueError, match="got 1 for 2 layers"):
        training.project_dataset(
            features_fn,
            W,
            X,
            lambda w, key, x: targets_fn(w, key, x)[:1],
            key=jax.random.key(2),
            progress=False,
        )
