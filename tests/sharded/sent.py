"""What a step of training sends between devices."""

import jax

from noisejax.training._phases import build_program
from noisejax.training._run import newest_state
from noisejax.training._workdir import RunFolder
from tests.sharded.traffic import traffic


def sent_per_step(config, dataset):
    """Kind -> bytes, of a step of the resident epoch; and those of the gradients."""
    config.data.stream = "resident"
    program = build_program(config, dataset)
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
