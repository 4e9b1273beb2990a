"""The configuration of a run that names none."""

from noisejax import training


def get_config(variant: str | None = None) -> training.Config:
    """The defaults; there are no variants of them."""
    if variant is not None:
        raise ValueError(f"the default configuration has no variants, got {variant!r}")
    return training.Config()
