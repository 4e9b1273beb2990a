"""Draws training curves:  python -m noisejax.plot RUN... [--output=FILE.png]."""

from collections.abc import Sequence

from absl import flags

from noisejax import _commands, figures, measuring

OUTPUT = flags.DEFINE_string(
    "output", "curves.png", "Picture to write; a .pdf is written beside it."
)
METRIC = flags.DEFINE_enum("metric", "error", ["error", "loss"], "What to draw.")

MAX_RUNS_IN_FULL = 2
"""With more runs only their test curves are drawn: a figure must stay legible."""


def main(runs: Sequence[str]) -> None:
    """Draws the curves of runs, seeds as bands, and says where they lie."""
    if not runs:
        raise ValueError("name the folders of the runs: python -m noisejax.plot RUN...")
    read = measuring.read_curves(runs, metric=METRIC.value)
    curves = read.curves
    if len(curves) > MAX_RUNS_IN_FULL:
        curves = {
            run: {split: values for split, values in splits.items() if split == "test"}
            for run, splits in curves.items()
        }
    figure = figures.training_curves(curves, ylabel=read.ylabel)
    for path in figures.save(figure, OUTPUT.value):
        print(path)


if __name__ == "__main__":
    _commands.run(main)
