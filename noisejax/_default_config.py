"""Default configuration, used when --config is not given."""

from noisejax import training


def get_config(variant: str | None = None) -> training.Config:
    """Return the default configuration, which has no variants."""
    if variant is not None:
        raise ValueError(f"the default configuration has no variants, got {variant!r}")
    return training.Config()
