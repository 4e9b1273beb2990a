"""Measures a trained run: python -m noisejax.diagnose --checkpoint=RUN --workdir=D."""

from absl import flags

from noisejax import _commands, measuring

CHECKPOINT = flags.DEFINE_string("checkpoint", None, "Folder of the run to measure.")
WORKDIR = flags.DEFINE_string(
    "workdir", None, "Folder for diagnose.json, .png and .pdf; created."
)
DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "TFDS data directory [~/tensorflow_datasets]."
)
SEED = flags.DEFINE_integer(
    "seed", None, "Of which network, where the run trained several [the first]."
)


def main() -> None:
    """Measures, and says where the results lie."""
    if not CHECKPOINT.value:
        raise ValueError("--checkpoint must name the folder of a run")
    if not WORKDIR.value:
        raise ValueError("--workdir must name the folder for the results")
    path = measuring.diagnose(
        CHECKPOINT.value, WORKDIR.value, data_dir=DATA_DIR.value, seed=SEED.value
    )
    print(f"results in {path}, figures in {path.with_suffix('.png')}")


if __name__ == "__main__":
    _commands.run(main)
