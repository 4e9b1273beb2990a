"""Batches of an epoch, from examples on the device or on the host.

Batches depend only on seed, epoch and step, so a resumed run continues with the same
batches. Grain prefetches examples from the host. Each process reads only the rows of
its local devices.
"""

import dataclasses
import functools
import operator
from collections.abc import Iterator, Sequence

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp
from jax.sharding import NamedSharding
from jaxtyping import Array, Float, Int, UInt8

from noisejax import data
from noisejax.training._mesh import Placement
from noisejax.training._processes import gather, on_host
from noisejax.training._state import seed_key, step_key

PREFETCH = 2
"""Number of calls whose batches are prefetched."""

THREADS = 2
"""Number of threads that read streamed batches."""

SHARE = 0.5
"""Largest fraction of a device's memory that resident examples may use."""

Calls = Sequence[tuple[int, int]]
"""(first step, number of steps) of each compiled call of an epoch."""


def is_streamed(stream: str, dataset: data.Dataset, *, mode: str) -> bool:
    """Return True if examples stay on the host. Only the mode "noise" can stream.

    A device that does not report its memory, such as a CPU, is assumed to have enough.
    All processes stream if one process has too little memory.
    """
    if stream != "auto":
        return stream == "stream"
    limit = (jax.local_devices()[0].memory_stats() or {}).get("bytes_limit")
    size = dataset.train_x.nbytes + dataset.test_x.nbytes
    fits = limit is None or size <= SHARE * limit
    return any(gather(not fits and mode == "noise"))


def to_float(
    x: UInt8[Array, "..."] | Float[Array, "..."], *, inverted: bool
) -> Float[Array, "..."]:
    """Convert examples to network inputs: pixels in [0, 1], optionally inverted."""
    if x.dtype == jnp.uint8:
        x = x.astype(jnp.float32) * (1 / 255)
    return 1.0 - x if inverted else x


def prepare_inputs(
    x: UInt8[Array, "batch ..."] | Float[Array, "batch ..."],
    seed: Int[Array, ""],
    epoch: Int[Array, ""],
    step: Int[Array, ""],
    *,
    inverted: bool = False,
    augment: bool = False,
) -> Float[Array, "batch ..."]:
    """Convert the examples of a step to network inputs, optionally augmented."""
    examples = to_float(x, inverted=inverted)
    if augment:
        return data.augment(step_key(seed, epoch, step, "augmentation"), examples)
    return examples


@functools.partial(jax.jit, static_argnames="batch_size")
def epoch_rows(
    indices: Int[Array, "*seeds n"],
    seeds: Int[Array, "*seeds"],
    epoch: Int[Array, ""],
    *,
    batch_size: int,
) -> Int[Array, "*seeds steps batch"]:
    """Draw the examples of each step; an incomplete last batch is dropped."""

    def one_seed(indices, seed):
        key = jax.random.fold_in(seed_key(seed, "order"), epoch)
        steps = indices.shape[0] // batch_size
        order = jax.random.permutation(key, indices)[: steps * batch_size]
        return order.reshape(steps, batch_size)

    return jnp.vectorize(one_seed, signature="(n),()->(s,b)")(indices, seeds)


@functools.partial(jax.jit, static_argnames="batch_size")
def rows_in_order(
    indices: Int[Array, "*seeds n"], *, batch_size: int
) -> Int[Array, "*seeds steps batch"]:
    """Split examples into batches, in order; the last batch is padded."""
    *seeds, n = indices.shape
    padded = jnp.pad(indices, [(0, 0)] * len(seeds) + [(0, -n % batch_size)])
    return padded.reshape(*seeds, -1, batch_size)


def all_rows(seeds: int, n: int) -> Int[np.ndarray, "seeds n"]:
    """Return the indices of all n rows, for each seed."""
    return np.broadcast_to(np.arange(n, dtype=np.int32), (seeds, n))


def plan_calls(
    steps: int, steps_per_call: int, begin: int = 0
) -> list[tuple[int, int]]:
    """Group the steps of an epoch, from step `begin`, into compiled calls.

    Calls begin at multiples of `steps_per_call`. A run that resumes at the end of a
    call therefore makes the same calls as an uninterrupted run.
    """
    ends = [*range(0, steps, steps_per_call), steps]
    edges = [begin, *(end for end in ends if end > begin)]
    return [(a, b - a) for a, b in zip(edges, edges[1:], strict=False)]


