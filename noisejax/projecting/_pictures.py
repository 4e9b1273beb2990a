"""Back-projected inputs as pictures (Bouthillier et al. 2015, figures 2, 3 and 5)."""

from typing import Any

import jax
import numpy as np
from jax import numpy as jnp
from jaxtyping import Array, Float
from matplotlib.figure import Figure

from noisejax import figures, noise, training
from noisejax.projecting._view import View

NUM_UNITS = 5
"""Hidden units that figure 3 shuts off."""


def draw_masks(
    view: View,
    key: noise.Key,
    x: Float[Array, "examples ..."],
    num_masks: int,
    options: dict[str, Any],
) -> Figure:
    """A row per example: x, then x* under several masks (figures 2 and 5)."""
    stars = [
        training.project_dataset(
            view.features,
            view.run.variables,
            x,
            view.targets,
            key=jax.random.fold_in(key, i),
            **{**options, "progress": False},
        ).x_star
        for i in range(num_masks)
    ]
    pictures = [view.run.pictures(star) for star in stars]
    return figures.back_projections(
        view.run.pictures(x),
        np.stack(pictures, axis=1),
        titles=["x", *(f"x* {i + 1}" for i in range(num_masks))],
    )


def draw_units(view: View, x: Array, options: dict[str, Any]) -> Figure:
    """The five most active hidden units of one input, shut off one by one (figure 3).

    Hand-made masks: the other units are not scaled.

    Args:
      view: the network; its first layer is dense.
      x: the input, [1, ...].
      options: of `training.project_dataset`.

    Raises:
      ValueError: the first layer is not dense.
    """
    filters = view.filters
    if filters is None:
        raise ValueError("the first layer is not dense: its units have no filter each")
    (hidden,) = view.first_layer(view.run.variables, x)
    units = np.argsort(-np.asarray(hidden[0]))[:NUM_UNITS]

    def targets(variables, key, copies):
        del key  # nothing is drawn
        off = jnp.arange(hidden.shape[1])[None] != jnp.asarray(units)[:, None]
        (clean,) = view.first_layer(variables, copies)
        return (noise.apply(clean, noise.mask_sample(off)),)

    copies = jnp.repeat(x, len(units), axis=0)
    found = training.project_dataset(
        view.first_layer,
        view.run.variables,
        copies,
        targets,
        key=jax.random.key(0),
        **{**options, "progress": False},
    )
    pictures = view.run.pictures
    zero = pictures(np.zeros_like(filters[:1]))
    return figures.units_shut_off(
        pictures(x)[0],
        pictures(found.x_star),
        pictures(filters[units]) - zero,
        names=[f"unit {unit}" for unit in units],
    )
