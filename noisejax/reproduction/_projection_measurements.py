"""Noise as inputs: back-projections of an autoencoder (Bouthillier et al. 2015)."""

from collections.abc import Callable
from typing import Any

import numpy as np
from jax import numpy as jnp
from jaxtyping import Array, Float

from noisejax import backprojection, data, noise
from noisejax.reproduction._measured import Measured
from noisejax.reproduction._subject import Subject

EXAMPLES, MASKS = 100, 8
"""Test examples that are projected back, and masks for each."""

SHOWN = 5
"""Examples in the figure; units that are shut off, each alone."""


def back_projected_samples(subject: Subject) -> Measured:
    """Inputs whose noise-free features are noisy ones' (figures 2 and 5)."""
    x = subject.test_x[:EXAMPLES]
    repeated = jnp.repeat(x, MASKS, axis=0)
    noisy = subject.noisy_draws(
        subject.run.model.clone(input_noise=None), repeated, _places(subject), 1
    )
    targets = tuple(noisy[name][0] for name in _places(subject))
    found = _project(subject, repeated, targets)
    moved = (found.x_star - repeated).reshape(len(x), MASKS, -1)
    distances = np.asarray(jnp.sqrt((moved**2).sum(-1)))
    clean = subject.activations(repeated, _places(subject))[_places(subject)[0]]
    active = clean > 0
    dropped = (active & (np.asarray(targets[0]) == 0)).sum(-1) / active.sum(-1).clip(1)
    order = dropped.reshape(len(x), MASKS)[:SHOWN].argsort(axis=1)
    x_star = found.x_star.reshape(len(x), MASKS, *x.shape[1:])[:SHOWN]
    x_star = np.take_along_axis(
        np.asarray(x_star), order.reshape(*order.shape, *(1,) * (x.ndim - 1)), axis=1
    )
    show = _pictures(subject)
    spread = distances.std(axis=1) / np.maximum(distances.mean(axis=1), 1e-12)
    classes = {
        "nearest_class_kept/x": _same_class(subject, x, 1),
        "nearest_class_kept/x_star": _same_class(subject, found.x_star, MASKS),
    }
    return Measured(
        {**_residuals(found), "distance_spread": spread.mean(), **classes},
        {
            "originals": show(np.asarray(x[:SHOWN])),
            "projected": np.stack([show(each) for each in x_star]),
            "dropped": np.take_along_axis(
                dropped.reshape(len(x), MASKS)[:SHOWN], order, axis=1
            ),
        },
    )


def units_shut_off(subject: Subject) -> Measured:
    """What becomes of an input without one of its most active units (figure 3)."""
    x = subject.test_x[:EXAMPLES]
    place = _places(subject)[0]
    clean = subject.activations(x, [place])[place]
    units = np.argsort(-clean, axis=1)[:, :SHOWN]
    count = units.shape[1]
    kept = np.ones((len(x), count, clean.shape[1]), bool)
    np.put_along_axis(kept, units[..., None], False, axis=2)
    mask = noise.mask_sample(jnp.asarray(kept.reshape(-1, clean.shape[1])))
    target = noise.apply(jnp.repeat(jnp.asarray(clean), count, axis=0), mask)
    found = _project(subject, jnp.repeat(x, count, axis=0), (target,))
    show = _pictures(subject)
    x_star = np.asarray(found.x_star).reshape(len(x), count, *x.shape[1:])
    kernel = np.asarray(subject.params["dense_0"]["kernel"])
    filters = kernel[:, units[0]].T.reshape(count, *x.shape[1:])
    changes = _changes_of_others(subject, x, clean, units, found.x_star)
    return Measured(
        {**_residuals(found), **changes},
        {
            "original": show(np.asarray(x[:1]))[0],
            "projected": show(x_star[0]),
            "filters": filters,
            "units": units[0],
        },
    )


