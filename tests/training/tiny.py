"""Tiny training runs: few examples, few pixels, few units."""

import json
import pathlib

import numpy as np

from noisejax import data, training
from tests.data.synthetic import arrays

FIELDS = {
    "model.widths": (8,),
    "training.batch_size": 20,
    "training.epochs": 2,
    "data.validation": 0.2,
    "optimizer.learning_rate": 0.1,
}


def dataset(pixels=False):
    """Return 200 training and 60 test examples of 4 x 4 pixels in 3 classes."""
    own = arrays()
    x_train, x_test = own["x_train"], own["x_test"]
    if pixels:
        x_train, x_test = (
            (255 * x).round().astype(np.uint8) for x in (x_train, x_test)
        )
    y_train, y_test = (own[f"y_{part}"].astype(np.int32) for part in ("train", "test"))
    return data.Dataset("own", x_train, y_train, x_test, y_test, 3)


def config(**fields):
    """Return a small configuration, changed by section__field=value."""
    values = training.Config()
    changes = {name.replace("__", "."): value for name, value in fields.items()}
    for path, value in {**FIELDS, **changes}.items():
        section, name = path.split(".")
        assert hasattr(getattr(values, section), name), path
        setattr(getattr(values, section), name, value)
    return values


def train(workdir, *, resume=False, on=None, **fields):
    """Train on the small data set, or on the data set `on`."""
    examples = dataset() if on is None else on
    return training.train(config(**fields), workdir, resume=resume, dataset=examples)


def rows(workdir, **wanted):
    """Return the rows of metrics that have the wanted values."""
    found = training.read_metrics(pathlib.Path(workdir) / "metrics.jsonl")
    return [row for row in found if wanted.items() <= row.items()]


def read(workdir, name):
    """Read a JSON file of a run directory."""
    return json.loads((pathlib.Path(workdir) / name).read_text())
