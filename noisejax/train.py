"""Train a network with noise:  python -m noisejax.train --workdir=DIR [--helpfull]."""

import os
import sys

from absl import flags

from noisejax import _commands, training

CONFIG = _commands.define_config()
WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run; created if missing.")
DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "TFDS data directory [~/tensorflow_datasets]."
)
RESUME = flags.DEFINE_bool(
    "resume",
    False,
    "Continue the run in the workdir, or start a run. Without a flag --config, the run "
    "continues with its recorded configuration.",
)
COORDINATOR = flags.DEFINE_string(
    "coordinator",
    None,
    "Address HOST:PORT of process 0, the same in all processes.",
)
NUM_PROCESSES = flags.DEFINE_integer("num_processes", None, "Number of processes.")
PROCESS_ID = flags.DEFINE_integer(
    "process_id", None, "Number of this process, counted from 0."
)
DISTRIBUTED = flags.DEFINE_bool(
    "distributed",
    False,
    "Join the processes that JAX detects (SLURM, Open MPI, Kubernetes, or TPUs).",
)
JOIN_TIMEOUT = flags.DEFINE_integer(
    "join_timeout", 300, "Seconds within which all processes must join."
)
flags.adopt_module_key_flags(_commands)  # so that --help shows the fields


def main() -> None:
    """Train, then print the test error and the folder of the results."""
    if not WORKDIR.value:
        raise ValueError("--workdir must name the folder of the run")
    processes = (COORDINATOR.value, NUM_PROCESSES.value, PROCESS_ID.value)
    if DISTRIBUTED.value or any(value is not None for value in processes):
        training.join_processes(*processes, timeout=JOIN_TIMEOUT.value)
    recorded = training.recorded_config(WORKDIR.value) if RESUME.value else None
    finished = RESUME.value and training.is_finished(WORKDIR.value)
    before = training.read_summary(WORKDIR.value) if finished else None
    try:
        summary = training.train(
            _commands.config_of(CONFIG, recorded=recorded),
            WORKDIR.value,
            data_dir=DATA_DIR.value,
            resume=RESUME.value,
        )
    except training.ProcessLost as error:
        # A clean exit would wait for the lost process.
        print(f"error: {error}", file=sys.stderr, flush=True)
        os._exit(_commands.EXIT_TRAINING_ERROR)
    if not training.is_first():
        return
    if summary == before:
        print("this run was finished already: nothing to do")
    error = f"test error {training.show_spread(summary['test_error_percent'])}"
    if "test_rmse" in summary:
        rmse = summary["test_rmse"]["mean"]
        error += f" of the targets' variance; RMSE {rmse:.4g} in their units"
    print(error)
    if "effective_samples" in summary:
        num_samples = summary["config"]["objective"]["num_samples"]
        effective = summary["effective_samples"]
        unit = f"of {num_samples} samples"
        print(f"effective {training.show_spread(effective, unit)} in the last epoch")
    print(f"{summary['seconds']:.1f} s; results in {WORKDIR.value}")


if __name__ == "__main__":
    _commands.run(main)