def _same_class(subject: Subject, x: Float[Array, "n ..."], repeats: int) -> float:
    """Share of inputs whose nearest training input has the class of their original.

    Args:
      subject: network and data.
      x: inputs; `repeats` of each of the first test examples, one after another.
      repeats: inputs per test example.
    """
    train = np.asarray(subject.train_x).reshape(len(subject.train_x), -1)
    flat = np.asarray(x).reshape(len(x), -1)
    distances = (train**2).sum(1) - 2 * flat @ train.T  # less |x|², the same for all
    nearest = np.asarray(subject.run.train.y)[distances.argmin(1)]
    y = np.asarray(subject.run.test.y)[: len(x) // repeats]
    return float((nearest == y.repeat(repeats)).mean())


def _changes_of_others(
    subject: Subject,
    x: Float[Array, "n ..."],
    clean: np.ndarray,
    units: np.ndarray,
    x_star: Float[Array, "..."],
) -> dict[str, float]:
    """Relative change of the other units when one unit is shut off, in two ways.

    At x*, and at the nearest input at which the unit's pre-activation is 0, which is x
    less a multiple of the unit's filter:  x - (zᵤ / |wᵤ|²) wᵤ.

    Args:
      subject: network.
      x: test inputs.
      clean: their hidden activations, [n, units].
      units: units that are shut off, [n, k].
      x_star: back-projected inputs, n times k of them.

    Returns:
      Medians over inputs and units of  Σ_{j≠u} (aⱼ' - aⱼ)² / Σ_{j≠u} aⱼ².
    """
    kernel = np.asarray(subject.params["dense_0"]["kernel"])
    place, count = _places(subject)[0], units.shape[1]
    filters = kernel.T[units.reshape(-1)]
    # These units are active, so that activation and pre-activation are equal.
    active = np.take_along_axis(clean, units, axis=1).reshape(-1, 1)
    flat = np.asarray(x).reshape(len(x), -1).repeat(count, axis=0)
    subtracted = flat - active / (filters**2).sum(1, keepdims=True) * filters
    before = clean.repeat(count, axis=0)
    others = np.ones_like(before)
    np.put_along_axis(others, units.reshape(-1, 1), 0, axis=1)
    found = {}
    for name, inputs in (("x_star", x_star), ("filter_subtracted", subtracted)):
        inputs = jnp.asarray(inputs).reshape(-1, *x.shape[1:])
        after = subject.activations(inputs, [place])[place]
        change = (others * (after - before) ** 2).sum(1) / (others * before**2).sum(1)
        found[f"others_changed/{name}"] = float(np.median(change))
    return found


def _places(subject: Subject) -> list[str]:
    return [f"noisy_{i}" for i in subject.layers]


def _project(
    subject: Subject, x: Float[Array, "batch ..."], targets: tuple[Array, ...]
) -> backprojection.BackProjection:
    names, model = _places(subject), subject.run.model
    variables, projection = subject.run.variables, subject.run.config.projection

    def features(variables: Any, x: Array) -> tuple[Array, ...]:
        _, activations = model.apply(variables, x, train=False)
        return tuple(activations[name] for name in names)

    method = backprojection.stable_descent()
    if projection.method == "gradient_descent":
        method = backprojection.gradient_descent(projection.learning_rates)
    return backprojection.back_project(
        features, variables, x, targets, num_steps=projection.num_steps, method=method
    )


def _residuals(found: backprojection.BackProjection) -> dict[str, Any]:
    # Medians: a sample whose active units are all dropped has an infinite one.
    return {
        "residual/before": jnp.median(found.residual_before),
        "residual/after": jnp.median(found.residual_after),
        "residual/diverged": jnp.mean(found.diverged),
    }


def _pictures(subject: Subject) -> Callable[[np.ndarray], np.ndarray]:
    """What the network sees -> images, by way of the inverse preprocessing."""
    config = subject.run.config.data
    if not config.preprocess:
        return lambda x: x
    done = data.preprocess(
        subject.run.dataset, config.preprocess, num_components=config.components
    )
    return done.inverse or (lambda x: x)
