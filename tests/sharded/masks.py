"""Masks drawn over the devices of all processes: prints a hash of each, in one line."""

import json

import jax
from absl import flags
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from noisejax import _commands as _commands
from noisejax import training
from noisejax.training._processes import on_host
from tests import golden

COORDINATOR = flags.DEFINE_string("coordinator", None, "")
PROCESS_ID = flags.DEFINE_integer("process_id", None, "")


def main():
    if COORDINATOR.value:
        training.join_processes(COORDINATOR.value, 2, PROCESS_ID.value, timeout=60)
    n = jax.device_count()
    mesh = jax.make_mesh((n,), ("data",), axis_types=(AxisType.Auto,))
    sharding = NamedSharding(mesh, PartitionSpec("data"))
    found = {}
    for name, scheme in golden.SCHEMES.items():
        sample = scheme.sample(
            jax.random.key(2015), golden.SHAPE, out_sharding=sharding
        )
        found[name] = golden.digest(on_host(sample))
    print("masks:", json.dumps([n, found]))
