"""The same function for all seeds, in one program."""

from collections.abc import Callable, Sequence

import jax
from jax import lax

from noisejax.training._mesh import ONE_DEVICE, SAMPLES, Placement


def over_seeds(
    function: Callable,
    in_axes: Sequence[int | None],
    placement: Placement = ONE_DEVICE,
) -> Callable:
    """Maps a function over seeds, so that each comes out as it would alone.

    On a CPU by a loop: vmap gains nothing there, and XLA fuses a program of several
    seeds otherwise than a program of one, which shows in the last bit. Elsewhere by
    vmap, as also where devices share the seeds.

    Args:
      function: of one seed.
      in_axes: of its arguments: 0 where they lead with the seeds, None where they are
        shared.
      placement: of what leads with the seeds.
    """
    if placement.splits_seeds:
        return jax.vmap(function, in_axes, spmd_axis_name=SAMPLES)
    if jax.default_backend() != "cpu":
        return jax.vmap(function, in_axes)

    def loop(*arguments):
        def body(own):
            own = iter(own)
            return function(
                *(
                    shared if axis is None else next(own)
                    for shared, axis in zip(arguments, in_axes, strict=True)
                )
            )

        return lax.map(
            body, [a for a, axis in zip(arguments, in_axes, strict=True) if axis == 0]
        )

    return loop
