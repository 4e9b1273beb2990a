"""Light dropout on all sites of a vision transformer."""

from noisejax import training


def get_config(data: str = "digits") -> training.Config:
    """Return the configuration for a data set, given as --config=FILE:DATA."""
    config = training.Config()
    config.data.name = data
    config.model.name, config.model.patch = "vit", 2
    config.optimizer.name, config.optimizer.learning_rate = "adamw", 0.001
    config.optimizer.warmup_epochs, config.optimizer.clip_norm = 5.0, 1.0
    config.noise.input_rate, config.noise.hidden_rate = 0.0, 0.1
    config.noise.attention_rate = config.noise.residual_rate = 0.1
    config.noise.path_rate = 0.1
    config.training.epochs = 60
    return config
