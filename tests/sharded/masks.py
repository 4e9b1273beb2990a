"""Draws masks on the devices of all processes and prints their hashes."""

import dataclasses
import json

import jax
from absl import flags
from jax.experimental import multihost_utils
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from noisejax import _commands as _commands
from noisejax import training
from tests import golden

COORDINATOR = flags.DEFINE_string("coordinator", None, "")
PROCESS_ID = flags.DEFINE_integer("process_id", None, "")


def main():
    if COORDINATOR.value:
        training.join_processes(COORDINATOR.value, 2, PROCESS_ID.value, timeout=60)
    n = jax.device_count()
    mesh = jax.make_mesh((n,), ("data",), axis_types=(AxisType.Auto,))
    sharding = NamedSharding(mesh, PartitionSpec("data"))
    replicate = jax.jit(
        lambda mask: mask, out_shardings=NamedSharding(mesh, PartitionSpec())
    )
    found = {}
    for name, scheme in golden.SCHEMES.items():
        sample = scheme.sample(
            jax.random.key(2015), golden.SHAPE, out_sharding=sharding
        )
        sample = dataclasses.replace(sample, mask=replicate(sample.mask))
        found[name] = golden.digest(sample)
    # A process that outlives the coordinator is aborted, with what it has buffered.
    print("masks:", json.dumps([n, found]), flush=True)
    multihost_utils.sync_global_devices("masks are printed")
