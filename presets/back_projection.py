"""Train on x and x*, the input of the noisy activations (Bouthillier et al. 2015)."""

from noisejax import training


def get_config(data: str = "digits") -> training.Config:
    """Return the configuration for a data set, given as --config=FILE:DATA."""
    config = training.Config()
    config.data.name = data
    config.training.mode = "back_projection"
    return config
