"""Shardings of batches, noise samples and seeds over the devices of a run.

The same program runs on one device and on many. The program constrains shardings, and
the compiler inserts the communication. Masks depend only on keys, not on the mesh. The
mesh changes sums over a batch only by rounding.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, PyTree

from noisejax.training._config import Config

DATA, SAMPLES = "data", "samples"


@dataclasses.dataclass(frozen=True)
class Placement:
    """Shardings of a run's arrays.

    Attributes:
      mesh: mesh with the axes "data" and "samples"; None for one device.
      splits_seeds: True if the axis "samples" shards the seeds, not the noise samples.
    """

    mesh: Mesh | None = None
    splits_seeds: bool = False

    @property
    def num_data(self) -> int:
        """Number of devices that share a batch."""
        return self.mesh.shape[DATA] if self.mesh else 1

    @property
    def seed_sharding(self) -> NamedSharding | None:
        """Sharding of arrays whose first axis is the seeds; None for one device."""
        return self.mesh and NamedSharding(self.mesh, self._seeds)

    @property
    def batch_sharding(self) -> NamedSharding | None:
        """Sharding of batches [(seeds,) steps, batch, ...]; None for one device."""
        seeds = [] if self.one_by_one else [SAMPLES if self.splits_seeds else None]
        return self.mesh and NamedSharding(self.mesh, PartitionSpec(*seeds, None, DATA))

    def replicate(self, tree: PyTree[Array]) -> PyTree[Array]:
        """Put the same arrays on every device."""
        return self._put(tree, PartitionSpec())

    def put_by_seed(self, tree: PyTree[Array]) -> PyTree[Array]:
        """Put arrays on the devices; the first axis is the seeds."""
        return self._put(tree, self._seeds)

    def keep_by_seed(self, tree: PyTree[Array]) -> PyTree[Array]:
        """Constrain arrays whose first axis is the seeds, in a compiled function."""
        return self._constrain(tree, self._seeds)

    def batch(self, tree: PyTree[Array]) -> PyTree[Array]:
        """Constrain a batch [batch, ...], in a compiled function."""
        return self._constrain(tree, PartitionSpec(DATA))

    def copies(self, tree: PyTree[Array]) -> PyTree[Array]:
        """Constrain a batch of S adjacent copies of each example."""
        if self.splits_seeds:
            return self.batch(tree)
        return self._constrain(tree, PartitionSpec((DATA, SAMPLES)))

    def samples(self, keys: PyTree[Array]) -> PyTree[Array]:
        """Constrain arrays whose first axis is the S noise samples."""
        return (
            keys if self.splits_seeds else self._constrain(keys, PartitionSpec(SAMPLES))
        )

    @property
    def _seeds(self) -> PartitionSpec:
        return PartitionSpec(SAMPLES) if self.splits_seeds else PartitionSpec()

    def _put(self, tree: PyTree[Array], spec: PartitionSpec) -> PyTree[Array]:
        if self.mesh is None:
            return tree
        sharding = NamedSharding(self.mesh, spec)
        if sharding.is_fully_addressable:
            return jax.device_put(tree, sharding)

        def put(leaf):  # every process has the whole array, and uses its part
            host = np.asarray(leaf)
            return jax.make_array_from_callback(
                host.shape, sharding, lambda index: host[index]
            )

        return jax.tree.map(put, tree)

    def _constrain(self, tree: PyTree[Array], spec: PartitionSpec) -> PyTree[Array]:
        if self.mesh is None:
            return tree
        return jax.lax.with_sharding_constraint(tree, NamedSharding(self.mesh, spec))

    @property
    def one_by_one(self) -> bool:
        """True if seeds run one after another, each with the program of one seed.

        On a CPU, vmap over seeds saves no time, and XLA fuses the program of several
        seeds differently, which changes the last bits.
        """
        return not self.splits_seeds and jax.default_backend() == "cpu"

    def over_seeds(
        self, function: Callable[..., Any], in_axes: Sequence[int | None]
    ) -> Callable[..., Any]:
        """Map a function of one seed over a group (see `split`), as vmap would."""
        if self.one_by_one:
            return function
        name = SAMPLES if self.splits_seeds else None
        return jax.vmap(function, in_axes, spmd_axis_name=name)

    def split(self, tree: PyTree[Array]) -> list[PyTree[Array]]:
        """Split arrays whose first axis is the seeds into groups that run together.

        A group is either one seed, without the axis of seeds, or all seeds. (A program
        that removed and restored the axis would copy the state at each step.)
        """
        return _unstack(tree) if self.one_by_one else [tree]

    def join(self, groups: Sequence[PyTree[Array]]) -> PyTree[Array]:
        """Join the groups of `split`."""
        return _stack(self, groups) if self.one_by_one else groups[0]


@jax.jit
def _unstack(tree: PyTree[Array]) -> list[PyTree[Array]]:
    count = len(jax.tree.leaves(tree)[0])
    return [jax.tree.map(lambda a, i=i: a[i], tree) for i in range(count)]


@functools.partial(jax.jit, static_argnums=0)
def _stack(placement: Placement, groups: Sequence[PyTree[Array]]) -> PyTree[Array]:
    tree = jax.tree.map(lambda *parts: jnp.stack(parts), *groups)
    return placement.keep_by_seed(tree)


ONE_DEVICE = Placement()


def build_placement(config: Config) -> Placement:
    """Build the mesh of a run.

    Raises:
      ValueError: the machine has too few devices, or the devices do not divide the
        batch, the samples or the seeds.
    """
    data, samples = config.mesh.data, config.mesh.samples
    if data * samples == 1 and jax.process_count() == 1:
        return ONE_DEVICE
    devices = jax.devices()
    for holds, message in _rules(config, len(devices), jax.process_count()):
        if not holds:
            raise ValueError(message)
    mesh = jax.make_mesh(
        (data, samples),
        (DATA, SAMPLES),
        axis_types=(AxisType.Auto,) * 2,
        devices=devices[: data * samples],
    )
    return Placement(mesh, samples > 1 and config.objective.num_samples == 1)


def _rules(config: Config, devices: int, processes: int) -> Iterator[tuple[bool, str]]:
    """Yield all rules of a mesh, as (holds, message)."""
    data, samples = config.mesh.data, config.mesh.samples
    training, objective = config.training, config.objective
    batch, parts = training.batch_size, training.microbatches
    yield (
        data * samples <= devices,
        "mesh.data x mesh.samples must not exceed the number of devices; got "
        f"{data} x {samples} for {devices} devices "
        "(XLA_FLAGS=--xla_force_host_platform_device_count=8 makes eight of a CPU)",
    )
    yield (
        data * samples == devices or processes == 1,
        "several processes use all their devices: mesh.data x mesh.samples must be "
        f"{devices}, those of {processes} processes; got {data} x {samples}",
    )
    yield (
        batch % data == 0,
        f"training.batch_size must be a multiple of mesh.data; got {batch} and {data}",
    )
    yield (
        batch // parts % data == 0,
        "a microbatch (training.batch_size / training.microbatches) must be a multiple "
        f"of mesh.data; got {batch} / {parts} and {data}",
    )
    if objective.num_samples == 1:
        yield (
            training.num_seeds % samples == 0,
            "with one noise sample, mesh.samples shards the seeds: training.num_seeds "
            f"must be a multiple of it; got {training.num_seeds} and {samples}",
        )
    elif samples > 1:
        yield (
            objective.num_samples % samples == 0,
            "objective.num_samples must be a multiple of mesh.samples; got "
            f"{objective.num_samples} and {samples}",
        )
        yield (
            objective.strategy == "fold",
            "mesh.samples shards the noise samples of objective.strategy=fold only; "
            f"got {objective.strategy!r}",
        )
