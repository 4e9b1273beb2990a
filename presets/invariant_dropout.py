"""Invariant dropout: a learned shift inside the mask (Ba et al. 2014)."""

from noisejax import training


def get_config(data: str = "digits") -> training.Config:
    """Return the configuration for a data set, given as --config=FILE:DATA."""
    config = training.Config()
    config.data.name = data
    config.noise.shift = "both"
    config.optimizer.shift_rate = 10.0
    return config
