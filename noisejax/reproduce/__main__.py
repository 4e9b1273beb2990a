"""Command that reproduces a table or figure: python -m noisejax.reproduce --list."""

import pathlib
import sys

from absl import flags

from noisejax import _commands, reproduce

LIST = flags.DEFINE_bool("list", False, "List the experiments, one per line.")
EXPERIMENT = flags.DEFINE_string(
    "experiment", None, "Name of the experiment; see --list."
)
SCALE = flags.DEFINE_string(
    "scale",
    "short",
    "smoke (seconds, generated data), short (the most honest version for two cores), "
    "or paper (the paper's protocol, for an accelerator).",
)
CLAIMS = flags.DEFINE_string(
    "claims",
    None,
    "Directory with the results of experiments. Print all claims with their verdicts.",
)
WORKDIR = flags.DEFINE_string(
    "workdir", None, "Directory of the experiment; created if needed."
)
ONLY = flags.DEFINE_list(
    "only", [], "Names of the rows to run [all rows of the scale]."
)
NUM_SEEDS = flags.DEFINE_integer(
    "num_seeds",
    None,
    "Number of seeds per row, 1 to 1000 [depends on the scale]. Only for experiments "
    "that train networks.",
    lower_bound=1,
    upper_bound=1000,
)
DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "TFDS data directory [~/tensorflow_datasets]."
)
RUNS_FROM = flags.DEFINE_list(
    "runs_from",
    [],
    "Directories of other experiments. If a row's configuration was trained there at "
    "the same scale, the row is measured on that run.",
)


def main() -> int:
    """List the experiments, or run one and print its table.

    Returns:
      Exit code: 1 if a measurement failed.
    """
    if LIST.value:
        print(reproduce.describe_experiments())
        return 0
    if CLAIMS.value:
        print(reproduce.claims_table(pathlib.Path(CLAIMS.value)))
        return 0
    if not EXPERIMENT.value:
        raise ValueError("--experiment must name an experiment; --list shows them")
    if not WORKDIR.value:
        raise ValueError("--workdir must name the directory of the experiment")
    status = 0
    try:
        reproduce.reproduce(
            reproduce.find_experiment(EXPERIMENT.value),
            WORKDIR.value,
            scale=SCALE.value,
            only=ONLY.value,
            num_seeds=NUM_SEEDS.value,
            data_dir=DATA_DIR.value,
            runs_from=RUNS_FROM.value,
        )
    except reproduce.MeasurementError as error:
        print(f"error: {error}", file=sys.stderr)
        status = 1
    print((pathlib.Path(WORKDIR.value).expanduser() / "table.md").read_text())
    print(f"results in {WORKDIR.value}")
    return status


if __name__ == "__main__":
    _commands.run(main)
