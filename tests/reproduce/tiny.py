"""An experiment that takes no time: few units, generated data."""

import json
import shutil

from noisejax import reproduce
from noisejax.experiments import Claim, Contrast, Experiment, Printed, Row, Scale

ERROR = "test_error_percent"

BASE = {
    "data.name": "digits",
    "data.validation": 0.1,
    "model.widths": (4,),
    "optimizer.learning_rate": 0.1,
    "training.epochs": 1,
    "training.batch_size": 90,
}

ROWS = (
    Row("dropout", "dropout", {}, {ERROR: Printed(1.5, 0.1)}, {"method": "dropout"}),
    Row("none", "no noise", {"noise.scheme": "none"}, {ERROR: Printed(2.5, note="?")}),
    Row("cited", "another paper's", {}, {ERROR: Printed(3.0)}, cited=True),
)

CLAIM = Claim(
    "Dropout is better.",
    (Contrast(((1.0, "dropout", ERROR), (-1.0, "none", ERROR)), high=0),),
)


def experiment(rows=ROWS, **fields):
    """Return an experiment of two rows and two seeds on generated digits."""
    scale = Scale(changes=("tiny",), cost="nothing", num_seeds=2)
    smoke = Scale(changes=("tiny",), cost="nothing", generated=True)
    values = {
        "name": "tiny",
        "title": "Tiny",
        "paper": "nobody",
        "place": "table 0",
        "kind": "trained",
        "rows": rows,
        "scales": {"smoke": smoke, "short": scale, "paper": scale},
        "metrics": (ERROR,),
        "base": BASE,
        "protocol": ("As printed.",),
        "ours": ("All of it.",),
        "claims": (CLAIM,),
    }
    return Experiment(**{**values, **fields})


def run(folder, what=None, **options):
    """Run the experiment at the scale short."""
    return reproduce.reproduce(
        what or experiment(), folder, **{"scale": "short", **options}
    )


def copy_of(done, tmp_path):
    """Return a copy of a finished experiment, which tests may change."""
    folder = tmp_path / "copy"
    shutil.copytree(done, folder)
    return folder


def results(folder):
    """Read the lines of results.jsonl."""
    lines = (folder / "results.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def result(row, seed, **numbers):
    """Return a line of results.jsonl with the fields of verdicts and tables."""
    return {
        "row": row,
        "seed": seed,
        "numbers": numbers,
        "seconds": 1.0,
        "config": {},
        "device": {"kind": "cpu", "count": 1},
        "versions": {"jax": "0"},
    }
