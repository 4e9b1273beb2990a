"""Gradient acceleration in the activations (Hahn and Choi 2018)."""

from noisejax import training


def get_config(data: str = "digits") -> training.Config:
    """Return the configuration for a data set, given as --config=FILE:DATA."""
    config = training.Config()
    config.data.name = data
    config.model.gaaf = True
    config.noise.scheme = "none"
    config.optimizer.name, config.optimizer.learning_rate = "adam", 0.001
    config.optimizer.momentum = 0.9
    return config
