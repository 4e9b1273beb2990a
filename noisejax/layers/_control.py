"""Switch the noise layers of a Linen model on or off by name."""

import contextlib
import contextvars
import dataclasses
import fnmatch
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import jax
from flax import linen as nn

Patterns: TypeAlias = str | Sequence[str]
"""Shell patterns on the paths of modules: "Block_0/Dropout_0", "Block_*/Dropout_1"."""


@dataclasses.dataclass
class Control:
    """The arguments of an entered `control_noise`, and the layers called within it."""

    only: tuple[str, ...] | None
    off: tuple[str, ...]
    step: jax.typing.ArrayLike | None
    seen: set[str] = dataclasses.field(default_factory=set)

    def deterministic(self, path: str) -> bool | None:
        """Return `deterministic` for a layer, or None if the layer decides."""
        self.seen.add(path)
        if matches(path, self.off):
            return True
        return None if self.only is None else not matches(path, self.only)


CONTROL: contextvars.ContextVar[Control | None] = contextvars.ContextVar(
    "noisejax_control", default=None
)
"""The innermost active `control_noise`."""


@contextlib.contextmanager
def control_noise(
    *,
    only: Patterns | None = None,
    off: Patterns = (),
    step: jax.typing.ArrayLike | None = None,
) -> Iterator[None]:
    """Switch noise layers of Linen models by name, and pass the step to schedules.

    This context manager controls the layers of noisejax and `flax.linen.Dropout`. Enter
    it inside the jitted function, because it acts while the model is traced, like
    `flax.linen.intercept_methods`. If contexts are nested, the innermost `only` and
    `off` apply. `functional` takes the same arguments.

    Args:
      only: names of the layers that make noise, even if the model makes them
        deterministic. All other layers are deterministic. Names are shell patterns on
        module paths, such as "Dropout_0" or "Block_*/Dropout_1". The name of a module
        also matches its submodules.
      off: names of deterministic layers. All other layers follow the model.
      step: training step, for layers whose level is a schedule.

    Yields:
      Nothing.

    Raises:
      ValueError: a name in `only` or `off` matches no noise layer that was called. The
        error is raised on exit and lists the layers that were called.

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
    outer = CONTROL.get()
    step = outer.step if step is None and outer is not None else step
    control = Control(None if only is None else as_tuple(only), as_tuple(off), step)
    token = CONTROL.set(control)
    try:
        with nn.intercept_methods(_control_flax_dropout):
            yield
    finally:
        CONTROL.reset(token)
    check_matched((control.only or ()) + control.off, control.seen)


def _control_flax_dropout(
    next_fun: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    context: nn.module.InterceptorContext,
) -> Any:
    """Override `deterministic` of Flax's dropout; a method interceptor."""
    module = context.module
    if not isinstance(module, nn.Dropout) or context.method_name != "__call__":
        return next_fun(*args, **kwargs)
    off = CONTROL.get().deterministic("/".join(module.path))
    if off is None:
        return next_fun(*args, **kwargs)
    arguments = dict(zip(("inputs", "deterministic", "rng"), args, strict=False))
    attribute = module.deterministic
    object.__setattr__(module, "deterministic", None)  # Flax refuses two values
    try:
        return next_fun(**arguments | kwargs | {"deterministic": off})
    finally:
        object.__setattr__(module, "deterministic", attribute)


def as_tuple(patterns: Patterns) -> tuple[str, ...]:
    """Return patterns as a tuple. A string is one pattern."""
    return (patterns,) if isinstance(patterns, str) else tuple(patterns)


def matches(path: str, patterns: Iterable[str]) -> bool:
    """Return True if a pattern matches the module at `path` or one of its parents."""
    return any(
        fnmatch.fnmatchcase(path, pattern) or fnmatch.fnmatchcase(path, pattern + "/*")
        for pattern in patterns
    )


def check_matched(patterns: Iterable[str], paths: Iterable[str]) -> None:
    """Raise a ValueError if a pattern matches none of the noise layers `paths`."""
    paths = sorted(paths)
    for pattern in patterns:
        if not any(matches(path, [pattern]) for path in paths):
            raise ValueError(
                f"{pattern!r} matches no noise layer; noise layers: {paths or 'none'}"
            )
