"""Does a paper's table or figure again:  python -m noisejax.reproduce --list."""

import pathlib

from absl import flags

from noisejax import _commands, reproduction

LIST = flags.DEFINE_bool("list", False, "List the experiments, one a line.")
EXPERIMENT = flags.DEFINE_string("experiment", None, "Its name; see --list.")
SCALE = flags.DEFINE_string(
    "scale",
    "short",
    "smoke (seconds, generated data), short (the most honest version for two cores), "
    "or paper (the paper's protocol, for an accelerator).",
)
CLAIMS = flags.DEFINE_string(
    "claims",
    None,
    "Folder with a folder of results per experiment: print all claims with verdicts.",
)
WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the experiment; created.")
ONLY = flags.DEFINE_list("only", [], "Names of rows, in place of the scale's.")
NUM_SEEDS = flags.DEFINE_integer(
    "num_seeds",
    None,
    "Runs per row, in place of the scale's: 1 to 1000. Not for what is computed.",
    lower_bound=1,
    upper_bound=1000,
)
DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "TFDS data directory [~/tensorflow_datasets]."
)
RUNS_FROM = flags.DEFINE_list(
    "runs_from",
    [],
    "Folders of other experiments: a row whose configuration was trained there, at the "
    "same scale, is measured on that run.",
)


def main() -> None:
    """Lists the experiments, or does one and says where its table lies."""
    if LIST.value:
        print(reproduction.describe_experiments())
        return
    if CLAIMS.value:
        print(reproduction.claims_table(pathlib.Path(CLAIMS.value)))
        return
    if not EXPERIMENT.value:
        raise ValueError("--experiment must name an experiment; --list shows them")
    if not WORKDIR.value:
        raise ValueError("--workdir must name the folder of the experiment")
    table = reproduction.reproduce(
        reproduction.find_experiment(EXPERIMENT.value),
        WORKDIR.value,
        scale=SCALE.value,
        only=ONLY.value,
        num_seeds=NUM_SEEDS.value,
        data_dir=DATA_DIR.value,
        runs_from=RUNS_FROM.value,
    )
    print(table.read_text())
    print(f"results in {table.parent}")


if __name__ == "__main__":
    _commands.run(main)
