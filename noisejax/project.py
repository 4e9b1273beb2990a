"""Back-project a run: python -m noisejax.project --checkpoint=RUN --workdir=D."""

import pathlib

from absl import flags

from noisejax import _commands, evaluators

CHECKPOINT = flags.DEFINE_string("checkpoint", None, "Run directory to project.")
WORKDIR = flags.DEFINE_string(
    "workdir", None, "Directory for the results; created if missing."
)
DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "TFDS data directory [~/tensorflow_datasets]."
)
SEED = flags.DEFINE_integer("seed", None, "Seed of the network [the first seed].")
EXAMPLES = flags.DEFINE_integer(
    "num_examples", 1000, "Number of test examples to measure."
)
PICTURES = flags.DEFINE_integer("num_pictures", 6, "Number of examples to draw.")
MASKS = flags.DEFINE_integer("num_masks", 5, "Number of noise samples per example.")
STEPS = flags.DEFINE_integer("num_steps", 20, "Number of descent steps.")
METHOD = flags.DEFINE_string(
    "method", "preconditioned", "Method: preconditioned, stable or gradient_descent."
)
RATES = flags.DEFINE_list(
    "learning_rates",
    ["300", "30"],
    "Learning rates of gradient_descent, one per hidden layer.",
)
BOUNDED = flags.DEFINE_bool("bounded", False, "Keep x* within [0, 1].")


def main() -> int:
    """Project, print the table, and return exit code 1 if a picture failed."""
    if not CHECKPOINT.value:
        raise ValueError("--checkpoint must name the directory of a run")
    if not WORKDIR.value:
        raise ValueError("--workdir must name the directory for the results")
    try:
        rates = tuple(float(rate) for rate in RATES.value)
    except ValueError as error:
        raise ValueError(f"--learning_rates must be numbers: {error}") from error
    report = evaluators.project(
        CHECKPOINT.value,
        WORKDIR.value,
        data_dir=DATA_DIR.value,
        seed=SEED.value,
        options=evaluators.ProjectOptions(
            num_examples=EXAMPLES.value,
            num_pictures=PICTURES.value,
            num_masks=MASKS.value,
            num_steps=STEPS.value,
            method=METHOD.value,
            learning_rates=rates,
            bounded=BOUNDED.value,
        ),
    )
    print((pathlib.Path(WORKDIR.value) / "residuals.md").read_text())
    print(f"results in {WORKDIR.value}")
    return evaluators.report_failures(report)


if __name__ == "__main__":
    _commands.run(main)
