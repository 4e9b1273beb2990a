"""Four noise samples for each example, weighted by importance (Noh et al. 2017)."""

from noisejax import training


def get_config(data: str = "digits") -> training.Config:
    """Return the configuration for a data set, given as --config=FILE:DATA."""
    config = training.Config()
    config.data.name = data
    config.objective.num_samples = 4
    return config
