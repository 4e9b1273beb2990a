"""Random dropout: a noise level per layer and example (Bouthillier et al. 2015)."""

from noisejax import training


def get_config(data: str = "digits") -> training.Config:
    """Return the configuration for a data set, given as --config=FILE:DATA."""
    config = training.Config()
    config.data.name = data
    config.noise.scheme = "random_dropout"
    config.noise.input_rate, config.noise.hidden_rate = 0.4, 0.8
    return config
