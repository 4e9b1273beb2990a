"""Draw training curves:  python -m noisejax.plot RUN... [--output=FILE.png]."""

from collections.abc import Sequence

from absl import flags

from noisejax import _commands, evaluators, figures

OUTPUT = flags.DEFINE_string(
    "output",
    "curves.png",
    "Image file to write; a .pdf of the same name is written, too.",
)
METRIC = flags.DEFINE_enum("metric", "error", ["error", "loss"], "Metric to draw.")


def main(runs: Sequence[str]) -> None:
    """Draw the curves of runs and print the paths of the files."""
    if not runs:
        raise ValueError("name the directories of the runs: noisejax.plot RUN...")
    curves = evaluators.read_curves(runs, metric=METRIC.value)
    for path in figures.save(curves.draw(), OUTPUT.value):
        print(path)


if __name__ == "__main__":
    _commands.run(main)
