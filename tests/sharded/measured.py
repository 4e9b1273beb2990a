"""One run of the table: trains, and prints what its compiled epoch sends."""

import contextlib
import json

import jax
import pytest
from absl import flags

from noisejax import _commands, training
from noisejax.training._examples import load_examples
from noisejax.training._phases import build_program
from noisejax.training._run import newest_state
from noisejax.training._workdir import RunFolder
from tests.sharded.traffic import traffic
from tests.training.stopping import stop_before_epoch

CONFIG = _commands.define_config()
WORKDIR = flags.DEFINE_string("workdir", None, "")
COORDINATOR = flags.DEFINE_string("coordinator", None, "")
PROCESS_ID = flags.DEFINE_integer("process_id", None, "")
STOP = flags.DEFINE_integer("stop", None, "Before this epoch.")


def main():
    if COORDINATOR.value:
        training.join_processes(COORDINATOR.value, 2, PROCESS_ID.value, timeout=60)
    config = _commands.config_of(CONFIG)
    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as stack:
        if STOP.value is not None:
            stop_before_epoch(patch, STOP.value)
            stack.enter_context(contextlib.suppress(training.TrainingStopped))
        training.train(config, WORKDIR.value, resume=True)
    print("sent:", json.dumps(sent_per_step(config)))


def sent_per_step(config):
    """Kind -> bytes, of a step of the resident epoch; and those of the gradients."""
    config.data.stream = "resident"
    program = build_program(config, load_examples(config))
    state = newest_state(program, RunFolder("/nowhere"))[0].state
    phase, train = program.phases[0], program.train
    compiled = phase.epoch.lower(
        state, train.x, train.y, phase.indices, program.seeds, 1
    ).compile()
    steps = phase.indices.shape[1] // config.training.batch_size
    found = traffic(compiled.as_text())
    return {
        "steps": steps,
        "gradients": sum(
            leaf[0].size * leaf.dtype.itemsize for leaf in jax.tree.leaves(state.params)
        ),
        "sent": {kind: size / steps for kind, size in found.items()},
    }
