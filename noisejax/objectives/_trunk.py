import jax
from jax import numpy as jnp
from noisejax.objectives._noise import map_leaves


def share_across_samples(function, params, one, batch):
    return lambda one: function(params, one, batch)


def share_across_copies(function, num_samples, params, noise, batch):
    def tile(leaf):
        leaf = jnp.asarray(leaf)
        full = jnp.broadcast_to(leaf[None], (num_samples, *leaf.shape))
        return full.reshape(-1, *leaf.shape[1:])

    return function(params, noise, map_leaves(tile, batch))
