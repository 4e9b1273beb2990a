"""Trains a network with noise:  python -m noisejax.train --workdir=DIR [--helpfull]."""

from absl import flags

from noisejax import _commands, training

CONFIG = _commands.define_config()
WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run; created.")
DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "TFDS data directory [~/tensorflow_datasets]."
)
RESUME = flags.DEFINE_bool(
    "resume",
    False,
    "Continue the run in the workdir, or begin it. Its configuration need not be given "
    "again.",
)
flags.adopt_module_key_flags(_commands)  # so that --help shows the fields


def main() -> None:
    """Trains, and says what came out and where it lies."""
    if not WORKDIR.value:
        raise ValueError("--workdir must name the folder of the run")
    recorded = training.recorded_config(WORKDIR.value) if RESUME.value else None
    finished = RESUME.value and training.is_finished(WORKDIR.value)
    summary = training.train(
        _commands.config_of(CONFIG, recorded=recorded),
        WORKDIR.value,
        data_dir=DATA_DIR.value,
        resume=RESUME.value,
    )
    if finished:
        print("this run was finished already: nothing to do")
    print(f"test error {training.show_spread(summary['test_error_percent'])}")
    print(f"{summary['seconds']:.1f} s; results in {WORKDIR.value}")


if __name__ == "__main__":
    _commands.run(main)
