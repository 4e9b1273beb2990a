"""Default configuration, used if --config is not given."""

from noisejax import training


def get_config(variant: str | None = None) -> training.Config:
    """The default configuration; it has no variants."""
    if variant is not None:
        raise ValueError(f"the default configuration has no variants, got {variant!r}")
    return training.Config()
