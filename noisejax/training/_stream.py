"""Batches that stay on the host until their step: read ahead by grain.

A batch is a function of seed, epoch and step, by the same permutation as where all
examples lie on the device: a run that goes on at an epoch sees what it would have seen.
Each process reads the rows of its own devices, and no others.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp
from jax.sharding import NamedSharding
from jaxtyping import Array, Int

from noisejax import data
from noisejax.training._config import Config
from noisejax.training._processes import gather

AHEAD = 4
"""Batches that are read before they are asked for."""

THREADS = 2
"""That read them."""

SHARE = 0.5
"""Of a device's memory, that examples may take before they stay on the host."""


def is_streamed(config: Config, dataset: data.Dataset | data.SoftTargets) -> bool:
    """Whether examples stay on the host: as asked for; else where they take too much.

    A device that does not tell its memory (a CPU) is taken to have enough. Processes
    stream together: one that must makes all.
    """
    if config.data.stream != "auto":
        return config.data.stream == "stream"
    stats = jax.local_devices()[0].memory_stats() or {}
    limit = stats.get("bytes_limit")
    size = dataset.train_x.nbytes + dataset.test_x.nbytes
    in_reach = limit is None or size <= SHARE * limit
    return any(gather(not in_reach and config.training.mode == "noise"))


def stream_batches(
    arrays: Sequence[np.ndarray],
    rows: Int[np.ndarray, "seeds steps batch"],
    sharding: NamedSharding | None,
) -> Iterator[tuple[Array, ...]]:
    """The batches of all steps, on the devices; read ahead in threads.

    Args:
      arrays: examples [n, ...], on the host.
      rows: of each step's batch, for each seed.
      sharding: of a batch [seeds, batch, ...] over its first two axes; None: one
        device.

    Yields:
      For every array [seeds, batch, ...].
    """
    import grain  # slow to import: only where examples are streamed

    source = _Batches(arrays, rows, sharding)
    options = grain.ReadOptions(num_threads=THREADS, prefetch_buffer_size=AHEAD)
    for blocks in grain.MapDataset.source(source).to_iter_dataset(options):
        yield tuple(source.place(*pair) for pair in enumerate(blocks))


class _Batches:
    """What grain reads: the i-th element is the i-th batch, as blocks of rows.

    A block is what one device holds; devices that hold the same share it.
    """

    def __init__(
        self,
        arrays: Sequence[np.ndarray],
        rows: Int[np.ndarray, "seeds steps batch"],
        sharding: NamedSharding | None,
    ):
        """Reads nothing."""
        self._arrays = arrays
        self._rows = rows.swapaxes(0, 1)
        self._sharding = sharding
        shape = self._rows.shape[1:]
        indices = [(slice(None), slice(None))]
        if sharding is not None:
            indices = list(sharding.addressable_devices_indices_map(shape).values())
        self._parts = {_bounds(index, shape): index for index in indices}

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, i: int) -> list[list[np.ndarray]]:
        rows = self._rows[i]
        return [
            [array[rows[index]] for index in self._parts.values()]
            for array in self._arrays
        ]

    def place(self, number: int, blocks: list[np.ndarray]) -> Array:
        """Puts the blocks of an array on this process's devices, as parts of one."""
        if self._sharding is None:
            return jnp.asarray(blocks[0])
        batch = self._rows.shape[1:]
        by_bounds = dict(zip(self._parts, blocks, strict=True))
        return jax.make_array_from_callback(
            (*batch, *self._arrays[number].shape[1:]),
            self._sharding,
            lambda index: by_bounds[_bounds(index, batch)],
        )


def _bounds(index: tuple[slice, ...], shape: tuple[int, ...]) -> tuple[Any, ...]:
    """Of the first two axes, which alone are divided."""
    return tuple(s.indices(n)[:2] for s, n in zip(index, shape, strict=False))
