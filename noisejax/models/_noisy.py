"""A noisy place in a network: a shift and a sample where they are asked for."""

from jaxtyping import Array, Float

from noisejax import layers, noise


def make_noisy(
    x: Float[Array, "*shape"],
    scheme: noise.Scheme | None,
    shift: bool | str,
    *,
    name: str,
    train: bool,
) -> Float[Array, "*shape"]:
    """Adds a `layers.Noise` to the module whose compact method calls this.

    Args:
      x: activities, channels last.
      scheme: of the noise; None: none.
      shift: as in `layers.Noise`, one per unit or feature map.
      name: of the layer.
      train: whether noise is made.

    Returns:
      Noisy activities; x itself where neither noise nor a shift is asked for.
    """
    if scheme is None and not shift:
        return x
    scheme = noise.Dropout(0.0) if scheme is None else scheme
    return layers.Noise(scheme, shift, name=name)(x, deterministic=not train)


def check_places(schemes: tuple, places: int, what: str) -> tuple:
    """One scheme per hidden place; () means that none makes noise.

    Raises:
      ValueError: another number of schemes.
    """
    if schemes and len(schemes) != places:
        raise ValueError(
            f"hidden_noise must be one scheme per {what}, got {len(schemes)} for "
            f"{places}"
        )
    return tuple(schemes) or (None,) * places