@dataclasses.dataclass(frozen=True)
class Batches:
    """Batches of all seeds, or of one group of seeds (see `split`).

    Attributes:
      x: examples on the device; NumPy arrays are streamed from the host.
      y: labels, on the same device as x.
      indices: indices of the examples that each seed trains on.
      seeds: seeds of the order and of the noise.
      batch_size: number of examples per step.
      placement: sharding of the batches and the seeds.
      by_seed: True if the first axis of x and y is the seeds; not for streaming.
    """

    x: Array | np.ndarray
    y: Array | np.ndarray
    indices: Int[Array, "*seeds n"]
    seeds: Int[Array, "*seeds"]
    batch_size: int
    placement: Placement
    by_seed: bool = False

    @property
    def steps(self) -> int:
        """Number of steps of an epoch."""
        return self.indices.shape[-1] // self.batch_size

    @property
    def is_streamed(self) -> bool:
        """True if the examples are streamed from the host."""
        return isinstance(self.x, np.ndarray)

    def split(self) -> list["Batches"]:
        """Split into groups of seeds that run together."""
        arrays = {"indices": self.indices, "seeds": self.seeds}
        if self.by_seed:
            arrays |= {"x": self.x, "y": self.y}
        groups = self.placement.split(arrays)
        return [dataclasses.replace(self, **group) for group in groups]

    def rows(self, epoch: int) -> Int[Array, "*seeds steps batch"]:
        """Draw the examples of each step of an epoch, counted over phases."""
        number = np.int32(epoch)
        return epoch_rows(self.indices, self.seeds, number, batch_size=self.batch_size)

    def read(self, epoch: int, calls: Calls) -> Iterator[tuple[Array, Array]]:
        """Yield x and y [(seeds,) K, batch, ...] of the K steps of each call."""
        return read_rows(
            (self.x, self.y),
            self.rows(epoch),
            calls,
            sharding=self.placement.batch_sharding,
            by_seed=self.by_seed,
        )


def read_rows(
    arrays: Sequence[Array | np.ndarray],
    rows: Int[Array, "*seeds steps batch"],
    calls: Calls,
    *,
    sharding: NamedSharding | None = None,
    by_seed: bool = False,
) -> Iterator[tuple[Array, ...]]:
    """Yield the rows of each call as arrays on the devices; see `Batches`."""
    if isinstance(arrays[0], np.ndarray):
        yield from _stream(arrays, on_host(rows), calls, sharding)
        return
    for first, count in calls:
        yield _take(arrays, rows, np.int32(first), count, by_seed, sharding)


@functools.partial(jax.jit, static_argnums=(3, 4, 5))
def _take(arrays, rows, first, count, by_seed, sharding):
    chosen = lax.dynamic_slice_in_dim(rows, first, count, axis=rows.ndim - 2)
    take = operator.getitem
    if by_seed and rows.ndim > 2:
        take = jax.vmap(take)
    batch = tuple(take(array, chosen) for array in arrays)
    return lax.with_sharding_constraint(batch, sharding) if sharding else batch


def _stream(arrays, rows, calls, sharding) -> Iterator[tuple[Array, ...]]:
    import grain  # slow to import, needed for streaming only

    options = grain.ReadOptions(num_threads=THREADS, prefetch_buffer_size=PREFETCH)
    source = _Source(arrays, rows, calls, sharding)
    yield from grain.MapDataset.source(source).to_iter_dataset(options)


class _Source:
    """Grain source whose element i is the batches of call i, on the devices."""

    def __init__(
        self,
        arrays: Sequence[np.ndarray],
        rows: Int[np.ndarray, "*seeds steps batch"],
        calls: Calls,
        sharding: NamedSharding | None,
    ):
        self._arrays, self._rows = arrays, rows
        self._calls, self._sharding = calls, sharding

    def __len__(self) -> int:
        return len(self._calls)

    def __getitem__(self, i: int) -> tuple[Array, ...]:
        first, count = self._calls[i]
        rows = self._rows[..., first : first + count, :]

        def put(array):
            if self._sharding is None:
                return jax.device_put(array[rows])

            def read(index):
                return array[rows[index[: rows.ndim]]]

            shape = rows.shape + array.shape[1:]
            return jax.make_array_from_callback(shape, self._sharding, read)

        return tuple(put(array) for array in self._arrays)
