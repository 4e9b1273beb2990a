"""Which axes share a sample."""

from collections.abc import Sequence

from noisejax.noise._mask import Shape


def check_axes(axes: int | Sequence[int], *, name: str) -> tuple[int, ...]:
    """Returns axes as a tuple of ints, so that schemes hash; a lone int is one axis."""
    axes = (axes,) if isinstance(axes, int) else tuple(axes)
    if not all(isinstance(axis, int) for axis in axes):
        raise TypeError(f"{name} must be integers, got {axes!r}")
    return axes


def check_batch_dims(batch_dims: int) -> None:
    """Raises a ValueError unless `batch_dims` is an integer of at least 0."""
    if (
        not isinstance(batch_dims, int)
        or isinstance(batch_dims, bool)
        or batch_dims < 0
    ):
        raise ValueError(
            "batch_dims must be the number of leading batch axes, 0 or more, got "
            f"{batch_dims!r}"
        )


def share(shape: Shape, axes: tuple[int, ...]) -> tuple[int, ...]:
    """`shape` with size 1 along `axes`.

    Raises:
      ValueError: an axis that `shape` does not have.
    """
    shape = tuple(int(n) for n in shape)
    for axis in axes:
        if not -len(shape) <= axis < len(shape):
            raise ValueError(
                f"broadcast_dims names axis {axis}, but the array has {len(shape)} "
                f"axes: its shape is {shape}"
            )
    shared = {axis % len(shape) for axis in axes}
    return tuple(1 if i in shared else n for i, n in enumerate(shape))


def fit(small: Shape, shape: Shape, *, name: str) -> tuple[int, ...]:
    """`small` with leading axes of size 1, where it fits the last axes of `shape`.

    Raises:
      ValueError: it does not fit: an axis is neither `shape`'s nor 1.
    """
    missing = len(shape) - len(small)
    if missing < 0 or any(
        s not in (1, n) for s, n in zip(small, shape[missing:], strict=True)
    ):
        raise ValueError(
            f"{name} must have the shape of the last axes of {tuple(shape)}, such as "
            f"{tuple(shape[1:])} for one per unit or {tuple(shape[-1:])} for one per "
            f"feature; got {tuple(small)}"
        )
    return (1,) * missing + tuple(small)


def share_behind(shape: Shape, batch_dims: int) -> tuple[int, ...]:
    """`shape` with size 1 behind its batch axes.

    Raises:
      ValueError: `shape` has fewer axes.
    """
    shape = tuple(int(n) for n in shape)
    if batch_dims > len(shape):
        raise ValueError(
            f"batch_dims={batch_dims} exceeds the {len(shape)} axes of shape {shape}; "
            "inside vmap over examples use batch_dims=0"
        )
    return shape[:batch_dims] + (1,) * (len(shape) - batch_dims)
