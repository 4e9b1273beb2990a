"""Prepare a data set of TFDS:  python -m noisejax.prepare_data --dataset=NAME."""

from absl import flags

from noisejax import _commands, data

DATASET = flags.DEFINE_string(
    "dataset", None, f"Data set: one of {', '.join(data.preparable_names())}."
)
DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "TFDS data directory [~/tensorflow_datasets]."
)


def main() -> None:
    """Prepare the data set, unless it is already prepared."""
    if not DATASET.value:
        names = ", ".join(data.preparable_names())
        raise ValueError(f"--dataset must be one of {names}")
    folder, existed = data.prepare_dataset(DATASET.value, DATA_DIR.value)
    print(f"{DATASET.value} is prepared {'already ' if existed else ''}in {folder}")


if __name__ == "__main__":
    _commands.run(main)
