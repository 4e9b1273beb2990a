"""Record and replay samples of Linen layers, in the collection "noise".

A layer replays the samples that the variables contain for this layer. A layer records
samples only if the caller names the collection: `apply(..., mutable=["noise"])`. It
does not record during `init` or with `mutable=True`, because the recorded mask would
then be replayed in all later calls.
"""

import dataclasses
from collections.abc import Collection

from flax import linen as nn

from noisejax import noise

COLLECTION = "noise"


@dataclasses.dataclass
class Calls:
    """The calls of one bound module; each `apply` binds a new copy of the module."""

    module: nn.Module
    replayed: tuple[noise.Sample, ...] | None
    records: bool
    count: int = 0

    def next_sample(self) -> noise.Sample | None:
        """Return the sample to replay in this call, or None to draw one.

        Raises:
          ValueError: the module is called more often than it has samples.
        """
        if self.replayed is None:
            return None
        if self.count >= len(self.replayed):
            raise ValueError(
                f"call {self.count + 1} of {_path(self.module)}: the collection "
                f"'{COLLECTION}' holds {len(self.replayed)} sample(s) for it; record "
                f"all calls with mutable=['{COLLECTION}'], or pass a tuple of samples "
                "in call order"
            )
        return self.replayed[self.count]

    def note(self, sample: noise.Sample) -> None:
        """Count a call, and record its sample if the caller requested it."""
        if self.records:
            earlier = self.module.get_variable(COLLECTION, "sample", ())
            self.module.put_variable(COLLECTION, "sample", (*earlier, sample))
        self.count += 1


def calls_of(module: nn.Module) -> Calls:
    """Return the calls of `module` in this apply.

    Raises:
      ValueError: a lifted module is called a second time while recording. A lifted
        transform copies the module for each call, so that its calls look alike.
    """
    if "_noise_calls" in module.__dict__:
        return module.__dict__["_noise_calls"]
    replayed = module.get_variable(COLLECTION, "sample")
    # The copies share key counters: a sample and a drawn key mean a second call.
    if replayed is not None and module.scope.rng_counters.get(module.rng_collection, 0):
        raise ValueError(
            f"{_path(module)} makes noise a second time: inside a lifted transform "
            "(nn.remat, nn.jit, ...) a module may be called once per apply when its "
            "noise is recorded; make one module per call"
        )
    if isinstance(replayed, noise.Sample):
        replayed = (replayed,)
    mutable = module.scope.root.mutable
    names = (mutable,) if isinstance(mutable, str) else mutable
    by_name = isinstance(names, Collection) and COLLECTION in names
    records = replayed is None and by_name and not module.is_initializing()
    calls = Calls(module, replayed, records)
    module.__dict__["_noise_calls"] = calls
    return calls


def _path(module: nn.Module) -> str:
    return "/".join(module.path) or type(module).__name__
