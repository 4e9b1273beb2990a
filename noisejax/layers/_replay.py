"""Recording and replaying samples of Linen layers, in the collection "noise".

Present in the variables: replayed. Recorded: only where a caller asks for the
collection by name, `apply(..., mutable=["noise"])`; never while initialising and never
by `mutable=True`, or `init` would freeze the mask for every later call. (Inside a
lifted transform Flax does not tell which of the two was asked; there too `init` is
safe.)
"""

import dataclasses
from collections.abc import Collection

from flax import linen as nn

from noisejax import noise

COLLECTION = "noise"
_NAME = "sample"


@dataclasses.dataclass
class _Calls:
    """What a bound module remembers: `apply` binds a fresh copy of it."""

    replaying: bool
    count: int = 0


def replayed_sample(module: nn.Module) -> noise.Sample | None:
    """The sample to replay in this call of `module`, None where there is none.

    Raises:
      ValueError: more calls than samples; a lifted module called a second time while
        recording, whose calls cannot be told apart.
    """
    calls = _calls(module)
    if not calls.replaying:
        return None
    samples = module.get_variable(COLLECTION, _NAME)
    samples = (samples,) if isinstance(samples, noise.Sample) else tuple(samples)
    if calls.count >= len(samples):
        raise ValueError(
            f"call {calls.count + 1} of {_path(module)}: the collection '{COLLECTION}' "
            f"holds {len(samples)} sample(s) for it; record all calls with "
            f"mutable=['{COLLECTION}'], or pass a tuple of samples in call order"
        )
    return samples[calls.count]


def count_call(module: nn.Module, sample: noise.Sample) -> None:
    """Notes a call of `module`, and its sample where a caller asked for it by name."""
    calls = _calls(module)
    if not calls.replaying and _is_recording(module):
        recorded = module.get_variable(COLLECTION, _NAME) if calls.count else ()
        module.put_variable(COLLECTION, _NAME, (*recorded, sample))
    calls.count += 1


def _calls(module: nn.Module) -> _Calls:
    """The calls of `module` in this apply."""
    if "_noise_calls" not in module.__dict__:
        replaying = module.has_variable(COLLECTION, _NAME)
        # A lifted transform makes a fresh copy for each call, whose scope shares the
        # counters of keys with the others: a sample and a drawn key mean an earlier
        # call.
        if replaying and module.scope.rng_counters.get(module.rng_collection, 0):
            raise ValueError(
                f"{_path(module)} makes noise a second time: inside a lifted transform "
                "(nn.remat, nn.jit, ...) a module may be called once per apply when "
                "its noise is recorded; make one module per call"
            )
        module.__dict__["_noise_calls"] = _Calls(replaying)
    return module.__dict__["_noise_calls"]


def _is_recording(module: nn.Module) -> bool:
    asked = module.scope.root.mutable
    if isinstance(asked, str):
        asked = (asked,)
    by_name = isinstance(asked, Collection) and COLLECTION in asked
    return by_name and not module.is_initializing()


def _path(module: nn.Module) -> str:
    return "/".join(module.path) or type(module).__name__
