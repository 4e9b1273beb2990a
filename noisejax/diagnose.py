"""Measure a trained run: python -m noisejax.diagnose --checkpoint=RUN --workdir=D."""

from absl import flags

from noisejax import _commands, evaluators

CHECKPOINT = flags.DEFINE_string("checkpoint", None, "Run directory to measure.")
WORKDIR = flags.DEFINE_string(
    "workdir",
    None,
    "Directory for diagnose.json, diagnose.png and diagnose.pdf; created if missing.",
)
DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "TFDS data directory [~/tensorflow_datasets]."
)
SEED = flags.DEFINE_integer("seed", None, "Seed of the network [the first seed].")


def main() -> int:
    """Measure, and return exit code 1 if a measurement failed."""
    if not CHECKPOINT.value:
        raise ValueError("--checkpoint must name the directory of a run")
    if not WORKDIR.value:
        raise ValueError("--workdir must name the directory for the results")
    report = evaluators.diagnose(
        CHECKPOINT.value, WORKDIR.value, data_dir=DATA_DIR.value, seed=SEED.value
    )
    print(f"results in {WORKDIR.value}/diagnose.json, figures in diagnose.png")
    return evaluators.report_failures(report)


if __name__ == "__main__":
    _commands.run(main)
