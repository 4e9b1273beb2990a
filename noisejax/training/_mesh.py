"""Over which devices a run's arrays lie: batches, noise samples, seeds.

The program is the same on one device and on many: shardings are asked for, and the
compiler moves what must move. Masks are functions of keys alone, so that they do not
depend on the mesh; sums over a batch do, to the order of the additions.
"""

import dataclasses
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, PyTree

from noisejax.training._config import Config

DATA, SAMPLES = "data", "samples"


@dataclasses.dataclass(frozen=True)
class Placement:
    """Where arrays lie.

    Attributes:
      mesh: of the axes "data" and "samples"; None: one device.
      splits_seeds: whether the axis "samples" shares the seeds, not the noise samples.
    """

    mesh: Mesh | None = None
    splits_seeds: bool = False

    def everywhere(self, tree: PyTree[Array]) -> PyTree[Array]:
        """Puts the same on every device."""
        return self._put(tree, PartitionSpec())

    def by_seed(self, tree: PyTree[Array]) -> PyTree[Array]:
        """Puts what leads with the seeds where they are trained."""
        return self._put(tree, self._seeds)

    @property
    def sharding_by_seed(self) -> NamedSharding | None:
        """Of what leads with the seeds; None: one device."""
        return self.mesh and NamedSharding(self.mesh, self._seeds)

    @property
    def sharding_of_batches(self) -> NamedSharding | None:
        """Of batches that lead with the seeds, likewise."""
        return self.mesh and NamedSharding(
            self.mesh, PartitionSpec(SAMPLES if self.splits_seeds else None, DATA)
        )

    @property
    def num_data(self) -> int:
        """Devices that share a batch."""
        return self.mesh.shape[DATA] if self.mesh else 1

    def keep_by_seed(self, tree: PyTree[Array]) -> PyTree[Array]:
        """The same within a compiled function."""
        return self._constrain(tree, self._seeds)

    def batch(self, tree: PyTree[Array]) -> PyTree[Array]:
        """Shares a batch among devices, within a compiled function."""
        return self._constrain(tree, PartitionSpec(DATA))

    def copies(self, tree: PyTree[Array]) -> PyTree[Array]:
        """Shards a batch of S copies of each example, which lie beside each other."""
        if self.splits_seeds:
            return self.batch(tree)
        return self._constrain(tree, PartitionSpec((DATA, SAMPLES)))

    @property
    def _seeds(self) -> PartitionSpec:
        return PartitionSpec(SAMPLES) if self.splits_seeds else PartitionSpec()

    def _put(self, tree: PyTree[Array], spec: PartitionSpec) -> PyTree[Array]:
        if self.mesh is None:
            return tree
        sharding = NamedSharding(self.mesh, spec)
        if sharding.is_fully_addressable:
            return jax.device_put(tree, sharding)

        def put(leaf):  # every process has the whole, and cuts out its own part
            host = np.asarray(leaf)
            return jax.make_array_from_callback(
                host.shape, sharding, lambda index: host[index]
            )

        return jax.tree.map(put, tree)

    def _constrain(self, tree: PyTree[Array], spec: PartitionSpec) -> PyTree[Array]:
        if self.mesh is None:
            return tree
        return jax.lax.with_sharding_constraint(tree, NamedSharding(self.mesh, spec))


ONE_DEVICE = Placement()


def build_placement(config: Config) -> Placement:
    """The devices that a configuration asks for.

    Raises:
      ValueError: there are fewer, or they cannot share the batch, the samples, or the
        seeds evenly.
    """
    data, samples = config.mesh.data, config.mesh.samples
    if data * samples == 1 and jax.process_count() == 1:
        return Placement()
    devices = jax.devices()
    _check(config, len(devices))
    mesh = jax.make_mesh(
        (data, samples),
        (DATA, SAMPLES),
        axis_types=(AxisType.Auto,) * 2,
        devices=devices[: data * samples],
    )
    return Placement(
        mesh,
        splits_seeds=samples > 1 and config.objective.num_samples == 1,
    )


def _check(config: Config, there: int) -> None:
    mesh, objective, training = config.mesh, config.objective, config.training
    asked = mesh.data * mesh.samples
    rules: list[tuple[bool, str, Any]] = [
        (
            asked <= there,
            "mesh.data x mesh.samples devices must be there",
            f"{mesh.data} x {mesh.samples} asked for, {there} there "
            "(XLA_FLAGS=--xla_force_host_platform_device_count=8 makes eight of a CPU)",
        ),
        (
            asked == there or jax.process_count() == 1,
            "several processes use all their devices: mesh.data x mesh.samples must be "
            f"{there}, those of {jax.process_count()} processes",
            f"got {mesh.data} x {mesh.samples}",
        ),
        (
            training.batch_size % mesh.data == 0,
            "training.batch_size must be a multiple of mesh.data",
            f"got {training.batch_size} and {mesh.data}",
        ),
        (
            training.batch_size // training.microbatches % mesh.data == 0,
            "a microbatch (training.batch_size / training.microbatches) must be a "
            "multiple of mesh.data",
            f"got {training.batch_size} / {training.microbatches} and {mesh.data}",
        ),
    ]
    if mesh.samples > 1 and objective.num_samples > 1:
        rules += [
            (
                objective.num_samples % mesh.samples == 0,
                "objective.num_samples must be a multiple of mesh.samples",
                f"got {objective.num_samples} and {mesh.samples}",
            ),
            (
                objective.strategy == "fold",
                "noise samples are shared among devices by objective.strategy=fold",
                f"got {objective.strategy!r}",
            ),
        ]
    elif mesh.samples > 1:
        rules.append(
            (
                training.num_seeds % mesh.samples == 0,
                "with one noise sample, mesh.samples shares the seeds: "
                "training.num_seeds must be a multiple of it",
                f"got {training.num_seeds} and {mesh.samples}",
            )
        )
    for holds, rule, got in rules:
        if not holds:
            raise ValueError(f"{rule}; {got}")
