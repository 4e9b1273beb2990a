"""One run of the table: trains, and prints the communication of an epoch."""

import contextlib
import json

import pytest
from absl import flags

from noisejax import _commands, training
from noisejax.training._examples import load_examples
from tests.sharded.sent import sent_per_step
from tests.training.stopping import stop_at_save

CONFIG = _commands.define_config()
WORKDIR = flags.DEFINE_string("workdir", None, "")
COORDINATOR = flags.DEFINE_string("coordinator", None, "")
PROCESS_ID = flags.DEFINE_integer("process_id", None, "")
STOP = flags.DEFINE_integer("stop", None, "After this number of checkpoints.")


def main():
    if COORDINATOR.value:
        training.join_processes(COORDINATOR.value, 2, PROCESS_ID.value, timeout=60)
    config = _commands.config_of(CONFIG)
    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as stack:
        if STOP.value is not None:
            stop_at_save(patch, STOP.value)
            stack.enter_context(contextlib.suppress(training.TrainingStopped))
        training.train(config, WORKDIR.value, resume=True)
    print("sent:", json.dumps(sent_per_step(config, load_examples(config))))
