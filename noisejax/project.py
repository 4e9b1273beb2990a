"""Back-projection of a run: python -m noisejax.project --checkpoint=RUN --workdir=D."""

from absl import flags

from noisejax import _commands, projecting

CHECKPOINT = flags.DEFINE_string("checkpoint", None, "Folder of the run to project.")
WORKDIR = flags.DEFINE_string("workdir", None, "Folder for the results; created.")
DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "TFDS data directory [~/tensorflow_datasets]."
)
SEED = flags.DEFINE_integer(
    "seed", None, "Of which network, where the run trained several [the first]."
)
EXAMPLES = flags.DEFINE_integer("num_examples", 1000, "Test examples measured.")
PICTURES = flags.DEFINE_integer("num_pictures", 6, "Examples shown.")
MASKS = flags.DEFINE_integer("num_masks", 5, "Noise samples shown per example.")
STEPS = flags.DEFINE_integer("num_steps", 20, "Steps of descent.")
METHOD = flags.DEFINE_string(
    "method", "preconditioned", "preconditioned, stable or gradient_descent."
)
RATES = flags.DEFINE_list(
    "learning_rates",
    ["300", "30"],
    "Of gradient_descent, one per hidden layer (the paper's).",
)
BOUNDED = flags.DEFINE_bool("bounded", False, "Keep x* within [0, 1].")


def main() -> None:
    """Projects, and says where the results lie."""
    if not CHECKPOINT.value:
        raise ValueError("--checkpoint must name the folder of a run")
    if not WORKDIR.value:
        raise ValueError("--workdir must name the folder for the results")
    try:
        rates = tuple(float(rate) for rate in RATES.value)
    except ValueError as error:
        raise ValueError(f"--learning_rates must be numbers: {error}") from error
    path = projecting.project_run(
        CHECKPOINT.value,
        WORKDIR.value,
        data_dir=DATA_DIR.value,
        seed=SEED.value,
        amounts=projecting.Amounts(
            num_examples=EXAMPLES.value,
            num_pictures=PICTURES.value,
            num_masks=MASKS.value,
            num_steps=STEPS.value,
            method=METHOD.value,
            learning_rates=rates,
            bounded=BOUNDED.value,
        ),
    )
    print((path / "residuals.md").read_text())
    print(f"results in {path}")


if __name__ == "__main__":
    _commands.run(main)
