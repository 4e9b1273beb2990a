"""Reaching the noise inside a model that is already written."""

import contextlib
import contextvars
import dataclasses
from collections.abc import Callable, Iterator

import jax
from flax import linen as nn

from noisejax import noise
from noisejax.layers._names import Patterns, as_patterns, check_matched, matches


@dataclasses.dataclass
class _Control:
    only: tuple[str, ...] | None
    off: tuple[str, ...]
    step: jax.typing.ArrayLike | None
    seen: set[str] = dataclasses.field(default_factory=set)

    def forces(self, path: str) -> bool | None:
        """`deterministic` for the layer at `path`; None leaves it to the layer."""
        self.seen.add(path)
        if matches(path, self.off):
            return True
        return None if self.only is None else not matches(path, self.only)


_CONTROL: contextvars.ContextVar[_Control | None] = contextvars.ContextVar(
    "noisejax_control", default=None
)


@contextlib.contextmanager
def control_noise(
    *,
    only: Patterns | None = None,
    off: Patterns = (),
    step: jax.typing.ArrayLike | None = None,
) -> Iterator[None]:
    """Within it, named layers of Linen models make noise alone, or are silent.

    It reaches noisejax's layers and `flax.linen.Dropout`, in any model, without passing
    arguments through it. Enter it inside the function that is jitted: like Flax's own
    `intercept_methods` it acts while a model is traced, and a compiled function does
    not look at it again. `functional` takes the same arguments and sees to that.

    Args:
      only: names of the layers that make noise, whatever the model tells them; all
        others are silent. Shell patterns on module paths, such as "Dropout_0" or
        "Block_*/Dropout_1"; the name of a module covers what is inside it.
      off: names of layers that are silent; the others do as the model tells them.
      step: the training step, for layers whose rate is a schedule.

    Yields:
      Nothing.

    Raises:
      ValueError: on leaving, where a name in `only` or `off` matched no noise layer
        that was called; those that were are listed.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from flax import linen as nn
      >>> from noisejax import layers
      >>> model = nn.Sequential([nn.Dropout(0.5, deterministic=False), nn.Dense(2)])
      >>> x, key = jnp.ones((1, 3)), jax.random.key(0)
      >>> params = model.init(key, x)
      >>> with layers.control_noise(off="layers_0"):
      ...     y = model.apply(params, x)  # needs no key
      >>> y.shape
      (1, 2)
    """
    control = _Control(
        None if only is None else as_patterns(only), as_patterns(off), step
    )
    token = _CONTROL.set(control)
    try:
        with nn.intercept_methods(_intercept_flax_dropout):
            yield
    finally:
        _CONTROL.reset(token)
    check_matched((control.only or ()) + control.off, control.seen)


def control_in_force() -> _Control | None:
    """The innermost `control_noise` that is entered."""
    return _CONTROL.get()


def controlled_deterministic(module: nn.Module, own: Callable[[], bool]) -> bool:
    """Whether a layer is silent: as the control in force says, else its own word."""
    control = control_in_force()
    forced = None if control is None else control.forces("/".join(module.path))
    return own() if forced is None else forced


def _intercept_flax_dropout(
    next_fun: Callable, args: tuple, kwargs: dict, context: nn.module.InterceptorContext
):
    module = context.module
    if not isinstance(module, nn.Dropout) or context.method_name != "__call__":
        return next_fun(*args, **kwargs)
    forced = control_in_force().forces("/".join(module.path))
    if forced is None:
        return next_fun(*args, **kwargs)
    inputs, rng = _inputs_and_rng(*args, **kwargs)
    if forced or module.rate == 0.0:
        return inputs
    key = module.make_rng(module.rng_collection) if rng is None else rng
    scheme = noise.Dropout(module.rate, broadcast_dims=module.broadcast_dims)
    return noise.apply(inputs, noise.sample_like(key, inputs, scheme))


def _inputs_and_rng(inputs, deterministic=None, rng=None):
    del deterministic  # overruled
    return inputs, rng
