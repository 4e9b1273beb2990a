"""Communication between devices in a training step."""

import jax
import numpy as np

from noisejax.training._files import RunFolder
from noisejax.training._program import build_program
from noisejax.training._run import newest_state
from tests.sharded.traffic import traffic


def compile_step(config, dataset):
    """Return the state of a run, and its compiled call of a single step."""
    config.data.stream = "resident"
    program = build_program(config, dataset)
    state = newest_state(program, RunFolder("/nowhere"), {})[0].state
    [phase] = program.phases
    calls = [(0, 1)]
    [batches], [group] = phase.batches.split(), program.placement.split(state)
    x, y = next(batches.read(1, calls))
    numbers = np.int32(1), np.int32(0)
    lowered = phase.steps.call.lower(group, x, y, batches.seeds, *numbers)
    return state, lowered.compile()


def sent_per_step(config, dataset):
    """Return the bytes of a step by kind of collective, and those of the gradients."""
    state, compiled = compile_step(config, dataset)
    return {
        "gradients": sum(
            leaf[0].size * leaf.dtype.itemsize for leaf in jax.tree.leaves(state.params)
        ),
        "sent": traffic(compiled.as_text()),
    }
