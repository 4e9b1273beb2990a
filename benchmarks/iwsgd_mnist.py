"""Several noise samples per example on MNIST: error, bound and wall time.

python -m benchmarks.iwsgd_mnist --workdir=DIR --data_dir=TFDS [--epochs=6]

Rows are training runs. Each is stored in its folder and not repeated. The program
writes a table and its numbers (--out).
"""

import json
import math
import pathlib
import statistics
from typing import Any

import jax
from absl import app, flags, logging
from jax import lax

from benchmarks._machine import machine
from noisejax import objectives, training

FLAGS = flags.FLAGS
flags.DEFINE_string("workdir", None, "Folder of the runs; created.", required=True)
flags.DEFINE_string("data_dir", None, "TFDS data directory.")
flags.DEFINE_string("dataset", "mnist", "As data.name.")
flags.DEFINE_integer("epochs", 6, "Passes over the training part.", lower_bound=1)
flags.DEFINE_integer("num_seeds", 3, "Runs per row.", lower_bound=1)
flags.DEFINE_string(
    "out", "benchmarks/results/iwsgd_mnist", "Files written: .json and .md."
)

flags.DEFINE_string("note", "", "A sentence for the page, such as what else ran.")

SAMPLES = 16
"""Of the bound on the test examples."""

ROWS = {
    "S = 1": {},
    "S = 4": {"num_samples": 4},
    "S = 4, equal weights": {"num_samples": 4, "weighting": "equal"},
    "S = 8": {"num_samples": 8},
    "S = 8, equal weights": {"num_samples": 8, "weighting": "equal"},
    "S = 1, 8 times the epochs": {},
}
"""Row -> fields of the objective."""


def config_of(row: str) -> training.Config:
    """Return the config: ReLU 1000-1000, dropout 0.2 / 0.5, and an objective."""
    config = training.Config()
    config.data.name = FLAGS.dataset
    config.training.num_seeds = FLAGS.num_seeds
    config.training.epochs = FLAGS.epochs * (8 if row.endswith("epochs") else 1)
    for field, value in ROWS[row].items():
        setattr(config.objective, field, value)
    return config


def bound_of(run: training.TrainedRun) -> objectives.BoundCurve:
    """Return L(S) on the test examples, under the noise of training."""

    @jax.jit
    def log_prob(key):
        x = run.inputs(run.test.x)
        logits, _ = run.model.apply(run.variables, x, train=True, rngs={"dropout": key})
        return objectives.label_log_prob(logits, run.test.y)

    keys = jax.random.split(jax.random.key(0), SAMPLES)
    return objectives.bound_curve(lax.map(log_prob, keys))


def run_row(row: str, folder: pathlib.Path) -> dict[str, Any]:
    """Train the network unless a finished run exists, and measure it."""
    summary = training.train(
        config_of(row), folder, data_dir=FLAGS.data_dir, resume=True
    )
    curve = bound_of(training.load_run(folder, data_dir=FLAGS.data_dir))
    return {
        "row": row,
        "test_error_percent": summary["test_error_percent"],
        "seconds": summary["seconds"],
        "epochs": summary["epochs"],
        "versions": summary["versions"],
        "device": summary["device"],
        "bound": {
            name: [float(value) for value in getattr(curve, name)]
            for name in ("num_samples", "bound", "standard_error")
        },
        "gain_standard_error": [float(v) for v in curve.gain_standard_error],
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Return a Markdown table."""
    sizes = [int(s) for s in rows[0]["bound"]["num_samples"]]
    head = ["", "test error, %", "seconds", *(f"L({s})" for s in sizes)]
    lines = [" | ".join(head), " | ".join(["---"] * len(head))]
    for row in rows:
        error = row["test_error_percent"]["per_seed"]
        spread = statistics.stdev(error) / math.sqrt(len(error)) if error[1:] else 0
        cells = [
            f"{row['row']} ({row['epochs']} epochs)",
            f"{statistics.mean(error):.2f} ± {spread:.2f}",
            f"{row['seconds']:.0f}",
            *(f"{bound:.4f}" for bound in row["bound"]["bound"]),
        ]
        lines.append(" | ".join(cells))
    return "\n".join(f"| {line} |" for line in lines)


def main(argv: list[str]) -> None:
    """Run all rows, and write the table after each."""
    del argv
    logging.set_verbosity(logging.WARNING)  # Orbax tells much
    folder = pathlib.Path(FLAGS.workdir)
    out = pathlib.Path(FLAGS.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    rows, where = [], machine()
    for i, row in enumerate(ROWS):
        rows.append(run_row(row, folder / f"row{i}"))
        out.with_suffix(".json").write_text(json.dumps(rows, indent=1) + "\n")
        text = "\n".join(
            [
                "# Several noise samples against more epochs\n",
                f"{FLAGS.dataset}, ReLU 1000-1000, dropout 0.2 / 0.5, the command's "
                f"defaults; {FLAGS.num_seeds} seeds, mean ± standard error; "
                f"{where['cores']} cores of {where['cpu']}, Python "
                f"{where['python']}, JAX {where['versions']['jax']}.",
                "Seconds are of all seeds together, one after another. L(S): the bound "
                f"on the test examples in nats, {SAMPLES} noise samples, first seed.",
                FLAGS.note,
                "",
                table(rows),
                "",
                "Made by: python -m benchmarks.iwsgd_mnist --workdir=DIR "
                f"--data_dir=TFDS --epochs={FLAGS.epochs} "
                f"--num_seeds={FLAGS.num_seeds}",
                "",
            ]
        )
        out.with_suffix(".md").write_text(text)
        print(text)


if __name__ == "__main__":
    app.run(main)
